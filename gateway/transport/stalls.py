"""Watches for rounds of the reactor that take too long: while one lasts nothing is read, sent or answered."""

import time
from collections.abc import Callable
from typing import Any

STALL_SECONDS = 0.02
"""A round that takes longer is a stall."""


class Stalls:
    """Measures from each time that the reactor wakes up to when it is about to wait again; `felt` gets seconds."""

    def __init__(self, felt: Callable[[float], object], now: Callable[[], float] = time.monotonic) -> None:
        self._felt = felt
        self._now = now
        self._awake: float | None = None

    def watch(self, reactor: Any) -> None:
        """Has the reactor's poll say when it has returned; of one that has no `_poller`, sockets are not measured."""
        poller = getattr(reactor, "_poller", None)
        if poller is not None:
            reactor._poller = _Poller(poller, self)

    def pause(self) -> None:
        """Takes note that a round is over."""
        moment = self._now()
        if self._awake is not None and moment - self._awake > STALL_SECONDS:
            self._felt(moment - self._awake)
        self._awake = None

    def awake(self) -> None:
        """Takes note that work begins, or goes on."""
        if self._awake is None:
            self._awake = self._now()


class _Poller:
    """Is the reactor's poller, beside a watch."""

    def __init__(self, poller: Any, stalls: Stalls) -> None:
        self._poller = poller
        self._stalls = stalls

    def poll(self, *limits: Any) -> Any:
        found = self._poller.poll(*limits)
        self._stalls.awake()
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._poller, name)
