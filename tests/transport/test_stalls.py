"""A round that takes long is felt, from the moment that the poll has returned; waiting is none."""

import time
from typing import Any

from twisted.internet.epollreactor import EPollReactor

from gateway.transport.moderation import FREE_ROUNDS, moderate
from gateway.transport.stalls import STALL_SECONDS, Stalls


def test_what_lasts_longer_than_the_bound_is_felt() -> None:
    felt: list[float] = []
    clock = [100.0]
    stalls = Stalls(felt.append, lambda: clock[0])
    for seconds in (0.0, STALL_SECONDS, 0.5, 0.01, 0.125):
        stalls.awake()
        clock[0] += seconds
        stalls.pause()
        clock[0] += 3.0  # it waits
    assert felt == [0.5, 0.125]


def test_work_in_a_call_and_work_at_a_socket_are_felt_and_waiting_is_not() -> None:
    reactor: Any = EPollReactor()  # type: ignore[no-untyped-call]
    felt: list[float] = []
    stalls = Stalls(felt.append)
    stalls.watch(reactor)
    moderate(reactor, stalls)

    def turn(timeout: float) -> None:
        reactor.runUntilCurrent()
        reactor.doIteration(timeout)

    for _ in range(int(FREE_ROUNDS) + 3):  # some of them are held
        turn(0.05)
    assert not [each for each in felt if each > 0.045]
    felt.clear()
    reactor.callFromThread(time.sleep, 0.2)
    turn(0)
    turn(0)
    assert [each for each in felt if each >= 0.2]
    felt.clear()
    reactor.waker.doRead = lambda: time.sleep(0.2)
    reactor.wakeUp()
    for _ in range(4):
        turn(0.001)
    assert [each for each in felt if each >= 0.2]
