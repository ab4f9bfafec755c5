"""Attributes of LDAP entries to fields: the usual table, other names, values that no field can have."""

import pytest

from gateway.interfaces import Entry
from gateway.model.presence import Field, PostalAddress
from gateway.protocols.directory_values import PUBLISHED, NoValue
from plugins.directories.ldap_entries import USUAL, asked_for, fingerprint, read_entry, table_of


def test_the_usual_table_has_every_field_that_directories_have_an_attribute_for() -> None:
    assert set(USUAL) == PUBLISHED - {Field.TIME_ZONE, Field.WORKING_HOURS}


@pytest.mark.parametrize(
    ("attributes", "name", "value"),
    [
        ({"company": [b"Corp"], "o": [b"Other"]}, Field.COMPANY, "Corp"),
        ({"o": [b"Other"]}, Field.COMPANY, "Other"),
        ({"company": [b"  "], "o": [b"Other"]}, Field.COMPANY, "Other"),
        ({"cn": [b"\xff\xfe", b"Alice"]}, Field.DISPLAY_NAME, "Alice"),
        ({"mail": [b"no address", b"a@corp.example"]}, Field.EMAIL, ("a@corp.example",)),
        (
            {"wwwhomepage": [b"javascript:x"], "labeleduri": [b"http://a.example/ home"]},
            Field.URL,
            ("http://a.example/",),
        ),
        ({"url": [b"https://a.example/"]}, Field.URL, ("https://a.example/",)),
        ({"streetaddress": [b"1 Way"], "co": [b"XX"]}, Field.ADDRESS_WORK, PostalAddress("1 Way", country="XX")),
        ({"title": [b"Head\x00 of\r\n things", b"second"]}, Field.TITLE, "Head of things"),
    ],
)
def test_a_field_comes_from_the_first_attribute_with_a_value(
    attributes: dict[str, list[bytes]], name: Field, value: object
) -> None:
    assert read_entry(attributes, USUAL, ()).values == {name: value}


@pytest.mark.parametrize(
    "attributes", [{}, {"title": [b"\xff"]}, {"jpegphoto": [b"<svg/>"]}, {"mail": [b"x"]}, {"c": [b" "]}]
)
def test_what_no_field_can_have_is_left_out(attributes: dict[str, list[bytes]]) -> None:
    assert read_entry(attributes, USUAL, ["staff", ""]) == Entry({}, frozenset({"staff"}))


def test_a_table_is_changed_field_by_field() -> None:
    table = table_of({Field.TITLE: ("position",), Field.PHOTO: (), Field.TIME_ZONE: ("offset",)})
    assert Field.PHOTO not in table and table[Field.EMAIL] == ("mail",)
    assert {"position", "offset", "mail", "streetaddress"} <= set(asked_for(table))
    assert not {"title", "jpegPhoto"} & set(asked_for(table))
    assert read_entry({"offset": [b"+0100"]}, table, ()).values == {Field.TIME_ZONE: "+01:00"}
    with pytest.raises(NoValue):
        table_of({Field.AVAILABILITY: ("x",)})


def test_a_fingerprint_differs_when_anything_does() -> None:
    entry = {"a": [b"1", b"2"], "b": [b"3"]}
    assert fingerprint(entry, ["x", "y"]) == fingerprint({"b": [b"3"], "a": [b"2", b"1"]}, ["y", "x"])
    others = [
        {"a": [b"1"], "b": [b"3"]},
        {"a": [b"12"], "b": [b"3"]},
        {"a": [b"1", b"2", b"3"]},
        {"a": [], "b": [b"3"]},
    ]
    assert len({fingerprint(one, []) for one in (entry, *others)} | {fingerprint(entry, ["x"])}) == 6
