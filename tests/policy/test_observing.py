"""An observing gateway lets go what the administrator's rules keep back, and nothing else; the decision stays known."""

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given

from gateway.model.envelope import Envelope, Side
from gateway.model.message import Message
from gateway.model.presence import Field, Presence, PresenceDocument
from gateway.policy.access_level import STANDARD
from gateway.policy.authorization import Facts, authorize, permission
from gateway.policy.observing import observed, overlooked, unbound
from gateway.policy.partners import Lock, Modality
from gateway.policy.precedence import Layer
from gateway.policy.settings import Refusal
from gateway.policy.verdict import Decision, Reason, Verdict
from tests.policy.samples import ALICE, BOB, PARTNER, any_facts, document_of, documents, facts_of

NOTE = document_of(Field.AVAILABILITY, Field.NOTE)
OFF = Refusal(Field.NOTE, Layer.ADMINISTRATOR, True)


def told(facts: Facts, content: Any = None, side: Side = Side.INTERNAL) -> Verdict:
    one, other = (ALICE, BOB) if side is Side.INTERNAL else (BOB, ALICE)
    envelope = Envelope(one, other, content or Presence(NOTE), side)
    return observed(envelope, facts, authorize(envelope, facts, permission(facts)))


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (facts_of("public"), Reason.LEVEL),
        (facts_of("team", locks=(Lock(Field.NOTE),)), Reason.LOCK),
        (facts_of("team", bound=STANDARD["public"]), Reason.LOCK),
        (facts_of("team", partner=evolve(PARTNER, ceiling=STANDARD["public"].fields)), Reason.CEILING),
        (facts_of("team", refused=(OFF,)), Reason.SWITCHED_OFF),
        (facts_of("team", walled=frozenset(Modality)), Reason.WALL),
        (facts_of("blocked", assignment=None), Reason.BLOCKED),
    ],
    ids=lambda value: getattr(value, "value", ""),
)
def test_what_the_administrators_rules_keep_back_leaves(facts: Facts, reason: Reason) -> None:
    verdict = told(facts)
    assert Field.NOTE in verdict.sent and verdict.instead_of is not None
    assert reason in overlooked(verdict).values()
    assert verdict.level == facts.level.name


@pytest.mark.parametrize(
    "facts",
    [
        facts_of("blocked"),
        facts_of("team", refused=(evolve(OFF, layer=Layer.PERSON),)),
        facts_of("team", partner=None),
        facts_of("team", partner=None, barrier=Reason.DENIED_DOMAIN),
        facts_of("team", barrier=Reason.NOT_FEDERATED),
        facts_of("public", partner=evolve(PARTNER, found=True)),
        facts_of("team", partner=evolve(PARTNER, modalities=frozenset({Modality.IM}))),
    ],
)
def test_what_is_not_the_administrators_to_try_out_stays(facts: Facts) -> None:
    verdict = told(facts)
    assert Field.NOTE not in verdict.sent and overlooked(verdict) == {}


def test_messages_pass_a_wall_and_are_known_as_refused() -> None:
    message = Message(bodies=(("", "hello"),))
    for side in Side:
        verdict = told(facts_of("team", walled=frozenset({Modality.IM})), message, side)
        assert verdict.decision is Decision.DELIVER and overlooked(verdict) == {None: Reason.WALL}
        assert told(facts_of("blocked"), message, side).decision is Decision.REFUSE


def test_what_says_nothing_does_not_leave_either_way_and_is_refused_as_it_would_be() -> None:
    verdict = told(facts_of("team", walled=frozenset({Modality.IM})), Message(bodies=()))
    assert (verdict.decision, verdict.reason, verdict.instead_of) == (Decision.REFUSE, Reason.WALL, None)


def test_without_its_bounds_a_contact_has_everything_and_no_ceiling_with_a_name() -> None:
    named = evolve(PARTNER, ceiling_name="public", ceiling=STANDARD["public"].fields)
    freed = unbound(facts_of("public", partner=named))
    assert freed.partner is not None and freed.partner.ceiling_name == ""
    assert (freed.level.name, freed.level.fields, freed.partner.ceiling) == (
        "everything",
        frozenset(Field),
        frozenset(Field),
    )


@given(any_facts(), documents())
def test_more_leaves_never_less_and_only_with_a_name(facts: Facts, document: PresenceDocument) -> None:
    envelope = Envelope(ALICE, BOB, Presence(document), Side.INTERNAL)
    strict = authorize(envelope, facts, permission(facts))
    loose = observed(envelope, facts, strict)
    assert loose.sent >= strict.sent
    assert (loose.instead_of is strict) is (loose is not strict)
    assert set(overlooked(loose)) - {None} == loose.sent - strict.sent
    if unbound(facts) is facts:
        assert loose is strict
