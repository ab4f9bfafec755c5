"""Puts what concerns many rows into few statements.

Each statement gives up the interpreter's lock and waits to get it back: beside a busy reactor longer than it works.
"""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from gateway.store.writer import Statement

SIZES = (64, 16, 4, 1)
"""Rows that one statement concerns; few sizes, so that each is prepared once."""

_Item = TypeVar("_Item")


def inserting(table: str, rows: Sequence[Sequence[Any]]) -> Iterator[Statement]:
    """Gives the statements that add rows to a table; a row has a value for each of its columns."""
    for few in _grouped(rows):
        row = f"({', '.join('?' * len(few[0]))})"
        sql = f"INSERT INTO {table} VALUES {', '.join([row] * len(few))}"  # noqa: S608 no value in it
        yield sql, [value for each in few for value in each]


def deleting(table: str, numbers: Sequence[int]) -> Iterator[Statement]:
    """Gives the statements that remove rows of a table by their `seq`."""
    for few in _grouped(numbers):
        yield f"DELETE FROM {table} WHERE seq IN ({', '.join('?' * len(few))})", few  # noqa: S608 no value in it


def _grouped(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    first = 0
    for size in SIZES:
        while len(items) - first >= size:
            yield items[first : first + size]
            first += size
