"""Subscriptions: the table is followed, what depends on it follows at once, and strangers cannot fill it."""

from typing import Any

import pytest
from attrs import evolve
from twisted.internet.defer import fail

from gateway.books.pairs import Pair
from gateway.errors import StoreError
from gateway.model.address import Address
from gateway.model.envelope import Bounce, Envelope, Problem, Side
from gateway.model.presence import OFFLINE, Field, Mood
from gateway.model.subscription import INBOUND, OUTBOUND, Ask, State, Subscription
from gateway.policy.partners import Partner, Strangers
from tests.stage import ALICE, BOB, DESK, PARTNER, START, TABLET, Stage, ask, away, documents, here

REQUESTS = [one for one in Ask if one is not Ask.PROBE]
OPEN = evolve(PARTNER, strangers=Strangers.ACCEPT)


def asks(envelopes: list[Envelope]) -> list[Ask]:
    return [one.content.ask for one in envelopes if isinstance(one.content, Subscription)]


@pytest.mark.parametrize("request_", REQUESTS)
@pytest.mark.parametrize("state", list(State))
def test_what_a_person_asks_follows_the_table(state: State, request_: Ask) -> None:
    stage = Stage()
    stage.befriend(state=state)
    sent = stage.from_inside(DESK, BOB, ask(request_))
    step = OUTBOUND[state, request_]
    assert stage.states.state(ALICE, BOB) is stage.pairs.of(ALICE, BOB).facts.subscription is step.state
    assert asks(sent) == ([request_] if step.passes else [])
    assert all((one.sender, one.recipient) == (ALICE, BOB) for one in sent if isinstance(one.content, Subscription))


@pytest.mark.parametrize("request_", REQUESTS)
@pytest.mark.parametrize("state", list(State))
def test_what_a_contact_asks_follows_the_table(state: State, request_: Ask) -> None:
    stage = Stage()
    stage.befriend(state=state)
    delivered = stage.from_outside(TABLET, ALICE, ask(request_))
    step = INBOUND[state, request_]
    assert stage.states.state(ALICE, BOB) is step.state
    assert asks(delivered) == ([request_] if step.passes else [])
    assert asks(stage.outside.taken()) == ([step.reply] if step.reply else [])


def test_who_is_dropped_is_told_unavailable_first() -> None:
    stage = Stage()
    stage.befriend()
    stage.online()
    sent = stage.from_inside(DESK, BOB, ask(Ask.UNSUBSCRIBED))
    assert documents(sent[:1]) == [OFFLINE] and asks(sent[1:]) == [Ask.UNSUBSCRIBED]
    assert stage.level("personal") == []


def test_a_contact_who_leaves_is_told_unavailable_and_hears_no_more() -> None:
    stage = Stage()
    pair = stage.befriend()
    stage.online()
    stage.from_outside(BOB, ALICE, ask(Ask.UNSUBSCRIBE))
    assert documents(stage.outside.taken()) == [OFFLINE]
    assert pair.facts.subscription is State.TO and not pair.endpoints


@pytest.mark.parametrize("by_person", [True, False])
def test_a_person_who_watches_no_more_sees_the_contact_go(by_person: bool) -> None:
    """The contact's own good-bye would come when it is no longer let in."""
    stage = Stage()
    pair = stage.befriend()
    stage.from_outside(TABLET, ALICE, here())
    if by_person:
        stage.from_inside(DESK, BOB, ask(Ask.UNSUBSCRIBE))
    else:
        stage.house.receive(Envelope(BOB, ALICE, ask(Ask.UNSUBSCRIBED), Side.EXTERNAL))
    gone = [one for one in stage.inside.taken() if one.content == away()]
    assert [one.sender for one in gone] == [TABLET] and not pair.heard


def test_events_are_forgotten_with_the_last_watcher() -> None:
    stage = Stage()
    stage.befriend()
    stage.house.published(ALICE, {Field.MOOD: Mood("happy"), Field.TITLE: "Ms"})
    stage.from_inside(DESK, BOB, ask(Ask.UNSUBSCRIBED))
    assert set(stage.house.presence.published(ALICE)) == {Field.TITLE}


def test_a_subscribed_contact_who_probes_is_answered_at_once_blocked_or_not() -> None:
    told = []
    for level in ("public", "blocked"):
        stage = Stage()
        stage.befriend()
        stage.level(level)
        stage.from_outside(BOB, ALICE, ask(Ask.PROBE))
        told.append([(one.sender, one.content) for one in stage.outside.taken()])
    assert told[0] == told[1] and [one for _, one in told[0]] and len(told[0]) == 1
    stage = Stage()
    stage.befriend()
    stage.online()
    stage.from_outside(BOB, ALICE, ask(Ask.PROBE))
    assert documents(stage.outside.taken()) == [here().document]


def test_a_probe_does_not_deny_a_request_that_waits() -> None:
    """The inside server answers the probe of somebody who is not subscribed with "unsubscribed"."""
    stage = Stage()
    stage.befriend(state=State.NONE_IN)
    assert stage.from_outside(BOB, ALICE, ask(Ask.PROBE)) == [] and stage.silent()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (State.NONE, State.FROM),
        (State.NONE_OUT, State.FROM_OUT),
        (State.TO, State.BOTH),
    ],
)
def test_a_subscription_that_nobody_told_us_of_is_learned_from_the_answer_to_a_probe(
    before: State, after: State
) -> None:
    stage = Stage()
    stage.befriend(state=before)
    assert asks(stage.from_outside(BOB, ALICE, ask(Ask.PROBE))) == [Ask.PROBE]
    assert documents(stage.online()) == [here().document]
    assert stage.states.state(ALICE, BOB) is after


def test_nothing_is_learned_late_or_unasked() -> None:
    stage = Stage()
    stage.online()
    assert stage.states.state(ALICE, BOB) is State.NONE
    stage.from_outside(BOB, ALICE, ask(Ask.PROBE))
    stage.clock.advance(31)
    stage.online()
    assert stage.states.state(ALICE, BOB) is State.NONE


@pytest.mark.parametrize(
    ("before", "after"), [(State.NONE, State.TO), (State.NONE_IN, State.TO_IN), (State.FROM, State.BOTH)]
)
def test_our_own_servers_probe_proves_a_subscription(before: State, after: State) -> None:
    stage = Stage()
    stage.befriend(state=before)
    assert asks(stage.from_inside(ALICE, BOB, ask(Ask.PROBE))) == [Ask.PROBE]
    assert stage.states.state(ALICE, BOB) is after
    assert stage.from_outside(TABLET, ALICE, here()) != []


def test_where_everybody_is_accepted_the_blocked_are_too_and_see_nobody() -> None:
    told = []
    for level in ("public", "blocked"):
        stage = Stage(OPEN)
        stage.level(level)
        asked = stage.from_outside(BOB, ALICE, ask(Ask.SUBSCRIBE))
        assert asks(asked) == ([] if level == "blocked" else [Ask.SUBSCRIBE])
        told.append([(one.sender, one.recipient, one.content) for one in stage.outside.taken()])
    assert told[0] == told[1] and len(told[0]) == 2
    assert told[0][0][2] == Subscription(Ask.SUBSCRIBED)


@pytest.mark.parametrize("strangers", [Strangers.ASK, Strangers.REFUSE])
def test_a_blocked_contact_who_asks_hears_nothing_and_nobody_hears_of_him(strangers: Strangers) -> None:
    stage = Stage(evolve(PARTNER, strangers=strangers))
    stage.level("blocked")
    assert stage.from_outside(BOB, ALICE, ask(Ask.SUBSCRIBE)) == [] and stage.silent()
    assert stage.states.state(ALICE, BOB) is State.NONE


def test_a_partner_cannot_fill_the_table() -> None:
    stage = Stage()
    stage.house.roster._most = 3
    for number in range(5):
        stage.from_outside(Address.parse(f"bob{number}@partner.example"), ALICE, ask(Ask.SUBSCRIBE))
    assert sum(state is State.NONE_IN for _, _, state in stage.states.all()) == 3
    refused = [one.content for one in stage.outside.taken()]
    assert refused == [Bounce("presence", "s1", Problem.RESOURCE_CONSTRAINT)] * 2
    stage.from_outside(Address.parse("bob0@partner.example"), ALICE, ask(Ask.UNSUBSCRIBE))
    stage.outside.taken()
    assert asks(stage.from_outside(BOB, ALICE, ask(Ask.SUBSCRIBE))) == [Ask.SUBSCRIBE]


def test_after_a_restart_both_sides_are_asked_and_silence_means_gone() -> None:
    stage = Stage()
    pair = stage.befriend()
    stage.house.roster.rebuild(pair)
    assert asks(stage.inside.taken()) == [Ask.PROBE] and asks(stage.outside.taken()) == [Ask.PROBE]
    assert documents(stage.from_inside(ALICE, BOB, away())) == [OFFLINE]
    assert not pair.unsure


def test_after_a_broken_link_all_that_a_contact_may_believe_is_said_again() -> None:
    stage = Stage()
    stage.befriend()
    stage.online()
    stage.house.link_restored("corp.example", "partner.example")
    sent = stage.outside.taken()
    assert sent[0].content == here() and asks(sent) == [Ask.PROBE]


def test_a_subscription_that_cannot_be_kept_still_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()
    kept = stage.states.set

    def broken(person: Address, contact: Address, state: State) -> Any:
        kept(person, contact, state)
        return fail(StoreError("disk full"))

    monkeypatch.setattr(stage.house.roster, "_states", type("Broken", (), {"set": staticmethod(broken)})())
    stage.from_outside(BOB, ALICE, ask(Ask.SUBSCRIBE))
    assert stage.pairs.of(ALICE, BOB).facts.subscription is State.NONE_IN
    assert stage.clock.seconds() == START


def test_a_fault_in_telling_the_person_is_not_told_to_who_asks() -> None:
    stage = Stage()

    def fault(pair: object) -> None:
        raise RuntimeError("a bot with a defect")

    stage.house.roster.on_request = fault
    assert stage.from_outside(BOB, ALICE, ask(Ask.SUBSCRIBE)) != []
    assert stage.pairs.of(ALICE, BOB).facts.subscription.request_waits
    assert stage.outside.taken() == []


def promised(*partners: Partner) -> tuple[Stage, Pair]:
    """Gives a stage on which bob was told yes, and alice's own server has not heard a yes of her."""
    stage = Stage(*partners)
    stage.from_outside(BOB, ALICE, ask(Ask.SUBSCRIBE))
    pair = stage.pairs.of(ALICE, BOB)
    if pair.facts.subscription.request_waits:
        stage.house.roster.accept(pair)
    assert asks(stage.outside.taken()) == [Ask.SUBSCRIBED]
    return stage, pair


@pytest.mark.parametrize("partner", [PARTNER, OPEN], ids=["by the person", "by the contract"])
def test_who_was_accepted_here_stays_so_until_the_own_server_agrees(partner: Partner) -> None:
    stage, pair = promised(partner)
    assert asks(stage.from_outside(TABLET, ALICE, ask(Ask.PROBE))) == [Ask.SUBSCRIBE]
    stage.house.roster.rebuild(pair)
    assert asks(stage.inside.taken()) == [Ask.SUBSCRIBE]
    stage.house.roster.ask_again(pair)
    assert asks(stage.inside.taken()) == [Ask.SUBSCRIBE]
    assert pair.facts.subscription is State.FROM


def test_a_request_that_was_accepted_here_is_not_shown_again() -> None:
    stage, _ = promised()
    assert stage.from_outside(BOB, ALICE, ask(Ask.SUBSCRIBE)) == []
    assert asks(stage.outside.taken()) == [Ask.SUBSCRIBED]


def test_once_the_own_server_agrees_it_is_asked_who_is_there() -> None:
    stage, pair = promised()
    assert asks(stage.from_inside(ALICE, BOB, ask(Ask.SUBSCRIBED))) == []
    assert asks(stage.inside.taken()) == [Ask.PROBE] and stage.states.agreed(ALICE, BOB)
    stage.from_inside(ALICE, BOB, ask(Ask.SUBSCRIBED))
    assert stage.silent()
    stage.house.roster.rebuild(pair)
    assert asks(stage.inside.taken()) == [Ask.PROBE]


def test_who_was_accepted_here_may_be_refused_in_the_client() -> None:
    stage, pair = promised()
    assert asks(stage.from_inside(ALICE, BOB, ask(Ask.UNSUBSCRIBED))) == [Ask.UNSUBSCRIBED]
    assert pair.facts.subscription is State.NONE and stage.states.agreed(ALICE, BOB)


def test_of_a_blocked_contact_who_was_accepted_here_nobody_inside_hears() -> None:
    for stage, pair in (promised(), promised(OPEN)):
        stage.level("blocked")
        stage.house.roster.rebuild(pair)
        assert stage.silent()
    stage = Stage(OPEN)
    stage.level("blocked")
    stage.from_outside(BOB, ALICE, ask(Ask.SUBSCRIBE))
    assert asks(stage.outside.taken()) == [Ask.SUBSCRIBED]
    stage.house.roster.rebuild(stage.pairs.of(ALICE, BOB))
    stage.from_outside(TABLET, ALICE, ask(Ask.PROBE))
    assert asks(stage.inside.taken()) == []


def test_that_the_own_server_has_not_agreed_and_cannot_be_kept_is_no_fault_of_the_contact(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage()
    stage.from_outside(BOB, ALICE, ask(Ask.SUBSCRIBE))
    monkeypatch.setattr(type(stage.states), "set_agreed", lambda *given: fail(StoreError("disk full")))
    stage.house.roster.accept(stage.pairs.of(ALICE, BOB))
    assert asks(stage.outside.taken()) == [Ask.SUBSCRIBED]
