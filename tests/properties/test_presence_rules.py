"""Rules and levels: rules only add; what is exported comes back; what is imported never shows more than the rules."""

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.address import Address
from gateway.model.presence import Field
from gateway.model.rule_set import RuleSet, Watcher
from gateway.policy.access_level import Assignment, MemberKind, Network
from gateway.policy.members import Circle, Standing
from gateway.policy.presence_rules import fields_granted, grant_for, granted
from gateway.policy.rules_meant import levels_meant, members_of, moments_of
from gateway.policy.rules_written import rules_for
from gateway.protocols.pres_rules import read_rules, write_rules
from tests.interop.sip.test_levels_of_sip import NEVER, named, rich
from tests.policy.rule_samples import (
    ALICE,
    NOW,
    PEOPLE,
    entries,
    fields,
    level_sets,
    meant,
    network_of,
    rule_sets,
    rules,
)
from tests.properties.conforming import filtered
from tests.properties.wire import profile

TIMES = (NOW, NOW + 9, NOW + 10, NOW + 20, NOW + 25, NOW + 31, NOW + 1e6)
EVERYBODY = (*PEOPLE, *(Address.of("stranger", person.domain) for person in PEOPLE))


def plain(found: RuleSet) -> list[object]:
    """Rules without what is only for people to read."""
    return [evolve(rule, line=0, lines={}, handled=True) for rule in found.rules]


@profile
@given(rule_sets)
def test_what_is_written_is_read_again(found: RuleSet) -> None:
    read = read_rules(write_rules(found.rules))
    for person in EVERYBODY:
        for now in TIMES:
            watcher = Watcher(person, network_of(person.domain).value)
            assert granted(read.rules, watcher, now) == granted(found.rules, watcher, now)
            assert granted(read.rules, watcher, now, "Work") == granted(found.rules, watcher, now, "Work")


@profile
@given(rule_sets, rules, st.sampled_from(EVERYBODY), st.sampled_from(TIMES))
def test_a_rule_more_never_shows_less(found: RuleSet, more: object, person: Address, now: float) -> None:
    watcher = Watcher(person)
    before = granted(found.rules, watcher, now)
    after = granted((*found.rules, more), watcher, now)
    assert before | after == after
    assert fields_granted(before) <= fields_granted(after)
    assert granted(reversed((*found.rules, more)), watcher, now) == after


@profile
@given(fields)
def test_every_set_of_fields_can_be_granted_exactly(wanted: frozenset) -> None:
    assert fields_granted(grant_for(wanted)) == wanted


@profile
@given(st.data())
def test_an_imported_level_never_shows_more_than_the_rules(data: st.DataObject) -> None:
    levels = data.draw(level_sets())
    found = data.draw(rule_sets)
    standing = data.draw(entries(list(levels), ""))
    default = data.draw(st.sampled_from(list(levels)))
    kept = meant(found, standing, default, levels).entries
    after = Standing((*standing, *kept), levels, default)
    for person in EVERYBODY:
        for now in TIMES:
            watcher = Watcher(person, network_of(person.domain).value)
            shown = fields_granted(granted(found.rules, watcher, now))
            level = after.resolved(person, network_of(person.domain), now).level
            assert level.fields <= shown, (person, now, level.name)


@profile
@given(st.data())
def test_what_is_exported_is_the_same_levels_when_it_comes_back(data: st.DataObject) -> None:
    levels = data.draw(level_sets())
    everybody = data.draw(entries(list(levels), ""))
    own = data.draw(entries(list(levels)))
    default = data.draw(st.sampled_from(list(levels)))
    before = Standing((*everybody, *own), levels, default)
    members = {entry.member for entry in before.entries}
    written = rules_for(before, Circle.of(members, network_of), moments_of(RuleSet(), before.entries, NOW))
    read = read_rules(write_rules(written.rules))
    assert read.remarks == ()
    circle = Circle.of({*members_of(read), *(one.member for one in everybody)}, network_of)
    meaning = levels_meant(read, ALICE, Standing(everybody, levels, default), circle, NOW)
    # Where every class of network has an entry and one ends, nothing is left to find 'everyone' by: it is told.
    timed = any("import them again" in remark.text for remark in meaning.remarks)
    assert not timed or set(Network) == {Network(each.value) for each in members if each.kind is MemberKind.NETWORK}
    kept = meaning.entries
    after = Standing((*everybody, *kept), levels, default)
    assert all(isinstance(one, Assignment) and one.owner == ALICE for one in kept)
    for person in EVERYBODY:
        for now in TIMES:
            one, other = (each.resolved(person, network_of(person.domain), now).level for each in (before, after))
            watcher = Watcher(person, network_of(person.domain).value)
            assert fields_granted(granted(read.rules, watcher, now)) == one.fields
            assert other.fields <= one.fields
            if not timed:
                assert (one.fields, one.name == "blocked") == (other.fields, other.name == "blocked"), (person, now)


def document() -> str:
    """A rich document with an availability, and a number in each class that is an address as well."""
    show = "<s:show xmlns:s='jabber:client'>dnd</s:show></status>"
    return rich().replace("</status><rpid:relationship>", f"{show}<rpid:relationship>")


def shown(text: str) -> set[Field]:
    """The fields that are found in what a server sends."""
    marks = {Field.AVAILABILITY: ">open<", Field.SHOW: ">dnd<", Field.IDLE: ">idle<"}
    found = {Field(name) for name in named(text)} | {field for field, mark in marks.items() if mark in text}
    return found | ({Field.SHOW} if "busy/>" in text else set())


@profile
@given(fields)
def test_a_conforming_server_shows_no_more_than_the_level_that_was_exported(wanted: frozenset) -> None:
    text = filtered(document(), grant_for(wanted))
    assert shown(text) <= wanted
    assert not [word for word in NEVER if word in text and word != "canary-device"], "it is the id of a tuple"


@profile
@given(rule_sets.filter(lambda found: found.rules))
def test_the_fields_of_a_grant_are_no_more_than_a_conforming_server_shows(found: RuleSet) -> None:
    for rule in found.rules:
        grant = evolve(rule.grant, fields=frozenset())
        can_be_seen = shown(document())
        assert fields_granted(grant) & can_be_seen <= shown(filtered(document(), grant))


@profile
@given(rule_sets.filter(lambda found: found.rules))
def test_filtering_twice_is_filtering_once_where_nothing_is_chosen_by_class(found: RuleSet) -> None:
    """A-06: what is chosen by its class is not found again where the class is withheld."""
    for rule in found.rules:
        grant = evolve(rule.grant, services=evolve(rule.grant.services, classes=frozenset()))
        grant = evolve(grant, persons=evolve(grant.persons, classes=frozenset()))
        grant = evolve(grant, devices=evolve(grant.devices, classes=frozenset()))
        once = filtered(document(), grant)
        assert filtered(once, grant) == once
