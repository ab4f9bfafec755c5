"""XEP-0106: escaping of local parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import AddressError
from gateway.protocols.xmpp.stanzas.escaping import escape_address, escape_local, unescape_address, unescape_local

DOMAIN = "gateway.corp.example"

EXAMPLES = [  # XEP-0106 section 3
    ("space cadet", r"space\20cadet"),
    ('call me "ishmael"', r"call\20me\20\22ishmael\22"),
    ("at&t guy", r"at\26t\20guy"),
    ("d'artagnan", r"d\27artagnan"),
    ("/.fanboy", r"\2f.fanboy"),
    ("::foo::", r"\3a\3afoo\3a\3a"),
    ("<foo>", r"\3cfoo\3e"),
    ("user@host", r"user\40host"),
    (r"c:\net", r"c\3a\net"),
    (r"c:\\net", r"c\3a\\net"),
    (r"c:\cool stuff", r"c\3a\cool\20stuff"),
    (r"c:\5commas", r"c\3a\5c5commas"),
    (r"\3and\2is\5cool", r"\5c3and\2is\5c5cool"),
    (r"foo\bar", r"foo\bar"),
]


@pytest.mark.parametrize(("plain", "escaped"), EXAMPLES)
def test_the_documents_examples_both_ways(plain: str, escaped: str) -> None:
    assert escape_local(plain) == escaped
    assert unescape_local(escaped) == plain


@given(
    st.text(st.sampled_from("ab \"&'/:<>@\\0234567cefZ\xfc"), max_size=30).filter(lambda text: text == text.strip(" "))
)
def test_escaping_is_undone_exactly(text: str) -> None:
    escaped = escape_local(text)
    assert not set(escaped) & set(" \"&'/:<>@")
    assert unescape_local(escaped) == text


@pytest.mark.parametrize("text", [" bob", "bob "])
def test_no_space_at_either_end(text: str) -> None:
    with pytest.raises(AddressError):
        escape_local(text)


@pytest.mark.parametrize("escaped", [r"a\2Fb", r"a\7fb", r"a\2", "a\\"])
def test_other_sequences_stay(escaped: str) -> None:
    assert unescape_local(escaped) == escaped


ADDRESSES = [
    ("bob@partner.example", r"bob\40partner.example@gateway.corp.example"),
    ("bob@partner.example/desk@home/2", r"bob\40partner.example@gateway.corp.example/desk@home/2"),
    (r"d\27artagnan@partner.example", r"d\5c27artagnan\40partner.example@gateway.corp.example"),
    ("partner.example", "partner.example@gateway.corp.example"),
    ("bob@[::1]", r"bob\40[\3a\3a1]@gateway.corp.example"),
]


@pytest.mark.parametrize(("outside", "inside"), ADDRESSES)
def test_addresses_both_ways(outside: str, inside: str) -> None:
    assert escape_address(outside, DOMAIN) == inside
    assert unescape_address(inside, DOMAIN) == outside


@pytest.mark.parametrize("address", ["gateway.corp.example", "bob@partner.example", "gateway.corp.example/x"])
def test_what_is_no_contact_at_the_domain_is_refused(address: str) -> None:
    with pytest.raises(AddressError):
        unescape_address(address, DOMAIN)
