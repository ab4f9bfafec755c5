"""Moments as people write them."""

import re
from datetime import UTC, datetime, timedelta

from gateway.errors import CommandError

_BACK = re.compile(r"([0-9]{1,5})([mhd])")
_AHEAD = re.compile(r"([0-9]{1,5})\s?(m|min|h|d|w)")
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3])[:.]([0-5][0-9])")
_SECONDS = {"m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_FURTHEST = timedelta(days=3660)


def since(text: str, now: float) -> float:
    """Gives posix seconds for `30m`, `24h`, `7d`, or a date or time in UTC (ISO 8601); raises CommandError."""
    back = _BACK.fullmatch(text)
    if back is not None:
        return now - int(back[1]) * _SECONDS[back[2]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{text!r} is no moment: give 24h, 7d, 2026-11-23 or 2026-11-23T14:00") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def until(text: str, now: float) -> float:
    """Gives posix seconds for `2h`, `30m`, `3d`, `2w`, `16:40`, `tomorrow`, `friday`, or a date or time (ISO 8601).

    Days and clocks are those of this machine; a day counts to its end. Raises CommandError, also for what has passed.
    """
    here = datetime.fromtimestamp(now).astimezone()
    found = _ahead(text.strip().lower(), here)
    if found is None:
        raise CommandError(f"{text!r} is no time: give 2h, 3d, 16:40, tomorrow, friday or 2026-12-24")
    if found <= here:
        raise CommandError(f"{text!r} has passed already")
    if found - here > _FURTHEST:
        raise CommandError(f"{text!r} is more than ten years away")
    return found.timestamp()


def _ahead(text: str, here: datetime) -> datetime | None:
    span, clock = _AHEAD.fullmatch(text), _CLOCK.fullmatch(text)
    if span is not None:
        return here + timedelta(seconds=int(span[1]) * _SECONDS[span[2]])
    if clock is not None:
        at = here.replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0)
        return at if at > here else at + timedelta(days=1)
    if text == "tomorrow":
        return _end_of_day(here + timedelta(days=1))
    matching = [place for place, name in enumerate(_DAYS) if len(text) >= 3 and name.startswith(text)]
    if len(matching) == 1:
        return _end_of_day(here + timedelta(days=(matching[0] - here.weekday()) % 7))
    return _dated(text, here)


def _dated(text: str, here: datetime) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    placed = moment if moment.tzinfo else moment.replace(tzinfo=here.tzinfo)
    return _end_of_day(placed) if len(text) == len("2026-12-24") else placed


def _end_of_day(moment: datetime) -> datetime:
    return moment.replace(hour=23, minute=59, second=59, microsecond=0)
