"""Which sides have something to say: each takes one turn for everything that one read has brought about."""

from typing import Any, Protocol


class Turning(Protocol):
    """Is a side."""

    def turn(self) -> None:
        """Sends what is due."""


class Turns:
    """Gathers sides while a read is being worked off; outside of one they turn in the reactor's next round."""

    __slots__ = ("_due", "_later", "_reactor", "_reading")

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._due: dict[Turning, None] = {}
        self._later: Any = None
        self._reading = False

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
                side.turn()
        finally:
            self._reading = False

    def _take_later(self) -> None:
        self._later = None
        self.end()
