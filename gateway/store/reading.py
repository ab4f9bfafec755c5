"""What people have decided, read from the database of a gateway that may be running: nothing is written."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from gateway.errors import StoreError
from gateway.policy.access_level import Assignment
from gateway.policy.settings import Subject, subject
from gateway.store.contacts import read_assignment


def decided(path: Path) -> tuple[tuple[Assignment, ...], Mapping[str, Mapping[Subject, bool]]]:
    """Gives all assignments, and by person what he has switched on or off; raises StoreError."""
    if not path.exists():
        raise StoreError(f"there is no database {path}")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            assignments = tuple(map(read_assignment, connection.execute("SELECT * FROM assignment")))
            switches = connection.execute("SELECT person, subject, is_on FROM setting").fetchall()
    except (sqlite3.Error, ValueError) as problem:
        raise StoreError(f"{path} cannot be read: {problem}") from None
    own: dict[str, dict[Subject, bool]] = {}
    for person, name, is_on in switches:
        own.setdefault(person, {})[subject(name)] = bool(is_on)
    return assignments, own
