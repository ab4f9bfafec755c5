"""What a required tap only promises to record waits for it; what takes something back never does."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import LedgerError
from gateway.interfaces import Promise
from gateway.model.envelope import Answer, Bounce, Envelope, Problem, Query, QueryKind, Side
from gateway.model.message import Message
from gateway.model.presence import OFFLINE, Field, Mood, Presence, PresenceDocument, Show
from gateway.model.subscription import Ask, State, Subscription
from gateway.policy.partners import Strangers
from gateway.policy.verdict import Verdict
from tests.stage import ALICE, ALLY, BOB, DESK, PARTNER, TABLET, Stage, ask, away, documents, here

NOTE, OTHER = (("", "in a meeting"),), (("", "elsewhere"),)
HELLO = Message(id="m1", bodies=NOTE)


class Slow:
    """Is a required tap that promises, and keeps or breaks its word when it is told to."""

    required = True

    def __init__(self) -> None:
        self.open: list[tuple[Promise, Envelope, Verdict]] = []
        self.kept: list[tuple[Envelope, Verdict]] = []
        self.refuses = False

    def record(self, received: Envelope, verdict: Verdict) -> Promise | None:
        if received.side is not Side.INTERNAL:
            return None
        if self.refuses:
            raise LedgerError("full")
        self.open.append((Promise(), received, verdict))
        return self.open[-1][0]

    def settle(self, kept: bool = True, most: int = 1000) -> None:
        """Settles what is open now, the oldest first."""
        some, self.open = self.open[:most], self.open[most:]
        for promise, received, verdict in some:
            if kept:
                self.kept.append((received, verdict))
            promise.settle(kept)

    def finish(self) -> None:
        """Keeps all promises, also those that follow from them."""
        while self.open:
            self.settle()


@pytest.fixture
def tap() -> Slow:
    return Slow()


def staged(tap: Slow, level: str = "team") -> Stage:
    """Gives a stage on which bob watches alice and has a level."""
    stage = Stage(taps=[tap])
    stage.befriend()
    stage.level(level)
    tap.finish()
    return stage


def test_presence_leaves_when_it_is_recorded_for_good(tap: Slow) -> None:
    stage = staged(tap)
    assert stage.online(note=NOTE) == []
    tap.settle()
    assert documents(stage.outside.taken()) == [here(note=NOTE).document]
    assert stage.online(note=NOTE) == [] and not tap.open, "the same once more is nothing new"


def test_messages_leave_in_order_when_they_are_recorded_for_good(tap: Slow) -> None:
    stage = staged(tap)
    for name in ("m1", "m2", "m3"):
        assert stage.from_inside(DESK, BOB, Message(id=name, bodies=NOTE)) == []
    tap.settle(most=2)
    assert [one.content.id for one in stage.outside.taken() if isinstance(one.content, Message)] == ["m1", "m2"]
    tap.settle()
    assert [one.content.id for one in stage.outside.taken() if isinstance(one.content, Message)] == ["m3"]


def test_a_message_that_could_not_be_recorded_comes_back(tap: Slow) -> None:
    stage = staged(tap)
    stage.from_inside(DESK, BOB, HELLO)
    tap.settle(kept=False)
    assert stage.outside.taken() == []
    refused = Envelope(BOB, DESK, Bounce("message", "m1", Problem.RESOURCE_CONSTRAINT), Side.EXTERNAL)
    assert stage.inside.taken() == [refused]


def test_a_message_held_while_its_sender_blocks_the_contact_does_not_leave(tap: Slow) -> None:
    stage = staged(tap)
    stage.from_inside(DESK, BOB, HELLO)
    stage.level("blocked")
    tap.finish()
    assert not [one for one in stage.outside.taken() if isinstance(one.content, Message)]
    assert stage.inside.taken()[-1].content.problem is Problem.RESOURCE_CONSTRAINT  # type: ignore[union-attr]


def test_a_message_held_while_nothing_changes_for_it_is_recorded_once(tap: Slow) -> None:
    stage = staged(tap)
    stage.from_inside(DESK, BOB, HELLO)
    stage.level("personal")
    tap.settle()
    assert [one.content for one in stage.outside.taken()] == [HELLO]
    assert len([1 for received, _ in tap.kept if isinstance(received.content, Message)]) == 1


def test_going_offline_never_waits(tap: Slow) -> None:
    stage = staged(tap)
    stage.online(note=NOTE)
    tap.finish()
    stage.outside.taken()
    assert documents(stage.from_inside(DESK, BOB, away())) == [OFFLINE]
    assert tap.open, "it is recorded all the same"


def test_a_smaller_level_takes_back_at_once_what_is_not_seen_any_more(tap: Slow) -> None:
    stage = staged(tap)
    stage.online(note=NOTE, show=Show.DND)
    tap.finish()
    stage.outside.taken()
    assert documents(stage.level("public")) == [here(show=Show.DND).document]
    assert stage.metrics.revoke_seconds().counts


def test_what_is_taken_back_while_something_new_waits_is_taken_back_at_once(tap: Slow) -> None:
    """The new note waits for its record when bob loses the right to see any."""
    stage = staged(tap)
    stage.online(note=NOTE)
    tap.finish()
    stage.outside.taken()
    assert stage.online(note=OTHER) == []
    assert documents(stage.level("public")) == [here().document]
    tap.finish()
    assert stage.outside.taken() == [], "and the new note never leaves"


def test_blocking_while_the_first_presence_waits_leaves_nothing_to_tell(tap: Slow) -> None:
    stage = staged(tap)
    stage.online(note=NOTE)
    assert stage.level("blocked") == []
    tap.finish()
    assert stage.outside.taken() == []


def test_a_change_that_takes_and_gives_takes_first_and_gives_when_recorded(tap: Slow) -> None:
    stage = staged(tap)
    stage.online(note=NOTE)
    tap.finish()
    stage.outside.taken()
    assert documents(stage.online(show=Show.AWAY)) == [here().document]
    tap.finish()
    assert documents(stage.outside.taken()) == [here(show=Show.AWAY).document]


def test_a_show_that_ends_tells_something_and_waits(tap: Slow) -> None:
    stage = staged(tap)
    stage.online(show=Show.DND)
    tap.finish()
    stage.outside.taken()
    assert stage.online() == []
    tap.finish()
    assert documents(stage.outside.taken()) == [here().document]


def test_while_one_waits_only_the_newest_is_told(tap: Slow) -> None:
    stage = staged(tap)
    stage.online(note=NOTE)
    stage.online(note=OTHER)
    assert len(tap.open) == 1, "the record names the fields, which are the same"
    tap.settle()
    assert documents(stage.outside.taken()) == [here(note=OTHER).document]


def test_a_field_that_was_not_recorded_is_recorded_before_it_leaves(tap: Slow) -> None:
    stage = staged(tap)
    stage.online()
    stage.online(note=NOTE)
    tap.settle()
    assert stage.outside.taken() == []
    tap.settle()
    assert documents(stage.outside.taken()) == [here(note=NOTE).document]


def test_presence_that_could_not_be_kept_looks_like_nobody_there_and_is_told_later(tap: Slow) -> None:
    stage = staged(tap)
    stage.online(note=NOTE)
    tap.finish()
    stage.outside.taken()
    stage.online(note=OTHER)
    tap.settle(kept=False)
    assert documents(stage.outside.taken()) == [OFFLINE], "the old note must not stand"
    stage.house.tick()
    tap.finish()
    assert documents(stage.outside.taken()) == [here(note=OTHER).document]


def test_an_answer_leaves_when_it_is_recorded_for_good(tap: Slow) -> None:
    stage = staged(tap)
    stage.inside.cards[ALICE] = PresenceDocument({Field.EMAIL: ("alice@corp.example",)})
    stage.from_outside(TABLET, ALICE, Query(QueryKind.CARD, "q1"))
    assert stage.outside.taken() == []
    tap.finish()
    assert [one.content.query.id for one in stage.outside.taken()] == ["q1"]  # type: ignore[union-attr]


def test_presence_that_waited_for_a_link_is_recorded_before_it_leaves(tap: Slow) -> None:
    stage = staged(tap)
    stage.outside.up = False
    stage.online(note=NOTE)
    tap.finish()
    (queued,) = stage.outside.taken()
    stage.outside.up = True
    assert stage.house.reconsider(queued) is None
    assert stage.outside.taken() == []
    tap.finish()
    assert documents(stage.outside.taken()) == [here(note=NOTE).document]


def test_what_was_hidden_when_an_answer_was_composed_stays_hidden_while_it_is_held(tap: Slow) -> None:
    """When she allows more, the value that was hidden then may be one that she has taken back before."""
    stage = staged(tap, "public")
    stage.house.published(ALICE, {Field.MOOD: Mood("sad")})
    stage.online()
    tap.finish()
    stage.outside.taken()
    stage.from_outside(TABLET, ALICE, Query(QueryKind.MOOD, "q1"))
    stage.house.published(ALICE, {Field.MOOD: None})
    stage.level("personal")
    tap.finish()
    (answer,) = [one.content for one in stage.outside.taken() if isinstance(one.content, Answer)]
    assert answer.document is None


def test_what_is_taken_back_while_the_link_is_down_is_taken_back_as_soon_as_it_is_up(tap: Slow) -> None:
    """Although the record of what else there is to say is not kept yet."""
    stage = staged(tap)
    stage.online(note=NOTE)
    tap.finish()
    stage.outside.taken()
    stage.online(note=OTHER)
    stage.outside.up = False
    stage.level("company")
    tap.finish()
    (queued,) = stage.outside.taken()
    stage.outside.up = True
    assert stage.house.reconsider(queued) is None
    assert stage.pairs.of(ALICE, BOB).held is not None
    stage.pairs.of(ALICE, BOB).waiting = True
    told = stage.from_inside(DESK, BOB, away())
    assert stage.house.reconsider(queued) is None
    assert documents([*told, *stage.outside.taken()]) == [OFFLINE]


def test_what_takes_back_goes_first_and_is_kept_over_a_crash_until_it_is_told(tap: Slow) -> None:
    stage = staged(tap)
    doubts: list[tuple[str, bool]] = []
    stage.house._telling.doubted = lambda pair, doubt: doubts.append((pair.contact, doubt))
    stage.online(note=NOTE)
    tap.finish()
    stage.outside.taken()
    stage.outside.up = False
    stage.online(note=OTHER)
    tap.finish()
    (waits,) = stage.outside.taken()
    assert not doubts and not waits.first
    (queued,) = stage.level("blocked") or stage.outside.taken()
    assert queued.first and doubts[-1] == (BOB, True)
    stage.outside.up = True
    told = stage.house.reconsider(queued)
    assert told is not None and documents([told]) == [OFFLINE] and doubts[-1] == (BOB, False)


@pytest.mark.parametrize("refuses", [True, False])
def test_an_acceptance_that_could_not_be_recorded_is_said_later(tap: Slow, refuses: bool) -> None:
    stage = Stage(taps=[tap])
    stage.befriend(state=State.NONE_IN)
    tap.refuses = refuses
    stage.from_inside(ALICE, BOB, ask(Ask.SUBSCRIBED))
    tap.settle(kept=False)
    assert stage.outside.taken() == []
    assert stage.pairs.of(ALICE, BOB).facts.subscription.contact_watches, "alice has answered"
    stage.house.tick()
    tap.refuses = False
    stage.house.tick()
    tap.finish()
    assert Subscription(Ask.SUBSCRIBED) in [one.content for one in stage.outside.taken()]
    stage.house.tick()
    tap.finish()
    assert stage.outside.taken() == []


def test_what_the_table_accepts_by_itself_is_recorded_too(tap: Slow) -> None:
    partner = type(PARTNER)("partner.example", frozenset({"partner.example"}), strangers=Strangers.ACCEPT)
    stage = Stage(partner, ALLY, taps=[tap])
    stage.from_outside(BOB, ALICE, ask(Ask.SUBSCRIBE))
    assert documents(stage.outside.out) == [OFFLINE] and len(stage.outside.taken()) == 1
    assert Subscription(Ask.SUBSCRIBED) in [received.content for _, received, _ in tap.open]
    tap.finish()
    assert Subscription(Ask.SUBSCRIBED) in [one.content for one in stage.outside.taken()]


@pytest.mark.parametrize("last", [Ask.UNSUBSCRIBE, Ask.UNSUBSCRIBED])
@pytest.mark.parametrize("refuses", [True, False])
def test_the_end_of_a_subscription_neither_waits_nor_fails(tap: Slow, last: Ask, refuses: bool) -> None:
    stage = staged(tap)
    tap.refuses = refuses
    assert ask(last) in [one.content for one in stage.from_inside(ALICE, BOB, ask(last))]


def test_a_house_that_is_closed_tells_nothing_any_more(tap: Slow) -> None:
    stage = staged(tap)
    stage.online(note=NOTE)
    stage.house.close()
    tap.finish()
    assert documents(stage.outside.taken()) in ([], [OFFLINE])


def test_all_taps_must_have_kept_it() -> None:
    first, second = Slow(), Slow()
    stage = Stage(taps=[first, second])
    stage.befriend()
    stage.online()
    first.settle()
    assert stage.outside.taken() == []
    second.settle()
    assert documents(stage.outside.taken()) == [here().document]
    stage.from_inside(DESK, BOB, HELLO)
    second.settle(kept=False)
    assert stage.outside.taken() == []
    first.settle()
    assert stage.outside.taken() == []
    assert isinstance(stage.inside.taken()[-1].content, Bounce)


STEPS = st.one_of(
    st.tuples(st.just("presence"), st.sampled_from([None, NOTE, OTHER]), st.sampled_from([None, Show.DND, Show.AWAY])),
    st.tuples(st.just("away")),
    st.tuples(st.just("level"), st.sampled_from(["blocked", "public", "team"])),
    st.tuples(st.just("message")),
    st.tuples(st.just("probe")),
    st.tuples(st.just("settle"), st.booleans(), st.integers(1, 3)),
    st.tuples(st.just("refuse"), st.booleans()),
    st.tuples(st.just("tick")),
)


def _perform(stage: Stage, tap: Slow, step: tuple[Any, ...]) -> None:
    match step:
        case ("presence", note, show):
            fields = {"note": note, "show": show}
            stage.inside.taken()
            envelope = here(**{name: value for name, value in fields.items() if value is not None})
            stage.house.receive(Envelope(DESK, BOB, envelope, Side.INTERNAL))
        case ("away",):
            stage.house.receive(Envelope(DESK, BOB, away(), Side.INTERNAL))
        case ("level", level):
            out = stage.outside.out
            stage.outside.out = []
            stage.outside.out = out + stage.level(level)
        case ("message",):
            stage.house.receive(Envelope(DESK, BOB, HELLO, Side.INTERNAL))
        case ("probe",):
            stage.house.receive(Envelope(BOB, ALICE, Subscription(Ask.PROBE), Side.EXTERNAL))
        case ("settle", kept, most):
            tap.settle(kept, most)
        case ("refuse", refuses):
            tap.refuses = refuses
        case ("tick",):
            stage.house.tick()


@settings(max_examples=300, deadline=None)
@given(st.lists(STEPS, max_size=15))
def test_nothing_leaves_that_is_not_recorded_for_good(steps: list[tuple[Any, ...]]) -> None:
    """Whatever happens: what is new to bob was in a record that was kept, and in the end he sees the present."""
    tap = Slow()
    stage = Stage(taps=[tap])
    stage.befriend()
    pair = stage.level("team") and stage.pairs.of(ALICE, BOB) or stage.pairs.of(ALICE, BOB)
    told = OFFLINE
    for step in steps:
        _perform(stage, tap, step)
        fields = {
            name for received, verdict in tap.kept if isinstance(received.content, Presence) for name in verdict.sent
        }
        messages = [received for received, _ in tap.kept if isinstance(received.content, Message)]
        for envelope in stage.outside.taken():
            if isinstance(envelope.content, Presence):
                new = {name for name in envelope.content.document if told.get(name) != envelope.content.document[name]}
                assert new <= fields, "told before its record lasted"
                told = envelope.content.document
            elif isinstance(envelope.content, Message):
                assert messages, "said before its record lasted"
        assert told.names <= pair.permission.fields, "what may not be seen any more is taken back at once"
    tap.refuses = False
    for _ in range(3):
        tap.finish()
        stage.house.tick()
    told = documents([Envelope(BOB, BOB, Presence(told), Side.INTERNAL), *stage.outside.taken()])[-1]
    present = stage.house.presence.presence_of(pair)
    expected = {name: present[name] for name in present if name in pair.permission.fields}
    assert told == (PresenceDocument(expected) if Field.AVAILABILITY in expected else OFFLINE)
