"""Texts of directories to values: cleaned, bounded, or refused without being repeated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.presence import Field, PostalAddress, WorkingHours
from gateway.policy.published_info import PRESENCE_FIELDS
from gateway.protocols.directory_values import (
    ADDRESSES,
    LINES,
    LISTS,
    MAX_GROUPS,
    PUBLISHED,
    NoValue,
    one_line,
    read_field,
    read_groups,
    read_hours,
    read_picture,
    read_postal,
)


def test_nothing_that_tells_about_the_present_is_an_administrators() -> None:
    assert not PUBLISHED & PRESENCE_FIELDS
    assert set(Field) == PUBLISHED | PRESENCE_FIELDS


@given(st.text(max_size=3000))
def test_a_line_is_one_line(text: str) -> None:
    line = one_line(text)
    assert line == " ".join(line.split()) and len(line) <= 1024
    assert not any(ord(one) < 32 or 0x7F <= ord(one) < 0xA0 or 0xD800 <= ord(one) < 0xE000 for one in line)


@pytest.mark.parametrize(
    ("name", "texts", "value"),
    [
        (Field.TITLE, [" Head\x07 of\n things "], "Head of things"),
        (Field.TITLE, ["", "  ", "second"], "second"),
        (Field.TITLE, [], None),
        (Field.EMAIL, ["a@x.example", "a@x.example", "b@x.example"], ("a@x.example", "b@x.example")),
        (Field.PHONE_HOME, [f"+1 {number}" for number in range(20)], tuple(f"+1 {number}" for number in range(8))),
        (Field.TIME_ZONE, ["+0100"], "+01:00"),
        (Field.URL, ["https://corp.example/a"], ("https://corp.example/a",)),
    ],
)
def test_texts_become_values(name: Field, texts: list[str], value: object) -> None:
    assert read_field(name, texts) == value


@pytest.mark.parametrize("name", sorted(set(Field) - LISTS - LINES - {Field.WORKING_HOURS}, key=lambda one: one.value))
def test_other_fields_are_no_text(name: Field) -> None:
    with pytest.raises(NoValue):
        read_field(name, ["x"])


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("Mon-Fri 08:00-17:30", WorkingHours((0, 1, 2, 3, 4), 480, 1050)),
        ("sat-mon, wed 9:00 - 24:00 -0530", WorkingHours((0, 2, 5, 6), 540, 1440, "-05:30")),
        ("Tue 00:00-12:00 Z", WorkingHours((1,), 0, 720, "+00:00")),
    ],
)
def test_hours(text: str, hours: WorkingHours) -> None:
    assert read_hours(text) == hours


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Mon",
        "Xyz 08:00-17:00",
        "Mon 8-17",
        "Mon 08:00-25:00",
        "Mon 08:61-17:00",
        "Mon 09:00-08:00",
        "Mon 08:00-17:00 CET",
    ],
)
def test_what_is_no_hours(text: str) -> None:
    with pytest.raises(NoValue):
        read_hours(text)


def test_addresses_pictures_and_groups_are_bounded() -> None:
    assert read_postal({"street": "1 Way", "country": " "}) == PostalAddress("1 Way")
    assert read_postal({"street": ""}) is None
    with pytest.raises(NoValue, match="has no part planet"):
        read_postal({"planet": "x"})
    with pytest.raises(NoValue, match="no picture that crosses"):
        read_picture(b"<svg/>")
    with pytest.raises(NoValue, match="has more than"):
        read_picture(b"\x89PNG\r\n\x1a\n" + bytes(70_000))
    assert read_picture(b"\xff\xd8\xff\xe0").media_type == "image/jpeg"
    assert read_groups(["a", " ", "a\n"]) == {"a"}
    assert len(read_groups(str(number) for number in range(2000))) == MAX_GROUPS
    assert ADDRESSES < PUBLISHED
