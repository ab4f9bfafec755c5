"""A house with two legs that write down what they deliver, stores in memory, and a clock that stands still."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from attrs import define, evolve, field
from twisted.internet.defer import succeed
from twisted.internet.task import Clock

from gateway.books.pairs import Pair, PairBook, Rules
from gateway.books.presence_book import IN_PRESENCE
from gateway.house import House
from gateway.interfaces import LegReport
from gateway.metrics import Metrics
from gateway.model.address import Address
from gateway.model.envelope import Content, Envelope, QueryKind, Side
from gateway.model.presence import Field, Presence, PresenceDocument
from gateway.model.subscription import Ask, State, Subscription
from gateway.policy.access_level import STANDARD, Assignment, Member
from gateway.policy.partners import Partner, Partners
from gateway.taps import Taps

ALICE = Address.parse("alice@corp.example")
DESK = Address.parse("alice@corp.example/desk-7f3a")
PHONE = Address.parse("alice@corp.example/phone-99")
BOB = Address.parse("bob@partner.example")
TABLET = Address.parse("bob@partner.example/tablet")
CAROL = Address.parse("carol@ally.example")
EVE = Address.parse("eve@stranger.example")
PARTNER = Partner("partner.example", frozenset({"partner.example"}))
ALLY = Partner("ally.example", frozenset({"ally.example"}))
START = 1_000_000.0


@define
class FakeLeg:
    """Writes down every envelope that it is to deliver; `up` says whether it claims to have sent it."""

    name: str
    up: bool = True
    confirms: bool = False
    carries: frozenset[Field] = IN_PRESENCE
    out: list[Envelope] = field(factory=list)
    cards: dict[str, PresenceDocument | None] = field(factory=dict)
    asked: list[tuple[Address, Address, QueryKind]] = field(factory=list)
    domains: frozenset[str] = frozenset()
    """Domains that name servers for its protocol."""
    lookups: list[Any] = field(factory=list)
    """Deferreds to answer with instead, in order."""
    answers: list[Any] = field(factory=list)
    """Deferreds to answer questions with, in order; without one the card is given at once."""

    def start(self) -> Awaitable[None]:
        return succeed(None)

    def deliver(self, envelope: Envelope) -> bool:
        self.out.append(envelope)
        return self.up

    def ask(self, person: Address, contact: Address, kind: QueryKind) -> Awaitable[PresenceDocument | None]:
        self.asked.append((person, contact, kind))
        return self.answers.pop(0) if self.answers else succeed(self.cards.get(person))

    def preview(self, envelope: Envelope) -> str:
        return repr(envelope)

    def question(self, kind: QueryKind) -> object:
        return None

    def prepare(self, config: Any) -> Callable[[], None]:
        """Has nothing to read."""
        return lambda: None

    def report(self) -> LegReport:
        return LegReport()

    def offers(self, domain: str) -> Awaitable[bool]:
        return self.lookups.pop(0) if self.lookups else succeed(domain in self.domains)

    def test(self, remote: str) -> Awaitable[list[Any]]:
        return succeed([])

    def stop(self) -> Awaitable[None]:
        return succeed(None)

    def taken(self) -> list[Envelope]:
        """Gives what was delivered since the last time."""
        out, self.out = self.out, []
        return out


@define
class MemoryAssignments:
    """Keeps assignments in a dictionary."""

    entries: dict[tuple[str, Member], Assignment] = field(factory=dict)

    def all(self) -> list[Assignment]:
        return list(self.entries.values())

    def about(self, owner: str, contact: Address) -> list[Assignment]:
        return self.of(owner)

    def of(self, owner: str) -> list[Assignment]:
        return [entry for entry in self.entries.values() if entry.owner == owner]

    def set(self, assignment: Assignment) -> Awaitable[None]:
        self.entries[(assignment.owner, assignment.member)] = assignment
        return succeed(None)

    def unset(self, owner: str, member: Member) -> Awaitable[None]:
        self.entries.pop((owner, member), None)
        return succeed(None)


@define
class MemoryStates:
    """Keeps subscriptions in a dictionary."""

    states: dict[tuple[Address, Address], State] = field(factory=lambda: defaultdict(lambda: State.NONE))
    ahead: set[tuple[Address, Address]] = field(factory=set)

    def state(self, person: Address, contact: Address) -> State:
        return self.states.get((person, contact), State.NONE)

    def set(self, person: Address, contact: Address, state: State) -> None:
        self.states[(person, contact)] = state
        if not state.contact_watches:
            self.ahead.discard((person, contact))

    def agreed(self, person: Address, contact: Address) -> bool:
        return (person, contact) not in self.ahead

    def set_agreed(self, person: Address, contact: Address, agreed: bool) -> None:
        if not agreed:
            self.ahead.add((person, contact))
        else:
            self.ahead.discard((person, contact))

    def all(self) -> Iterable[tuple[Address, Address, State]]:
        return [(person, contact, state) for (person, contact), state in self.states.items()]


class Stage:
    """Is a whole house between two fake legs; alice is inside, bob is a partner's, carol another partner's."""

    def __init__(self, *partners: Partner, level: str = "public", taps: Iterable[Any] = (), **changes: Any) -> None:
        self.clock = Clock()
        self.clock.advance(START)
        self.inside, self.outside = FakeLeg("inside"), FakeLeg("xmpp")
        self.assignments, self.states, self.metrics = MemoryAssignments(), MemoryStates(), Metrics()
        chosen = Partners(partners or (PARTNER, ALLY))
        rules = Rules(chosen, dict(STANDARD), level, (), (), frozenset({"corp.example"}))
        self.metrics.configure(chosen.by_name, ["corp.example"], rules.levels)
        self.pairs = PairBook(evolve(rules, **changes), self.assignments, self.states, b"secret", self.clock.seconds)
        legs = {"inside": self.inside, "xmpp": self.outside}
        self.house = House(self.pairs, self.states, legs, "inside", Taps(taps), self.metrics, self.clock.seconds)

    def from_inside(self, sender: Address, recipient: Address, content: Content) -> list[Envelope]:
        """Lets an inside person say something; gives what leaves to the outside."""
        self.house.receive(Envelope(sender, recipient, content, Side.INTERNAL))
        return self.outside.taken()

    def from_outside(self, sender: Address, recipient: Address, content: Content) -> list[Envelope]:
        """Lets a contact say something; gives what goes to the inside."""
        self.house.receive(Envelope(sender, recipient, content, Side.EXTERNAL))
        return self.inside.taken()

    def level(self, level: str, contact: Address = BOB, person: Address = ALICE) -> list[Envelope]:
        """Gives a contact a level, as an administrator does on a running gateway; gives what leaves."""
        self.assignments.set(Assignment(str(person), Member.parse(str(contact)), level))
        pairs = self.pairs.of_person(person)
        for pair in pairs:
            self.pairs.refresh(pair)
        self.house.reveal_again(pairs)
        return self.outside.taken()

    def befriend(self, contact: Address = BOB, state: State = State.BOTH, person: Address = ALICE) -> Pair:
        """Puts a subscription in place without any traffic."""
        self.states.set(person, contact, state)
        pair = self.pairs.of(person, contact)
        self.pairs.refresh(pair)
        return pair

    def online(self, contact: Address = BOB, person: Address = DESK, **fields: Any) -> list[Envelope]:
        """Lets alice's server tell a contact that she is there."""
        return self.from_inside(person, contact, here(**fields))

    def silent(self) -> bool:
        """Says whether neither leg was given anything."""
        return not self.inside.taken() and not self.outside.taken()


def here(**fields: Any) -> Presence:
    """Gives available presence: `here(note=(("", "x"),))`."""
    document = {Field.AVAILABILITY: True, **{Field[name.upper()]: value for name, value in fields.items()}}
    return Presence(PresenceDocument(document))


def away() -> Presence:
    """Gives unavailable presence."""
    return Presence(PresenceDocument())


def ask(kind: Ask) -> Subscription:
    """Gives a subscription request."""
    return Subscription(kind, "s1")


def documents(envelopes: Iterable[Envelope]) -> list[PresenceDocument]:
    """Gives what the presence among some envelopes says."""
    return [envelope.content.document for envelope in envelopes if isinstance(envelope.content, Presence)]
