"""The spool on disk: a database of its own with the messages that were taken over and have not come to their end."""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from attrs import define, field, frozen
from twisted.internet.defer import Deferred

from gateway.errors import StoreError
from gateway.store.database import Database, Reactor
from gateway.store.grouping import deleting, inserting

SCHEMA = Path(__file__).parent / "spool_schema"
PRAGMAS = ("PRAGMA secure_delete = ON",)
"""What is done with is overwritten, not only forgotten."""

Row = tuple[int, str, str, float, int, str]
"""seq, route, partner, since (posix seconds), size (bytes), envelope."""


@frozen
class Kept:
    """Says what is kept for one route of one partner."""

    route: str
    partner: str
    count: int
    bytes: int


@define(eq=False)
class SpoolStore:
    """Is the file that the daemon writes; every method belongs to the reactor's thread. Opening raises StoreError."""

    path: Path
    _reactor: Reactor
    _database: Database = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._database = Database(self.path, self._reactor, SCHEMA, PRAGMAS)

    @property
    def commits(self) -> int:
        """Counts the commits so far."""
        return self._database.commits

    def newest(self) -> int:
        """Gives the largest number in use, or 0."""
        return int(self._database.read("SELECT coalesce(max(seq), 0) FROM entry")[0][0])

    def kept(self) -> list[Kept]:
        """Says what is kept, route by route."""
        sql = "SELECT route, partner, count(*), sum(size) FROM entry GROUP BY route, partner ORDER BY min(seq)"
        return [Kept(*row) for row in self._database.read(sql)]

    def change(self, added: Iterable[Row], removed: Iterable[int]) -> "Deferred[None]":
        """Adds and removes entries in one commit; the Deferred fires when that is on the disk."""
        return self._database.write_all([*deleting("entry", list(removed)), *inserting("entry", list(added))])

    def after(self, route: str, number: int, through: int, most: int) -> list[Row]:
        """Gives some entries of a route behind one number and up to another, in their order."""
        sql = "SELECT * FROM entry WHERE route = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
        return [(a, b, c, d, e, f) for a, b, c, d, e, f in self._database.read(sql, (route, number, through, most))]

    def check(self) -> str | None:
        """Says why nothing can be written, or None."""
        return self._database.check()

    def spare(self) -> int:
        """Gives the free bytes on its disk; 0 when that cannot be said."""
        try:
            disk = os.statvfs(self.path.parent)
        except OSError:
            return 0
        return disk.f_bavail * disk.f_frsize

    def sweep(self) -> None:
        """Empties the write-ahead file, in which texts that are done with still stand."""
        try:
            with closing(sqlite3.connect(self.path)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error:
            return  # somebody reads or writes just now: the next time

    def close(self) -> "Deferred[None]":
        """Writes what waits, then closes."""
        return self._database.close()


def entries(path: Path) -> Iterator[Row]:
    """Goes through all entries of a spool in their order, from any thread; raises StoreError."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            yield from connection.execute("SELECT * FROM entry ORDER BY seq")
    except sqlite3.Error as problem:
        raise StoreError(f"{path} cannot be read: {problem}") from None
