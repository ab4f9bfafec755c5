"""Adds entries to a chain on a disk: one commit at a time with all that came meanwhile, each with a promise."""

from collections import deque
from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from gateway.errors import LedgerError
from gateway.interfaces import Promise
from gateway.log import Log
from gateway.model.chain import Anchor
from gateway.store.database import Statement

log = Log("journal")

BATCH = 500
"""Entries that go to the disk together at most: as many are chained in one turn of the reactor."""
MOST_WAITING = 20_000
"""Entries that may wait for the disk; beyond that nothing is recorded."""
STALL_SECONDS = 5.0
"""How long the disk may take; what waits longer counts as not recorded."""

_Entry = TypeVar("_Entry")
_RowOf = TypeVar("_RowOf", contravariant=True)
_Row = TypeVar("_Row")
_EntryOf = TypeVar("_EntryOf", contravariant=True)


class Volume(Protocol[_RowOf]):
    """Is where rows are kept."""

    def head(self) -> Anchor:
        """Gives the newest entry's number and link."""

    def append(self, rows: Sequence[_RowOf], changes: Sequence[Statement] = ()) -> "Deferred[None]":
        """Carries out changes and adds entries, all or none; the Deferred fires when they are on the disk."""

    def check(self) -> str | None:
        """Says why nothing can be written, or None."""


class Author(Protocol[_EntryOf, _Row]):
    """Is whose journal it is."""

    def chained(self, entries: Sequence[_EntryOf], head: Anchor) -> tuple[list[_Row], Anchor]:
        """Gives the rows of entries that follow a head, and the head after them."""

    def written(self, entries: Sequence[_EntryOf], first: int) -> None:
        """Takes note that entries are on the disk; `first` is the number of the first of them."""

    def failed(self, count: int) -> None:
        """Takes note that so many entries are not recorded."""

    def closed(self, problem: str) -> None:
        """Takes note that nothing can be recorded."""

    def opened(self) -> None:
        """Takes note that entries are recorded again."""


@define(eq=False)
class _Batch(Generic[_Entry]):
    """Is what goes to the disk in one commit."""

    changes: tuple[Statement, ...] = ()
    entries: list[_Entry] = field(factory=list)
    promise: Promise = field(factory=Promise)
    sent_at: float | None = None


@define(eq=False)
class Journal(Generic[_Entry, _Row]):
    """Keeps entries in order. While nothing can be written it refuses them, and looks every second whether it can.

    The reactor's seconds never step back. Everything belongs to the reactor's thread.
    """

    name: str
    """What it is, in error messages: `ledger`."""
    _volume: Volume[_Row]
    _author: Author[_Entry, _Row]
    _reactor: Any
    _apart: float = 0.0
    """Seconds from the beginning of one commit to that of the next at least: each costs as much as several entries."""
    _sent_at: float = field(init=False, default=0.0)
    _head: Anchor = field(init=False)
    _batches: deque[_Batch[_Entry]] = field(init=False, factory=deque)
    _waiting: int = field(init=False, default=0)
    _flight: _Batch[_Entry] | None = field(init=False, default=None)
    _called: bool = field(init=False, default=False)
    _problem: str | None = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self._head = self._volume.head()

    @property
    def head(self) -> Anchor:
        """Gives the newest entry that is on the disk."""
        return self._head

    @property
    def problem(self) -> str | None:
        """Says why nothing is recorded, or None."""
        return self._problem

    @property
    def waiting(self) -> int:
        """Says how many entries are not on the disk yet."""
        return self._waiting

    @property
    def lag(self) -> float:
        """Gives the seconds since which a commit is under way."""
        sent_at = self._flight.sent_at if self._flight is not None else None
        return 0.0 if sent_at is None else max(0.0, self._reactor.seconds() - sent_at)

    @property
    def newest(self) -> Promise | None:
        """Gives the promise of the newest entry that is not on the disk yet; None when all are."""
        last = self._batches[-1] if self._batches else self._flight
        return last.promise if last is not None else None

    def add(self, entry: _Entry, changes: tuple[Statement, ...] = ()) -> Promise:
        """Takes one entry, and what changes together with it; raises LedgerError while nothing can be written."""
        if self._problem is None and self._waiting >= MOST_WAITING:
            self.close(f"{self._waiting} entries wait for the disk")
        if self._problem is not None:
            self._author.failed(1)
            raise LedgerError(f"the {self.name} cannot be written: {self._problem}")
        if changes or not self._batches or len(self._batches[-1].entries) >= BATCH or self._batches[-1].changes:
            self._batches.append(_Batch(changes))
        batch = self._batches[-1]
        batch.entries.append(entry)
        self._waiting += 1
        if not self._called and self._flight is None:
            self._call()
        return batch.promise

    def tick(self) -> None:
        """Looks once a second whether the disk still takes entries, or takes them again."""
        if self._flight is not None and self.lag > STALL_SECONDS:
            self.close("the disk does not answer")
            self._flight.promise.settle(False)
        problem = self._volume.check()
        if problem is not None:
            self.close(problem)
        elif self._problem is not None and self._flight is None:
            # A commit that failed may yet have been carried out: the disk knows.
            self._head = self._volume.head()
            self._problem = None
            self._author.opened()

    def close(self, problem: str) -> None:
        """Stops recording until the disk is well again, and says of all that waits that it is not recorded."""
        self._close(problem, None)

    async def finish(self) -> None:
        """Writes what waits."""
        if self._problem is None and self._flight is None:
            self._flush()
        newest = self.newest
        if newest is not None:
            known: Deferred[bool] = Deferred()
            newest.then(known.callback)
            await known

    def _call(self) -> None:
        self._called = True
        self._reactor.callLater(max(0.0, self._sent_at + self._apart - self._reactor.seconds()), self._flush)

    def _flush(self) -> None:
        """Sends the next batch to the disk: all that came in since the last one."""
        self._called = False
        if self._flight is not None or not self._batches or self._problem is not None:
            return
        batch = self._flight = self._batches.popleft()
        batch.sent_at = self._sent_at = self._reactor.seconds()
        try:
            rows, head = self._author.chained(batch.entries, self._head)
        except Exception:  # noqa: BLE001 what cannot be written down is not recorded, whatever the reason
            log.failure("what was to be recorded cannot be")
            self._lost("it cannot be written down: the log says why", batch)
            return
        written = self._volume.append(rows, batch.changes)
        written.addCallbacks(self._written, self._failed, callbackArgs=(batch, head), errbackArgs=(batch,))
        written.addErrback(lambda failure: log.failure("what was recorded could not be let go", failure))

    def _written(self, _: object, batch: _Batch[_Entry], head: Anchor) -> None:
        first = self._head.seq + 1
        self._head, self._flight = head, None
        self._waiting -= len(batch.entries)
        self._author.written(batch.entries, first)
        if self._batches and self._problem is None:
            self._call()
        batch.promise.settle(True)

    def _failed(self, failure: Failure, batch: _Batch[_Entry]) -> None:
        self._lost(failure.getErrorMessage(), batch)

    def _lost(self, problem: str, batch: _Batch[_Entry]) -> None:
        self._flight = None
        self._waiting -= len(batch.entries)
        self._close(problem, batch)

    def _close(self, problem: str, failed: _Batch[_Entry] | None) -> None:
        self._problem = problem
        self._author.closed(problem)
        batches, self._batches = [*([failed] if failed else []), *self._batches], deque()
        self._waiting = len(self._flight.entries) if self._flight is not None else 0
        for batch in batches:
            self._author.failed(len(batch.entries))
            batch.promise.settle(False)
