"""What a contact may see: level, ceiling and locks can each only take away."""

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.presence import Field
from gateway.policy.access_level import STANDARD, AccessLevel, Assignment, Member
from gateway.policy.authorization import Facts, permission
from gateway.policy.partners import Lock
from gateway.policy.verdict import Reason
from tests.policy.samples import PARTNER, any_facts, facts_of, field_sets


def expected_fields(facts: Facts) -> frozenset[Field]:
    """The rule in one line, independent of the code."""
    if facts.partner is None or facts.level.name == "blocked":
        return frozenset()
    locked = {
        lock.field
        for lock in facts.locks
        if not lock.partner or lock.partner in {facts.partner.name, *facts.partner.domains}
    }
    return (facts.level.fields & facts.partner.ceiling) - locked


@given(any_facts())
def test_permission_is_level_and_ceiling_without_locks(facts: Facts) -> None:
    """I11, I21: no field outside level ∩ ceiling − locks."""
    permitted = permission(facts)
    assert permitted.fields == expected_fields(facts)
    assert permitted.level == facts.level.name


@given(any_facts())
def test_every_field_is_either_permitted_or_has_its_reason(facts: Facts) -> None:
    permitted = permission(facts)
    assert permitted.fields | set(permitted.withheld) == set(Field)
    assert not permitted.fields & set(permitted.withheld)
    assert Reason.ALLOWED not in permitted.withheld.values()


@given(any_facts(), st.lists(st.builds(Lock, st.sampled_from(list(Field)), st.sampled_from(["", "partner.example"]))))
def test_one_more_lock_never_shows_more(facts: Facts, more: list[Lock]) -> None:
    locked = evolve(facts, locks=(*facts.locks, *more))
    assert permission(locked).fields == permission(facts).fields - {lock.field for lock in more}


@given(any_facts(), field_sets)
def test_smaller_ceiling_never_shows_more(facts: Facts, kept: frozenset[Field]) -> None:
    if facts.partner is not None:
        lower = evolve(facts, partner=evolve(facts.partner, ceiling=facts.partner.ceiling & kept))
        assert permission(lower).fields == permission(facts).fields & kept


@given(any_facts(), field_sets)
def test_smaller_level_never_shows_more(facts: Facts, kept: frozenset[Field]) -> None:
    smaller = evolve(facts, level=evolve(facts.level, fields=facts.level.fields & kept))
    assert permission(smaller).fields == permission(facts).fields & kept


@given(any_facts())
def test_losing_the_partner_or_being_blocked_shows_nothing(facts: Facts) -> None:
    assert permission(evolve(facts, partner=None)).fields == frozenset()
    assert permission(evolve(facts, level=STANDARD["blocked"])).fields == frozenset()


def test_a_level_called_blocked_sees_nothing_whatever_it_says() -> None:
    generous = AccessLevel("blocked", frozenset(Field), 1)
    assert permission(facts_of(level="public", assignment=None)).fields
    assert permission(evolve(facts_of(), level=generous)).fields == frozenset()


@pytest.mark.parametrize("level", ["public", "company", "team", "personal"])
@pytest.mark.parametrize("ceiling", ["public", "company", "team", "personal"])
def test_ceiling_is_an_intersection_and_not_a_threshold(level: str, ceiling: str) -> None:
    facts = evolve(facts_of(level), partner=evolve(PARTNER, ceiling=STANDARD[ceiling].fields))
    assert permission(facts).fields == STANDARD[level].fields & STANDARD[ceiling].fields


@pytest.mark.parametrize(
    ("facts", "name", "reason"),
    [
        (evolve(facts_of("personal"), partner=None), Field.NOTE, Reason.UNKNOWN_PARTNER),
        (facts_of("blocked", locks=(Lock(Field.NOTE),)), Field.NOTE, Reason.BLOCKED),
        (facts_of("public", locks=(Lock(Field.NOTE),)), Field.NOTE, Reason.LOCK),
        (facts_of("personal", locks=(Lock(Field.NOTE, "partner.example"),)), Field.NOTE, Reason.LOCK),
        (facts_of("public"), Field.NOTE, Reason.LEVEL),
        (evolve(facts_of("public"), partner=evolve(PARTNER, ceiling=frozenset())), Field.NOTE, Reason.LEVEL),
        (evolve(facts_of("company"), partner=evolve(PARTNER, ceiling=frozenset())), Field.NOTE, Reason.CEILING),
    ],
)
def test_first_rule_against_a_field_is_its_reason(facts: Facts, name: Field, reason: Reason) -> None:
    assert permission(facts).withheld[name] is reason


def test_lock_for_another_partner_does_not_bind() -> None:
    assert Field.NOTE in permission(facts_of("company", locks=(Lock(Field.NOTE, "other.example"),))).fields


def test_blocked_by_default_is_not_blocked_by_name() -> None:
    by_default = facts_of("blocked", assignment=None)
    assert by_default.blocked and not by_default.blocked_by_name
    by_name = evolve(by_default, assignment=Assignment("", Member.parse("everyone"), "gone"))
    assert by_name.blocked_by_name
    assert not facts_of("public").blocked_by_name


@given(any_facts(), field_sets)
def test_what_an_administrator_locked_as_the_most_takes_the_rest_away(facts: Facts, most: frozenset[Field]) -> None:
    bound = permission(evolve(facts, bound=AccessLevel("most", most, 50)))
    assert bound.fields == expected_fields(facts) & most
    taken = [name for name, reason in bound.withheld.items() if reason is Reason.LOCK]
    assert not set(taken) & bound.fields
    if facts.partner is not None and facts.level.name != "blocked":
        assert set(Field) - most <= set(taken)
