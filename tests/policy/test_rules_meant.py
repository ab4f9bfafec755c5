"""What rules mean where time, networks and entries of the file make a difference: the entry, its end, what is told."""

from collections.abc import Sequence

import pytest

from gateway.model.address import Address
from gateway.model.presence import Field
from gateway.model.rule_set import (
    Condition,
    Grant,
    Identity,
    Many,
    One,
    Reach,
    Remark,
    Rule,
    RuleSet,
    SubHandling,
    Validity,
)
from gateway.policy import rules_meant
from gateway.policy.access_level import CUSTOM_RANK, STANDARD, AccessLevel, Assignment, Member, Network
from gateway.policy.presence_rules import grant_for
from gateway.policy.rules_meant import MOST_MEMBERS, MOST_MOMENTS, TooMuch, members_of, moments_of
from tests.policy.rule_samples import ALICE, NOW, meant

BOB, CAROL, ERIN = (Address.parse(f"{one}.example") for one in ("bob@partner", "carol@partner", "erin@sub.ally"))
BY_FIELDS = {
    "empty": frozenset[Field](),
    "seen": frozenset({Field.AVAILABILITY}),
    "noted": frozenset({Field.AVAILABILITY, Field.NOTE}),
    "titled": frozenset({Field.AVAILABILITY, Field.TITLE}),
    "both": frozenset({Field.AVAILABILITY, Field.NOTE, Field.TITLE}),
}
OWN = {name: AccessLevel(name, fields, CUSTOM_RANK) for name, fields in BY_FIELDS.items()}
BLOCKED = {"blocked": STANDARD["blocked"]}
LEVELS = {**BLOCKED, **{name: level for name, level in OWN.items() if name != "empty"}}
WITH_EMPTY = {**BLOCKED, **OWN}
BELOW = Reach(below="ally.example")
BLOCK = Grant(SubHandling.BLOCK)


def named(*addresses: Address) -> Identity:
    return Identity(tuple(map(One, addresses)))


def but(*addresses: Address) -> Identity:
    return Identity((Many("", frozenset(addresses)),))


def during(start: float, end: float) -> Validity:
    return Validity(((NOW + start, NOW + end),))


def shows(level: str, *conditions: Condition, id: str = "r", line: int = 2) -> Rule:  # noqa: A002
    return Rule(id, conditions, grant_for(BY_FIELDS[level]), line, {"validity": line + 1})


def filed(who: str, level: str, until: float | None = None) -> Assignment:
    return Assignment(str(ALICE), Member.parse(who), level, until=None if until is None else NOW + until)


def entries(
    rules: Sequence[Rule],
    standing: Sequence[Assignment] = (),
    default: str = "blocked",
    levels: dict[str, AccessLevel] = LEVELS,
) -> dict[str, tuple[str, float | None]]:
    found = meant(RuleSet(tuple(rules)), standing, default, levels).entries
    return {str(one.member): (one.level, one.until and one.until - NOW) for one in found}


def remarks(
    rules: Sequence[Rule],
    standing: Sequence[Assignment] = (),
    default: str = "blocked",
    levels: dict[str, AccessLevel] = LEVELS,
) -> list[Remark]:
    return list(meant(RuleSet(tuple(rules)), standing, default, levels).remarks)


# -- what is read ----------------------------------------------------------------------------------------------------


def test_members_are_those_that_rules_name_and_nobody_is_named_none() -> None:
    rules = (
        Rule(
            "a", (Identity((One(None), One(BOB), Many("ally.example", frozenset({ERIN}), frozenset({"x.example"})))),)
        ),
        Rule("b", (BELOW, Reach("public_cloud", outside=True))),
    )
    assert {str(one) for one in members_of(RuleSet(rules))} == {
        "bob@partner.example",
        "erin@sub.ally.example",
        "ally.example",
        "x.example",
        "*.ally.example",
        "public_cloud",
    }


def test_moments_are_now_and_what_comes_later_but_not_what_never_comes() -> None:
    spans = ((NOW - 5, NOW), (NOW, NOW + 20), (NOW + 10, rules_meant.EVER))
    assert moments_of(RuleSet((Rule("a", (Validity(spans),)),)), [filed("everyone", "seen", 5)], NOW) == (
        NOW,
        NOW + 5,
        NOW + 10,
        NOW + 20,
    )


def test_as_many_moments_and_members_as_are_allowed_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (MOST_MEMBERS, MOST_MOMENTS) == (4000, 100)
    ends = [filed("everyone", "seen", number + 1) for number in range(101)]
    assert len(moments_of(RuleSet(), ends[:100], NOW)) == 101
    with pytest.raises(TooMuch):
        moments_of(RuleSet(), ends, NOW)
    monkeypatch.setattr(rules_meant, "MOST_MEMBERS", 3)
    assert entries([shows("noted", named(BOB, CAROL))]).keys() == {str(BOB), str(CAROL)}
    with pytest.raises(TooMuch):
        entries([shows("noted", named(BOB, CAROL, ERIN))])


def test_a_rule_that_can_match_some_addresses_only_is_kept_with_them() -> None:
    assert rules_meant._ones(Rule("a", (named(BOB),))) == {BOB}
    assert rules_meant._ones(Rule("a", (Identity((One(None), One(BOB))), BELOW))) == {BOB}
    mixed = Rule("a", (Identity((One(BOB), Many("ally.example"))),))
    assert rules_meant._ones(mixed) is rules_meant._ones(Rule("a", (BELOW,))) is None
    mixed = shows("noted", Identity((One(BOB), Many("ally.example"))))
    assert entries([mixed]) == {"ally.example": ("noted", None), str(BOB): ("noted", None)}


# -- what changes with time ------------------------------------------------------------------------------------------


def test_what_is_shown_always_has_no_end_although_an_entry_of_the_file_has() -> None:
    rules = [shows("seen", but())]
    assert entries(rules, [filed(str(BOB), "noted", 10)]) == {
        "everyone": ("seen", None),
        str(BOB): ("seen", None),
    }


def test_an_entry_ends_where_what_counts_without_it_is_meant() -> None:
    """The rules show more until then, of which no level shows more than the one that comes after."""
    moody = Rule("m", (named(BOB), during(-5, 10)), grant_for(BY_FIELDS["seen"] | {Field.MOOD}), 5)
    found = entries([shows("seen", but()), moody], [filed(str(BOB), "noted", 10)])
    assert found == {"everyone": ("seen", None), str(BOB): ("seen", 10)}


def test_who_is_refused_by_name_until_then_is_not_refused_by_name_after() -> None:
    refusal = Rule("b", (named(BOB), during(-5, 10)), BLOCK, 2)
    assert entries([refusal], default="empty", levels=WITH_EMPTY) == {str(BOB): ("blocked", 10)}
    assert entries([refusal]) == {str(BOB): ("blocked", None)}


def test_what_shows_less_later_than_an_entry_can_say_ends_there_and_is_told() -> None:
    rules = [shows("noted", named(BOB), during(-5, 10)), shows("titled", named(BOB), during(10, 20))]
    assert entries(rules) == {str(BOB): ("noted", 10)}
    (remark,) = remarks(rules)
    assert (remark.line, remark.rule) == (3, "r") and "import them again" in remark.text


def test_an_entry_is_needed_until_what_is_meant_changes_although_it_is_not_at_first() -> None:
    rules = [shows("noted", named(BOB), during(-5, 20)), shows("titled", named(BOB), during(20, 9999))]
    assert entries(rules, [filed(str(BOB), "noted", 10)]) == {str(BOB): ("noted", 20)}


def test_where_more_would_count_at_any_time_later_the_entry_shows_what_is_always_shown() -> None:
    rules = [
        shows("seen", but(BOB)),
        shows("noted", named(BOB), during(-5, 10)),
        shows("titled", named(BOB), during(10, 20)),
    ]
    assert entries(rules)[str(BOB)] == ("blocked", None)
    assert entries(rules, levels=WITH_EMPTY)[str(BOB)] == ("empty", None)
    told = [one.text for one in remarks(rules)]
    assert [text for text in told if "would count then shows more" in text and str(BOB) in text]
    assert not [text for text in told if "import them again" in text]


def test_where_more_would_count_for_some_networks_only_it_is_the_same() -> None:
    rules = [
        shows("noted", Reach(below="ally.example", outside=True)),
        shows("titled", BELOW, during(-5, 10)),
        shows("noted", BELOW, Reach("federation"), during(10, 9999)),
    ]
    found = entries(rules)
    assert found["everyone"] == ("noted", None) and found["*.ally.example"] == ("blocked", None)
    assert [one for one in remarks(rules) if "would count then shows more" in one.text]


# -- entries of the file ---------------------------------------------------------------------------------------------


def test_an_entry_of_the_file_that_shows_more_is_told_without_a_line_where_no_rule_says_anything() -> None:
    stronger = {**WITH_EMPTY, "filed": AccessLevel("filed", BY_FIELDS["noted"], CUSTOM_RANK + 10)}
    told = remarks([], [filed(str(BOB), "filed")], levels=stronger)
    (remark,) = [one for one in told if "configuration file" in one.text]
    assert (remark.line, remark.rule) == (0, "")
    assert remark.text.startswith(f"the rules for {BOB}: ")
    assert not [one for one in remarks([shows("noted", but())], [filed(str(BOB), "seen")]) if "file" in one.text]


def test_an_entry_of_the_file_that_shows_more_to_some_networks_only_is_told() -> None:
    stronger = {**LEVELS, "filed": AccessLevel("filed", BY_FIELDS["noted"], CUSTOM_RANK + 10)}
    rules = [shows("seen", BELOW), shows("both", BELOW, Reach("federation"))]
    told = remarks(rules, [filed("*.ally.example", "filed")], levels=stronger)
    assert [one for one in told if "configuration file" in one.text and "*.ally.example" in one.text]
    everywhere = [shows("both", BELOW)]
    told = remarks(everywhere, [filed("*.ally.example", "filed")], levels=stronger)
    assert not [one for one in told if "configuration file" in one.text]


# -- who is blocked --------------------------------------------------------------------------------------------------


def hushed(rules: Sequence[Rule], standing: Sequence[Assignment] = (), default: str = "noted") -> str:
    (remark,) = [one for one in remarks(rules, standing, default) if "refuses messages" in one.text]
    assert (remark.line, remark.rule) == (0, "")
    return remark.text.removeprefix("they grant ").partition(" nothing, so it is blocked for him")[0]


def test_who_is_blocked_because_nothing_names_him_is_told_once() -> None:
    rules = [shows("noted", named(BOB)), Rule("b", (named(CAROL), during(-5, 10)), BLOCK, 2)]
    assert entries(rules, default="noted") == {
        "everyone": ("blocked", None),
        str(BOB): ("noted", None),
        str(CAROL): ("blocked", None),
    }
    assert hushed(rules) == "everyone"
    assert not [one for one in remarks([shows("noted", but())]) if "refuses messages" in one.text]


def test_who_is_refused_in_one_network_is_refused_by_name() -> None:
    rules = [Rule("b", (BELOW, Reach("public_cloud")), BLOCK, 2)]
    standing = [filed("*.ally.example", "noted")]
    found = entries(rules, standing, "noted", WITH_EMPTY)
    assert found["*.ally.example"] == ("blocked", None)
    assert hushed(rules, standing) == "everyone"


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (4, "everyone, d0.example, d1.example, d2.example, d3.example"),
        (5, "everyone, d0.example, d1.example, d2.example, d3.example and 1 more"),
        (7, "everyone, d0.example, d1.example, d2.example, d3.example and 3 more"),
    ],
)
def test_five_are_listed_and_the_others_counted(count: int, shown: str) -> None:
    assert hushed([], [filed(f"d{number}.example", "noted") for number in range(count)]) == shown


# -- what no level shows ---------------------------------------------------------------------------------------------


def test_what_no_level_shows_is_told_with_the_line_of_the_rule_that_shows_it() -> None:
    moody = Rule("m", (named(BOB),), grant_for(BY_FIELDS["seen"] | {Field.MOOD}), 7)
    rules = [shows("noted", named(CAROL)), shows("noted", named(BOB), during(-9, -5), id="over", line=4), moody]
    (remark,) = remarks(rules)
    assert (remark.line, remark.rule) == (7, "m")
    assert remark.text == (
        f"no level shows {BOB} exactly these fields; the nearest that shows no more is seen, without mood; "
        'for all of them define [levels.imported-1] fields = ["availability", "mood"]'
    )


def test_every_network_of_a_member_counts() -> None:
    rules = [shows("noted", BELOW, Reach(one.value)) for one in Network if one is not Network.ENTERPRISE]
    assert entries([*rules, shows("seen", BELOW)])["*.ally.example"] == ("seen", None)
