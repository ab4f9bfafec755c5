"""What the spool knows in memory: partners, routes, messages under way."""

from attrs import define, field
from twisted.internet.defer import Deferred

from gateway.books.pairs import Pair
from gateway.interfaces import Promise
from gateway.model.envelope import Envelope
from gateway.store.spool import Row

DEAD_FAILURES = 3


@define(eq=False)
class Book:
    """Is what one partner takes."""

    count: int = 0
    bytes: int = 0


@define(eq=False)
class Route:
    """Is one way: from a side, from one domain to another."""

    name: str
    out: int = 0
    """Messages that a leg has and that have not come to their end."""
    behind: int = 0
    """Messages that are on the disk only."""
    after: int = 0
    """The last number that was handed to a leg."""
    failures: int = 0
    failed_at: float | None = None
    """Seconds of the reactor since when nothing has been delivered."""
    rests_until: float | None = None
    """Seconds of the reactor, after a leg has given something back."""

    def dead(self, since: float) -> bool:
        """Says whether nothing has been delivered since then, so that new messages are not to wait."""
        return self.failed_at is not None and self.failures >= DEAD_FAILURES and self.failed_at <= since


@define(eq=False)
class Open:
    """Is a message that a leg has."""

    route: Route
    book: Book
    size: int


@define(eq=False)
class Taken:
    """Is a message on its way to the disk."""

    row: Row
    envelope: Envelope
    received: Envelope
    decoy: bool
    """Whether it is there for the time that it takes and goes nowhere."""
    pair: Pair | None
    facts: object


@define(eq=False)
class Batch:
    """Is what goes to the disk in one commit."""

    taken: list[Taken] = field(factory=list)
    removed: set[int] = field(factory=set)
    promise: Promise = field(factory=Promise)


def route_of(envelope: Envelope) -> str:
    """Names the way of an envelope."""
    return f"{envelope.side.value} {envelope.sender.domain} {envelope.recipient.domain}"


def settled(promise: Promise) -> "Deferred[bool]":
    """Gives a Deferred that says whether a promise was kept."""
    known: Deferred[bool] = Deferred()
    promise.then(known.callback)
    return known
