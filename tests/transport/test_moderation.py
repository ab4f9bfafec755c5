"""What comes thick shares a look at the sockets; what comes alone, and what another thread has done, is not held."""

import threading
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.epollreactor import EPollReactor

from gateway.transport import moderation as moderation_module
from gateway.transport.moderation import FREE_ROUNDS, GATHER_SECONDS, Moderation, moderate


def rests(gap: float, rounds: int) -> list[float]:
    """Asks again `gap` seconds after each time; gives how long each one was held."""
    moderation, now, held = Moderation(), 1000.0, []
    for _ in range(rounds):
        held.append(moderation.held(now))
        now += held[-1]
        moderation.asked(now, waits=True)
        now += gap
    return held


def test_events_that_come_alone_are_never_held() -> None:
    assert set(rests(0.021, 500)) == {0.0}


def test_the_first_events_after_quiet_are_not_held() -> None:
    assert set(rests(0.0005, int(FREE_ROUNDS))) == {0.0}


def test_events_that_come_thick_share_rounds() -> None:
    held = rests(0.0005, 200)[50:]
    assert held == pytest.approx([GATHER_SECONDS - 0.0005] * len(held))


def test_a_round_that_takes_long_by_itself_is_not_held() -> None:
    assert set(rests(0.012, 500)) == {0.0}


def test_quiet_gives_the_free_rounds_back() -> None:
    moderation = Moderation()
    for step in range(100):
        moderation.asked(1000.0 + step * 0.001, waits=True)
    for step in range(int(FREE_ROUNDS)):
        assert moderation.held(1002.0 + step * 0.0001) == 0.0
        moderation.asked(1002.0 + step * 0.0001, waits=True)


def test_work_that_is_under_way_uses_no_round_up() -> None:
    moderation = Moderation()
    for _ in range(1000):
        moderation.asked(1000.0, waits=False)
    assert moderation.held(1000.0) == 0.0


@given(st.lists(st.tuples(st.floats(0, 0.02), st.booleans()), max_size=200))
def test_nothing_is_held_longer_than_the_bound(questions: list[tuple[float, bool]]) -> None:
    moderation, now = Moderation(), 1000.0
    for gap, waits in questions:
        now += gap
        held = moderation.held(now)
        assert 0.0 <= held <= GATHER_SECONDS + 1e-9
        now += held
        moderation.asked(now, waits)


class Stage:
    """Is a reactor whose clock stands in a list, moderated."""

    def __init__(self) -> None:
        self.timeouts: list[float | None] = []
        self.slept: list[float] = []
        self.now = 1000.0
        moderate(self, None, lambda: self.now, self._sleep)

    def doIteration(self, timeout: float | None) -> None:  # noqa: N802 Twisted's name
        self.timeouts.append(timeout)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_a_held_round_sleeps_until_a_call_is_due_and_asks_no_socket() -> None:
    stage = Stage()
    for _ in range(40):
        stage.doIteration(0.003)
    assert stage.timeouts == [0.003] * len(stage.timeouts)
    assert stage.slept[:4] == pytest.approx([0.003, 0.003, 0.003, 0.001])
    assert len(stage.timeouts) + len(stage.slept) == 40


def test_work_that_is_under_way_goes_on_in_a_held_round_and_asks_no_socket() -> None:
    stage = Stage()
    while not stage.slept:
        stage.doIteration(None)
    stage.now -= stage.slept[-1]
    asked = len(stage.timeouts)
    for _ in range(100):
        stage.doIteration(0)
    assert len(stage.timeouts) == asked and len(stage.slept) == 1
    stage.now += GATHER_SECONDS
    stage.doIteration(0)
    assert len(stage.timeouts) == asked + 1


def test_what_another_thread_has_finished_is_taken_up_at_once_and_asks_no_socket(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would last a minute."""
    monkeypatch.setattr(moderation_module, "GATHER_SECONDS", 60.0)
    reactor: Any = EPollReactor()  # type: ignore[no-untyped-call]
    polls: list[float | None] = []
    told: list[str] = []
    reactor.doIteration = polls.append
    moderate(reactor)
    while len(polls) <= FREE_ROUNDS:
        reactor.doIteration(None)
    started, other = time.monotonic(), threading.Timer(0.01, lambda: reactor.callFromThread(told.append, "done"))
    other.start()
    while not told:
        reactor.doIteration(None)
        reactor.runUntilCurrent()
    other.join()
    assert time.monotonic() - started < 30 and len(polls) == FREE_ROUNDS + 1
