"""The assignments that people make, in memory and on disk."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor

from gateway.policy.access_level import Assignment, Member, Origin
from gateway.store.contacts import AssignmentStore
from gateway.store.database import Database

ALICE = "alice@corp.example"
BOB = Member.parse("bob@partner.example")
TEAM = Assignment(ALICE, BOB, "team", Origin.PERSON, since=100.0, until=200.0)
PUBLIC = Assignment(ALICE, BOB, "public")
EVERYBODY = Assignment("", Member.parse("*.ally.example"), "company", Origin.ADMINISTRATOR)
NETWORK = Assignment(ALICE, Member.parse("federation"), "public")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "gateway.db", reactor)
    yield opened
    pytest_twisted.blockon(opened.close())


@pytest_twisted.ensureDeferred
async def test_assignments_come_back_as_they_were(database: Database) -> None:
    store = AssignmentStore(database)
    for entry in (TEAM, EVERYBODY, NETWORK):
        await store.set(entry)
    again = AssignmentStore(database)
    assert set(again.all()) == set(store.all()) == {TEAM, EVERYBODY, NETWORK}
    assert set(again.of(ALICE)) == {TEAM, NETWORK}
    assert tuple(again.of("")) == (EVERYBODY,)
    assert tuple(again.of("carol@corp.example")) == ()


@pytest_twisted.ensureDeferred
async def test_a_second_assignment_for_the_same_member_replaces_the_first(database: Database) -> None:
    store = AssignmentStore(database)
    store.set(TEAM)
    waiting = store.set(PUBLIC)
    assert tuple(store.of(ALICE)) == (PUBLIC,), "it counts before it is on disk"
    await waiting
    assert AssignmentStore(database).all() == (PUBLIC,)


@pytest_twisted.ensureDeferred
async def test_unset_removes_one_and_only_one(database: Database) -> None:
    store = AssignmentStore(database)
    store.set(TEAM)
    store.set(NETWORK)
    await store.unset(ALICE, BOB)
    await store.unset(ALICE, BOB)
    assert store.all() == AssignmentStore(database).all() == (NETWORK,)
    await store.unset(ALICE, NETWORK.member)
    assert tuple(store.of(ALICE)) == ()


@pytest_twisted.ensureDeferred
async def test_what_has_ended_can_be_removed(database: Database) -> None:
    store = AssignmentStore(database)
    store.set(TEAM)
    store.set(EVERYBODY)
    assert store.expired(199.9) == ()
    assert store.expired(200.0) == (TEAM,)
    await store.remove_expired(200.0)
    assert store.all() == AssignmentStore(database).all() == (EVERYBODY,)
