"""XMPP streams set up with blocking sockets, as a real server does: features, STARTTLS, EXTERNAL (RFC 6120)."""

import base64
import hashlib
import os
import re
import socket
import ssl
import threading

from attrs import define, field, frozen

from tests.bench.pki import Credentials

NS = "xmlns:stream='http://etherx.jabber.org/streams'"
NS_TLS = "urn:ietf:params:xml:ns:xmpp-tls"
NS_SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
FEATURES = rb"</(stream:)?features>|<(stream:)?features\s*/>"
STEPS = re.compile(
    rb"<stream:stream[^>]*>|<starttls[^>]*?/>|<starttls[^>]*></starttls>|<auth .*?</auth>|<auth [^>]*/>"
    rb"|<(?:message|presence|iq)\b",
    re.DOTALL,
)
SETUP_SECONDS = 20.0


class StreamRefused(Exception):
    """The other side ended or refused the stream during set-up."""


@frozen
class OpenStream:
    """A stream that is ready for stanzas, and the bytes already read behind its set-up."""

    sock: socket.socket
    leftover: bytes


@define
class Reader:
    """Reads from a blocking socket up to a pattern."""

    sock: socket.socket
    unread: bytes = b""

    def until(self, pattern: "str | bytes | re.Pattern[bytes]") -> bytes:
        """Return everything up to the end of the first match; StreamRefused when the stream ends before."""
        wanted = re.compile(pattern.encode() if isinstance(pattern, str) else pattern)
        while not (found := wanted.search(self.unread)):
            chunk = self.sock.recv(65536)
            if not chunk:
                raise StreamRefused(f"closed after {self.unread[-300:]!r}")
            self.unread += chunk
        taken, self.unread = self.unread[: found.end()], self.unread[found.end() :]
        return taken


def attribute(tag: bytes, name: str) -> str:
    """Return an attribute of a start tag, empty when it is missing."""
    found = re.search(rb"\s" + name.encode() + rb"=['\"]([^'\"]*)", tag)
    return found[1].decode() if found else ""


def stream_header(sender: str, recipient: str, stream_id: str = "") -> bytes:
    """Return the opening tag of a server stream (RFC 6120, 4.2)."""
    identity = f" id='{stream_id}'" if stream_id else ""
    return (
        f"<?xml version='1.0'?><stream:stream xmlns='jabber:server' {NS} from='{sender}' to='{recipient}'"
        f"{identity} version='1.0'>"
    ).encode()


def _dial(address: str, port: int) -> socket.socket:
    sock = socket.create_connection((address, port), SETUP_SECONDS)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def open_component(address: str, port: int, domain: str, secret: str) -> OpenStream:
    """Connect as the external component `domain` (XEP-0114)."""
    sock = _dial(address, port)
    reader = Reader(sock)
    sock.sendall(f"<stream:stream xmlns='jabber:component:accept' {NS} to='{domain}'>".encode())
    stream_id = attribute(reader.until(r"<stream:stream[^>]*>"), "id")
    proof = hashlib.sha1((stream_id + secret).encode()).hexdigest()
    sock.sendall(f"<handshake>{proof}</handshake>".encode())
    reader.until(r"<handshake\s*/>|<handshake></handshake>")
    return OpenStream(sock, reader.unread)


def open_s2s(
    address: str, port: int, sender: str, recipient: str, credentials: Credentials, tls: ssl.SSLContext | None = None
) -> OpenStream:
    """Open a stream from `sender` to `recipient` with STARTTLS and EXTERNAL (XEP-0178); StreamRefused when refused."""
    sock = _dial(address, port)
    reader = Reader(sock)
    sock.sendall(stream_header(sender, recipient))
    reader.until(FEATURES)
    sock.sendall(f"<starttls xmlns='{NS_TLS}'/>".encode())
    reader.until(r"<proceed[^>]*>")
    settings = tls or credentials.tls(sender, server=False)
    secured = settings.wrap_socket(sock, server_hostname=recipient)
    reader = Reader(secured)
    secured.sendall(stream_header(sender, recipient))
    if b"EXTERNAL" not in (features := reader.until(FEATURES)):
        raise StreamRefused(f"EXTERNAL is not offered: {features[-300:]!r}")
    identity = base64.b64encode(sender.encode()).decode()
    secured.sendall(f"<auth xmlns='{NS_SASL}' mechanism='EXTERNAL'>{identity}</auth>".encode())
    if b"failure" in (answer := reader.until(r"<success[^>]*>|</failure>")):
        raise StreamRefused(repr(answer))
    secured.sendall(stream_header(sender, recipient))
    reader.until(FEATURES)
    return OpenStream(secured, reader.unread)


@define
class _Acceptance:
    """The receiving side of one stream's set-up."""

    sock: socket.socket
    domain: str
    credentials: Credentials
    peer: str = ""
    authenticated: bool = False
    reader: Reader = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.reader = Reader(self.sock)

    def run(self) -> OpenStream:
        """Answer the initiating server until it is authenticated and knows the final features."""
        while True:
            step = self.reader.until(STEPS)
            if b"<stream:stream" in step:
                self._greet(step)
                if self.authenticated:
                    return OpenStream(self.sock, self.reader.unread)
            elif b"<starttls" in step:
                self._secure()
            elif b"<auth" in step:
                self.sock.sendall(f"<success xmlns='{NS_SASL}'/>".encode())
                self.authenticated = True
            else:
                raise StreamRefused("stanza before authentication")

    def _greet(self, header: bytes) -> None:
        self.peer = attribute(header, "from") or self.peer
        here = attribute(header, "to") or self.domain
        self.sock.sendall(stream_header(here, self.peer, os.urandom(8).hex()))
        self.sock.sendall(f"<stream:features>{self._features()}</stream:features>".encode())

    def _features(self) -> str:
        if not isinstance(self.sock, ssl.SSLSocket):
            return f"<starttls xmlns='{NS_TLS}'><required/></starttls>"
        if self.authenticated:
            return ""
        return f"<mechanisms xmlns='{NS_SASL}'><mechanism>EXTERNAL</mechanism></mechanisms>"

    def _secure(self) -> None:
        self.sock.sendall(f"<proceed xmlns='{NS_TLS}'/>".encode())
        self.sock = self.credentials.tls(self.domain, server=True).wrap_socket(self.sock, server_side=True)
        self.reader = Reader(self.sock)


@define
class Listener:
    """Accepts server streams for one domain on its own threads and collects those that are ready."""

    domain: str
    credentials: Credentials
    server: socket.socket
    ready: list[OpenStream] = field(factory=list)
    errors: list[str] = field(factory=list)

    @classmethod
    def open(cls, address: str, port: int, domain: str, credentials: Credentials) -> "Listener":
        """Bind, listen and begin to accept."""
        listener = cls(domain, credentials, socket.create_server((address, port), backlog=512))
        threading.Thread(target=listener._accept, daemon=True).start()
        return listener

    def close(self) -> None:
        """Stop accepting; streams already handed out stay open."""
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._set_up, args=(sock,), daemon=True).start()

    def _set_up(self, sock: socket.socket) -> None:
        sock.settimeout(SETUP_SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.ready.append(_Acceptance(sock, self.domain, self.credentials).run())
        except (OSError, StreamRefused) as refusal:
            self.errors.append(repr(refusal)[:200])
            sock.close()
