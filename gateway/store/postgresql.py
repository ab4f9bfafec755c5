"""PostgreSQL with one writer thread: writes that wait are committed together; psycopg is an extra."""

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred

from gateway.errors import StoreError
from gateway.store import schema
from gateway.store.writer import Outcome, Reactor, Statement, Write, Writer

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 10
"""How long one statement may take, the wait for a lock included, before the server gives it up."""
HANDOVER_SECONDS = 2.0
"""How long the lock of a process that has just ended may still stand."""
_PROBE = "UPDATE schema_version SET version = version"
_LOCK = 0x67617465
"""Names the lock by which a database belongs to one gateway; a session's end gives it back."""
_UNFIT = (OverflowError, ValueError, TypeError)
_SETTINGS = f"-c statement_timeout={STATEMENT_SECONDS}s -c synchronous_commit=on"
_SECRET = re.compile(r"(password=)\S+|(://[^:@/\s]*:)[^@\s]*@")


def driver() -> Any:
    """Gives psycopg; raises StoreError when it is not installed."""
    try:
        import psycopg
    except ImportError as problem:
        raise StoreError(
            f'PostgreSQL needs psycopg, which is not there: pip install "federated-gateway[postgresql]" ({problem})'
        ) from None
    return psycopg


@define(eq=False)
class PostgreSQL:
    """Is one database of a PostgreSQL server that belongs to this process alone while it is open.

    What it can do is what `Database` can. Opening brings the schema up to date, and raises StoreError. Every method
    belongs to the reactor's thread; a connection that breaks is opened again by the next write.
    """

    address: str = field(repr=False)
    """As libpq reads it: `postgresql://...` or `host=... dbname=...`."""
    _reactor: Reactor
    _schema: Path
    name: str = field(init=False)
    _writer: Writer = field(init=False, repr=False)
    _spare: "list[_Session]" = field(init=False, repr=False)
    """The session that was opened first, until the writer takes it."""
    _closing: "Deferred[None] | None" = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self.name = shown(self.address)
        first = _Session.opened(self.address, self.name)
        try:
            _upgrade(first.connection, self._schema)
        except StoreError:
            first.close()
            raise
        except driver().Error as problem:
            first.close()
            raise StoreError(f"{self.name} cannot be opened: {said(problem)}") from None
        self._spare = [first]

        def connect() -> _Session:
            return self._spare.pop() if self._spare else _Session.opened(self.address, self.name)

        self._writer = Writer(self.name, self._reactor, connect)

    @property
    def commits(self) -> int:
        """Gives the commits so far."""
        return self._writer.commits

    def write(self, sql: str, parameters: Sequence[Any] = ()) -> "Deferred[None]":
        """Carries out one statement; the Deferred fires after the commit, or fails with StoreError."""
        return self.write_all(((sql, parameters),))

    def write_all(self, statements: Iterable[Statement]) -> "Deferred[None]":
        """Carries out all statements or none; the Deferred fires after the commit, or fails with StoreError."""
        return self._writer.put(statements)

    def read(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Gives the rows of a query on a connection of its own; blocks, hence for the start and rare questions only."""
        with reading(self.address) as rows:
            return list(rows(sql, parameters))

    def check(self) -> str | None:
        """Says why nothing can be written, or None; after a failure it tries a write, and the next check tells more."""
        if not self._writer.alive:
            return f"{self.name} is closed"
        if self._writer.failure is not None:
            self.write(_PROBE).addErrback(lambda failure: None)
        return self._writer.failure

    def close(self) -> "Deferred[None]":
        """Commits what waits, then closes; may be called again, and fires when all is done."""
        finished: Deferred[None] = Deferred()
        if self._closing is None:
            self._closing = Deferred()
            self._writer.close().addCallback(self._closed)
        self._closing.addBoth(lambda _: finished.callback(None))
        return finished

    def _closed(self, _: object) -> None:
        for session in self._spare:
            session.close()
        if self._closing is not None:
            self._closing.callback(None)


@frozen(eq=False)
class _Session:
    """Is the writer's connection, which holds the lock of the database."""

    connection: Any
    name: str

    @classmethod
    def opened(cls, address: str, name: str) -> "_Session":
        connection = _connected(address, name)
        end, got = time.monotonic() + HANDOVER_SECONDS, False
        try:
            while not got and time.monotonic() < end:
                (got,) = connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,)).fetchone()
                time.sleep(0 if got else 0.1)
        except driver().Error as problem:
            connection.close()
            raise StoreError(f"{name} cannot be written: {said(problem)}") from None
        if not got:
            connection.close()
            raise StoreError(f"{name} is in use by another process")
        return cls(connection, name)

    @property
    def usable(self) -> bool:
        return not (self.connection.closed or self.connection.broken)

    def commit(self, group: Sequence[Write]) -> tuple[list[Outcome], str | None]:
        try:
            with self.connection.transaction():
                outcomes = [(write, self._carried_out(write)) for write in group]
        except (driver().Error, OSError) as problem:
            failure = f"{self.name} cannot be written: {said(problem)}"
            return [(write, failure) for write in group], failure
        return outcomes, None

    def _carried_out(self, write: Write) -> str | None:
        """Carries out one write inside the group's transaction; a wrong statement undoes this write only."""
        psycopg = driver()
        try:
            with self.connection.transaction(), self.connection.pipeline():
                for sql, parameters in write.statements:
                    self.connection.execute(translated(sql), parameters)
        except (psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError, *_UNFIT) as problem:
            return f"the write is refused: {said(problem)}"
        return None

    def close(self) -> None:
        try:
            self.connection.execute("SELECT pg_advisory_unlock_all()")
        except (driver().Error, OSError):
            pass  # whoever has no connection any more holds no lock
        self.connection.close()


def translated(sql: str) -> str:
    """Gives a statement that is written for SQLite as psycopg wants it; it must have no ? or % in a text."""
    return sql.replace("%", "%%").replace("?", "%s")


def shown(address: str) -> str:
    """Gives an address without its password."""
    return _SECRET.sub(lambda found: f"{found[1]}..." if found[1] else f"{found[2]}...@", address)


def said(problem: Exception) -> str:
    """Gives what the server said, in one line without a value of any row."""
    primary = getattr(getattr(problem, "diag", None), "message_primary", None)
    return shown(" ".join(str(primary or problem).split()))[:300]


@contextmanager
def reading(address: str) -> Iterator[Any]:
    """Opens a connection that sees one state of the database and can change nothing: call it with SQL and values.

    For any thread and any process; raises StoreError, also while rows are fetched.
    """
    name = shown(address)
    connection = _connected(address, name)
    try:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        numbers = count()

        def rows(sql: str, parameters: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
            with connection.cursor(name=f"rows{next(numbers)}") as cursor:
                yield from cursor.execute(translated(sql), parameters)

        yield rows
    except driver().Error as problem:
        raise StoreError(f"{name} cannot be read: {said(problem)}") from None
    finally:
        connection.close()


def _connected(address: str, name: str) -> Any:
    try:
        return driver().connect(
            address,
            autocommit=True,
            connect_timeout=CONNECT_SECONDS,
            options=_SETTINGS,
            tcp_user_timeout=STATEMENT_SECONDS * 1000,
            keepalives_idle=STATEMENT_SECONDS,
            application_name="gateway",
        )
    except driver().Error as problem:
        raise StoreError(f"{name} cannot be reached: {said(problem)}") from None


def _upgrade(connection: Any, folder: Path) -> None:
    """Applies the numbered schema files that are missing, one transaction a file."""
    known = schema.files(folder)
    present = _version(connection)
    if present > len(known):
        raise StoreError(
            f"the database has schema {present}, this gateway knows {len(known)}: it was made by a newer one"
        )
    for path in known[present:]:
        number = int(path.stem)
        with connection.transaction():
            if number == 1:
                connection.execute("CREATE TABLE schema_version (version INTEGER NOT NULL)")
                connection.execute("INSERT INTO schema_version VALUES (0)")
            connection.execute(path.read_text(encoding="utf-8"))
            connection.execute("UPDATE schema_version SET version = %s", (number,))


def _version(connection: Any) -> int:
    (there,) = connection.execute("SELECT to_regclass('schema_version') IS NOT NULL").fetchone()
    return int(connection.execute("SELECT version FROM schema_version").fetchone()[0]) if there else 0
