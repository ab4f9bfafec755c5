"""RFC 3261 sections 7.3 and 20: header fields and their typed views."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocols.sip.faults import SipSyntaxError
from gateway.protocols.sip.headers import (
    CSeq,
    Headers,
    NameAddr,
    Via,
    parse_content_type,
    parse_token_params,
    split_list,
    whole_number,
)
from gateway.protocols.sip.names import reason_phrase
from gateway.protocols.sip.uri import SipUri

BOB = SipUri("sip", "bob", "partner.example")


def test_names_are_equal_in_any_spelling() -> None:
    headers = Headers([("f", "a"), ("FROM", "b"), ("X-Own", "c"), ("call-id", "d")])
    assert headers.all("From") == ["a", "b"]
    assert headers.get("F") == "a"
    assert headers.get("x-OWN") == "c"
    assert "i" in headers
    assert "Via" not in headers
    assert list(headers) == [("From", "a"), ("From", "b"), ("X-Own", "c"), ("Call-ID", "d")]


def test_changing() -> None:
    headers = Headers([("Via", "1"), ("To", "a"), ("v", "2"), ("Via", "3")])
    kept = headers.copy()
    headers.set("VIA", "4")
    headers.set("Event", "presence")
    headers.add("Event", " x ")
    assert list(headers) == [("Via", "4"), ("To", "a"), ("Event", "presence"), ("Event", "x")]
    headers.remove("o")
    assert list(headers) == [("Via", "4"), ("To", "a")]
    assert len(kept) == 4
    assert kept != headers
    assert headers == Headers([("v", "4"), ("t", "a")])
    assert headers != [("Via", "4"), ("To", "a")]


def test_printing_shows_no_value() -> None:
    assert repr(Headers([("Subject", "secret")])) == "<Headers Subject>"


def test_lists_are_split_where_the_header_is_a_list() -> None:
    headers = Headers([("Contact", '"a, b" <sip:a,b@h.example>, <sip:c@h.example>'), ("Subject", "a, b")])
    assert headers.all("Contact") == ['"a, b" <sip:a,b@h.example>', "<sip:c@h.example>"]
    assert headers.all("Subject") == ["a, b"]


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("", []),
        ("a", ["a"]),
        ("a , b,c", ["a", "b", "c"]),
        ("a,,", ["a", "", ""]),
        (r'"\",",b', [r'"\","', "b"]),
        ('<a,">,b', ['<a,">', "b"]),
        ('"a,b', ['"a,b']),
    ],
)
def test_splitting(value: str, parts: list[str]) -> None:
    assert split_list(value) == parts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<sip:bob@partner.example>", NameAddr("", BOB)),
        ("sip:bob@partner.example;tag=1", NameAddr("", BOB, (("tag", "1"),))),
        ("sip:bob@partner.example ; tag = 1 ; x", NameAddr("", BOB, (("tag", "1"), ("x", "")))),
        ('"Bob \\"B\\" \\\\" <sip:bob@partner.example>;Tag=A', NameAddr('Bob "B" \\', BOB, (("tag", "A"),))),
        ("Bob  B. <sip:bob@partner.example>", NameAddr("Bob B.", BOB)),
        ("Bob<sip:bob@partner.example>", NameAddr("Bob", BOB)),
        ('<sip:bob@partner.example>;a="x;y, \\"z"', NameAddr("", BOB, (("a", 'x;y, "z'),))),
        ('""<sip:bob@partner.example>', NameAddr("", BOB)),
    ],
)
def test_name_addr(text: str, expected: NameAddr) -> None:
    assert NameAddr.parse(text) == expected
    assert NameAddr.parse(str(expected)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bob@partner.example",
        '"Bob <sip:bob@partner.example>',
        "Bob, B <sip:bob@partner.example>",
        "<sip:bob@partner.example",
        "< sip:bob@partner.example>",
        "<<sip:bob@partner.example>>",
        "<sip:bob@partner.example>x",
        "<sip:bob@partner.example>;",
        "<sip:bob@partner.example>;;tag=1",
        "<sip:bob@partner.example>;tag=1;tag=2",
        '<sip:bob@partner.example>;tag="1',
        "<sip:bob@partner.example>;tag=",
        "sip:bob@partner.example?Subject=x",
        "sip:bo,b@partner.example",
    ],
)
def test_what_is_no_name_addr(text: str) -> None:
    with pytest.raises(SipSyntaxError):
        NameAddr.parse(text)


def test_long_values_are_read_like_short_ones() -> None:
    long = "x" * 400
    assert NameAddr.parse(f"<sip:bob@partner.example>;tag={long}").tag == long
    assert Via.parse(f"SIP/2.0/UDP h.example;branch={long}").branch == long
    assert CSeq.parse(f"1 {long}").method == long
    assert Headers([("CONTENT-type", "a"), ("cOnTeNt-TyPe", "b")]).all("c") == ["a", "b"]


def test_tags() -> None:
    assert NameAddr("", BOB).tag is None
    tagged = NameAddr("", BOB, (("tag", "old"), ("x", ""))).tagged("new")
    assert str(tagged) == "<sip:bob@partner.example>;x;tag=new"


def test_a_display_name_cannot_break_out() -> None:
    assert str(NameAddr('"<sip:eve@stranger.example>', BOB)).startswith('"\\"<sip:eve@stranger.example>" <sip:bob@')
    for text in ("a\r\nVia: x", "a\0", "a\x7f"):
        with pytest.raises(SipSyntaxError):
            str(NameAddr(text, BOB))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SIP/2.0/TLS gw.corp.example;branch=z9hG4bK1", Via("TLS", "gw.corp.example", None, (("branch", "z9hG4bK1"),))),
        ("sip / 2.0 / udp [2001:DB8::1] : 5060 ; rport", Via("UDP", "2001:db8::1", 5060, (("rport", ""),))),
        ("SIP/7.0/UDP c.example.com", Via("UDP", "c.example.com", protocol="SIP/7.0")),
    ],
)
def test_via(text: str, expected: Via) -> None:
    assert Via.parse(text) == expected
    assert Via.parse(str(expected)) == expected


@pytest.mark.parametrize(
    "text", ["", "SIP/2.0 h", "SIP/2.0/UDP", "SIP/2.0/UDP h:x", "SIP/2.0/UDP h;;", "SIP/2.0/UDP ::1"]
)
def test_what_is_no_via(text: str) -> None:
    with pytest.raises(SipSyntaxError):
        Via.parse(text)


def test_a_via_is_marked_with_where_it_came_from() -> None:
    via = Via.parse("SIP/2.0/UDP h.example;rport;branch=z9hG4bK1")
    marked = via.marked("received", "192.0.2.1").marked("rport", "4711")
    assert str(marked) == "SIP/2.0/UDP h.example;rport=4711;branch=z9hG4bK1;received=192.0.2.1"
    assert marked.branch == "z9hG4bK1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1 MESSAGE", CSeq(1, "MESSAGE")), ("0009 \t INVITE", CSeq(9, "INVITE")), ("2147483647 a", CSeq(2**31 - 1, "a"))],
)
def test_cseq(text: str, expected: CSeq) -> None:
    assert CSeq.parse(text) == expected


@pytest.mark.parametrize(
    "text", ["", "1", "MESSAGE 1", "-1 A", "2147483648 A", "9" * 5000 + " A", "1 A B", "1MESSAGE", "١ A"]
)
def test_what_is_no_cseq(text: str) -> None:
    with pytest.raises(SipSyntaxError):
        CSeq.parse(text)


@pytest.mark.parametrize(
    ("digits", "number"),
    [("0", 0), ("255", 255), ("256", None), ("0" * 5000 + "7", 7), ("", None), ("+1", None), ("1 ", None), ("²", None)],
)
def test_whole_numbers(digits: str, number: int | None) -> None:
    assert whole_number(digits, 255) == number


def test_tokens_with_parameters() -> None:
    assert parse_token_params("presence") == ("presence", {})
    assert parse_token_params("active ; Expires=10;reason=x") == ("active", {"expires": "10", "reason": "x"})
    for text in ("", ";a", "a b", "a;;b"):
        with pytest.raises(SipSyntaxError):
            parse_token_params(text)


def test_media_types() -> None:
    assert parse_content_type('Text/PLAIN; Charset="UTF-8"') == ("text/plain", {"charset": "UTF-8"})
    assert parse_content_type("application/pidf+xml") == ("application/pidf+xml", {})
    for text in ("", "text", "text/", "/plain", "text/plain charset=x"):
        with pytest.raises(SipSyntaxError):
            parse_content_type(text)


@pytest.mark.parametrize(
    ("status", "phrase"), [(200, "OK"), (489, "Bad Event"), (499, "Bad Request"), (699, "Busy Everywhere")]
)
def test_reason_phrases(status: int, phrase: str) -> None:
    assert reason_phrase(status) == phrase


PRINTABLE = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12)
TOKENS = st.text("abcxyz019-.!%*_+`'~", min_size=1, max_size=8)
PARAMETERS = st.lists(st.tuples(TOKENS, PRINTABLE), max_size=3, unique_by=lambda pair: pair[0]).map(tuple)


@given(PRINTABLE, PARAMETERS)
def test_what_is_written_is_read_again(name: str, parameters: tuple[tuple[str, str], ...]) -> None:
    address = NameAddr(name, BOB, parameters)
    assert NameAddr.parse(str(address)) == address


@given(st.text('<>"\\;=,: \tabc@sip/2.0é\0', max_size=60))
def test_nothing_else_is_raised(text: str) -> None:
    for parse in (NameAddr.parse, Via.parse, CSeq.parse, parse_token_params, parse_content_type):
        try:
            parse(text)
        except SipSyntaxError:
            continue
    assert "".join(split_list(text)).count("a") == text.count("a")


def test_what_has_been_looked_up_is_looked_up_again_after_every_change() -> None:
    headers = Headers([("Via", "SIP/2.0/TLS a.example;branch=z9hG4bK1, SIP/2.0/TLS b.example;branch=z9hG4bK2")])
    assert headers.get("Subject") is None
    headers.add("Subject", "one")
    assert headers.get("s") == "one"
    headers.set("Subject", "two")
    assert (headers.get("subject"), headers.all("Subject")) == ("two", ["two"])
    headers.set_first("Via", "SIP/2.0/TLS c.example;branch=z9hG4bK1")
    assert (headers.get("Via") or "").startswith("SIP/2.0/TLS c.example")
    headers.remove("Subject")
    assert (headers.get("Subject"), headers.all("Subject")) == (None, [])


@pytest.mark.parametrize(
    "usual",
    [
        "SIP/2.0/TLS sip.partner.example:5061;branch=z9hG4bKa.1;alias;received=192.0.2.7",
        "SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKa;received=192.0.2.8",
        "SIP/2.0/TCP a.example.:5060;branch=z9hG4bKa",
        "SIP/2.0/TLS 192.0.2.7:5061;branch=z9hG4bKa;rport=5061;received=192.0.2.9",
        "SIP/2.0/UDP 192.0.2.7:5061;branch=z9hG4bKa;rport",
    ],
)
def test_the_short_way_of_reading_a_via_means_what_the_general_one_does(usual: str) -> None:
    assert Via.parse(usual) == Via.parse(usual.replace(";branch", " ; branch"))


@pytest.mark.parametrize(
    "usual",
    [
        "<sip:bob@partner.example>;tag=a1",
        "<sip:bob@partner.example>",
        "<tel:+15550100>",
        '"Bob B." <sip:bob@partner.example>;tag=a1',
    ],
)
def test_the_short_way_of_reading_an_address_means_what_the_general_one_does(usual: str) -> None:
    assert NameAddr.parse(usual) == NameAddr.parse(usual.replace(">", "> ") if ";" in usual else f"{usual} ")


def test_a_via_in_which_a_parameter_stands_twice_is_none_however_it_is_read() -> None:
    with pytest.raises(SipSyntaxError):
        Via.parse("SIP/2.0/TLS a.example;branch=z9hG4bKa;alias;alias")
