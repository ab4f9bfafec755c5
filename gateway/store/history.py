"""Conversations on their way to the mailboxes of our people: those that go on, and those that are over."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred

from gateway.model.address import Address
from gateway.model.envelope import Side
from gateway.protocols.mail import Line, Transcript
from gateway.store.database import Database, Reactor

SCHEMA = Path(__file__).parent / "history_schema"
PRAGMAS = ("PRAGMA secure_delete = ON",)
"""What has reached a mailbox is overwritten here, not only forgotten."""
_BEGIN = "INSERT INTO conversation VALUES (?, ?, ?, ?, ?, ?, ?, NULL, 0)"
_ALL = "SELECT name, person, contact, begun_by, thread, started, last, ended, tries FROM conversation"


@frozen
class Kept:
    """Is one conversation as it stands here; `ended` is None while it goes on."""

    name: str
    person: Address
    contact: Address
    begun_by: Side
    thread: str = field(repr=False)
    started: float
    last: float
    ended: float | None
    tries: int
    """Attempts to bring it to the mailbox that have begun; whoever crashed in one may have succeeded."""


@define(eq=False)
class HistoryStore:
    """Is the file `history.db`, which only the gateway's user may read; writes fire when they are on disk."""

    path: Path
    _reactor: Reactor
    _database: Database = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._database = Database(self.path, self._reactor, SCHEMA, PRAGMAS)

    def all(self) -> Iterator[Kept]:
        """Gives every conversation, the oldest first."""
        for name, person, contact, begun_by, thread, *rest in self._database.read(f"{_ALL} ORDER BY started, name"):
            yield Kept(name, Address.parse(person), Address.parse(contact), Side(begun_by), thread, *rest)

    def numbers(self, name: str) -> list[tuple[int, str, str, int]]:
        """Gives number, side, id and size of each thing said in a conversation."""
        sql = "SELECT number, side, id, length(text) FROM turn WHERE conversation = ? ORDER BY number"
        return [(number, side, given, size) for number, side, given, size in self._database.read(sql, (name,))]

    def transcript(self, kept: Kept) -> Transcript:
        """Gives all that was said in a conversation."""
        sql = "SELECT at, side, text, corrected, failed, form FROM turn WHERE conversation = ? ORDER BY number"
        lines = [
            Line(at, Side(side), text, corrected, bool(failed), form == "encrypted", form == "notice")
            for at, side, text, corrected, failed, form in self._database.read(sql, (kept.name,))
        ]
        return Transcript(
            kept.name, kept.person, kept.contact, kept.begun_by, kept.started, kept.last, tuple(lines), kept.thread
        )

    def begin(self, kept: Kept) -> "Deferred[None]":
        """Takes a new conversation."""
        values = (kept.name, kept.person, kept.contact, kept.begun_by.value, kept.thread, kept.started, kept.last)
        return self._database.write(_BEGIN, values)

    def say(self, name: str, number: int, line: Line, said_as: str, thread: str) -> "Deferred[None]":
        """Adds one thing said, under the id that its sender has given it."""
        form = "notice" if line.notice else "encrypted" if line.encrypted else "said"
        row: tuple[Any, ...] = (name, number, line.at, line.side.value, said_as, line.text, form)
        return self._database.write_all(
            (
                ("INSERT INTO turn VALUES (?, ?, ?, ?, ?, ?, ?, NULL, 0)", row),
                ("UPDATE conversation SET last = max(last, ?), thread = ? WHERE name = ?", (line.at, thread, name)),
            )
        )

    def correct(self, name: str, number: int, text: str, at: float) -> "Deferred[None]":
        """Puts a later text in the place of one."""
        sql = "UPDATE turn SET text = ?, corrected = ? WHERE conversation = ? AND number = ?"
        return self._database.write(sql, (text, at, name, number))

    def fail(self, name: str, number: int) -> "Deferred[None]":
        """Notes that one thing said did not arrive."""
        return self._database.write("UPDATE turn SET failed = 1 WHERE conversation = ? AND number = ?", (name, number))

    def end(self, name: str, at: float) -> "Deferred[None]":
        """Notes that a conversation is over."""
        return self._database.write("UPDATE conversation SET ended = ? WHERE name = ?", (at, name))

    def attempt(self, names: list[str]) -> "Deferred[None]":
        """Notes that it is tried now to bring conversations to the mailbox."""
        marks = ", ".join("?" * len(names))
        return self._database.write(f"UPDATE conversation SET tries = tries + 1 WHERE name IN ({marks})", names)

    def remove(self, names: list[str]) -> "Deferred[None]":
        """Forgets conversations and all that was said in them."""
        marks = ", ".join("?" * len(names))
        return self._database.write(f"DELETE FROM conversation WHERE name IN ({marks})", names)

    def check(self) -> str | None:
        """Says why nothing can be written, or None."""
        return self._database.check()

    def close(self) -> "Deferred[None]":
        """Writes what waits, then closes."""
        return self._database.close()
