"""A tap's promise: kept or broken once, told in order, and never forgotten by the row of taps."""

import pytest

from gateway.errors import LedgerError
from gateway.interfaces import Promise
from gateway.metrics import Metrics
from gateway.taps import Taps
from tests.test_taps import ENVELOPE, VERDICT, Tap


def test_the_first_word_counts_and_is_told_in_the_order_of_asking() -> None:
    promise, heard = Promise(), list[tuple[str, bool]]()
    promise.then(lambda kept: heard.append(("first", kept)))
    promise.then(lambda kept: heard.append(("second", kept)))
    promise.settle(False)
    promise.settle(True)
    promise.then(lambda kept: heard.append(("late", kept)))
    assert heard == [("first", False), ("second", False), ("late", False)]


def test_who_asks_while_it_is_told_is_told_too() -> None:
    promise, heard = Promise(), list[bool]()
    promise.then(lambda _: promise.then(heard.append))
    promise.settle(True)
    assert heard == [True]


@pytest.mark.parametrize("required", [True, False])
def test_only_a_required_tap_is_waited_for(required: bool) -> None:
    taps, heard = Taps([Tap(required, gives=Promise())]), list[bool]()
    assert taps.record(ENVELOPE, VERDICT)
    assert taps.open is required
    taps.when_lasting(heard.append)
    assert heard == ([] if required else [True])


@pytest.mark.parametrize("words", [(True, True), (True, False), (False, True)])
def test_all_required_taps_must_keep_it(words: tuple[bool, bool]) -> None:
    promises, heard = (Promise(), Promise()), list[bool]()
    taps = Taps([Tap(gives=promise) for promise in promises])
    taps.record(ENVELOPE, VERDICT)
    taps.when_lasting(heard.append)
    promises[1].settle(words[1])
    assert heard == []
    promises[0].settle(words[0])
    assert heard == [all(words)]
    assert not taps.open


def test_a_tap_that_is_added_sees_what_comes_then() -> None:
    first, late, metrics = Tap(), Tap(fault=LedgerError("full")), Metrics()
    taps = Taps([first], metrics)
    assert taps.record(ENVELOPE, VERDICT)
    taps.add(late)
    assert not taps.record(ENVELOPE, VERDICT)
    assert (len(first.seen), len(late.seen), metrics.tap_failures("yes").value) == (2, 1, 1)
