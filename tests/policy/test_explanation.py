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
from gateway.policy.precedence import Layer
from gateway.policy.settings import Feature, Refusal
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
refusals = st.builds(Refusal, names, st.sampled_from(list(Layer)[:-1]), st.booleans())


@st.composite
def hindered_facts(draw: st.DrawFn) -> Facts:
    """Draws facts with what may stand between two people beside level, ceiling and locks."""
    facts = draw(any_facts())
    barred = (Reason.DENIED_DOMAIN, Reason.CONTRACT_EXPIRED)
    if facts.partner is not None:
        barred = (Reason.NOT_FEDERATED, Reason.NOT_ALLOWED_PERSON)
    return evolve(
        facts,
        barrier=draw(st.sampled_from([None, None, None, *barred])),
        walled=draw(st.sampled_from([frozenset(), frozenset(), frozenset({Modality.PRESENCE, Modality.IM})])),
        refused=tuple(draw(st.lists(refusals, max_size=2, unique_by=lambda one: one.subject))),
        bound=draw(st.sampled_from([None, None, STANDARD["public"], STANDARD["team"]])),
    )


def of(facts: Facts, field: Field, document: PresenceDocument = FULL) -> Explanation:
    return explain(facts, document, field, LEVELS)


def finding(explanation: Explanation, name: str) -> str:
    return next(step.finding for step in explanation.steps if step.name == name)


@given(hindered_facts(), documents(), names)
def test_outcome_is_what_a_presence_update_really_carries(
    facts: Facts, document: PresenceDocument, field: Field
) -> None:
    explanation = of(facts, field, document)
    verdict = sent(Presence(document), facts)
    assert (explanation.outcome in VISIBLE) == (field in verdict.sent)
    assert (explanation.outcome is Outcome.NOT_PUBLISHED) == (field not in document)
    if field in verdict.withheld:
        assert explanation.reason is verdict.withheld[field]


@given(hindered_facts(), documents(), names)
def test_outcome_agrees_with_permission(facts: Facts, document: PresenceDocument, field: Field) -> None:
    permitted = permission(facts).fields
    presence = Modality.PRESENCE in facts.modalities
    shown = {field, Field.AVAILABILITY} <= permitted & document.names
    assert (of(facts, field, document).outcome in VISIBLE) == (shown and presence)


@given(hindered_facts(), documents(), names)
def test_advice_is_given_exactly_when_something_is_missing(
    facts: Facts, document: PresenceDocument, field: Field
) -> None:
    explanation = of(facts, field, document)
    assert (explanation.would_allow is None) == (explanation.outcome in VISIBLE)


@given(hindered_facts(), documents(), names)
def test_who_follows_the_advice_sees_the_field(facts: Facts, document: PresenceDocument, field: Field) -> None:
    advice = of(facts, field, document).would_allow
    if advice is None or facts.partner is None:
        return
    for changed, published in followed(advice, facts, document):
        assert of(changed, field, published).outcome in VISIBLE, advice
        assert field in sent(Presence(published), changed).sent


@given(hindered_facts(), documents(), names)
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
    if "right to federate" in advice or "to the people of partner.example" in advice:
        facts = evolve(facts, barrier=None)
    if "take presence out of the [[wall]]" in advice:
        facts = evolve(facts, walled=facts.walled - {Modality.PRESENCE})
    if "locks another level" in advice:
        facts = evolve(facts, bound=None)
    switched = {Field(name) for name in re.findall(r"(?:a \[\[setting\]\]|the person) switches (\S+) on", advice)}
    facts = evolve(facts, refused=tuple(each for each in facts.refused if each.subject not in switched))
    if "the person becomes available" in advice:
        document = document.with_fields({Field.AVAILABILITY: True})
    for name in re.findall(r"the person publishes (\S+)", advice):
        document = document.with_fields({Field(name): value_of(Field(name))})
    given_ = re.search(r"(?:the level|one of the levels) ([a-z, ]+?)(?: and |$)", advice)
    levels = [LEVELS[name] for name in given_[1].split(", ")] if given_ else [facts.level]
    return [(evolve(facts, partner=partner, locks=locks, level=level), document) for level in levels]


@given(hindered_facts(), documents(), names)
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


def refused_by(layer: Layer, *, locked: bool = False, subject: Field = Field.NOTE) -> tuple[Refusal, ...]:
    return (Refusal(subject, layer, locked),)


NOBODY_LISTED = evolve(PARTNER, found=True)
WITHOUT_PRESENCE = evolve(PARTNER, modalities=frozenset({Modality.IM}))
ENDING = evolve(PARTNER, ends=1.7e9)
UNTIL = Assignment("alice@corp.example", Member.parse(str(BOB)), "team", until=1.7e9)


@pytest.mark.parametrize(
    ("changes", "step", "text"),
    [
        ({}, "partner", "partner.example"),
        ({"partner": NOBODY_LISTED}, "partner", "partner.example, which nobody has listed"),
        ({"partner": WITHOUT_PRESENCE}, "partner", "partner.example, whose profile does not include presence"),
        ({"partner": None}, "partner", "the contact's domain belongs to no partner"),
        ({"partner": None, "barrier": Reason.DENIED_DOMAIN}, "partner", "the contact's domain is on the deny list"),
        ({"partner": None, "barrier": Reason.CONTRACT_EXPIRED}, "partner",
         "the contract with the contact's domain has expired"),
        ({}, "right", "the person may speak with this partner"),
        ({"partner": None}, "right", "no partner"),
        ({"barrier": Reason.NOT_FEDERATED}, "right", "the person may not federate"),
        ({}, "wall", "no wall stands between them"),
        ({"walled": frozenset({Modality.PRESENCE, Modality.IM})}, "wall", "a wall keeps out im, presence"),
        ({}, "lock", "note is not locked"),
        ({"locks": (Lock(Field.NOTE), Lock(Field.NOTE, "partner.test"), Lock(Field.NOTE, "ally.example"))}, "lock",
         "note is locked for all partners and partner.test"),
        ({"bound": STANDARD["public"]}, "lock",
         "the most that an administrator has locked, public, does not include note"),
        ({"bound": STANDARD["team"]}, "lock", "the most that an administrator has locked, team, includes note"),
        ({"bound": STANDARD["public"], "locks": (Lock(Field.NOTE),)}, "lock", "note is locked for all partners"),
        ({}, "setting", "nobody has switched note off"),
        ({"refused": refused_by(Layer.PERSON)}, "setting", "note is switched off by the person"),
        ({"refused": refused_by(Layer.PARTNER, locked=True)}, "setting",
         "note is switched off by the administrator, for this partner, locked"),
        ({}, "time window", "nothing of this ends by itself"),
        ({"partner": ENDING, "assignment": UNTIL}, "time window",
         "the level is given until 2023-11-14T22:13:20Z; then what is less specific counts; "
         "the contract with partner.example ends at 2023-11-14T22:13:20Z"),
        ({}, "ceiling", "the ceiling includes note"),
        ({"partner": None}, "ceiling", "no partner, no ceiling"),
        ({"partner": evolve(PARTNER, ceiling=STANDARD["public"].fields, ceiling_name="public")}, "ceiling",
         "the ceiling public does not include note"),
        ({}, "field set", "note is in what goes to the contact"),
        ({"locks": (Lock(Field.NOTE),)}, "field set", "note is not in what goes to the contact"),
    ],
)  # fmt: skip
def test_each_step_says_what_it_found(changes: dict[str, Any], step: str, text: str) -> None:
    assert finding(of(facts_of("team", **changes), Field.NOTE), step) == text


@pytest.mark.parametrize(
    ("document", "text", "goes"),
    [
        (document_of(Field.AVAILABILITY, Field.NOTE), "note is published", "in"),
        (document_of(Field.NOTE), "note is published, but the person is not available", "not in"),
        (document_of(Field.AVAILABILITY), "note is not published", "not in"),
    ],
)
def test_only_what_is_published_by_somebody_available_goes_out(
    document: PresenceDocument, text: str, goes: str
) -> None:
    explanation = of(facts_of("team"), Field.NOTE, document)
    assert finding(explanation, "published") == text
    assert finding(explanation, "field set") == f"note is {goes} what goes to the contact"


@pytest.mark.parametrize("layer", list(Layer)[:-1])
def test_whoever_switched_a_field_off_is_named_and_only_a_person_can_switch_it_on_himself(layer: Layer) -> None:
    open_, shut = (of(facts_of("team", refused=refused_by(layer, locked=lock)), Field.NOTE) for lock in (False, True))
    who = "the person" if layer is Layer.PERSON else "a [[setting]]"
    assert open_.would_allow == open_.smallest == f"{who} switches note on"
    assert shut.would_allow == "a [[setting]] switches note on"
    assert {finding(open_, "setting") + ", locked"} == {finding(shut, "setting")}
    assert of(facts_of("team", refused=refused_by(layer)), Field.TITLE).outcome is Outcome.SENT


def test_a_feature_that_is_switched_off_is_no_field() -> None:
    facts = facts_of("team", refused=(Refusal(Feature.TYPING, Layer.PERSON, False),))
    assert of(facts, Field.NOTE).outcome is Outcome.SENT


@pytest.mark.parametrize(
    ("changes", "advice"),
    [
        ({"barrier": Reason.NOT_FEDERATED}, "give the person the right to federate ([federation] people, barred)"),
        ({"barrier": Reason.NOT_ALLOWED_PERSON},
         "add the person or one of his groups to the people of partner.example"),
        ({"walled": frozenset({Modality.PRESENCE})}, "take presence out of the [[wall]]"),
        ({"walled": frozenset({Modality.IM})}, None),
        ({"barrier": Reason.NOT_FEDERATED, "walled": frozenset({Modality.PRESENCE})},
         "give the person the right to federate ([federation] people, barred) and take presence out of the [[wall]]"),
        ({"bound": STANDARD["public"]}, "the administrator locks another level than public"),
        ({"bound": STANDARD["team"]}, None),
        ({"bound": AccessLevel("noted", frozenset({Field.NOTE}), CUSTOM_RANK)},
         "the administrator locks another level than noted"),
        ({"partner": None, "barrier": Reason.DENIED_DOMAIN},
         "none: his domain is denied; take it off [federation] deny"),
        ({"partner": None, "barrier": Reason.CONTRACT_EXPIRED},
         "none: the contract has expired; set a later date in expires"),
    ],
)  # fmt: skip
def test_advice_names_what_stands_between_two_people(changes: dict[str, Any], advice: str | None) -> None:
    assert of(facts_of("team", **changes), Field.NOTE).would_allow == advice


def test_the_smallest_change_of_several_levels_shows_the_least_beside() -> None:
    explanation = of(facts_of("company"), Field.PHONE_MOBILE)
    assert explanation.would_allow == "give bob@partner.example one of the levels team, personal"
    assert explanation.smallest == "give bob@partner.example the level team"
    few = AccessLevel("few", frozenset({Field.AVAILABILITY, Field.MOOD}), CUSTOM_RANK)
    same = AccessLevel("same", STANDARD["public"].fields | {Field.MOOD}, CUSTOM_RANK)
    facts = facts_of("public", assignment=None)
    assert explain(facts, FULL, Field.MOOD, {**STANDARD, "few": few, "same": same}).smallest == (
        "give the contact the level few"
    )
    assert explain(facts, FULL, Field.MOOD, {**STANDARD, "same": same}, "carol@ally.example").smallest == (
        "give carol@ally.example the level same"
    )


def test_the_smallest_change_counts_what_is_new_and_not_what_is_seen_already() -> None:
    wide = AccessLevel("wide", STANDARD["team"].fields | {Field.MOOD}, CUSTOM_RANK)
    few = AccessLevel("few", frozenset({Field.AVAILABILITY, Field.MOOD, Field.PHONE_HOME}), CUSTOM_RANK)
    levels = {"wide": wide, "few": few}
    assert explain(facts_of("team"), FULL, Field.MOOD, levels).smallest == "give bob@partner.example the level wide"
    assert explain(facts_of("blocked"), FULL, Field.MOOD, levels).smallest == "give bob@partner.example the level few"


def test_where_two_changes_are_needed_none_is_the_smallest_and_what_is_seen_needs_none() -> None:
    locked = (Lock(Field.PHONE_HOME),)
    assert of(facts_of("personal", locks=locked), Field.PHONE_HOME).smallest == "remove the lock of phone.home"
    assert of(facts_of("public", locks=locked), Field.PHONE_HOME).smallest is None
    assert of(facts_of("team"), Field.NOTE).smallest is None
    nobody_gives = explain(facts_of("public"), FULL, Field.MOOD, {"public": STANDARD["public"]})
    assert nobody_gives.smallest == nobody_gives.would_allow == "define a level that includes mood"


def test_a_level_that_was_given_to_a_whole_domain_is_changed_for_the_one_contact() -> None:
    of_domain = Assignment("alice@corp.example", Member.parse("partner.example"), "public")
    explanation = of(facts_of("public", assignment=of_domain), Field.MOOD)
    assert explanation.would_allow == explanation.smallest == "give the contact the level personal"
