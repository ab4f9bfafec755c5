"""The SIP side of the generator: connections over mutual TLS, cheap framing, answers to whatever is asked."""

import re
import select
import socket
import ssl
import sys
import time
from collections.abc import Callable

from attrs import define, field

from tests.bench.path import StreamClosed
from tests.bench.pki import Credentials

LENGTH = re.compile(rb"\r\nContent-Length: *(\d+)", re.IGNORECASE)
ECHOED = re.compile(rb"^(?:Via|From|Call-ID|CSeq|Record-Route):[^\r]*\r\n", re.IGNORECASE | re.MULTILINE)
TO = re.compile(rb"^To:([^\r]*)\r\n", re.IGNORECASE | re.MULTILINE)


def answer(request: bytes, status: str = "200 OK", more: str = "") -> bytes:
    """Return the response to a request, with a To tag."""
    found = TO.search(request)
    shown = found[1] if found else b""
    tag = b"" if b";tag=" in shown else b";tag=far"
    head = f"SIP/2.0 {status}\r\n".encode() + b"".join(ECHOED.findall(request)) + b"To:" + shown + tag + b"\r\n"
    return head + more.encode() + b"Content-Length: 0\r\n\r\n"


def header(message: bytes, name: str) -> str:
    """Return the value of a header, '' when it is missing."""
    found = re.search(rb"\r\n" + name.encode() + rb": *([^\r]*)", message, re.IGNORECASE)
    return found[1].decode() if found else ""


@define(eq=False)
class SipLine:
    """One connection: what is to be sent, what is still incomplete, and what each message leads to."""

    sock: ssl.SSLSocket
    take: Callable[["SipLine", bytes], None]
    unsent: bytearray = field(factory=bytearray)
    pending: bytearray = field(factory=bytearray)

    def fileno(self) -> int:
        """Return the descriptor, as select needs it."""
        return self.sock.fileno()

    def send(self, octets: bytes) -> None:
        """Queue; `flush` writes."""
        self.unsent += octets

    def flush(self) -> None:
        """Write what is queued until the socket is full."""
        try:
            while self.unsent:
                del self.unsent[: self.sock.send(self.unsent[:65536])]
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return

    def read(self) -> None:
        """Take every message that is complete; StreamClosed when the other side has ended."""
        while True:
            try:
                chunk = self.sock.recv(262144)
            except (BlockingIOError, ssl.SSLWantReadError):
                break
            if not chunk:
                raise StreamClosed(bytes(self.pending[:200]))
            self.pending += chunk
        start = 0
        while (end := self.pending.find(b"\r\n\r\n", start)) >= 0:
            found = LENGTH.search(self.pending, start, end)
            behind = end + 4 + (int(found[1]) if found else 0)
            if len(self.pending) < behind:
                break
            self.take(self, bytes(self.pending[start:behind]))
            start = behind
        del self.pending[:start]


def dial(address: str, port: int, domain: str, credentials: Credentials) -> ssl.SSLSocket:
    """Connect with the certificate of a domain."""
    sock = socket.create_connection((address, port), 10.0)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return credentials.tls(domain, server=False).wrap_socket(sock)


@define(eq=False)
class SipExchange:
    """All connections of the generator, and one loop for them."""

    credentials: Credentials
    lines: list[SipLine] = field(factory=list)
    doors: list[tuple[socket.socket, str, Callable[[SipLine, bytes], None]]] = field(factory=list)
    others: list[object] = field(factory=list)
    """Streams of XMPP that are read in the same loop: pairs of a Line and a function of its chunks."""

    def connect(self, address: str, port: int, domain: str, take: Callable[[SipLine, bytes], None]) -> SipLine:
        """Open a connection as a domain."""
        sock = dial(address, port, domain, self.credentials)
        sock.setblocking(False)
        self.lines.append(SipLine(sock, take))
        return self.lines[-1]

    def listen(self, address: str, port: int, domain: str, take: Callable[[SipLine, bytes], None]) -> None:
        """Accept connections as a domain."""
        self.doors.append((socket.create_server((address, port), backlog=64), domain, take))

    def turn(self, seconds: float) -> None:
        """Wait at most so long, then read and write what can be read and written."""
        blocked = [line for line in self.lines if line.unsent]
        sources: list[object] = [*self.lines, *(door[0] for door in self.doors), *(line for line, _ in self.others)]  # type: ignore[misc]
        for ready in select.select(sources, blocked, [], seconds)[0]:
            for door, domain, take in self.doors:
                if ready is door:
                    self._accept(door, domain, take)
            for line, take_chunk in self.others:  # type: ignore[misc]
                if ready is line:
                    for chunk in line.read():
                        take_chunk(chunk)
            if isinstance(ready, SipLine):
                try:
                    ready.read()
                except (StreamClosed, OSError) as lost:
                    self.lines.remove(ready)
                    sys.stderr.write(f"a connection has ended: {lost!r}\n")
        for line in self.lines:
            if line.unsent:
                line.flush()

    def until(self, done: Callable[[], bool], seconds: float, what: str) -> None:
        """Turn until something is true; TimeoutError when it takes too long."""
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() > deadline:
                raise TimeoutError(what)
            self.turn(0.05)

    def _accept(self, door: socket.socket, domain: str, take: Callable[[SipLine, bytes], None]) -> None:
        sock, _ = door.accept()
        sock.settimeout(10.0)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        secured = self.credentials.tls(domain, server=True).wrap_socket(sock, server_side=True)
        secured.setblocking(False)
        self.lines.append(SipLine(secured, take))
