"""Who may believe more than he may see: kept on disk until he is told."""

from pathlib import Path
from typing import Any

import pytest_twisted
from twisted.internet import reactor as running

from gateway.model.address import Address
from gateway.store.database import Database
from gateway.store.doubts import DoubtStore

reactor: Any = running
ALICE, BOB = Address.parse("alice@corp.example"), Address.parse("bob@partner.example")


@pytest_twisted.ensureDeferred
async def test_a_doubt_outlives_the_process_until_it_is_removed(tmp_path: Path) -> None:
    for expected in ([], [(ALICE, BOB)], []):
        database = Database(tmp_path / "state.db", reactor)
        doubts = DoubtStore(database)
        assert doubts.all() == expected and len(doubts) == len(expected)
        kept = doubts.remove(ALICE, BOB) if expected else doubts.add(ALICE, BOB)
        if kept is not None:
            await kept
        await database.close()


@pytest_twisted.ensureDeferred
async def test_what_is_there_already_is_not_written_again(tmp_path: Path) -> None:
    database = Database(tmp_path / "state.db", reactor)
    doubts = DoubtStore(database)
    assert doubts.remove(ALICE, BOB) is None
    kept = doubts.add(ALICE, BOB)
    assert kept is not None and doubts.add(ALICE, BOB) is None
    await kept
    await database.close()
