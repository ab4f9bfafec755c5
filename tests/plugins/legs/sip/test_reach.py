"""Peers who fall silent, are gone, and come back: a play in which the peer answers or does not."""

import pytest
from attrs import define, field

from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.pager import Delivered, Undelivered
from plugins.legs.sip.reach import FORGET_SECONDS, Probe, Reach
from tests.protocols.sip.talk import request

PEER = "partner.example"


@define
class Play:
    """Is one side; `alive` says what becomes of the next questions."""

    now: float = 1000.0
    alive: bool = True
    reason: str = "transport"
    asked: int = 0
    told: list[tuple[str, object]] = field(factory=list)
    open: list[Probe] = field(factory=list)
    reach: Reach = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.reach = Reach(
            self.ask,
            lambda domain: self.told.append((domain, "lost")),
            lambda domain, lost: self.told.append((domain, lost)),
            lambda: self.now,
            30.0,
            60.0,
        )

    def ask(self, domain: str, probe: Probe) -> None:
        self.asked += 1
        self.open.append(probe)

    def wait(self, seconds: int) -> None:
        """Lets the leg look every five seconds; each question has its end before the next look."""
        for _ in range(seconds // 5):
            self.now += 5.0
            self.reach.tick()
            for probe in self.open:
                self.reach.ended(probe, Delivered(probe, 405) if self.alive else Undelivered(probe, 0, self.reason))
            self.open.clear()


@define
class Flow:
    certified: frozenset[str] | None = None
    domain: str = ""


def test_who_talks_is_not_asked_and_who_is_silent_is() -> None:
    play = Play()
    for _ in range(20):
        play.reach.heard(PEER)
        play.wait(20)
    assert play.asked == 0
    play.wait(60)
    assert play.asked in (1, 2) and play.told == []


def test_who_is_not_known_is_not_asked() -> None:
    play = Play()
    play.reach.suspect(PEER)
    play.wait(300)
    assert play.asked == 0


def test_gone_for_long_is_told_once_and_back_is_told_once() -> None:
    play = Play(alive=False)
    play.reach.heard(PEER)
    play.wait(85)
    assert play.told == []
    play.wait(600)
    assert play.told == [(PEER, "lost")] and play.reach.gone == [PEER]
    play.alive = True
    play.wait(60)
    assert play.reach.gone == []
    assert play.told == [(PEER, "lost"), (PEER, True)]


def test_a_short_break_is_told_as_such() -> None:
    play = Play(alive=False)
    play.reach.heard(PEER)
    play.wait(45)
    play.reach.heard(PEER)
    assert play.told == [(PEER, False)]
    play.wait(20)
    assert play.told == [(PEER, False)]


def test_a_lost_connection_is_looked_at_at_once() -> None:
    play = Play()
    play.reach.heard(PEER)
    play.reach.suspect(PEER)
    play.wait(5)
    assert play.asked == 1


def test_who_never_answers_is_believed_while_he_can_be_connected_to() -> None:
    play = Play(alive=False, reason="timeout")
    play.reach.heard(PEER)
    play.wait(1000)
    assert play.told == [] and play.asked > 5


def test_who_answered_once_and_is_silent_is_gone() -> None:
    play = Play(reason="timeout")
    play.reach.heard(PEER)
    play.wait(60)
    play.alive = False
    play.wait(200)
    assert play.told == [(PEER, "lost")]


def test_attempts_become_rarer() -> None:
    play = Play(alive=False)
    play.reach.heard(PEER)
    play.wait(600)
    assert 15 <= play.asked <= 30


def test_who_has_nothing_with_us_is_forgotten() -> None:
    play = Play()
    play.reach.heard(PEER)
    play.wait(int(FORGET_SECONDS) + 100)
    asked = play.asked
    play.wait(600)
    assert play.asked == asked


@pytest.mark.parametrize(
    ("flow", "known"),
    [
        (Flow(domain=PEER), True),
        (Flow(frozenset({PEER})), True),
        (Flow(frozenset({"other.example"})), False),
        (Flow(None), True),
    ],
)
def test_messages_count_for_who_may_speak_so(flow: Flow, known: bool) -> None:
    play = Play()
    play.reach.received(request("NOTIFY"), flow)
    play.wait(60)
    assert (play.asked > 0) is known


def test_answers_to_our_questions_keep_nobody_in_mind() -> None:
    play = Play()
    asked = request("OPTIONS", "sip:partner.example", To="<sip:partner.example>")
    answer = asked.reply(200)
    assert isinstance(asked, Request) and isinstance(answer, Response)
    play.reach.received(answer, Flow(domain=PEER))
    play.wait(60)
    assert play.asked == 0
