"""Levels that come in from rules and containers on a running house, and go out as rules."""

from typing import Any

import pytest
import pytest_twisted

from gateway.errors import CommandError
from gateway.model.presence import OFFLINE, Field
from gateway.model.rule_set import SubHandling
from gateway.offices.exchanging import Exchanging
from gateway.policy.access_level import AccessLevel, Assignment, Member, Origin
from gateway.protocols.pres_rules import read_rules
from tests.protocols.pres_rules.rule_documents import rule, ruleset
from tests.stage import ALICE, BOB, CAROL, Stage, documents

OWNER = "alice@corp.example"
NOTE = (("", "busy"),)
ALLOWED = ruleset(rule()).decode()
LISTED = """<containers xmlns="http://schemas.microsoft.com/2006/09/sip/container-management">
 <container id="300" version="2"><member type="user" value="bob@partner.example"/></container>
 <container id="32000" version="1"><member type="domain" value="Ally.Example"/>
  <member type="user" value="carol@@"/></container>
 <container id="200" version="1"><member type="sameEnterprise"/><member type="user" value="bob@partner.example"/>
  <member type="aliens"/></container>
 <container id="777" version="1"><member type="everyone"/></container>
 <container id="1" version="1"/>
</containers>"""
CHANGES = """<setContainerMembers xmlns="http://schemas.microsoft.com/2006/09/sip/container-management">
 <container id="100" version="4"><member action="remove" type="user" value="bob@partner.example"/></container>
 <container id="400" version="2"><member action="add" type="user" value="dave@ally.example"/></container>
</setContainerMembers>"""


def made(**changes: Any) -> tuple[Stage, Exchanging]:
    stage = Stage(**changes)
    watchers = {ALICE: (BOB,)}
    desk = Exchanging(
        stage.house,
        stage.assignments,
        lambda person: watchers.get(person, ()),
        stage.house.facts_changed,
        stage.clock.seconds,
    )
    return stage, desk


def entries(stage: Stage) -> dict[str, tuple[str, Origin]]:
    return {str(entry.member): (entry.level, entry.origin) for entry in stage.assignments.of(OWNER)}


@pytest_twisted.ensureDeferred
async def test_rules_become_levels_that_count_at_once() -> None:
    stage, desk = made(level="blocked")
    stage.befriend()
    stage.online(note=NOTE)
    stage.outside.taken()
    result = await desk.levels_import("Alice@Corp.example", ALLOWED, None, None)
    assert result["kept"] and result["owner"] == OWNER
    assert result["changes"] == [{"contact": "bob@partner.example", "before": None, "after": "personal", "until": None}]
    assert entries(stage) == {"bob@partner.example": ("personal", Origin.ADMINISTRATOR)}
    assert Field.NOTE in documents(stage.outside.taken())[-1]
    again = await desk.levels_import(OWNER, ALLOWED, None, None)
    assert again["changes"] == []


@pytest_twisted.ensureDeferred
async def test_what_an_import_would_do_is_shown_before_anything_is_kept() -> None:
    stage, desk = made(level="blocked")
    stage.assignments.set(Assignment(OWNER, Member.parse("carol@ally.example"), "team"))
    result = await desk.levels_import(OWNER, ALLOWED, "pres-rules", "yes")
    assert not result["kept"] and {each["contact"]: (each["before"], each["after"]) for each in result["changes"]} == {
        "bob@partner.example": (None, "personal"),
        "carol@ally.example": ("team", None),
    }
    assert list(entries(stage)) == ["carol@ally.example"]


@pytest_twisted.ensureDeferred
async def test_an_import_takes_away_what_the_rules_do_not_give() -> None:
    stage, desk = made(level="blocked")
    stage.befriend(CAROL)
    stage.assignments.set(Assignment(OWNER, Member.parse(str(CAROL)), "team"))
    stage.house.facts_changed(list(stage.pairs))
    stage.online(CAROL, note=NOTE)
    stage.outside.taken()
    await desk.levels_import(OWNER, ALLOWED, None, None)
    assert documents(stage.outside.taken()) == [OFFLINE]


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(
    ("owner", "document", "format", "why"),
    [
        (OWNER, "<ruleset/>", None, "not a set of rules"),
        (OWNER, "<ruleset", None, "not well-formed"),
        (OWNER, ALLOWED, "containers", "no list of containers"),
        ("alice@elsewhere.example", ALLOWED, None, "none of our people"),
        ("corp.example", ALLOWED, None, "none of our people"),
    ],
)
async def test_what_cannot_be_imported_changes_nothing(owner: str, document: str, format: str | None, why: str) -> None:
    stage, desk = made()
    with pytest.raises(CommandError, match=why):
        await desk.levels_import(owner, document, format, None)
    assert stage.assignments.all() == []


@pytest_twisted.ensureDeferred
async def test_containers_become_levels_and_what_is_no_level_is_told() -> None:
    stage, desk = made()
    result = await desk.levels_import(OWNER, LISTED, "containers", None)
    assert {name: level for name, (level, _) in entries(stage).items()} == {
        "bob@partner.example": "team",
        "ally.example": "blocked",
        "enterprise": "company",
    }
    assert [(each["line"], each["rule"]) for each in result["remarks"]] == [(4, "blocked"), (6, "company"), (7, "")]


@pytest_twisted.ensureDeferred
async def test_changes_of_containers_change_those_entries_only() -> None:
    stage, desk = made()
    for contact, level in ((BOB, "public"), (CAROL, "public")):
        stage.assignments.set(Assignment(OWNER, Member.parse(str(contact)), level))
    result = await desk.levels_import(OWNER, CHANGES, "containers", None)
    assert {each["contact"]: (each["before"], each["after"]) for each in result["changes"]} == {
        "bob@partner.example": ("public", None),
        "dave@ally.example": (None, "personal"),
    }
    assert set(entries(stage)) == {str(CAROL), "dave@ally.example"}


@pytest_twisted.ensureDeferred
async def test_what_is_exported_can_be_imported_and_changes_nothing() -> None:
    stage, desk = made()
    now = stage.clock.seconds()
    for member, level, until in (
        ("bob@partner.example", "team", now + 3600.0),
        ("ally.example", "blocked", None),
        ("*.ally.example", "company", None),
        ("federation", "personal", None),
    ):
        entry = Assignment(OWNER, Member.parse(member), level, until=until)
        stage.assignments.set(entry)
    exported = desk.levels_export(OWNER, None)
    assert any("*.ally.example" in text for text in exported["remarks"])
    result = await desk.levels_import(OWNER, exported["document"], None, None)
    assert (result["changes"], result["remarks"]) == ([], [])


def test_the_form_for_kamailio_shows_all_or_nothing_to_each_contact() -> None:
    stage, desk = made()
    stage.pairs.rules.levels["all"] = AccessLevel("all", frozenset(Field), 50)
    named = {"carol@ally.example": "all", "dave@ally.example": "company", "erin@ally.example": "blocked"}
    for member, level in named.items():
        stage.assignments.set(Assignment(OWNER, Member.parse(member), level))
    soon = stage.clock.seconds() + 60.0
    stage.assignments.set(Assignment(OWNER, Member.parse("frank@ally.example"), "all", until=soon))
    stage.assignments.set(Assignment(OWNER, Member.parse("ally.example"), "all"))
    exported = desk.levels_export(OWNER, "kamailio")
    read = read_rules(exported["document"].encode())
    shown = {
        str(rule.conditions[0].members[0].address): rule.grant.handling is SubHandling.ALLOW  # type: ignore[union-attr]
        for rule in read.rules
    }
    assert shown == {
        "bob@partner.example": False,
        "carol@ally.example": True,
        "dave@ally.example": False,
        "erin@ally.example": False,
        "frank@ally.example": True,
    }
    said = "\n".join(exported["remarks"])
    assert "dave@ally.example (company)" in said and "bob@partner.example (public)" in said, "a watcher without a name"
    assert "no rule for ally.example" in said and "erin" not in said


def test_a_level_that_ends_is_given_to_kamailio_as_what_it_is_at_its_least() -> None:
    stage, desk = made()
    stage.pairs.rules.levels["all"] = AccessLevel("all", frozenset(Field), 50)
    soon = stage.clock.seconds() + 60.0
    stage.assignments.set(Assignment(OWNER, Member.parse("frank@ally.example"), "all", until=soon))
    exported = desk.levels_export(OWNER, "kamailio")
    assert all(
        one.grant.handling is SubHandling.POLITE_BLOCK for one in read_rules(exported["document"].encode()).rules
    )
    assert any("frank@ally.example (all, then public)" in text for text in exported["remarks"])
