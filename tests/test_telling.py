"""What is new to one contact is said to be new to him, whatever was new to the contact before him."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.address import Address
from gateway.model.envelope import Envelope
from gateway.model.presence import OFFLINE, Field, Presence, PresenceDocument, Show
from tests.stage import ALICE, BOB, DESK, Stage, away, here

DAN = Address.parse("dan@partner.example")
STEPS = [here(), here(show=Show.AWAY), here(show=Show.AWAY, note=(("", "x"),)), here(note=(("", "y"),)), away()]


def told(envelopes: list[Envelope]) -> Any:
    """Gives the one presence that was told, or None."""
    assert len(envelopes) <= 1
    return envelopes[0].content if envelopes else None


@given(st.lists(st.tuples(st.sampled_from([BOB, DAN]), st.sampled_from(STEPS)), max_size=12))
def test_each_contact_is_told_what_differs_from_what_he_knows(steps: list[tuple[Address, Presence]]) -> None:
    stage = Stage(level="team")
    for contact in (BOB, DAN):
        stage.befriend(contact)
    known: dict[Address, PresenceDocument] = {BOB: OFFLINE, DAN: OFFLINE}
    for contact, said in steps:
        before, now = known[contact], said.document
        names = {name for name in Field if before.get(name) != now.get(name)}
        expected = Presence(now, changed=frozenset(names)) if names else None
        assert told(stage.from_inside(DESK, contact, said)) == expected
        known[contact] = now


def test_many_who_know_the_same_are_told_the_same_object() -> None:
    stage, said = Stage(level="team"), here(show=Show.AWAY)
    for contact in (BOB, DAN):
        stage.befriend(contact)
    first, second = (told(stage.from_inside(DESK, contact, said)) for contact in (BOB, DAN))
    assert first is second and first.document == said.document


@pytest.mark.parametrize("level", ["public", "blocked"])
def test_a_contact_of_another_level_is_told_his_own(level: str) -> None:
    stage, said = Stage(level="team"), here(show=Show.AWAY, note=(("", "x"),))
    for contact in (BOB, DAN):
        stage.befriend(contact)
    stage.level(level, DAN, ALICE)
    assert told(stage.from_inside(DESK, BOB, said)).document[Field.NOTE] == (("", "x"),)
    other = told(stage.from_inside(DESK, DAN, said))
    assert other is None if level == "blocked" else set(other.document) == {Field.AVAILABILITY, Field.SHOW}
