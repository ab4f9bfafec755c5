"""The traps of RFC 4745 and RFC 5025, one after the other: what is granted, and which level that is."""

import pytest

from gateway.model.address import Address
from gateway.model.presence import Field
from gateway.model.rule_set import RuleSet, SubHandling, Watcher
from gateway.policy.access_level import STANDARD, AccessLevel, Assignment, Member
from gateway.policy.presence_rules import fields_granted, granted
from gateway.policy.published_info import fields_of
from gateway.protocols.pres_rules import read_rules
from tests.policy.rule_samples import ALICE, NOW, meant
from tests.protocols.pres_rules.rule_documents import ALL, BOB, rule, ruleset

BOB_AT, CAROL = Address.parse("bob@partner.example"), Address.parse("carol@partner.example")
EVE = Address.parse("eve@stranger.example")
EVERYTHING = frozenset(Field)
PERSONS = "<pr:provide-persons><pr:all-persons/></pr:provide-persons>"
SIP = "<pr:provide-services><pr:service-uri-scheme>sip</pr:service-uri-scheme></pr:provide-services>"


def seen(document: bytes, contact: Address = BOB_AT, now: float = NOW, sphere: str | None = None) -> frozenset[Field]:
    """The fields that a contact is granted."""
    return fields_granted(granted(read_rules(document).rules, Watcher(contact), now, sphere))


def given(document: bytes, **beside: object) -> dict[str, tuple[str, float | None]]:
    """The entries that a document means."""
    found = meant(read_rules(document), **beside)  # type: ignore[arg-type]
    return {str(entry.member): (entry.level, entry.until) for entry in found.entries}


def told(document: bytes, **beside: object) -> list[tuple[int, str]]:
    """What cannot be expressed, by line."""
    return [(remark.line, remark.text) for remark in meant(read_rules(document), **beside).remarks]  # type: ignore[arg-type]


def test_a01_without_a_rule_nothing_is_granted() -> None:
    assert seen(ruleset()) == frozenset()
    assert given(ruleset()) == {}
    assert given(ruleset(), default="company") == {"everyone": ("blocked", None)}


def test_a01_conditions_are_joined_by_and_members_of_an_identity_by_or() -> None:
    both = f"{BOB}<identity><one id='sip:carol@partner.example'/></identity>"
    assert seen(ruleset(rule(both))) == frozenset()
    either = "<identity><one id='sip:bob@partner.example'/><one id='sip:carol@partner.example'/></identity>"
    assert seen(ruleset(rule(either))) == seen(ruleset(rule(either)), CAROL) == EVERYTHING
    assert seen(ruleset(rule(either)), EVE) == frozenset()


@pytest.mark.parametrize("unknown", ["<x:weather/>", "<weather/>", "<pr:identity/>"])
def test_a01_an_unknown_condition_is_false(unknown: str) -> None:
    document = ruleset(rule(BOB + unknown))
    assert seen(document) == frozenset()
    assert given(document) == {}
    assert [line for line, _ in told(document)] == [3]


def test_a01_a_rule_without_conditions_is_for_everybody() -> None:
    assert seen(ruleset(rule(""))) == seen(ruleset(rule("<identity><many/></identity>")), EVE) == EVERYTHING
    assert given(ruleset(rule(""))) == {"everyone": ("personal", None)}


def test_a01_an_exception_counts_in_its_own_rule_only() -> None:
    many = "<identity><many domain='partner.example'><except id='sip:bob@partner.example'/></many></identity>"
    assert seen(ruleset(rule(many))) == frozenset()
    assert seen(ruleset(rule(many)), CAROL) == EVERYTHING
    assert given(ruleset(rule(many))) == {
        "partner.example": ("personal", None),
        "bob@partner.example": ("blocked", None),
    }
    assert given(ruleset(rule(many), rule())) == {"partner.example": ("personal", None)}


def test_a01_a_domain_is_not_the_domains_below_it() -> None:
    document = ruleset(rule("<identity><many domain='partner.example'/></identity>"))
    assert seen(document, Address.parse("bob@sub.partner.example")) == frozenset()
    assert seen(document, Address.parse("bob@PARTNER.example")) == EVERYTHING


def test_a02_validity_begins_and_ends() -> None:
    spans = "<from>2027-01-15T08:00:00Z</from><until>2027-01-15T08:00:10Z</until>"
    document = ruleset(rule(f"{BOB}<validity>{spans}</validity>"))
    assert [bool(seen(document, now=NOW + at)) for at in (-1, 0, 9, 10)] == [False, True, True, False]
    assert given(document) == {"bob@partner.example": ("personal", NOW + 10)}
    assert not any("import them again" in text for _, text in told(document))


def test_a02_what_begins_later_is_told() -> None:
    spans = "<from>2027-01-15T09:00:00Z</from><until>2027-01-15T10:00:00Z</until>"
    document = ruleset(rule(f"{BOB}<validity>{spans}</validity>"))
    assert given(document) == {}
    assert any("import them again" in text and line == 3 for line, text in told(document))


def test_a02_an_entry_does_not_end_where_more_would_count_then() -> None:
    spans = "<from>2027-01-15T08:00:00Z</from><until>2027-01-15T08:00:10Z</until>"
    but_bob = "<identity><many><except id='sip:bob@partner.example'/></many></identity>"
    document = ruleset(rule(f"{BOB}<validity>{spans}</validity>"), rule(but_bob))
    assert given(document) == {"everyone": ("personal", None), "bob@partner.example": ("blocked", None)}
    assert any("would count then shows more" in text for _, text in told(document))


def test_a02_a_sphere_is_not_known_here() -> None:
    document = ruleset(rule(f"{BOB}<sphere value='Work home'/>"))
    assert seen(document) == seen(document, sphere="away") == frozenset()
    assert seen(document, sphere="WORK") == EVERYTHING
    assert told(document) == [(3, "<sphere> depends on what is not known here: the rule grants nothing")]


def test_a03_rules_add_up_and_a_block_takes_nothing_away() -> None:
    mood = rule("<identity><many/></identity>", PERSONS + SIP + "<pr:provide-mood>true</pr:provide-mood>")
    note = rule(BOB, "<pr:provide-note>true</pr:provide-note>", "block")
    assert seen(ruleset(mood, note)) == {Field.AVAILABILITY, Field.MOOD, Field.NOTE}
    assert seen(ruleset(mood, note), EVE) == {Field.AVAILABILITY, Field.MOOD}
    only_false = rule(BOB, "<pr:provide-mood>false</pr:provide-mood>")
    assert Field.MOOD in seen(ruleset(mood, only_false))


@pytest.mark.parametrize(
    ("handling", "level"), [("block", "blocked"), ("polite-block", "blocked"), ("confirm", None), ("allow", "personal")]
)
def test_a04_sub_handling(handling: str, level: str | None) -> None:
    document = ruleset(rule(handling=handling))
    assert seen(document) == (EVERYTHING if handling == "allow" else frozenset())
    assert given(document) == ({"bob@partner.example": (level, None)} if level else {})
    assert bool([line for line, _ in told(document) if line == 4]) is (handling in ("block", "confirm"))


def test_a04_the_larger_value_wins() -> None:
    for lower in ("block", "confirm", "polite-block", ""):
        found = read_rules(ruleset(rule(handling=lower), rule(handling="allow"))).rules
        assert granted(found, Watcher(BOB_AT), NOW).handling is SubHandling.ALLOW


@pytest.mark.parametrize(
    ("said", "fields"),
    [
        ("<pr:provide-activities>true</pr:provide-activities>", {Field.ACTIVITY, Field.SHOW}),
        ("<pr:provide-note>1</pr:provide-note>", {Field.NOTE}),
        ("<pr:provide-place-type>true</pr:provide-place-type>", {Field.LOCATION}),
        ("<pr:provide-time-offset>true</pr:provide-time-offset>", {Field.TIME_ZONE}),
        ("<pr:provide-class>true</pr:provide-class>", {Field.DEVICE}),
        ("<pr:provide-user-input>bare</pr:provide-user-input>", set()),
        ("<pr:provide-user-input>thresholds</pr:provide-user-input>", {Field.IDLE}),
        ("<pr:provide-user-input>full</pr:provide-user-input>", {Field.IDLE, Field.LAST_ACTIVE}),
        ("<pr:provide-services><pr:class>work</pr:class></pr:provide-services>", {Field.PHONE_WORK}),
        ("<pr:provide-services><pr:class>Work</pr:class></pr:provide-services>", set()),
        ("<pr:provide-services><pr:occurrence-id>t1</pr:occurrence-id></pr:provide-services>", set()),
        ("<pr:provide-sphere>true</pr:provide-sphere>", set()),
        ("<pr:provide-devices><pr:all-devices/></pr:provide-devices>", set()),
    ],
)
def test_a05_each_permission_gives_its_fields_and_no_more(said: str, fields: set[Field]) -> None:
    document = ruleset(rule(transformations=PERSONS + SIP + said))
    assert seen(document) == {Field.AVAILABILITY, *fields}
    without = [text for line, text in told(document) if line == 5]
    assert bool(without) is not bool(fields), "what gives no field is told with its line"


def test_a05_without_persons_nothing_about_the_person_is_granted() -> None:
    attributes = "<pr:provide-mood>true</pr:provide-mood><pr:provide-all-attributes/>"
    assert seen(ruleset(rule(transformations=attributes))) == frozenset()
    one = "<pr:provide-persons><pr:occurrence-id>p</pr:occurrence-id></pr:provide-persons>"
    assert Field.MOOD not in seen(ruleset(rule(transformations=SIP + one + attributes)))


def test_a06_the_fields_of_a_grant_are_those_of_the_whole_document() -> None:
    """Selecting by class while the class is withheld is no trap: nothing is filtered twice, fields are not classes."""
    said = SIP + "<pr:provide-services><pr:class>work</pr:class></pr:provide-services>"
    document = ruleset(rule(transformations=said + "<pr:provide-class>false</pr:provide-class>"))
    assert seen(document) == {Field.AVAILABILITY, Field.PHONE_WORK}


def test_a07_what_no_permission_names_is_granted_by_all_attributes_only() -> None:
    every = [f"<pr:provide-{name}>true</pr:provide-{name}>" for name in ("activities", "mood", "note", "time-offset")]
    partly = seen(ruleset(rule(transformations=PERSONS + SIP + "".join(every))))
    assert not partly & {Field.DISPLAY_NAME, Field.TITLE, Field.PHOTO, Field.CAPABILITIES, Field.EMAIL, Field.URL}
    assert seen(ruleset(rule(transformations=ALL))) == EVERYTHING


def test_a07_an_unknown_attribute_is_told_and_lets_nothing_out() -> None:
    said = "<pr:provide-unknown-attribute ns='urn:x' name='y'>true</pr:provide-unknown-attribute>"
    document = ruleset(rule(transformations=PERSONS + SIP + said))
    assert seen(document) == {Field.AVAILABILITY}
    assert any(line == 5 and "urn:x" in text for line, text in told(document))


def test_the_nearest_level_shows_no_more_and_the_rest_is_told_with_a_level_to_define() -> None:
    document = ruleset(rule(transformations=PERSONS + SIP + "<pr:provide-mood>true</pr:provide-mood>"))
    assert given(document) == {}
    ((line, text),) = told(document)
    assert line == 2 and '[levels.imported-1] fields = ["availability", "mood"]' in text
    own = AccessLevel("moody", frozenset({Field.AVAILABILITY, Field.MOOD}), 50)
    assert given(document, levels={**STANDARD, "moody": own}) == {"bob@partner.example": ("moody", None)}


@pytest.mark.parametrize("level", ["public", "company", "team", "personal"])
def test_the_fields_of_a_standard_level_are_that_level(level: str) -> None:
    named = "".join(
        f"<pr:provide-unknown-attribute ns='urn:example:gateway:rules' name='{one.value}'>true"
        "</pr:provide-unknown-attribute>"
        for one in fields_of(level)
    )
    assert given(ruleset(rule(transformations=named))) == {"bob@partner.example": (level, None)}


def test_entries_for_everybody_do_not_widen_what_rules_mean() -> None:
    standing = [
        Assignment("", Member.parse("carol@partner.example"), "team"),
        Assignment("", Member.parse("*.ally.example"), "team"),
        Assignment("", Member.parse("public_cloud"), "company"),
    ]
    assert given(ruleset(rule()), standing=standing) == {
        "public_cloud": ("blocked", None),
        "*.ally.example": ("blocked", None),
        "carol@partner.example": ("blocked", None),
        "bob@partner.example": ("personal", None),
    }


def test_an_entry_of_the_file_for_the_same_person_is_told_when_it_shows_more() -> None:
    filed = [Assignment(str(ALICE), Member.parse("bob@partner.example"), "personal")]
    levels = {**STANDARD, "seen": AccessLevel("seen", frozenset({Field.AVAILABILITY}), 50)}
    document = ruleset(rule(transformations=SIP))
    assert given(document, standing=filed, levels=levels) == {"bob@partner.example": ("seen", None)}
    assert any("configuration file" in text for _, text in told(document, standing=filed, levels=levels))


def test_a_set_of_rules_that_changes_too_often_is_refused() -> None:
    from gateway.model.rule_set import Rule, Validity
    from gateway.policy.rules_meant import TooMuch

    spans = tuple((NOW + number, NOW + number + 0.5) for number in range(60))
    with pytest.raises(TooMuch):
        meant(RuleSet((Rule("a", (Validity(spans),)),)))
