"""Messages and envelopes can be printed without printing what was said."""

import pytest

from gateway.model.address import Address
from gateway.model.envelope import Answer, Bounce, Content, Envelope, Problem, Query, QueryKind, Side
from gateway.model.message import ChatState, EncryptedPayload, Message, MessageKind
from gateway.model.presence import Presence
from tests.policy.samples import CANARY, full_document

CARD = Query(QueryKind.CARD, "q1", form=CANARY)
CONTENTS: list[Content] = [
    Message(
        MessageKind.CHAT,
        "m1",
        bodies=(("en", CANARY),),
        subjects=(("", CANARY),),
        thread=CANARY,
        encrypted=(EncryptedPayload("urn:example:e2e", CANARY),),
    ),
    Presence(full_document()),
    Bounce("message", "m1", Problem.SERVICE_UNAVAILABLE, CANARY),
    CARD,
    Answer(CARD, full_document()),
]


@pytest.mark.parametrize("content", CONTENTS, ids=lambda content: type(content).__name__)
def test_envelope_prints_who_and_what_kind_but_no_content(content: Content) -> None:
    envelope = Envelope(
        Address.parse("alice@corp.example"), Address.parse("bob@partner.example"), content, Side.INTERNAL
    )
    shown = f"{envelope!r} {envelope} {content!r}"
    assert CANARY not in shown
    assert "alice@corp.example" in shown and type(content).__name__ in shown


def test_failed_comparison_of_messages_shows_no_text() -> None:
    left = Message(bodies=(("", CANARY),))
    with pytest.raises(AssertionError) as caught:
        if left != Message():
            raise AssertionError(f"{left} is not {Message()}")
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (Message(), False),
        (Message(chat_state=ChatState.COMPOSING), False),
        (Message(receipt_for="m1"), False),
        (Message(thread="t"), False),
        (Message(bodies=(("", "x"),)), True),
        (Message(subjects=(("", "x"),)), True),
        (Message(encrypted=(EncryptedPayload("s", "f"),)), True),
    ],
)
def test_has_text_says_whether_a_person_would_read_something(message: Message, expected: bool) -> None:
    assert message.has_text is expected


def test_encrypted_payload_hides_its_form() -> None:
    assert CANARY not in repr(EncryptedPayload("s", CANARY))
