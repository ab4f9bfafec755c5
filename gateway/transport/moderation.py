"""Lets events that come thick gather for a few milliseconds, as network cards do with interrupts.

Waking up costs more than a stanza: an idle core, cold caches, one poll, one read, one write. At some hundred stanzas a
second nearly each of them comes alone, and what it costs is the waking. So above a rate the reactor asks its sockets
for news no more often than once per `GATHER_SECONDS`, and what came meanwhile shares one round. Below it nothing waits.
What is due or under way goes on meanwhile, and so does what another thread has finished, like a commit: none of that
looks at a socket, and what is written leaves at once.
"""

import select
import time
from collections.abc import Callable
from typing import Any

from attrs import define, field

from gateway.transport.stalls import Stalls

GATHER_SECONDS = 0.01
"""Seconds between two looks at the sockets under load: the most that one event is held."""
FREE_ROUNDS_PER_SECOND = 50.0
FREE_ROUNDS = 20.0
"""Looks that may follow each other at once, after quiet."""


@define
class Moderation:
    """Says when the sockets may be asked next; times are seconds of one clock that never steps back."""

    _free: float = FREE_ROUNDS
    _before: float = field(default=0.0)
    _next: float = field(default=0.0)

    def held(self, now: float) -> float:
        """Gives the seconds for which the sockets are not to be asked yet."""
        return max(0.0, self._next - now)

    def asked(self, now: float, waits: bool) -> None:
        """Takes note that they are asked; one that does not wait belongs to work under way, uncounted."""
        if waits:
            passed, self._before = max(0.0, now - self._before), now
            self._free = max(min(FREE_ROUNDS, self._free + passed * FREE_ROUNDS_PER_SECOND) - 1.0, -1.0)
        if self._free < 0.0:
            self._next = now + GATHER_SECONDS


def moderate(
    reactor: Any,
    stalls: Stalls | None = None,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] | None = None,
) -> None:
    """Puts a moderation before the poll of a Twisted reactor (`doIteration`), for as long as it lives.

    A round that is held sleeps until the sockets may be asked, a call is due or another thread has news. `stalls`
    learns when a round is over and when the next one begins.
    """
    poll, moderation = reactor.doIteration, Moderation()
    sleep = sleep or _until_woken(reactor)

    def gathered(timeout: float | None) -> None:
        if stalls is not None:
            stalls.pause()
        held(timeout)
        if stalls is not None:
            stalls.awake()

    def held(timeout: float | None) -> None:
        waits = timeout is None or timeout > 0
        rest = moderation.held(now())
        if rest > 0.0:
            if waits:
                sleep(rest if timeout is None else min(rest, timeout))
            return
        moderation.asked(now(), waits)
        poll(timeout)

    reactor.doIteration = gathered


def _until_woken(reactor: Any) -> Callable[[float], object]:
    """Gives a sleep that ends when another thread calls the reactor, whose calls are then carried out."""
    waker = getattr(reactor, "waker", None)
    if waker is None:
        return time.sleep
    waiting = select.poll()  # unlike select, it takes descriptors above 1,024
    waiting.register(waker.fileno(), select.POLLIN)

    def sleep(seconds: float) -> None:
        if waiting.poll(seconds * 1000):
            waker.doRead()

    return sleep
