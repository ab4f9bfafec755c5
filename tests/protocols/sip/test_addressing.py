"""RFC 7247 section 5: addresses and SIP URIs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import AddressError
from gateway.model.address import Address
from gateway.protocols.sip.addressing import Untranslatable, address_of, uri_of
from gateway.protocols.sip.uri import SipUri

REFERENCE = [  # reference/protocols.md 5.3, from RFC 7247 sections 5 and 6
    ("sip:f%C3%BC@sip.example", "fü@sip.example"),
    ("sip:o'malley@sip.example", r"o\27malley@sip.example"),
    ("sip:foo@sip.example;gr=bar", "foo@sip.example/bar"),
    ("sip:m&m@xmpp.example", r"m\26m@xmpp.example"),
    ("sip:tsch%C3%BCss@xmpp.example", "tschüss@xmpp.example"),
    ("sip:baz@xmpp.example;gr=qux", "baz@xmpp.example/qux"),
]
MORE = [
    ("sip:a%20b%22c&d'e/f%3Ag%3Ch%3Ei%40j@h.example", r"a\20b\22c\26d\27e\2ff\3ag\3ch\3ei\40j@h.example"),
    ("sip:a%5Cb@h.example", r"a\b@h.example"),
    ("sip:a%5C20b@h.example", r"a\5c20b@h.example"),
    ("sip:%23%25%5B%5D%5E%7B%7C%7D%60!$()*+,-.;=?_~@h.example", r"#%[]^{|}`!$()*+,-.;=?_~@h.example"),
    ("sip:h.example", "h.example"),
    ("sip:alice@[2001:db8::1]", "alice@[2001:db8::1]"),
    ("sip:alice@xn--bcher-kva.example", "alice@bücher.example"),
    ("sip:%20a%20@h.example", r"\20a\20@h.example"),
    ("sip:a@h.example;gr=My%20desk%3B%3Ex%3D%C3%BC", "a@h.example/My desk;>x=ü"),
    ("sip:+12125550101@h.example", "+12125550101@h.example"),
]


@pytest.mark.parametrize(("uri", "address"), [*REFERENCE, *MORE])
def test_both_ways(uri: str, address: str) -> None:
    assert address_of(SipUri.parse(uri)) == address
    assert str(uri_of(Address.parse(address))) == uri


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("sip:Bob:secret@Partner.example:5060;transport=tls;user=phone?Subject=x", "bob@partner.example"),
        ("im:bob@partner.example", "bob@partner.example"),
        ("pres:bob@partner.example", "bob@partner.example"),
        ("sip:bob@partner.example.", "bob@partner.example"),
        ("sip:%62ob@partner.example", "bob@partner.example"),
    ],
)
def test_what_an_address_cannot_say_is_dropped(uri: str, address: str) -> None:
    assert address_of(SipUri.parse(uri)) == address


@pytest.mark.parametrize(
    ("uri", "status"),
    [
        ("sips:bob@partner.example", 416),
        ("tel:+12125550101", 416),
        ("urn:service:sos", 416),
        ("sip:bob@partner.example;gr", 404),
        ("sip:bo%00b@partner.example", 404),
        ("sip:bo%0Ab@partner.example", 404),
        ("sip:bo%E2%99%9Ab@partner.example", 404),  # a chess king: PRECIS refuses symbols
        ("sip:bob@a_b.example", 404),
        ("sip:" + "a" * 1024 + "@partner.example", 404),
        ("sip:bob@partner.example;gr=%07", 404),
    ],
)
def test_what_has_no_address(uri: str, status: int) -> None:
    with pytest.raises(Untranslatable) as refusal:
        address_of(SipUri.parse(uri))
    assert refusal.value.status == status


def test_another_scheme() -> None:
    assert str(uri_of(Address.parse("fü(x).y@h.example"), "im")) == "im:f%C3%BC%28x%29%2Ey@h.example"


@pytest.mark.parametrize("local", [r"a\5cb", r"\5c", r"a\5c2"])
def test_an_escape_that_stands_for_nothing_has_no_uri(local: str) -> None:
    with pytest.raises(AddressError):
        uri_of(Address.of(local, "h.example"))


def is_local(text: str) -> bool:
    try:
        Address.of(text, "h.example")
    except AddressError:
        return False
    return True


LOCALS = st.text(
    st.sampled_from("abz019!#$%()*+,-.;=?[\\]^_`{|}~üß\u0434\u5927") | st.characters(categories=("Ll", "Lo", "Nd")),
    min_size=1,
).filter(is_local) | st.lists(
    st.sampled_from(
        ["a", "\\20", "\\22", "\\26", "\\27", "\\2f", "\\3a", "\\3c", "\\3e", "\\40", "\\5c20", "\\5c5c", "\\", "5c"]
    ),
    min_size=1,
    max_size=8,
).map("".join)


@given(LOCALS, st.sampled_from(["", "desk", "a b;c>d/é@f"]))
def test_the_way_there_and_back_is_the_identity(local: str, resource: str) -> None:
    address = Address.of(local, "h.example", resource)
    try:
        uri = uri_of(address)
    except AddressError:
        assert "\\5c" in local
        return
    assert address_of(SipUri.parse(str(uri))) == address


@given(st.text(max_size=20), st.sampled_from(["h.example", "::1", "a_b.example", "1.2.3.4"]), st.text(max_size=5))
def test_nothing_else_is_raised(user: str, host: str, resource: str) -> None:
    uri = SipUri("sip", user, host, parameters=(("gr", resource),))
    try:
        address = address_of(uri)
    except Untranslatable as refusal:
        assert refusal.status == 404
        return
    assert uri_of(address).host == host
