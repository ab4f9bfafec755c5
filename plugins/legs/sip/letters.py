"""Instant messages: the model's into SIP bodies, and SIP bodies into the model's (RFC 7572, 3994, 5438)."""

from collections.abc import Callable, Sequence
from typing import Final

from attrs import frozen

from gateway.model.address import Address
from gateway.model.message import ChatState, Hop, Message, MessageKind
from gateway.model.presence import Texts
from gateway.protocols.ids import clean_language
from gateway.protocols.im_body import (
    Text,
    Unacceptable,
    may_be_notified,
    read_body,
    write_receipt,
    write_text,
    write_typing,
)
from gateway.protocols.imdn import Disposition, Receipt
from gateway.protocols.iscomposing import Composing, read_keyboard_activity
from gateway.protocols.sip.addressing import uri_text
from gateway.protocols.sip.dates import read_date, write_date
from gateway.protocols.sip.message import Request
from gateway.protocols.sip.station import forwards_left, hops_of
from gateway.protocols.sip.watching import Document
from gateway.protocols.xml_document import DocumentError

KEYBOARD: Final = "application/xml"
DISCLOSURE: Final = "X-Gateway-Disclosure"
"""Our own header: `kept` marks a message in which a gateway says that the conversation is kept."""
LONGEST_SUBJECT: Final = 256
"""Characters of a subject that cross."""
LATE: Final = 60.0
"""Seconds after which a message counts as delayed."""
MOST_LANGUAGES: Final = 16
_TYPING: Final = frozenset({ChatState.COMPOSING, ChatState.ACTIVE, ChatState.PAUSED, ChatState.INACTIVE})


@frozen
class Written:
    """Is one SIP body and the headers beside it."""

    document: Document
    fields: tuple[tuple[str, str], ...] = ()


@frozen
class Beside:
    """Is what the headers of a MESSAGE say about its body."""

    encoding: str = ""
    language: str = ""
    subject: str = ""
    sent: float | None = None
    """Posix seconds in Date."""
    lasts: int | None = None
    """Seconds in Expires."""
    thread: str = ""
    hops: tuple[Hop, ...] = ()
    forwards: int | None = None
    """What is left of Max-Forwards."""
    sender: str = ""
    """The URI in From."""
    notice: bool = False

    @classmethod
    def of(cls, request: Request, thread: str = "") -> "Beside":
        """Reads the headers of a request."""
        headers = request.headers
        encoding, language, subject = (
            headers.get(name) or "" for name in ("Content-Encoding", "Content-Language", "Subject")
        )
        hops = tuple(Hop(mark, left) for mark, left in hops_of(request))
        sent, sender = read_date(headers.get("Date")), str(request.from_.uri)
        notice = headers.get(DISCLOSURE) is not None
        left = forwards_left(request)
        return cls(encoding, language, subject, sent, request.expires, thread, hops, left, sender, notice)


@frozen
class ReadLetter:
    """Is a message, and whether its sender wants to hear that it could not be delivered (RFC 5438 section 7.1.1.1)."""

    message: Message
    tell_failure: bool = False


def write(
    message: Message, sender: Address, recipient: Address, now: float, languages: Sequence[str] = ()
) -> list[Written]:
    """Gives the bodies that carry a message: its text, or else its receipt or its state of typing.

    Of several texts it is that in the first of `languages`, else the first (RFC 7572 section 4); a text implies that
    typing has ended. A receipt is not asked for: that needs CPIM, which many clients refuse.
    """
    shown, other = uri_text(sender.bare), uri_text(recipient.bare)
    if message.bodies or message.subjects:
        language, text = chosen(message.bodies or message.subjects, languages)
        fields: tuple[tuple[str, str], ...] = (("Content-Language", language),) if language else ()
        subject = chosen(message.subjects, languages)[1] if message.subjects else ""
        if subject.isprintable() and subject:
            fields += (("Subject", subject[:LONGEST_SUBJECT]),)
        if message.notice:
            fields += ((DISCLOSURE, "kept"),)
        return [Written(Document(*write_text(text)), fields + _times(message, now))]
    if message.receipt_for:
        receipt = Receipt(message.receipt_for, Disposition.DELIVERED)
        kind, body = write_receipt(receipt, sender=shown, recipient=other, message_id=message.id or "r", now=now)
        return [Written(Document(kind, body))]
    if message.chat_state in _TYPING:
        return [Written(Document(*write_typing(message.chat_state)))]
    return []


def write_failure(message_id: str, sender: str, recipient: str, number: str, now: float) -> Document:
    """Gives the notification that a message could not be delivered; it gives no reason (RFC 5438 section 7.2.1.1)."""
    receipt = Receipt(message_id, Disposition.FAILED)
    return Document(*write_receipt(receipt, sender=sender, recipient=recipient, message_id=number, now=now))


def chosen(texts: Texts, languages: Sequence[str]) -> tuple[str, str]:
    """Gives the text in the first of these languages that there is, `de` standing for `de-AT` as well; else the first.

    This is the lookup of RFC 4647 section 3.4, for ranges as Accept-Language has them.
    """
    for wanted in languages:
        for language, text in texts:
            spoken = language.lower()
            if spoken == wanted or spoken.startswith(f"{wanted}-") or (spoken and wanted.startswith(f"{spoken}-")):
                return language, text
    return texts[0]


def languages_of(values: Sequence[str]) -> tuple[str, ...]:
    """Gives the languages of an Accept-Language, in lower case, the dearest first (RFC 3261 section 20.3)."""
    found: list[tuple[float, str]] = []
    for value in values[:MOST_LANGUAGES]:
        name, *parameters = (part.strip() for part in value.split(";"))
        weight = next((part[2:] for part in parameters if part[:2].lower() == "q="), "1")
        digits = weight.replace(".", "", 1)
        dear = float(weight) if digits.isascii() and digits.isdigit() and len(weight) < 6 else 0.0
        if clean_language(name) and dear > 0:
            found.append((-dear, name.lower()))
    return tuple(name for _, name in sorted(found, key=lambda one: one[0]))


def read(
    content_type: str, body: bytes, number: str, in_session: bool, now: float, beside: Beside = Beside()
) -> ReadLetter | int:
    """Gives the message that a body carries, or the status with which it is refused.

    A pager message is of kind normal (RFC 7572 section 5); one in a session belongs to a conversation. A subject
    inside the body goes before that of the header. Without a Date a message lasts from now on (RFC 3428 section 7).
    """
    kind = MessageKind.CHAT if in_session else MessageKind.NORMAL
    found = read_body(content_type, beside.encoding, body, now)
    if isinstance(found, Unacceptable):
        return found.status
    if isinstance(found, Composing):
        return ReadLetter(
            Message(
                MessageKind.CHAT,
                chat_state=found.state,
                thread=beside.thread,
                hops=beside.hops,
                forwards=beside.forwards,
            )
        )
    if not isinstance(found, Text):
        return ReadLetter(Message(kind, receipt_for=found.message_id, hops=beside.hops, forwards=beside.forwards))
    spoken = clean_language(beside.language.partition(",")[0].strip())
    title = " ".join(beside.subject.split())[:LONGEST_SUBJECT]
    sent = found.sent if found.sent is not None else beside.sent
    begun = now if beside.sent is None else min(beside.sent, now)
    message = Message(
        kind,
        found.message_id or number,
        bodies=((spoken, found.text),) if found.text else (),
        subjects=found.subjects or (((spoken, title),) if title else ()),
        thread=beside.thread,
        receipt_wanted=bool(found.message_id) and "positive-delivery" in found.wanted,
        delayed_since=sent if sent is not None and now - sent > LATE else None,
        expires_at=None if beside.lasts is None else begun + beside.lasts,
        hops=beside.hops,
        forwards=beside.forwards,
        notice=beside.notice,
    )
    return ReadLetter(message, may_be_notified(found, beside.sender, "negative-delivery"))


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


def _times(message: Message, now: float) -> tuple[tuple[str, str], ...]:
    """Writes since when a message is under way, when that is long, and how long it lasts (RFC 3428 section 4)."""
    since = message.delayed_since
    if message.expires_at is None:
        return () if since is None else (("Date", write_date(since)),)
    lasts = str(max(0, int(message.expires_at - (now if since is None else since))))
    return ("Date", write_date(now if since is None else since)), ("Expires", lasts)
