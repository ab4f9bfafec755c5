"""The streams that one measurement uses: where stanzas enter, where they arrive, and who answers questions on them."""

import re
import socket
import ssl
from collections.abc import Iterator

from attrs import define, field

from tests.bench.streams import Listener, OpenStream, attribute

QUESTION = re.compile(rb"<iq\b[^>]*>.*?</iq>", re.DOTALL)
NS_PING = "urn:xmpp:ping"
NS_DISCO = "http://jabber.org/protocol/disco#info"


class StreamClosed(Exception):
    """A stream ended while it was being measured."""


def answer(question: bytes) -> bytes:
    """Return what a server replies to a ping (XEP-0199), a disco#info (XEP-0030) or another request; b'' to replies."""
    if attribute(question, "type") not in ("get", "set"):
        return b""
    head = f"from='{attribute(question, 'to')}' to='{attribute(question, 'from')}' id='{attribute(question, 'id')}'"
    if NS_PING.encode() in question:
        return f"<iq type='result' {head}/>".encode()
    if NS_DISCO.encode() in question:
        features = f"<identity category='server' type='im'/><feature var='{NS_DISCO}'/><feature var='{NS_PING}'/>"
        return f"<iq type='result' {head}><query xmlns='{NS_DISCO}'>{features}</query></iq>".encode()
    refusal = "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
    return f"<iq type='error' {head}><error type='cancel'>{refusal}</error></iq>".encode()


@define(eq=False)
class Line:
    """One open stream without blocking: what is to be sent, and what of its input is still incomplete."""

    sock: socket.socket
    counted: bool
    replies_on: "Line | None" = None
    unsent: bytes = b""
    cut_tag: bytes = b""
    cut_question: bytes = b""

    @classmethod
    def of(cls, stream: OpenStream, *, counted: bool, replies_on: "Line | None" = None) -> "Line":
        """Take over a stream whose set-up is complete."""
        stream.sock.setblocking(False)
        return cls(stream.sock, counted, replies_on, cut_tag=stream.leftover)

    def fileno(self) -> int:
        """Return the descriptor, as select needs it."""
        return self.sock.fileno()

    def send(self, octets: bytes) -> None:
        """Queue and write as much as the socket takes."""
        self.unsent += octets
        self.flush()

    def flush(self) -> None:
        """Write what is queued until the socket is full."""
        view, written = memoryview(self.unsent), 0
        try:
            while written < len(view):
                written += self.sock.send(view[written : written + 65536])
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            pass
        self.unsent = bytes(view[written:])

    def read(self) -> Iterator[bytes]:
        """Yield what has arrived; StreamClosed when the other side ended the stream."""
        while True:
            try:
                chunk = self.sock.recv(262144)
            except (BlockingIOError, ssl.SSLWantReadError):
                return
            except OSError as lost:
                raise StreamClosed(repr(lost)) from lost
            if not chunk:
                raise StreamClosed(f"closed after {self.cut_tag!r}")
            yield chunk

    def count(self, chunk: bytes, end_tag: bytes) -> int:
        """Return how many stanzas end in `chunk`, one cut across two reads included."""
        text = self.cut_tag + chunk if self.cut_tag else chunk
        tail = text[-(len(end_tag) - 1) :]
        cut = tail.rfind(b"<")
        self.cut_tag = tail[cut:] if cut >= 0 else b""
        return text.count(end_tag)

    def reply(self, chunk: bytes) -> None:
        """Answer the requests in `chunk` on the stream of the opposite direction (RFC 6120: streams are one-way)."""
        if b"<iq" not in chunk and not self.cut_question:
            return
        text, end = self.cut_question + chunk, 0
        for question in QUESTION.finditer(text):
            end = question.end()
            (self.replies_on or self).send(answer(question[0]))
        rest = text[end:]
        start = rest.rfind(b"<iq")
        self.cut_question = rest[start:] if start >= 0 else b""


@define(eq=False)
class Door:
    """A listener whose streams belong to a path as soon as they are ready."""

    listener: Listener
    counted: bool
    replies_on: Line | None = None


@define(eq=False)
class Path:
    """Where the stanzas of one leg enter and where they are counted."""

    sender: Line
    sender_domain: str
    receiver_domain: str
    lines: list[Line] = field(factory=list)
    doors: list[Door] = field(factory=list)
    lasting: bool = False

    def __attrs_post_init__(self) -> None:
        if self.sender not in self.lines:
            self.lines.append(self.sender)

    def admit(self) -> None:
        """Take the streams that were accepted since the last call."""
        for door in self.doors:
            while door.listener.ready:
                stream = door.listener.ready.pop()
                self.lines.append(Line.of(stream, counted=door.counted, replies_on=door.replies_on))

    def close(self) -> None:
        """Close every stream and every listener, unless the path outlasts one measurement."""
        if self.lasting:
            return
        self.abandon()
        for door in self.doors:
            door.listener.close()

    def abandon(self) -> None:
        """Close every stream, so that nothing late arrives in the next measurement."""
        self.admit()
        for line in self.lines:
            line.sock.close()
        self.lines.clear()
