"""RFC 3261 sections 7 and 18.3: streams and datagrams to messages."""

from collections.abc import Iterable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.protocols.sip.faults import SipFault
from gateway.protocols.sip.headers import Headers
from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.reader import KeepAlive, Limits, Malformed, StreamEvent, StreamReader, read_datagram
from gateway.protocols.sip.writer import serialise
from tests.cost import cpu_seconds

from .torture_messages import RFC4475, RFC5118

FIVE = (
    b"Via: SIP/2.0/TLS h.example;branch=z9hG4bK1\r\nFrom: <sip:bob@h.example>;tag=1\r\nTo: <sip:alice@corp.example>\r\n"
    b"Call-ID: c1\r\nCSeq: 1 MESSAGE\r\n"
)
LINE = b"MESSAGE sip:alice@corp.example SIP/2.0\r\n"
EMPTY = LINE + FIVE + b"Content-Length: 0\r\n\r\n"
HI = LINE + FIVE + b"Content-Length: 2\r\n\r\nhi"
SMALL = Limits(start_line=60, head_bytes=400, headers=10, body_bytes=10)


def message(*headers: bytes, line: bytes = LINE, five: bytes = FIVE, body: bytes = b"") -> bytes:
    return line + five + b"".join(each + b"\r\n" for each in headers) + b"\r\n" + body


def fed(chunks: Iterable[bytes], limits: Limits | None = None) -> tuple[list[StreamEvent], str | None]:
    """Gives all events of a stream, and the fault that ended it."""
    reader, events = StreamReader(limits or Limits()), []
    for chunk in chunks:
        try:
            events += reader.feed(chunk)
        except SipFault as fault:
            return [*events, *fault.before], str(fault)
    return events, None


def problem(octets: bytes, limits: Limits | None = None) -> tuple[int, str]:
    read = read_datagram(octets, limits or Limits())
    assert isinstance(read, Malformed), read
    return read.status, read.problem


def test_messages_one_after_another() -> None:
    events, fault = fed([HI + EMPTY + b"\r\n" + HI])
    assert [each.body for each in events if isinstance(each, Request)] == [b"hi", b"", b"hi"]
    assert fault is None


def test_content_length_is_framing_and_no_header() -> None:
    (read,) = StreamReader().feed(HI)
    assert isinstance(read, Request)
    assert "Content-Length" not in read.headers
    assert serialise(read) == HI


def test_keep_alive_is_two_line_ends_between_messages() -> None:
    assert fed([b"\r\n\r\n" + HI + b"\r\n\r\n\r\n\r\n"])[0] == [
        KeepAlive(),
        *StreamReader().feed(HI),
        KeepAlive(),
        KeepAlive(),
    ]
    assert fed([b"\r\n", HI, b"\r\n", b"\r", b"\n"])[0] == [*StreamReader().feed(HI), KeepAlive()]


def test_idle_tells_whether_something_is_half_read() -> None:
    reader = StreamReader()
    states = []
    for chunk in (b"", LINE, FIVE + b"l: 1\r\n\r\n", b"x", b"\r", b"\n"):
        reader.feed(chunk)
        states.append(reader.idle)
    assert states == [True, False, False, True, False, True]


@pytest.mark.parametrize(
    ("stream", "fault"),
    [
        (message(), "no Content-Length"),
        (message(b"Content-Length: 1", b"l: 2"), "two values of Content-Length"),
        (message(b"Content-Length: 1, 1"), "Content-Length is not a number"),
        (message(b"Content-Length: -1"), "Content-Length is not a number"),
        (message(b"Content-Length: +1"), "Content-Length is not a number"),
        (message(b"Content-Length: 0x1"), "Content-Length is not a number"),
        (message(b"Content-Length: 1 1"), "Content-Length is not a number"),
        (message(b"Content-Length:"), "Content-Length is not a number"),
        (message("Content-Length: ²".encode()), "Content-Length is not a number"),
        (message(b"Content-Length: 4294967328"), "Content-Length is not a number"),
        (message(b"Content-Length: 65537"), "the body is too long"),
        (message(b"Content-Length : 0"), "white space after Content-Length"),
        (message(b"X: a\nContent-Length: 0"), "a bare CR or LF in a header"),
        (message(b"X: a\rb", b"Content-Length: 0"), "a bare CR or LF in a header"),
        (EMPTY.replace(b"\r\n", b"\n"), "a bare CR or LF in a header"),
        (b"\n" + EMPTY, "a bare CR or LF in a header"),
        (b"\rX", "a bare CR or LF in a header"),
        (b"GET / HTTP/1.1\r\nHost: h.example\r\n\r\n", "no Content-Length"),
    ],
)
def test_what_ends_a_stream(stream: bytes, fault: str) -> None:
    assert fed([HI + stream]) == (StreamReader().feed(HI), fault)
    assert fed([HI[:50], HI[50:], *(bytes([each]) for each in stream)])[1] == fault


def test_nothing_is_read_after_a_fault() -> None:
    reader = StreamReader()
    with pytest.raises(SipFault):
        reader.feed(message(b"Content-Length: x"))
    with pytest.raises(SipFault, match="not a number") as again:
        reader.feed(HI)
    assert again.value.before == ()


@pytest.mark.parametrize(
    ("header", "status"), [(b"Content-Length: x", 400), (b"Content-Length: 65537", 513), (b"X: y", 400)]
)
def test_a_fault_can_be_answered_before_closing(header: bytes, status: int) -> None:
    with pytest.raises(SipFault) as fault:
        StreamReader().feed(message(header))
    answer = fault.value.answer
    assert answer is not None
    assert answer.request is not None
    assert (answer.status, answer.request.reply(answer.status).call_id) == (status, "c1")


def test_a_wrong_message_with_a_known_end_does_not_end_the_stream() -> None:
    wrong = message(b"X : y", b"Content-Length: 3", body=b"\r\n\r")
    events, fault = fed([wrong + HI])
    assert [type(each) for each in events] == [Malformed, Request]
    assert fault is None


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (message(b"X : y"), (400, "white space before the colon")),
        (message(b"X\t: y"), (400, "white space before the colon")),
        (message(b"no colon"), (400, "a line is not a header")),
        (message(b": y"), (400, "a line is not a header")),
        (message(b"X Y: y"), (400, "a line is not a header")),
        (message("Ü: y".encode()), (400, "a line is not a header")),
        (LINE + b" X: y\r\n" + FIVE + b"\r\n", (400, "a line is not a header")),
        (message(b"X: a\0b"), (400, "a control character in a header")),
        (message(b"X: a\x0bb"), (400, "a control character in a header")),
        (message(b"X: a\x7fb"), (400, "a control character in a header")),
        (message(b'X: "\\\0"'), (400, "a control character in a header")),
        (message(b"X: \xff"), (400, "a header is not UTF-8")),
        (message(b"X: \xed\xa0\x80"), (400, "a header is not UTF-8")),
        (message(b"f: <sip:eve@h.example>"), (400, "a header stands twice that stands once")),
        (message(b"Max-Forwards: 1", b"Max-Forwards: 1"), (400, "a header stands twice that stands once")),
        (message(b"c: a/b", b"Content-Type: a/b"), (400, "a header stands twice that stands once")),
        (message(b"l: 0", b"l: 0"), (400, "Content-Length stands twice")),
        (message(b"Max-Forwards: 256"), (400, "Max-Forwards is malformed")),
        (message(b"Max-Forwards: -1"), (400, "Max-Forwards is malformed")),
        (message(b"Contact: <sip:h.example"), (400, "Contact is malformed")),
        (message(b"m: <sip:a.example>, sip:b?c"), (400, "Contact is malformed")),
        (message(b"Route: sip:a.example"), (400, "Route is malformed")),
        (message(b"Record-Route: <sip:a.example>,"), (400, "Record-Route is malformed")),
        (message(b"Content-Type: text"), (400, "Content-Type is malformed")),
        (message(b"v: SIP/3.0/TLS h.example"), (400, "Via is malformed")),
        (message(b"v:"), (400, "Via is malformed")),
        (message(five=FIVE.replace(b"c1", b"c 1")), (400, "Call-ID is malformed")),
        (message(five=FIVE.replace(b"c1", b"")), (400, "Call-ID is malformed")),
        (message(five=FIVE.replace(b"1 M", b"2147483648 M")), (400, "CSeq is malformed")),
        (message(five=FIVE.replace(b"1 MESSAGE", b"1 message")), (400, "CSeq has another method")),
        (message(five=FIVE.replace(b"To", b"X")), (400, "To is missing")),
        (message(line=b"MESSAGE sip:a@h.example SIP/2.1\r\n"), (505, "another version of SIP")),
        (message(line=b"MESSAGE sip:a@h.example SIP/20\r\n"), (400, "the first line is malformed")),
        (message(line=b"MESSAGE sip:a@h.example HTTP/1.1\r\n"), (400, "the first line is malformed")),
        (message(line=b"MESSAGE sip:a@h.example\r\n"), (400, "the first line is malformed")),
        (message(line=b"MESS@GE sip:a@h.example SIP/2.0\r\n"), (400, "the first line is malformed")),
        (message(line=b"MESSAGE a@h.example SIP/2.0\r\n"), (400, "the Request-URI is malformed")),
        (message(line=b"MESSAGE sip:\xff SIP/2.0\r\n"), (400, "the first line is malformed")),
        (message(line=b"MESSAGE sip:" + b"a" * 2048 + b" SIP/2.0\r\n"), (414, "the first line is too long")),
        (message(line=b"SIP/2.0 700 No\r\n"), (400, "the first line is malformed")),
        (message(line=b"SIP/2.0 099 No\r\n"), (400, "the first line is malformed")),
        (message(line=b"SIP/2.0 200\r\n"), (400, "the first line is malformed")),
        (message(line=b"SIP/3.0 200 OK\r\n"), (400, "the first line is malformed")),
        (message(line=b"SIP/2.0 200 O\0K\r\n"), (400, "the first line is malformed")),
        (LINE + FIVE, (400, "no empty line behind the headers")),
        (message(b"l: 3", body=b"hi"), (400, "the body is shorter than Content-Length")),
    ],
)
def test_what_is_refused(octets: bytes, expected: tuple[int, str]) -> None:
    assert problem(octets) == expected


@pytest.mark.parametrize(
    ("headers", "name", "value"),
    [
        ((b"X: a\r\n b",), "X", "a b"),
        ((b"X:\r\n\t \r\n  a  ",), "X", "a"),
        ((b"SuBjEcT:x",), "Subject", "x"),
        ((b"o: presence",), "Event", "presence"),
        ((b"X:",), "X", ""),
        ((b"X: \xc3\xbc\t,",), "X", "ü\t,"),
        ((b"X: a:b",), "X", "a:b"),
    ],
)
def test_what_is_accepted(headers: tuple[bytes, ...], name: str, value: str) -> None:
    read = read_datagram(message(*headers))
    assert isinstance(read, Request)
    assert read.headers.get(name) == value


def test_the_version_is_read_in_any_case() -> None:
    assert isinstance(read_datagram(message(line=b"MESSAGE sip:h.example sip/2.0\r\n")), Request)
    assert isinstance(read_datagram(message(line=b"sip/2.0 200 OK\r\n")), Response)


def test_datagrams() -> None:
    assert read_datagram(b"\r\n\r\n") == read_datagram(b"") == KeepAlive()
    for octets, body in ((message(body=b"all \0"), b"all \0"), (b"\r\n" + HI + b"trailing", b"hi")):
        read = read_datagram(octets)
        assert isinstance(read, Request)
        assert read.body == body
    assert problem(message(b"l: 11", body=b"x" * 11), SMALL) == (513, "the body is too long")
    assert problem(message(body=b"x" * 11), SMALL) == (513, "the body is too long")


def test_a_bad_ack_is_never_answered() -> None:
    read = read_datagram(
        message(b"X : y", line=b"ACK sip:h.example SIP/2.0\r\n", five=FIVE.replace(b"MESSAGE", b"ACK"))
    )
    assert isinstance(read, Malformed)
    assert read.request is None


def test_nothing_received_is_printed() -> None:
    secret = message(b"X : secret", line=b"MESSAGE sip:secret@h.example SIP/2.0\r\n", body=b"secret")
    assert "secret" not in repr(read_datagram(secret))


@pytest.mark.parametrize(
    ("stream", "fault"),
    [
        (b"A" * 500, "headers are too long"),
        (message(b"X: " + b"y" * 300, b"l: 0"), "headers are too long"),
        (message(*[b"X: y"] * 6, b"l: 0"), "too many headers"),
        (message(b"l: 11", body=b"x" * 11), "the body is too long"),
    ],
)
def test_everything_is_bounded(stream: bytes, fault: str) -> None:
    assert fed([stream], SMALL) == ([], fault)
    assert fed([bytes([each]) for each in stream], SMALL) == ([], fault)


def test_what_is_just_within_the_bounds_is_read() -> None:
    full = message(*[b"X: y"] * 4, b"l: 10", body=b"x" * 10)
    assert len(fed([full], SMALL)[0]) == 1
    head = message(b"X: ", b"l: 0")
    padded = head.replace(b"X: ", b"X: " + b"y" * (400 + 4 - len(head)))
    assert len(fed([bytes([each]) for each in padded], SMALL)[0]) == 1


def test_the_cost_is_linear_whatever_the_chunks() -> None:
    def cost(stream: bytes, size: int) -> float:
        reader = StreamReader(Limits(head_bytes=10**7, headers=10**6, body_bytes=10**7))

        def work() -> None:
            for place in range(0, len(stream), size):
                reader.feed(stream[place : place + size])

        return cpu_seconds(work)

    for make in (
        lambda n: message(b"X: " + b"y" * n, b"l: 0"),
        lambda n: message(b"l: %d" % n, body=b"y" * n),
        lambda n: message(b"X: " + b'"' * n, b"m: " + b'"<' * (n // 2), b"l: 0"),
        lambda n: message(b"From: " + b"a " * (n // 2), b"l: 0"),
        lambda n: message(b"From: <sip:a@b>" + b" ;a=" + b"\\" * n, b"l: 0"),
        lambda n: message(b"X:" + b"\r\n " * (n // 3), b"l: 0"),
        lambda n: message(b"l: 0", five=FIVE.replace(b"From: ", b"From: a" + b" " * n + b"=")),
        lambda n: message(b"l: 0", five=FIVE.replace(b"From: ", b'From: "a"' + b" " * n + b"=")),
        lambda n: message(b"l: 0", five=FIVE.replace(b"tag=1", b"tag" + b" " * n + b"1")),
        lambda n: message(b"l: 0", five=FIVE.replace(b"tag=1", b"tag=" + b" " * n + b";")),
        lambda n: message(b"l: 0", five=FIVE.replace(b"TLS h", b"TLS" + b" " * n + b"=h")),
        lambda n: message(b"l: 0", five=FIVE.replace(b"h.example;", b"h.example" + b" " * n + b"=;")),
        lambda n: message(b"l: 0", five=FIVE.replace(b"1 M", b"1" + b" " * n + b"=M")),
        lambda n: message(b"l: 0", b"c: a" + b" " * n + b"b", five=FIVE),
        lambda n: message(b"l: 0", five=FIVE.replace(b"bob@h", b"b" + b";a=b" * (n // 4) + b"<")),
        lambda n: message(b"l: 0", five=FIVE.replace(b"bob@h", b"h." + b"a." * (n // 2) + b"%")),
        lambda n: message(b"l: 0", five=FIVE.replace(b"bob@h", b"h;" + b"a%41" * (n // 4) + b"%")),
        lambda n: message(b"Via: SIP/2.0/TLS " + b"a" * n, b"l: 0", line=b"M sip:" + b"a" * n + b" SIP/2.0\r\n"),
        lambda n: message(b"l: 0", line=b"M sip:" + b"a" * n + b" SIP/2.0\r\n"),
    ):
        small, large = (min(cost(make(n), 50) for _ in range(2)) for n in (20_000, 160_000))
        assert large < 8 * 4 * small + 0.05


CALLS = st.text("abc012-.!%*_+`'~()<>:\\/\"[]?{}@", min_size=1, max_size=12)
TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20).map(lambda text: text.strip(" \t"))
TOKENS = st.text("abcxyzABC019-.!%*_+`'~", min_size=1, max_size=10)
FREE_NAMES = TOKENS.map("X-".__add__)


@st.composite
def headers(draw: st.DrawFn, method: str) -> Headers:
    made = Headers()
    for _ in range(draw(st.integers(1, 3))):
        made.add("Via", f"SIP/2.0/TLS h.example;branch=z9hG4bK{draw(TOKENS)}")
    made.add("From", f"<sip:bob@h.example>;tag={draw(TOKENS)}")
    made.add("To", "<sip:alice@corp.example>")
    made.add("Call-ID", draw(CALLS))
    made.add("CSeq", f"{draw(st.integers(0, 2**31 - 1))} {method}")
    for name, value in draw(st.lists(st.tuples(FREE_NAMES, TEXTS), max_size=5)):
        made.add(name, value)
    return made


@st.composite
def messages(draw: st.DrawFn) -> Request | Response:
    method = draw(TOKENS)
    body = draw(st.binary(max_size=60))
    if draw(st.booleans()):
        return Request(method, draw(st.sampled_from(["sip:h.example", "tel:+1", "urn:x"])), draw(headers(method)), body)
    return Response(draw(st.integers(100, 699)), draw(TEXTS), draw(headers(method)), body)


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    ends = sorted(place % (len(stream) + 1) for place in places)
    return [stream[start:end] for start, end in zip([0, *ends], [*ends, len(stream)], strict=True)]


PLACES = st.lists(st.integers(0, 5000), max_size=8)


@given(st.lists(messages(), min_size=1, max_size=4), PLACES)
@settings(deadline=None)
def test_what_is_written_is_read_again(sent: list[Request | Response], places: list[int]) -> None:
    stream = b"".join(map(serialise, sent))
    assert fed(cut(stream, places)) == (sent, None)
    assert [read_datagram(serialise(each)) for each in sent] == sent


PIECES = st.sampled_from(
    [
        *(
            b"\r\n",
            b"\r\n\r\n",
            b"\r",
            b"\n",
            b" ",
            b":",
            b";",
            b",",
            b"<",
            b'"',
            b"\0",
            b"\xff",
            b"SIP/2.0 200 OK\r\n",
        ),
        *(
            LINE,
            FIVE,
            EMPTY,
            HI,
            b"Content-Length: 2\r\n",
            b"l: 0\r\n\r\n",
            b"l:-1\r\n",
            b"Via: SIP/2.0/UDP [::1];;\r\n",
        ),
        *(b"Contact: *\r\n", b"To: sip:a@b;tag=1\r\n", b"CSeq: 1 INVITE\r\n", b"X\r\n folded\r\n"),
        *list((RFC4475 | RFC5118).values())[::5],
    ]
)
STREAMS = st.lists(PIECES | st.binary(max_size=8), max_size=12).map(b"".join)


@given(STREAMS, PLACES, st.booleans())
@settings(max_examples=300, deadline=None)
@example(HI + EMPTY, list(range(5000)), False)
@example(HI[:-2] + b"\r\r\n", [len(HI)], False)
@example(HI[:-2] + b"x\r\n", [len(HI)], False)
@example(RFC4475["longreq"] + RFC4475["wsinv"], list(range(0, 5000, 7)), True)
def test_chunks_make_no_difference_and_nothing_else_is_raised(stream: bytes, places: list[int], lenient: bool) -> None:
    limits = Limits(head_bytes=5000, headers=60, body_bytes=600, lenient=lenient)
    assert fed(cut(stream, places), limits) == fed([stream], limits)
    assert fed([bytes([each]) for each in stream], limits) == fed([stream], limits)


@given(STREAMS | st.binary(max_size=200), st.booleans())
@settings(max_examples=300, deadline=None)
def test_every_view_of_what_a_datagram_reads_works(octets: bytes, lenient: bool) -> None:
    read = read_datagram(octets, Limits(lenient=lenient))
    if isinstance(read, Request | Response):
        assert read.vias
        assert (read.top_via, read.cseq, read.from_, read.to, read.call_id) is not None
        assert (read.contact, read.expires, read.content_type) is not None
    if isinstance(read, Malformed) and read.request is not None:
        assert serialise(read.request.reply(read.status, to_tag="t"))
