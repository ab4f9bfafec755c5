"""SIP messages as the lab's own peers read and write them: small, lenient, and nothing of the gateway's."""

import re
from collections.abc import Iterable
from uuid import uuid4

from attrs import field, frozen

_LONG = {"v": "via", "f": "from", "t": "to", "m": "contact", "i": "call-id", "l": "content-length", "s": "subject"}
_LONG |= {"c": "content-type", "e": "content-encoding", "k": "supported", "o": "event", "u": "allow-events"}
_URI = re.compile(r"<([^>]*)>|^\s*([^;\s]+)")
_LENGTH = re.compile(rb"\r\n(?:content-length|l)[ \t]*:[ \t]*(\d+)", re.IGNORECASE)

Headers = Iterable[tuple[str, str]]


def fresh() -> str:
    """A new word for a tag, a Call-ID or a branch."""
    return uuid4().hex[:16]


def uri_of(value: str) -> str:
    """The URI in a From, To, Contact, Route, …"""
    found = _URI.search(value)
    return (found[1] if found[1] is not None else found[2]) if found else ""


def parameter(value: str, name: str) -> str:
    """A parameter of a header value, outside of its URI's brackets; "" when absent."""
    outside = re.sub(r"<[^>]*>|\"[^\"]*\"", lambda found: found[0] if found[0][0] == '"' else "", value)
    found = re.search(rf";\s*{re.escape(name)}\s*=\s*\"?([^;,\s\"]*)", outside, re.IGNORECASE)
    return found[1] if found else ""


def written(first_line: str, headers: Headers, body: bytes = b"") -> bytes:
    """A message with its Content-Length."""
    lines = [first_line, *(f"{name}: {value}" for name, value in headers), f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@frozen
class SipMessage:
    """One message as it went over the wire."""

    raw: bytes
    at: float = 0.0
    """Seconds since 1970."""
    peer: str = ""
    """The other side, "udp:127.0.0.10:5060"."""
    sent: bool = False
    """Whether the client sent it; it received it otherwise."""
    again: bool = False
    """Whether it is a retransmission."""
    first_line: str = field(init=False)
    headers: tuple[tuple[str, str], ...] = field(init=False)
    """Names in small letters, compact ones written out."""
    body: bytes = field(init=False)

    def __attrs_post_init__(self) -> None:
        head, _, body = self.raw.partition(b"\r\n\r\n")
        first, *lines = re.sub(r"\r\n[ \t]+", " ", head.decode(errors="replace")).split("\r\n")
        pairs = [line.partition(":")[::2] for line in lines]
        named = tuple((_LONG.get(name.strip().lower(), name.strip().lower()), value.strip()) for name, value in pairs)
        object.__setattr__(self, "first_line", first)
        object.__setattr__(self, "headers", named)
        object.__setattr__(self, "body", body)

    def __getitem__(self, name: str) -> str:
        """The first header of this name, "" when absent."""
        return next(iter(self.all(name)), "")

    def __str__(self) -> str:
        return self.raw.decode(errors="replace")

    def all(self, name: str) -> list[str]:
        """Every header of this name, in order."""
        return [value for given, value in self.headers if given == name.lower()]

    @property
    def status(self) -> int:
        """The status code of a response, 0 for a request."""
        return int(self.first_line.split(" ")[1]) if self.first_line.startswith("SIP/2.0 ") else 0

    @property
    def method(self) -> str:
        """What is asked, or what was asked."""
        return self["cseq"].split(" ")[-1] if self.status else self.first_line.split(" ")[0]

    @property
    def uri(self) -> str:
        """The Request-URI."""
        return "" if self.status else self.first_line.split(" ")[1]

    @property
    def sender(self) -> str:
        """The URI in From."""
        return uri_of(self["from"])

    @property
    def receiver(self) -> str:
        """The URI in To."""
        return uri_of(self["to"])

    @property
    def branch(self) -> str:
        """The branch of the topmost Via."""
        return parameter(self["via"], "branch")

    @property
    def call_id(self) -> str:
        """Call-ID."""
        return self["call-id"]

    @property
    def content_type(self) -> str:
        """Content-Type without parameters, in small letters."""
        return self["content-type"].partition(";")[0].strip().lower()

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode(errors="replace")

    def response(self, status: int, reason: str, tag: str = "", more: Headers = (), body: bytes = b"") -> bytes:
        """The bytes of an answer to this request; To gets `tag` unless it has one."""
        copied = [(name, value) for name, value in self.headers if name in ("via", "record-route", "from", "to")]
        tagged = [
            (name.title(), f"{value};tag={tag}" if name == "to" and tag and not parameter(value, "tag") else value)
            for name, value in copied
        ]
        both = [("Call-ID", self.call_id), ("CSeq", self["cseq"])]
        return written(f"SIP/2.0 {status} {reason}", [*tagged, *both, *more], body)


class Framer:
    """Cuts the bytes of a stream into messages, by Content-Length."""

    def __init__(self) -> None:
        self._waiting = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        """The messages that are complete now."""
        self._waiting += chunk
        complete: list[bytes] = []
        while True:
            # what is between messages keeps the connection alive (RFC 5626 3.5.1)
            self._waiting = self._waiting.lstrip(b"\r\n")
            head, end, rest = self._waiting.partition(b"\r\n\r\n")
            found = _LENGTH.search(head)
            length = int(found[1]) if found else 0
            if not end or len(rest) < length:
                return complete
            complete.append(head + end + rest[:length])
            self._waiting = rest[length:]
