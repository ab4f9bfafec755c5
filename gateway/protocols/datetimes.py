"""Dates, times and offsets as XMPP writes them (XEP-0082), to posix seconds and back."""

import re
from datetime import UTC, datetime, timedelta, timezone

_DATETIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?(?:(Z)|([+-])(\d\d):(\d\d))", re.ASCII)
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)", re.ASCII)


def read_datetime(text: str) -> float | None:
    """Gives whole posix seconds, or None when the text is no date-time of XEP-0082 since 1970."""
    found = _DATETIME.fullmatch(text.strip())
    if found is None:
        return None
    try:
        zone = UTC if found[7] else _zone(found[8], int(found[9]), int(found[10]))
        moment = datetime(*(int(found[place]) for place in range(1, 7)), tzinfo=zone)  # type: ignore[misc,arg-type]
        seconds = float(int(moment.timestamp()))
    except (ValueError, OverflowError):
        return None
    return seconds if seconds >= 0 else None


def write_datetime(seconds: float) -> str:
    """Writes posix seconds in UTC without fractions: '2026-01-31T12:00:00Z'."""
    moment = datetime.fromtimestamp(int(seconds), UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def read_offset(text: str) -> str | None:
    """Gives an offset from UTC as '+01:00', or None when the text is not one (XEP-0082 section 3.2)."""
    text = text.strip()
    if text == "Z":
        return "+00:00"
    found = _OFFSET.fullmatch(text)
    if found is None or int(found[2]) > 14 or int(found[3]) > 59:
        return None
    return f"{found[1]}{found[2]}:{found[3]}"


def _zone(sign: str, hours: int, minutes: int) -> timezone:
    if hours > 23 or minutes > 59:
        raise ValueError("not an offset")
    distance = timedelta(hours=hours, minutes=minutes)
    return timezone(distance if sign == "+" else -distance)
