"""What is archived of whom: the narrowest rule counts, a locked one above it does not yield."""

import pytest

from gateway.model.envelope import Side
from gateway.policy.archiving import NOTHING, ArchiveRule, ArchiveTerms, Mode, retention, terms
from gateway.policy.partners import Partner

PARTNER = Partner("partner.example", frozenset({"partner.example", "chat.partner.example"}))
ALICE, SALES = "alice@corp.example", frozenset({"sales"})
NONE, ACTIVITY, CONTENT = Mode.NONE, Mode.ACTIVITY, Mode.CONTENT


def mode(*rules: ArchiveRule, groups: frozenset[str] | None = SALES, side: Side | None = Side.INTERNAL) -> Mode:
    return terms(rules, ALICE, groups, PARTNER, side).mode


def test_nothing_is_kept_without_a_rule() -> None:
    assert terms((), ALICE, SALES, PARTNER, Side.INTERNAL) == NOTHING


@pytest.mark.parametrize(
    ("rules", "counts"),
    [
        ([ArchiveRule(ACTIVITY), ArchiveRule(CONTENT, partner="chat.partner.example")], CONTENT),
        ([ArchiveRule(CONTENT, partner="partner.example"), ArchiveRule(NONE, group="sales")], NONE),
        ([ArchiveRule(NONE, group="sales"), ArchiveRule(CONTENT, person=ALICE)], CONTENT),
        ([ArchiveRule(CONTENT, person=ALICE), ArchiveRule(NONE, locked=True)], NONE),
        ([ArchiveRule(CONTENT, group="sales", locked=True), ArchiveRule(NONE, person=ALICE)], CONTENT),
        ([ArchiveRule(ACTIVITY), ArchiveRule(CONTENT)], CONTENT),
        ([ArchiveRule(ACTIVITY), ArchiveRule(critical=True, person=ALICE)], ACTIVITY),
        ([ArchiveRule(CONTENT, partner="ally.example"), ArchiveRule(CONTENT, person="carol@corp.example")], NONE),
        ([ArchiveRule(CONTENT, group="board"), ArchiveRule(CONTENT, side=Side.EXTERNAL)], NONE),
    ],
)
def test_the_narrowest_rule_counts_unless_a_wider_one_is_locked(rules: list[ArchiveRule], counts: Mode) -> None:
    assert mode(*rules) is counts


def test_what_is_critical_is_decided_apart_and_nothing_is_critical_of_which_nothing_is_kept() -> None:
    wide, own = ArchiveRule(CONTENT, critical=True), ArchiveRule(ACTIVITY, person=ALICE)
    assert terms((wide, own), ALICE, SALES, PARTNER, Side.INTERNAL) == ArchiveTerms(ACTIVITY, True)
    none = ArchiveRule(NONE, person=ALICE)
    assert terms((wide, none), ALICE, SALES, PARTNER, Side.INTERNAL) == NOTHING


def test_rules_for_a_side_or_a_partner_do_not_concern_presence() -> None:
    rules = (ArchiveRule(ACTIVITY, side=Side.INTERNAL), ArchiveRule(ACTIVITY, partner="partner.example"))
    assert terms(rules, ALICE, SALES, None, None) == NOTHING
    assert terms((ArchiveRule(ACTIVITY),), ALICE, SALES, None, None).mode is ACTIVITY


@pytest.mark.parametrize(
    ("rule", "counts"),
    [
        (ArchiveRule(CONTENT, group="board"), ACTIVITY),
        (ArchiveRule(CONTENT, True, group="board"), CONTENT),
        (ArchiveRule(NONE, group="board"), NONE),
    ],
)
def test_while_groups_are_not_known_what_must_not_be_missed_or_kept_counts(rule: ArchiveRule, counts: Mode) -> None:
    assert mode(ArchiveRule(ACTIVITY), rule, groups=None) is counts


def test_retention_is_the_longer_of_both_sides_and_not_known_without_groups_it_depends_on() -> None:
    rules = [
        ArchiveRule(CONTENT, retention_days=30, partner="partner.example"),
        ArchiveRule(retention_days=90, person=ALICE, side=Side.EXTERNAL),
    ]
    assert retention(rules, ALICE, SALES, PARTNER, 365) == 90
    assert retention(rules, "carol@corp.example", SALES, PARTNER, 365) == 30
    assert retention(rules, "carol@corp.example", SALES, None, 365) == 365
    rules.append(ArchiveRule(retention_days=10, group="sales"))
    assert retention(rules, ALICE, None, PARTNER, 365) is None
    assert retention(rules, "carol@corp.example", SALES, PARTNER, 365) == 10


def test_what_is_kept_is_not_critical_unless_somebody_says_so() -> None:
    assert terms((ArchiveRule(CONTENT),), ALICE, SALES, PARTNER, Side.INTERNAL) == ArchiveTerms(CONTENT, False)


def test_retention_is_known_without_groups_where_it_does_not_depend_on_them() -> None:
    for rule in (ArchiveRule(CONTENT, group="sales"), ArchiveRule(CONTENT, retention_days=30)):
        assert retention([rule], ALICE, None, PARTNER, 365) == (rule.retention_days or 365)
