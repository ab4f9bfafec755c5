"""Alarms: one time per key, the earliest first, and no trace of what was replaced."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.protocols.sip.timers import Alarms


def test_the_earliest_is_due_first_and_once() -> None:
    alarms: Alarms[str] = Alarms()
    alarms.set("b", 2.0)
    alarms.set("a", 1.0)
    assert (alarms.next(), alarms.due(0.9), len(alarms)) == (1.0, None, 2)
    assert [alarms.due(3.0), alarms.due(3.0), alarms.due(3.0)] == ["a", "b", None]
    assert alarms.next() is None


def test_a_time_is_replaced_or_taken_back() -> None:
    alarms: Alarms[str] = Alarms()
    for when in (5.0, 1.0, 3.0, 3.0):
        alarms.set("a", when)
    assert (alarms.next(), alarms.time_of("a"), alarms.due(2.9)) == (3.0, 3.0, None)
    alarms.set("a", None)
    assert (alarms.next(), alarms.due(9.0), alarms.time_of("a")) == (None, None, None)


@given(st.lists(st.tuples(st.integers(0, 5), st.none() | st.integers(0, 50)), max_size=300))
def test_alarms_are_a_table_sorted_by_time(said: list[tuple[int, int | None]]) -> None:
    alarms: Alarms[int] = Alarms()
    table: dict[int, float] = {}
    for key, when in said:
        alarms.set(key, when)
        table.pop(key, None)
        if when is not None:
            table[key] = when
        assert alarms.next() == min(table.values(), default=None)
    due = []
    while (found := alarms.due(100.0)) is not None:
        due.append(table.pop(found))
    assert due == sorted(due) and not table


def test_what_is_replaced_a_thousand_times_stays_small() -> None:
    alarms: Alarms[str] = Alarms()
    for when in range(10_000):
        alarms.set("a", float(when))
    assert len(alarms._heap) <= 65
    assert alarms.due(10_000.0) == "a" and alarms.next() is None
