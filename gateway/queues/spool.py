"""Takes messages over for good: first to the disk, then on their way, until they are delivered or bounced."""

import random
from collections.abc import Callable, Iterable
from typing import Any

from attrs import evolve
from twisted.python.failure import Failure

from gateway.books.pairs import Pair
from gateway.config import SpoolTerms
from gateway.errors import StoreError
from gateway.interfaces import Promise
from gateway.log import Log
from gateway.metrics import Metrics
from gateway.model.envelope import Bounce, Envelope, Problem, Ticket
from gateway.model.message import Message
from gateway.queues.outbox_entries import stamped
from gateway.queues.spool_books import Batch, Book, Open, Route, Taken, route_of, settled
from gateway.store.spool import Row, SpoolStore
from gateway.store.spooled import pack, unpack

log = Log("spool")

MOST_OUT = 1000
"""Messages of one route that are in memory; the others wait on the disk."""
MOST_UNWRITTEN = 20_000
"""Messages that may wait for the disk; beyond that none is taken."""
TIDY_SECONDS = 0.25
"""How long what is done with may stay on the disk while nothing is added."""
MOST_UNTIDY = 16
"""As many of them are taken away at once."""
SWEEP_SECONDS = 60.0
REST_SECONDS = 1.0
MOST_REST_SECONDS = 300.0


class Spool:
    """Keeps messages from the moment that they are answered for until they have come to their end.

    `deliver` hands an envelope to its leg. `reconsider` decides once more about one that has waited; `refuse` answers
    the sender of one that was not taken after all; `expired` ends one that is too old.
    """

    def __init__(
        self, store: SpoolStore, terms: SpoolTerms, metrics: Metrics, reactor: Any, now: Callable[[], float]
    ) -> None:
        self._store = store
        self.terms = terms
        self._metrics = metrics
        self._reactor = reactor
        self._now = now
        self.deliver: Callable[[Envelope], object] = lambda envelope: None
        self.reconsider: Callable[[Envelope], Envelope | None] = lambda envelope: envelope
        self.refuse: Callable[[Envelope, Problem], object] = lambda envelope, problem: None
        self.expired: Callable[[Envelope, Problem], object] = lambda envelope, problem: None
        self._number = self._written_through = store.newest()
        self._books: dict[str, Book] = {}
        self._routes: dict[str, Route] = {}
        self._open: dict[int, Open] = {}
        self._batch = Batch()
        self._flight: Batch | None = None
        self._gone: set[int] = set()
        """Numbers that are done with and still on the disk."""
        self._call: Any = None
        self._problem: str | None = None
        self._swept_at = 0.0
        self._dirty = False
        self.bytes = 0
        self.resting = 0
        """Routes that rest."""
        self.dead_seconds = 60.0
        """Seconds without success after which messages on a route are refused at once."""
        self._closed = False
        for kept in store.kept():
            book = self._books.setdefault(kept.partner, Book())
            book.count += kept.count
            book.bytes += kept.bytes
            self.bytes += kept.bytes
            self._routes.setdefault(kept.route, Route(kept.route)).behind += kept.count

    def __len__(self) -> int:
        return sum(book.count for book in self._books.values())

    # -- in --------------------------------------------------------------------------------------------------------

    def accept(
        self,
        envelope: Envelope,
        received: Envelope,
        partner: str,
        pair: Pair | None = None,
        *,
        forced: bool = False,
        decoy: bool = False,
    ) -> Promise | None:
        """Takes a message that is to leave as `envelope`; None when there is no room for it.

        Once the promise is kept it is on the disk, and its sender may be told that it was accepted; if it is broken,
        its sender has been refused. `forced` passes the bounds, for the answer to something that was within them. A
        `decoy` takes the room and the time of a message; blanks are written in its place, and it goes nowhere.
        """
        book = self._books.get(partner) or self._books.setdefault(partner, Book())
        content = envelope.content
        if isinstance(content, Message) and not content.id:
            envelope = evolve(envelope, content=evolve(content, id=f"gw{self._number + 1}-{random.getrandbits(48):x}"))
        ticket = Ticket(self._number + 1, self._now(), received.sender)
        envelope = evolve(envelope, ticket=ticket)
        text = pack(envelope)
        size = len(text)
        if decoy:
            text = " " * size
        if self._problem is not None or not (forced or self._room(book, size)):
            self._metrics.spooled("refused").inc()
            return None
        self._number += 1
        row = (ticket.number, route_of(envelope), partner, ticket.since, size, text)
        self._batch.taken.append(Taken(row, envelope, received, decoy, pair, pair.facts if pair is not None else None))
        self._count(book, 1, size)
        self._flush_soon(0.0)
        return self._batch.promise

    def _room(self, book: Book, size: int) -> bool:
        terms = self.terms
        return (
            book.count < terms.messages
            and book.bytes + size <= terms.bytes
            and self.bytes + size <= terms.total_bytes
            and len(self._batch.taken) < MOST_UNWRITTEN
        )

    def _count(self, book: Book, count: int, size: int) -> None:
        book.count += count
        book.bytes += size
        self.bytes += size

    def _flush_soon(self, seconds: float) -> None:
        if self._flight is not None or self._closed:
            return
        if self._call is not None and self._call.active():
            if seconds or self._call.getTime() <= self._reactor.seconds():
                return
            self._call.cancel()
        self._call = self._reactor.callLater(seconds, self._flush)

    def _flush(self) -> None:
        """Sends everything to the disk that has come since the last commit, and takes away what has ended since."""
        self._call = None
        if self._flight is not None:
            return
        batch, self._batch = self._batch, Batch()
        batch.removed, self._gone = self._gone, set()
        if not (batch.taken or batch.removed):
            return
        self._flight, self._dirty = batch, True
        written = self._store.change([taken.row for taken in batch.taken], batch.removed)
        written.addCallbacks(self._written, self._failed, callbackArgs=(batch,), errbackArgs=(batch,))
        written.addErrback(lambda failure: log.failure("what was spooled could not be handed on", failure))

    def _written(self, _: object, batch: Batch) -> None:
        self._flight = None
        self._go_on()
        self._metrics.spooled("written").inc(len(batch.taken))
        if batch.taken:
            self._written_through = batch.taken[-1].row[0]
        batch.promise.settle(True)
        for taken in batch.taken:
            try:
                self._release(taken)
            except Exception:  # noqa: BLE001 one bad envelope hurts one envelope, whose sender is told
                self._fault(taken.envelope)

    def _failed(self, failure: Failure, batch: Batch) -> None:
        self._flight = None
        self._problem = failure.getErrorMessage()
        log.error("no message is taken while the spool is not written", detail=StoreError(self._problem))
        self._gone |= batch.removed
        for taken in batch.taken:
            self._count(self._books[taken.row[2]], -1, -taken.row[4])
            self._metrics.spooled("refused").inc()
            try:
                self.refuse(taken.received, Problem.RESOURCE_CONSTRAINT)
            except Exception:  # noqa: BLE001 the others are refused all the same
                log.failure("a sender could not be told")
                self._metrics.errors().inc()
        batch.promise.settle(False)
        self._go_on()

    def _go_on(self) -> None:
        if self._batch.taken:
            self._flush_soon(0.0)
        elif self._gone:
            self._flush_soon(TIDY_SECONDS if len(self._gone) < MOST_UNTIDY else 0.0)

    # -- out -------------------------------------------------------------------------------------------------------

    def _release(self, taken: Taken) -> None:
        """Hands a message to its leg, unless others of its route wait before it."""
        number, name, partner, since, size, _ = taken.row
        route = self._route(name)
        if taken.decoy:
            self._begin(number, route, partner, size)
            self.done(Ticket(number, since))
            return
        waits = route.behind or route.out >= MOST_OUT or route.rests_until is not None
        dead = route.dead(self._reactor.seconds() - self.dead_seconds)
        if self._closed or (waits and not dead):
            route.behind += 1
            return
        self._begin(number, route, partner, size)
        if dead:
            self.expired(taken.envelope, Problem.REMOTE_SERVER_TIMEOUT)
            return
        unchanged = taken.pair is None or taken.pair.facts is taken.facts
        envelope = taken.envelope if unchanged else self.reconsider(taken.envelope)
        if envelope is not None:
            self.deliver(envelope)

    def _route(self, name: str) -> Route:
        return self._routes.get(name) or self._routes.setdefault(name, Route(name))

    def _begin(self, number: int, route: Route, partner: str, size: int) -> None:
        route.out += 1
        route.after = max(route.after, number)
        self._open[number] = Open(route, self._books[partner], size)

    def begin(self) -> None:
        """Hands on what was kept from before the start."""
        for route in list(self._routes.values()):
            self._pull(route)

    def _pull(self, route: Route) -> None:
        """Reads more of what is on the disk only, and hands it on, each decided about once more."""
        if not route.behind or self._closed or route.out >= MOST_OUT:
            return
        while rows := self._store.after(route.name, route.after, self._written_through, MOST_OUT - route.out):
            flying = self._flight.removed if self._flight is not None else frozenset()
            for row in rows:
                if route.out >= MOST_OUT or route.rests_until is not None:
                    return
                number = row[0]
                route.after = max(route.after, number)
                if number not in self._open and number not in self._gone and number not in flying:
                    route.behind -= 1
                    self._begin(number, route, row[2], row[4])
                    self._hand_on(row)
        route.behind = 0

    def _hand_on(self, row: Row) -> None:
        ticket = Ticket(row[0], row[3])
        if row[5].isspace():
            self.done(ticket)  # a decoy from before a crash
            return
        try:
            stored = unpack(row[5], ticket)
        except StoreError as problem:
            log.error("an entry of the spool is lost", detail=problem)  # noqa: TRY400 the text names what is wrong
            self.done(ticket)
            return
        if self._now() - ticket.since > self.terms.seconds:
            self.expired(stored, Problem.REMOTE_SERVER_TIMEOUT)
            return
        try:
            envelope = self.reconsider(stored)
            if envelope is not None:
                self.deliver(stamped(envelope, ticket.since, self._now()))
        except Exception:  # noqa: BLE001 one bad envelope hurts one envelope, whose sender is told
            self._fault(stored)

    def _fault(self, envelope: Envelope) -> None:
        log.failure("a message could not be handed on")
        self._metrics.errors().inc()
        try:
            self.expired(envelope, Problem.INTERNAL_SERVER_ERROR)
        except Exception:  # noqa: BLE001 it comes again after a start
            log.failure("a sender could not be told")

    # -- the end ---------------------------------------------------------------------------------------------------

    def done(self, ticket: Ticket) -> bool:
        """Takes note that a message has come to its end; False when it had before."""
        entry = self._open.pop(ticket.number, None)
        if entry is None:
            return False
        self._count(entry.book, -1, -entry.size)
        self._gone.add(ticket.number)
        route = entry.route
        route.out -= 1
        if route.behind and route.out <= MOST_OUT // 2 and route.rests_until is None:
            self._reactor.callLater(0, self._pull, route)
        self._flush_soon(TIDY_SECONDS if len(self._gone) < MOST_UNTIDY else 0.0)
        return True

    def delivered(self, ticket: Ticket) -> Promise | None:
        """Takes note that the other side has confirmed a message; the promise is kept once the disk knows that."""
        entry = self._open.get(ticket.number)
        if entry is not None:
            entry.route.failures, entry.route.failed_at = 0, None
            self.done(ticket)
            self._metrics.spooled("delivered").inc()
            return self._batch.promise
        return None

    def take_up(self, row: Row) -> Promise | None:
        """Takes a message that only waits out of its turn, for `done`: the promise is kept when the disk knows that."""
        number, name, partner, _, size, _ = row
        flying = self._flight.removed if self._flight is not None else frozenset()
        gone = number in self._open or number in self._gone or number in flying or number > self._written_through
        if gone or not self._store.after(name, number - 1, number, 1):
            return None
        route = self._route(name)
        after = route.after
        self._begin(number, route, partner, size)
        route.after, route.behind = after, route.behind - 1
        return self._batch.promise

    def postponed(self, ticket: Ticket) -> None:
        """Takes a message back that could not be delivered now: its route rests, longer with each failure."""
        entry = self._open.pop(ticket.number, None)
        if entry is None:
            return
        route = entry.route
        route.out -= 1
        route.behind += 1
        route.after = min(route.after, ticket.number - 1)
        if route.rests_until is None:
            seconds = min(MOST_REST_SECONDS, REST_SECONDS * 2 ** min(route.failures, 16))
            route.failures += 1
            route.failed_at = self._reactor.seconds() if route.failed_at is None else route.failed_at
            self.resting += 1
            route.rests_until = self._reactor.seconds() + seconds * (0.5 + 0.5 * random.random())

    def wake(self, domain: str) -> None:
        """Ends the rest of all routes to a domain, which has shown that it is there."""
        for route in list(self._routes.values()):
            if route.rests_until is not None and route.name.rpartition(" ")[2] == domain:
                route.rests_until = 0.0

    # -- what time brings ------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Looks once a second after the disk, and after the routes that rest."""
        now = self._reactor.seconds()
        problem = self._store.check() or self._too_full()
        if problem is not None and self._problem is None:
            log.error("no message is taken while the spool is not written", detail=StoreError(problem))
        elif problem is None and self._problem is not None and self._flight is None:
            log.info("spool is written again", count=len(self))
        self._problem = problem
        for route in list(self._routes.values()):
            if route.rests_until is not None and route.rests_until <= now:
                route.rests_until = None
                self.resting -= 1
            if route.rests_until is None and route.out <= MOST_OUT // 2:
                self._pull(route)
            if not (route.out or route.behind):
                del self._routes[route.name]
        for partner in [name for name, book in self._books.items() if not book.count]:
            if not any(taken.row[2] == partner for taken in self._batch.taken):
                del self._books[partner]
        if self._dirty and not len(self) and self._flight is None and now - self._swept_at > SWEEP_SECONDS:
            self._swept_at, self._dirty = now, False
            self._store.sweep()

    def _too_full(self) -> str | None:
        spare = self._store.spare()
        return f"only {spare // 1024} KiB are free" if spare < self.terms.free_bytes else None

    def check(self) -> str | None:
        """Says why no message is taken, or None."""
        return self._problem

    def measure(self, partners: Iterable[str]) -> None:
        """Writes the gauges."""
        for name in partners:
            book = self._books.get(name) or Book()
            self._metrics.spool_messages(name).set(book.count)
            self._metrics.spool_bytes(name).set(book.bytes)
        self._metrics.spool_up().set(self._problem is None)

    async def close(self) -> None:
        """Writes what waits and closes the store; what has not come to its end goes on after the next start."""
        self._closed = True
        if self._call is not None and self._call.active():
            self._call.cancel()
        if self._flight is None:
            self._flush()
        while self._flight is not None:
            promise = self._flight.promise
            await settled(promise)
            if self._flight is None:
                self._flush()
        await self._store.close()


def lasting(envelope: Envelope) -> bool:
    """Says whether something is kept until it has come to its end: a text, or the word that one did not arrive."""
    content = envelope.content
    return content.has_text if isinstance(content, Message) else isinstance(content, Bounce) and content.of == "message"
