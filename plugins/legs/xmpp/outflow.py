"""Which connections have something to say: each writes once for everything that one read has brought about."""

from typing import Any, Protocol

from gateway.transport.slots import next_slot


class Flushable(Protocol):
    """Is a connection."""

    @property
    def slotted(self) -> bool:
        """Says whether a partner is at its other end, who must not learn how long an answer took to find."""

    def flush(self) -> None:
        """Writes what waits, in one piece."""


class Outflow:
    """Gathers connections while a read is being worked off; outside of one it flushes in the reactor's next turn.

    What a partner's own words bring about for partners leaves at the end of a slot: blocked, absent and unknown people
    are answered in the same bytes, and the time must not tell them apart either.
    """

    __slots__ = ("_dirty", "_held", "_later", "_reactor", "_slot", "answering", "reading")

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._dirty: set[Flushable] = set()
        self._later: Any = None
        self.reading = False
        """True while a read is being worked off, whose end flushes."""
        self.answering = False
        """True while that read is of a partner."""
        self._held: set[Flushable] = set()
        self._slot: Any = None

    def mark(self, connection: Flushable) -> None:
        """Takes note that a connection has something to say."""
        self._dirty.add(connection)
        if not self.reading and self._later is None:
            self._later = self._reactor.callLater(0, self._flush_later)

    def forget(self, connection: Flushable) -> None:
        """Takes note that a connection has ended."""
        self._dirty.discard(connection)
        self._held.discard(connection)

    def flush(self) -> None:
        """Lets every marked connection write; after the read of a partner, those to partners when the slot ends."""
        self.reading = False
        if self.answering:
            self.answering = False
            held = {connection for connection in self._dirty if connection.slotted}
            self._dirty -= held
            self._held |= held
            if held and self._slot is None:
                now = self._reactor.seconds()
                self._slot = self._reactor.callLater(next_slot(now) - now, self.release)
        while self._dirty:
            self._dirty.pop().flush()

    def release(self) -> None:
        """Lets write what waits for the end of the slot."""
        if self._slot is not None and self._slot.active():
            self._slot.cancel()
        self._slot, held, self._held = None, self._held, set()
        for connection in held:
            connection.flush()

    def _flush_later(self) -> None:
        self._later = None
        self.flush()
