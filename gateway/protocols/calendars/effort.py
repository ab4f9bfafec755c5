"""How long it takes to count through a rule: the library goes from its beginning, and some rules never come true."""

from datetime import date, datetime
from typing import Any, Final

MOST: Final = 3_000_000
"""Steps that one calendar may take, some seconds in all."""
_DAYS: Final = {"DAILY": 1, "WEEKLY": 7, "MONTHLY": 30, "YEARLY": 365}
_TO_THE_END: Final = 8000 * 365
"""Days until the last year that there is."""
_MONTH: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_ODD: Final = ("BYSETPOS", "BYWEEKNO", "BYYEARDAY")


def endless(rule: Any) -> bool:
    """Says whether a rule repeats by the hour or finer, or does not go on: nobody can count through it."""
    often = [str(one).upper() for one in rule.get("FREQ", [])]
    return any(one not in _DAYS for one in often) or min(_numbers(rule, "INTERVAL", [1])) < 1


def steps(rule: Any, first: date | datetime, last: datetime) -> int:
    """Gives how many steps a rule takes at most until a moment: to the end of time when it may never come true."""
    length = _DAYS[str(rule.get("FREQ", ["YEARLY"])[0]).upper()] * min(_numbers(rule, "INTERVAL", [1]))
    days = _TO_THE_END if _may_never(rule) else max((last.date() - _day(first)).days, 0)
    return days // length + 1


def _may_never(rule: Any) -> bool:
    if any(rule.get(part) for part in _ODD):
        return True
    months, days = _numbers(rule, "BYMONTH", range(1, 13)), _numbers(rule, "BYMONTHDAY", [1])
    longest = max((_MONTH[month - 1] for month in months if 1 <= month <= 12), default=0)
    return min(abs(day) for day in days) > longest


def _numbers(rule: Any, part: str, usual: Any) -> list[int]:
    return [int(one) for one in rule.get(part) or usual]


def _day(first: date | datetime) -> date:
    return first.date() if isinstance(first, datetime) else first
