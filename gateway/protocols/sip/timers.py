"""The timers of transactions, in seconds (RFC 3261 table 4, RFC 6026, RFC 4320), and a clock-less alarm."""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

T1: Final = 0.5
"""The estimated round trip, and the first retransmission."""
T2: Final = 4.0
"""The longest time between retransmissions of what is not an INVITE, and of responses."""
T4: Final = 5.0
"""How long a message may stay in the network."""
TRANSACTION: Final = 64 * T1
"""Timers B, D, F, H, J, L, M and N."""
TRYING_INVITE: Final = 0.2
"""When an INVITE is answered 100 unless it has been answered otherwise."""
TRYING_OTHER: Final = 3.5
"""When anything else is answered 100: Timer E has reached T2 by then (RFC 4320 section 4.1)."""
PROCEEDING: Final = 180.0
"""The longest time that an INVITE may ring (Timer C)."""

K = TypeVar("K", bound=Hashable)


class Alarms(Generic[K]):
    """Keeps at most one time per key; setting one again replaces it, and nothing is searched for."""

    def __init__(self) -> None:
        self._times: dict[K, tuple[float, int]] = {}
        """When each key wakes, and a number: what is due at one moment goes in the order of setting."""
        self._heap: list[tuple[float, int, K]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._times)

    def set(self, key: K, when: float | None) -> None:
        """Wakes this key at that time, and no more at another; None stands for never."""
        if when is None:
            self._times.pop(key, None)
            return
        known = self._times.get(key)
        if known is not None and known[0] == when:
            return
        self._count += 1
        self._times[key] = (when, self._count)
        heapq.heappush(self._heap, (when, self._count, key))
        if len(self._heap) > 64 and len(self._heap) > 4 * len(self._times):
            self._rebuild()

    def next(self) -> float | None:
        """Gives the earliest time set."""
        heap = self._heap
        while heap and self._times.get(heap[0][2]) != heap[0][:2]:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def due(self, now: float) -> K | None:
        """Takes one key whose time has come, or gives None."""
        when = self.next()
        if when is None or when > now:
            return None
        key = heapq.heappop(self._heap)[2]
        del self._times[key]
        return key

    def _rebuild(self) -> None:
        """Drops what was replaced, so that the heap stays in proportion to the keys."""
        self._heap = [(*when, key) for key, when in self._times.items()]
        heapq.heapify(self._heap)
