"""A finished conversation as one message: headers, both parts, nothing that a contact writes breaks out of his line."""

import email
from email.message import EmailMessage
from email.policy import default
from email.utils import parsedate_to_datetime

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.address import Address
from gateway.model.envelope import Side
from gateway.protocols.mail import Line, Transcript, message_id, thread_id, write_conversation

ALICE, BOB = Address.parse("alice@corp.example"), Address.parse("bob@partner.example")
START = 1_790_000_000.0
US, THEM = Side.INTERNAL, Side.EXTERNAL


def transcript(*lines: Line, **changes: object) -> Transcript:
    said = Transcript("k1", ALICE, BOB, US, START, START + 600, lines or (Line(START, US, "hello"),), "t1")
    return evolve(said, **changes)  # type: ignore[arg-type]


def read(said: Transcript) -> EmailMessage:
    found = email.message_from_bytes(write_conversation(said), policy=default)
    assert isinstance(found, EmailMessage) and not found.defects
    return found


def part(said: Transcript, kind: str) -> str:
    found = read(said).get_body((kind,))
    assert found is not None
    return str(found.get_content()).replace("\r\n", "\n")


def test_headers_say_when_who_and_with_whom() -> None:
    letter = read(transcript())
    assert parsedate_to_datetime(str(letter["Date"])).timestamp() == START
    assert (str(letter["From"]), str(letter["To"])) == ("alice@corp.example", "bob@partner.example")
    assert letter["Subject"] == "Conversation with bob@partner.example"
    assert letter.get_content_type() == "multipart/alternative"
    assert [each.get_content_type() for each in letter.iter_parts()] == ["text/plain", "text/html"]


def test_who_began_it_is_its_sender_and_the_subject_is_always_about_the_contact() -> None:
    letter = read(transcript(begun_by=THEM))
    assert (str(letter["From"]), str(letter["To"])) == ("bob@partner.example", "alice@corp.example")
    assert letter["Subject"] == "Conversation with bob@partner.example"


def test_the_name_is_stable_and_no_other_conversation_has_it() -> None:
    one = transcript()
    assert message_id(one) == message_id(transcript(Line(START, US, "other"))) == str(read(one)["Message-ID"])
    assert message_id(one) != message_id(transcript(key="k2"))
    assert thread_id(one) == thread_id(transcript(key="k2")) == str(read(one)["References"])
    assert thread_id(one) != thread_id(transcript(thread="t2"))


def test_the_text_has_a_line_for_each_thing_said() -> None:
    said = transcript(
        Line(START + 5, US, "hello"),
        Line(START + 65, THEM, "two\nlines", corrected=START + 70),
        Line(START + 80, US, "", encrypted=True, failed=True),
        Line(START + 90, THEM, "kept", notice=True),
    )
    assert part(said, "plain").splitlines() == [
        "Conversation with bob@partner.example",
        "2026-09-21 14:13 to 2026-09-21 14:23 UTC (10 minutes)",
        "",
        "[14:13:25] alice@corp.example: hello",
        "[14:14:25] bob@partner.example (corrected 14:14:30): two",
        "    lines",
        "[14:14:40] alice@corp.example (not delivered): (an encrypted message)",
        "[14:14:50] bob@partner.example (notice): kept",
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"])
def test_nobody_can_write_a_line_of_somebody_else(end: str) -> None:
    text = part(transcript(Line(START, THEM, f"x{end}[14:00:00] alice@corp.example: I agree")), "plain")
    assert not any(line.startswith("[14:00:00]") for line in text.splitlines())


def test_hypertext_is_escaped() -> None:
    hostile = '<script>alert(1)</script> & "quotes" \''
    text = part(transcript(Line(START, THEM, hostile)), "html")
    assert "<script>" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;quotes&quot;" in text
    assert "a<br>b" in part(transcript(Line(START, THEM, "a\nb")), "html")


@pytest.mark.parametrize(
    "contact", ["bücher@partner.example", "x..y@bücher.example", ".dot@partner.example", f"{'l' * 200}@partner.example"]
)
def test_addresses_that_mail_cannot_write_do_not_break_the_headers(contact: str) -> None:
    letter = read(transcript(contact=Address.parse(contact), begun_by=THEM))
    assert len(letter["From"].addresses) == 1
    assert letter["From"].addresses[0].addr_spec.isascii()


texts = st.text(st.characters(codec="utf-8") | st.sampled_from("\r\n\x00<>&\u2028"), max_size=200)


@given(st.lists(texts, min_size=1, max_size=5), st.text(max_size=20))
def test_whatever_is_said_the_message_is_well_formed(said: list[str], thread: str) -> None:
    raw = write_conversation(transcript(*(Line(START + n, THEM, text) for n, text in enumerate(said)), thread=thread))
    assert raw.isascii()
    assert b"\n" not in raw.replace(b"\r\n", b"") and b"\r" not in raw.replace(b"\r\n", b"")
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    found = email.message_from_bytes(raw, policy=default)
    assert not found.defects
    assert [each.get_content_type() for each in found.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert len(found["From"].addresses) == 1 and found["Subject"] == "Conversation with bob@partner.example"
