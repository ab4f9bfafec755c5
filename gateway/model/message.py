"""Instant messages."""

from enum import Enum

from attrs import field, frozen

from gateway.model.presence import Texts
from gateway.model.sealed import sealed


class MessageKind(Enum):
    """Says how a message wants to be shown (RFC 6121 section 5.2.2)."""

    NORMAL = "normal"
    CHAT = "chat"
    HEADLINE = "headline"
    GROUPCHAT = "groupchat"

    __hash__ = object.__hash__


class ChatState(Enum):
    """Says what the other side is doing in a conversation (XEP-0085, RFC 3994)."""

    ACTIVE = "active"
    COMPOSING = "composing"
    PAUSED = "paused"
    INACTIVE = "inactive"
    GONE = "gone"

    __hash__ = object.__hash__


@frozen
class EncryptedPayload:
    """Is an end-to-end encrypted payload that the gateway can carry and cannot read.

    `scheme` is its XML namespace; `form` is the payload in this gateway's own serialisation.
    """

    scheme: str
    form: str = field(repr=False)


@frozen
class Hop:
    """Is the mark of a gateway that has carried a message over from one protocol to another."""

    mark: str
    """Its opaque name."""
    left: int
    """How many gateways may still follow."""


@sealed
class Message:
    """Is one instant message; what a protocol says beyond these fields does not cross."""

    kind: MessageKind = MessageKind.NORMAL
    id: str = ""
    bodies: Texts = field(default=(), repr=False)
    subjects: Texts = field(default=(), repr=False)
    thread: str = field(default="", repr=False)
    chat_state: ChatState | None = None
    receipt_wanted: bool = False
    receipt_for: str = ""
    replaces: str = ""
    delayed_since: float | None = None
    """Posix seconds when the message was first sent, if it was stored on its way (XEP-0203)."""
    encrypted: tuple[EncryptedPayload, ...] = ()
    expires_at: float | None = None
    """Posix seconds after which its sender does not want it delivered any more (RFC 3428 section 4)."""
    hops: tuple[Hop, ...] = ()
    """The gateways that it has passed, so that a circle through several protocols is found."""
    forwards: int | None = None
    """How often servers may still pass it on, by the count of the protocol that it came by; None where none counts."""
    notice: bool = False
    """Whether a gateway says in it, and nobody else, that what is said between the two is kept."""

    @property
    def has_text(self) -> bool:
        """Says whether a person would read anything in it."""
        return bool(self.bodies or self.subjects or self.encrypted)
