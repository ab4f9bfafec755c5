"""What is read of documents of presence rules, and what of them grants nothing (RFC 4745, RFC 5025)."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.address import Address
from gateway.model.rule_set import Attribute, Identity, Many, One, SubHandling, Unknown, UserInput, Validity
from gateway.protocols.pres_rules import Holding, kamailio_rules, read_rules
from gateway.protocols.xml_document import DocumentError
from tests.protocols.pres_rules.rule_documents import BOB, rule, ruleset

BOB_AT = Address.parse("bob@partner.example")
EXAMPLE = Path(__file__).with_name("rfc5025_example.xml").read_bytes()


def test_the_example_of_rfc_5025() -> None:
    found = read_rules(EXAMPLE)
    (one,) = found.rules
    assert (one.id, one.line, found.remarks) == ("a", 4, ())
    assert one.conditions == (Identity((One(Address.parse("user@example.com")),)),)
    assert one.grant.handling is SubHandling.ALLOW
    assert one.grant.services.schemes == {"sip", "mailto"} and not one.grant.services.everything
    assert one.grant.persons.everything
    assert one.grant.attributes == {Attribute.ACTIVITIES}
    assert one.grant.user_input is UserInput.BARE
    assert one.grant.unknown == {("urn:vendor-specific:foo-namespace", "foo")}


@pytest.mark.parametrize("scheme", ["sip", "sips", "SIP", "pres", "im", "xmpp"])
def test_an_identity_is_one_address_whatever_its_scheme(scheme: str) -> None:
    found = read_rules(ruleset(rule(f"<identity><one id='{scheme}:Bob@Partner.Example'/></identity>")))
    assert found.rules[0].conditions == (Identity((One(BOB_AT),)),)


@pytest.mark.parametrize(
    "identity", ["tel:+12025550100", "bob@partner.example", "sip:partner.example", "xmpp:bob@partner.example/desk", ""]
)
def test_an_identity_that_no_contact_can_have_matches_nobody(identity: str) -> None:
    found = read_rules(ruleset(rule(f"<identity><one id='{identity}'/></identity>")))
    assert found.rules[0].conditions == (Identity((One(None),)),)
    assert [(remark.line, remark.rule) for remark in found.remarks] == [(3, "r")]


def test_everybody_but_some() -> None:
    excepted = "<except domain='BAD.example'/><except id='sip:bob@partner.example'/>"
    found = read_rules(ruleset(rule(f"<identity><many>{excepted}</many><many domain='ally.example.'/></identity>")))
    assert found.rules[0].conditions == (
        Identity((Many("", frozenset({BOB_AT}), frozenset({"bad.example"})), Many("ally.example"))),
    )


@pytest.mark.parametrize("excepted", ["<except id='bob'/>", "<except/>", "<except domain='a b'/>"])
def test_an_exception_that_cannot_be_read_lets_nobody_in(excepted: str) -> None:
    found = read_rules(ruleset(rule(f"<identity><many>{excepted}</many></identity>")))
    assert found.rules[0].conditions == (Unknown("identity"),)
    assert "grants nothing" in found.remarks[0].text


def test_an_exception_for_a_telephone_leaves_nobody_out() -> None:
    found = read_rules(ruleset(rule("<identity><many><except id='tel:+12025550100'/></many></identity>")))
    assert found.rules[0].conditions == (Identity((Many(),)),)
    assert "leaves out nobody" in found.remarks[0].text


@pytest.mark.parametrize(
    "restricted",
    ["<one id='sip:bob@partner.example'><x:only/></one>", "<many><x:only/></many>", "<x:other-identity/>"],
)
def test_a_restriction_that_is_not_understood_matches_nobody(restricted: str) -> None:
    found = read_rules(ruleset(rule(f"<identity>{restricted}</identity>")))
    (condition,) = found.rules[0].conditions
    assert isinstance(condition, Identity) and all(one == One(None) for one in condition.members)
    assert len(found.remarks) == 1


def test_a_namespace_makes_another_condition() -> None:
    found = read_rules(ruleset(rule(f"{BOB}<x:validity/>")))
    assert found.rules[0].conditions[1] == Unknown("validity")


def test_validity_is_in_pairs_with_offsets() -> None:
    spans = (
        "<from>2027-01-01T00:00:00Z</from><until>2027-01-01T01:00:00+01:00</until>"
        "<from>2027-01-02T00:00:00.5Z</from><until>2027-01-03T00:00:00.5Z</until>"
    )
    found = read_rules(ruleset(rule(f"<validity>{spans}</validity>")))
    assert found.rules[0].conditions == (Validity(((1798761600.0, 1798761600.0), (1798848001.0, 1798934400.0))),), (
        "nothing is valid for longer than it says"
    )


@pytest.mark.parametrize(
    "broken",
    [
        "<from>2027-01-01T00:00:00Z</from>",
        "<until>2027-01-01T00:00:00Z</until><from>2027-01-01T00:00:00Z</from>",
        "<from>2027-01-01T00:00:00</from><until>2027-01-02T00:00:00</until>",
        "<from>2027-01-01T00:00:00Z</from><x:until>2027-01-02T00:00:00Z</x:until>",
    ],
)
def test_a_validity_that_cannot_be_read_never_holds(broken: str) -> None:
    found = read_rules(ruleset(rule(f"{BOB}<validity>{broken}</validity>")))
    assert found.rules[0].conditions[1] == Unknown("validity")


@pytest.mark.parametrize(
    "said",
    [
        "<pr:provide-mood>TRUE</pr:provide-mood>",
        "<pr:provide-mood/>",
        "<pr:provide-smell>true</pr:provide-smell>",
        "<x:provide-mood>true</x:provide-mood>",
        "<pr:provide-user-input>all</pr:provide-user-input>",
        "<pr:provide-services><x:all-services/></pr:provide-services>",
        "<pr:provide-persons><pr:all-services/></pr:provide-persons>",
        "<pr:provide-all-attributes>no</pr:provide-all-attributes>",
        "<pr:provide-unknown-attribute ns='urn:example:gateway:rules' name='shoe'>true</pr:provide-unknown-attribute>",
    ],
)
def test_what_is_not_understood_grants_nothing_and_is_told(said: str) -> None:
    found = read_rules(ruleset(rule(transformations=said)))
    assert found.rules[0].grant == read_rules(ruleset(rule(transformations=""))).rules[0].grant
    assert [remark.line for remark in found.remarks] == [5]


def test_sub_handling_that_is_not_understood_is_block() -> None:
    found = read_rules(ruleset(rule(handling="maybe")))
    assert found.rules[0].grant.handling is SubHandling.BLOCK
    assert [remark.line for remark in found.remarks] == [4]


@pytest.mark.parametrize(
    "body",
    [
        b"<ruleset/>",
        b"",
        b"<!DOCTYPE ruleset><ruleset xmlns='urn:ietf:params:xml:ns:common-policy'/>",
        ruleset("<rule/>" * 4001),
    ],
)
def test_what_is_no_set_of_rules_is_refused(body: bytes) -> None:
    with pytest.raises(DocumentError):
        read_rules(body)


@given(st.lists(st.tuples(st.sampled_from(["bob", "o'neil", "a&b", "zoé", "sl/ash"]), st.booleans()), max_size=4))
def test_the_form_for_kamailio_is_one_rule_a_contact_with_everything_said(people: list[tuple[str, bool]]) -> None:
    holdings = []
    for name, everything in people:
        local = name.replace("/", r"\2f").replace("'", r"\27").replace("&", r"\26")
        holdings.append(Holding(Address.of(local, "partner.example"), everything))
    found = read_rules(kamailio_rules(holdings))
    assert found.remarks == ()
    for one, each in zip(found.rules, holdings, strict=True):
        assert one.conditions == (Identity((One(each.contact),)),)
        assert (one.grant.handling is SubHandling.ALLOW) is each.everything
        assert {f"provide-{attribute.value}" for attribute in Attribute} <= one.lines.keys()
        assert {"provide-services", "provide-persons", "provide-devices", "provide-user-input"} <= one.lines.keys()
        assert one.grant.all_attributes is each.everything and one.grant.services.everything is each.everything
