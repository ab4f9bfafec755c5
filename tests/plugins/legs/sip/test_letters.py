"""Messages into bodies of SIP and back (RFC 7572, 3994, 5438)."""

from typing import Any

import pytest

from gateway.model.address import Address
from gateway.model.message import ChatState, Message, MessageKind
from plugins.legs.sip.letters import LONGEST_SUBJECT, Beside, ReadLetter, languages_of, read, read_typing, write

ALICE, BOB = Address.parse("alice@corp.example"), Address.parse("bob@partner.example")
NOW = 1_700_000_000.0
COMPOSING = "application/im-iscomposing+xml"


def taken(kind: str, body: bytes, *, in_session: bool = False, **more: Any) -> Message | int:
    found = read(kind, body, "s1", in_session, NOW, Beside(**more))
    return found.message if isinstance(found, ReadLetter) else found


def test_text_goes_with_its_language_and_subject() -> None:
    (one,) = write(Message(bodies=(("de", "Grüße"), ("", "hi")), subjects=(("", "tea"),)), ALICE, BOB, NOW)
    assert one.document.body.decode() == "Grüße"
    assert dict(one.fields) == {"Content-Language": "de", "Subject": "tea"}


@pytest.mark.parametrize("subject", ["two\r\nBcc: x", "\x00", "", "\x7f"])
def test_a_subject_that_could_be_a_header_stays_behind(subject: str) -> None:
    (one,) = write(Message(bodies=(("", "hi"),), subjects=(("", subject),)), ALICE, BOB, NOW)
    assert one.fields == ()


def test_subject_is_bounded_and_stands_for_a_missing_text() -> None:
    (one,) = write(Message(subjects=(("", "t" * 5000),)), ALICE, BOB, NOW)
    assert len(dict(one.fields)["Subject"]) == LONGEST_SUBJECT and len(one.document.body) == 5000


def test_typing_and_nothing() -> None:
    (one,) = write(Message(chat_state=ChatState.COMPOSING), ALICE, BOB, NOW)
    assert one.document.content_type == COMPOSING and b">active<" in one.document.body
    assert write(Message(chat_state=ChatState.GONE), ALICE, BOB, NOW) == write(Message(), ALICE, BOB, NOW) == []


def test_receipt_names_both_and_the_message() -> None:
    (one,) = write(Message(receipt_for="m1", id="r1"), ALICE, BOB, NOW)
    assert one.document.content_type == "message/cpim" and b"m1" in one.document.body
    back = taken(one.document.content_type, one.document.body)
    assert isinstance(back, Message) and back.receipt_for == "m1"


def test_headers_are_read() -> None:
    found = taken("text/plain", b"hi", language="fr, de", subject="  a   b ")
    assert isinstance(found, Message)
    assert (found.kind, found.id) == (MessageKind.NORMAL, "s1")
    assert found.bodies == (("fr", "hi"),) and found.subjects == (("fr", "a b"),)
    assert taken("text/plain", b"hi", language="not a language!").bodies == (("", "hi"),)  # type: ignore[union-attr]


def test_in_a_session_it_is_a_conversation() -> None:
    found = taken("text/html", b"<p>a <b>b</b></p>", in_session=True)
    assert isinstance(found, Message) and found.kind is MessageKind.CHAT and found.bodies == (("", "a b"),)


@pytest.mark.parametrize(
    ("kind", "encoding", "status"),
    [
        ("image/png", "", 415),
        ("text/plain", "gzip", 415),
        ("text/x-msmsgsinvite", "", 606),
        ("text/plain; charset=x", "", 415),
    ],
)
def test_what_does_not_cross_has_its_status(kind: str, encoding: str, status: int) -> None:
    assert taken(kind, b"x", encoding=encoding) == status


def test_keyboard_of_communicator() -> None:
    told = read_typing(
        "application/xml; charset=utf-8", b"<KeyboardActivity><status status='type'/></KeyboardActivity>", NOW
    )
    assert told is not None and told.chat_state is ChatState.COMPOSING
    assert read_typing("application/xml", b"<x", NOW) is read_typing("text/plain", b"x", NOW) is None


# -- languages -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "gone"),
    [
        ((), "en"),
        (("cs", "en"), "cs"),
        (("fr", "de"), "de-AT"),
        (("de-ch", "cs"), "cs"),
        (("en-gb",), "en"),
        (("fr",), "en"),
    ],
)
def test_the_dearest_language_goes(wanted: tuple[str, ...], gone: str) -> None:
    texts = (("en", "hi"), ("de-AT", "servus"), ("cs", "ahoj"))
    (one,) = write(Message(bodies=texts, subjects=texts), ALICE, BOB, NOW, wanted)
    text = dict(texts)[gone]
    assert one.document.body.decode() == text
    assert dict(one.fields) == {"Content-Language": gone, "Subject": text}


@pytest.mark.parametrize(
    ("values", "order"),
    [
        ([], ()),
        (["da", "en-GB;q=0.8", "en; q=0.7"], ("da", "en-gb", "en")),
        (["en;q=0.1", "de"], ("de", "en")),
        (["*", "de;q=0", "fr;q=x", "a b"], ()),
        (["en"] * 1000, ("en",) * 16),
    ],
)
def test_accept_language_is_read(values: list[str], order: tuple[str, ...]) -> None:
    assert languages_of(values) == order


# -- times (RFC 3428 sections 4 and 7) -------------------------------------------------------------------------------


def test_expiry_counts_from_the_date_or_from_now() -> None:
    assert taken("text/plain", b"x", lasts=60).expires_at == NOW + 60  # type: ignore[union-attr]
    assert taken("text/plain", b"x", lasts=60, sent=NOW - 50).expires_at == NOW + 10  # type: ignore[union-attr]
    assert taken("text/plain", b"x", lasts=60, sent=NOW + 999).expires_at == NOW + 60  # type: ignore[union-attr]
    assert taken("text/plain", b"x", sent=NOW - 50).expires_at is None  # type: ignore[union-attr]


def test_a_late_date_is_a_delay() -> None:
    assert taken("text/plain", b"x", sent=NOW - 3600).delayed_since == NOW - 3600  # type: ignore[union-attr]
    assert taken("text/plain", b"x", sent=NOW - 5).delayed_since is None  # type: ignore[union-attr]


def test_times_are_written() -> None:
    message = Message(bodies=(("", "x"),), delayed_since=NOW - 100, expires_at=NOW + 50)
    (one,) = write(message, ALICE, BOB, NOW)
    assert dict(one.fields) == {"Date": "Tue, 14 Nov 2023 22:11:40 GMT", "Expires": "150"}
    (one,) = write(Message(bodies=(("", "x"),), delayed_since=NOW - 100), ALICE, BOB, NOW)
    assert dict(one.fields) == {"Date": "Tue, 14 Nov 2023 22:11:40 GMT"}


# -- who wants to hear of a failure (RFC 5438) -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "sender", "told"),
    [
        ("negative-delivery", "sip:bob@partner.example", True),
        ("positive-delivery, negative-delivery", "sip:bob@partner.example", True),
        ("positive-delivery", "sip:bob@partner.example", False),
        ("negative-delivery", "sip:anonymous@anonymous.invalid", False),
    ],
)
def test_failure_is_told_to_who_asks(wanted: str, sender: str, told: bool) -> None:
    body = (
        f"From: <{sender}>\r\nTo: <sip:alice@corp.example>\r\nNS: imdn <urn:ietf:params:imdn>\r\n"
        f"imdn.Message-ID: m1\r\nimdn.Disposition-Notification: {wanted}\r\n\r\nContent-Type: text/plain\r\n\r\nhi"
    )
    found = read("message/cpim", body.encode(), "s1", False, NOW, Beside(sender=sender))
    assert isinstance(found, ReadLetter) and found.tell_failure is told and found.message.id == "m1"
