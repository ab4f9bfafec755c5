"""Until when something counts, as people write it."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.commands.moments import until
from gateway.errors import CommandError

NOW = datetime(2026, 11, 23, 14, 40).astimezone().timestamp()
"""A Monday."""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2h", datetime(2026, 11, 23, 16, 40)),
        ("30m", datetime(2026, 11, 23, 15, 10)),
        ("45 min", datetime(2026, 11, 23, 15, 25)),
        ("3d", datetime(2026, 11, 26, 14, 40)),
        ("2w", datetime(2026, 12, 7, 14, 40)),
        ("16:40", datetime(2026, 11, 23, 16, 40)),
        ("9.15", datetime(2026, 11, 24, 9, 15)),
        ("tomorrow", datetime(2026, 11, 24, 23, 59, 59)),
        ("Friday", datetime(2026, 11, 27, 23, 59, 59)),
        ("mon", datetime(2026, 11, 23, 23, 59, 59)),
        ("2026-12-24", datetime(2026, 12, 24, 23, 59, 59)),
        ("2026-12-24T12:00", datetime(2026, 12, 24, 12, 0)),
    ],
)
def test_times_as_people_write_them(text: str, expected: datetime) -> None:
    assert until(text, NOW) == expected.astimezone().timestamp()


@pytest.mark.parametrize("text", ["", "soon", "0h", "t", "2026-11-22", "9999-01-01", "25:00", "-2h", "2026-13-01"])
def test_what_is_no_time_to_come_is_refused(text: str) -> None:
    with pytest.raises(CommandError):
        until(text, NOW)


@given(st.text(max_size=30))
def test_any_text_is_a_time_to_come_or_refused(text: str) -> None:
    try:
        found = until(text, NOW)
    except CommandError:
        return
    assert found > NOW
