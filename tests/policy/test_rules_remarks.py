"""What presence rules say that no level can is told once, with its line, and nothing else is."""

import pytest
from attrs import evolve

from gateway.model.rule_set import Attribute, Grant, Remark, Rule, RuleSet, Selection, Sphere, SubHandling, UserInput
from gateway.policy.presence_rules import CIPID, SHOW
from gateway.policy.rules_remarks import inexpressible

ALLOW = SubHandling.ALLOW
LINES = {
    "sub-handling": 4,
    "sphere": 3,
    "provide-sphere": 7,
    "provide-user-input": 8,
    "services occurrence-id": 11,
    "services service-uri": 12,
    "services class": 13,
    "services service-uri-scheme": 14,
    "persons class": 15,
    "persons occurrence-id": 16,
    "provide-devices": 17,
    "{urn:x}y": 18,
    f"{{{CIPID}}}card": 19,
}


def words(*found: str) -> frozenset[str]:
    return frozenset(found)


def told(grant: Grant, *conditions: object, lines: dict[str, int] = LINES, handled: bool = True) -> list[str]:
    rule = Rule("r", conditions, grant, 2, lines, handled)  # type: ignore[arg-type]
    return [f"{remark.line} {remark.text}" for remark in inexpressible(RuleSet((rule,)))]


def allowing(**changes: object) -> Grant:
    return evolve(Grant(ALLOW), **changes)


@pytest.mark.parametrize(
    ("grant", "line", "begin", "mentions"),
    [
        (allowing(attributes=frozenset({Attribute.SPHERE})), 7, "<provide-sphere> ", "nobody sees it"),
        (allowing(user_input=UserInput.BARE), 8, "<provide-user-input> ", "bare"),
        (allowing(services=Selection(ids=words("t1"))), 11, "<occurrence-id> ", "one service"),
        (allowing(services=Selection(uris=words("sip:a@corp.example"))), 12, "<service-uri> ", "one service"),
        (allowing(services=Selection(classes=words("family"))), 13, "<class> ", "none of the classes"),
        (allowing(services=Selection(schemes=words("https"))), 14, "<service-uri-scheme> ", "nothing here says"),
        (allowing(services=Selection(schemes=words("xmpp"))), 14, "<service-uri-scheme> ", "sip only"),
        (allowing(persons=Selection(classes=words("work"))), 15, "<class> ", "one description of a person"),
        (allowing(persons=Selection(ids=words("p1"))), 16, "<occurrence-id> ", "one description of a person"),
        (allowing(devices=Selection(True)), 17, "<provide-devices> ", "of a device"),
        (allowing(unknown=frozenset({("urn:x", "y")})), 18, "the attribute y of urn:x ", "nobody sees it"),
        (allowing(unknown=frozenset({(CIPID, "card")})), 19, f"the attribute card of {CIPID} ", "links to a card"),
    ],
)
def test_each_is_told_with_its_line(grant: Grant, line: int, begin: str, mentions: str) -> None:
    (text,) = told(grant)
    assert text.startswith(f"{line} {begin}") and mentions in text
    assert told(grant, lines={}) == ["2 " + text.partition(" ")[2]], "without a line of its own it has the rule's"


@pytest.mark.parametrize(
    "services",
    [
        Selection(schemes=words("sip")),
        Selection(schemes=words("sip", "sips", "pres", "im", "xmpp")),
        Selection(schemes=words("tel", "mailto")),
        Selection(classes=words("work", "mobile", "home", "other")),
        Selection(True, words("family"), words("t1"), words("sip:a@corp.example"), words("xmpp", "https")),
        Selection(),
    ],
)
def test_what_a_level_can_say_is_not_told(services: Selection) -> None:
    assert told(allowing(services=services)) == []


def test_where_everything_is_granted_single_ones_are_nothing_to_tell() -> None:
    persons = Selection(True, words("work"), words("p1"))
    assert told(allowing(persons=persons, unknown=frozenset({SHOW, (CIPID, "homepage")}))) == []
    assert told(allowing(attributes=frozenset({Attribute.MOOD}), user_input=UserInput.THRESHOLDS)) == []


def test_long_names_are_cut() -> None:
    (text,) = told(allowing(unknown=frozenset({("n" * 100, "a" * 100)})))
    assert text.startswith(f"2 the attribute {'a' * 80} of {'n' * 80} ")


def test_a_refusal_and_a_question_are_told_where_the_rule_says_them() -> None:
    (block,), (confirm,) = told(Grant(SubHandling.BLOCK)), told(Grant(SubHandling.CONFIRM))
    assert block.startswith("4 <sub-handling> block") and confirm.startswith("4 <sub-handling> confirm")
    assert told(Grant(SubHandling.BLOCK), handled=False) == told(Grant(SubHandling.CONFIRM), handled=False) == []
    assert told(Grant(SubHandling.POLITE_BLOCK)) == told(Grant(ALLOW)) == []
    (sphere,) = told(Grant(ALLOW), Sphere(words("work")))
    assert sphere.startswith("3 <sphere> ")


@pytest.mark.parametrize("handling", [SubHandling.BLOCK, SubHandling.CONFIRM, SubHandling.POLITE_BLOCK])
@pytest.mark.parametrize("name", ["sub-handling", "identity", "one", "many", "validity", "sphere"])
def test_of_a_rule_that_allows_nothing_its_permissions_are_told_only_if_it_has_any(
    handling: SubHandling, name: str
) -> None:
    grant = Grant(handling, attributes=frozenset({Attribute.SPHERE}))
    assert not [text for text in told(grant, lines={name: 4}, handled=False) if "provide-sphere" in text]
    with_permission = {name: 4, "provide-sphere": 7}
    assert told(grant, lines=with_permission, handled=False) == ["7 <provide-sphere> no field says it: nobody sees it"]


def test_remarks_stand_in_the_order_of_the_lines_those_of_the_reading_among_them() -> None:
    rule = Rule("r", (), allowing(devices=Selection(True), attributes=frozenset({Attribute.SPHERE})), 2, LINES)
    found = inexpressible(RuleSet((rule,), (Remark(9, "r", "not read"),)))
    assert [(remark.line, remark.rule) for remark in found] == [(7, "r"), (9, "r"), (17, "r")]
