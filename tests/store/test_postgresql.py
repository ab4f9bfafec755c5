"""PostgreSQL for real: one commit for many, one owner at a time, and back again after the server was away."""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import DeferredList
from twisted.internet.task import deferLater

from gateway.errors import StoreError
from gateway.model.chain import Anchor
from gateway.model.records import verify_records
from gateway.store.archive import SCHEMA_POSTGRESQL, ArchiveStore, Place, emptying, naming
from gateway.store.archive_reading import ArchiveSearch, lines, search
from gateway.store.grouping import inserting
from gateway.store.postgresql import PostgreSQL, reading, shown, translated
from tests.store.postgresql_server import Server, missing
from tests.store.test_archive import KEYS, rows_of

HOLD = "INSERT INTO hold VALUES (?, ?, ?)"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    if reason := missing():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    made = Server()
    made.make()
    made.start()
    yield made
    made.remove()


@pytest.fixture
def database(server: Server) -> Iterator[PostgreSQL]:
    opened = PostgreSQL(server.address, reactor, SCHEMA_POSTGRESQL)
    pytest_twisted.blockon(opened.write("DELETE FROM hold"))
    yield opened
    pytest_twisted.blockon(opened.close())


def held(database: PostgreSQL) -> list[str]:
    return [party for (party,) in database.read("SELECT party FROM hold ORDER BY party")]


@pytest_twisted.ensureDeferred
async def test_writes_that_wait_are_committed_together(database: PostgreSQL) -> None:
    before = database.commits
    await DeferredList([database.write(HOLD, (f"p{number:02}", number, "x")) for number in range(40)])
    assert len(held(database)) == 40
    assert database.commits - before < 20


@pytest_twisted.ensureDeferred
async def test_a_wrong_statement_undoes_its_own_write_only(database: PostgreSQL) -> None:
    good = database.write(HOLD, ("a", 1, "x"))
    wrong = database.write_all(((HOLD, ("b", 1, "x")), (HOLD, ("b", 2, "x"))))
    unfit = database.write(HOLD, ("c", "no number", "x"))
    last = database.write(HOLD, ("d", 1, "x"))
    await good
    for each in (wrong, unfit):
        with pytest.raises(StoreError, match="refused"):
            await each
    await last
    assert held(database) == ["a", "d"] and database.check() is None


@pytest_twisted.ensureDeferred
async def test_it_belongs_to_one_process_and_to_the_next_one_afterwards(database: PostgreSQL, server: Server) -> None:
    with pytest.raises(StoreError, match="in use by another"):
        PostgreSQL(server.address, reactor, SCHEMA_POSTGRESQL)
    await database.close()
    await database.close()
    assert "closed" in (database.check() or "")
    second = PostgreSQL(server.address, reactor, SCHEMA_POSTGRESQL)
    await second.write(HOLD, ("a", 1, "x"))
    await second.close()


@pytest_twisted.ensureDeferred
async def test_a_server_that_is_away_is_told_and_found_again(database: PostgreSQL, server: Server) -> None:
    await database.write(HOLD, ("before", 1, "x"))
    server.stop("immediate")
    try:
        with pytest.raises(StoreError, match="cannot be"):
            await database.write(HOLD, ("during", 1, "x"))
        assert "cannot be" in (database.check() or "")
    finally:
        server.start()
    end = time.monotonic() + 20
    while database.check() is not None:
        assert time.monotonic() < end
        await deferLater(reactor, 0.2)
    await database.write(HOLD, ("now", 1, "x"))
    assert held(database) == ["before", "now"]


@pytest_twisted.ensureDeferred
async def test_reading_sees_one_state_and_changes_nothing(database: PostgreSQL, server: Server) -> None:
    await database.write(HOLD, ("a", 1, "x"))
    with reading(server.address) as rows:
        assert list(rows("SELECT party FROM hold WHERE party LIKE ?", ("%a%",))) == [("a",)]
        await database.write(HOLD, ("b", 1, "x"))
        assert len(list(rows("SELECT party FROM hold"))) == 1
    with pytest.raises(StoreError, match="cannot be read"), reading(server.address) as rows:
        list(rows("INSERT INTO hold VALUES ('z', 1, 'x') RETURNING party"))
    assert held(database) == ["a", "b"]


@pytest_twisted.ensureDeferred
async def test_a_newer_schema_is_left_alone(database: PostgreSQL, server: Server, tmp_path: Path) -> None:
    await database.write("UPDATE schema_version SET version = 99")
    await database.close()
    with pytest.raises(StoreError, match="made by a newer one"):
        PostgreSQL(server.address, reactor, SCHEMA_POSTGRESQL)
    await _back(server)


async def _back(server: Server) -> None:
    import psycopg

    with psycopg.connect(server.address) as connection:
        connection.execute("UPDATE schema_version SET version = 1")


def test_nobody_there_is_told_without_the_password() -> None:
    with pytest.raises(StoreError) as caught:
        PostgreSQL("host=/nowhere password=canary dbname=x", reactor, SCHEMA_POSTGRESQL)
    assert "cannot be reached" in str(caught.value) and "canary" not in str(caught.value)
    assert shown("postgresql://gateway:canary@db.example/archive") == "postgresql://gateway:...@db.example/archive"
    assert translated("a LIKE '%' AND b = ?") == "a LIKE '%%' AND b = %s"


@pytest_twisted.ensureDeferred
async def test_an_archive_of_the_first_schema_with_records_in_it_is_taken_over(server: Server, tmp_path: Path) -> None:
    with psycopg.connect(server.address, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    (tmp_path / "first").mkdir()
    shutil.copy(SCHEMA_POSTGRESQL / "001.sql", tmp_path / "first")
    old = PostgreSQL(server.address, reactor, tmp_path / "first")
    rows, head = rows_of(0, 30, Anchor(0, "0" * 64))
    await old.write_all(inserting("record", rows))
    assert old.read("SELECT count(*) FROM pg_tables WHERE tablename = 'listed'") == [(0,)]
    await old.close()

    place = Place(tmp_path / "archive.db", server.address)
    store = ArchiveStore(place, reactor)
    assert store.head() == head
    more, _ = rows_of(30, 60, head)
    await store.append(more)
    found = [each["seq"] for each in search(place, KEYS, ArchiveSearch(conversation=4), 1000)]
    assert found == [row[0] for row in (*rows, *more) if row[2] == 4]
    assert verify_records(lines(place, KEYS))[0].entries == 60
    with place.reading() as asked:
        due = naming(asked, "u1@corp.example")
    assert any(first <= 30 for first, _ in due.ranges) and due.count
    await store.write(emptying(due.ranges))
    with place.reading() as asked:
        assert naming(asked, "u1@corp.example").count == 0
    await store.close()
