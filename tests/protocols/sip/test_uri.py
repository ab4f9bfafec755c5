"""RFC 3261 section 19.1: URIs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocols.sip.faults import SipSyntaxError
from gateway.protocols.sip.uri import SipUri

CANONICAL = [
    ("sip:alice@corp.example", SipUri("sip", "alice", "corp.example")),
    ("SIPS:Alice@CORP.example:5061", SipUri("sips", "Alice", "corp.example", 5061)),
    ("sip:alice:secret@corp.example", SipUri("sip", "alice", "corp.example")),
    ("sip:corp.example;transport=TLS;LR", SipUri("sip", "", "corp.example", None, (("transport", "TLS"), ("lr", "")))),
    ("sip:[2001:DB8::1]:5060", SipUri("sip", "", "2001:db8::1", 5060)),
    ("sip:f%C3%BC@corp.example", SipUri("sip", "fü", "corp.example")),
    ("sip:alice@corp.example?Subject=x", SipUri("sip", "alice", "corp.example", has_headers=True)),
    (
        "sip:+1-212-555-0101:1234@gw.example;user=phone",
        SipUri("sip", "+1-212-555-0101", "gw.example", None, (("user", "phone"),)),
    ),
    ("tel:+1-212-555-0101;ext=1", SipUri("tel", "+1-212-555-0101", parameters=(("ext", "1"),))),
    ("im:alice@corp.example", SipUri("im", "alice", "corp.example")),
    ("pres:alice.b@corp.example", SipUri("pres", "alice.b", "corp.example")),
    ("urn:service:sos", SipUri("urn", opaque="service:sos")),
]


@pytest.mark.parametrize(("text", "uri"), CANONICAL)
def test_reading(text: str, uri: SipUri) -> None:
    assert SipUri.parse(text) == uri


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("SIP:%61lice@Corp.Example:5060;Transport=tcp;lr", "sip:alice@corp.example:5060;transport=tcp;lr"),
        ("sip:alice:secret@corp.example?Subject=x", "sip:alice@corp.example"),
        ("sip:a%40b%3Ac%20%C3%BC@[::1]", "sip:a%40b%3Ac%20%C3%BC@[::1]"),
        ("sip:a@h.example;x=%3b%20", "sip:a@h.example;x=%3B%20"),
        ("im:a.b@h.example", "im:a%2Eb@h.example"),
        ("tel:+12125550101;ext=1", "tel:+12125550101;ext=1"),
    ],
)
def test_writing_is_canonical(text: str, written: str) -> None:
    assert str(SipUri.parse(text)) == written
    assert str(SipUri.parse(written)) == written


@pytest.mark.parametrize(
    "text",
    [
        "",
        "alice@corp.example",
        "sip:",
        "sip:@corp.example",
        "sip:alice@",
        "sip:a@b@corp.example",
        "sip:alice@corp.example:",
        "sip:alice@corp.example:65536",
        "sip:alice@corp.example:+1",
        "sip:alice@2001:db8::1",
        "sip:alice@[2001:db8::g]",
        "sip:alice@[::1",
        "sip:alice@corp..example",
        "sip:alice@corp.example;",
        "sip:alice@corp.example;a=",
        "sip:alice@corp.example;a;a=1",
        "sip:alice@corp.example;a=<b>",
        "sip:alice@corp.example ",
        " sip:alice@corp.example",
        "sip:ali ce@corp.example",
        "sip:alice%@corp.example",
        "sip:alice%4@corp.example",
        "sip:alice%FF@corp.example",
        "sip:alice%ED%A0%80@corp.example",
        "sip:fü@corp.example",
        "sip:alice@dömain.example",
        "sip:alice\0@corp.example",
        'sip:al"ice@corp.example',
        "sip:" + "a." * 127 + "example",
        "im:corp.example",
        "tel:",
        "tel:alice",
        "http:",
        "http://<x>",
    ],
)
def test_what_is_no_uri_is_refused(text: str) -> None:
    with pytest.raises(SipSyntaxError):
        SipUri.parse(text)


SAME = [  # RFC 3261 section 19.1.4
    ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
    ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
    ("sip:alice@[2001:db8::1]", "sip:alice@[2001:DB8:0::1]"),
]
DIFFERENT = [
    ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
    ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
    ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
    ("sip:a@h.example;maddr=192.0.2.1", "sip:a@h.example"),
    ("sip:a@h.example;user=phone", "sip:a@h.example"),
    ("sips:a@h.example", "sip:a@h.example"),
    ("urn:a", "urn:b"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same(one: str, other: str) -> None:
    assert SipUri.parse(one).same_as(SipUri.parse(other))
    assert SipUri.parse(other).same_as(SipUri.parse(one))


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_not_the_same(one: str, other: str) -> None:
    assert not SipUri.parse(one).same_as(SipUri.parse(other))
    assert not SipUri.parse(other).same_as(SipUri.parse(one))


def test_the_host_as_it_is_written() -> None:
    assert SipUri.parse("sip:[::1]").sent_host == "[::1]"
    assert SipUri.parse("sip:corp.example").sent_host == "corp.example"


def test_parameters() -> None:
    uri = SipUri.parse("sip:corp.example;lr;transport=tls")
    assert (uri.parameter("lr"), uri.parameter("transport"), uri.parameter("maddr")) == ("", "tls", None)


def test_a_lone_surrogate_is_not_written() -> None:
    with pytest.raises(SipSyntaxError):
        str(SipUri("sip", "\ud800", "corp.example"))


TEXT = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12)
NAMES = st.text("abcxyz-._%;=é ", min_size=1, max_size=6)
URIS = st.builds(
    SipUri,
    st.sampled_from(["sip", "sips"]),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=12),
    st.sampled_from(["corp.example", "2001:db8::1", "192.0.2.1", "a_b.example"]),
    st.none() | st.integers(0, 65535),
    st.lists(st.tuples(NAMES, TEXT | st.just("")), max_size=3, unique_by=lambda pair: pair[0]).map(tuple),
)


@given(URIS)
def test_what_is_written_is_read_again(uri: SipUri) -> None:
    assert SipUri.parse(str(uri)) == uri


@given(st.sampled_from(["im", "pres"]), TEXT)
def test_im_and_pres_are_read_again(scheme: str, user: str) -> None:
    uri = SipUri(scheme, user, "corp.example")
    assert SipUri.parse(str(uri)) == uri


@given(st.text(max_size=40) | st.text('sip:@[];=?%41 "<>,é\0', max_size=40).map("sip:".__add__))
def test_nothing_else_is_raised(text: str) -> None:
    try:
        uri = SipUri.parse(text)
    except SipSyntaxError:
        return
    assert SipUri.parse(str(uri)).same_as(uri) or uri.has_headers
