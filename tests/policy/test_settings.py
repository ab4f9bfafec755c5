"""What each layer may refuse, and what nobody below can widen again."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.presence import Field
from gateway.policy.partners import Partner
from gateway.policy.precedence import Layer
from gateway.policy.settings import Feature, OwnSettings, Rule, Subject, keeps, refused, subject

PARTNER = Partner("partner.example", frozenset({"partner.example", "alias.example"}))
MOBILE = Field.PHONE_MOBILE
NOBODY: frozenset[str] = frozenset()

rules = st.builds(
    Rule,
    subject=st.sampled_from([MOBILE, Field.NOTE, Feature.TYPING]),
    on=st.booleans(),
    partner=st.sampled_from(["", "", "partner.example", "alias.example", "other.example"]),
    group=st.sampled_from(["", "", "board", "staff"]),
    locked=st.booleans(),
)
owns: st.SearchStrategy[OwnSettings] = st.dictionaries(
    st.sampled_from([MOBILE, Field.NOTE, Feature.TYPING]), st.booleans(), max_size=3
)
groups = st.one_of(st.none(), st.frozensets(st.sampled_from(["board", "staff"])))


def layer_against(
    about: Field, *given: Rule, own: OwnSettings | None = None, into: frozenset[str] | None = NOBODY
) -> Layer | None:
    found = [each for each in refused(given, own or {}, into, PARTNER) if each.subject is about]
    return found[0].layer if found else None


def kept_back(given: Iterable[Rule], own: OwnSettings, into: frozenset[str] | None) -> set[Subject]:
    return {each.subject for each in refused(given, own, into, PARTNER)}


def test_without_a_setting_everything_may_leave() -> None:
    assert refused((), {}, NOBODY, PARTNER) == ()


@pytest.mark.parametrize(
    ("rule", "layer"),
    [
        (Rule(MOBILE, on=False, locked=True), Layer.ADMINISTRATOR),
        (Rule(MOBILE, on=False, partner="alias.example", locked=True), Layer.PARTNER),
        (Rule(MOBILE, on=False, group="board", locked=True), Layer.GROUP),
    ],
)
def test_a_locked_refusal_stands_whatever_a_person_says_and_names_its_layer(rule: Rule, layer: Layer) -> None:
    assert layer_against(MOBILE, rule, own={MOBILE: True}, into=frozenset({"board"})) is layer


def test_a_refusal_that_is_not_locked_is_a_default_that_a_person_may_change() -> None:
    default = Rule(MOBILE, on=False)
    assert layer_against(MOBILE, default) is Layer.ADMINISTRATOR
    assert layer_against(MOBILE, default, own={MOBILE: True}) is None


def test_a_person_may_hide_what_an_administrator_locks_open() -> None:
    assert layer_against(MOBILE, Rule(MOBILE, on=True, locked=True), own={MOBILE: False}) is Layer.PERSON


def test_a_group_without_the_person_does_not_bind_him() -> None:
    assert layer_against(MOBILE, Rule(MOBILE, on=False, group="board", locked=True), into=frozenset({"staff"})) is None


def test_while_groups_are_not_known_their_refusals_bind_and_their_permissions_do_not() -> None:
    assert layer_against(MOBILE, Rule(MOBILE, on=False, group="board"), into=None) is Layer.GROUP
    widening = Rule(MOBILE, on=True, group="board", locked=True)
    assert layer_against(MOBILE, Rule(MOBILE, on=False), widening, into=None) is Layer.ADMINISTRATOR


def test_of_two_groups_that_disagree_the_one_that_refuses_counts() -> None:
    both = Rule(MOBILE, on=True, group="board", locked=True), Rule(MOBILE, on=False, group="staff", locked=True)
    for order in (both, both[::-1]):
        assert layer_against(MOBILE, *order, into=frozenset({"board", "staff"})) is Layer.GROUP


def test_a_feature_and_a_field_are_found_by_name() -> None:
    assert subject("phone.mobile") is MOBILE
    assert subject("typing") is Feature.TYPING
    with pytest.raises(ValueError, match="nonsense"):
        subject("nonsense")


@given(st.lists(rules), rules, owns, groups)
def test_one_more_locked_refusal_never_lets_more_leave(
    given_rules: list[Rule], more: Rule, own: OwnSettings, into: frozenset[str] | None
) -> None:
    more = Rule(more.subject, False, more.partner, more.group, True)
    before = kept_back(given_rules, own, into)
    assert before <= kept_back([*given_rules, more], own, into)


@given(st.lists(rules), owns, groups, st.sampled_from([MOBILE, Field.NOTE]))
def test_what_a_person_hides_never_leaves(
    given_rules: list[Rule], own: OwnSettings, into: frozenset[str] | None, hidden: Field
) -> None:
    found = kept_back(given_rules, {**own, hidden: False}, into)
    assert hidden in found


@given(st.lists(rules), owns, st.frozensets(st.sampled_from(["board", "staff"])))
def test_knowing_the_groups_never_refuses_more(given_rules: list[Rule], own: OwnSettings, into: frozenset[str]) -> None:
    assert kept_back(given_rules, own, into) <= kept_back(given_rules, own, None)


HISTORY = Feature.HISTORY
ALICE = "alice@corp.example"


def kept(*given: Rule, own: OwnSettings | None = None, into: frozenset[str] | None = NOBODY) -> tuple[bool, Layer]:
    found = keeps(HISTORY, given, own or {}, into, PARTNER, ALICE)
    return found.value, found.layer


def test_nothing_is_kept_unless_somebody_says_so() -> None:
    assert kept() == (False, Layer.DEFAULT)
    assert kept(Rule(MOBILE, on=True), own={MOBILE: True}) == (False, Layer.DEFAULT)
    assert kept(own={HISTORY: True}) == (True, Layer.PERSON)


@pytest.mark.parametrize(
    ("scope", "layer"),
    [
        ({}, Layer.ADMINISTRATOR),
        ({"partner": "alias.example"}, Layer.PARTNER),
        ({"group": "board"}, Layer.GROUP),
        ({"person": ALICE}, Layer.NAMED),
    ],
)
def test_an_administrator_sets_or_locks_what_is_kept_for_each_scope(scope: dict[str, str], layer: Layer) -> None:
    board = frozenset({"board"})
    assert kept(Rule(HISTORY, on=True, **scope), into=board) == (True, layer)
    assert kept(Rule(HISTORY, on=True, **scope), own={HISTORY: False}, into=board) == (False, Layer.PERSON)
    for on in (True, False):
        locked = Rule(HISTORY, on=on, locked=True, **scope)
        assert kept(locked, own={HISTORY: not on}, into=board) == (on, layer)


def test_a_rule_for_somebody_else_says_nothing() -> None:
    assert kept(Rule(HISTORY, on=True, person="carol@corp.example", locked=True)) == (False, Layer.DEFAULT)
    assert kept(Rule(HISTORY, on=True, partner="other.example")) == (False, Layer.DEFAULT)
    assert kept(Rule(HISTORY, on=True, group="board", locked=True), into=None) == (False, Layer.DEFAULT)


def test_one_person_may_be_an_exception_in_his_group() -> None:
    board = frozenset({"board"})
    group, named = Rule(HISTORY, on=False, group="board"), Rule(HISTORY, on=True, person=ALICE)
    assert kept(named, group, into=board) == (True, Layer.NAMED)


def test_where_one_layer_says_both_nothing_is_kept() -> None:
    both = Rule(HISTORY, on=True), Rule(HISTORY, on=False)
    assert kept(*both) == kept(*both[::-1]) == (False, Layer.ADMINISTRATOR)


def test_what_is_kept_keeps_nothing_from_leaving() -> None:
    locked = Rule(HISTORY, on=False, locked=True)
    assert refused([locked], {HISTORY: False}, NOBODY, PARTNER) == ()


histories = st.builds(
    Rule,
    subject=st.just(HISTORY),
    on=st.booleans(),
    partner=st.sampled_from(["", "", "partner.example", "other.example"]),
    group=st.sampled_from(["", "", "board", "staff"]),
    locked=st.booleans(),
    person=st.sampled_from(["", "", ALICE, "carol@corp.example"]),
)


@given(st.lists(histories), histories, st.booleans(), groups)
def test_a_locked_no_for_everybody_keeps_nothing(
    given_rules: list[Rule], more: Rule, mine: bool, into: frozenset[str] | None
) -> None:
    assert not kept(*given_rules, Rule(HISTORY, on=False, locked=True), own={HISTORY: mine}, into=into)[0]
    assert not kept(*(Rule(HISTORY, False, each.partner, each.group, each.locked) for each in given_rules))[0]


@given(st.lists(histories), st.booleans(), groups)
def test_the_order_of_the_file_decides_nothing(
    given_rules: list[Rule], mine: bool, into: frozenset[str] | None
) -> None:
    own = {HISTORY: mine}
    assert kept(*given_rules, own=own, into=into) == kept(*given_rules[::-1], own=own, into=into)
