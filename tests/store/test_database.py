"""The writer thread, the schema files, and what survives a crash."""

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import DeferredList

from gateway.errors import StoreError
from gateway.store import schema
from gateway.store.database import Database

INSERT = "INSERT INTO secret VALUES (?, ?)"
PROGRAM = """
import os, sys
from pathlib import Path
from twisted.internet import reactor
from gateway.store.database import Database

database = Database(Path(sys.argv[1]), reactor)

def write(number):
    def committed(_):
        os.write(1, b"%d\\n" % number)
        if number == 40:
            os._exit(9)
        write(number + 3)
    for extra in range(3):
        done = database.write("INSERT INTO secret VALUES (?, ?)", (str(number + extra), b"x"))
    done.addCallback(committed)

reactor.callWhenRunning(write, 1)
reactor.run()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "gateway.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    opened = Database(path, reactor)
    yield opened
    pytest_twisted.blockon(opened.close())


def names(database: Database) -> list[str]:
    return [name for (name,) in database.read("SELECT name FROM secret ORDER BY name")]


@pytest_twisted.ensureDeferred
async def test_a_write_is_on_disk_when_its_deferred_fires(database: Database, path: Path) -> None:
    await database.write(INSERT, ("one", b"1"))
    other = sqlite3.connect(path)
    assert other.execute("SELECT name, value FROM secret").fetchall() == [("one", b"1")]
    other.close()


@pytest_twisted.ensureDeferred
async def test_writes_that_wait_are_committed_together(database: Database) -> None:
    writes = [database.write(INSERT, (f"{number:03}", b"")) for number in range(500)]
    outcomes = await DeferredList(writes)
    assert all(success for success, _ in outcomes)
    assert len(names(database)) == 500
    assert 1 <= database.commits < 100


@pytest_twisted.ensureDeferred
async def test_a_refused_write_spoils_neither_its_neighbours_nor_the_store(database: Database) -> None:
    outcomes = await DeferredList(
        [
            database.write(INSERT, ("one", b"")),
            database.write(INSERT, ("one", b"")),
            database.write(INSERT, ("two", object())),
            database.write(INSERT, ("two", b"")),
        ],
        consumeErrors=True,
    )
    assert [success for success, _ in outcomes] == [True, False, False, True]
    assert outcomes[1][1].check(StoreError)
    assert names(database) == ["one", "two"]
    assert database.check() is None


@pytest_twisted.ensureDeferred
async def test_several_statements_are_carried_out_all_or_none(database: Database) -> None:
    with pytest.raises(StoreError, match="UNIQUE"):
        await database.write_all([(INSERT, ("one", b"")), (INSERT, ("two", b"")), (INSERT, ("one", b""))])
    assert names(database) == []


@pytest_twisted.ensureDeferred
async def test_close_commits_what_waits_and_refuses_what_comes_later(path: Path) -> None:
    database = Database(path, reactor)
    waiting = [database.write(INSERT, (str(number), b"")) for number in range(50)]
    closed, closed_again = database.close(), database.close()
    with pytest.raises(StoreError, match="closed"):
        await database.write(INSERT, ("late", b""))
    await closed
    await closed_again
    assert all(done.called for done in waiting)
    with pytest.raises(StoreError, match="closed"):
        database.read("SELECT 1")
    assert "closed" in str(database.check())
    again = Database(path, reactor)
    assert len(names(again)) == 50
    await again.close()


@pytest_twisted.ensureDeferred
async def test_what_was_committed_survives_the_death_of_the_process(path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(path)]
    ended = subprocess.run(command, capture_output=True, timeout=30, check=False, cwd=Path(__file__).parents[2])
    assert ended.returncode == 9, ended.stderr
    promised = {str(int(line) + extra) for line in ended.stdout.split() for extra in range(3)}
    database = Database(path, reactor)
    assert len(promised) == 42
    assert promised <= set(names(database))
    assert database.read("PRAGMA integrity_check") == [("ok",)]
    await database.close()


@pytest_twisted.ensureDeferred
async def test_only_the_owner_reads_the_files(database: Database, path: Path) -> None:
    await database.write(INSERT, ("one", b""))
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    files = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert set(files) >= {"gateway.db", "gateway.db-wal", "gateway.db.lock"}
    assert set(files.values()) == {0o600}


@pytest_twisted.ensureDeferred
async def test_a_file_that_others_could_read_is_closed_to_them(path: Path) -> None:
    path.parent.mkdir()
    path.touch(0o644)
    database = Database(path, reactor)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    await database.close()


def test_every_commit_waits_for_the_disk(database: Database) -> None:
    assert database.read("PRAGMA journal_mode") == [("wal",)]
    assert database.read("PRAGMA synchronous") == [(2,)]


def test_a_second_gateway_on_the_same_state_is_refused(database: Database, path: Path) -> None:
    with pytest.raises(StoreError, match="in use by another process"):
        Database(path, reactor)


@pytest_twisted.ensureDeferred
async def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database, " * 100)
    with pytest.raises(StoreError, match=r"gateway\.db cannot be opened"):
        Database(path, reactor)
    path.unlink()
    await Database(path, reactor).close()


NEXT = f"_{len(schema.files()) + 1:03}"
"""The number of the next schema file, as `schema_folder` takes it."""


def schema_folder(folder: Path, **files: str) -> Path:
    folder.mkdir()
    for path in schema.files():
        (folder / path.name).write_text(path.read_text())
    for name, text in files.items():
        (folder / f"{name[1:]}.sql").write_text(text)
    return folder


@pytest_twisted.ensureDeferred
async def test_an_upgrade_keeps_what_is_there(database: Database, path: Path, tmp_path: Path) -> None:
    await database.write(INSERT, ("one", b"1"))
    await database.close()
    newer = schema_folder(
        tmp_path / "newer", **{NEXT: "ALTER TABLE secret ADD COLUMN note TEXT NOT NULL DEFAULT 'old'"}
    )
    upgraded = Database(path, reactor, newer)
    assert upgraded.read("SELECT * FROM secret") == [("one", b"1", "old")]
    assert upgraded.read("SELECT version FROM schema_version") == [(int(NEXT[1:]),)]
    await upgraded.close()
    with pytest.raises(StoreError, match="made by a newer one"):
        Database(path, reactor)


@pytest_twisted.ensureDeferred
async def test_a_failing_upgrade_changes_nothing(database: Database, path: Path, tmp_path: Path) -> None:
    await database.close()
    broken = schema_folder(
        tmp_path / "broken", **{NEXT: "CREATE TABLE fresh (name TEXT) STRICT; CREATE TABLE nonsense ("}
    )
    with pytest.raises(StoreError, match=rf"{NEXT[1:]}\.sql cannot be applied"):
        Database(path, reactor, broken)
    reopened = Database(path, reactor)
    assert reopened.read("SELECT version FROM schema_version") == [(int(NEXT[1:]) - 1,)]
    assert reopened.read("SELECT name FROM sqlite_master WHERE name = 'fresh'") == []
    await reopened.close()


def test_a_gap_in_the_numbers_is_refused(path: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="without a gap"):
        Database(path, reactor, schema_folder(tmp_path / "gap", _099="SELECT 1"))


@pytest_twisted.ensureDeferred
async def test_a_disk_error_reaches_every_writer_and_check_until_it_is_over(
    database: Database, path: Path, monkeypatch: Any
) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    await database.write("PRAGMA busy_timeout = 1")
    other.execute("BEGIN IMMEDIATE")
    writes = [database.write(INSERT, (str(number), b"")) for number in range(3)]
    outcomes = await DeferredList(writes, consumeErrors=True)
    assert [bool(success) for success, _ in outcomes] == [False] * 3
    assert all(failure.check(StoreError) for _, failure in outcomes)
    assert "cannot be written" in str(database.check())
    other.execute("ROLLBACK")
    other.close()
    await database.write(INSERT, ("after", b""))
    assert database.check() is None
    assert names(database) == ["after"]


def test_a_lost_file_is_noticed(database: Database, path: Path) -> None:
    assert database.check() is None
    os.rename(path, path.with_suffix(".away"))
    assert "gone" in str(database.check())
    os.rename(path.with_suffix(".away"), path)


@pytest_twisted.ensureDeferred
async def test_a_refused_write_that_comes_alone_leaves_nothing_of_itself_behind(database: Database) -> None:
    with pytest.raises(StoreError, match="the write is refused"):
        await database.write_all([(INSERT, ("one", b"x")), (INSERT, ("one",))])
    assert database.read("SELECT count(*) FROM secret WHERE name = 'one'") == [(0,)]
    await database.write(INSERT, ("two", b"x"))
    assert database.check() is None
