"""Priorities of a contact (RFC 3863 section 4.1.5) and of a resource (RFC 8048 section 5.3)."""

import re
from typing import Final

_QVALUE: Final = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?", re.ASCII)


def write_priority(priority: int) -> str | None:
    """Gives 0..127 as a number from 0 to 1 with three places, or None for what is not mapped: the negative."""
    if priority < 0:
        return None
    return f"{min(priority, 127) * 1000 // 127 / 1000:g}"


def read_priority(text: str | None) -> int:
    """Gives 0..127 for a number from 0 to 1 with at most three places, and 0 for anything else."""
    if text is None or not _QVALUE.fullmatch(text.strip()):
        return 0
    whole, _, places = text.strip().partition(".")
    thousandths = int(whole) * 1000 + int(places.ljust(3, "0"))
    return 127 if thousandths == 1000 else min(126, -(-thousandths * 127 // 1000))
