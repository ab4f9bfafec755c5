"""Instant messages: the model's into SIP bodies, and SIP bodies into the model's (RFC 7572, 3994, 5438)."""

from collections.abc import Callable
from typing import Final

from attrs import frozen

from gateway.model.address import Address
from gateway.model.message import ChatState, Message, MessageKind
from gateway.protocols.ids import clean_language
from gateway.protocols.im_body import Text, Unacceptable, read_body, write_receipt, write_text, write_typing
from gateway.protocols.imdn import Disposition, Receipt
from gateway.protocols.iscomposing import Composing, read_keyboard_activity
from gateway.protocols.sip.addressing import uri_of
from gateway.protocols.sip.watching import Document
from gateway.protocols.xml_document import DocumentError

KEYBOARD: Final = "application/xml"
LONGEST_SUBJECT: Final = 256
"""Characters of a subject that cross."""
_TYPING: Final = frozenset({ChatState.COMPOSING, ChatState.ACTIVE, ChatState.PAUSED, ChatState.INACTIVE})


@frozen
class Written:
    """Is one SIP body and the headers beside it."""

    document: Document
    fields: tuple[tuple[str, str], ...] = ()


def write(message: Message, sender: Address, recipient: Address, now: float) -> list[Written]:
    """Gives the bodies that carry a message: its text, or else its receipt or its state of typing.

    The text is that of the first language (RFC 7572 section 4); a text implies that typing has ended. A receipt is not
    asked for: that needs CPIM, which many clients refuse.
    """
    shown, other = str(uri_of(sender.bare)), str(uri_of(recipient.bare))
    if message.bodies or message.subjects:
        language, text = (message.bodies or message.subjects)[0]
        fields: tuple[tuple[str, str], ...] = (("Content-Language", language),) if language else ()
        subject = message.subjects[0][1] if message.subjects else ""
        if subject.isprintable() and subject:
            fields += (("Subject", subject[:LONGEST_SUBJECT]),)
        return [Written(Document(*write_text(text)), fields)]
    if message.receipt_for:
        receipt = Receipt(message.receipt_for, Disposition.DELIVERED)
        kind, body = write_receipt(receipt, sender=shown, recipient=other, message_id=message.id or "r", now=now)
        return [Written(Document(kind, body))]
    if message.chat_state in _TYPING:
        return [Written(Document(*write_typing(message.chat_state)))]
    return []


def read(
    content_type: str,
    encoding: str,
    body: bytes,
    number: str,
    in_session: bool,
    now: float,
    language: str = "",
    subject: str = "",
) -> Message | int:
    """Gives the message that a body carries, or the status with which it is refused.

    A pager message is of kind normal (RFC 7572 section 5); one in a session belongs to a conversation. `language` and
    `subject` are the headers Content-Language and Subject; a subject inside the body goes before.
    """
    kind = MessageKind.CHAT if in_session else MessageKind.NORMAL
    found = read_body(content_type, encoding, body, now)
    if isinstance(found, Unacceptable):
        return found.status
    if isinstance(found, Text):
        spoken = clean_language(language.partition(",")[0].strip())
        texts = ((spoken, found.text),) if found.text else ()
        title = " ".join(subject.split())[:LONGEST_SUBJECT]
        wanted = bool(found.message_id) and "positive-delivery" in found.wanted
        return Message(
            kind,
            found.message_id or number,
            bodies=texts,
            subjects=found.subjects or (((spoken, title),) if title else ()),
            receipt_wanted=wanted,
            delayed_since=found.sent if found.sent is not None and now - found.sent > 60 else None,
        )
    if isinstance(found, Composing):
        return Message(MessageKind.CHAT, chat_state=found.state)
    return Message(kind, receipt_for=found.message_id)


def read_typing(content_type: str, body: bytes, now: float) -> Message | None:
    """Gives what an INFO of a session says about the keyboard, or None (reference: MS-SIP KeyboardActivity)."""
    reader: Callable[[bytes, float], Composing] | None = None
    if content_type.partition(";")[0].strip().lower() == KEYBOARD:
        reader = read_keyboard_activity
    if reader is None:
        return None
    try:
        return Message(MessageKind.CHAT, chat_state=reader(body, now).state)
    except DocumentError:
        return None
