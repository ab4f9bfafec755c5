"""The disclosure ledger on disk: a database of its own, in which entries are added, emptied of persons, and removed."""

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred

from gateway.errors import StoreError
from gateway.model.chain import FORMAT, Anchor, digest
from gateway.store.database import Database, Reactor, Statement

SCHEMA = Path(__file__).parent / "ledger_schema"
PRAGMAS = ("PRAGMA secure_delete = ON",)
"""What is erased or removed is overwritten, not only forgotten."""
STEP = 10_000
"""Entries that one removal takes away at most."""
_INSERT = "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?)"
_HEAD = "SELECT seq, link FROM entry ORDER BY seq DESC LIMIT 1"
_START = "SELECT seq, link FROM start"
_SOME = "entry.at >= ? AND entry.about <> '' AND entry.contact <> '' AND entry.about IS NOT NULL"
_PAIRS = f"SELECT DISTINCT about, contact FROM entry WHERE {_SOME}"  # noqa: S608 no value in it
_SENT = f"SELECT DISTINCT about, contact, value FROM entry, json_each(entry.entry, '$.sent') WHERE {_SOME}"  # noqa: S608
_WITHHELD = f"SELECT DISTINCT about, contact, key FROM entry, json_each(entry.entry, '$.withheld') WHERE {_SOME}"  # noqa: S608

Row = tuple[int, int, str | None, str | None, str | None, str, str]
"""seq, at (milliseconds), about, contact, salt, entry, link."""


@frozen
class Search:
    """Says which entries are wanted."""

    about: str = ""
    """A person inside."""
    to: str = ""
    """A contact outside, or a domain."""
    since: float = 0.0
    """Posix seconds."""
    field: str = ""
    """The name of a field that was sent or withheld."""

    def where(self) -> tuple[str, list[Any]]:
        """Gives the condition in SQL, and its parameters."""
        terms, values = ["at >= ?"], list[Any]([self.since * 1000])
        if self.about:
            terms.append("about = ?")
            values.append(self.about)
        if self.to:
            terms.append("contact = ?" if "@" in self.to else "substr(contact, instr(contact, '@') + 1) = ?")
            values.append(self.to)
        if self.field:
            terms.append("instr(entry, ?)")
            values.append(json.dumps(self.field))
        return " AND ".join(terms), values


@define(eq=False)
class LedgerStore:
    """Is the file that the daemon writes; every method belongs to the reactor's thread."""

    path: Path
    _reactor: Reactor
    _database: Database = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._database = Database(self.path, self._reactor, SCHEMA, PRAGMAS)

    def head(self) -> Anchor:
        """Gives the newest entry's number and link."""
        rows = self._database.read(_HEAD) or self._database.read(_START)
        return Anchor(*rows[0])

    def start(self) -> Anchor:
        """Gives the last entry that was removed."""
        return Anchor(*self._database.read(_START)[0])

    def append(self, rows: Iterable[Row], changes: Sequence[Statement] = ()) -> "Deferred[None]":
        """Carries out changes and adds entries, all or none; the Deferred fires when they are on the disk."""
        return self._database.write_all((*changes, *((_INSERT, row) for row in rows)))

    def older(self, moment: float) -> Anchor | None:
        """Gives the entry up to which all are older than a moment (posix seconds), a step further at most; or None."""
        first = self.start().seq
        rows = self._database.read("SELECT seq, link, at FROM entry WHERE seq > ? ORDER BY seq LIMIT ?", (first, STEP))
        found = None
        for seq, link, at in rows:
            if at >= moment * 1000:
                break
            found = Anchor(seq, link)
        return found

    def entries_of(self, person: str, before: float) -> tuple[list[tuple[int, int]], int]:
        """Gives the entries that name a person and are older than a moment, as ranges, and how many are younger."""
        either = "SELECT seq, at FROM entry WHERE about = ?1 UNION SELECT seq, at FROM entry WHERE contact = ?1"
        rows = self._database.read(f"{either} ORDER BY seq", (person,))
        old = [seq for seq, at in rows if at < before * 1000]
        return _ranges(old), len(rows) - len(old)

    def check(self) -> str | None:
        """Says why nothing can be written, or None."""
        return self._database.check()

    def close(self) -> "Deferred[None]":
        """Writes what waits, then closes."""
        return self._database.close()


def removal(through: Anchor) -> tuple[Statement, ...]:
    """Gives the statements that remove all entries up to one."""
    return (
        ("DELETE FROM entry WHERE seq <= ?", (through.seq,)),
        ("UPDATE start SET seq = ?, link = ?", (through.seq, through.link)),
    )


def erasure(ranges: Iterable[tuple[int, int]]) -> tuple[Statement, ...]:
    """Gives the statements that empty entries of their persons."""
    sql = "UPDATE entry SET about = NULL, contact = NULL, salt = NULL WHERE seq BETWEEN ? AND ?"
    return tuple((sql, each) for each in ranges)


def note_anchor(path: Path, anchor: Anchor) -> None:
    """Adds an anchor to the file beside a ledger."""
    place = os.open(path.with_suffix(".anchors"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(place, "w", encoding="ascii") as file:
        file.write(f"{anchor}\n")


def anchors(path: Path) -> list[Anchor]:
    """Gives the anchors that were noted beside a ledger; a last one that was not written whole is passed over."""
    try:
        text = path.with_suffix(".anchors").read_text("ascii")
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as problem:
        raise StoreError(f"the anchors of {path} cannot be read: {problem}") from None
    return [Anchor.parse(line) for line in text.split("\n")[:-1]]


def _ranges(numbers: Iterable[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


# -- reading, in any thread and any process ------------------------------------------------------------------------


def _open(path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        connection.execute("BEGIN")
        connection.execute(_START).fetchone()
    except sqlite3.Error as problem:
        raise StoreError(f"{path} cannot be read: {problem}") from None
    return connection


def sweep(path: Path) -> bool:
    """Empties the write-ahead file, in which erased names still stand; False when somebody reads just now."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as problem:
        raise StoreError(f"{path} cannot be swept: {problem}") from None
    return not busy


def search(path: Path, wanted: Search, limit: int) -> list[dict[str, Any]]:
    """Gives the newest entries that fit, oldest of them first, each with its persons."""
    where, values = wanted.where()
    sql = f"SELECT about, contact, entry FROM entry WHERE {where} ORDER BY seq DESC LIMIT ?"  # noqa: S608 no value in it
    try:
        with closing(_open(path)) as connection:
            rows = connection.execute(sql, (*values, limit)).fetchall()
    except sqlite3.Error as problem:
        raise StoreError(f"{path} cannot be read: {problem}") from None
    return [{**json.loads(entry), "about": about, "to": contact} for about, contact, entry in reversed(rows)]


def disclosed(path: Path, since: float) -> dict[tuple[str, str], set[str]]:
    """Gives, by person and contact, the names of all fields that an entry since then (posix seconds) names.

    Pairs of which entries name no field are there as well.
    """
    found: dict[tuple[str, str], set[str]] = {}
    try:
        with closing(_open(path)) as connection:
            for sql in (_PAIRS, _SENT, _WITHHELD):
                for about, contact, *name in connection.execute(sql, (since * 1000,)):
                    found.setdefault((about, contact), set()).update(name)
    except sqlite3.Error as problem:
        raise StoreError(f"{path} cannot be read: {problem}") from None
    return found


def lines(path: Path, person: str = "") -> Iterator[dict[str, Any]]:
    """Goes through the lines of an export; with a person, all that names others shows its digest only."""
    try:
        with closing(_open(path)) as connection:
            seq, link = connection.execute(_START).fetchone()
            yield {"ledger": FORMAT, "from": {"seq": seq, "link": link}}
            rows = connection.execute("SELECT seq, about, contact, salt, entry, link FROM entry ORDER BY seq")
            for seq, about, contact, salt, entry, link in rows:
                if person and salt is not None and person not in (about, contact):
                    yield {"seq": seq, "digest": digest(entry), "link": link}
                else:
                    yield {"entry": json.loads(entry), "about": about, "to": contact, "salt": salt, "link": link}
            yield {"head": {"seq": seq, "link": link}}
    except sqlite3.Error as problem:
        raise StoreError(f"{path} cannot be read: {problem}") from None
