"""RFC 3261 sections 7 and 8.2.6: messages, replies and their bytes."""

import pytest

from gateway.protocols.sip.faults import SipSyntaxError
from gateway.protocols.sip.headers import CSeq, Headers, Via
from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.writer import serialise

FIELDS = [
    ("Via", "SIP/2.0/TLS sip.partner.example;branch=z9hG4bK1, SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK0"),
    ("From", '"Bob" <sip:bob@partner.example>;tag=b'),
    ("To", "sip:alice@corp.example"),
    ("Call-ID", "c1@partner.example"),
    ("CSeq", "7 SUBSCRIBE"),
    ("Contact", "<sip:sip.partner.example>"),
    ("Record-Route", "<sip:sip.partner.example;lr>"),
    ("Event", "presence;id=4"),
    ("Expires", "3600"),
    ("Timestamp", "54.1"),
]


def request(*extra: tuple[str, str], body: bytes = b"") -> Request:
    return Request("SUBSCRIBE", "sip:alice@corp.example", Headers([*FIELDS, *extra]), body)


def test_views() -> None:
    read = request(("Content-Type", "Text/Plain"), ("Max-Forwards", "070"))
    assert read.call_id == "c1@partner.example"
    assert read.cseq == CSeq(7, "SUBSCRIBE")
    assert (read.from_.uri.user, read.from_.tag, read.to.uri.user, read.to.tag) == ("bob", "b", "alice", None)
    assert [via.host for via in read.vias] == ["sip.partner.example", "192.0.2.7"]
    assert read.top_via.branch == "z9hG4bK1"
    assert read.contact is not None
    assert read.contact.uri.host == "sip.partner.example"
    assert (read.event, read.expires, read.max_forwards) == (("presence", {"id": "4"}), 3600, 70)
    assert read.content_type == ("text/plain", {})


def test_what_may_be_missing_is_none() -> None:
    empty = Request("OPTIONS", "sip:corp.example")
    assert (empty.contact, empty.expires, empty.event, empty.content_type, empty.max_forwards) == (None,) * 5
    assert Request("REGISTER", "sip:corp.example", Headers([("m", "*")])).contact is None


@pytest.mark.parametrize("view", ["call_id", "cseq", "from_", "to", "top_via"])
def test_what_may_not_be_missing_raises(view: str) -> None:
    with pytest.raises(SipSyntaxError):
        getattr(Request("OPTIONS", "sip:corp.example"), view)


@pytest.mark.parametrize(
    ("value", "seconds"), [("0", 0), ("9" * 40, 2**32 - 1), ("-1", None), ("soon", None), ("", None)]
)
def test_expires(value: str, seconds: int | None) -> None:
    assert Request("A", "sip:h", Headers([("Expires", value)])).expires == seconds


def test_a_reply_copies_what_8_2_6_says_and_nothing_else() -> None:
    reply = request().reply(200, to_tag="a")
    assert list(reply.headers) == [
        ("Via", "SIP/2.0/TLS sip.partner.example;branch=z9hG4bK1"),
        ("Via", "SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK0"),
        ("From", '"Bob" <sip:bob@partner.example>;tag=b'),
        ("To", "sip:alice@corp.example;tag=a"),
        ("Call-ID", "c1@partner.example"),
        ("CSeq", "7 SUBSCRIBE"),
    ]
    assert (reply.status, reply.reason, reply.body) == (200, "OK", b"")
    assert (reply.final, request().reply(100).final) == (True, False)


def test_a_tag_is_not_put_on_twice() -> None:
    read = request()
    read.headers.set("To", "<sip:alice@corp.example>;tag=old")
    assert read.reply(200, to_tag="new").to.tag == "old"


def test_only_100_takes_the_timestamp() -> None:
    assert request().reply(100).headers.get("Timestamp") == "54.1"
    assert request().reply(200).headers.get("Timestamp") is None
    assert request().reply(489, "No such event").reason == "No such event"


def test_printing_shows_neither_values_nor_body() -> None:
    for message in (request(body=b"secret"), request(body=b"secret").reply(200)):
        assert not {"secret", "bob", "alice"} & set(repr(message).replace("@", " ").split())
    assert repr(request(body=b"secret")) == "<Request SUBSCRIBE 10 headers, 6 bytes>"


def test_bytes() -> None:
    read = Request("MESSAGE", "sip:a@h.example", Headers([("l", "99"), ("s", "Grüße")]), b"hi")
    assert (
        serialise(read) == "MESSAGE sip:a@h.example SIP/2.0\r\nSubject: Grüße\r\nContent-Length: 2\r\n\r\nhi".encode()
    )
    assert serialise(Response(200, "")) == b"SIP/2.0 200 \r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    "message",
    [
        Request("A", "sip:h", Headers([("Subject", "a\r\nVia: b")])),
        Request("A", "sip:h", Headers([("Subject", "a\nb")])),
        Request("A", "sip:h", Headers([("Subject", "a\rb")])),
        Request("A", "sip:h", Headers([("Subject", "a\0b")])),
        Request("A", "sip:h", Headers([("Subject", "\ud800")])),
        Request("A", "sip:h", Headers([("Sub ject", "a")])),
        Request("A", "sip:h", Headers([("X:", "a")])),
        Request("A", "sip:h", Headers([("", "a")])),
        Request("A", "sip:h SIP/2.0\r\nX: y"),
        Request("A", "sip:h h"),
        Request("A", ""),
        Request("A B", "sip:h"),
        Request("", "sip:h"),
        Response(200, "OK\r\nX: y"),
        Response(99, ""),
        Response(700, ""),
    ],
)
def test_what_would_break_the_framing_is_not_written(message: Request | Response) -> None:
    with pytest.raises(SipSyntaxError):
        serialise(message)


@pytest.mark.parametrize(
    ("said", "noted", "port"),
    [
        ("192.0.2.7:5080;branch=z9hG4bKa", "192.0.2.7:5080;branch=z9hG4bKa", 5080),
        ("sip.partner.example;branch=z9hG4bKa", "sip.partner.example;branch=z9hG4bKa;received=192.0.2.7", 5060),
        ("10.0.0.1:5070;branch=z9hG4bKa", "10.0.0.1:5070;branch=z9hG4bKa;received=192.0.2.7", 5070),
        ("10.0.0.1;rport;branch=z9hG4bKa", "10.0.0.1;rport=4242;branch=z9hG4bKa;received=192.0.2.7", 4242),
        ("192.0.2.7;branch=z9hG4bKa;rport", "192.0.2.7;branch=z9hG4bKa;rport=4242;received=192.0.2.7", 4242),
        ("10.0.0.1;received=198.51.100.9;rport=1;branch=a", "10.0.0.1;received=192.0.2.7;rport=4242;branch=a", 4242),
        ("192.0.2.7;received=198.51.100.9;branch=a", "192.0.2.7;received=192.0.2.7;branch=a", 5060),
    ],
)
def test_via_says_where_a_request_came_from_whatever_it_said_itself(said: str, noted: str, port: int) -> None:
    other = "SIP/2.0/UDP 10.9.9.9;branch=z9hG4bKb"
    request = Request("MESSAGE", "sip:alice@corp.example", Headers([("Via", f"SIP/2.0/UDP {said}, {other}")]))
    request.came_from("192.0.2.7", 4242)
    assert request.headers.all("Via") == [f"SIP/2.0/UDP {noted}", other]
    assert request.answer_port == port
    assert request.top_via == Via.parse(f"SIP/2.0/UDP {noted}")


def test_an_ipv6_source_is_noted_without_brackets() -> None:
    request = Request("MESSAGE", "sip:a@b.example", Headers([("Via", "SIP/2.0/TLS h.example;branch=a")]))
    request.came_from("2001:db8::7", 5061)
    assert request.headers.all("Via") == ["SIP/2.0/TLS h.example;branch=a;received=2001:db8::7"]
    assert request.top_via.parameter("received") == "2001:db8::7"
