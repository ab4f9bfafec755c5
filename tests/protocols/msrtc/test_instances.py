"""Single instances of categories: what counts of several, what is none, and the small print of what is written."""

import pytest

from gateway.model.presence import Activity, Field, PresenceDocument, Show
from gateway.protocols.msrtc.categories import (
    CategoryInstance,
    ReadCategories,
    compose,
    merge,
    read_categories,
    write_categories,
)

NOW = 1_780_000_000.0
URI = "sip:alice@corp.example"
OPEN = {Field.AVAILABILITY: True}
XSI = "xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'"
SPACE = "http://schemas.microsoft.com/2006/09/sip/categories"


def read(inside: str, uri: str = f" uri='{URI}'") -> ReadCategories:
    return read_categories(f"<categories xmlns='{SPACE}'{uri}>{inside}</categories>".encode(), NOW)


def composed(*bodies: str) -> PresenceDocument:
    held: dict[tuple[str, str], CategoryInstance] = {}
    for body in bodies:
        held = merge(held, read(body))
    return compose(held)


def state(kind: str, number: int, instance: int) -> str:
    inside = f"<state {XSI} xsi:type='{kind}'><availability>{number}</availability></state>"
    return f"<category name='state' instance='{instance}'>{inside}</category>"


def note(text: str, start: str = "instance='0'") -> str:
    return f"<category name='note' {start}><note><body>{text}</body></note></category>"


def test_the_aggregate_counts_before_the_users_before_any_other_state_in_whatever_order() -> None:
    machine, user, aggregate = (
        state("machineState", 3500, 1),
        state("userState", 6500, 2),
        state("aggregateState", 15500, 3),
    )
    assert composed(note("x") + machine).available
    assert Field.SHOW not in composed(note("x") + machine)
    for together in (machine + user, user + machine):
        assert composed(together)[Field.SHOW] is Show.DND
    for together in (machine + user + aggregate, aggregate + user + machine):
        assert composed(together)[Field.SHOW] is Show.AWAY


def test_an_instance_has_its_name_number_kind_and_time() -> None:
    read_state, read_note, bare = read(
        state("aggregateState", 3500, 7)
        + note("x", f"instance='0' publishTime='2024-05-02T08:15:30Z' {XSI} xsi:type='y'")
        + "<category/>"
    ).instances
    assert (read_state.name, read_state.instance, read_state.kind) == ("state", "7", "aggregateState")
    assert (read_state.published, read_state.deleted) == (None, False)
    assert (read_note.name, read_note.kind, read_note.published) == ("note", "", 1_714_637_730.0)
    assert (bare.name, bare.instance, bare.kind, bare.published, bare.deleted) == ("", None, "", None, True)
    plain = CategoryInstance("note", "0", {})
    assert (plain.kind, plain.deleted) == ("", False)
    typed = f"<category name='note' instance='0'><note {XSI} xsi:type='userState'/></category>"
    assert read(typed).instances[0].kind == ""


def test_only_categories_of_that_namespace_are_instances() -> None:
    others = "<other name='note' instance='1'><note/></other><category xmlns='urn:x' name='note' instance='2'/>"
    assert read(others).instances == ()
    assert read("", uri="").uri == "" and read("").uri == URI


def test_nothing_of_a_person_is_in_the_text_of_what_was_read() -> None:
    found = read(note("canary"), uri=" uri='sip:canary@corp.example'")
    assert "canary" not in repr(found) and "note" in repr(found)


def test_a_category_without_a_number_is_number_nought() -> None:
    assert composed(note("one", ""))[Field.NOTE] == (("", "one"),)
    assert composed(note("one", ""), note("two"))[Field.NOTE] == (("", "two"),)
    assert Field.NOTE not in composed(note("one", ""), "<category name='note' instance='0'/>")


def test_of_notes_that_have_no_time_the_persons_own_counts_and_any_time_is_newer() -> None:
    assert composed(note("own") + note("other", "instance='5'"))[Field.NOTE] == (("", "own"),)
    old = note("other", "instance='5' publishTime='1970-01-01T00:00:01Z'")
    assert composed(note("own") + old)[Field.NOTE] == (("", "other"),)


@pytest.mark.parametrize(
    ("device", "word"),
    [
        *[(one, "computer") for one in ("pc", "console")],
        *[(one, "mobile") for one in ("phone", "handheld", "tablet", "sms")],
        ("web", "web"),
        ("bot", ""),
        ("", ""),
    ],
)
def test_devices_are_written_as_kinds(device: str, word: str) -> None:
    body = write_categories(PresenceDocument({**OPEN, Field.DEVICE: device}), URI).decode()
    assert body.partition("<availability>3500</availability>")[2].partition("</state>")[0] == (
        f"<device>{word}</device>" if word else ""
    )


def test_what_no_xml_can_hold_is_replaced() -> None:
    document = PresenceDocument(
        {**OPEN, Field.ACTIVITY: Activity("working", "", "a\x01b"), Field.NOTE: (("", "c\x02d"),)}
    )
    body = write_categories(document, "sip:e\x03f").decode()
    assert "<activity><custom LCID='1033'>a\ufffdb</custom></activity></state>" in body
    assert ">c\ufffdd</body>" in body and "uri='sip:e\ufffdf'" in body


def test_an_identity_without_a_name_has_its_addresses_only() -> None:
    body = write_categories(PresenceDocument({**OPEN, Field.EMAIL: ("a@corp.example",)}), URI).decode()
    assert "<identity><email>a@corp.example</email></identity></contactCard>" in body
