"""SQLite with one writer thread: writes that wait for the disk are committed together."""

import fcntl
import os
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred

from gateway.errors import StoreError
from gateway.store import schema
from gateway.store.writer import Outcome, Reactor, Statement, Write, Writer

__all__ = ["Database", "Reactor", "Statement"]

SPARE_BYTES = 16 * 1024 * 1024
"""Free bytes on the disk below which `Database.check` complains."""

_PROBE = "UPDATE schema_version SET version = version"
_UNFIT = (OverflowError, ValueError, TypeError)


@define(eq=False)
class Database:
    """Is one SQLite file (WAL, synchronous=FULL) that belongs to this process alone while it is open.

    The file is readable by its owner only. Opening brings the schema up to date, and raises StoreError.
    Every method belongs to the reactor's thread.
    """

    path: Path
    _reactor: Reactor
    _schema: Path = schema.FOLDER
    _pragmas: tuple[str, ...] = ()
    """Further settings of every connection that writes."""
    _lock: int = field(init=False, default=-1)
    _connection: sqlite3.Connection = field(init=False, repr=False)
    _writer: Writer = field(init=False, repr=False)
    _closing: "Deferred[None] | None" = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        try:
            self._lock = _claim(self.path)
            self._connection = _opened(self.path, self._schema, self._pragmas)
        except (OSError, sqlite3.Error) as problem:
            self._release()
            raise StoreError(f"{self.path} cannot be opened: {problem}") from None
        except StoreError:
            self._release()
            raise
        self._writer = Writer(str(self.path), self._reactor, lambda: _Session.opened(self.path, self._pragmas))

    @property
    def commits(self) -> int:
        """Gives the commits so far; fewer than writes when writes came together."""
        return self._writer.commits

    def write(self, sql: str, parameters: Sequence[Any] = ()) -> "Deferred[None]":
        """Carries out one statement; the Deferred fires after the commit, or fails with StoreError."""
        return self.write_all(((sql, parameters),))

    def write_all(self, statements: Iterable[Statement]) -> "Deferred[None]":
        """Carries out all statements or none; the Deferred fires after the commit, or fails with StoreError."""
        return self._writer.put(statements)

    def read(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Gives the rows of a query, of what is committed; blocks, hence for the start and rare questions only."""
        if self._closing is not None:
            raise StoreError(f"{self.path} is closed")
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except sqlite3.Error as problem:
            raise StoreError(f"{self.path} cannot be read: {problem}") from None

    def check(self) -> str | None:
        """Says why nothing can be written, or None; after a failure it tries a write, and the next check tells more."""
        if not self._writer.alive:
            return f"{self.path} is closed"
        if self._writer.failure is not None:
            self.write(_PROBE).addErrback(lambda failure: None)
            return self._writer.failure
        if not os.access(self.path, os.W_OK):
            return f"{self.path} is gone or may not be written"
        disk = os.statvfs(self.path.parent)
        spare = disk.f_bavail * disk.f_frsize
        return f"only {spare // 1024} KiB are free on the disk of {self.path}" if spare < SPARE_BYTES else None

    def close(self) -> "Deferred[None]":
        """Commits what waits, then closes; may be called again, and fires when all is done."""
        finished: Deferred[None] = Deferred()
        if self._closing is None:
            self._closing = Deferred()
            self._connection.close()
            self._writer.close().addCallback(lambda _: self._closed())
        self._closing.addBoth(lambda _: finished.callback(None))
        return finished

    def _release(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _closed(self) -> None:
        self._release()
        if self._closing is not None:
            self._closing.callback(None)


@frozen(eq=False)
class _Session:
    """Is the writer's own connection."""

    usable = True
    _connection: sqlite3.Connection

    @classmethod
    def opened(cls, path: Path, pragmas: Sequence[str]) -> "_Session":
        try:
            return cls(_connect(path, pragmas))
        except (sqlite3.Error, OSError) as problem:
            raise StoreError(f"{path} cannot be written: {problem}") from None

    def commit(self, group: Sequence[Write]) -> tuple[list[Outcome], str | None]:
        try:
            return _commit(self._connection, group)
        except (sqlite3.Error, OSError) as problem:
            raise StoreError(f"the database cannot be written: {problem}") from None

    def close(self) -> None:
        self._connection.close()


def _claim(path: Path) -> int:
    """Makes folder and file with their modes, and locks out other processes; gives the descriptor of the lock."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    os.chmod(path, 0o600)
    # SQLite's own locks fall when any descriptor of its file is closed; hence a file beside it.
    lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise StoreError(f"{path} is in use by another process") from None
    return lock


def _connect(path: Path, pragmas: Sequence[str] = ()) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    for pragma in pragmas:
        connection.execute(pragma)
    return connection


def _opened(path: Path, folder: Path, pragmas: Sequence[str] = ()) -> sqlite3.Connection:
    """Gives a connection to the database, brought up to the newest schema."""
    connection = _connect(path, pragmas)
    try:
        schema.upgrade(connection, folder)
    except (StoreError, sqlite3.Error):
        connection.close()
        raise
    return connection


def _commit(connection: sqlite3.Connection, group: Sequence[Write]) -> tuple[list[Outcome], str | None]:
    """Commits a group; gives the outcome of each write, and why the group as a whole failed."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        if len(group) == 1:
            return [(group[0], _carry_out_alone(connection, group[0]))], None
        outcomes = [(write, _carry_out(connection, write)) for write in group]
        connection.execute("COMMIT")
    except sqlite3.Error as problem:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        failure = f"the database cannot be written: {problem}"
        return [(write, failure) for write in group], failure
    return outcomes, None


def _carry_out_alone(connection: sqlite3.Connection, write: Write) -> str | None:
    """Carries out and commits the only write of a transaction; a wrong statement undoes it all."""
    try:
        for sql, parameters in write.statements:
            connection.execute(sql, parameters)
    except (sqlite3.Error, *_UNFIT) as problem:
        if not connection.in_transaction:
            raise
        connection.execute("ROLLBACK")
        return f"the write is refused: {problem}"
    connection.execute("COMMIT")
    return None


def _carry_out(connection: sqlite3.Connection, write: Write) -> str | None:
    """Carries out one write inside the group's transaction; a wrong statement undoes this write only."""
    connection.execute("SAVEPOINT one")
    try:
        for sql, parameters in write.statements:
            connection.execute(sql, parameters)
    except (sqlite3.Error, *_UNFIT) as problem:
        if not connection.in_transaction:
            # A full or broken disk has undone the whole group.
            raise
        connection.execute("ROLLBACK TO one")
        connection.execute("RELEASE one")
        return f"the write is refused: {problem}"
    connection.execute("RELEASE one")
    return None
