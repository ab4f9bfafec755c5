"""Which connections have something to say: each writes once for everything that one read has brought about."""

from typing import Any, Protocol


class Flushable(Protocol):
    """Is a connection."""

    def flush(self) -> None:
        """Writes what waits, in one piece."""


class Outflow:
    """Gathers connections while a read is being worked off; outside of one it flushes in the reactor's next turn."""

    __slots__ = ("_dirty", "_later", "_reactor", "reading")

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._dirty: set[Flushable] = set()
        self._later: Any = None
        self.reading = False
        """True while a read is being worked off, whose end flushes."""

    def mark(self, connection: Flushable) -> None:
        """Takes note that a connection has something to say."""
        self._dirty.add(connection)
        if not self.reading and self._later is None:
            self._later = self._reactor.callLater(0, self._flush_later)

    def forget(self, connection: Flushable) -> None:
        """Takes note that a connection has ended."""
        self._dirty.discard(connection)

    def flush(self) -> None:
        """Lets every marked connection write."""
        self.reading = False
        while self._dirty:
            self._dirty.pop().flush()

    def _flush_later(self) -> None:
        self._later = None
        self.flush()
