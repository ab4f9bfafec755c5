"""Addresses: RFC 7622 and what an attacker would write instead."""

import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.errors import AddressError
from gateway.model.address import MAX_PART, Address, ascii_domain, normal_domain

VALID = [
    # RFC 7622 table 1 on example domains, and the neighbours of each
    ("juliet@corp.example", "juliet", "corp.example", ""),
    ("juliet@corp.example/foo", "juliet", "corp.example", "foo"),
    ("juliet@corp.example/foo bar", "juliet", "corp.example", "foo bar"),
    ("juliet@corp.example/foo@bar", "juliet", "corp.example", "foo@bar"),
    ("foo\\20bar@corp.example", "foo\\20bar", "corp.example", ""),
    ("fussball@corp.example", "fussball", "corp.example", ""),
    ("fußball@corp.example", "fußball", "corp.example", ""),
    ("π@corp.example", "π", "corp.example", ""),
    ("Σ@corp.example/foo", "σ", "corp.example", "foo"),
    ("king@corp.example/♚", "king", "corp.example", "♚"),
    ("corp.example", "", "corp.example", ""),
    ("corp.example/foobar", "", "corp.example", "foobar"),
    ("a.corp.example/b@corp.example", "", "a.corp.example", "b@corp.example"),
    ("a@corp.example/b/c", "a", "corp.example", "b/c"),
    ("corp.example/ leading", "", "corp.example", " leading"),
    ("ALICE@CORP.EXAMPLE/Desk", "alice", "corp.example", "Desk"),
    ("alice@corp.example.", "alice", "corp.example", ""),
    ("STRASSE@bücher.example", "strasse", "bücher.example", ""),
    ("a@BÜCHER.example", "a", "bücher.example", ""),
    ("a@xn--bcher-kva.example", "a", "bücher.example", ""),
    ("a@XN--BCHER-KVA.example", "a", "bücher.example", ""),
    ("Ａlice@corp.example", "alice", "corp.example", ""),
    ("e\u0301@corp.example", "é", "corp.example", ""),
    ("a@192.0.2.1", "a", "192.0.2.1", ""),
    ("a@[2001:DB8:0:0::1]/r", "a", "[2001:db8::1]", "r"),
    ("localhost", "", "localhost", ""),
]

INVALID = [
    '"juliet"@corp.example',
    "foo bar@corp.example",
    " alice@corp.example",
    "alice@corp.example ",
    "@corp.example",
    "@corp.example/r",
    "corp.example/",
    "alice@corp.example/",
    "alice@",
    "alice@/r",
    "henryⅣ@corp.example",
    "♚@corp.example",
    "sip:alice@corp.example",
    "al'ice@corp.example",
    "a&b@corp.example",
    "<a>@corp.example",
    "a@b@corp.example",
    "",
    "@",
    "/",
    ".",
    "..",
    "。",
    "a@..example",
    "a@corp..example",
    "a@.corp.example",
    "a@corp.example..",
    "a@corp.example。",
    "a@corp.example．",
    "a@corp.example.。",
    "a@-corp.example",
    "a@corp-.example",
    "a@_sip.example",
    "a@corp example",
    "a@corp.example\n",
    "a@xn--.example",
    "a@xn--corp-.example",
    "a@xn--a.example",
    "a@xn--0be.example",
    "a@" + "x" * 64 + ".example",
    "a@" + "x." * 130 + "example",
    "a@" + "ü" * 64 + ".example",
    "a@[192.0.2.1]",
    "a@[::1",
    "a@[]",
    "a@[2001:db8::1]:5269",
    "[fe80::1%eth0]",
    "[fe80::1%<x>\n]",
    "a@[fe80::1%x@y]",
    "a\x00@corp.example",
    "a@corp.example/\x07",
    "a@corp.example/\x7f",
    "a@corp.example/\r\nb",
    "\udc80@corp.example",
    "a@\udc80.example",
    "a@corp.example/\udc80",
    "a\u200b@corp.example",
    "a\u202e@corp.example",
]


@pytest.mark.parametrize(("text", "local", "domain", "resource"), VALID)
def test_valid_address_has_its_normal_parts(text: str, local: str, domain: str, resource: str) -> None:
    address = Address.parse(text)
    assert (address.local, address.domain, address.resource) == (local, domain, resource)
    assert str(address.bare) == (f"{local}@{domain}" if local else domain)
    assert address.bare.bare is address.bare
    assert Address.of(local, domain, resource) == address


@pytest.mark.parametrize("text", INVALID, ids=ascii)
def test_invalid_address_is_refused(text: str) -> None:
    with pytest.raises(AddressError):
        Address.parse(text)


@pytest.mark.parametrize(
    "texts",
    [
        ["bob@partner.example", "BOB@Partner.Example", "bob@PARTNER.EXAMPLE.", "ｂｏｂ@partner.example"],
        ["x@bücher.example", "X@XN--BCHER-KVA.EXAMPLE", "x@BÜCHER.example."],
        ["x@[2001:db8::1]", "x@[2001:0DB8:0000::0001]"],
    ],
)
def test_every_spelling_gives_one_key(texts: list[str]) -> None:
    """I5: policy keys are canonical."""
    assert len({Address.parse(text) for text in texts}) == 1


def test_lookalikes_stay_apart() -> None:
    assert len({Address.parse(text) for text in ("ss@a.example", "ß@a.example", "s\u0455@a.example")}) == 3
    assert Address.parse("a@b.example/R") != Address.parse("a@b.example/r")


@pytest.mark.parametrize("filler", ["a", "é"], ids=["ascii", "two-octet"])
def test_part_may_have_1023_octets_and_not_one_more(filler: str) -> None:
    exact = filler * (MAX_PART // len(filler.encode())) + "a" * (MAX_PART % len(filler.encode()))
    assert len(exact.encode()) == MAX_PART
    assert Address.parse(f"{exact}@a.example").local == exact
    assert Address.parse(f"a.example/{exact}").resource == exact
    for text in (f"{exact}a@a.example", f"a.example/{exact}a"):
        with pytest.raises(AddressError):
            Address.parse(text)


def test_domain_may_have_253_octets_and_not_one_more() -> None:
    longest = ".".join(["a" * 63] * 3 + ["b" * 61])
    assert normal_domain(longest) == longest
    with pytest.raises(AddressError):
        normal_domain(longest + "b")


def test_ascii_domain_gives_a_labels() -> None:
    assert ascii_domain(normal_domain("BÜCHER.example")) == "xn--bcher-kva.example"
    assert ascii_domain("corp.example") == "corp.example"


def test_at_changes_only_the_resource() -> None:
    bob = Address.parse("bob@partner.example/desk")
    assert bob.at("") is bob.bare
    assert str(bob.at("Phone")) == "bob@partner.example/Phone"
    with pytest.raises(AddressError):
        bob.at("\x00")


def test_cached_address_is_the_same_address() -> None:
    assert Address.parse("bob@partner.example") is Address.parse("bob@partner.example")


_awkward = st.text(alphabet=st.sampled_from(list("aAé\u0301ßΣςK。．.@/[]:%x-n1\udc80\u200d\u0660 \x00")), max_size=12)
_any_text = st.one_of(
    st.text(),
    st.text(alphabet=st.characters(categories=["Cs", "Cc", "L", "M", "N", "P"])),
    _awkward,
    st.builds("{}@{}.example/{}".format, _awkward, _awkward, _awkward),
    st.builds("a@xn--{}.example".format, st.text(alphabet=string.ascii_letters + string.digits + "-", max_size=10)),
    st.builds("[{}]".format, st.text(alphabet="0123456789abcdef:.%zZ", max_size=20)),
)


@settings(max_examples=400, deadline=None)
@given(_any_text)
@example("a@b.example。")
@example("\ud800")
@example("0@XN--0BE")
def test_any_text_parses_to_a_fixed_point_or_is_refused(text: str) -> None:
    try:
        address = Address.parse(text)
    except AddressError:
        return
    again = Address.parse(str(address))
    assert str(again) == str(address)
    assert (again.local, again.domain, again.resource) == (address.local, address.domain, address.resource)
    assert all(len(part.encode()) <= MAX_PART for part in (address.local, address.domain, address.resource))
    assert not set("<>\"'&\n\r\0 @/") & set(address.domain)
    assert not set("<>\"'&:\n\r\0 @/") & set(address.local)
