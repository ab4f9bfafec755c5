"""Free and busy times as timed status (RFC 4481): what is not free, from the next quarter of an hour on."""

from collections.abc import Iterator
from typing import Final

from gateway.model.presence import SLOT_SECONDS, FreeBusy, Slot
from gateway.protocols.datetimes import write_datetime

MAX_TIMES: Final = 64
_WORDS: Final = {Slot.TENTATIVE: "appointment", Slot.BUSY: "busy", Slot.OUT_OF_OFFICE: "away"}
"""RPID activities (RFC 4480 section 3.2)."""


def write_timed(times: FreeBusy, now: float) -> str:
    """Writes the intervals that are wholly in the future: an interval around the present is not allowed."""
    soon = (int(now) // SLOT_SECONDS + 1) * SLOT_SECONDS
    out: list[str] = []
    for slot, begin, end in _runs(times):
        if end > soon and slot in _WORDS and len(out) < MAX_TIMES:
            span = f"from='{write_datetime(max(begin, soon))}' until='{write_datetime(end)}'"
            word = f"<rpid:activities><rpid:{_WORDS[slot]}/></rpid:activities>"
            out.append(f"<ts:timed-status {span}>{word}</ts:timed-status>")
    return "".join(out)


def _runs(times: FreeBusy) -> Iterator[tuple[Slot, int, int]]:
    """Gives (what, from, until) of neighbours that are the same."""
    first = 0
    for place in range(1, len(times.slots) + 1):
        if place == len(times.slots) or times.slots[place] is not times.slots[first]:
            yield times.slots[first], times.start + first * SLOT_SECONDS, times.start + place * SLOT_SECONDS
            first = place
