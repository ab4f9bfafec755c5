"""The session descriptions of instant messaging as Office Communicator writes them (RFC 4566, reference/ocs.md 4.6)."""

from __future__ import annotations

from typing import Final

from attrs import frozen

SDP: Final = "application/sdp"
KINDS: Final = ("message", "x-ms-message")
"""The media of Communicator 2007 and later, and of 2005."""
PLAIN: Final = ("text/plain",)
LONGEST: Final = 16_384
LINES: Final = 200


class NotMessages(ValueError):
    """Says that a description offers something else than messages over SIP, or is none."""


@frozen
class Media:
    """Is the one media line: messages, and the types that its side reads."""

    kind: str = "message"
    types: tuple[str, ...] = PLAIN

    def reads(self, content_type: str) -> bool:
        """Says whether a type can be sent there; parameters do not count."""
        return "*" in self.types or content_type.partition(";")[0].strip().lower() in self.types


def read(body: bytes) -> Media:
    """Reads an offer or an answer; raises NotMessages."""
    if len(body) > LONGEST:
        raise NotMessages("too long")
    found: Media | None = None
    for line in body.decode("utf-8", "replace").splitlines()[:LINES]:
        if line.startswith("m="):
            kind, port, protocol = (line[2:].lower().split() + ["", "", ""])[:3]
            if found is not None or kind not in KINDS or protocol != "sip" or port == "0":
                raise NotMessages("a medium that is not messages over SIP")
            found = Media(kind)
        elif found is not None and line.lower().startswith("a=accept-types:"):
            found = Media(found.kind, tuple(line.partition(":")[2].lower().split()[:50]) or PLAIN)
    if found is None:
        raise NotMessages("no medium")
    return found


def write(host: str, types: tuple[str, ...], kind: str = "message") -> bytes:
    """Writes our offer, or our answer to that kind; it names the gateway and nothing of the inside."""
    family = "IP6" if ":" in host else "IP4"
    return (
        f"v=0\r\no=- 0 0 IN {family} {host}\r\ns=session\r\nc=IN {family} {host}\r\nt=0 0\r\n"
        f"m={kind} 5061 sip null\r\na=accept-types:{' '.join(types)}\r\n"
    ).encode()
