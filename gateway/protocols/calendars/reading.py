"""Reads iCalendar documents (RFC 5545) into an agenda: who is busy when, and nothing else that stands in them."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import islice
from typing import Any, Final
from zoneinfo import ZoneInfo

import recurring_ical_events
from icalendar import Calendar
from icalendar.prop import vPeriod

from gateway.errors import GatewayError
from gateway.model.address import Address
from gateway.model.presence import Slot, WorkingHours
from gateway.protocols.calendars.agenda import Agenda, Event, window
from gateway.protocols.calendars.effort import MOST, endless, steps
from gateway.protocols.directory_values import one_line

Component = Any
"""A component of the library, whose properties may be of any kind that it knows."""

MAX_EVENTS: Final = 5000
"""Occurrences that are taken."""

_STATUS: Final = {
    "FREE": Slot.FREE,
    "WORKINGELSEWHERE": Slot.FREE,
    "TENTATIVE": Slot.TENTATIVE,
    "BUSY": Slot.BUSY,
    "OOF": Slot.OUT_OF_OFFICE,
}
"""X-MICROSOFT-CDO-BUSYSTATUS ([MS-OXCICAL] 2.1.3.1.1.20.31)."""
_FREE_BUSY: Final = {
    "FREE": Slot.FREE,
    "BUSY": Slot.BUSY,
    "BUSY-TENTATIVE": Slot.TENTATIVE,
    "BUSY-UNAVAILABLE": Slot.OUT_OF_OFFICE,
}
"""FBTYPE (RFC 5545 section 3.2.9)."""
_OUT_OF_OFFICE: Final = re.compile(r"(oof|ooo|out[ -]of[ -](the[ -])?office)\b.*", re.IGNORECASE)
_DAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


class CalendarError(GatewayError):
    """Says that a document is no calendar; never what stands in it."""


def read_agenda(documents: list[bytes], person: Address, now: float, days: int) -> Agenda:
    """Reads the documents of one person's calendar; raises CalendarError.

    `days` is how many, from today on, are published. What he has declined, what is cancelled and what is transparent
    does not count.
    """
    if not all(_whole(body) for body in documents):
        raise CalendarError("is no calendar, or not all of one")
    try:
        calendars = [one for body in documents for one in Calendar.from_ical(body, multiple=True)]
        zone = _zone(calendars)
        begin, end = window(zone, now, days)
        found = (event for one in calendars for event in _events(one, zone, begin, end, person))
        events = tuple(islice(found, MAX_EVENTS))
        return Agenda(begin, end, zone, events, _hours(calendars, begin))
    except CalendarError:
        raise
    # The library raises errors of every kind, and a document may hold anything.
    except Exception as problem:  # noqa: BLE001
        raise CalendarError(f"cannot be read as a calendar ({type(problem).__name__})") from None


def _whole(body: bytes) -> bool:
    """Says whether nothing is cut off: of half a calendar the library reads as much as there is."""
    text = body.strip().removeprefix(b"\xef\xbb\xbf").upper()
    return text.startswith(b"BEGIN:VCALENDAR") and text.endswith(b"END:VCALENDAR")


def _events(calendar: Component, zone: ZoneInfo, begin: float, end: float, person: Address) -> Iterator[Event]:
    span = datetime.fromtimestamp(begin, zone), datetime.fromtimestamp(end, zone)
    _tame(calendar, span[1])
    for component in recurring_ical_events.of(calendar, skip_bad_series=True).between(*span):
        event = _event(component, zone, person)
        if event is not None:
            yield event
    for component in calendar.walk("VFREEBUSY"):
        yield from _published(component, zone, begin, end)


def _tame(calendar: Component, last: datetime) -> None:
    """Takes away rules that nobody can count through, so that what they repeat happens once.

    Raises CalendarError when the others together take too long.
    """
    total = 0
    for component in calendar.walk("VEVENT"):
        given = component.get("RRULE")
        rules = given if isinstance(given, list) else [given] if given is not None else []
        if any(endless(rule) for rule in rules):
            del component["RRULE"]
        elif "DTSTART" in component:
            total += sum(steps(rule, component["DTSTART"].dt, last) for rule in rules)
    if total > MOST:
        raise CalendarError("has rules that take too long to count through")


def _event(component: Component, zone: ZoneInfo, person: Address) -> Event | None:
    slot = _slot(component, person)
    first, last = component.get("DTSTART"), component.get("DTEND")
    if slot is Slot.FREE or first is None or last is None:
        return None
    start, end = _moment(first.dt, zone), _moment(last.dt, zone)
    if end <= start:
        return None
    private = _word(component, "CLASS") not in ("", "PUBLIC")
    subject = "" if private else one_line(str(component.get("SUMMARY", "")))
    place = "" if private else one_line(str(component.get("LOCATION", "")))
    return Event(start, end, slot, not isinstance(first.dt, datetime), subject, place)


def _slot(component: Component, person: Address) -> Slot:
    """Says what an event makes of its time (RFC 5545 sections 3.8.1.11, 3.8.2.7)."""
    answer = _answer(component, person)
    if _word(component, "STATUS") == "CANCELLED" or answer == "DECLINED":
        return Slot.FREE
    told = _STATUS.get(_word(component, "X-MICROSOFT-CDO-BUSYSTATUS"))
    if told is None:
        told = Slot.FREE if _word(component, "TRANSP") == "TRANSPARENT" else Slot.BUSY
        if told is Slot.BUSY and _says_away(component):
            told = Slot.OUT_OF_OFFICE
    maybe = _word(component, "STATUS") == "TENTATIVE" or answer in ("TENTATIVE", "NEEDS-ACTION")
    return Slot.TENTATIVE if maybe and told is Slot.BUSY else told


def _says_away(component: Component) -> bool:
    """Says whether an event is called out of office: a whole day that begins so, or any that says nothing else."""
    found = _OUT_OF_OFFICE.fullmatch(one_line(str(component.get("SUMMARY", ""))))
    if found is None:
        return False
    whole = not isinstance(component["DTSTART"].dt, datetime)
    return whole or len(found[0]) <= len(found[1]) + 1


def _answer(component: Component, person: Address) -> str:
    """Gives what the person has answered to an invitation, or ''."""
    invited = component.get("ATTENDEE", [])
    for one in invited if isinstance(invited, list) else [invited]:
        if str(one).strip().lower() == f"mailto:{person.bare}":
            return str(one.params.get("PARTSTAT", "NEEDS-ACTION")).upper()
    return ""


def _published(component: Component, zone: ZoneInfo, begin: float, end: float) -> Iterator[Event]:
    """Reads free and busy times that are given as such (RFC 5545 section 3.6.4)."""
    given = component.get("FREEBUSY", [])
    for period in _periods(given):
        slot = _FREE_BUSY.get(str(period.params.get("FBTYPE", "BUSY")).upper(), Slot.BUSY)
        start = _moment(period.start, zone)
        last = _moment(period.end, zone)
        if slot is not Slot.FREE and start < last and start < end and last > begin:
            yield Event(start, last, slot)


def _periods(given: Any) -> Iterator[Any]:
    if isinstance(given, vPeriod):
        yield given
    elif isinstance(given, list):
        for one in given:
            yield from _periods(one)


def _hours(calendars: list[Component], begin: float) -> WorkingHours | None:
    """Reads the hours of a week in which somebody is available (RFC 7953), the first that repeats by the day."""
    for calendar in calendars:
        for one in calendar.walk("AVAILABLE"):
            rule, first, last = one.get("RRULE"), one.get("DTSTART"), one.get("DTEND")
            days = sorted({_DAYS.index(str(day).upper()) for day in (rule or {}).get("BYDAY", []) if str(day) in _DAYS})
            timed = all(isinstance(getattr(edge, "dt", None), datetime) for edge in (first, last))
            if days and timed:
                start, end = (edge.dt.hour * 60 + edge.dt.minute for edge in (first, last))
                if start < end:
                    return WorkingHours(tuple(days), start, end, _offset(first.dt.tzinfo, begin))
    return None


def _offset(zone: tzinfo | None, moment: float) -> str:
    if zone is None:
        return ""
    minutes = int((datetime.fromtimestamp(moment, zone).utcoffset() or timedelta()).total_seconds() // 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def _zone(calendars: list[Component]) -> ZoneInfo:
    """Gives the zone of the calendar: what it names, or that of its first event; else UTC."""
    for calendar in calendars:
        found = _known_zone(str(calendar.get("X-WR-TIMEZONE", "")))
        if found is not None:
            return found
    for calendar in calendars:
        for event in islice(calendar.walk("VEVENT"), 100):
            first = event.get("DTSTART")
            found = _known_zone(getattr(getattr(first.dt, "tzinfo", None), "key", "")) if first is not None else None
            if found is not None:
                return found
    return ZoneInfo("UTC")


def _known_zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ValueError, OSError, KeyError):
        return None


def _moment(value: date | datetime, zone: ZoneInfo) -> float:
    """Gives posix seconds; a day, and a time without a zone, are those of the calendar's."""
    if not isinstance(value, datetime):
        value = datetime.combine(value, time())
    aware = value if value.tzinfo is not None else value.replace(tzinfo=zone)
    return aware.astimezone(UTC).timestamp()


def _word(component: Component, name: str) -> str:
    return str(component.get(name, "")).strip().upper()
