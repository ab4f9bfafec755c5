"""What was decided about a document is decided once for one contact after another, and for nobody else."""

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.envelope import Envelope, Side
from gateway.model.presence import Field, Presence, PresenceDocument
from gateway.model.subscription import State
from gateway.policy.access_level import STANDARD, Assignment, Member
from gateway.policy.authorization import Facts, authorize, permission
from gateway.policy.partners import Lock, Modality
from gateway.policy.verdict import Permission, Reason, Verdict
from tests.policy.samples import ALICE, BOB, PARTNER, any_facts, facts_of, full_document

HERE = PresenceDocument({Field.AVAILABILITY: True, Field.NOTE: (("", "in"),)})


def decided(document: PresenceDocument, facts: Facts, permitted: Permission | None = None) -> Verdict:
    envelope = Envelope(ALICE, BOB, Presence(document), Side.INTERNAL)
    return authorize(envelope, facts, permitted or permission(facts))


def fresh(document: PresenceDocument, facts: Facts) -> Verdict:
    """Decides with a permission that remembers nothing."""
    return decided(document, facts, evolve(permission(facts)))


@given(st.lists(st.tuples(st.booleans(), any_facts()), max_size=8))
def test_in_whatever_order_contacts_are_told_each_sees_what_he_would_see_alone(told: list[tuple[bool, Facts]]) -> None:
    for rich, facts in told:
        document = full_document() if rich else HERE
        assert decided(document, facts) == fresh(document, facts)
        assert decided(document, facts) == fresh(document, facts)


def test_one_document_to_many_of_one_level_is_stripped_once() -> None:
    team = facts_of("team")
    named = evolve(team, assignment=Assignment("", Member.parse(BOB), "team"), subscription=State.TO)
    document = full_document()
    assert permission(named) is permission(team)
    assert decided(document, named) is decided(document, team)
    assert decided(PresenceDocument({name: document[name] for name in document}), team) == decided(document, team)


@pytest.mark.parametrize(
    "other",
    [
        facts_of("public"),
        evolve(facts_of("team"), locks=(Lock(Field.NOTE),)),
        evolve(facts_of("team"), partner=evolve(PARTNER, ceiling=frozenset({Field.AVAILABILITY}))),
        evolve(facts_of("team"), barrier=Reason.WALL),
        evolve(facts_of("team"), walled=frozenset({Modality.RECEIPTS})),
        evolve(facts_of("team"), level=evolve(STANDARD["team"], fields=frozenset({Field.AVAILABILITY}))),
    ],
)
def test_whatever_says_something_about_fields_gives_another_permission(other: Facts) -> None:
    assert permission(other) is not permission(facts_of("team"))
    assert decided(full_document(), facts_of("team")) == fresh(full_document(), facts_of("team"))
    assert decided(full_document(), other) == fresh(full_document(), other)


def test_a_contract_that_ends_ends_what_was_decided() -> None:
    team = facts_of("team")
    without = evolve(team, partner=evolve(PARTNER, modalities=PARTNER.modalities - {Modality.PRESENCE}))
    permitted = permission(team)
    assert decided(HERE, team, permitted).content is not None
    assert decided(HERE, without, permitted).content is None


def test_no_more_than_the_last_document_is_kept() -> None:
    team = facts_of("team")
    for number in range(5):
        decided(PresenceDocument({Field.AVAILABILITY: True, Field.NOTE: (("", str(number)),)}), team)
    (kept,) = permission(team).decided
    assert kept[0][Field.NOTE] == (("", "4"),)
