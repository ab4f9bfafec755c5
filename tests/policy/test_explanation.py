"""The explanation never contradicts the decision, and its advice works."""

import re
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.presence import OFFLINE, Field, Presence, PresenceDocument
from gateway.policy.access_level import CUSTOM_RANK, STANDARD, AccessLevel, Assignment, Member, Origin
from gateway.policy.authorization import Facts, permission
from gateway.policy.explanation import Explanation, Outcome, explain
from gateway.policy.partners import Lock, Modality
from gateway.policy.verdict import Reason
from tests.policy.samples import (
    BOB,
    CANARY,
    PARTNER,
    any_facts,
    document_of,
    documents,
    facts_of,
    full_document,
    sent,
    value_of,
)

LEVELS = {**STANDARD, "auditors": AccessLevel("auditors", frozenset({Field.PHONE_HOME}), CUSTOM_RANK)}
VISIBLE = (Outcome.SENT, Outcome.COARSENED)
FULL = full_document()
names = st.sampled_from(list(Field))


def of(facts: Facts, field: Field, document: PresenceDocument = FULL) -> Explanation:
    return explain(facts, document, field, LEVELS)


def finding(explanation: Explanation, name: str) -> str:
    return next(step.finding for step in explanation.steps if step.name == name)


@given(any_facts(), documents(), names)
def test_outcome_is_what_a_presence_update_really_carries(
    facts: Facts, document: PresenceDocument, field: Field
) -> None:
    explanation = of(facts, field, document)
    verdict = sent(Presence(document), facts)
    assert (explanation.outcome in VISIBLE) == (field in verdict.sent)
    assert (explanation.outcome is Outcome.NOT_PUBLISHED) == (field not in document)
    if field in verdict.withheld:
        assert explanation.reason is verdict.withheld[field]


@given(any_facts(), documents(), names)
def test_outcome_agrees_with_permission(facts: Facts, document: PresenceDocument, field: Field) -> None:
    permitted = permission(facts).fields
    presence = facts.partner is not None and Modality.PRESENCE in facts.partner.modalities
    shown = {field, Field.AVAILABILITY} <= permitted & document.names
    assert (of(facts, field, document).outcome in VISIBLE) == (shown and presence)


@given(any_facts(), documents(), names)
def test_advice_is_given_exactly_when_something_is_missing(
    facts: Facts, document: PresenceDocument, field: Field
) -> None:
    explanation = of(facts, field, document)
    assert (explanation.would_allow is None) == (explanation.outcome in VISIBLE)


@given(any_facts(), documents(), names)
def test_who_follows_the_advice_sees_the_field(facts: Facts, document: PresenceDocument, field: Field) -> None:
    advice = of(facts, field, document).would_allow
    if advice is None or facts.partner is None:
        return
    for changed, published in followed(advice, facts, document):
        assert of(changed, field, published).outcome in VISIBLE, advice
        assert field in sent(Presence(published), changed).sent


@given(any_facts(), documents(), names)
def test_half_of_the_advice_is_not_enough(facts: Facts, document: PresenceDocument, field: Field) -> None:
    """Every part of the advice is needed."""
    advice = of(facts, field, document).would_allow
    if advice is None or facts.partner is None:
        return
    parts = advice.removeprefix("none: he is blocked; ").split(" and ")
    for left_out in range(len(parts) if len(parts) > 1 else 0):
        rest = " and ".join(parts[:left_out] + parts[left_out + 1 :])
        for changed, published in followed(rest, facts, document):
            assert of(changed, field, published).outcome not in VISIBLE, advice


def followed(advice: str, facts: Facts, document: PresenceDocument) -> list[tuple[Facts, PresenceDocument]]:
    """Does what the advice says, once for each level that it names."""
    partner = facts.partner
    assert partner is not None
    if "raise the ceiling of partner.example" in advice:
        partner = evolve(partner, ceiling=frozenset(Field))
    if "add presence to the modalities of partner.example" in advice:
        partner = evolve(partner, modalities=partner.modalities | {Modality.PRESENCE})
    unlocked = {Field(name) for name in re.findall(r"remove the lock of (\S+)", advice)}
    locks = tuple(lock for lock in facts.locks if lock.field not in unlocked)
    if "the person becomes available" in advice:
        document = document.with_fields({Field.AVAILABILITY: True})
    for name in re.findall(r"the person publishes (\S+)", advice):
        document = document.with_fields({Field(name): value_of(Field(name))})
    given_ = re.search(r"(?:the level|one of the levels) ([a-z, ]+?)(?: and |$)", advice)
    levels = [LEVELS[name] for name in given_[1].split(", ")] if given_ else [facts.level]
    return [(evolve(facts, partner=partner, locks=locks, level=level), document) for level in levels]


@given(any_facts(), documents(), names)
def test_steps_stand_in_order_and_show_no_value(facts: Facts, document: PresenceDocument, field: Field) -> None:
    explanation = of(facts, field, document)
    assert [step.name for step in explanation.steps] == [
        "partner",
        "right",
        "wall",
        "lock",
        "setting",
        "published",
        "level",
        "time window",
        "ceiling",
        "field set",
    ]
    assert CANARY not in str(explanation)
    assert all(step.finding for step in explanation.steps)


@pytest.mark.parametrize(
    ("facts", "field", "outcome", "reason", "advice"),
    [
        (facts_of("team"), Field.NOTE, Outcome.SENT, Reason.ALLOWED, None),
        (facts_of("company"), Field.PHONE_MOBILE, Outcome.WITHHELD, Reason.LEVEL,
         "give bob@partner.example one of the levels team, personal"),
        (facts_of("team"), Field.PHONE_HOME, Outcome.WITHHELD, Reason.LEVEL,
         "give bob@partner.example the level personal"),
        (evolve(facts_of("team"), partner=evolve(PARTNER, ceiling=STANDARD["public"].fields)), Field.NOTE,
         Outcome.WITHHELD, Reason.CEILING, "raise the ceiling of partner.example"),
        (facts_of("personal", locks=(Lock(Field.PHONE_HOME),)), Field.PHONE_HOME, Outcome.WITHHELD, Reason.LOCK,
         "remove the lock of phone.home"),
        (facts_of("public", locks=(Lock(Field.PHONE_HOME),)), Field.PHONE_HOME, Outcome.WITHHELD, Reason.LOCK,
         "remove the lock of phone.home and give bob@partner.example the level personal"),
        (facts_of("blocked"), Field.MOOD, Outcome.WITHHELD, Reason.BLOCKED,
         "none: he is blocked; give bob@partner.example the level personal"),
        (facts_of("public", locks=(Lock(Field.AVAILABILITY),)), Field.TITLE, Outcome.WITHHELD, Reason.LOCK,
         "remove the lock of availability"),
        (evolve(facts_of("team"), partner=None), Field.NOTE, Outcome.WITHHELD, Reason.UNKNOWN_PARTNER,
         "none: his domain belongs to no partner; add it to a partner"),
        (evolve(facts_of("team"), partner=evolve(PARTNER, modalities=frozenset({Modality.IM}))), Field.NOTE,
         Outcome.WITHHELD, Reason.MODALITY, "add presence to the modalities of partner.example"),
    ],
)  # fmt: skip
def test_explanation(facts: Facts, field: Field, outcome: Outcome, reason: Reason, advice: str | None) -> None:
    explanation = of(facts, field)
    assert (explanation.outcome, explanation.reason, explanation.would_allow) == (outcome, reason, advice)


def test_idle_time_is_coarsened_when_the_exact_time_is_withheld() -> None:
    facts = facts_of("company", locks=(Lock(Field.LAST_ACTIVE),))
    assert of(facts, Field.IDLE).outcome is Outcome.COARSENED
    assert of(facts_of("company"), Field.IDLE).outcome is Outcome.SENT
    assert of(facts, Field.LAST_ACTIVE).outcome is Outcome.WITHHELD


def test_what_is_not_published_says_so_and_what_else_would_be_missing() -> None:
    explanation = of(facts_of("public"), Field.NOTE, document_of(Field.AVAILABILITY))
    assert (explanation.outcome, explanation.reason) == (Outcome.NOT_PUBLISHED, Reason.LEVEL)
    assert of(facts_of("team"), Field.NOTE, document_of(Field.AVAILABILITY)).reason is Reason.NOT_PUBLISHED
    assert of(facts_of("team"), Field.NOTE, OFFLINE).would_allow == (
        "the person becomes available and the person publishes note"
    )


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"since": 0.0}, "team, set by the person for bob@partner.example since 1970-01-01T00:00:00Z"),
        ({"until": 1.7e9}, "team, set by the person for bob@partner.example until 2023-11-14T22:13:20Z"),
        ({"origin": Origin.ADMINISTRATOR, "member": Member.parse("*.example")},
         "team, set by the administrator for *.example"),
        ({"until": 1e30}, "until 1000000000000000019884624838656 posix seconds"),
        ({"until": float("inf")}, "until inf posix seconds"),
    ],
)  # fmt: skip
def test_level_step_says_who_and_when(changes: dict[str, Any], text: str) -> None:
    given_ = evolve(Assignment("alice@corp.example", Member.parse(str(BOB)), "team"), **changes)
    assert text in finding(of(facts_of("team", assignment=given_), Field.NOTE), "level")


def test_level_step_names_the_default_and_a_level_that_is_gone() -> None:
    assert finding(of(facts_of("public", assignment=None), Field.NOTE), "level").startswith("public by default;")
    gone = Assignment("", Member.parse("everyone"), "gone")
    text = finding(of(facts_of("blocked", assignment=gone), Field.NOTE), "level")
    assert text.startswith("blocked (given as gone, which does not exist), set by the person for everyone;")


def test_advice_uses_the_name_it_is_given() -> None:
    facts = facts_of("public", assignment=None)
    assert explain(facts, FULL, Field.MOOD, LEVELS).would_allow == "give the contact the level personal"
    assert (
        explain(facts, FULL, Field.MOOD, LEVELS, str(BOB)).would_allow == "give bob@partner.example the level personal"
    )


def test_field_that_no_level_includes_needs_a_new_one() -> None:
    explanation = explain(facts_of("public"), FULL, Field.MOOD, {"public": STANDARD["public"]})
    assert explanation.would_allow == "define a level that includes mood"
