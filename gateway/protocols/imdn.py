"""Notifications about what became of a message (RFC 5438 section 11)."""

from collections.abc import Mapping
from enum import Enum
from typing import Final

from attrs import field, frozen

from gateway.protocols.datetimes import read_datetime, write_datetime
from gateway.protocols.ids import clean_id
from gateway.protocols.texts import line, tag
from gateway.protocols.xml_document import DocumentError, DocumentLimits, read_document

MEDIA_TYPE: Final = "message/imdn+xml"
NAMESPACE: Final = "urn:ietf:params:xml:ns:imdn"

_LIMITS: Final = DocumentLimits(octets=16 * 1024, elements=128, depth=12)


class Disposition(Enum):
    """Says what became of a message: the word inside the status of its notification."""

    DELIVERED = "delivered"
    FAILED = "failed"
    DISPLAYED = "displayed"
    PROCESSED = "processed"
    STORED = "stored"
    FORBIDDEN = "forbidden"
    ERROR = "error"


@frozen
class Receipt:
    """Says what became of a message; `message_id` is the one that its sender gave it in CPIM."""

    message_id: str = field(repr=False)
    disposition: Disposition
    sent: float | None = None
    """Posix seconds when the message itself was sent, as its CPIM header said."""

    @property
    def arrived(self) -> bool:
        """Says whether the message has reached the person's client, as a receipt of XEP-0184 does."""
        return self.disposition in (Disposition.DELIVERED, Disposition.DISPLAYED)


_PART_OF: Final[Mapping[Disposition, str]] = {
    Disposition.DELIVERED: "delivery-notification",
    Disposition.FAILED: "delivery-notification",
    Disposition.FORBIDDEN: "delivery-notification",
    Disposition.ERROR: "delivery-notification",
    Disposition.DISPLAYED: "display-notification",
    Disposition.PROCESSED: "processing-notification",
    Disposition.STORED: "processing-notification",
}
_PARTS: Final = frozenset(_PART_OF.values())
_WORDS: Final = {one.value: one for one in Disposition}


def read_imdn(body: bytes) -> Receipt:
    """Reads an `<imdn/>`; raises DocumentError when it is none, or says nothing about a message that has an id."""
    root = read_document(body, _LIMITS)
    if (root.ns, root.name) != (NAMESPACE, "imdn"):
        raise DocumentError("not a notification")
    message_id = clean_id(line(root.child("message-id")))
    part = next((one for one in root.elements() if one.ns == NAMESPACE and one.name in _PARTS), None)
    status = part.child("status") if part is not None else None
    words = (one.name for one in status.elements() if one.ns == NAMESPACE) if status is not None else iter(())
    found = next((_WORDS[word] for word in words if word in _WORDS), None)
    if not message_id or found is None:
        raise DocumentError("a notification about nothing")
    return Receipt(message_id, found, read_datetime(line(root.child("datetime"))))


def write_imdn(receipt: Receipt, now: float) -> bytes:
    """Writes an `<imdn/>` without addresses; `now` stands for the time of a message that did not tell its own."""
    sent = now if receipt.sent is None else receipt.sent
    part = _PART_OF[receipt.disposition]
    inside = tag("message-id", receipt.message_id) + tag("datetime", write_datetime(sent))
    inside += f"<{part}><status><{receipt.disposition.value}/></status></{part}>"
    return f"<?xml version='1.0' encoding='UTF-8'?>\n<imdn xmlns='{NAMESPACE}'>{inside}</imdn>".encode()
