"""A whole house with partners over XMPP and SIP, as their servers hear it: every byte, and when it came."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, evolve, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from gateway.books.pairs import PairBook, Rules
from gateway.books.presence_book import IN_PRESENCE
from gateway.house import House
from gateway.metrics import Metrics
from gateway.model.address import Address
from gateway.model.chain import START as FIRST
from gateway.model.chain import Anchor
from gateway.model.envelope import Envelope, Side
from gateway.model.presence import Field
from gateway.model.subscription import State
from gateway.policy.access_level import STANDARD
from gateway.policy.partners import Partner, Partners
from gateway.protocols.msrtc.categories import CARRIED as IN_CATEGORIES
from gateway.protocols.pidf import CARRIED as IN_PIDF
from gateway.protocols.sip.message import Request
from gateway.protocols.sip.station import Station
from gateway.protocols.sip.transactions import TransactionLayer
from gateway.protocols.sip.user_agent import UserAgent
from gateway.protocols.sip.writer import serialise
from gateway.queues.outbox import Outbox, OutboxLimits
from gateway.records.ledger import Ledger, LedgerRules
from gateway.taps import Taps
from plugins.legs.sip.desk import SipDesk
from plugins.legs.xmpp.dialect import OutsideDialect
from plugins.legs.xmpp.outward import CARRIED
from tests.stage import FakeLeg, MemoryAssignments, MemoryStates

ALICE, ERIN = Address.parse("alice@corp.example"), Address.parse("erin@corp.example")
BOB, CAROL = Address.parse("bob@partner.example"), Address.parse("carol@ally.example")
DAN, FAY = Address.parse("dan@wave.example"), Address.parse("fay@surf.example")
PEOPLE, CONTACTS = (ALICE, ERIN), (BOB, CAROL, DAN, FAY)
VIA = {BOB: "xmpp", CAROL: "xmpp", DAN: "sip", FAY: "sip"}
PARTNERS = tuple(Partner(one.domain, frozenset({one.domain}), via=VIA[one]) for one in CONTACTS)
BEGIN = 1_500_000_000.0
_METRICS = Metrics()
_METRICS.configure({one.name: one for one in PARTNERS}, ["corp.example"], STANDARD)
_RANDOM = re.compile(r"TOK\d+Z(?:\.[0-9a-f]{8})?|(?<=id=')q[0-9a-f]{16}")


@frozen
class Said:
    """Is one thing that went to a domain, and when."""

    at: float
    text: str


@define
class Heard:
    """Keeps what each domain was told; what is random in it is numbered in the order in which the domain saw it."""

    clock: Clock
    said: dict[str, list[Said]] = field(factory=dict)
    _names: dict[tuple[str, str], str] = field(factory=dict)

    def add(self, domain: str, text: str) -> None:
        """Takes what went to a domain."""

        def named(found: re.Match[str]) -> str:
            count = sum(known == domain for known, _ in self._names)
            return self._names.setdefault((domain, found[0]), f"random-{count}")

        self.said.setdefault(domain, []).append(Said(self.clock.seconds(), _RANDOM.sub(named, text)))


@define
class XmppLeg(FakeLeg):
    """Writes what the XMPP leg writes; one queue and one link for each domain."""

    world: Any = None
    boxes: dict[str, Outbox] = field(factory=dict)
    dialect: Any = None

    def begin(self) -> None:
        """Takes its place in the house."""
        house, seconds = self.world.house, self.world.clock.seconds
        self.dialect = OutsideDialect(house, seconds, lambda *_: None, _METRICS)
        for one in CONTACTS:
            if VIA[one] == "xmpp":
                box = self.boxes[one.domain] = Outbox(OutboxLimits(), house.reconsider, house.undeliverable, seconds)
                box.opened(self.transmit)

    def transmit(self, envelope: Envelope) -> None:
        """Writes an envelope to the link."""
        text = self.dialect.write(envelope, envelope.sender, envelope.recipient)
        if text:
            self.world.heard.add(envelope.recipient.domain, text)

    def deliver(self, envelope: Envelope) -> bool:
        """Takes an envelope as the leg does."""
        box = self.boxes[envelope.recipient.domain]
        box.put(envelope)
        return box.is_open


@define(eq=False)
class SipLeg(FakeLeg):
    """Is the outside of the SIP leg: a real desk over a real user agent, whose peers answer each notification."""

    world: Any = None
    agent: Any = None
    desk: Any = None

    def begin(self) -> None:
        """Takes its place in the house."""
        token, clock = _tokens(), self.world.clock
        layer = TransactionLayer(token, "gw.corp.example:5061", lambda flow: "TLS", 1000)
        contact = "sip:gw.corp.example:5061;transport=tls"
        station = Station(layer, token, contact, lambda local, domain, hop: f"tls:{domain}")
        self.agent = UserAgent(station, self)
        self.desk = SipDesk(
            Side.EXTERNAL, self.world.house, self.agent, clock, clock.seconds, lambda domain: domain == FAY.domain
        )

    def deliver(self, envelope: Envelope) -> bool:
        """Takes an envelope as the leg does."""
        taken: bool = self.desk.deliver(envelope)
        return taken

    def serves(self, domain: str) -> bool:
        """Says whether people of this domain are reached here."""
        return domain == "corp.example"

    def watcher(self, presentity: str, watcher: str, package: str) -> int:
        """Asks the desk."""
        return int(self.desk.watcher(presentity, watcher))

    def session(self, local: str, remote: str) -> int:
        """Asks the desk."""
        return int(self.desk.session(local, remote))

    def wanted(self, key: Any) -> bool:
        """Asks the desk."""
        return bool(self.desk.wanted(key))

    def hear(self, domain: str, message: Any) -> None:
        """Takes one message of a peer."""
        now = self.world.clock.seconds()
        for event in self.agent.received(message, f"tls:{domain}", frozenset({domain}), now):
            self.desk.happened(event)

    def turn(self) -> None:
        """Does what is due, and what follows from the answers: a message waits for the answer to the one before."""
        for event in self.agent.tick(self.world.clock.seconds()):
            self.desk.happened(event)
        while sends := list(self.agent.take_output()):
            for send in sends:
                self._sent(str(send.flow).partition(":")[2], send.message)

    def _sent(self, domain: str, message: Any) -> None:
        self.world.heard.add(domain, serialise(message).decode())
        if isinstance(message, Request) and message.method in ("NOTIFY", "MESSAGE"):
            self.hear(domain, message.reply(200))


def _tokens() -> Callable[[], str]:
    numbers = iter(range(1, 1_000_000))
    return lambda: f"TOK{next(numbers):07}Z"


@define
class Disk:
    """Is where the ledger writes: nothing is kept before `settle`."""

    path: str = ""
    _head: Anchor = FIRST
    _open: list[Any] = field(factory=list)

    def head(self) -> Anchor:
        """Gives the newest entry."""
        return self._head

    def append(self, rows: Sequence[Any], changes: Sequence[Any] = ()) -> "Deferred[None]":
        """Takes entries that will be kept."""
        done: Deferred[None] = Deferred()
        self._open.append((done, Anchor(rows[-1][0], rows[-1][-1])))
        return done

    def check(self) -> str | None:
        """Finds no fault."""
        return None

    def settle(self, clock: Clock) -> None:
        """Keeps all that is under way."""
        clock.advance(0)
        while self._open:
            done, self._head = self._open.pop(0)
            done.callback(None)
            clock.advance(0)


class World:
    """Is a gateway with alice and erin inside, and four contacts of four partners, two over each protocol."""

    def __init__(self, ledger: bool) -> None:
        self.clock = Clock()
        self.clock.rightNow = BEGIN
        self.heard = Heard(self.clock)
        now = self.clock.seconds
        self.assignments, self.states = MemoryAssignments(), MemoryStates()
        self.own: dict[str, dict[Any, bool]] = {}
        rules = Rules(
            Partners(PARTNERS),
            dict(STANDARD),
            "public",
            (),
            (),
            frozenset({"corp.example"}),
            own_settings=lambda person: self.own.get(person, {}),
        )
        self.pairs = PairBook(rules, self.assignments, self.states, b"secret", now)
        self.inside = FakeLeg("inside")
        self.xmpp = XmppLeg("xmpp", world=self, carries=CARRIED)
        self.sip = SipLeg("sip", world=self, carries=IN_PRESENCE | IN_PIDF | IN_CATEGORIES)
        self.disk = Disk() if ledger else None
        taps = [self._ledger(self.disk)] if self.disk is not None else []
        legs = {"inside": self.inside, "xmpp": self.xmpp, "sip": self.sip}
        self.house = House(self.pairs, self.states, legs, "inside", Taps(taps), _METRICS, now)
        self.house.presence.publications._now = now
        self.xmpp.begin()
        self.sip.begin()

    def _ledger(self, disk: Disk) -> Ledger:
        made = Ledger(disk, LedgerRules(365), _METRICS, self.clock, self.clock.seconds)  # type: ignore[arg-type]
        made.attach(lambda envelope: self.house.relay.pair_of(envelope).facts, lambda: self.pairs.epoch)
        return made

    def turn(self) -> None:
        """Lets happen what is due now."""
        self.clock.advance(0)
        self.sip.turn()
        self.inside.taken()

    def settle(self) -> None:
        """Lets the disk keep what was written."""
        if self.disk is not None:
            self.disk.settle(self.clock)
        self.turn()

    def wait(self, seconds: float) -> None:
        """Lets time pass; whatever wants to be done meanwhile is done at its own moment."""
        self.settle()
        end = self.clock.seconds() + seconds
        while (due := self.sip.agent.next_timer()) is not None and due < end:
            self.clock.advance(max(0.0, due - self.clock.seconds()) or 0.001)
            self.sip.turn()
        self.clock.advance(max(0.0, end - self.clock.seconds()))
        self.house.tick()
        for box in self.xmpp.boxes.values():
            box.expire()
        self.settle()

    def visible(self, person: Address, contact: Address) -> frozenset[Field]:
        """Gives what a contact may see of a person now."""
        return self.pairs.of(person, contact).permission.fields

    def befriend(self, person: Address, contact: Address, state: State = State.BOTH) -> None:
        """Puts a subscription in place without any traffic."""
        self.states.set(person, contact, state)
        self.pairs.refresh(self.pairs.of(person, contact))

    def change_rules(self, **changes: Any) -> None:
        """Puts other rules in force, as a reload does."""
        self.pairs.take(evolve(self.pairs.rules, **changes))
        self.house.reveal_again(list(self.pairs))
