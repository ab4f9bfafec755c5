"""What a peer may ask of the XML reader, before and after it has authenticated."""

from typing import Final

from attrs import frozen


@frozen
class Limits:
    """Bounds on one stanza or stream header; exceeding one is the stream error policy-violation."""

    stanza_bytes: int
    """Bytes of a stanza as sent from < to >; RFC 6120 section 13.12 asks for 10 000 or more."""
    elements: int
    """Elements in a stanza, the stanza itself included."""
    depth: int
    """Levels of elements, the stanza itself being the first."""
    attributes: int
    """Attributes of one element, namespace declarations not counted."""
    declarations: int
    """Namespace declarations in one stanza or stream header."""
    token_chars: int
    """Characters of one attribute value."""
    name_chars: int
    """Characters of one element or attribute name, its namespace included."""


BEFORE_AUTHENTICATION: Final = Limits(
    stanza_bytes=8 * 1024,
    elements=32,
    depth=8,
    attributes=16,
    declarations=32,
    token_chars=2 * 1024,
    name_chars=512,
)
"""For anybody who can open a connection; stanzas proper never travel under these limits."""

AFTER_AUTHENTICATION: Final = Limits(
    stanza_bytes=256 * 1024,
    elements=512,
    depth=24,
    attributes=32,
    declarations=128,
    token_chars=64 * 1024,
    name_chars=1024,
)
"""For an authenticated partner: a vCard with a photo, a data form or a nested forwarded message passes."""
