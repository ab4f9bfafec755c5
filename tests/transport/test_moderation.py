"""What comes thick shares a round; what comes alone is not held."""

import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.transport import moderation as moderation_module
from gateway.transport.moderation import FREE_ROUNDS, GATHER_SECONDS, Moderation, moderate


def rests(gap: float, rounds: int) -> list[float]:
    """Polls again `gap` seconds after each poll began; gives how long each one was held."""
    moderation, now, held = Moderation(), 1000.0, []
    for _ in range(rounds):
        held.append(moderation.rest(now, None))
        now += held[-1] + gap
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
        moderation.rest(1000.0 + step * 0.001, None)
    assert [moderation.rest(1002.0 + step * 0.0001, None) for step in range(int(FREE_ROUNDS))] == [0.0] * 20


def test_work_that_is_under_way_is_not_held() -> None:
    moderation = Moderation()
    assert {moderation.rest(1000.0, 0) for _ in range(1000)} == {0.0}


@given(st.lists(st.tuples(st.floats(0, 0.02), st.one_of(st.none(), st.floats(0, 0.1))), max_size=200))
def test_nothing_is_held_longer_than_the_bound_or_the_next_timer(polls: list[tuple[float, float | None]]) -> None:
    moderation, now = Moderation(), 1000.0
    for gap, timeout in polls:
        now += gap
        rest = moderation.rest(now, timeout)
        assert 0.0 <= rest <= GATHER_SECONDS
        assert timeout is None or rest <= timeout
        now += rest


def test_the_reactor_polls_after_the_rest_for_what_is_left_of_the_time() -> None:
    class Polled:
        def __init__(self) -> None:
            self.timeouts: list[float | None] = []

        def doIteration(self, timeout: float | None) -> None:  # noqa: N802 Twisted's name
            self.timeouts.append(timeout)

    reactor, slept = Polled(), []
    moderate(reactor, lambda: 1000.0, slept.append)
    for _ in range(40):
        reactor.doIteration(0.003)
    assert len(reactor.timeouts) == 40
    assert set(slept) == {0.003}
    assert reactor.timeouts[0] == 0.003
    assert reactor.timeouts[-1] == pytest.approx(0.0)


def test_what_another_thread_has_finished_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would last a minute."""
    monkeypatch.setattr(moderation_module, "GATHER_SECONDS", 60.0)
    reading, writing = os.pipe()

    class Reactor:
        waker = open(reading, "rb")  # noqa: SIM115 closed below
        rounds = 0

        def doIteration(self, timeout: float | None) -> None:  # noqa: N802 Twisted's name
            self.rounds += 1

    reactor = Reactor()
    moderate(reactor)
    os.write(writing, b"x")
    started = time.monotonic()
    for _ in range(40):
        reactor.doIteration(None)
    assert reactor.rounds == 40 and time.monotonic() - started < 60
    reactor.waker.close()
    os.close(writing)
