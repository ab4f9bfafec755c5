"""One writer thread of a database: writes that wait are committed together."""

from collections.abc import Callable, Iterable, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Protocol

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger

from gateway.errors import StoreError

Statement = tuple[str, Sequence[Any]]
"""An SQL statement and its parameters."""

GROUP = 1000
"""Writes that one commit takes at most, so that the first of them does not wait for ever."""

_log = Logger()


class Reactor(Protocol):
    """What the writer thread needs of a Twisted reactor (IReactorFromThreads)."""

    def callFromThread(self, call: Callable[..., Any], *args: Any) -> object:
        """Calls `call` in the reactor's thread."""


@frozen(eq=False)
class Write:
    """Is one unit of work: all of its statements or none."""

    statements: tuple[Statement, ...]
    done: "Deferred[None]" = field(factory=Deferred)


Outcome = tuple[Write, str | None]
"""A write, and why it was not carried out."""


class Session(Protocol):
    """Is a connection of the writer thread."""

    def commit(self, group: Sequence[Write]) -> tuple[list[Outcome], str | None]:
        """Commits a group; gives the outcome of each write, and why the group as a whole failed."""

    @property
    def usable(self) -> bool:
        """Says whether another group can be committed on it."""

    def close(self) -> None:
        """Closes the connection."""


@define(eq=False)
class Writer:
    """Carries writes to a database; every method belongs to the reactor's thread."""

    name: str
    """As messages name the database."""
    _reactor: Reactor
    _connect: Callable[[], Session]
    """Called in the writer's thread; raises StoreError."""
    commits: int = field(init=False, default=0)
    failure: str | None = field(init=False, default=None)
    """Why the last group was not committed."""
    closed: bool = field(init=False, default=False)
    _queue: "SimpleQueue[Write | None]" = field(init=False, factory=SimpleQueue)
    _thread: Thread = field(init=False, repr=False)
    _finished: "Deferred[None]" = field(init=False, factory=Deferred)

    def __attrs_post_init__(self) -> None:
        # A daemon thread: a process that dies without close() must not hang, and nobody was told that its writes stand.
        self._thread = Thread(target=self._run, name="store", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Says whether writes are carried out."""
        return not self.closed and self._thread.is_alive()

    def put(self, statements: Iterable[Statement]) -> "Deferred[None]":
        """Carries out all statements or none; the Deferred fires after the commit, or fails with StoreError."""
        if self.closed:
            return fail(StoreError(f"{self.name} is closed"))
        write = Write(tuple(statements))
        self._queue.put(write)
        return write.done

    def close(self) -> "Deferred[None]":
        """Commits what waits, then closes; may be called once."""
        self.closed = True
        self._queue.put(None)
        return self._finished

    def _settle(self, outcomes: Sequence[Outcome], failure: str | None) -> None:
        """Tells the writers, in the reactor's thread."""
        if failure is None:
            self.commits += 1
        elif self.failure is None:
            _log.error("the store fails: {failure}", failure=failure)
        self.failure = failure
        for write, problem in outcomes:
            if problem is None:
                write.done.callback(None)
            else:
                write.done.errback(StoreError(problem))

    # -- the writer thread ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        session: Session | None = None
        running = True
        while running:
            group, running = self._next_group()
            if not group:
                continue
            try:
                session = session or self._connect()
                outcomes, failure = session.commit(group)
            except StoreError as problem:
                failure = str(problem)
                outcomes = [(write, failure) for write in group]
            if session is not None and not session.usable:
                session.close()
                session = None
            self._reactor.callFromThread(self._settle, outcomes, failure)
        if session is not None:
            session.close()
        self._reactor.callFromThread(self._finished.callback, None)

    def _next_group(self) -> tuple[list[Write], bool]:
        """Waits for a write and takes all that stand behind it; False when the end was among them."""
        group: list[Write] = []
        entry = self._queue.get()
        while entry is not None:
            group.append(entry)
            if len(group) == GROUP:
                return group, True
            try:
                entry = self._queue.get_nowait()
            except Empty:
                return group, True
        return group, False
