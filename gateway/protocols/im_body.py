"""The body of an instant message in SIP: one function reads them all, whatever their type (RFC 3428, 3862, 3994)."""

from collections.abc import Callable
from typing import Final

from attrs import field, frozen

from gateway.model.message import ChatState
from gateway.model.presence import Texts
from gateway.protocols import cpim, imdn, iscomposing
from gateway.protocols.cpim import CpimMessage, read_cpim, write_cpim
from gateway.protocols.html_text import html_to_text
from gateway.protocols.imdn import Disposition, Receipt, read_imdn, write_imdn
from gateway.protocols.iscomposing import Composing, read_iscomposing, read_keyboard_activity
from gateway.protocols.mime import ContentType, decoded, read_content_type, read_parts
from gateway.protocols.xml_document import DocumentError

TEXT: Final = "text/plain"
HTML: Final = "text/html"
ALTERNATIVE: Final = "multipart/alternative"

ACCEPTED: Final = (TEXT, HTML, ALTERNATIVE, cpim.MEDIA_TYPE, iscomposing.MEDIA_TYPE, imdn.MEDIA_TYPE)
"""Media types that are understood, in the order in which an Accept header names them."""

MAX_BODY: Final = 64 * 1024
"""Octets of a body that is read; above it the answer is 488."""

UNSUPPORTED: Final = 415
NOT_HERE: Final = 488
NOT_ACCEPTABLE: Final = 606

_CHARSETS: Final = {
    "": "utf-8",
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "utf-8",
    "ascii": "utf-8",
    "iso-8859-1": "cp1252",
    "windows-1252": "cp1252",
    "utf-16": "utf-16",
}
_REFUSED: Final = {
    # an invitation to send a file: what Microsoft's own servers answer when they filter it (reference/ocs.md 4.6)
    "text/x-msmsgsinvite": NOT_ACCEPTABLE,
    "application/ms-conf-invite+xml": NOT_HERE,
}


@frozen
class Text:
    """Is what a person wrote, and what a CPIM envelope said beside it."""

    text: str = field(repr=False)
    subjects: Texts = field(default=(), repr=False)
    message_id: str = ""
    """Name by which a notification refers to it."""
    wanted: frozenset[str] = frozenset()
    """Members of `cpim.DISPOSITIONS` that the sender asks for."""
    sent: float | None = None


@frozen
class Unacceptable:
    """Is a body that does not cross: the status to answer with. 415 comes with an Accept of ACCEPTED."""

    status: int


ReadBody = Text | Composing | Receipt | Unacceptable


def read_body(content_type: str, content_encoding: str, body: bytes, now: float) -> ReadBody:
    """Reads a body by its headers (an empty type is text/plain); nothing is raised.

    415 for a type or encoding that is not understood and for what is not what it says it is, 488 for what is too long
    or invites to a conference, 606 for an offer of a file.
    """
    try:
        return _read(read_content_type(content_type or TEXT), content_encoding, body, now, True)
    except DocumentError:
        return Unacceptable(UNSUPPORTED)


def write_text(text: str) -> tuple[str, bytes]:
    """Gives Content-Type and body of a text."""
    return f"{TEXT};charset=UTF-8", text.encode("utf-8", "replace")


def write_typing(state: ChatState, refresh: int | None = None) -> tuple[str, bytes]:
    """Gives Content-Type and body of a state of typing (RFC 3994)."""
    return iscomposing.MEDIA_TYPE, iscomposing.write_iscomposing(state, refresh)


def write_asking(
    text: str, *, sender: str, recipient: str, message_id: str, now: float, subjects: Texts = ()
) -> tuple[str, bytes]:
    """Gives Content-Type and body of a text whose sender wants to know that it arrived (RFC 5438 section 7.1.1)."""
    kind, content = write_text(text)
    wanted = frozenset({"positive-delivery"})
    message = CpimMessage(kind, content, sender, recipient, subjects, now, message_id, wanted)
    return cpim.MEDIA_TYPE, write_cpim(message)


def write_receipt(receipt: Receipt, *, sender: str, recipient: str, message_id: str, now: float) -> tuple[str, bytes]:
    """Gives Content-Type and body of a notification; `message_id` is its own (RFC 5438 section 7.2.1)."""
    content = write_imdn(receipt, now)
    message = CpimMessage(imdn.MEDIA_TYPE, content, sender, recipient, (), None, message_id, notification=True)
    return cpim.MEDIA_TYPE, write_cpim(message)


def may_be_notified(read: ReadBody, sender: str, of: str = "positive-delivery") -> bool:
    """Says whether a sender asked for a notification and may have it: the anonymous may not (RFC 5438 section 14)."""
    anonymous = sender.rpartition("@")[2].lower() in ("", "anonymous.invalid")
    return isinstance(read, Text) and bool(read.message_id) and of in read.wanted and not anonymous


def _read(kind: ContentType, content_encoding: str, body: bytes, now: float, outermost: bool) -> ReadBody:
    if content_encoding.strip().lower() not in ("", "identity"):
        return Unacceptable(UNSUPPORTED)
    if len(body) > MAX_BODY:
        return Unacceptable(NOT_HERE)
    if kind.media_type == cpim.MEDIA_TYPE and outermost:
        return _unwrapped(read_cpim(body), now)
    if kind.media_type == ALTERNATIVE:
        return _chosen(kind, body, now)
    reader = _READERS.get(kind.media_type)
    return Unacceptable(_REFUSED.get(kind.media_type, UNSUPPORTED)) if reader is None else reader(kind, body, now)


def _unwrapped(message: CpimMessage, now: float) -> ReadBody:
    kind = read_content_type(message.content_type)
    content = decoded(message.content, message.content_encoding)
    inner = _read(kind, "", content, now, False)
    if not isinstance(inner, Text):
        return inner
    return Text(inner.text, message.subjects, message.message_id, message.wanted, message.sent)


def _chosen(kind: ContentType, body: bytes, now: float) -> ReadBody:
    """Reads the plain text among the alternatives, or else the hypertext; other parts are not looked at."""
    parts = [
        (read_content_type(one.content_type), one) for one in read_parts(body, kind.parameters.get("boundary", ""))
    ]
    for wanted in (TEXT, HTML):
        for part_kind, part in parts:
            if part_kind.media_type == wanted:
                return _READERS[wanted](part_kind, part.content, now)
    return Unacceptable(UNSUPPORTED)


def _decode(kind: ContentType, body: bytes) -> str:
    charset = _CHARSETS.get(kind.parameters.get("charset", "").strip().lower())
    if charset is None:
        raise DocumentError("unknown charset")
    text = body.decode(charset, "replace").removeprefix("\ufeff")
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")


def _text(kind: ContentType, body: bytes, now: float) -> ReadBody:
    return Text(_decode(kind, body))


def _html(kind: ContentType, body: bytes, now: float) -> ReadBody:
    return Text(html_to_text(_decode(kind, body)))


_READERS: Final[dict[str, Callable[[ContentType, bytes, float], ReadBody]]] = {
    TEXT: _text,
    HTML: _html,
    iscomposing.MEDIA_TYPE: lambda kind, body, now: read_iscomposing(body, now),
    iscomposing.KEYBOARD_MEDIA_TYPE: lambda kind, body, now: read_keyboard_activity(body, now),
    imdn.MEDIA_TYPE: lambda kind, body, now: read_imdn(body),
}

__all__ = [
    "ACCEPTED",
    "Composing",
    "Disposition",
    "ReadBody",
    "Receipt",
    "Text",
    "Unacceptable",
    "may_be_notified",
    "read_body",
    "write_asking",
    "write_receipt",
    "write_text",
    "write_typing",
]
