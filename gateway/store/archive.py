"""The archive on disk: records are added, emptied, sealed again and removed, in SQLite or PostgreSQL alike."""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

from attrs import define, field, frozen
from twisted.internet.defer import Deferred

from gateway.config import Config
from gateway.errors import StoreError
from gateway.model.chain import Anchor, canonical, digest, link, seal
from gateway.model.records import FORM, Record, body_digest, body_text, message_entry
from gateway.store import postgresql
from gateway.store.database import Database, Reactor, Statement
from gateway.store.grouping import inserting
from gateway.store.sealing import Keys

SCHEMA = Path(__file__).parent / "archive_schema"
SCHEMA_POSTGRESQL = Path(__file__).parent / "archive_schema_postgresql"
PRAGMAS = ("PRAGMA secure_delete = ON",)
"""What is erased or removed is overwritten, not only forgotten."""
FILE = "archive.db"
"""The name of the archive in the state folder."""
STEP = 10_000
"""Records that one erasure or removal concerns at most."""
_SALT, _CHANCE = 16, 44
"""Random bytes of a salt, and of a record: two salts and a nonce."""
LISTED = 5_000
"""Records that are looked through one by one for those of a conversation; beyond that they are listed."""
_LIST: tuple[Statement, ...] = (
    (
        "INSERT INTO spoken SELECT conversation, seq FROM record"
        " WHERE seq > (SELECT seq FROM listed) AND conversation IS NOT NULL ORDER BY conversation, seq",
        (),
    ),
    ("UPDATE listed SET seq = (SELECT max(seq) FROM record)", ()),
)
_HEAD = "SELECT seq, link FROM record ORDER BY seq DESC LIMIT 1"
PASSED = tuple({"direction": direction, "outcome": "sent"} for direction in ("out", "in"))
"""What is said of a message that has passed; two objects only, so that they are found at once."""
START = "SELECT seq, link FROM start"

RecordRow = tuple[int, int, int | None, str | None, str | None, str | None, str, str, str | None, bytes | None]
"""seq, at (milliseconds), conversation, about, contact, salt, entry, link, key, sealed."""
Rows = Callable[..., Iterator[tuple[Any, ...]]]
"""Asks with SQL and its values."""


class Opened(Protocol):
    """Is a database that this process writes: `Database` or `PostgreSQL`."""

    def write_all(self, statements: Iterable[Statement]) -> "Deferred[None]":
        """Carries out all statements or none."""

    def read(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Gives the rows of a query."""

    def check(self) -> str | None:
        """Says why nothing can be written, or None."""

    def close(self) -> "Deferred[None]":
        """Writes what waits, then closes."""


@frozen
class Place:
    """Is where the archive is: a file, or the address of a PostgreSQL database."""

    path: Path
    """The file; beside it stand the anchors, also those of a PostgreSQL database."""
    address: str = field(default="", repr=False)

    @classmethod
    def of(cls, config: Config) -> "Place":
        """Gives where a configuration keeps the archive."""
        terms = config.archive
        return cls(terms.file or config.state / FILE, terms.postgresql.text if terms.postgresql is not None else "")

    def __str__(self) -> str:
        return postgresql.shown(self.address) if self.address else str(self.path)

    def open(self, reactor: Reactor) -> Opened:
        """Opens it for writing, with the newest schema; raises StoreError."""
        if self.address:
            return postgresql.PostgreSQL(self.address, reactor, SCHEMA_POSTGRESQL)
        return Database(self.path, reactor, SCHEMA, PRAGMAS)

    def reading(self) -> AbstractContextManager[Rows]:
        """Opens it to ask, from any thread and any process; raises StoreError, also while rows are fetched."""
        return postgresql.reading(self.address) if self.address else _reading_file(self.path)


@contextmanager
def _reading_file(path: Path) -> Iterator[Rows]:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("BEGIN")
            connection.execute(START).fetchone()
            yield lambda sql, parameters=(): connection.execute(sql, parameters)
    except sqlite3.Error as problem:
        raise StoreError(f"{path} cannot be read: {problem}") from None


@define(eq=False)
class ArchiveStore:
    """Is the archive that the daemon writes; all of it belongs to the reactor's thread. Opening raises StoreError."""

    place: Place
    _reactor: Reactor
    _database: Opened = field(init=False)
    _unlisted: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._database = self.place.open(self._reactor)
        ((self._unlisted,),) = self._database.read("SELECT count(*) FROM record WHERE seq > (SELECT seq FROM listed)")

    def head(self) -> Anchor:
        """Gives the newest record's number and link."""
        rows = self._database.read(_HEAD) or self._database.read(START)
        return Anchor(*rows[0])

    def newest_conversation(self) -> int:
        """Gives the largest number of a conversation, or 0."""
        ((number,),) = self._database.read("SELECT max(conversation) FROM turn")
        return int(number or 0)

    def append(self, rows: Iterable[RecordRow], changes: Sequence[Statement] = ()) -> "Deferred[None]":
        """Carries out changes and adds records, all or none; the Deferred fires when they are on the disk."""
        added = list(rows)
        self._unlisted += len(added)
        follows: tuple[Statement, ...] = ()
        if self._unlisted >= LISTED:
            self._unlisted, follows = 0, _LIST
        return self._database.write_all((*changes, *inserting("record", added), *follows))

    def write(self, statements: Iterable[Statement]) -> "Deferred[None]":
        """Carries out statements, all or none."""
        return self._database.write_all(statements)

    def check(self) -> str | None:
        """Says why nothing can be written, or None."""
        return self._database.check()

    def close(self) -> "Deferred[None]":
        """Writes what waits, then closes."""
        return self._database.close()


def chained(records: Sequence[Record], head: Anchor, keys: Keys) -> tuple[list[RecordRow], Anchor]:
    """Gives the rows of records that follow a head, and the head after them: each text is sealed for its place."""
    chance = os.urandom(_CHANCE * len(records))
    seq, its_link, rows = head.seq, head.link, list[RecordRow]()
    for number, record in enumerate(records):
        seq += 1
        row = _chained(record, seq, its_link, keys, chance[number * _CHANCE : (number + 1) * _CHANCE])
        its_link = row[7]
        rows.append(row)
    return rows, Anchor(seq, its_link)


def _chained(record: Record, seq: int, before: str, keys: Keys, chance: bytes) -> RecordRow:
    sealed_two = body = ""
    salt: str | None = None
    key: str | None = None
    sealed: bytes | None = None
    if record.about or record.to:
        salt = chance[:_SALT].hex()
        sealed_two = seal(salt, record.about, record.to)
    if record.body is not None:
        text = body_text(record.body, chance[_SALT : 2 * _SALT].hex())
        body = body_digest(text)
        key, sealed = keys.newest, keys.seal(text.encode("ascii"), place_of(seq), chance[2 * _SALT :])
    at = round(record.at * 1000)
    if (record.facts is PASSED[0] or record.facts is PASSED[1]) and record.conversation is not None:
        written = message_entry(seq, at, record.conversation, record.facts["direction"], body)
    else:
        written = canonical(record.entry(seq, sealed_two, body))
    about, to = (record.about, record.to) if salt else (None, None)
    return (
        seq,
        at,
        record.conversation,
        about,
        to,
        salt,
        written,
        link(before, digest(written)),
        key,
        sealed,
    )


def place_of(seq: int) -> bytes:
    """Gives what binds a sealed text to its record."""
    return f"{FORM} {seq}".encode("ascii")


# -- statements ----------------------------------------------------------------------------------------------------


def removal(through: Anchor) -> tuple[Statement, ...]:
    """Gives the statements that remove all records up to one."""
    of = "SELECT conversation FROM record WHERE seq <= ? AND conversation IS NOT NULL"
    return (
        (f"DELETE FROM spoken WHERE seq <= ? AND conversation IN ({of})", (through.seq, through.seq)),  # noqa: S608 no value in it
        ("DELETE FROM record WHERE seq <= ?", (through.seq,)),
        ("UPDATE start SET seq = ?, link = ?", (through.seq, through.link)),
    )


def emptying(ranges: Iterable[tuple[int, int]]) -> tuple[Statement, ...]:
    """Gives the statements that empty records of persons and texts."""
    sql = "UPDATE record SET about = NULL, contact = NULL, salt = NULL, key = NULL, sealed = NULL"
    return tuple((f"{sql} WHERE seq BETWEEN ? AND ?", each) for each in ranges)


def holding(party: str, since: float, reason: str) -> tuple[Statement, ...]:
    """Gives the statements that begin a legal hold; one that stands already gets another reason."""
    return releasing(party) + (("INSERT INTO hold VALUES (?, ?, ?)", (party, round(since * 1000), reason)),)


def releasing(party: str) -> tuple[Statement, ...]:
    """Gives the statement that ends a legal hold."""
    return (("DELETE FROM hold WHERE party = ?", (party,)),)


def resealing(seq: int, before: str, key: str, sealed: bytes) -> Statement:
    """Gives the statement that puts a text that was sealed again in its place, unless it is gone meanwhile."""
    return "UPDATE record SET key = ?, sealed = ? WHERE seq = ? AND key = ?", (key, sealed, seq, before)


# -- holds -----------------------------------------------------------------------------------------------------------


@frozen
class Held:
    """Is one legal hold: a person or contact by bare address, or all of a domain."""

    party: str
    since: float
    """Posix seconds."""
    reason: str


def holds(rows: Rows) -> list[Held]:
    """Gives the legal holds, the oldest first."""
    found = rows("SELECT party, since, reason FROM hold ORDER BY since")
    return [Held(party, since / 1000, reason) for party, since, reason in found]


def is_held(parties: Iterable[str], about: str | None, contact: str | None) -> bool:
    """Says whether a legal hold stands on either of two addresses, or on the domain of one."""
    named = {name for each in (about, contact) if each for name in (each, each.rpartition("@")[2])}
    return not named.isdisjoint(parties)


# -- what is due ------------------------------------------------------------------------------------------------------


@frozen
class Due:
    """Says which records are to be emptied, as ranges, and how many are left as they are because they are held."""

    ranges: list[tuple[int, int]]
    held: int

    @property
    def count(self) -> int:
        """Counts the records that are to be emptied."""
        return sum(last - first + 1 for first, last in self.ranges)


_FULL = "(about IS NOT NULL OR sealed IS NOT NULL)"
_OF_PARTY = f"""
    SELECT seq, conversation FROM record WHERE about = ? AND {_FULL}
    UNION SELECT seq, conversation FROM record WHERE contact = ? AND {_FULL}
"""
_NAMES = "SELECT about, contact FROM record WHERE seq = ?"
_IN = "seq IN (SELECT seq FROM turn WHERE conversation = ?)"
_OF_CONVERSATION = f"SELECT seq FROM record WHERE {_IN} AND {_FULL}"


def naming(rows: Rows, party: str) -> Due:
    """Gives the records about a person or with a contact."""
    kept = {each.party for each in holds(rows)}
    numbers, held = set[int](), 0
    for seq, conversation in list(rows(_OF_PARTY, (party, party))):
        ((about, contact),) = list(rows(_NAMES, (seq,)))
        found = [seq] if conversation is None else [each for (each,) in rows(_OF_CONVERSATION, (conversation,))]
        if is_held(kept, about, contact):
            held += len(found)
        else:
            numbers.update(found)
    return Due(ranges(numbers), held)


def parties(rows: Rows, latest: float) -> list[tuple[str, str]]:
    """Gives whom records name that are older than a moment (posix seconds): person and contact, who may be ''."""
    asked = rows(
        "SELECT DISTINCT about, contact FROM record WHERE about IS NOT NULL AND at < ?", (round(latest * 1000),)
    )
    return [(about, contact or "") for about, contact in asked]


def expired(rows: Rows, cutoffs: Mapping[tuple[str, str], float], latest: float) -> Due:
    """Gives records that are older than the moment (posix seconds) that stands for their two parties; some of them.

    A conversation counts as old as what was said last in it. `latest` is a moment after which nothing is due.
    """
    kept = {each.party for each in holds(rows)}
    numbers, held = set[int](), 0
    named = rows(
        "SELECT seq, at, conversation, about, contact FROM record WHERE about IS NOT NULL AND at < ? ORDER BY seq",
        (round(latest * 1000),),
    )
    for seq, at, conversation, about, contact in named:
        moment = cutoffs.get((about, contact or ""))
        if moment is None or at >= moment * 1000 or not _over(rows, conversation, moment):
            continue
        found = [seq] if conversation is None else [each for (each,) in rows(_OF_CONVERSATION, (conversation,))]
        if is_held(kept, about, contact):
            held += len(found)
        else:
            numbers.update(found)
        if len(numbers) >= STEP:
            break
    return Due(ranges(numbers), held)


def _over(rows: Rows, conversation: int | None, moment: float) -> bool:
    """Says whether nothing was said in a conversation since a moment."""
    if conversation is None:
        return True
    ((at,),) = list(rows(f"SELECT max(at) FROM record WHERE {_IN}", (conversation,)))
    return bool(at < moment * 1000)


def emptied(rows: Rows, moment: float) -> Anchor | None:
    """Gives the record up to which all are empty and older than a moment (posix seconds), a step further at most."""
    ((first, _),) = list(rows(START))
    found = None
    asked = rows(
        f"SELECT seq, link, at, {_FULL} FROM record WHERE seq > ? ORDER BY seq LIMIT ?",  # noqa: S608 no value in it
        (first, STEP),
    )
    for seq, its_link, at, full in asked:
        if full or at >= moment * 1000:
            break
        found = Anchor(seq, its_link)
    return found


def stale(rows: Rows, newest: str, after: int, limit: int) -> list[tuple[int, str, bytes]]:
    """Gives seq, key and sealed text of some records that another key has sealed, behind a number."""
    sql = "SELECT seq, key, sealed FROM record WHERE seq > ? AND sealed IS NOT NULL AND key <> ? ORDER BY seq LIMIT ?"
    return [(seq, key, bytes(sealed)) for seq, key, sealed in rows(sql, (after, newest, limit))]


def keys_in_use(rows: Rows) -> dict[str, int]:
    """Counts the texts that each key has sealed."""
    return dict(rows("SELECT key, count(*) FROM record WHERE sealed IS NOT NULL GROUP BY key"))


def ranges(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Gives numbers as ranges, in order."""
    found: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found
