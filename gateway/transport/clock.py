"""The reactor as this room sees it, and its clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol


class DelayedCall(Protocol):
    """One timer that has not fired yet."""

    def cancel(self) -> None:
        """Stops the timer; raises if it fired already."""

    def active(self) -> bool:
        """Says whether the timer is still to fire."""


class Reactor(Protocol):
    """What sockets and timers need of a Twisted reactor (IReactorFDSet and IReactorTime)."""

    def seconds(self) -> float:
        """Returns the reactor's time in seconds."""

    def callLater(self, delay: float, call: Callable[..., object], /, *args: Any) -> DelayedCall:
        """Calls `call` after `delay` seconds."""

    def addReader(self, reader: Any) -> None:
        """Calls `reader.doRead` when its descriptor is readable."""

    def removeReader(self, reader: Any) -> None:
        """Stops `addReader`."""

    def addWriter(self, writer: Any) -> None:
        """Calls `writer.doWrite` when its descriptor is writable."""

    def removeWriter(self, writer: Any) -> None:
        """Stops `addWriter`."""


def use_monotonic_time(reactor: Any) -> None:
    """Makes the reactor's timers follow the monotonic clock; must be called before the first timer is set.

    Twisted's default is the wall clock, where a step of the system time freezes or fires every pending timer.
    """
    reactor.seconds = time.monotonic
