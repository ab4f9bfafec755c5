"""A SIP peer that the test plays itself: any bytes with any certificate, as who connects and as who is connected to."""

import ssl
import time
from pathlib import Path
from socket import create_connection, create_server, socket
from typing import TYPE_CHECKING, Self

from ..pki import Leaf
from .wire import Framer, Headers, SipMessage, fresh, written

if TYPE_CHECKING:
    from ..lab import Lab

SIPS_PORT = 5061


class RawPeer:
    """One connection, with TLS or without."""

    def __init__(self, connection: socket) -> None:
        self.connection = connection
        self.address, self.port = connection.getsockname()[:2]
        self._framer = Framer()
        self._received: list[SipMessage] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()

    @property
    def transport(self) -> str:
        """What Via calls it."""
        return "TLS" if isinstance(self.connection, ssl.SSLSocket) else "TCP"

    def request(
        self,
        method: str,
        uri: str,
        sender: str,
        receiver: str = "",
        headers: Headers = (),
        body: str | bytes = b"",
        content_type: str = "text/plain",
    ) -> bytes:
        """A well-formed request outside of any dialog; the test may bend it before it sends it."""
        packed = body.encode() if isinstance(body, str) else body
        own = [
            ("Via", f"SIP/2.0/{self.transport} {self.address}:{self.port};branch=z9hG4bK{fresh()}"),
            ("Max-Forwards", "70"),
            ("From", f"<{sender}>;tag={fresh()}"),
            ("To", f"<{receiver or uri}>"),
            ("Call-ID", fresh()),
            ("CSeq", f"1 {method}"),
        ]
        contact = f"<sip:{self.address}:{self.port};transport={self.transport.lower()}>"
        own += [("Contact", contact)] if method in ("INVITE", "SUBSCRIBE", "NOTIFY") else []
        own += [("Content-Type", content_type)] if packed else []
        return written(f"{method} {uri} SIP/2.0", [*own, *headers], packed)

    def send(self, message: bytes) -> None:
        """Send these bytes as they stand."""
        self.connection.sendall(message)

    def receive(self, timeout: float = 5.0) -> SipMessage:
        """The next message; raises AssertionError after `timeout` seconds, ConnectionError when the peer closes."""
        deadline = time.monotonic() + timeout
        while not self._received:
            self.connection.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                chunk = self.connection.recv(65536)
            except TimeoutError:
                raise AssertionError(f"nothing came within {timeout} s") from None
            if not chunk:
                raise ConnectionError("the peer closed")
            self._received += [SipMessage(raw, time.time()) for raw in self._framer.feed(chunk)]
        return self._received.pop(0)

    def exchange(self, message: bytes, timeout: float = 5.0) -> SipMessage:
        """Send a request and give its final response, past what else comes meanwhile."""
        self.send(message)
        asked, deadline = SipMessage(message), time.monotonic() + timeout
        while True:
            got = self.receive(max(0.01, deadline - time.monotonic()))
            if got.status >= 200 and (got.call_id, got["cseq"]) == (asked.call_id, asked["cseq"]):
                return got

    def answer(self, got: SipMessage, status: int = 200, reason: str = "OK", headers: Headers = ()) -> None:
        """Answer a request that came."""
        self.send(got.response(status, reason, fresh(), headers))

    def closed(self, timeout: float = 5.0) -> bool:
        """Whether the peer closes within `timeout` seconds; what it sends before is dropped."""
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            try:
                self.receive(left)
            except AssertionError:
                return False
            except OSError:
                return True
        return False

    def close(self) -> None:
        """Close it."""
        self.connection.close()


class Edge:
    """A partner's edge: listens with TLS, or without when it has no certificate, until it is closed."""

    def __init__(self, listening: socket, tls: ssl.SSLContext | None) -> None:
        self._listening = listening
        self._tls = tls

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()

    def accept(self, timeout: float = 5.0) -> RawPeer:
        """The next connection; raises TimeoutError without one, ssl.SSLError when the TLS handshake fails."""
        self._listening.settimeout(timeout)
        connection, _ = self._listening.accept()
        connection.settimeout(timeout)
        return RawPeer(self._tls.wrap_socket(connection, server_side=True) if self._tls else connection)

    def close(self) -> None:
        """Stop listening."""
        self._listening.close()


def _trusting(tls: ssl.SSLContext, leaf: Leaf | None, trust: Path) -> ssl.SSLContext:
    tls.check_hostname = False
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_verify_locations(trust)
    if leaf is not None:
        tls.load_cert_chain(leaf.chain, leaf.key)
    return tls


def dial(
    lab: "Lab",
    address: str,
    port: int = SIPS_PORT,
    leaf: Leaf | None = None,
    *,
    trust: Path | None = None,
    source: str = "",
    name: str = "",
    tls: bool = True,
) -> RawPeer:
    """Connect as a peer that shows `leaf`, or no certificate; `name` goes into SNI.

    Raises ssl.SSLError when the server is not trusted; with TLS 1.3 a server that refuses tells only afterwards.
    """
    with lab.namespace.entered():
        connection = create_connection((address, port), 5.0, (source, 0) if source else None)
    if not tls:
        return RawPeer(connection)
    context = _trusting(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), leaf, trust or lab.pki.ca)
    try:
        return RawPeer(context.wrap_socket(connection, server_hostname=name or None))
    except BaseException:
        connection.close()
        raise


def refusal(lab: "Lab", address: str, port: int = SIPS_PORT, leaf: Leaf | None = None, *, name: str = "") -> str:
    """Why a server ends a connection that shows `leaf` before any request is answered; "" when it does not."""
    try:
        with dial(lab, address, port, leaf, name=name) as peer:
            peer.exchange(peer.request("OPTIONS", f"sip:{address}", "sip:probe@invalid.example"))
    except OSError as problem:
        return str(problem) or type(problem).__name__
    return ""


def edge(
    lab: "Lab", address: str, leaf: Leaf | None, port: int = SIPS_PORT, *, trust: Path | None = None, ask: bool = True
) -> Edge:
    """Listen as a partner's edge that shows `leaf`, and asks for a certificate unless told not to."""
    with lab.namespace.entered():
        listening = create_server((address, port))
    if leaf is None:
        return Edge(listening, None)
    tls = _trusting(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), leaf, trust or lab.pki.ca)
    if not ask:
        tls.verify_mode = ssl.CERT_NONE
    return Edge(listening, tls)
