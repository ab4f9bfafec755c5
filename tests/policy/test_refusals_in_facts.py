"""What settings refuse and barriers hold back, as facts about one pair tell it."""

from attrs import evolve

from gateway.model.envelope import Problem, Query, QueryKind, Side
from gateway.model.message import Message
from gateway.model.presence import Field
from gateway.model.subscription import Ask, State, Subscription
from gateway.policy.access_level import Assignment, Member
from gateway.policy.authorization import permission
from gateway.policy.partners import Modality, Start
from gateway.policy.precedence import Layer
from gateway.policy.settings import Feature, Refusal
from gateway.policy.verdict import Decision, Reason
from tests.policy.samples import ALICE, PARTNER, facts_of, sent

NOTE_OFF = Refusal(Field.NOTE, Layer.PERSON, False)
TYPING_OFF = Refusal(Feature.TYPING, Layer.GROUP, True)


def test_a_refused_field_is_held_back_and_no_kind_of_traffic_with_it() -> None:
    facts = facts_of("team", refused=(NOTE_OFF,))
    assert facts.modalities == PARTNER.modalities
    assert facts.refusal(Field.NOTE) is NOTE_OFF and facts.refusal(Field.SHOW) is None
    assert permission(facts).withheld[Field.NOTE] is Reason.SWITCHED_OFF


def test_a_refused_feature_shuts_its_kind_of_traffic_and_no_field() -> None:
    facts = facts_of("team", refused=(NOTE_OFF, TYPING_OFF))
    assert facts.modalities == PARTNER.modalities - {Modality.TYPING}
    assert facts.shut(Modality.TYPING) is Reason.SWITCHED_OFF
    assert facts.refusal(Feature.TYPING) is TYPING_OFF
    assert permission(facts).fields == permission(facts_of("team", refused=(NOTE_OFF,))).fields


def test_whom_somebody_has_given_a_level_by_name_he_knows_and_nobody_of_the_same_domain() -> None:
    named = facts_of("team", subscription=State.NONE)
    everybody = Assignment(str(ALICE), Member.parse("partner.example"), "team")
    assert named.knows
    assert not evolve(named, assignment=everybody).knows and not evolve(named, assignment=None).knows
    assert not facts_of("blocked", subscription=State.BOTH).knows


def test_behind_a_barrier_who_is_subscribed_gets_the_answer_that_he_knows() -> None:
    behind = facts_of("team", barrier=Reason.NOT_FEDERATED, subscription=State.FROM)
    asks = Subscription(Ask.SUBSCRIBE)
    assert sent(asks, behind, Side.EXTERNAL).decision is Decision.DELIVER
    assert sent(asks, evolve(behind, subscription=State.NONE), Side.EXTERNAL).decision is Decision.IGNORE
    assert sent(asks, behind, Side.INTERNAL).problem is Problem.POLICY_VIOLATION


def test_behind_a_barrier_both_sides_are_refused_and_only_our_own_person_hears_why() -> None:
    behind = facts_of("team", barrier=Reason.NOT_FEDERATED)
    text, card = Message(id="m", bodies=(("", "x"),)), Query(QueryKind.CARD, "q")
    for content in (text, card):
        assert sent(content, behind, Side.EXTERNAL).problem is Problem.SERVICE_UNAVAILABLE
        assert sent(content, behind, Side.INTERNAL).problem is Problem.POLICY_VIOLATION
    assert sent(Message(id="m", chat_state=None), behind, Side.EXTERNAL).decision is Decision.IGNORE


def test_who_may_not_start_is_told_so_when_he_is_one_of_ours() -> None:
    theirs, ours = (evolve(PARTNER, start=start) for start in (Start.THEIRS, Start.OURS))
    text = Message(id="m", bodies=(("", "x"),))
    assert sent(text, facts_of("team", partner=theirs), Side.INTERNAL).problem is Problem.POLICY_VIOLATION
    assert sent(text, facts_of("team", partner=ours), Side.EXTERNAL).problem is Problem.SERVICE_UNAVAILABLE


def test_the_house_itself_may_be_asked_anything_and_a_partner_what_stands_on_a_card() -> None:
    time, card = Query(QueryKind.TIME, "q"), Query(QueryKind.CARD, "q")
    house = facts_of("team", partner=evolve(PARTNER, house=True))
    assert sent(time, house).decision is Decision.DELIVER
    assert sent(time, facts_of("team")).reason is Reason.MODALITY
    assert sent(card, facts_of("team")).decision is Decision.DELIVER
