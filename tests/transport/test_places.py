"""Places in order: each once, those that have failed lately last, and only for a time."""

import pytest

from gateway.transport.places import DEAD_SECONDS, LONGEST_DEAD, MOST_DEAD, Place, Unreachable, places_of
from gateway.transport.resolver import Target

FIRST, SECOND = Place("a.example", "192.0.2.1", 5061), Place("b.example", "192.0.2.2", 5061)


def test_each_address_is_one_place_once() -> None:
    targets = [
        Target("a.example", 5061, True, ("192.0.2.1", "192.0.2.2")),
        Target("b.example", 5061, True, ("192.0.2.2",)),
        Target("b.example", 5071, True, ("192.0.2.2",)),
    ]
    found = [(place.address, place.port) for place in places_of(targets)]
    assert found == [("192.0.2.1", 5061), ("192.0.2.2", 5061), ("192.0.2.2", 5071)]
    assert places_of(targets)[0].target == Target("a.example", 5061, True, ("192.0.2.1",))


@pytest.mark.parametrize(
    ("asked", "lasts"), [(0.0, DEAD_SECONDS), (5.0, 5.0), (1e9, LONGEST_DEAD)], ids=["usual", "short", "too long"]
)
def test_what_has_failed_comes_last_for_a_time(asked: float, lasts: float) -> None:
    known = Unreachable()
    known.note(FIRST, 100.0, asked)
    assert known.living_first([FIRST, SECOND], 100.0 + lasts - 0.1) == [SECOND, FIRST]
    assert known.living_first([FIRST, SECOND], 100.0 + lasts) == [FIRST, SECOND]


def test_when_all_have_failed_they_keep_their_order() -> None:
    known = Unreachable()
    known.note(SECOND, 0.0)
    known.note(FIRST, 0.0)
    assert known.living_first([FIRST, SECOND], 1.0) == [FIRST, SECOND]


def test_no_more_than_so_many_are_remembered() -> None:
    known = Unreachable()
    known.note(FIRST, 0.0)
    for number in range(MOST_DEAD):
        known.note(Place("c.example", f"198.51.100.{number}", 5061), 0.0)
    assert known.living_first([FIRST, SECOND], 1.0) == [FIRST, SECOND]
    assert len(known._until) == MOST_DEAD
