"""The difference of two policies is the difference of their permissions, and nothing else."""

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.presence import Field
from gateway.policy.access_level import STANDARD
from gateway.policy.authorization import Facts, permission
from gateway.policy.comparison import difference, traffic
from gateway.policy.partners import Lock, Modality
from gateway.policy.verdict import Reason
from tests.policy.samples import any_facts, facts_of, locks


@given(any_facts(), any_facts())
def test_it_is_exactly_the_difference_of_permissions(before: Facts, after: Facts) -> None:
    found = difference(before, after)
    old, new = permission(before).fields, permission(after).fields
    assert (old - found.loses) | found.gains == new
    assert found.gains.isdisjoint(old) and found.loses <= old
    assert (traffic(before) - found.closes) | found.opens == traffic(after)
    assert found.opens.isdisjoint(traffic(before))
    back = difference(after, before)
    assert (back.gains, back.loses, back.opens, back.closes) == (found.loses, found.gains, found.closes, found.opens)
    assert bool(found) is (old != new or traffic(before) != traffic(after))


@given(any_facts(), st.lists(locks, max_size=3), st.frozensets(st.sampled_from(list(Field))))
def test_a_restriction_gains_nobody_anything(facts: Facts, more: list[Lock], ceiling: frozenset[Field]) -> None:
    partner = evolve(facts.partner, ceiling=facts.partner.ceiling & ceiling) if facts.partner else None
    assert not difference(facts, evolve(facts, partner=partner, locks=(*facts.locks, *more))).widens
    assert not difference(facts, evolve(facts, level=STANDARD["blocked"])).widens
    assert not difference(facts, evolve(facts, walled=frozenset(Modality))).widens
    assert not difference(facts, evolve(facts, barrier=Reason.NOT_FEDERATED)).widens


def test_traffic_is_told_beside_fields() -> None:
    walled = facts_of("team", walled=frozenset({Modality.IM}))
    found = difference(facts_of("team"), walled)
    assert found.closes == {Modality.IM} and found.narrows and not found.widens and not found.loses
    assert traffic(facts_of("blocked")) == frozenset()
