"""Who may federate and what walls keep out: every rule has its reason, and one more never lets more through."""

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.envelope import Answer, Bounce, Envelope, Problem, Query, QueryKind, Side
from gateway.model.message import ChatState, Message, MessageKind
from gateway.model.presence import Field, Presence, PresenceDocument
from gateway.model.subscription import Ask, State, Subscription
from gateway.policy.access_level import STANDARD
from gateway.policy.authorization import Facts, authorize, permission
from gateway.policy.explanation import explain
from gateway.policy.partners import Modality, Start, Verification
from gateway.policy.verdict import Decision, Reason, Verdict
from gateway.policy.walls import EVERYBODY, Right, Wall, barrier, walled
from tests.policy.samples import ALICE, BOB, PARTNER, any_facts, facts_of, full_document, sent

SALES = frozenset({"sales"})
TEXT = Message(MessageKind.CHAT, "m1", bodies=(("", "hello"),))
CARD = Query(QueryKind.CARD, "q1")
INSIDE, OUTSIDE = Side.INTERNAL, Side.EXTERNAL
groups = st.frozensets(st.sampled_from(["sales", "research", "board"]))
circles = st.frozensets(st.sampled_from(["sales", "research", "board", str(ALICE), "carol@corp.example"]))
modalities = st.frozensets(st.sampled_from(list(Modality)))
walls = st.builds(
    Wall,
    st.sampled_from(["", "sales", "research", str(ALICE)]),
    st.sampled_from(["", "partner.example", "partner.test", "other.example"]),
    modalities,
)
contents = st.one_of(
    st.sampled_from([TEXT, Message(MessageKind.CHAT, chat_state=ChatState.COMPOSING)]),
    st.just(Presence(full_document())),
    st.builds(Subscription, st.sampled_from(list(Ask))),
    st.just(CARD),
    st.just(Answer(CARD, full_document())),
    st.just(Bounce("message", "m1", Problem.GONE)),
)
sides = st.sampled_from(list(Side))


def lets(verdict: Verdict) -> tuple[bool, frozenset[Field]]:
    """What a verdict lets through: whether anything, and which fields."""
    return verdict.decision is Decision.DELIVER, verdict.sent


def no_more(narrow: Verdict, wide: Verdict) -> bool:
    """Says whether one verdict lets nothing through that the other does not."""
    passes, fields = lets(narrow)
    before, all_fields = lets(wide)
    return (before or not passes) and fields <= all_fields


@given(contents, sides, any_facts(), st.lists(walls), walls, groups)
def test_one_more_wall_never_lets_more_through(
    content: Any, side: Side, facts: Facts, standing: list[Wall], more: Wall, groups: frozenset[str]
) -> None:
    if facts.partner is None:
        return
    before = evolve(facts, walled=walled(standing, str(ALICE), groups, facts.partner))
    after = evolve(facts, walled=walled([*standing, more], str(ALICE), groups, facts.partner))
    assert before.walled <= after.walled
    assert no_more(sent(content, after, side), sent(content, before, side))


@given(contents, sides, any_facts(), st.sampled_from([Reason.NOT_FEDERATED, Reason.NOT_ALLOWED_PERSON]))
def test_a_barrier_never_lets_more_through(content: Any, side: Side, facts: Facts, reason: Reason) -> None:
    if facts.partner is not None:
        barred = evolve(facts, barrier=reason)
        assert no_more(sent(content, barred, side), sent(content, facts, side))
        assert permission(barred).fields == frozenset()
        assert set(permission(barred).withheld.values()) == {reason}


@given(contents, any_facts(), st.sampled_from(list(Verification)), st.sampled_from([None, True, False]))
def test_asking_for_verification_never_lets_more_in(
    content: Any, facts: Facts, trust: Verification, mark: bool | None
) -> None:
    if facts.partner is not None:
        strict = evolve(facts, partner=evolve(facts.partner, verification=trust))
        assert no_more(judged(content, strict, mark), judged(content, facts, mark))


@given(contents, sides, any_facts(), st.sampled_from(list(Start)), st.frozensets(sides))
def test_saying_who_may_start_never_lets_more_through(
    content: Any, side: Side, facts: Facts, start: Start, talking: frozenset[Side]
) -> None:
    if facts.partner is not None:
        strict = evolve(facts, partner=evolve(facts.partner, start=start), talking=talking)
        assert no_more(sent(content, strict, side), sent(content, facts, side))


@given(groups, circles, circles, st.one_of(st.none(), circles), st.one_of(st.none(), circles))
def test_fewer_people_never_means_more_right(
    mine: frozenset[str],
    barred: frozenset[str],
    more: frozenset[str],
    people: frozenset[str] | None,
    reached: frozenset[str] | None,
) -> None:
    partner = evolve(PARTNER, people=reached)
    if barrier(str(ALICE), mine, Right(people, barred), partner) is not None:
        assert barrier(str(ALICE), mine, Right(people, barred | more), partner) is not None
        assert barrier(str(ALICE), mine, Right(people and people - more, barred), partner) is not None


@pytest.mark.parametrize(
    ("right", "people", "reason"),
    [
        (EVERYBODY, None, None),
        (Right(frozenset({"sales"})), None, None),
        (Right(frozenset({"alice@corp.example"})), None, None),
        (Right(frozenset({"board"})), None, Reason.NOT_FEDERATED),
        (Right(frozenset()), None, Reason.NOT_FEDERATED),
        (Right(None, frozenset({"sales"})), None, Reason.NOT_FEDERATED),
        (Right(frozenset({"sales"}), frozenset({"alice@corp.example"})), None, Reason.NOT_FEDERATED),
        (EVERYBODY, frozenset({"sales"}), None),
        (EVERYBODY, frozenset({"research"}), Reason.NOT_ALLOWED_PERSON),
        (EVERYBODY, frozenset(), Reason.NOT_ALLOWED_PERSON),
    ],
)
def test_who_may_federate(right: Right, people: frozenset[str] | None, reason: Reason | None) -> None:
    assert barrier("alice@corp.example", SALES, right, evolve(PARTNER, people=people)) is reason


@pytest.mark.parametrize(
    ("wall", "binds"),
    [
        (Wall(), True),
        (Wall("sales"), True),
        (Wall("research"), False),
        (Wall("alice@corp.example", "partner.test"), True),
        (Wall("carol@corp.example"), False),
        (Wall("sales", "other.example"), False),
    ],
)
def test_a_wall_stands_between_a_group_and_a_partner(wall: Wall, binds: bool) -> None:
    found = walled([wall], "alice@corp.example", SALES, PARTNER)
    assert found == (frozenset(Modality) if binds else frozenset())


WALLED = evolve(facts_of("team"), walled=frozenset({Modality.IM, Modality.PRESENCE, Modality.QUERIES}))
BARRED = evolve(facts_of("team"), barrier=Reason.NOT_FEDERATED)


@pytest.mark.parametrize(
    ("facts", "content", "side", "decision", "reason"),
    [
        (WALLED, TEXT, INSIDE, Decision.REFUSE, Reason.WALL),
        (WALLED, TEXT, OUTSIDE, Decision.REFUSE, Reason.WALL),
        (WALLED, Presence(full_document()), INSIDE, Decision.IGNORE, Reason.WALL),
        (WALLED, Presence(full_document()), OUTSIDE, Decision.IGNORE, Reason.WALL),
        (WALLED, Subscription(Ask.SUBSCRIBE), INSIDE, Decision.REFUSE, Reason.WALL),
        (WALLED, Subscription(Ask.SUBSCRIBE), OUTSIDE, Decision.IGNORE, Reason.WALL),
        (WALLED, CARD, OUTSIDE, Decision.REFUSE, Reason.WALL),
        (BARRED, TEXT, INSIDE, Decision.REFUSE, Reason.NOT_FEDERATED),
        (BARRED, TEXT, OUTSIDE, Decision.REFUSE, Reason.NOT_FEDERATED),
        (BARRED, Subscription(Ask.SUBSCRIBE), INSIDE, Decision.REFUSE, Reason.NOT_FEDERATED),
        (
            evolve(BARRED, subscription=State.NONE),
            Subscription(Ask.SUBSCRIBE),
            OUTSIDE,
            Decision.IGNORE,
            Reason.NOT_FEDERATED,
        ),
        (BARRED, Subscription(Ask.UNSUBSCRIBE), OUTSIDE, Decision.DELIVER, Reason.ALLOWED),
        (BARRED, Presence(full_document()), OUTSIDE, Decision.IGNORE, Reason.NOT_FEDERATED),
        (BARRED, CARD, OUTSIDE, Decision.REFUSE, Reason.NOT_FEDERATED),
    ],
)
def test_each_refusal_has_its_reason(
    facts: Facts, content: Any, side: Side, decision: Decision, reason: Reason
) -> None:
    verdict = sent(content, facts, side)
    assert (verdict.decision, verdict.reason) == (decision, reason)


def test_behind_a_barrier_a_person_is_offline() -> None:
    verdict = sent(Presence(full_document()), BARRED)
    assert isinstance(verdict.content, Presence) and verdict.content.document == PresenceDocument()
    assert set(verdict.withheld.values()) == {Reason.NOT_FEDERATED}


def judged(content: Any, facts: Facts, mark: bool | None) -> Verdict:
    """The verdict on what a contact sends, with the mark that his server gives him."""
    return authorize(Envelope(BOB, ALICE, content, OUTSIDE, mark), facts, permission(facts))


STRANGE = evolve(facts_of(), assignment=None, level=STANDARD["public"], subscription=State.NONE)


@pytest.mark.parametrize(
    ("trust", "mark", "passes"),
    [
        (Verification.ALWAYS, None, True),
        (Verification.ALWAYS, False, True),
        (Verification.MARKED, True, True),
        (Verification.MARKED, None, False),
        (Verification.MARKED, False, False),
        (Verification.NEVER, True, False),
    ],
)
@pytest.mark.parametrize("content", [TEXT, Subscription(Ask.SUBSCRIBE), Subscription(Ask.PROBE), CARD])
def test_an_unverified_stranger_reaches_nobody(
    trust: Verification, mark: bool | None, passes: bool, content: Any
) -> None:
    verdict = judged(content, evolve(STRANGE, partner=evolve(PARTNER, verification=trust)), mark)
    assert (verdict.decision is Decision.DELIVER) is passes
    assert verdict.reason is (Reason.ALLOWED if passes else Reason.UNVERIFIED)


@pytest.mark.parametrize("known", [State.TO, State.NONE_OUT, State.FROM])
def test_an_unverified_contact_on_the_list_is_heard(known: State) -> None:
    facts = evolve(STRANGE, subscription=known, partner=evolve(PARTNER, verification=Verification.NEVER))
    assert judged(TEXT, facts, None).decision is Decision.DELIVER


@pytest.mark.parametrize(
    ("start", "side", "talking", "passes"),
    [
        (Start.BOTH, OUTSIDE, set(), True),
        (Start.OURS, OUTSIDE, set(), False),
        (Start.OURS, OUTSIDE, {INSIDE}, True),
        (Start.OURS, INSIDE, set(), True),
        (Start.THEIRS, INSIDE, set(), False),
        (Start.THEIRS, INSIDE, {OUTSIDE}, True),
        (Start.THEIRS, OUTSIDE, set(), True),
    ],
)
def test_who_may_start_a_conversation(start: Start, side: Side, talking: set[Side], passes: bool) -> None:
    facts = evolve(facts_of(), partner=evolve(PARTNER, start=start), talking=frozenset(talking))
    verdict = sent(TEXT, facts, side)
    assert verdict.reason is (Reason.ALLOWED if passes else Reason.MAY_NOT_START)
    typing = sent(Message(MessageKind.CHAT, chat_state=ChatState.COMPOSING), facts, side)
    assert (typing.decision is Decision.DELIVER) is passes


@pytest.mark.parametrize(
    ("facts", "step", "finding", "advice"),
    [
        (evolve(facts_of(), partner=None, barrier=Reason.DENIED_DOMAIN), "partner", "on the deny list", "deny"),
        (evolve(facts_of(), partner=None, barrier=Reason.CONTRACT_EXPIRED), "partner", "has expired", "later date"),
        (BARRED, "right", "may not federate", "right to federate"),
        (evolve(BARRED, barrier=Reason.NOT_ALLOWED_PERSON), "right", "not among those", "people of partner.example"),
        (WALLED, "wall", "keeps out im, presence, queries", "[[wall]]"),
    ],
)
def test_explain_names_the_layer(facts: Facts, step: str, finding: str, advice: str) -> None:
    found = explain(facts, full_document(), Field.AVAILABILITY, STANDARD)
    assert finding in next(each.finding for each in found.steps if each.name == step)
    assert found.reason is (facts.barrier or Reason.WALL)
    assert found.would_allow is not None and advice in found.would_allow


def test_while_groups_are_not_known_every_rule_about_groups_counts_against_the_person() -> None:
    assert walled([Wall("research")], "alice@corp.example", None, PARTNER) == frozenset(Modality)
    assert walled([Wall("carol@corp.example")], "alice@corp.example", None, PARTNER) == frozenset()
    assert barrier("alice@corp.example", None, Right(None, frozenset({"interns"})), PARTNER) is Reason.NOT_FEDERATED
    assert barrier("alice@corp.example", None, Right(frozenset({"sales"})), PARTNER) is Reason.NOT_FEDERATED
    assert barrier("alice@corp.example", None, Right(frozenset({"alice@corp.example"})), PARTNER) is None
    assert barrier("alice@corp.example", None, EVERYBODY, PARTNER) is None


def test_while_groups_are_not_known_who_must_be_in_one_is_kept_out() -> None:
    staff = frozenset({"staff"})
    assert barrier("a@corp.example", None, Right(people=staff), PARTNER) is Reason.NOT_FEDERATED
    only = evolve(PARTNER, people=staff)
    assert barrier("a@corp.example", None, EVERYBODY, only) is Reason.NOT_ALLOWED_PERSON
    assert barrier("a@corp.example", staff, Right(people=staff), only) is None
