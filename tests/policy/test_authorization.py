"""Who may say what to whom: every content, every side, and refusal wherever nothing allows it."""

from typing import Any

import pytest
from attrs import evolve, fields
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.envelope import Answer, Bounce, Content, Problem, Query, QueryKind, Side
from gateway.model.message import ChatState, EncryptedPayload, Message, MessageKind
from gateway.model.presence import Presence
from gateway.model.subscription import Ask, State, Subscription
from gateway.policy.access_level import STANDARD, Assignment, Member
from gateway.policy.authorization import Facts
from gateway.policy.partners import Modality, Strangers
from gateway.policy.verdict import Decision, Reason
from tests.policy.samples import CANARY, PARTNER, any_facts, facts_of, full_document, sent

DELIVER, REFUSE, IGNORE = Decision.DELIVER, Decision.REFUSE, Decision.IGNORE
INSIDE, OUTSIDE = Side.INTERNAL, Side.EXTERNAL
TEXT = (("", CANARY),)
SEALED = (EncryptedPayload("urn:example:e2e", CANARY),)
CARD = Query(QueryKind.CARD, "q1")
CONTENTS: list[Content] = [
    Message(bodies=TEXT),
    Message(chat_state=ChatState.COMPOSING),
    Message(kind=MessageKind.HEADLINE, bodies=TEXT),
    Message(kind=MessageKind.GROUPCHAT, bodies=TEXT),
    Message(encrypted=SEALED),
    Presence(full_document()),
    *(Subscription(ask) for ask in Ask),
    Bounce("message", "m1", Problem.GONE, CANARY),
    *(Query(kind, "q1") for kind in QueryKind),
    Answer(CARD, full_document()),
]
contents = st.sampled_from(CONTENTS)
sides = st.sampled_from(list(Side))


def with_modalities(*modalities: Modality, level: str = "public", **changes: Any) -> Facts:
    return evolve(facts_of(level, **changes), partner=evolve(PARTNER, modalities=frozenset(modalities)))


def stranger(strangers: Strangers, state: State = State.NONE, assignment: Assignment | None = None) -> Facts:
    return evolve(
        facts_of("public", subscription=state, assignment=assignment), partner=evolve(PARTNER, strangers=strangers)
    )


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("content", CONTENTS, ids=str)
@pytest.mark.parametrize("level", list(STANDARD))
def test_without_a_partner_nothing_passes(content: Content, side: Side, level: str) -> None:
    """I18: default deny, both directions."""
    verdict = sent(content, evolve(facts_of(level), partner=None), side)
    assert (verdict.decision, verdict.reason) == (REFUSE, Reason.UNKNOWN_PARTNER)
    assert verdict.content is None and verdict.problem is Problem.REMOTE_SERVER_NOT_FOUND


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("content", [None, "text", object(), 7])
def test_content_of_an_unknown_kind_is_refused(content: Any, side: Side) -> None:
    verdict = sent(content, facts_of("personal"), side)
    assert (verdict.decision, verdict.content) == (REFUSE, None)


@given(contents, sides, any_facts())
def test_verdict_is_whole(content: Content, side: Side, facts: Facts) -> None:
    """Total: a verdict for every envelope; content exactly when delivered, a problem exactly when refused."""
    verdict = sent(content, facts, side)
    assert (verdict.content is not None) == (verdict.decision is DELIVER)
    assert (verdict.problem is not None) == (verdict.decision is REFUSE)
    assert verdict.level == facts.level.name
    assert CANARY not in repr(verdict)


@given(contents, sides, any_facts(), st.sampled_from(list(Modality)))
def test_removing_a_modality_never_lets_more_through(
    content: Content, side: Side, facts: Facts, gone: Modality
) -> None:
    if facts.partner is None:
        return
    fewer = evolve(facts, partner=evolve(facts.partner, modalities=facts.partner.modalities - {gone}))
    before, after = sent(content, facts, side), sent(content, fewer, side)
    assert after.sent <= before.sent
    if before.decision is not DELIVER:
        assert after.decision is not DELIVER
    if isinstance(before.content, Message) and isinstance(after.content, Message):
        for part in fields(Message):
            assert getattr(after.content, part.name) in (getattr(before.content, part.name), part.default)


@given(st.sampled_from([c for c in CONTENTS if isinstance(c, Message | Presence | Subscription)]), sides)
def test_a_partner_without_modalities_lets_nothing_through(content: Content, side: Side) -> None:
    verdict = sent(content, with_modalities(level="personal"), side)
    assert (verdict.decision is not DELIVER, verdict.reason) == (True, Reason.MODALITY)


# messages


@pytest.mark.parametrize(
    ("side", "facts", "decision", "reason", "problem"),
    [
        (OUTSIDE, facts_of("blocked"), REFUSE, Reason.BLOCKED, Problem.SERVICE_UNAVAILABLE),
        (OUTSIDE, facts_of("blocked", assignment=None), REFUSE, Reason.BLOCKED, Problem.SERVICE_UNAVAILABLE),
        (INSIDE, facts_of("blocked"), REFUSE, Reason.BLOCKED, Problem.NOT_ACCEPTABLE),
        (INSIDE, facts_of("blocked", assignment=None), DELIVER, Reason.ALLOWED, None),
        (OUTSIDE, facts_of("public"), DELIVER, Reason.ALLOWED, None),
        (INSIDE, facts_of("public"), DELIVER, Reason.ALLOWED, None),
        (OUTSIDE, with_modalities(Modality.PRESENCE), REFUSE, Reason.MODALITY, Problem.SERVICE_UNAVAILABLE),
        (INSIDE, with_modalities(Modality.PRESENCE), REFUSE, Reason.MODALITY, Problem.POLICY_VIOLATION),
    ],
)
def test_message(side: Side, facts: Facts, decision: Decision, reason: Reason, problem: Problem | None) -> None:
    message = Message(bodies=TEXT)
    verdict = sent(message, facts, side)
    assert (verdict.decision, verdict.reason, verdict.problem) == (decision, reason, problem)
    assert verdict.content is (message if decision is DELIVER else None)


@pytest.mark.parametrize("side", list(Side))
def test_groupchat_never_passes(side: Side) -> None:
    verdict = sent(Message(MessageKind.GROUPCHAT, bodies=TEXT), facts_of("personal"), side)
    assert (verdict.decision, verdict.problem) == (REFUSE, Problem.SERVICE_UNAVAILABLE)


@pytest.mark.parametrize("side", list(Side))
def test_encrypted_passes_whole_or_not_at_all(side: Side) -> None:
    """A sealed message is never turned into its unsealed remark."""
    message = Message(bodies=TEXT, encrypted=SEALED)
    assert sent(message, facts_of("personal"), side).decision is REFUSE
    allowed = evolve(facts_of(), partner=evolve(PARTNER, modalities=frozenset(Modality)))
    assert sent(message, allowed, side).content is message


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize(
    ("message", "modality", "left"),
    [
        (Message(bodies=TEXT, chat_state=ChatState.ACTIVE), Modality.TYPING, Message(bodies=TEXT)),
        (Message(bodies=TEXT, receipt_wanted=True), Modality.RECEIPTS, Message(bodies=TEXT)),
        (Message(bodies=TEXT, replaces="m0"), Modality.CORRECTIONS, Message(bodies=TEXT)),
        (Message(chat_state=ChatState.COMPOSING), Modality.TYPING, None),
        (Message(receipt_for="m0"), Modality.RECEIPTS, None),
    ],
)
def test_unlisted_modality_is_taken_out(side: Side, message: Message, modality: Modality, left: Message | None) -> None:
    assert sent(message, with_modalities(*Modality), side).content is message
    verdict = sent(message, with_modalities(*set(Modality) - {modality}), side)
    assert verdict.content == left
    if left is None:
        assert (verdict.decision, verdict.reason) == (IGNORE, Reason.EMPTY)


@pytest.mark.parametrize(
    "message",
    [Message(MessageKind.HEADLINE, bodies=TEXT), Message(chat_state=ChatState.COMPOSING)],
    ids=["headline", "typing"],
)
def test_a_blocked_contact_hears_nothing_where_an_offline_person_would_say_nothing(message: Message) -> None:
    verdict = sent(message, facts_of("blocked"), Side.EXTERNAL)
    assert (verdict.decision, verdict.reason) == (IGNORE, Reason.BLOCKED)


@pytest.mark.parametrize("side", list(Side))
def test_message_with_nothing_in_it_is_ignored(side: Side) -> None:
    assert sent(Message(thread="t"), facts_of(), side).reason is Reason.EMPTY


# presence and subscriptions


@pytest.mark.parametrize("state", list(State))
def test_presence_from_outside_passes_to_those_who_watch(state: State) -> None:
    presence = Presence(full_document(), 5)
    verdict = sent(presence, facts_of("blocked", subscription=state), OUTSIDE)
    if state in (State.TO, State.TO_IN, State.BOTH):
        assert verdict.content is presence
    else:
        assert (verdict.decision, verdict.reason) == (IGNORE, Reason.UNSOLICITED)


@pytest.mark.parametrize("ask", list(Ask))
def test_subscription_without_the_modality(ask: Ask) -> None:
    facts = with_modalities(Modality.IM)
    outward, inward = sent(Subscription(ask), facts, INSIDE), sent(Subscription(ask), facts, OUTSIDE)
    assert (outward.decision, outward.problem) == (REFUSE, Problem.POLICY_VIOLATION)
    assert (inward.decision, inward.reason) == (IGNORE, Reason.MODALITY)


@pytest.mark.parametrize("state", list(State))
def test_subscribe_of_a_blocked_contact_is_never_heard(state: State) -> None:
    verdict = sent(Subscription(Ask.SUBSCRIBE), facts_of("blocked", subscription=state), OUTSIDE)
    if state.contact_watches:
        assert verdict.decision is DELIVER  # answered from the table: he is subscribed already, and sees nobody there
    else:
        assert (verdict.decision, verdict.reason) == (IGNORE, Reason.BLOCKED)


NAMED = Assignment("", Member.parse("bob@partner.example"), "public")
OF_DOMAIN = Assignment("", Member.parse("partner.example"), "public")


@pytest.mark.parametrize(
    ("facts", "heard"),
    [
        (stranger(Strangers.REFUSE), False),
        (stranger(Strangers.REFUSE, assignment=OF_DOMAIN), False),
        (stranger(Strangers.REFUSE, assignment=NAMED), True),
        (stranger(Strangers.REFUSE, State.TO), True),
        (stranger(Strangers.REFUSE, State.FROM), True),
        (stranger(Strangers.REFUSE, State.NONE_OUT), False),
        (stranger(Strangers.ASK), True),
        (stranger(Strangers.ACCEPT), True),
    ],
)
def test_subscribe_of_a_stranger(facts: Facts, heard: bool) -> None:
    verdict = sent(Subscription(Ask.SUBSCRIBE), facts, OUTSIDE)
    assert (verdict.decision is DELIVER) is heard
    if not heard:
        assert (verdict.decision, verdict.reason) == (IGNORE, Reason.STRANGER)


@pytest.mark.parametrize("ask", [Ask.UNSUBSCRIBE, Ask.UNSUBSCRIBED, Ask.PROBE])
def test_only_subscribe_is_held_back(ask: Ask) -> None:
    """Even the blocked may leave."""
    for facts in (facts_of("blocked", subscription=State.NONE), stranger(Strangers.REFUSE)):
        assert sent(Subscription(ask), facts, OUTSIDE).decision is DELIVER


@pytest.mark.parametrize("content", [Subscription(Ask.PROBE), CARD], ids=["probe", "card"])
def test_who_is_blocked_does_not_learn_from_what_a_client_or_server_asks_by_itself_that_somebody_is_online(
    content: Content,
) -> None:
    assert sent(content, facts_of("public", subscription=State.BOTH), INSIDE).decision is DELIVER
    verdict = sent(content, facts_of("blocked", subscription=State.BOTH), INSIDE)
    assert (verdict.content, verdict.reason) == (None, Reason.BLOCKED)


# bounces, questions, answers


@pytest.mark.parametrize("problem", list(Problem))
def test_bounce_to_the_outside_tells_nothing_of_the_person(problem: Problem) -> None:
    """I10: gone, unknown, absent and blocked are one; no words of the inside leave."""
    verdict = sent(Bounce("message", "m1", problem, CANARY), facts_of("personal"))
    assert verdict.content == Bounce("message", "m1", Problem.SERVICE_UNAVAILABLE, "")


def test_bounce_from_outside_passes_unless_he_is_blocked_by_name() -> None:
    bounce = Bounce("message", "m1", Problem.ITEM_NOT_FOUND, "no such person")
    assert sent(bounce, facts_of("public"), OUTSIDE).content is bounce
    assert sent(bounce, facts_of("blocked", assignment=None), OUTSIDE).content is bounce
    assert sent(bounce, facts_of("blocked"), OUTSIDE).decision is IGNORE


@pytest.mark.parametrize("kind", list(QueryKind))
def test_query(kind: QueryKind) -> None:
    query = Query(kind, "q1")
    assert sent(query, facts_of("blocked"), OUTSIDE).content is query
    inward = sent(query, facts_of("public"), INSIDE)
    assert (inward.decision is DELIVER) is (kind in (QueryKind.CARD, QueryKind.PICTURE))
    for side in Side:
        closed = sent(query, with_modalities(Modality.IM), side)
        assert (closed.decision, closed.problem) == (REFUSE, Problem.SERVICE_UNAVAILABLE)


@pytest.mark.parametrize(
    "facts", [facts_of("blocked"), with_modalities(Modality.PRESENCE)], ids=["blocked", "modality"]
)
def test_answer_from_outside_that_may_not_come_is_empty(facts: Facts) -> None:
    assert sent(Answer(CARD, full_document()), facts, OUTSIDE).content == Answer(CARD, None)
