"""Contacts are told that what is said is kept: before the first message that is, once, over the same way."""

from collections.abc import Iterable
from typing import Any

import pytest
from attrs import define, evolve, field
from twisted.internet.defer import succeed

from gateway.books.pairs import Pair
from gateway.interfaces import Promise
from gateway.model.address import Address
from gateway.model.envelope import Bounce, Envelope, Problem, Side
from gateway.model.message import ChatState, Message, MessageKind
from gateway.model.subscription import State
from gateway.policy.notices import NOTHING, Keeping, Kept
from gateway.policy.partners import Modality, Start
from gateway.policy.verdict import Decision, Verdict
from gateway.records.notices import Notices
from tests.stage import ALICE, BOB, CAROL, DESK, PARTNER, TABLET, Stage

HISTORY, CONTENT = frozenset({Keeping.HISTORY}), frozenset({Keeping.CONTENT})
HELLO = Message(MessageKind.CHAT, "m1", (("", "hello"),), thread="t1")


@define
class MemoryNotices:
    """Keeps what contacts were told in a dictionary."""

    known: dict[tuple[str, str], Kept] = field(factory=dict)

    def told(self, person: str, contact: str) -> Kept:
        return self.known.get((person, contact), NOTHING)

    def tell(self, person: str, contact: str, kept: Kept, now: float) -> Any:
        self.known[person, contact] = kept
        return succeed(None)


class Keeper(Stage):
    """A house in which what alice says is kept as `kept` says."""

    def __init__(self, *partners: Any, **changes: Any) -> None:
        super().__init__(*partners, **changes)
        self.kept: Kept = HISTORY
        self.store = MemoryNotices()
        relay = self.house.relay
        self.notices = relay.notices = Notices(
            self.store, self._kept, lambda partner: {}, relay.pass_on, self.metrics, self.clock.seconds
        )

    def _kept(self, pair: Pair) -> Kept:
        return self.kept if pair.person == ALICE else NOTHING


def notices(envelopes: Iterable[Envelope]) -> list[bool]:
    return [isinstance(each.content, Message) and each.content.notice for each in envelopes]


def test_before_the_first_message_and_never_again() -> None:
    stage = Keeper()
    first = stage.from_inside(DESK, BOB, HELLO)
    assert notices(first) == [True, False]
    notice = first[0]
    assert (notice.sender, notice.recipient) == (first[1].sender, BOB)
    assert isinstance(notice.content, Message)
    assert (notice.content.kind, notice.content.thread) == (MessageKind.CHAT, "t1")
    assert "corp.example" in notice.content.bodies[0][1]
    assert notices(stage.from_inside(DESK, BOB, HELLO)) == [False]
    assert not stage.inside.taken()


def test_whoever_writes_first_is_told_before_his_message_arrives() -> None:
    stage = Keeper()
    stage.inside.out = stage.outside.out = both = []
    stage.house.receive(Envelope(TABLET, ALICE, HELLO, Side.EXTERNAL))
    assert [each.side for each in both] == [Side.INTERNAL, Side.EXTERNAL]
    assert notices(both) == [True, False]


def test_he_is_told_where_he_writes_from() -> None:
    stage = Keeper()
    stage.from_outside(TABLET, ALICE, HELLO)
    assert [each.recipient for each in stage.outside.taken()] == [TABLET]


def test_each_contact_is_told_and_only_of_who_keeps() -> None:
    stage = Keeper()
    assert notices(stage.from_inside(DESK, BOB, HELLO)) == [True, False]
    assert notices(stage.from_inside(DESK, CAROL, HELLO)) == [True, False]
    dave = Address.parse("dave@corp.example")
    assert notices(stage.from_inside(dave, BOB, HELLO)) == [False]


def test_he_is_told_again_when_more_is_kept_or_when_it_begins_anew() -> None:
    stage = Keeper()
    stage.from_inside(DESK, BOB, HELLO)
    stage.kept = HISTORY | CONTENT
    assert notices(stage.from_inside(DESK, BOB, HELLO)) == [True, False]
    stage.kept = NOTHING
    assert notices(stage.from_inside(DESK, BOB, HELLO)) == [False]
    stage.kept = HISTORY
    assert notices(stage.from_inside(DESK, BOB, HELLO)) == [True, False]


@pytest.mark.parametrize("content", [Message(chat_state=ChatState.COMPOSING), Message(receipt_for="m1")])
def test_what_nobody_reads_tells_nothing(content: Message) -> None:
    stage = Keeper(evolve(PARTNER, modalities=frozenset(Modality)))
    assert True not in notices(stage.from_inside(DESK, BOB, content))
    assert not stage.store.known


def test_a_stranger_is_told_no_sooner_than_the_person_answers_where_that_would_reveal_her() -> None:
    stage = Keeper()
    stage.notices.anybody = lambda pair: NOTHING
    assert len(stage.from_outside(TABLET, ALICE, HELLO)) == 1
    assert not stage.outside.taken() and not stage.store.known
    assert notices(stage.from_inside(DESK, BOB, HELLO)) == [True, False]
    assert notices(stage.from_inside(DESK, BOB, HELLO)) == [False]


def test_a_stranger_is_told_at_once_what_holds_for_everybody() -> None:
    stage = Keeper()
    stage.kept = CONTENT
    stage.notices.anybody = lambda pair: CONTENT
    stage.from_outside(TABLET, ALICE, HELLO)
    assert notices(stage.outside.taken()) == [True]


@pytest.mark.parametrize("how", ["watches", "watched", "named"])
def test_who_knows_of_the_person_is_told_at_once(how: str) -> None:
    stage = Keeper()
    stage.notices.anybody = lambda pair: NOTHING
    if how == "named":
        stage.level("team")
    else:
        stage.befriend(BOB, State.FROM if how == "watches" else State.TO)
    stage.outside.taken()
    stage.from_outside(TABLET, ALICE, HELLO)
    assert notices(stage.outside.taken()) == [True]


def test_no_notice_about_what_does_not_pass() -> None:
    stage = Keeper(level="blocked")
    stage.from_outside(TABLET, ALICE, HELLO)
    assert notices(stage.outside.taken()) == [False]  # the error
    assert not stage.store.known


def test_a_notice_of_theirs_is_shown_and_answered_by_none() -> None:
    stage = Keeper()
    arrived = stage.from_outside(TABLET, ALICE, evolve(HELLO, notice=True))
    assert notices(arrived) == [True]
    assert not stage.outside.taken()


def test_a_client_that_says_it_gives_notice_is_not_believed() -> None:
    stage = Keeper()
    assert notices(stage.from_inside(DESK, BOB, evolve(HELLO, notice=True))) == [True, False]


def test_he_is_told_also_where_our_people_may_not_start() -> None:
    stage = Keeper(evolve(PARTNER, start=Start.THEIRS))
    assert len(stage.from_outside(TABLET, ALICE, HELLO)) == 1
    assert notices(stage.outside.taken()) == [True]


def test_a_notice_that_comes_back_is_given_again_and_its_error_reaches_nobody() -> None:
    stage = Keeper()
    notice, _ = stage.from_inside(DESK, BOB, HELLO)
    assert isinstance(notice.content, Message)
    bounce = Bounce("message", notice.content.id, Problem.SERVICE_UNAVAILABLE)
    assert stage.from_outside(BOB, DESK, bounce) == []
    assert notices(stage.from_inside(DESK, BOB, HELLO)) == [True, False]


def test_an_error_about_another_message_goes_its_way() -> None:
    stage = Keeper()
    stage.from_inside(DESK, BOB, HELLO)
    assert len(stage.from_outside(BOB, DESK, Bounce("message", "m1", Problem.SERVICE_UNAVAILABLE))) == 1
    assert notices(stage.from_inside(DESK, BOB, HELLO)) == [False]


def test_a_notice_that_could_not_leave_is_given_again() -> None:
    stage = Keeper()
    notice, _ = stage.from_inside(DESK, BOB, HELLO)
    stage.house.undeliverable(notice, Problem.REMOTE_SERVER_TIMEOUT)
    assert not stage.inside.taken()
    assert notices(stage.from_inside(DESK, BOB, HELLO)) == [True, False]


@define
class Failing:
    """A required tap that cannot record notices."""

    required: bool = True
    seen: list[tuple[bool, Decision]] = field(factory=list)

    def record(self, received: Envelope, verdict: Verdict) -> Promise | None:
        notice = isinstance(received.content, Message) and received.content.notice
        self.seen.append((notice, verdict.decision))
        if notice:
            raise OSError
        return None


@pytest.mark.parametrize("inward", [False, True])
def test_without_a_notice_on_record_nothing_passes(inward: bool) -> None:
    tap = Failing()
    stage = Keeper(taps=[tap])
    if inward:
        assert not stage.from_outside(TABLET, ALICE, HELLO)
        passed = stage.outside.taken()
    else:
        assert not stage.from_inside(DESK, BOB, HELLO)
        passed = stage.inside.taken()
    assert [type(each.content) for each in passed].count(Bounce) >= 1
    assert not any(isinstance(each.content, Message) for each in passed)
    assert tap.seen[0][0] and tap.seen[-1] == (False, Decision.REFUSE)
    assert stage.store.told(ALICE, BOB) == NOTHING


def test_the_bot_is_told_nothing() -> None:
    stage = Keeper(evolve(PARTNER, house=True))
    assert notices(stage.from_inside(DESK, BOB, HELLO)) == [False]
