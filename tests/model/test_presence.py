"""The presence document: immutable, comparable, and mute."""

from typing import Any

import attrs
import pytest
from hypothesis import given

from gateway.model.presence import (
    OFFLINE,
    VALUE_TYPES,
    Activity,
    Field,
    Photo,
    Place,
    PostalAddress,
    Presence,
    PresenceDocument,
)
from tests.policy.samples import CANARY, documents, full_document

EVERY = full_document()


def test_every_field_has_a_type_and_a_sample() -> None:
    assert set(VALUE_TYPES) == set(Field) == EVERY.names


def test_names_are_a_closed_list() -> None:
    assert len({name.value for name in Field}) == len(Field) == 30


def test_document_does_not_follow_its_source() -> None:
    source: dict[Field, Any] = {Field.TITLE: "Clerk"}
    document = PresenceDocument(source)
    source[Field.PHONE_HOME] = ("+12065550100",)
    assert document.names == {Field.TITLE}


def test_place_does_not_follow_its_source() -> None:
    parts = {"room": "4"}
    place = Place(parts)
    parts["street"] = "Elm Street"
    assert place.parts == {"room": "4"}
    assert hash(place) == hash(Place({"room": "5"}))


def test_document_takes_no_attributes_and_no_items() -> None:
    document = PresenceDocument({Field.TITLE: "Clerk"})
    with pytest.raises(AttributeError):
        document.title = "King"  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        document[Field.TITLE] = "King"  # type: ignore[index]
    with pytest.raises(TypeError):
        del document[Field.TITLE]  # type: ignore[attr-defined]


def test_with_fields_leaves_the_first_alone() -> None:
    first = PresenceDocument({Field.TITLE: "Clerk", Field.AVAILABILITY: True})
    second = first.with_fields({Field.TITLE: "King", Field.COMPANY: "Corp"})
    assert first[Field.TITLE] == "Clerk" and Field.COMPANY not in first
    assert second[Field.TITLE] == "King" and second.names == {Field.TITLE, Field.AVAILABILITY, Field.COMPANY}


def test_absent_field_is_none_and_never_a_value() -> None:
    assert OFFLINE.get(Field.NOTE) is None
    assert not OFFLINE.available and len(OFFLINE) == 0
    with pytest.raises(KeyError):
        OFFLINE[Field.NOTE]


@given(documents())
def test_equal_documents_hash_alike_whatever_the_order(document: PresenceDocument) -> None:
    turned = PresenceDocument(reversed([(name, document[name]) for name in document]))
    assert turned == document and hash(turned) == hash(document) and repr(turned) == repr(document)


def test_different_values_differ() -> None:
    assert PresenceDocument({Field.TITLE: "a"}) != PresenceDocument({Field.TITLE: "b"})
    assert PresenceDocument({Field.TITLE: "a"}) != {Field.TITLE: "a"}


def test_repr_names_fields_and_shows_no_value() -> None:
    """I19: published values cannot be printed."""
    for shown in (repr(EVERY), str(EVERY), f"{EVERY}", repr(Presence(EVERY, 5))):
        assert CANARY not in shown
        assert "phone.home" in shown


@pytest.mark.parametrize("name", list(Field), ids=lambda name: name.value)
def test_no_structured_value_prints_itself(name: Field) -> None:
    value = EVERY[name]
    if attrs.has(type(value)):
        assert CANARY not in repr(value)


@pytest.mark.parametrize("kind", [Activity, Place, PostalAddress, Photo])
def test_values_are_frozen(kind: type) -> None:
    value = next(EVERY[name] for name in Field if type(EVERY[name]) is kind)
    first = attrs.fields(kind)[0].name
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(value, first, "other")
