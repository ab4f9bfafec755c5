"""Says that somebody is typing: RFC 3994, and the KeyboardActivity of Microsoft's older clients."""

from typing import Final

from attrs import frozen

from gateway.model.message import ChatState
from gateway.protocols.texts import line
from gateway.protocols.xml_document import DocumentError, DocumentLimits, read_document

MEDIA_TYPE: Final = "application/im-iscomposing+xml"
KEYBOARD_MEDIA_TYPE: Final = "application/xml"
NAMESPACE: Final = "urn:ietf:params:xml:ns:im-iscomposing"

REFRESH: Final = 120
"""Seconds after which an active state ends that announces no refresh (RFC 3994 section 3.3)."""
LEAST_REFRESH: Final = 60
"""Seconds below which no refresh is announced."""
IDLE_AFTER: Final = 15
"""Seconds without typing after which a composer falls idle (RFC 3994 section 3.2)."""
_LONGEST: Final = 3600

_LIMITS: Final = DocumentLimits(octets=8 * 1024, elements=64, depth=8)


@frozen
class Composing:
    """Is a state of typing; an active one ends by itself at `until` (posix seconds), or when a message comes."""

    state: ChatState
    """COMPOSING or ACTIVE."""
    until: float | None = None


_IDLE: Final = Composing(ChatState.ACTIVE)


def read_iscomposing(body: bytes, now: float) -> Composing:
    """Reads an `<isComposing/>`; an unknown state is idle. Raises DocumentError when it is none."""
    root = read_document(body, _LIMITS)
    if (root.ns, root.name) != (NAMESPACE, "isComposing"):
        raise DocumentError("not a composing state")
    if line(root.child("state")) != "active":
        return _IDLE
    refresh = line(root.child("refresh"))
    known = refresh.isascii() and refresh.isdigit() and len(refresh) < 9 and int(refresh) > 0
    return Composing(ChatState.COMPOSING, now + (min(int(refresh), _LONGEST) if known else REFRESH))


def write_iscomposing(state: ChatState, refresh: int | None = None) -> bytes:
    """Writes COMPOSING as active and all else as idle (RFC 7573 section 7); `refresh` in seconds, at least 60."""
    inside = f"<state>{'active' if state is ChatState.COMPOSING else 'idle'}</state>"
    if state is ChatState.COMPOSING and refresh is not None:
        inside += f"<refresh>{max(refresh, LEAST_REFRESH)}</refresh>"
    return f"<?xml version='1.0' encoding='UTF-8'?>\n<isComposing xmlns='{NAMESPACE}'>{inside}</isComposing>".encode()


def read_keyboard_activity(body: bytes, now: float) -> Composing:
    """Reads a `<KeyboardActivity/>`; raises DocumentError when it is none."""
    root = read_document(body, _LIMITS)
    if root.name != "KeyboardActivity":
        raise DocumentError("not a keyboard activity")
    status = next((one for one in root.elements() if one.name == "status"), None)
    if status is None or status.attributes.get("status", "").lower() != "type":
        return _IDLE
    return Composing(ChatState.COMPOSING, now + REFRESH)


def write_keyboard_activity(state: ChatState) -> bytes:
    """Writes COMPOSING as 'type' and all else as 'idle'."""
    word = "type" if state is ChatState.COMPOSING else "idle"
    return f"<KeyboardActivity><status status='{word}'/></KeyboardActivity>".encode()
