"""Bodies of messages: what becomes text, typing or a receipt, and what is refused with which status."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model.message import ChatState
from gateway.protocols.cpim import DISPOSITIONS, CpimMessage, read_cpim, write_cpim
from gateway.protocols.html_text import html_to_text
from gateway.protocols.im_body import (
    Composing,
    Disposition,
    Receipt,
    Text,
    Unacceptable,
    may_be_notified,
    read_body,
    write_asking,
    write_receipt,
    write_text,
    write_typing,
)
from gateway.protocols.imdn import read_imdn, write_imdn
from gateway.protocols.iscomposing import read_keyboard_activity, write_iscomposing, write_keyboard_activity
from gateway.protocols.xml_document import DocumentError
from tests.cost import cpu_seconds
from tests.protocols.documents import LINES, NOW
from tests.protocols.validity import check

ALICE, BOB = "im:alice@corp.example", "im:bob@partner.example"


def cut(*lines: str) -> bytes:
    return "\r\n".join(lines).encode()


ASKING = cut(
    "From: Alice <im:alice@corp.example>",
    "To: Bob <im:bob@partner.example>",
    "NS: imdn <urn:ietf:params:imdn>",
    "imdn.Message-ID: 34jk324j",
    "DateTime: 2006-04-04T12:16:49-05:00",
    "imdn.Disposition-Notification: positive-delivery, negative-delivery",
    "Content-type: text/plain",
    "Content-length: 12",
    "",
    "Hello World",
)
ASKED = Text("Hello World", (), "34jk324j", frozenset({"positive-delivery", "negative-delivery"}), 1144171009.0)
PARTS = cut(
    "preamble",
    "--b",
    "Content-Type: text/html; charset=utf-8",
    "",
    "<b>rich</b>",
    "--b",
    "Content-Type: text/plain",
    "Content-Transfer-Encoding: base64",
    "",
    "cGxhaW4=",
    "--b--",
    "epilogue",
)


@pytest.mark.parametrize(
    ("content_type", "encoding", "body", "read"),
    [
        ("text/plain", "", b"hi", Text("hi")),
        ("", "", b"hi", Text("hi")),
        ("Text/Plain ; charset=\"UTF-8\"; msgr=WAAtAE0ATQBTAC0", "", "grüß\r\ngott".encode(), Text("grüß\ngott")),
        ("text/plain; charset=ISO-8859-1", "identity", b"gr\xfc\xdf", Text("grüß")),
        ("text/plain; charset=utf-16", "", "ü".encode("utf-16"), Text("ü")),
        ("text/plain; charset=klingon", "", b"nuqneH", Unacceptable(415)),
        ("text/plain", "gzip", b"hi", Unacceptable(415)),
        ("text/plain", "", b"x" * 70000, Unacceptable(488)),
        ("text/plain", "", b"\xff", Text("\ufffd")),
        ("text/html", "", b"<div>a<br>b</div>", Text("a\nb")),
        ("text/rtf", "", rb"{\rtf1 hi}", Unacceptable(415)),
        ("text/x-msmsgsinvite; charset=UTF-8", "", b"Application-Name: File Transfer", Unacceptable(606)),
        ("application/ms-conf-invite+xml", "", b"<Conf/>", Unacceptable(488)),
        ("application/ms-imdn+xml", "", b"<imdn/>", Unacceptable(415)),
        ("image/gif", "", b"GIF89a", Unacceptable(415)),
        ("nonsense", "", b"hi", Unacceptable(415)),
        ("multipart/alternative; boundary=b", "", PARTS, Text("plain")),
        ("multipart/alternative; boundary=b", "", PARTS.replace(b"text/plain", b"text/rtf"), Text("rich")),
        ("multipart/alternative; boundary=b", "", PARTS.replace(b"text/", b"x/"), Unacceptable(415)),
        ("multipart/alternative", "", PARTS, Unacceptable(415)),
        ("multipart/alternative; boundary=c", "", PARTS, Unacceptable(415)),
        ("multipart/mixed; boundary=b", "", PARTS, Unacceptable(415)),
        ("message/cpim", "", ASKING, ASKED),
        ("message/cpim", "", ASKING.replace(b"Content-type", b"\r\nContent-type"), ASKED),
        ("message/cpim", "", cut("", "Content-Type: message/cpim", "", "x"), Unacceptable(415)),
        ("message/cpim", "", cut("", "Content-Type: text/html", "", "<i>x</i>"), Text("x")),
        ("message/cpim", "", cut("Require: a.b", "", "Content-Type: text/plain", "", "x"), Unacceptable(415)),
        ("message/cpim", "", cut("Require: imdn.Message-ID", "", "Content-Type: text/plain", "", "x"), Text("x")),
        ("application/im-iscomposing+xml", "", write_iscomposing(ChatState.PAUSED), Composing(ChatState.ACTIVE)),
        ("application/im-iscomposing+xml", "", b"<a/>", Unacceptable(415)),
        ("application/xml", "", b"<KeyboardActivity><status status=\"idle\"/></KeyboardActivity>",
         Composing(ChatState.ACTIVE)),
        ("application/xml", "", b"<other/>", Unacceptable(415)),
        ("message/imdn+xml", "", b"<imdn/>", Unacceptable(415)),
    ],
)  # fmt: skip
def test_each_kind_of_body(content_type: str, encoding: str, body: bytes, read: object) -> None:
    assert read_body(content_type, encoding, body, NOW) == read


def test_the_repr_shows_no_text() -> None:
    assert "secret" not in repr(read_body("text/plain", "", b"secret", NOW))


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0\ufeff"), max_size=50))
def test_text_comes_back(text: str) -> None:
    kind, body = write_text(text)
    assert read_body(kind, "", body, NOW) == Text(text)


@settings(deadline=None)
@given(
    st.sampled_from(
        ["text/plain", "text/html", "message/cpim", "multipart/alternative; boundary=b", "message/imdn+xml"]
        + ["application/im-iscomposing+xml", "application/xml"]
    )
    | st.text(max_size=60),
    st.sampled_from(["", "gzip"]),
    st.binary(max_size=200)
    | st.lists(st.sampled_from(["--b", "--b--", "", "Content-Type: text/plain", "a: b", "NS: x <y>", "<", "\\u"])).map(
        lambda lines: cut(*lines)
    ),
)
def test_nothing_is_raised(content_type: str, encoding: str, body: bytes) -> None:
    assert isinstance(read_body(content_type, encoding, body, NOW), Text | Composing | Receipt | Unacceptable)


@pytest.mark.parametrize(
    ("state", "read"), [(ChatState.COMPOSING, Composing(ChatState.COMPOSING, NOW + 120))]
    + [(state, Composing(ChatState.ACTIVE)) for state in ChatState if state is not ChatState.COMPOSING]
)  # fmt: skip
def test_typing_both_ways(state: ChatState, read: Composing) -> None:
    kind, body = write_typing(state)
    check(body)
    assert read_body(kind, "", body, NOW) == read
    assert read_body("application/xml", "", write_keyboard_activity(state), NOW) == read


@pytest.mark.parametrize(("asked", "seconds"), [(None, 120), (60, 60), (90, 90), (1, 60), (99999, 3600)])
def test_an_active_state_ends_after_its_refresh(asked: int | None, seconds: int) -> None:
    _, body = write_typing(ChatState.COMPOSING, asked)
    check(body)
    assert read_body("application/im-iscomposing+xml", "", body, NOW) == Composing(ChatState.COMPOSING, NOW + seconds)


@pytest.mark.parametrize("refresh", ["0", "-5", "soon", "", "1" * 50])
def test_a_refresh_that_is_no_number_is_the_default(refresh: str) -> None:
    body = write_iscomposing(ChatState.COMPOSING, 60).replace(b"60", refresh.encode())
    assert read_body("application/im-iscomposing+xml", "", body, NOW) == Composing(ChatState.COMPOSING, NOW + 120)


def test_the_example_of_rfc_3994() -> None:
    body = (
        b"<?xml version='1.0' encoding='UTF-8'?><isComposing xmlns='urn:ietf:params:xml:ns:im-iscomposing'>"
        b"<state>active</state><contenttype>text/plain</contenttype><refresh>90</refresh></isComposing>"
    )
    assert read_body("application/im-iscomposing+xml", "", body, 0.0) == Composing(ChatState.COMPOSING, 90)
    idle = body.replace(b"active", b"idle").replace(
        b"<refresh>", b"<lastactive>2003-01-27T10:43:00Z</lastactive><refresh>"
    )
    assert read_body("application/im-iscomposing+xml", "", idle, 0.0) == Composing(ChatState.ACTIVE)


def test_keyboard_activity_without_status_is_idle() -> None:
    assert read_keyboard_activity(b"<KeyboardActivity/>", NOW) == Composing(ChatState.ACTIVE)


@pytest.mark.parametrize("disposition", Disposition)
def test_receipts_both_ways(disposition: Disposition) -> None:
    receipt = Receipt("34jk324j", disposition, NOW)
    check(write_imdn(receipt, 0.0))
    assert read_imdn(write_imdn(receipt, 0.0)) == receipt
    kind, body = write_receipt(receipt, sender=BOB, recipient=ALICE, message_id="x", now=NOW)
    assert b"Content-Disposition: notification" in body
    assert b"Disposition-Notification" not in body
    assert read_body(kind, "", body, NOW) == receipt


def test_the_example_of_rfc_5438() -> None:
    body = cut(
        "From: Bob <im:bob@partner.example>", "To: Alice <im:alice@corp.example>", "NS: imdn <urn:ietf:params:imdn>",
        "imdn.Message-ID: d834jied93rf", "Content-type: message/imdn+xml", "Content-Disposition: notification", "",
        "<imdn xmlns='urn:ietf:params:xml:ns:imdn'><message-id>34jk324j</message-id>",
        "<datetime>2008-04-04T12:16:49-05:00</datetime><recipient-uri>im:bob@partner.example</recipient-uri>",
        "<original-recipient-uri>im:bob@partner.example</original-recipient-uri>",
        "<delivery-notification><status><delivered/></status></delivery-notification></imdn>",
    )  # fmt: skip
    receipt = read_body("message/cpim", "", body, NOW)
    assert receipt == Receipt("34jk324j", Disposition.DELIVERED, 1207329409.0)
    assert isinstance(receipt, Receipt)
    assert receipt.arrived
    assert not Receipt("1", Disposition.FAILED).arrived


def test_a_receipt_names_nobody() -> None:
    assert b"uri" not in write_imdn(Receipt("1", Disposition.DELIVERED), NOW)


def test_who_is_notified() -> None:
    kind, body = write_asking("hi", sender=ALICE, recipient=BOB, message_id="1", now=NOW)
    asking = read_body(kind, "", body, NOW)
    assert asking == Text("hi", (), "1", frozenset({"positive-delivery"}), NOW)
    assert may_be_notified(asking, ALICE)
    assert not may_be_notified(asking, "sip:anonymous@anonymous.invalid")
    assert not may_be_notified(asking, ALICE, "negative-delivery")
    assert not may_be_notified(Text("hi", message_id="1"), ALICE)
    assert not may_be_notified(Receipt("1", Disposition.DELIVERED), ALICE)


def test_a_notification_asks_for_none() -> None:
    asking = ASKING.replace(b"Content-length", b"Content-Disposition: notification\r\nContent-length")
    assert read_cpim(asking).wanted == frozenset()


URIS = st.from_regex(r"(im|sip):[a-z0-9]{1,8}@[a-z]{1,8}\.example", fullmatch=True)


@settings(deadline=None)
@given(
    st.builds(
        CpimMessage,
        content_type=st.sampled_from(["text/plain", "text/html;charset=UTF-8"]),
        content=st.binary(max_size=50),
        sender=URIS,
        recipient=st.just("") | URIS,
        subjects=st.lists(
            st.tuples(st.sampled_from(["", "en", "de"]), LINES), max_size=3, unique_by=lambda p: p[0]
        ).map(tuple),
        sent=st.none() | st.integers(0, 2_000_000_000).map(float),
        message_id=st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), max_size=10),
        wanted=st.sets(st.sampled_from(DISPOSITIONS)).map(frozenset),
    )
)
def test_cpim_comes_back(message: CpimMessage) -> None:
    assert read_cpim(write_cpim(message)) == message


def test_no_header_is_smuggled_in() -> None:
    message = CpimMessage(
        "text/plain\r\nX: 1", b"", "im:a@b\r\nX: 2", "im:c> <d", (("", "a\r\nX: 3\\\x01"),), None, "4\nX: 4"
    )
    written = write_cpim(message)
    assert not [line for line in written.split(b"\n") if line.startswith(b"X")]
    assert b"Subject: a\\r\\nX: 3\\\\\\u0001\r\n" in written


@pytest.mark.parametrize(
    ("escaped", "text"),
    [
        (r"a\\b", r"a\b"),
        (r"\u00fc", "ü"),
        (r"\ud83d\ude00", "😀"),
        (r"\q\"", 'q"'),
        ("end\\", "end"),
        (r"\ud83d", "\ufffd"),
    ],
)
def test_escapes_of_rfc_3862(escaped: str, text: str) -> None:
    body = f"Subject:;lang=en {escaped}\r\n\r\nContent-Type: text/plain\r\n\r\n".encode()
    assert read_cpim(body).subjects == (("en", text),)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"From: x",
        b"From x\r\n\r\nContent-Type: text/plain\r\n\r\n",
        b"From: x\r\n\r\nX: y\r\n\r\n",
        b"From: \xff\r\n\r\nContent-Type: text/plain\r\n\r\n",
        b"A: b\r\n" * 100 + b"\r\nContent-Type: text/plain\r\n\r\n",
        b"A: " + b"b" * 20000 + b"\r\n\r\nContent-Type: text/plain\r\n\r\n",
        b"A: b\r\n\r\nContent-Type: text/plain",
    ],
)
def test_what_is_no_cpim_is_refused(body: bytes) -> None:
    with pytest.raises(DocumentError):
        read_cpim(body)


@settings(deadline=None)
@given(st.binary(max_size=200) | st.text("\\u0: \r\n<>;NS", max_size=80).map(str.encode))
def test_nothing_but_the_own_error_escapes_cpim(body: bytes) -> None:
    try:
        read_cpim(body)
        read_cpim(body + b"\r\n\r\nContent-Type: a/b\r\n\r\n")
    except DocumentError as error:
        assert error.reason


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("plain", "plain"),
        ("a &lt;b&gt; &amp; &uuml;&nbsp;&#x1F600;", "a <b> & ü 😀"),
        ("<p>one</p><p>two</p>", "one\ntwo"),
        ("<div>one<div>two</div></div>three", "one\ntwo\nthree"),
        ("one<br/>two<BR>\n three", "one\ntwo\nthree"),
        ("<ul><li>a<li>b</ul>", "a\nb"),
        ("<tr><td>a</td><td>b</td></tr>", "a b"),
        ("  much   \n white  ", "much white"),
        ("a<b>b</b> <i> c</i>", "ab c"),
        ("<script>evil('</p>')</script>ok<style>p{}</style>", "ok"),
        ("<SCRIPT src='x'>evil", ""),
        ("<!-- <p>hidden</p> -->shown<!-- open", "shown"),
        ("<!DOCTYPE html><?php x?>shown", "shown"),
        ("<a href=\"x>y\" title='a>b'>link</a>", "link"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("&lt;script&gt;alert(1)&lt;/script&gt;", "<script>alert(1)</script>"),
        ('<span style="font: \'Arial\'">it\'s</span> "said"', 'it\'s "said"'),
        ("cut <a href=", "cut"),
        ("", ""),
    ],
)
def test_hypertext_becomes_text(markup: str, text: str) -> None:
    assert html_to_text(markup) == text


HOSTILE = [
    "<",
    "<!--",
    "<a ",
    "&",
    "<![CDATA[",
    "</",
    '<a b="',
    "<a b='",
    "<a b=\"'",
    "<script>",
    "<script></",
    "<a/",
    '<a"',
]


@pytest.mark.parametrize("piece", [*HOSTILE, "<p> ", "<br>", " ", "&#", "<a b=", '="', "<td>"])
def test_hostile_hypertext_costs_linear_time(piece: str) -> None:
    text = piece * (60_000 // len(piece))
    assert cpu_seconds(lambda: html_to_text(text)) < 0.5


def test_a_sign_before_a_tag_is_text() -> None:
    assert html_to_text("<<a>a") == "<a"


@settings(deadline=None)
@given(st.text("<>/!-\"'= abp&;", max_size=80))
def test_no_tag_survives(markup: str) -> None:
    """A `<` right before a tag is left out: it is text, and then stands before what the tag stood before."""
    text = html_to_text(re.sub("<+", "<", markup.replace("&", "")))
    assert "<a" not in text
    assert "<p" not in text
    assert "</" not in text


@settings(deadline=None)
@given(st.binary(max_size=3000))
def test_parts_cost_linear_time(noise: bytes) -> None:
    read_body("multipart/alternative; boundary=b", "", b"\r\n--b\r\n\r\n" * 15 + noise, NOW)


def test_many_parts_are_refused() -> None:
    body = b"--b\r\n\r\nx\r\n" * 17 + b"--b--"
    assert read_body("multipart/alternative; boundary=b", "", body, NOW) == Unacceptable(415)
