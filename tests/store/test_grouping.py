"""Few statements for many rows."""

import sqlite3

import pytest

from gateway.store.grouping import deleting, inserting

COUNTS = [0, 1, 3, 63, 64, 65, 84, 150]


@pytest.mark.parametrize("count", COUNTS)
def test_rows_are_added_in_order_by_few_statements(count: int) -> None:
    rows = [(number, *"abcdefghi") for number in range(count)]
    statements = list(inserting("record", rows))
    assert [value for _, values in statements for value in values] == [value for row in rows for value in row]
    assert all(sql.count("?") == len(values) for sql, values in statements)
    assert len(statements) <= count // 64 + 9


@pytest.mark.parametrize("count", COUNTS)
def test_rows_are_removed_by_few_statements_and_no_other(count: int) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE entry (seq INTEGER PRIMARY KEY, word TEXT)")
    for sql, values in inserting("entry", [(number, "x") for number in range(200)]):
        connection.execute(sql, values)
    gone = list(range(1, 2 * count, 2))[:count]
    statements = list(deleting("entry", gone))
    for sql, values in statements:
        connection.execute(sql, values)
    left = {number for (number,) in connection.execute("SELECT seq FROM entry")}
    assert left == set(range(200)) - set(gone)
    assert len(statements) <= count // 64 + 9
