"""What people give at their own server: all of it, only theirs, and never in place of an administrator's entry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail

from gateway.books.own_levels import OwnLevels
from gateway.policy.access_level import STANDARD, Assignment, Member, Origin
from tests.stage import ALICE, MemoryAssignments

BOB, CAROL, PARTNER = map(Member.parse, ("bob@partner.example", "carol@ally.example", "partner.example"))
MEMBERS = st.sampled_from([BOB, CAROL, PARTNER])
LEVELS = st.dictionaries(MEMBERS, st.sampled_from(sorted(STANDARD)))


def own(*entries: Assignment) -> tuple[OwnLevels, MemoryAssignments]:
    store = MemoryAssignments()
    for entry in entries:
        store.set(entry)
    return OwnLevels(store, lambda: 7.0), store


def entered(store: MemoryAssignments) -> dict[Member, str]:
    return {entry.member: entry.level for entry in store.of(ALICE)}


def test_what_is_told_is_entered_once_as_the_persons_own() -> None:
    levels, store = own()
    assert levels.take(ALICE, {BOB: "team", PARTNER: "blocked"})
    assert store.all() == [
        Assignment(ALICE, BOB, "team", Origin.CLIENT, 7.0),
        Assignment(ALICE, PARTNER, "blocked", Origin.CLIENT, 7.0),
    ]
    assert not levels.take(ALICE, {BOB: "team", PARTNER: "blocked"})


def test_what_is_told_no_more_is_taken_out() -> None:
    levels, store = own()
    levels.take(ALICE, {BOB: "team", CAROL: "personal"})
    assert levels.take(ALICE, {CAROL: "public"})
    assert entered(store) == {CAROL: "public"}
    assert levels.take(ALICE, {}) and not store.all()


@pytest.mark.parametrize("level", ["blocked", "personal"])
def test_an_administrators_entry_stays_as_it_is(level: str) -> None:
    entry = Assignment(ALICE, BOB, "company", Origin.ADMINISTRATOR, 1.0)
    levels, store = own(entry)
    assert not levels.take(ALICE, {BOB: level})
    assert not levels.take(ALICE, {})
    assert store.all() == [entry]


def test_entries_of_others_and_for_everybody_are_not_touched() -> None:
    others = [Assignment(owner, BOB, "team", Origin.CLIENT, 1.0) for owner in ("", "dave@corp.example")]
    levels, store = own(*others)
    assert not levels.take(ALICE, {})
    assert store.all() == others


@given(LEVELS, LEVELS, LEVELS)
def test_only_the_latest_word_counts(
    entries: dict[Member, str], first: dict[Member, str], last: dict[Member, str]
) -> None:
    administrators = {
        member: Assignment(ALICE, member, level, Origin.ADMINISTRATOR) for member, level in entries.items()
    }
    levels, store = own(*administrators.values())
    levels.take(ALICE, first)
    levels.take(ALICE, last)
    assert entered(store) == {**last, **entries}


def test_a_disk_that_fails_is_logged_and_the_change_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(MemoryAssignments):
        def set(self, assignment: Assignment) -> "Deferred[None]":
            super().set(assignment)
            return fail(OSError("no space"))

    told: list[str] = []
    monkeypatch.setattr(
        "gateway.books.own_levels.log", type("Log", (), {"failure": lambda self, event, *_: told.append(event)})()
    )
    store = Full()
    assert OwnLevels(store, lambda: 7.0).take(ALICE, {BOB: "team"})
    assert told == ["level not on disk"] and entered(store) == {BOB: "team"}
