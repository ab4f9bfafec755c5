"""What a broken stream may have taken with it is told and asked for again, once the peer can be heard."""

from typing import Any

import pytest
from attrs import define, field
from twisted.internet.task import Clock

from gateway.config.sections import Limits
from gateway.queues.outbox import Outbox, OutboxLimits
from plugins.legs.xmpp.lane import Lane
from plugins.legs.xmpp.mourning import HEAR_SECONDS, UNCHANGED_SECONDS, Mourning

TOLD, TOLD_NEWS, ASKED, LOST = "told", "told what has changed", "asked", "lost"


@define(eq=False)
class Stream:
    """Is a connection, of which only matters whether it has ended in order."""

    clean: bool = False


@define(eq=False)
class Face:
    """Writes down what is done; it is its own house, too."""

    reactor: Clock = field(factory=Clock)
    limits: Limits = field(factory=Limits)
    done: list[str] = field(factory=list)
    house: Any = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.house = self

    def say(self, local: str, remote: str, text: str) -> None:
        assert "urn:xmpp:ping" in text and f"to='{remote}'" in text
        self.done.append("pinged")

    def call(self, lane: Lane) -> None:
        self.done.append("called")

    def link_restored(self, local: str, remote: str, complete: bool = False, *, ask: bool = True) -> None:
        self.done += [TOLD] * (not complete) + [TOLD_NEWS] * (complete and not ask) + [ASKED] * ask

    def link_lost(self, local: str, remote: str) -> None:
        self.done.append(LOST)


@define
class Play:
    """Is a lane whose way out is up, and a peer who speaks on a stream of his own."""

    face: Face
    mourning: Mourning
    lane: Lane
    theirs: Any = field(factory=Stream)

    def happened(self) -> list[str]:
        """Gives what was done since the last question."""
        done, self.face.done = self.face.done, []
        return done

    def theirs_breaks(self) -> None:
        self.lane.heard_on.discard(self.theirs)
        self.mourning.broke(self.lane)

    def theirs_opens(self) -> None:
        self.theirs = Stream()
        self.mourning.heard(self.lane, self.theirs)

    def ours_breaks(self) -> None:
        self.lane.connection = None
        self.mourning.broke(self.lane)

    def ours_opens(self) -> None:
        self.lane.connection = Stream()  # type: ignore[assignment]
        self.mourning.opened(self.lane)


@pytest.fixture
def play() -> Play:
    face = Face()
    outbox = Outbox(OutboxLimits(), lambda envelope: envelope, lambda envelope, problem: None, lambda: 0.0)
    made = Play(face, Mourning(face), Lane("corp.example", "partner.example", "partner.example", outbox))
    made.ours_opens()
    made.theirs_opens()
    assert made.happened() == []
    return made


def test_what_was_lost_with_a_stream_of_the_peer_is_asked_for_when_he_has_another(play: Play) -> None:
    play.theirs_breaks()
    assert play.happened() == ["pinged"]
    play.theirs_opens()
    assert play.happened() == [ASKED]
    play.face.reactor.advance(600)
    assert play.happened() == []


def test_a_peer_who_opens_none_is_asked_all_the_same_and_once_more_when_he_does(play: Play) -> None:
    play.theirs_breaks()
    play.face.reactor.advance(HEAR_SECONDS)
    assert play.happened() == ["pinged", ASKED]
    play.theirs_opens()
    assert play.happened() == [ASKED]
    play.theirs_opens()
    assert play.happened() == []


def test_after_both_broke_he_is_told_at_once_and_asked_only_when_he_can_be_heard(play: Play) -> None:
    play.theirs_breaks()
    play.ours_breaks()
    assert play.happened() == ["pinged", "called"]
    play.ours_opens()
    assert play.happened() == [TOLD, "pinged"]
    play.face.reactor.advance(HEAR_SECONDS / 2)
    play.theirs_opens()
    assert play.happened() == [ASKED]
    play.face.reactor.advance(HEAR_SECONDS)
    assert play.happened() == []


def test_who_was_heard_before_our_way_is_back_is_asked_when_it_is(play: Play) -> None:
    play.theirs_breaks()
    play.ours_breaks()
    play.happened()
    play.theirs_opens()
    assert play.happened() == []
    play.ours_opens()
    assert play.happened() == [TOLD, ASKED]


def test_a_stream_that_the_peer_has_ended_in_order_brings_no_answers(play: Play) -> None:
    play.ours_breaks()
    play.theirs.clean = True
    play.ours_opens()
    assert play.happened() == ["called", TOLD, "pinged"]


def test_what_waits_for_an_answer_is_not_forgotten_when_our_way_ends_in_order_meanwhile(play: Play) -> None:
    play.theirs_breaks()
    play.lane.connection = None
    play.face.reactor.advance(HEAR_SECONDS)
    assert play.happened() == ["pinged"]
    play.ours_opens()
    assert play.happened() == [TOLD, "pinged"]


def test_who_had_confirmed_all_and_was_not_away_for_long_is_told_only_what_has_changed(play: Play) -> None:
    for seconds, told in ((UNCHANGED_SECONDS - 1, TOLD_NEWS), (UNCHANGED_SECONDS, TOLD)):
        play.lane.lost_at = play.face.reactor.seconds()
        play.ours_breaks()
        play.face.reactor.advance(seconds)
        play.ours_opens()
        assert play.happened() == ["called", told, ASKED]


def test_who_stays_away_is_given_up_once(play: Play) -> None:
    play.ours_breaks()
    play.ours_breaks()
    play.face.reactor.advance(play.face.limits.presence_seconds)
    assert play.happened() == ["called", LOST]
    play.face.reactor.advance(600)
    assert play.happened() == []


def test_who_is_back_in_time_is_not_given_up(play: Play) -> None:
    play.ours_breaks()
    play.face.reactor.advance(play.face.limits.presence_seconds - 1)
    play.ours_opens()
    play.happened()
    play.face.reactor.advance(600)
    assert play.happened() == []
