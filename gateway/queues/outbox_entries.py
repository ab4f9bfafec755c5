"""What is asked of an envelope that waits: how much it takes, whether it is still wanted, since when it waits."""

from attrs import evolve

from gateway.model.envelope import Envelope
from gateway.model.message import Message
from gateway.model.presence import Field, Presence

STANZA_BYTES = 256
"""What a stanza weighs beside its texts."""


def weight(envelope: Envelope) -> int:
    """Gives about how many bytes an envelope takes while it waits."""
    content = envelope.content
    if isinstance(content, Message):
        texts = (*(text for _, text in (*content.bodies, *content.subjects)), content.thread, content.id)
        return STANZA_BYTES + sum(map(len, texts)) + sum(len(payload.form) for payload in content.encrypted)
    if isinstance(content, Presence):
        return STANZA_BYTES + sum(len(text) for _, text in content.document.get(Field.NOTE) or ())
    return STANZA_BYTES


def expired(envelope: Envelope, now: float) -> bool:
    """Says whether the sender does not want his message delivered any more (RFC 3428 section 7)."""
    message = envelope.content
    return isinstance(message, Message) and message.expires_at is not None and message.expires_at < now


def stamped(envelope: Envelope, since: float, now: float) -> Envelope:
    """Says on a message that waited more than a few seconds since when it did (XEP-0203)."""
    message = envelope.content
    if not isinstance(message, Message) or message.delayed_since is not None or now - since < 3:
        return envelope
    return evolve(envelope, content=evolve(message, delayed_since=since))
