"""What a contact may not see changes neither a byte nor a moment of what he is told (I10, I11, I20)."""

import os
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from gateway.books.presence_book import PresenceBook
from gateway.model.address import Address
from gateway.model.envelope import Bounce, Problem, Query, QueryKind, Side
from gateway.model.message import Message
from gateway.model.presence import Activity, Field, Mood, Photo, Place, PostalAddress, PresenceDocument
from gateway.model.subscription import Ask, State, Subscription
from gateway.policy import authorization
from gateway.policy.authorization import _permission
from gateway.policy.partners import Lock, Strangers
from gateway.policy.published_info import PRESENCE_FIELDS
from gateway.protocols.sip.notifier import Notifier
from gateway.protocols.xmpp.stanzas.queries import question_of
from tests.properties.histories import Story
from tests.properties.non_interference import failing, shortened, told
from tests.properties.wire import TABLE, Event, Player, Wire, histories, profile, staged
from tests.stage import ALICE, BOB, CAROL, DESK, PARTNER, Stage

HISTORIES = int(os.environ.get("GATEWAY_HISTORIES", "1000"))
"""Pairs of runs over the whole house; `python -m tests.properties.non_interference` plays 100,000."""
NEVER_SEEN = frozenset(
    {
        Field.NOTE,
        Field.ACTIVITY,
        Field.MOOD,
        Field.LOCATION,
        Field.PHONE_HOME,
        Field.TITLE,
        Field.PHOTO,
        Field.ADDRESS_HOME,
    }
)
"""Locked for everybody in the two runs, so that their values must not matter at any moment."""
OTHERS: dict[Field, Any] = {
    Field.NOTE: (("", "quite another note"),),
    Field.ACTIVITY: Activity("working", "coding", "another"),
    Field.MOOD: Mood("sad", "another"),
    Field.LOCATION: Place({"room": "another"}),
    Field.PHONE_HOME: ("555-0199", "555-0198"),
    Field.TITLE: "Dr another",
    Field.PHOTO: Photo("image/jpeg", b"another", "a" * 40),
    Field.ADDRESS_HOME: PostalAddress("another"),
}
LOCKS = tuple(Lock(name) for name in NEVER_SEEN)
STATES = st.sampled_from(list(State))


def run(history: list[Event], values: dict[Field, Any], hidden: frozenset[int] = frozenset()) -> Wire:
    """Plays a history, with hidden events put in before these places, and gives what was written.

    Events about parts of a card are not among them: they have the card fetched, and with it what may be seen of it.
    """
    stage, wire = staged(locks=LOCKS)
    for contact in (BOB, CAROL):
        stage.befriend(contact)
    player = Player(stage, wire, {**TABLE, **values})
    for place, event in enumerate(history):
        if place in hidden:
            for name in (Field.ACTIVITY, Field.MOOD, Field.LOCATION):
                stage.house.published(ALICE, {name: OTHERS[name] if place % 2 else None})
        if event[0] not in ("unlock", "lock"):
            player.play(event)
    return wire


def test_i11_i20_what_is_hidden_changes_neither_a_byte_nor_a_moment_on_any_leg() -> None:
    """Over XMPP and SIP, with and without the ledger; repeat a seed with `--seed N --histories 1`."""
    for story in failing(0, HISTORIES):
        pytest.fail(told(shortened(story)))


@pytest.mark.guard_refuses
def test_a_strip_that_lets_one_field_too_many_through_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves that the property above could fail, and what it prints when it does."""
    monkeypatch.setattr(authorization, "strip", lambda document, permitted: document.only(permitted | {Field.MOOD}))
    _permission.cache_clear()
    story = next(failing(0, 200))
    assert len(shortened(story).events) < len(story.events)
    assert told(story).startswith(f"seed {story.seed}: {story.watcher}")


def test_hidden_changes_that_cause_traffic_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A house that tells all contacts again when anything is published gives away that something was."""
    tell = PresenceBook.tell
    monkeypatch.setattr(PresenceBook, "tell", lambda book, pair, again=False: tell(book, pair, True))
    assert any(failing(0, 100))


def test_a_hidden_change_that_delays_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hidden publication that pushes the next notification back is seen in the moments alone."""
    show = Notifier.show

    def late(notifier: Notifier, key: Any, state: Any, document: Any, now: float, *, at_once: bool = False) -> bool:
        return show(notifier, key, state, document, now, at_once=at_once and len(notifier) % 2 == 0)

    monkeypatch.setattr(Notifier, "show", late)
    found = next(failing(0, 400))
    one, other = found.told(False), found.told(True)
    assert one != other


def test_a_seed_tells_the_same_story_each_time() -> None:
    assert Story.of(7) == Story.of(7) and Story.of(7).told(True) == Story.of(7).told(True)


@profile
@given(histories, st.frozensets(st.integers(0, 30)))
def test_two_runs_that_differ_in_what_is_hidden_look_the_same(history: list[Event], places: frozenset[int]) -> None:
    first, second = run(history, {}), run(history, OTHERS, places)
    for contact in (BOB, CAROL):
        assert first.to(contact) == second.to(contact)


def test_what_nobody_sees_does_not_overtake_while_a_link_is_down() -> None:
    """What waits for a contact who knows already that nobody is there takes nothing back, and keeps its place."""
    history: list[Event] = [("presence", BOB, DESK, frozenset()), ("gone", BOB, DESK), ("down",)]
    history += [("in", BOB, Ask.SUBSCRIBE), ("up",)]
    assert run(history, {}).to(BOB) == run(history, OTHERS, frozenset({1, 4})).to(BOB) != []


def test_what_is_not_hidden_does_make_a_difference() -> None:
    """Proves that the property above could fail."""
    history: list[Event] = [("card", frozenset({Field.DISPLAY_NAME})), ("query", BOB, QueryKind.CARD)]
    assert run(history, {}).to(BOB) != run(history, {Field.DISPLAY_NAME: "Another"}).to(BOB)


@profile
@given(histories, st.sampled_from(list(Field)))
def test_one_more_lock_never_shows_more(history: list[Event], name: Field) -> None:
    def shown(locks: tuple[Lock, ...]) -> set[str]:
        stage, wire = staged(locks=locks)
        stage.befriend()
        player = Player(stage, wire)
        for event in history:
            if event[0] not in ("unlock", "lock"):
                player.play(event)
        marks = {one: f"canary-7f3a:{one.value};" for one in Field}
        said = " ".join(text for _, text in wire.to(BOB))
        return {one.value for one, mark in marks.items() if mark in said}

    assert shown((Lock(name),)) <= shown(())


def nobody(kind: str, state: State, level: str) -> tuple[Stage, Wire, Address]:
    """Gives a house in which a person is blocked for bob, offline, or does not exist."""
    strangers = Strangers(level)
    stage, wire = staged()
    partner = evolve(PARTNER, strangers=strangers)
    stage.pairs.rules.partners._by_domain["partner.example"] = partner
    person = Address.parse({"unknown": "nobody@corp.example"}.get(kind, "alice@corp.example"))
    if kind == "blocked":
        stage.inside.cards[ALICE] = PresenceDocument(
            {name: TABLE[name] for name in Field if name not in PRESENCE_FIELDS}
        )
        stage.house.published(ALICE, {name: TABLE[name] for name in (Field.MOOD, Field.LOCATION)})
        stage.level("blocked")
    stage.befriend(state=state, person=person)
    return stage, wire, person


questions = st.one_of(
    st.tuples(
        st.just("query"), st.sampled_from([kind for kind in QueryKind if kind not in (QueryKind.OTHER, QueryKind.FORM)])
    ),
    st.tuples(st.just("ask"), st.sampled_from([Ask.SUBSCRIBE, Ask.UNSUBSCRIBE, Ask.PROBE])),
    st.tuples(st.just("wait"), st.sampled_from([1.0, 700.0])),
    st.tuples(st.just("alice"), st.sampled_from([frozenset({Field.NOTE}), frozenset({Field.SHOW, Field.ACTIVITY})])),
)


def overheard(kind: str, state: State, level: str, history: list[Event]) -> list[tuple[float, str]]:
    """Gives all that bob hears of somebody when he asks; alice, if it is she, goes on with her day."""
    stage, wire, person = nobody(kind, state, level)
    player = Player(stage, wire)
    for what, value in history:
        if what == "query":
            for asked in (person, person.at("guess")):
                player._say(BOB.at("x"), asked, Query(value, "q", question_of(value)), Side.EXTERNAL)
        elif what == "ask":
            player._say(BOB, person, Subscription(value, "s"), Side.EXTERNAL)
        elif what == "wait":
            player._wait(value)
        elif kind == "blocked":
            player._presence(BOB, DESK, value)
    renamed = [(at, text.replace(person, "somebody")) for at, text in wire.to(BOB)]
    token = stage.pairs.of(person, BOB).token
    return [(at, text.replace(token, "token")) for at, text in renamed]


@profile
@given(STATES, st.sampled_from(["ask", "accept", "refuse"]), st.lists(questions, max_size=8))
def test_the_blocked_hear_what_those_hear_who_ask_about_nobody(state: State, level: str, history: list[Event]) -> None:
    """Somebody who is not there, who does not exist, and who has blocked: the same text at the same time."""
    blocked, offline, unknown = (overheard(kind, state, level, history) for kind in ("blocked", "offline", "unknown"))
    assert offline == unknown
    assert blocked == offline


def test_messages_to_the_blocked_and_to_nobody_are_answered_alike() -> None:
    """The inside server returns what it cannot deliver; the gateway refuses what it may not: the same text."""
    told = []
    for kind in ("blocked", "unknown"):
        stage, wire, person = nobody(kind, State.NONE, "ask")
        player = Player(stage, wire)
        for to in (person, person.at("guess")):
            player._say(BOB.at("x"), to, Message(id="m", bodies=(("", "hello"),)), Side.EXTERNAL)
            if kind == "unknown":
                returned = Bounce("message", "m", Problem.ITEM_NOT_FOUND)
                player._say(person, BOB.at("x"), returned, Side.INTERNAL)
        told.append([text.replace(person, "somebody") for _, text in wire.to(BOB)])
    assert told[0] == told[1] and len(told[0]) == 2
