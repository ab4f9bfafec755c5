"""THE TABLE, written a second time from the reference; and the function that strips."""

import pytest
from hypothesis import given

from gateway.model.presence import Field, PresenceDocument
from gateway.policy.published_info import PRESENCE_FIELDS, STANDARD_LEVELS, TABLE, fields_of, strip
from tests.policy.samples import CANARY, documents, field_sets, full_document, spelled_out

REFERENCE = {
    # what Communicator 2007 R2 shows at each level: P public, C company, T team, F personal (friends)
    "availability": "PCTF",
    "show": "PCTF",
    "display_name": "PCTF",
    "email": "PCTF",
    "title": "PCTF",
    "company": "PCTF",
    "activity": "CTF",
    "note": "CTF",
    "idle": "CTF",
    "last_active": "CTF",
    "device": "CTF",
    "capabilities": "CTF",
    "department": "CTF",
    "office": "CTF",
    "phone.work": "CTF",
    "address.work": "CTF",
    "url": "CTF",
    "time_zone": "CTF",
    "photo": "CTF",  # Lync shows it to Public too; the stricter choice stands
    "phone.mobile": "TF",
    "location": "TF",  # Lync shows it to Company too; the stricter choice stands
    "phone.home": "F",
    "phone.other": "F",
    "address.home": "F",
    "mood": "F",
    "free_busy": "CTF",
    "working_hours": "CTF",
    "out_of_office": "CTF",
    "meeting.subject": "T",  # deliberately not Personal
    "meeting.location": "T",
}
LETTERS = {"P": "public", "C": "company", "T": "team", "F": "personal"}


@pytest.mark.parametrize("name", list(Field), ids=lambda name: name.value)
def test_row_is_the_reference(name: Field) -> None:
    assert TABLE[name] == {LETTERS[letter] for letter in REFERENCE[name.value]}


@pytest.mark.parametrize("level", list(STANDARD_LEVELS))
def test_fields_of_reads_the_column(level: str) -> None:
    assert {name.value for name in fields_of(level)} == {
        name for name, letters in REFERENCE.items() if level in {LETTERS[letter] for letter in letters}
    }


def test_blocked_and_unknown_levels_see_nothing() -> None:
    assert fields_of("blocked") == fields_of("Public") == fields_of("") == fields_of("everything") == frozenset()


def test_levels_carry_the_container_numbers() -> None:
    assert dict(STANDARD_LEVELS) == {"blocked": 32000, "public": 100, "company": 200, "team": 300, "personal": 400}


def test_presence_fields_are_the_fields_of_the_present() -> None:
    assert {name.value for name in PRESENCE_FIELDS} == {
        *("availability", "show", "activity", "note", "idle", "last_active"),
        *("device", "capabilities", "location", "mood"),
        *("free_busy", "meeting.subject", "meeting.location", "out_of_office"),
    }


@given(documents(), field_sets)
def test_strip_keeps_exactly_what_is_published_and_permitted(
    document: PresenceDocument, permitted: frozenset[Field]
) -> None:
    seen = strip(document, permitted)
    assert seen.names == document.names & permitted
    assert all(seen[name] is document[name] for name in seen)


@given(documents(), field_sets, field_sets)
def test_strip_is_idempotent_and_composes_to_the_intersection(
    document: PresenceDocument, first: frozenset[Field], second: frozenset[Field]
) -> None:
    once = strip(document, first)
    assert strip(once, first) == once
    assert strip(once, second) == strip(document, first & second)


@given(documents(), field_sets)
def test_strip_leaves_the_document_as_it_was(document: PresenceDocument, permitted: frozenset[Field]) -> None:
    before = spelled_out(document)
    strip(document, permitted)
    assert spelled_out(document) == before


@pytest.mark.parametrize("name", list(Field), ids=lambda name: name.value)
def test_no_field_drags_the_value_of_another_along(name: Field) -> None:
    text = spelled_out(strip(full_document(), frozenset(Field) - {name}))
    assert f"{CANARY}:{name.value};" not in text
    assert CANARY in text
