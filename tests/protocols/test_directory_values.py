"""Texts of directories to values: cleaned, bounded, or refused without being repeated."""

from contextlib import nullcontext

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


def test_how_much_is_taken() -> None:
    assert len(read_groups(map(str, range(1001)))) == 1000
    assert read_groups(["g" * 300]) == {"g" * 256}
    assert one_line("\x00" * 4095 + "ab") == "a" and one_line("\x00" * 4096 + "a") == ""
    assert len(read_picture(b"\xff\xd8\xff" + bytes(64 * 1024 - 3)).content) == 64 * 1024
    with pytest.raises(NoValue, match="more than 65536 bytes"):
        read_picture(b"\xff\xd8\xff" + bytes(64 * 1024 - 2))


@pytest.mark.parametrize("one", ["\u0378", "\ue000", "\ud800", "\x85", "\x1b"], ids=ascii)
def test_what_is_unassigned_private_a_surrogate_or_a_control_is_left_out(one: str) -> None:
    assert one_line(f"a{one}b") in ("ab", "a b") and one not in one_line(f"a{one}b")


def test_every_part_of_an_address_is_known_by_its_name() -> None:
    parts = {"street": "1 Way", "locality": "Town", "region": "R", "postal_code": "00001", "country": "Nowhere"}
    assert read_postal(parts) == PostalAddress("1 Way", "Town", "R", "00001", "Nowhere")


@pytest.mark.parametrize(("number", "day"), list(enumerate(["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"])))
def test_every_day_is_known(number: int, day: str) -> None:
    assert read_hours(f"{day} 08:00-08:59") == WorkingHours((number,), 480, 539)


def test_hours_are_a_field_and_the_first_text_counts() -> None:
    texts = ["Mon 08:00-09:00", "Tue 08:00-09:00"]
    assert read_field(Field.WORKING_HOURS, texts) == WorkingHours((0,), 480, 540)


@pytest.mark.parametrize("hours", ["Mon 08:00-08:00", "Mon 08:00-24:01", "Mon 08:00-24:30", "Mon 08:00-08:60"])
def test_no_time_at_all_and_no_such_time(hours: str) -> None:
    with pytest.raises(NoValue):
        read_hours(hours)


@pytest.mark.parametrize("days", ["mon-xyz", "xyz-mon", "mon,xyz", "mon-"])
def test_days_of_which_one_is_none(days: str) -> None:
    with pytest.raises(NoValue) if days != "mon-" else nullcontext():
        assert read_hours(f"{days} 08:00-09:00").days == (0,)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        (Field.EMAIL, "a@x.example", "a.x.example"),
        (Field.URL, "https://x.example", "ftp://x.example"),
        (Field.PHONE_WORK, "5" * 64, "5" * 65),
        (Field.EMAIL, "a@" + "x" * 1022, None),
        (Field.URL, "https://" + "x" * 1016, None),
    ],
)
def test_one_text_that_is_no_value_refuses_all_of_a_list(name: Field, good: str, bad: str | None) -> None:
    assert read_field(name, [good]) == (good,)
    for texts in ([good, bad], [bad, good]) if bad is not None else ():
        with pytest.raises(NoValue):
            read_field(name, texts)
