"""The subscriptions, in memory and on disk."""

import gc
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor

from gateway.model.address import Address
from gateway.model.subscription import State
from gateway.store.database import Database
from gateway.store.subscriptions import SubscriptionStore

ALICE = Address.parse("alice@corp.example")
BOB = Address.parse("bob@partner.example")
CAROL = Address.parse("carol@ally.example")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "gateway.db", reactor)
    yield opened
    pytest_twisted.blockon(opened.close())


@pytest.mark.parametrize("state", State)
@pytest_twisted.ensureDeferred
async def test_every_state_comes_back(database: Database, state: State) -> None:
    store = SubscriptionStore(database)
    written = store.set(ALICE, BOB, State.BOTH if state is State.NONE else State.NONE_IN)
    assert written is not None
    await written
    changed = store.set(ALICE, BOB, state)
    assert (changed is None) == (state is State.NONE_IN)
    if changed is not None:
        await changed
    assert store.state(ALICE, BOB) is state
    assert SubscriptionStore(database).state(ALICE, BOB) is state


@pytest_twisted.ensureDeferred
async def test_none_leaves_no_row_and_no_entry(database: Database) -> None:
    store = SubscriptionStore(database)
    store.set(ALICE, BOB, State.BOTH)
    removed = store.set(ALICE, BOB, State.NONE)
    assert removed is not None
    await removed
    assert database.read("SELECT * FROM subscription") == []
    assert len(store) == len(list(store.all())) == 0
    assert store.set(ALICE, BOB, State.NONE) is None


@pytest_twisted.ensureDeferred
async def test_watchers_are_those_who_may_see_the_person(database: Database) -> None:
    store = SubscriptionStore(database)
    store.set(ALICE, BOB, State.FROM)
    last = store.set(ALICE, CAROL, State.TO)
    assert last is not None
    await last
    for kept in (store, SubscriptionStore(database)):
        assert kept.watchers_of(ALICE) == (BOB,)
        assert kept.watchers_of(BOB) == ()
        assert set(kept.all()) == {(ALICE, BOB, State.FROM), (ALICE, CAROL, State.TO)}
        assert dict(kept.contacts_of(ALICE)) == {BOB: State.FROM, CAROL: State.TO}


def test_resources_do_not_matter(database: Database) -> None:
    store = SubscriptionStore(database)
    store.set(ALICE.at("desk"), BOB.at("phone"), State.BOTH)
    assert store.state(ALICE, BOB) is State.BOTH


@pytest_twisted.ensureDeferred
async def test_a_pair_takes_less_than_a_kibibyte(database: Database) -> None:
    """The worst case: every pair has a person and a contact of its own."""
    pairs = 5000
    rows = [(f"person{number}@corp.example", f"contact{number}@partner.example", "both") for number in range(pairs)]
    await database.write_all(
        [("INSERT INTO subscription (person, contact, state) VALUES (?, ?, ?)", row) for row in rows]
    )
    used = []
    for _ in range(3):  # another thread's objects may be counted as well
        gc.collect()
        tracemalloc.start()
        store = SubscriptionStore(database)
        gc.collect()
        used.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        assert len(store) == pairs
    assert min(used) / pairs < 1024


@pytest_twisted.ensureDeferred
async def test_that_the_own_server_has_not_agreed_yet_is_kept_as_long_as_the_contact_is_subscribed(
    database: Database,
) -> None:
    store = SubscriptionStore(database)
    assert store.set_agreed(ALICE, BOB, False) is None and store.agreed(ALICE, BOB)
    store.set(ALICE, BOB, State.FROM)
    assert store.set_agreed(ALICE, BOB, True) is None
    kept = store.set_agreed(ALICE, BOB, False)
    assert kept is not None
    await kept
    assert not SubscriptionStore(database).agreed(ALICE, BOB)
    kept = store.set(ALICE, BOB, State.BOTH)
    assert kept is not None
    await kept
    assert not SubscriptionStore(database).agreed(ALICE, BOB)
    kept = store.set_agreed(ALICE, BOB, True)
    assert kept is not None
    await kept
    assert SubscriptionStore(database).agreed(ALICE, BOB) and store.agreed(ALICE, BOB)


@pytest.mark.parametrize("after", [State.NONE, State.TO])
@pytest_twisted.ensureDeferred
async def test_with_the_subscription_ends_that_nobody_has_agreed(database: Database, after: State) -> None:
    store = SubscriptionStore(database)
    store.set(ALICE, BOB, State.BOTH)
    store.set_agreed(ALICE, BOB, False)
    store.set(ALICE, BOB, after)
    kept = store.set(ALICE, BOB, State.FROM)
    assert kept is not None
    await kept
    assert store.agreed(ALICE, BOB) and SubscriptionStore(database).agreed(ALICE, BOB)
