"""The archive on disk: rows that are added together, and what belongs to a conversation, listed or not yet."""

import base64
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor

from gateway.model.message import Message, MessageKind
from gateway.model.records import Record, RecordKind, verify_records
from gateway.store import archive
from gateway.store.archive import (
    PASSED,
    SCHEMA,
    ArchiveStore,
    Place,
    chained,
    emptied,
    emptying,
    expired,
    naming,
    removal,
)
from gateway.store.archive_reading import ArchiveSearch, lines, search
from gateway.store.grouping import inserting
from gateway.store.sealing import Keys

KEYS = Keys.parse(base64.b64encode(bytes(range(32))).decode())
TEXT = Message(MessageKind.CHAT, bodies=(("", "fine"),))


def told(number: int) -> Record:
    """Gives one record: every fifth begins a conversation, the others are what is said in the last three in turn."""
    if number % 5 == 0:
        person = f"u{number // 5 % 2}@corp.example"
        return Record(number, RecordKind.CONVERSATION, {"by": "out"}, person, "bob@partner.example", number // 5 + 1)
    conversation = max(1, number // 5 + 1 - number % 3)
    return Record(number, RecordKind.MESSAGE, PASSED[number % 2], conversation=conversation, body=TEXT)


def rows_of(first: int, last: int, head: Any) -> Any:
    return chained([told(number) for number in range(first, last)], head, KEYS)


@pytest_twisted.ensureDeferred
async def test_listed_or_not_the_same_is_found_and_due(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = []
    for listed_at in (10_000, 7):
        monkeypatch.setattr(archive, "LISTED", listed_at)
        store = ArchiveStore(Place(tmp_path / f"{listed_at}.db"), reactor)
        head = store.head()
        for first in range(0, 60, 5):
            rows, head = rows_of(first, first + 5, head)
            await store.append(rows)
        with store.place.reading() as asked:
            ((through,),) = list(asked("SELECT seq FROM listed"))
            due = naming(asked, "u1@corp.example")
            late = expired(asked, {("u0@corp.example", "bob@partner.example"): 40.0}, 100.0)
        found = [each["seq"] for each in search(store.place, KEYS, ArchiveSearch(about="u0@corp.example"), 1000)]
        of = [each["seq"] for each in search(store.place, KEYS, ArchiveSearch(conversation=4), 1000)]
        answers.append((due, late, found, of, store.newest_conversation()))
        await store.close()
        assert (through > 40) is (listed_at == 7)
    assert answers[0] == answers[1]
    assert answers[0][0].count + len(answers[0][2]) == 60
    assert len(answers[0][3]) > 1


@pytest_twisted.ensureDeferred
async def test_what_is_removed_is_removed_from_the_list_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "LISTED", 10)
    store = ArchiveStore(Place(tmp_path / "archive.db"), reactor)
    rows, head = rows_of(0, 30, store.head())
    await store.append(rows)
    await store.write(emptying([(1, 20)]))
    with store.place.reading() as asked:
        through = emptied(asked, 1000.0)
    assert through is not None and through.seq == 20
    await store.write(removal(through))
    with store.place.reading() as asked:
        assert list(asked("SELECT min(seq), count(*) FROM spoken")) == [(21, 10)]
    rows, _ = rows_of(30, 45, head)
    await store.append(rows)
    with store.place.reading() as asked:
        assert list(asked("SELECT count(*), count(DISTINCT seq), max(seq) FROM turn")) == [(25, 25, 45)]
    await store.close()


@pytest_twisted.ensureDeferred
async def test_an_archive_of_the_first_schema_is_taken_over(tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.mkdir()
    shutil.copy(SCHEMA / "001.sql", first)
    place = Place(tmp_path / "archive.db")
    with sqlite3.connect(place.path) as old:
        old.executescript((first / "001.sql").read_text())
        old.execute("PRAGMA journal_mode = WAL")
        rows, head = rows_of(0, 30, archive.Anchor(0, "0" * 64))
        for sql, values in inserting("record", rows):
            old.execute(sql, values)
        old.executescript(
            "CREATE TABLE schema_version (version INTEGER NOT NULL); INSERT INTO schema_version VALUES (1)"
        )
    old.close()
    store = ArchiveStore(place, reactor)
    assert store.head() == head
    before = [each["seq"] for each in search(place, KEYS, ArchiveSearch(conversation=4), 1000)]
    assert before == [row[0] for row in rows if row[2] == 4]
    done, closed = verify_records(lines(place, KEYS))
    assert (done.entries, closed) == (30, 0)
    await store.close()
