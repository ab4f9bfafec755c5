"""Lets events that come thick gather for a few milliseconds, as network cards do with interrupts.

Waking up costs more than a stanza: an idle core, cold caches, one poll, one read, one write. At some hundred stanzas a
second nearly each of them comes alone, and what it costs is the waking. So above a rate the reactor is not asked for
news more often than once per `GATHER_SECONDS`, and what came meanwhile shares one round. Below it nothing is held, and
what another thread has finished, like a commit, ends the wait: somebody has waited for that already.
"""

import select
import time
from collections.abc import Callable
from typing import Any

from attrs import define, field

GATHER_SECONDS = 0.01
"""Seconds between two rounds of the reactor under load: the most that one event is held."""
FREE_ROUNDS_PER_SECOND = 50.0
FREE_ROUNDS = 20.0
"""Rounds that may follow each other at once, after quiet."""


@define
class Moderation:
    """Stands before the reactor's poll: says how long it has to wait for company."""

    _free: float = FREE_ROUNDS
    _before: float = field(default=0.0)

    def rest(self, now: float, timeout: float | None) -> float:
        """Gives the seconds to sleep before the poll at `now`, which would wait for `timeout` seconds (None: for ever).

        A poll that does not wait (0) belongs to work that is under way: it is neither held nor counted.
        """
        if timeout is not None and timeout <= 0:
            return 0.0
        passed = max(0.0, now - self._before)
        self._before = now
        self._free = min(FREE_ROUNDS, self._free + passed * FREE_ROUNDS_PER_SECOND) - 1.0
        if self._free >= 0.0:
            return 0.0
        self._free = max(self._free, -1.0)
        rest = max(0.0, GATHER_SECONDS - passed)
        self._before += rest
        return rest if timeout is None else min(rest, timeout)


def moderate(
    reactor: Any, now: Callable[[], float] = time.monotonic, sleep: Callable[[float], object] | None = None
) -> None:
    """Puts a moderation before the poll of a Twisted reactor (`doIteration`), for as long as it lives."""
    poll, moderation = reactor.doIteration, Moderation()
    sleep = sleep or _until_woken(reactor)

    def gathered(timeout: float | None) -> None:
        rest = moderation.rest(now(), timeout)
        if rest > 0.0:
            sleep(rest)
            timeout = None if timeout is None else timeout - rest
        poll(timeout)

    reactor.doIteration = gathered


def _until_woken(reactor: Any) -> Callable[[float], object]:
    """Gives a sleep that ends when another thread calls the reactor, of which `waker` can then be read."""
    waker = getattr(reactor, "waker", None)
    if waker is None:
        return time.sleep
    poll = select.poll()  # unlike select, it takes descriptors above 1,024
    poll.register(waker.fileno(), select.POLLIN)
    return lambda seconds: poll.poll(seconds * 1000)
