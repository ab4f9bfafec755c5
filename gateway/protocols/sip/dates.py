"""The header Date (RFC 3261 section 20.17), to posix seconds and back."""

from email.utils import formatdate, parsedate_to_datetime


def read_date(text: str | None) -> float | None:
    """Gives whole posix seconds, or None when the text is no date since 1970."""
    try:
        found = parsedate_to_datetime((text or "")[:64])
        seconds = float(int(found.timestamp())) if found.tzinfo is not None else None
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
    return seconds if seconds is not None and seconds >= 0 else None


def write_date(seconds: float) -> str:
    """Writes posix seconds: 'Sat, 13 Nov 2010 23:29:00 GMT'."""
    return formatdate(int(seconds), usegmt=True)
