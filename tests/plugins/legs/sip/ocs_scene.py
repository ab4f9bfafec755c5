"""Two SIP desks with a whole house between them: our own server inside, a partner outside, both played by hand."""

from collections.abc import Mapping
from typing import Any

from attrs import define, field
from twisted.internet.task import Clock

from gateway.books.own_levels import OwnLevels
from gateway.books.pairs import PairBook, Rules
from gateway.books.presence_book import IN_PRESENCE
from gateway.guarding import OutputGuard
from gateway.house import House
from gateway.metrics import Metrics
from gateway.model.envelope import Envelope, Side
from gateway.model.subscription import State
from gateway.policy.access_level import STANDARD
from gateway.policy.partners import Lock, Partner, Partners
from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.subscribing import SubscriptionKey
from gateway.protocols.sip.user_agent import UserAgent
from gateway.taps import Taps
from plugins.legs.sip.desk import SipDesk
from tests.protocols.sip.talk import line, request, station
from tests.stage import ALICE as PERSON
from tests.stage import BOB as CONTACT
from tests.stage import PARTNER, START, FakeLeg, MemoryAssignments, MemoryStates

ALICE, BOB = "sip:alice@corp.example", "sip:bob@partner.example"
CATEGORIES, PIDF = "application/msrtc-event-categories+xml", "application/pidf+xml"
ROAMING = "application/vnd-microsoft-roaming-self+xml"
_SPACE = "http://schemas.microsoft.com/2006/09/sip"


@define(eq=False)
class DeskLeg(FakeLeg):
    """Delivers at the desk of the other side."""

    end: Any = None

    def deliver(self, envelope: Envelope) -> bool:
        return bool(self.end.desk.deliver(envelope))

    def preview(self, envelope: Envelope) -> str:
        return str(self.end.desk.preview(envelope))


@define(eq=False)
class End:
    """Is one side: its desk and its user agent, and the peer there."""

    side: Side
    domains: frozenset[str]
    """Who is served: those for whom the gateway stands on this side."""
    proven: frozenset[str] | None
    clock: Clock
    agent: UserAgent = field(init=False)
    desk: SipDesk = field(init=False)
    sent: list[Request | Response] = field(factory=list)

    def join(self, house: House) -> None:
        self.agent = UserAgent(station(), self)
        guard = OutputGuard("sip", Metrics()) if self.side is Side.EXTERNAL else None
        self.desk = SipDesk(
            self.side, house, self.agent, self.clock, self.clock.seconds, lambda domain: False, guard=guard
        )

    def serves(self, domain: str) -> bool:
        return domain in self.domains

    def watcher(self, presentity: str, watcher: str, package: str) -> int:
        return self.desk.watcher(presentity, watcher)

    def session(self, local: str, remote: str) -> int:
        return self.desk.session(local, remote)

    def wanted(self, key: SubscriptionKey) -> bool:
        return self.desk.wanted(key)

    def hear(self, message: Request | Response) -> None:
        """Takes one message from the peer."""
        for event in self.agent.received(message, "tls:peer", self.proven, self.clock.seconds()):
            self.desk.happened(event)

    def turn(self) -> None:
        """Does what is due; the peer answers each notification."""
        for event in self.agent.tick(self.clock.seconds()):
            self.desk.happened(event)
        sent = [send.message for send in self.agent.take_output()]
        self.sent += sent
        for one in sent:
            if isinstance(one, Request) and one.method == "NOTIFY":
                self.hear(one.reply(200))

    def taken(self) -> list[Request | Response]:
        """Gives what was sent since the last time."""
        sent, self.sent = self.sent, []
        return sent


class Scene:
    """Is the gateway; alice is one of our people, bob a partner's; both know each other."""

    def __init__(self, level: str = "public", partner: Partner = PARTNER, locks: tuple[Lock, ...] = ()) -> None:
        self.number = 0
        self.clock = Clock()
        self.clock.advance(START)
        self.inside = End(Side.INTERNAL, frozenset({"partner.example"}), None, self.clock)
        self.outside = End(Side.EXTERNAL, frozenset({"corp.example"}), frozenset({"partner.example"}), self.clock)
        self.assignments, self.states, metrics = MemoryAssignments(), MemoryStates(), Metrics()
        rules = Rules(Partners((partner,)), dict(STANDARD), level, locks, (), frozenset({"corp.example"}))
        metrics.configure(rules.partners.by_name, ["corp.example"], rules.levels)
        now = self.clock.seconds
        pairs = PairBook(rules, self.assignments, self.states, b"secret", now)
        self.legs = legs = {"inside": DeskLeg("inside", end=self.inside), "xmpp": DeskLeg("xmpp", end=self.outside)}
        own = OwnLevels(self.assignments, now)
        self.house = House(pairs, self.states, legs, "inside", Taps(()), metrics, now, own_levels=own)
        legs["inside"].carries = legs["xmpp"].carries = frozenset(IN_PRESENCE)
        for end in (self.inside, self.outside):
            end.join(self.house)
        self.states.set(PERSON, CONTACT, State.BOTH)

    def turn(self, seconds: float = 0.0) -> None:
        """Lets time pass on both sides."""
        self.clock.advance(seconds)
        for _ in range(3):
            self.inside.turn()
            self.outside.turn()

    def from_outside(self, method: str, body: bytes = b"", **fields: str | None) -> list[Request | Response]:
        """Lets bob's server send a request to alice; gives what that server is sent."""
        self.number += 1
        given: dict[str, str | None] = {
            "branch": f"o{self.number}",
            "Call_ID": f"call{self.number}",
            "Contact": "<sip:sip.partner.example:5061;transport=tls>",
        }
        self.outside.hear(request(method, ALICE, body, **given | fields))
        self.turn()
        return self.outside.taken()

    def watch(self, accept: str | None, body: bytes = b"", **fields: str | None) -> tuple[str, str]:
        """Lets bob subscribe to alice; gives the type and the text of the first notification."""
        kind = "application/msrtc-adrl-categorylist+xml" if body else None
        event: dict[str, str | None] = {"Event": "presence", "Accept": accept, "Content_Type": kind}
        answer, *rest = self.from_outside("SUBSCRIBE", body, **event | fields)
        assert line(answer) == "200 SUBSCRIBE", answer
        return told(rest)

    def shown(self, seconds: float = 0.0) -> tuple[str, str]:
        """Lets time pass; gives the latest that bob's server was told since the last time."""
        self.turn(seconds)
        return told(self.outside.taken())

    def asked_inside(self) -> list[Request]:
        """Gives the subscriptions that our own server was asked for."""
        self.turn()
        return [one for one in self.inside.taken() if isinstance(one, Request) and one.method == "SUBSCRIBE"]

    def tell(self, ask: Request, kind: str, body: str, method: str = "NOTIFY") -> list[str]:
        """Like notify, in words."""
        return [line(one) for one in self.notify(ask, kind, body, method)]

    def notify(
        self,
        ask: Request,
        kind: str,
        body: str,
        method: str = "NOTIFY",
        end: End | None = None,
        state: str = "active;expires=3600",
    ) -> list[Request | Response]:
        """Lets our own server, or another end, notify about what it was asked for; gives what it is sent."""
        end = end or self.inside
        self.number += 1
        fields: dict[str, str | None] = {
            "branch": f"i{self.number}",
            "From_": f"{ask.headers.get('To')};tag=server",
            "To": ask.headers.get("From"),
            "Call_ID": ask.call_id,
            "CSeq": str(self.number),
            "Contact": "<sip:127.0.0.1:5060;transport=tcp>",
            "Event": ask.headers.get("Event"),
            "Subscription_State": state,
            "Content_Type": kind if body else None,
        }
        end.hear(request(method, "sip:gw.corp.example:5061", body.encode(), **fields))
        self.turn()
        return end.taken()


def told(sent: list[Request | Response]) -> tuple[str, str]:
    """Gives the type and the text of the latest NOTIFY among some messages; empty when there is none."""
    found = [one for one in sent if isinstance(one, Request) and one.method == "NOTIFY"]
    return (found[-1].headers.get("Content-Type") or "", found[-1].body.decode()) if found else ("", "")


def categories(availability: int, note: str = "") -> str:
    """What our own server shows of alice: a state, and a note when there is one."""
    body = f"<body type='personal' uri=''>{note}</body>" if note else ""
    return (
        f"<categories xmlns='{_SPACE}/categories' uri='{ALICE}'><category name='state' instance='1'>"
        f"<state xmlns='{_SPACE}/state'><availability>{availability}</availability></state></category>"
        f"<category name='note' instance='0'><note xmlns='{_SPACE}/note'>{body}</note></category></categories>"
    )


def roaming(containers: Mapping[int, tuple[str, ...]]) -> str:
    """What our own server tells alice of her containers; members as `user bob@partner.example` or `federated`."""
    parts = ""
    for number, members in containers.items():
        inside = ""
        for kind, _, value in (each.partition(" ") for each in members):
            inside += f"<member type='{kind}'" + (f" value='{value}'/>" if value else "/>")
        parts += f"<container id='{number}' version='1'>{inside}</container>"
    return f"<roamingData xmlns='{_SPACE}/roaming-self'><containers>{parts}</containers></roamingData>"
