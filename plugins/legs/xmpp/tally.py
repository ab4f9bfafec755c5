"""What one face counts of its streams: how they came up, what proved them, and why they ended."""

from collections.abc import Callable, Iterable
from typing import Any

from gateway.interfaces import UNTRACED, Meeting, Trace
from gateway.model.envelope import Problem, Side
from gateway.protocols.xmpp.initiating import InitiatingStream
from gateway.protocols.xmpp.server_stream import ServerStream
from gateway.records.signalling import Word
from gateway.transport.certificate import PeerCertificate
from plugins.legs.xmpp.connection import Connection
from plugins.legs.xmpp.hosts import SideHost
from plugins.legs.xmpp.lane import Lane
from plugins.legs.xmpp.noting import stream


class Tally:
    """Counts for one face; the partner's name is the label, never an address."""

    def __init__(self, host: SideHost, metrics: Any, now: Callable[[], float], outside: bool) -> None:
        self._host = host
        self._metrics = metrics
        self._now = now
        self._outside = outside
        """On the inside the peer is our own server: what it shows is nothing that a partner has shown."""
        self.trace: Trace = UNTRACED

    def opened(self, lane: Lane, connection: Connection, method: str) -> Meeting | None:
        """Counts a pair that is proven, TLS and the certificate with the first of a connection; gives what was met."""
        if not connection.method:
            self._secured(connection)
        self.trace.note(stream, self._side, Word.UP, lane.local, lane.remote, connection.link)
        direction = "out" if isinstance(connection.stream, InitiatingStream) else "in"
        self._metrics.auth(lane.partner, "xmpp", direction, method.upper(), "ok").inc()
        self._metrics.link_events(lane.partner, "xmpp", "opened", "").inc()
        return self._met(lane, connection, method) if self._outside else None

    def way(self, connection: Connection, remote: str, method: str) -> str:
        """Says how a domain was proven, and by what else than an authority a certificate counts for it."""
        certificate = _certificate(connection)
        proof = self._host.proof(certificate, remote) if method == "external" and certificate is not None else None
        return f"{method}+{proof.how}" if proof is not None and proof.how != "pkix" else method

    def _met(self, lane: Lane, connection: Connection, method: str) -> Meeting:
        """Says what the partner has shown; the key of a certificate that proves nothing is not looked at."""
        certificate = _certificate(connection) if method == "external" else None
        return Meeting(
            "xmpp",
            lane.local,
            lane.remote,
            method,
            certificate.spki_sha256 if certificate else "",
            certificate.issuer if certificate else "",
            connection.link.tls_version or "",
            "out" if isinstance(connection.stream, InitiatingStream) else "in",
        )

    def failed(self, lane: Lane, problem: Problem) -> None:
        """Counts a call that reached nobody."""
        reason = "dns" if problem is Problem.REMOTE_SERVER_NOT_FOUND else "refused"
        self._metrics.link_events(lane.partner, "xmpp", "failed", reason).inc()
        self.trace.note(stream, self._side, Word.UNREACHED, lane.local, lane.remote, None, problem)

    def ended(self, connection: Connection) -> None:
        """Counts what kept a connection from being proven: TLS that failed, or a key that is not the pinned one."""
        over = connection.stream
        self.trace.note(stream, self._side, Word.DOWN, over.local or "", over.remote or "", connection.link)
        if connection.securing:
            self._metrics.tls_failures("out" if isinstance(over, InitiatingStream) else "in").inc()
        certificate = _certificate(connection)
        if connection.method or certificate is None or not over.remote:
            return
        if self._host.mispinned(certificate, over.remote):
            self._metrics.pin_mismatch(self._peer(connection)).inc()

    def measure(self, lanes: Iterable[Lane], connections: Iterable[Connection], clock: float) -> None:
        """Reads what is a state rather than an event; `clock` is monotonic seconds."""
        for lane in lanes:
            coalesced, lane.outbox.coalesced = lane.outbox.coalesced, 0
            self._metrics.presence_coalesced(lane.partner).inc(coalesced)
        used: dict[str, float] = {}
        for connection in connections if self._outside else ():
            if connection.method:
                peer = self._peer(connection)
                used[peer] = max(used.get(peer, connection.used_at), connection.used_at)
        for peer, moment in used.items():
            self._metrics.last_success(peer).set(self._now() - (clock - moment))

    @property
    def _side(self) -> Side:
        return Side.EXTERNAL if self._outside else Side.INTERNAL

    def _secured(self, connection: Connection) -> None:
        link, certificate, peer = connection.link, _certificate(connection), self._peer(connection)
        if link.secure:
            self._metrics.tls_sessions(peer, link.tls_version, link.cipher).inc()
        if certificate is not None and self._outside:
            self._metrics.peer_cert_expiry(peer).set(certificate.not_after)

    def _peer(self, connection: Connection) -> str:
        """Gives the partner's name, or '' when it is our own server."""
        stream = connection.stream
        return self._host.partner(stream.local or "", stream.remote or "") if self._outside else ""


def _certificate(connection: Connection) -> PeerCertificate | None:
    stream = connection.stream
    certificate = stream.certificate if isinstance(stream, ServerStream) else None
    return certificate if isinstance(certificate, PeerCertificate) else None
