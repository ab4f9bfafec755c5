"""What happens in some days, reduced to what presence can say of it; and what it says at a moment."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from attrs import field, frozen

from gateway.model.presence import SLOT_SECONDS, Activity, Field, FreeBusy, Show, Slot, WorkingHours

IN_A_MEETING: Final = Activity("working", "in_a_meeting")
_RANK: Final = {Slot.FREE: 0, Slot.TENTATIVE: 1, Slot.BUSY: 2, Slot.OUT_OF_OFFICE: 3}


@frozen
class Event:
    """Is one occurrence, from and until posix seconds; what is private has neither subject nor place."""

    start: float
    end: float
    slot: Slot
    whole_day: bool = False
    subject: str = field(default="", repr=False)
    place: str = field(default="", repr=False)


@frozen
class Agenda:
    """Is what a calendar holds between two moments."""

    begin: float
    end: float
    zone: ZoneInfo
    """Where its days begin."""
    events: tuple[Event, ...] = ()
    hours: WorkingHours | None = None


@frozen
class Facts:
    """Is what an agenda says at a moment, and when it will say something else."""

    values: Mapping[Field, Any] = field(repr=False)
    ends: float


def facts(agenda: Agenda, now: float, days: int, note: str) -> Facts:
    """Gives the fields at a moment: free and busy times of some days, the meeting, whether he is out of office.

    The busy times begin with the day, so that they do not change from quarter to quarter. A whole day that is busy is
    no meeting. `note` is said while out of office; what an event says never is.
    """
    today, tomorrow = _day(agenda.zone, now, 0), _day(agenda.zone, now, 1)
    current = [event for event in agenda.events if event.start <= now < event.end]
    values: dict[Field, Any] = {Field.FREE_BUSY: _slots(agenda, today, days)}
    if agenda.hours is not None:
        values[Field.WORKING_HOURS] = agenda.hours
    meetings = [event for event in current if event.slot is Slot.BUSY and not event.whole_day]
    if any(event.slot is Slot.OUT_OF_OFFICE for event in current):
        values |= {Field.SHOW: Show.XA, Field.OUT_OF_OFFICE: (("", note),)}
    elif meetings:
        values |= {Field.SHOW: Show.DND, Field.ACTIVITY: IN_A_MEETING, **_details(meetings)}
    edges = [edge for event in agenda.events for edge in (event.start, event.end) if edge > now]
    return Facts(values, min([tomorrow, *edges]))


def window(zone: ZoneInfo, now: float, days: int) -> tuple[float, float]:
    """Gives the time that an agenda has to cover: from today's beginning, one day more than is published."""
    return _day(zone, now, 0), _day(zone, now, days + 1)


def _details(meetings: Iterable[Event]) -> Mapping[Field, Any]:
    """Gives subject and place of the meeting that began last and says any."""
    telling = [event for event in meetings if event.subject or event.place]
    if not telling:
        return {}
    latest = max(telling, key=lambda event: event.start)
    pairs = ((Field.MEETING_SUBJECT, latest.subject), (Field.MEETING_LOCATION, latest.place))
    return {name: text for name, text in pairs if text}


def _slots(agenda: Agenda, today: float, days: int) -> FreeBusy:
    start = int(today) // SLOT_SECONDS * SLOT_SECONDS
    slots = [Slot.FREE] * (days * 86400 // SLOT_SECONDS)
    for event in agenda.events:
        first = max(int(event.start - start) // SLOT_SECONDS, 0)
        last = min(-int(-(event.end - start) // SLOT_SECONDS), len(slots))
        for place in range(first, last):
            if _RANK[event.slot] > _RANK[slots[place]]:
                slots[place] = event.slot
    return FreeBusy(start, tuple(slots))


def _day(zone: ZoneInfo, now: float, later: int) -> float:
    """Gives the first moment of a day in a zone."""
    there = datetime.fromtimestamp(now, zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    return (there + timedelta(days=later)).replace(tzinfo=zone).timestamp()
