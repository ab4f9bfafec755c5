"""Which sides have something to say: each takes one turn for everything that one read has brought about."""

from typing import Any, Protocol

from gateway.transport.slots import next_slot


class Turning(Protocol):
    """Is a side."""

    @property
    def slotted(self) -> bool:
        """Says whether partners are there, who must not learn how long an answer took to find."""

    def turn(self) -> None:
        """Sends what is due."""


class Turns:
    """Gathers sides while a read is being worked off; outside of one they turn in the reactor's next round.

    What a partner's own words bring about for partners leaves at the end of a slot: blocked, absent and unknown people
    are answered in the same bytes, and the time must not tell them apart either.
    """

    __slots__ = ("_due", "_held", "_later", "_reactor", "_reading", "_slot", "answering")

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._due: dict[Turning, None] = {}
        self._held: dict[Turning, None] = {}
        self._later: Any = None
        self._slot: Any = None
        self._reading = False
        self.answering = False
        """True while a read is worked off in which a partner asks something."""

    def mark(self, side: Turning) -> None:
        """Takes note that a side has something to send."""
        self._due[side] = None
        if not self._reading and self._later is None:
            self._later = self._reactor.callLater(0, self._take_later)

    def begin(self) -> None:
        """Takes note that what one read has brought is worked off now."""
        self._reading = True

    def end(self) -> None:
        """Lets every marked side turn; what that leads to on another side is sent as well."""
        self._reading = True
        try:
            while self._due:
                side = next(iter(self._due))
                del self._due[side]
                if self.answering and side.slotted:
                    self._hold(side)
                else:
                    side.turn()
        finally:
            self._reading = self.answering = False

    def _hold(self, side: Turning) -> None:
        self._held[side] = None
        if self._slot is None:
            now = self._reactor.seconds()
            self._slot = self._reactor.callLater(next_slot(now) - now, self._release)

    def _release(self) -> None:
        """Lets those turn that have waited for the end of the slot."""
        self._slot, held, self._held = None, self._held, {}
        self._due.update(held)
        self.end()

    def _take_later(self) -> None:
        self._later = None
        self.end()
