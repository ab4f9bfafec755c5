"""The header Date, both ways (RFC 3261 section 20.17)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocols.sip.dates import read_date, write_date


def test_the_example_of_the_rfc() -> None:
    assert read_date("Sat, 13 Nov 2010 23:29:00 GMT") == 1289690940.0
    assert write_date(1289690940.9) == "Sat, 13 Nov 2010 23:29:00 GMT"


@pytest.mark.parametrize(
    "text", [None, "", "yesterday", "Sat, 13 Nov 2010 23:29:00", "13 Nov 1960 23:29:00 GMT", "\0" * 999]
)
def test_what_is_no_date(text: str | None) -> None:
    assert read_date(text) is None


@given(st.integers(0, 4_000_000_000))
def test_there_and_back(seconds: int) -> None:
    assert read_date(write_date(seconds)) == seconds


@given(st.text(max_size=80))
def test_nothing_is_raised(text: str) -> None:
    found = read_date(text)
    assert found is None or found >= 0
