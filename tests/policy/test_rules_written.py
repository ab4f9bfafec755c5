"""Levels as presence rules, rule by rule: whom each is for, when it holds, and what a server without ours shows."""

from gateway.model.address import Address
from gateway.model.presence import Field
from gateway.model.rule_set import Condition, Grant, Identity, Many, One, Reach, Rule, SubHandling, Validity
from gateway.policy.access_level import CUSTOM_RANK, STANDARD, AccessLevel, Assignment, Member, Network
from gateway.policy.members import Circle, Standing
from gateway.policy.presence_rules import grant_for
from gateway.policy.rules_written import EVER, Written, rules_for, withheld_from
from tests.policy.rule_samples import ALICE, NOW, network_of

BOB, CAROL = Address.parse("bob@partner.example"), Address.parse("carol@ally.example")
SEEN = AccessLevel("seen", frozenset({Field.AVAILABILITY}), CUSTOM_RANK)
NOTED = AccessLevel("noted", frozenset({Field.AVAILABILITY, Field.NOTE}), CUSTOM_RANK)
TITLED = AccessLevel("titled", frozenset({Field.AVAILABILITY, Field.TITLE}), CUSTOM_RANK)
LEVELS = {**STANDARD, "seen": SEEN, "noted": NOTED, "titled": TITLED}
GRANTS = {name: grant_for(LEVELS[name].fields) for name in ("seen", "noted", "titled")}
POLITE = Grant(SubHandling.POLITE_BLOCK)


def written(
    *given: tuple[str, str], default: str = "blocked", until: float | None = None, moments: tuple[float, ...] = (NOW,)
) -> Written:
    entries = tuple(Assignment(str(ALICE), Member.parse(who), level, until=until) for who, level in given)
    standing = Standing(entries, LEVELS, default)
    return rules_for(standing, Circle.of((entry.member for entry in entries), network_of), moments)


def conditions(found: Written) -> list[tuple[Condition, ...]]:
    return [rule.conditions for rule in found.rules]


def everybody(*addresses: Address, domains: tuple[str, ...] = ()) -> Identity:
    return Identity((Many("", frozenset(addresses), frozenset(domains)),))


def test_each_member_has_a_rule_for_him_and_nobody_more_specific() -> None:
    found = written(("bob@partner.example", "noted"), ("carol@ally.example", "seen"), ("partner.example", "seen"))
    assert found.rules == (
        Rule("r1", (everybody(CAROL, domains=("partner.example",)),), POLITE),
        Rule("r2", (Identity((Many("partner.example", frozenset({BOB})),)),), GRANTS["seen"]),
        Rule("r3", (Identity((One(CAROL),)),), GRANTS["seen"]),
        Rule("r4", (Identity((One(BOB),)),), GRANTS["noted"]),
    )
    assert found.remarks == ()


def test_domains_below_one_leave_out_what_is_named_inside_and_nothing_else() -> None:
    found = written(
        ("*.example", "seen"), ("*.ally.example", "noted"), ("carol@ally.example", "noted"), ("other.test", "noted")
    )
    wide = next(rule.conditions for rule in found.rules if Reach(below="example") in rule.conditions)
    assert wide == (everybody(CAROL), Reach(below="example"), Reach(below="ally.example", outside=True))
    narrow = next(rule.conditions for rule in found.rules if Reach(below="ally.example") in rule.conditions)
    assert narrow == (everybody(), Reach(below="ally.example"))


def test_classes_of_network_are_conditions_of_our_own_and_everyone_is_outside_of_them() -> None:
    found = written(("public_cloud", "seen"), ("*.ally.example", "noted"), ("everyone", "titled"))
    assert found.rules[:3] == (
        Rule(
            "r1",
            (everybody(), Reach("public_cloud", outside=True), Reach(below="ally.example", outside=True)),
            GRANTS["titled"],
        ),
        Rule(
            "r2",
            (everybody(), Reach("public_cloud"), Reach(below="ally.example", outside=True)),
            GRANTS["seen"],
        ),
        Rule("r3", (everybody(), Reach(below="ally.example")), GRANTS["noted"]),
    )


def test_a_server_without_our_conditions_shows_what_all_of_them_may_see_and_it_is_told() -> None:
    found = written(
        ("public_cloud", "noted"), ("*.ally.example", "noted"), ("everyone", "noted"), ("partner.example", "blocked")
    )
    assert found.rules[-1] == Rule("r5", (everybody(domains=("partner.example",)),), GRANTS["noted"])
    assert len(found.rules) == 5
    (remark,) = found.remarks
    assert remark.startswith("RFC 4745") and remark.endswith(": public_cloud, *.ally.example")
    only_network = written(("public_cloud", "noted"), ("everyone", "seen"), ("bob@partner.example", "blocked"))
    assert only_network.rules[-1] == Rule("r4", (everybody(BOB),), GRANTS["seen"])
    nothing = written(("public_cloud", "noted"), ("everyone", "blocked"))
    assert [rule.grant for rule in nothing.rules] == [POLITE, GRANTS["noted"]]


def test_fields_without_words_of_rfc_5025_are_told_by_name() -> None:
    assert written(("bob@partner.example", "noted")).remarks == ()
    both = written(("bob@partner.example", "titled"), ("*.ally.example", "titled"))
    first, second = both.remarks
    assert first.startswith("RFC 5025") and first.endswith(": title") and second.endswith(": *.ally.example")


def test_what_has_an_end_has_a_validity_and_what_follows_begins_there() -> None:
    end = NOW + 10
    found = written(("bob@partner.example", "noted"), until=end, moments=(NOW, end, NOW + 20))
    bob = Identity((One(BOB),))
    assert found.rules[1:] == (
        Rule("r2", (bob, Validity(((0.0, end),))), GRANTS["noted"]),
        Rule("r3", (bob, Validity(((end, EVER),))), POLITE),
    )
    floor = written(("*.ally.example", "noted"), ("everyone", "seen"), until=end, moments=(NOW, end))
    assert floor.rules[-1].conditions == (everybody(), Validity(((0.0, end),)))


def test_where_the_network_makes_a_difference_there_is_a_rule_for_each() -> None:
    """Those below a domain whose entry ends are found by their class of network then."""
    end = NOW + 10
    entries = (
        Assignment(str(ALICE), Member.parse("*.ally.example"), "noted", until=end),
        Assignment(str(ALICE), Member.parse("public_cloud"), "seen"),
    )
    circle = Circle.of((entry.member for entry in entries), network_of)
    found = rules_for(Standing(entries, LEVELS, "blocked"), circle, (NOW, end))
    below = [rule for rule in found.rules if Reach(below="ally.example") in rule.conditions]
    who, first, then = (everybody(), Reach(below="ally.example")), Validity(((0.0, end),)), Validity(((end, EVER),))
    cloud, others = Reach("public_cloud"), Reach("public_cloud", outside=True)
    assert [(rule.conditions, rule.grant) for rule in below] == [
        ((*who, cloud, first), GRANTS["noted"]),
        ((*who, cloud, then), GRANTS["seen"]),
        ((*who, others, first), GRANTS["noted"]),
        ((*who, others, then), POLITE),
    ]


def test_nobody_is_left_for_everyone_where_every_class_is_named() -> None:
    found = written(*((one.value, "seen") for one in Network), ("everyone", "noted"))
    assert [rule.grant for rule in found.rules] == [GRANTS["seen"]] * 4
    assert not any(Reach("public_cloud", outside=True) in each for each in conditions(found))


def test_what_a_level_withholds_is_told_of_what_documents_show() -> None:
    assert Field.NOTE in withheld_from(SEEN) and Field.AVAILABILITY not in withheld_from(SEEN)
    assert Field.TITLE not in withheld_from(SEEN), "no document of a SIP server shows it"
    everything = AccessLevel("all", frozenset(Field), CUSTOM_RANK)
    assert withheld_from(everything) == frozenset() != withheld_from(STANDARD["blocked"])
