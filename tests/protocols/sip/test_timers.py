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
    assert (alarms.next(), alarms.due(2.9)) == (3.0, None)
    alarms.set("a", None)
    assert (alarms.next(), alarms.due(9.0)) == (None, None)


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


def test_what_is_due_at_one_moment_goes_in_the_order_of_setting_whatever_was_set_before() -> None:
    """Else the order of two notifications would tell of other watchers, whose times lie between."""
    for between in (False, True):
        alarms: Alarms[str] = Alarms()
        if between:
            alarms.set("other", 4.0)
        alarms.set("a", 5.0)
        alarms.set("b", 5.0)
        alarms.set("a", 9.0)
        alarms.next()
        alarms.set("a", 5.0)
        alarms.set("other", None)
        assert [alarms.due(5.0), alarms.due(5.0)] == ["b", "a"]


def test_the_order_survives_a_clearing_out() -> None:
    alarms: Alarms[str] = Alarms()
    alarms.set("a", 7.0)
    alarms.set("b", 5.0)
    alarms.set("a", 5.0)
    for number in range(100):
        alarms.set("c", 10.0 + number)
    assert [alarms.due(5.0), alarms.due(5.0)] == ["b", "a"]
