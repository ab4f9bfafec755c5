"""What an administrator asks and changes on a running house."""

from typing import Any

import pytest
import pytest_twisted
from attrs import evolve

from gateway.errors import CommandError
from gateway.model.presence import OFFLINE, Field
from gateway.offices.administration import Administration
from gateway.policy.access_level import Assignment, Member
from gateway.policy.partners import Lock
from tests.stage import ALICE, CAROL, Stage, documents

NOTE = (("", "busy"),)


def made(**changes: Any) -> tuple[Stage, Administration]:
    stage = Stage(**changes)
    legs = {"inside": stage.inside, "xmpp": stage.outside}
    return stage, Administration(stage.house, stage.assignments, legs, dict, stage.clock.seconds)


@pytest_twisted.ensureDeferred
async def test_a_level_counts_at_once_and_says_what_was_before() -> None:
    stage, desk = made()
    stage.befriend()
    stage.online(note=NOTE)
    changed = await desk.levels_set("alice@corp.example", "bob@partner.example", "team")
    assert (changed["level"], changed["before"], changed["changed"]) == ("team", "public", True)
    assert Field.NOTE in documents(stage.outside.taken())[-1]
    again = await desk.levels_set("alice@corp.example", "bob@partner.example", "team")
    assert not again["changed"] and stage.outside.taken() == []
    back = await desk.levels_unset("alice@corp.example", "bob@partner.example")
    assert (back["level"], back["before"]) == ("public", "team")
    assert Field.NOTE not in documents(stage.outside.taken())[-1]


@pytest_twisted.ensureDeferred
async def test_a_level_for_everybody_reaches_every_pair() -> None:
    stage, desk = made()
    for contact in (CAROL, stage.befriend().contact):
        stage.befriend(contact)
        stage.online(contact)
    await desk.levels_set("", "everyone", "blocked")
    assert documents(stage.outside.taken()) == [OFFLINE, OFFLINE]


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(
    ("owner", "contact", "level", "why"),
    [
        ("alice@corp.example", "bob@partner.example", "friends", "no level"),
        ("alice@elsewhere.example", "bob@partner.example", "team", "none of our people"),
        ("corp.example", "bob@partner.example", "team", "none of our people"),
        ("alice@corp.example", "bob@@", "team", "."),
    ],
)
async def test_what_makes_no_sense_is_refused_in_words(owner: str, contact: str, level: str, why: str) -> None:
    stage, desk = made()
    with pytest.raises(CommandError, match=why):
        await desk.levels_set(owner, contact, level)
    assert stage.assignments.all() == []


def test_view_and_explain_show_what_the_contact_sees() -> None:
    stage, desk = made()
    stage.befriend()
    stage.online(note=NOTE)
    viewed = desk.view("alice@corp.example", "bob@partner.example")
    assert "document=PresenceDocument(availability)" in viewed["presence"]["xmpp"]
    explained = desk.explain("alice@corp.example", "bob@partner.example", "note")
    assert [one["reason"] for one in explained["fields"]] == ["level"]
    with pytest.raises(CommandError, match="no field"):
        desk.explain("alice@corp.example", "bob@partner.example", "shoe size")
    with pytest.raises(CommandError, match="no partner"):
        desk.view("alice@corp.example", "eve@stranger.example")
    with pytest.raises(CommandError, match="no person"):
        desk.view("alice@corp.example", "partner.example")


def test_levels_are_listed_however_the_owner_is_spelled() -> None:
    stage, desk = made()
    stage.assignments.set(Assignment(str(ALICE), Member.parse("bob@partner.example"), "team"))
    stage.assignments.set(Assignment("dave@corp.example", Member.parse("bob@partner.example"), "team"))
    assert len(desk.levels_list()) == 2
    assert [entry["owner"] for entry in desk.levels_list("Alice@Corp.Example")] == ["alice@corp.example"]


def test_a_lock_on_an_alias_of_the_partner_is_shown() -> None:
    stage, desk = made()
    partner = evolve(stage.pairs.rules.partners.by_name["partner.example"], domains=frozenset({"p.example"}))
    assert Lock(Field.NOTE, "p.example").binds(partner)
    assert desk.links_of(partner) == [] and desk.partners_list()[0]["state"] == "idle"
