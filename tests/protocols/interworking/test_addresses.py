"""RFC 7247 sections 5 and 6: whose address is what on the other side, and what has none."""

import pytest

from gateway.model.address import Address
from gateway.protocols.sip.addressing import Untranslatable, address_of, uri_of
from gateway.protocols.sip.headers import NameAddr
from gateway.protocols.sip.uri import SipUri

from .bridge import JULIET, Bridge

# RFC 7247 section 6.4: what the SIP user is to XMPP; section 6.5: what the XMPP user is to SIP
SIP_USERS = [
    ("sip:f%C3%BC@sip.example", "fü@sip.example"),
    ("sip:o'malley@sip.example", r"o\27malley@sip.example"),
    ("sip:foo@sip.example;gr=bar", "foo@sip.example/bar"),
]
XMPP_USERS = [
    (r"m\26m@xmpp.example", "sip:m&m@xmpp.example"),
    ("tschüss@xmpp.example", "sip:tsch%C3%BCss@xmpp.example"),
    ("baz@xmpp.example/qux", "sip:baz@xmpp.example;gr=qux"),
]
# Table 1, besides letters and digits: what a SIP user part and an XMPP local part may hold as it is
SIP_PLAIN = "!$&'()*+,-./;=?_~"
XMPP_PLAIN = "!#$%()*+,-.;=?[\\]^_`{|}~"
ESCAPED = {"&": r"\26", "'": r"\27", "/": r"\2f"}
"""What SIP allows and XMPP does not (section 6.4, step 5)."""


@pytest.mark.parametrize(("uri", "jid"), SIP_USERS)
def test_a_sip_user_towards_xmpp_and_back(uri: str, jid: str) -> None:
    assert str(address_of(SipUri.parse(uri))) == jid
    assert str(uri_of(Address.parse(jid))) == uri


@pytest.mark.parametrize(("jid", "uri"), XMPP_USERS)
def test_an_xmpp_user_towards_sip_and_back(jid: str, uri: str) -> None:
    assert str(uri_of(Address.parse(jid))) == uri
    assert str(address_of(SipUri.parse(uri))) == jid


@pytest.mark.parametrize("character", SIP_PLAIN)
def test_table_1_what_sip_allows(character: str) -> None:
    address = address_of(SipUri.parse(f"sip:a{character}b@sip.example"))
    assert address.local == f"a{ESCAPED.get(character, character)}b"
    assert str(uri_of(address)) == f"sip:a{character}b@sip.example"


@pytest.mark.parametrize("character", XMPP_PLAIN)
def test_table_1_what_xmpp_allows(character: str) -> None:
    uri = str(uri_of(Address.of(f"a{character}b", "xmpp.example")))
    written = character if character in SIP_PLAIN else f"%{ord(character):02X}"
    assert uri == f"sip:a{written}b@xmpp.example"
    assert address_of(SipUri.parse(uri)).local == f"a{character}b"


def test_the_instance_stands_inside_the_angle_brackets() -> None:
    """The examples of RFC 7572 and RFC 8048 put it outside, where it would be a parameter of the header."""
    uri = uri_of(Address.parse("juliet@example.com/yn0cl4bnw0yr3vym"))
    written = f"<{uri}>;tag=12345"
    assert written == "<sip:juliet@example.com;gr=yn0cl4bnw0yr3vym>;tag=12345"
    read = NameAddr.parse(written)
    assert read.uri.parameter("gr") == "yn0cl4bnw0yr3vym" and read.parameter("gr") is None


def test_a_resource_cannot_break_out_of_its_header() -> None:
    uri = uri_of(Address.parse("juliet@example.com/a b>;tag=x,<c é"))
    assert not set(' <>,"') & set(str(uri))
    assert address_of(SipUri.parse(str(uri))) == "juliet@example.com/a b>;tag=x,<c é"


@pytest.mark.parametrize(
    ("uri", "status"),
    [
        ("sips:romeo@example.net", 416),  # section 8: must not be translated
        ("tel:+12125550101", 416),
        ("sip:romeo@example.net;gr", 404),  # a temporary GRUU
        ("sip:ro%00meo@example.net", 404),
    ],
)
def test_what_must_not_be_translated(uri: str, status: int) -> None:
    with pytest.raises(Untranslatable) as refusal:
        address_of(SipUri.parse(uri))
    assert refusal.value.status == status


@pytest.mark.parametrize("header", ["To", "Request-URI", "From"])
def test_sips_is_not_carried_on(header: str) -> None:
    uris = {"Request-URI": JULIET, "To": JULIET, "From": "sip:romeo@example.net"}
    uris[header] = uris[header].replace("sip:", "sips:")
    bridge = Bridge()
    said = bridge.hear(
        f"MESSAGE {uris['Request-URI']} SIP/2.0\nVia: SIP/2.0/TLS s2x.example.net;branch=z9hG4bK1\nMax-Forwards: 70\n"
        f"To: <{uris['To']}>\nFrom: <{uris['From']}>;tag=v\nCall-ID: c\nCSeq: 1 MESSAGE\n"
        "Content-Type: text/plain\nContent-Length: 2\n\nhi"
    )
    (answer,) = bridge.answered
    if header != "To":
        assert said == [] and answer.status in (403, 404, 416)
    else:  # nothing is made of To: the Request-URI says to whom
        assert answer.status in (202, 403, 404, 416)


def test_our_own_domains_are_not_gatewayed_to_themselves() -> None:
    bridge = Bridge()
    said = bridge.hear(
        "MESSAGE sip:mercutio@example.net SIP/2.0\nVia: SIP/2.0/TLS s2x.example.net;branch=z9hG4bK1\nMax-Forwards: 70\n"
        "To: <sip:mercutio@example.net>\nFrom: <sip:romeo@example.net>;tag=v\nCall-ID: c\nCSeq: 1 MESSAGE\n"
        "Content-Type: text/plain\nContent-Length: 2\n\nhi"
    )
    assert said == [] and [answer.status for answer in bridge.answered] == [403]
