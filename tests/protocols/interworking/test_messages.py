"""RFC 7572: the worked examples of single messages, both ways, and what RFC 7573 says about typing."""

import pytest

from gateway.model.address import Address
from gateway.model.envelope import Bounce, Envelope, Problem, Side
from gateway.protocols.sip.addressing import uri_of
from gateway.protocols.sip.message import Request

from .bridge import JULIET, ROMEO, Bridge, OpenHouse, named

ART_THOU = "Art thou not Romeo, and a Montague?"
CALL = "9E97FB43-85F4-4A00-8751-1124FD4C7B2E"
NEITHER = "Neither, fair saint, if either thee dislike."
PROC = "Pro\u010de\u017e jsi ty, Romeo?"
"""Not ASCII; RFC 7572 prints such bytes as if each were a character."""


def from_juliet(inside: str, attributes: str = "") -> str:
    return f"<message from='juliet@example.com/yn0cl4bnw0yr3vym' to='romeo@example.net'{attributes}>{inside}</message>"


def from_romeo(body: str, **more: str) -> str:
    given = {
        "Via": "SIP/2.0/TCP s2x.example.net;branch=z9hG4bKeskdgs677",
        "Max-Forwards": "70",
        "To": JULIET,
        "From": f"{ROMEO};tag=vwxyz",
        "Call-ID": CALL,
        "CSeq": "1 MESSAGE",
        "Content-Type": "text/plain",
    } | {name.replace("_", "-"): value for name, value in more.items()}
    fields = "".join(f"{name}: {value}\n" for name, value in given.items())
    length = len(body.replace("\n", "\r\n").encode())
    return f"MESSAGE {JULIET} SIP/2.0\n{fields}Content-Length: {length}\n\n{body}"


def one(sent: list[Request]) -> Request:
    (request,) = sent
    return request


# --- section 4: an XMPP user sends a message


def test_section_4_example() -> None:
    request = one(Bridge().stanza(from_juliet(f"<body>{ART_THOU}</body>")))
    assert (request.method, request.uri) == ("MESSAGE", "sip:romeo@example.net")
    assert request.body == ART_THOU.encode() and len(request.body) == 35
    assert str(request.to) == "<sip:romeo@example.net>"
    assert request.from_.uri == uri_of(Address.parse("juliet@example.com")) and request.from_.tag
    assert request.cseq.number == 1 and request.call_id
    assert named(request, "Max-Forwards") == {"Max-Forwards": "70"}
    assert request.headers.get("Content-Type") == "text/plain;charset=UTF-8"
    assert "Contact" not in request.headers, "a MESSAGE makes no dialog (RFC 3428 section 4)"


def test_nothing_but_what_is_built_goes_out() -> None:
    request = one(Bridge().stanza(from_juliet(f"<body>{ART_THOU}</body>", " id='m1'")))
    assert {name for name, _ in request.headers} == {
        *("Via", "Max-Forwards", "From", "To", "Call-ID", "CSeq", "Content-Type")
    }
    written = str([*request.headers])
    assert "yn0cl4bnw0yr3vym" not in written, "the resource names a device: the person is told, not the endpoint"


def test_subject_and_language() -> None:
    sent = from_juliet(f"<subject>Hi!</subject><body>{PROC}</body>", " xml:lang='cs'")
    request = one(Bridge().stanza(sent))
    assert named(request, "Subject", "Content-Language") == {"Subject": "Hi!", "Content-Language": "cs"}
    assert request.body.decode() == PROC


def test_of_several_languages_the_first_goes() -> None:
    inside = f"<body xml:lang='en'>{ART_THOU}</body><body xml:lang='cs'>{PROC}</body>"
    request = one(Bridge().stanza(from_juliet(inside)))
    assert request.body.decode() == ART_THOU and request.headers.get("Content-Language") == "en"


@pytest.mark.parametrize("kind", ["", " type='chat'", " type='normal'", " type='strange'"])
def test_the_type_is_not_mapped(kind: str) -> None:
    request = one(Bridge().stanza(from_juliet("<body>hi</body>", kind)))
    assert request.body == b"hi"


def test_more_than_1300_bytes_are_a_policy_violation() -> None:
    bridge = Bridge()
    assert bridge.stanza(from_juliet(f"<body>{'x' * 1300}</body>")) == []
    assert bridge.house.failed == [Problem.POLICY_VIOLATION]
    assert one(bridge.stanza(from_juliet(f"<body>{'x' * 700}</body>")))


def test_the_next_message_waits_for_the_answer_to_the_one_before() -> None:
    bridge = Bridge()
    first = one(bridge.stanza(from_juliet("<body>1</body>")))
    assert bridge.stanza(from_juliet("<body>2</body>")) == []
    bridge.reply(first, 202)
    assert [request.body for request in bridge.asked] == [b"1", b"2"]


# --- section 5: a SIP user sends a message


def test_section_5_example() -> None:
    bridge = Bridge()
    assert bridge.hear(from_romeo(NEITHER)) == [
        f"<message from='romeo@example.net' to='juliet@example.com' id='st1'><body>{NEITHER}</body>"
        f"<thread>{CALL}</thread></message>"
    ]
    (answer,) = bridge.answered
    assert answer.status == 202
    assert {"Contact", "Server", "User-Agent"}.isdisjoint(name for name, _ in answer.headers) and answer.body == b""


def test_it_has_no_type_whatever_it_was_before() -> None:
    """Pager mode knows no conversation: the type must be normal, which is written by leaving it out."""
    (stanza,) = Bridge().hear(from_romeo(NEITHER))
    assert "type=" not in stanza


def test_bytes_are_utf_8() -> None:
    (stanza,) = Bridge().hear(from_romeo(PROC, Content_Type="text/plain;charset=UTF-8"))
    assert f"<body>{PROC}</body>" in stanza


def test_its_language_and_subject_cross() -> None:
    (stanza,) = Bridge().hear(from_romeo("Nic", Content_Language="cs", Subject="Hi!"))
    assert "<body xml:lang='cs'>Nic</body>" in stanza and ">Hi!</subject>" in stanza


def test_a_message_that_comes_twice_is_delivered_once() -> None:
    bridge = Bridge()
    assert len(bridge.hear(from_romeo(NEITHER))) == 1
    assert bridge.hear(from_romeo(NEITHER)) == []


def test_the_way_there_and_back() -> None:
    """What juliet wrote comes back from SIP as she wrote it."""
    request = one(Bridge().stanza(from_juliet(f"<body>a &lt; b &amp; {PROC}</body>")))
    (stanza,) = Bridge().hear(from_romeo(request.body.decode(), Content_Type="text/plain;charset=UTF-8"))
    assert f"<body>a &lt; b &amp; {PROC}</body>" in stanza


# --- section 7: content types


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        ("text/html", "<p>fair <b>saint</b></p><script>alert(1)</script>", "fair saint"),
        ("text/plain;charset=utf-8", NEITHER, NEITHER),
        (
            "message/cpim",
            "From: <sip:eve@stranger.example>\nTo: <sip:juliet@example.com>\nDateTime: 2026-11-23T12:00:00Z\n\n"
            "Content-Type: text/plain; charset=utf-8\n\nhi",
            "hi",
        ),
    ],
)
def test_what_is_reduced_to_text(kind: str, body: str, text: str) -> None:
    (stanza,) = Bridge().hear(from_romeo(body, Content_Type=kind))
    assert stanza.startswith("<message from='romeo@example.net' to='juliet@example.com'")
    assert f"<body>{text}</body>" in stanza and "alert" not in stanza


@pytest.mark.parametrize("kind", ["image/png", "application/octet-stream", "application/pidf+xml"])
def test_the_rest_is_refused_with_the_list_of_what_is_read(kind: str) -> None:
    bridge = Bridge()
    assert bridge.hear(from_romeo("x", Content_Type=kind)) == []
    (answer,) = bridge.answered
    assert answer.status == 415 and "text/plain" in (answer.headers.get("Accept") or "")


# --- typing and receipts (RFC 3994, 5438, 7573 section 7)


def test_typing_towards_xmpp() -> None:
    body = "<isComposing xmlns='urn:ietf:params:xml:ns:im-iscomposing'><state>{}</state></isComposing>"
    kind = "application/im-iscomposing+xml"
    (composing,) = Bridge().hear(from_romeo(body.format("active"), Content_Type=kind))
    (idle,) = Bridge().hear(from_romeo(body.format("idle"), Content_Type=kind))
    assert "<composing xmlns='http://jabber.org/protocol/chatstates'/>" in composing and "<body>" not in composing
    assert "<active xmlns='http://jabber.org/protocol/chatstates'/>" in idle


def test_a_state_alone_is_no_empty_message() -> None:
    state = "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
    assert Bridge().stanza(from_juliet(state, " type='chat'")) == []


def test_a_receipt_is_a_notification_in_cpim() -> None:
    request = one(Bridge().stanza(from_juliet("<received xmlns='urn:xmpp:receipts' id='m7'/>")))
    assert request.headers.get("Content-Type") == "message/cpim"
    assert b"message/imdn+xml" in request.body and b"<message-id>m7</message-id>" in request.body
    assert b"<delivered/>" in request.body


def test_what_says_nothing_is_not_sent() -> None:
    assert Bridge().stanza(from_juliet("<thread>t1</thread>")) == []


# --- Call-ID and thread (tables 1 and 2)


def test_messages_of_one_call_have_one_thread() -> None:
    bridge = Bridge()
    (first,) = bridge.hear(from_romeo("1"))
    (second,) = bridge.hear(from_romeo("2", CSeq="2 MESSAGE", Via="SIP/2.0/TCP s2x.example.net;branch=z9hG4bK2"))
    assert f"<thread>{CALL}</thread>" in first and f"<thread>{CALL}</thread>" in second


def test_messages_of_one_thread_have_one_call() -> None:
    bridge = Bridge()
    (one,) = bridge.stanza(from_juliet("<body>1</body><thread>t7</thread>"))
    bridge.reply(one, 202)
    (two,) = bridge.stanza(from_juliet("<body>2</body><thread>t7</thread>"))
    assert one.call_id == two.call_id and two.cseq.number > one.cseq.number
    assert "t7" not in one.call_id, "the same thread of two others must not have this Call-ID"


def test_an_answer_in_the_thread_is_in_the_call_and_back() -> None:
    bridge = Bridge()
    bridge.hear(from_romeo("1"))
    (answer,) = bridge.stanza(from_juliet(f"<body>2</body><thread>{CALL}</thread>"))
    assert answer.call_id == CALL
    bridge.reply(answer, 202)
    (mine,) = bridge.stanza(from_juliet("<body>3</body><thread>t7</thread>"))
    assert mine.call_id != CALL
    (back,) = bridge.hear(from_romeo("4", Call_ID=mine.call_id, Via="SIP/2.0/TCP s2x.example.net;branch=z9hG4bK4"))
    assert "<thread>t7</thread>" in back


def test_without_a_thread_each_message_is_a_call_of_its_own() -> None:
    bridge = Bridge()
    (one,) = bridge.stanza(from_juliet("<body>1</body>"))
    bridge.reply(one, 202)
    (two,) = bridge.stanza(from_juliet("<body>2</body>"))
    assert one.call_id != two.call_id


def test_a_thread_is_another_call_for_another_pair() -> None:
    bridge = Bridge()
    (one,) = bridge.stanza(from_juliet("<body>1</body><thread>t7</thread>"))
    (two,) = bridge.stanza(from_juliet("<body>1</body><thread>t7</thread>").replace("romeo@", "mercutio@"))
    assert one.call_id != two.call_id


# --- the same message once more (protocols.md L-04)


def test_a_message_that_comes_by_another_way_is_delivered_once() -> None:
    bridge = Bridge()
    assert len(bridge.hear(from_romeo(NEITHER))) == 1
    other = "SIP/2.0/TCP s2x.example.net;branch=z9hG4bKother"
    assert bridge.hear(from_romeo(NEITHER, Via=other)) == []
    assert [answer.status for answer in bridge.answered] == [202, 202]
    bridge.wait(40.0)
    assert bridge.hear(from_romeo(NEITHER, Via=f"{other}1")) == [], "the transaction is over, the message is the same"
    assert len(bridge.hear(from_romeo("another", CSeq="2 MESSAGE", Via=f"{other}2"))) == 1
    bridge.wait(61.0)
    assert len(bridge.hear(from_romeo(NEITHER, Via=f"{other}3"))) == 1


# --- times (RFC 3428 sections 4 and 7)


def test_an_expired_message_is_taken_and_shown_to_nobody() -> None:
    bridge = Bridge()
    late = from_romeo(NEITHER, Date="Wed, 18 Nov 2026 00:00:00 GMT", Expires="60")
    assert bridge.hear(late) == [] and [answer.status for answer in bridge.answered] == [202]


def test_a_delayed_message_says_since_when() -> None:
    (stanza,) = Bridge().hear(from_romeo(NEITHER, Date="Wed, 18 Nov 2026 00:00:00 GMT"))
    assert "<delay xmlns='urn:xmpp:delay' stamp='2026-11-18T00:00:00Z'/>" in stanza


def test_the_peers_own_word_on_languages_goes_before_the_contract() -> None:
    bridge = Bridge(languages=("en",))
    inside = f"<body xml:lang='cs'>{PROC}</body><body xml:lang='en'>{ART_THOU}</body>"
    (first,) = bridge.stanza(from_juliet(inside))
    assert first.headers.get("Content-Language") == "en"
    bridge.reply(first, 200)
    bridge.hear(from_romeo("Nic", Accept_Language="cs, en;q=0.5"))
    (second,) = bridge.stanza(from_juliet(inside))
    assert second.headers.get("Content-Language") == "cs"


# --- what fails afterwards (RFC 5438)

ASKING = (
    f"From: <{ROMEO}>\nTo: <{JULIET}>\nNS: imdn <urn:ietf:params:imdn>\nimdn.Message-ID: m7\n"
    "imdn.Disposition-Notification: {wanted}\n\nContent-Type: text/plain\n\nhi"
)


def fails(bridge: Bridge, wanted: str, problem: Problem = Problem.REMOTE_SERVER_TIMEOUT) -> list[Request]:
    """Lets romeo's message be taken, and the house say later that it could not be delivered."""
    (stanza,) = bridge.hear(from_romeo(ASKING.format(wanted=wanted), Content_Type="message/cpim"))
    assert "id='m7'" in stanza and [answer.status for answer in bridge.answered] == [202]
    bounce = Bounce("message", "m7", problem)
    juliet, romeo = Address.parse("juliet@example.com"), Address.parse("romeo@example.net")
    for _ in range(2):
        bridge.desk.deliver(Envelope(juliet, romeo, bounce, Side.INTERNAL))
        bridge.settle()
    return bridge.asked


def test_who_asks_is_told_of_a_late_failure_once() -> None:
    (told,) = fails(Bridge(), "positive-delivery, negative-delivery")
    assert (told.method, told.uri, told.headers.get("Content-Type")) == ("MESSAGE", ROMEO, "message/cpim")
    assert b"<message-id>m7</message-id>" in told.body and b"<failed/>" in told.body
    assert b"Disposition-Notification" not in told.body, "no notification is asked for about a notification"
    assert b"timeout" not in told.body, "why is nobody's business"


@pytest.mark.parametrize("wanted", ["positive-delivery", "display"])
def test_who_does_not_ask_hears_nothing(wanted: str) -> None:
    assert fails(Bridge(), wanted) == []


def test_who_is_blocked_hears_what_is_said_of_who_is_not_there() -> None:
    """That nobody is there is known after the answer, that he is blocked before it: both get 202 and the same after."""
    (absent,) = fails(Bridge(), "negative-delivery", Problem.SERVICE_UNAVAILABLE)
    blocked = Bridge(OpenHouse(refusal=Problem.SERVICE_UNAVAILABLE))
    blocked.hear(from_romeo(ASKING.format(wanted="negative-delivery"), Content_Type="message/cpim"))
    assert [answer.status for answer in blocked.answered] == [202]
    (told,) = blocked.asked
    assert (
        told.body.partition(b"imdn.Message-ID")[2].partition(b"\n")[2]
        == (absent.body.partition(b"imdn.Message-ID")[2].partition(b"\n")[2])
    )
    assert [name for name, _ in told.headers] == [name for name, _ in absent.headers]


def test_a_failure_about_a_notification_ends_there() -> None:
    bridge = Bridge()
    (told,) = fails(bridge, "negative-delivery")
    bridge.reply(told, 480)
    assert bridge.house.failed == [] and len(bridge.asked) == 1
