"""XEP-0082: dates, times and offsets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocols.datetimes import read_datetime, read_offset, write_datetime


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0.0),
        ("1969-07-21T02:56:15Z", None),
        ("2026-01-31T12:00:00Z", 1769860800.0),
        ("2026-01-31T12:00:00.987654Z", 1769860800.0),
        ("2026-01-31T13:00:00+01:00", 1769860800.0),
        ("2026-01-31T06:30:00-05:30", 1769860800.0),
        (" 2026-01-31T12:00:00Z\n", 1769860800.0),
        ("2026-02-30T12:00:00Z", None),
        ("2026-01-31T24:00:00Z", None),
        ("2026-01-31T12:00:00", None),
        ("2026-01-31T12:00:00+99:00", None),
        ("20260131T12:00:00", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("٢٠٢٦-01-31T12:00:00Z", None),
        ("", None),
    ],
)
def test_date_times(text: str, seconds: float | None) -> None:
    assert read_datetime(text) == seconds


@given(st.integers(0, 253_402_300_799))
def test_what_is_written_is_read(seconds: int) -> None:
    assert read_datetime(write_datetime(seconds)) == seconds


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    read_datetime(text)
    read_offset(text)


@pytest.mark.parametrize(
    ("text", "offset"),
    [("Z", "+00:00"), ("+01:00", "+01:00"), ("-0530", "-05:30"), ("+15:00", None), ("+01:60", None), ("CET", None)],
)
def test_offsets(text: str, offset: str | None) -> None:
    assert read_offset(text) == offset
