"""Moments as people write them."""

import re
from datetime import UTC, datetime

from gateway.errors import CommandError

_BACK = re.compile(r"([0-9]{1,5})([mhd])")
_SECONDS = {"m": 60, "h": 3600, "d": 86_400}


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
