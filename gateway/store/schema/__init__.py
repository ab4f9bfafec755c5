"""The numbered schema files, each of which leads from the version before it to its own."""

import re
import sqlite3
from pathlib import Path

from gateway.errors import StoreError

FOLDER = Path(__file__).parent
_NAME = re.compile(r"(\d{3})\.sql")


def files(folder: Path = FOLDER) -> tuple[Path, ...]:
    """Gives the schema files in order; raises StoreError when a number is missing."""
    found = sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))
    if [int(path.stem) for path in found] != list(range(1, len(found) + 1)):
        raise StoreError(f"the schema files in {folder} are not numbered 001, 002, ... without a gap")
    return tuple(found)


def version(connection: sqlite3.Connection) -> int:
    """Gives the schema version of a database, 0 for an empty one."""
    known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'schema_version'").fetchone()
    return int(connection.execute("SELECT version FROM schema_version").fetchone()[0]) if known else 0


def upgrade(connection: sqlite3.Connection, folder: Path = FOLDER) -> None:
    """Applies what is missing, one transaction a file; raises StoreError when the database is newer than the files.

    A file that fails leaves the database at the version before it.
    """
    present, known = version(connection), files(folder)
    if present > len(known):
        raise StoreError(
            f"the database has schema {present}, this gateway knows {len(known)}: it was made by a newer one"
        )
    for path in known[present:]:
        _apply(connection, int(path.stem), path)


def _apply(connection: sqlite3.Connection, number: int, path: Path) -> None:
    first = "CREATE TABLE schema_version (version INTEGER NOT NULL) STRICT; INSERT INTO schema_version VALUES (0);"
    script = f"""
        BEGIN IMMEDIATE;
        {first if number == 1 else ""}
        {path.read_text(encoding="utf-8")}
        ;UPDATE schema_version SET version = {number};
        COMMIT;
    """
    try:
        connection.executescript(script)
    except sqlite3.Error as problem:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise StoreError(f"schema {path.name} cannot be applied: {problem}") from None
