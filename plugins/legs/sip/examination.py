"""Tries to reach a partner over SIP step by step, in words on which the other side's administrator can act."""

import socket
from typing import Any

from twisted.internet.defer import Deferred

from gateway.transport.certificate import PeerCertificate, sip_domains, usage_finding
from gateway.transport.connector import ConnectFailed, connect
from gateway.transport.link import Link, LinkLimits
from gateway.transport.resolver import LookupFailed
from plugins.legs.sip.side import SipSide

TLS_SECONDS = 10.0


async def examine(side: SipSide, local: str, remote: str) -> list[dict[str, Any]]:
    """Looks a domain up, connects, secures; gives one row per step."""
    try:
        targets = await side.host.targets(remote)
    except LookupFailed as problem:
        paste = f"_sips._tcp.{remote}. 3600 IN SRV 0 5 5061 sip.{remote}."
        return [_row("dns", "fail", f"{problem}. If {remote} speaks SIP, its DNS needs this record.", paste)]
    rows = [_row("dns", "ok", ", ".join(f"{target.host}:{target.port}" for target in targets))]
    try:
        sock, target, address = await connect(side.reactor, targets)
    except ConnectFailed as problem:
        return [*rows, _row("connect", "fail", f"{problem}. Is the port open in {remote}'s firewall?")]
    rows.append(_row("connect", "ok", f"{target.host}:{target.port} at {address}"))
    handshake = Handshake(side, local, remote)
    return [*rows, *await handshake.begin(sock)]


class Handshake:
    """Secures one connection, looks at what the other side shows, and lets go."""

    def __init__(self, side: SipSide, local: str, remote: str) -> None:
        self._side, self._local, self._remote = side, local, remote
        self._done: Deferred[list[dict[str, Any]]] = Deferred()
        self._link: Link

    def begin(self, sock: socket.socket) -> "Deferred[list[dict[str, Any]]]":
        """Begins; gives the rows about TLS, the certificate and its use when it is over."""
        self._link = Link(
            self._side.reactor,
            sock,
            self,
            LinkLimits(write_buffer=self._side.limits.write_buffer_bytes, stall_seconds=TLS_SECONDS),
        )
        self._link.start()
        self._link.start_tls(self._side.host.client(self._local, self._remote), False, self._remote)
        late = self._side.reactor.callLater(TLS_SECONDS, self._link.abort, f"no TLS within {TLS_SECONDS:.0f} s")
        self._done.addBoth(_over, late)
        return self._done

    def tls_established(self, certificate: PeerCertificate | None) -> None:
        """Judges what was shown."""
        rows = [_row("tls", "ok", f"{self._link.tls_version or 'TLS'} {self._link.cipher or ''}".strip())]
        rows += certificate_rows(certificate, self._remote, self._side.host.proven(certificate))
        self._link.close()
        if not self._done.called:
            self._done.callback(rows)

    def data_received(self, chunk: bytes) -> None:
        """Expects nothing."""

    def link_lost(self, reason: str) -> None:
        """Says why TLS was not reached."""
        if not self._done.called:
            text = f"{reason}. Does {self._remote} ask for our certificate, and believe it?"
            self._done.callback([_row("tls", "fail", text)])


def certificate_rows(certificate: PeerCertificate | None, remote: str, proven: frozenset[str]) -> list[dict[str, Any]]:
    """Says what a certificate proves (RFC 5922 section 7.1), and what its key usage means."""
    if certificate is None:
        return [_row("certificate", "fail", f"{remote} shows no certificate")]
    names = ", ".join(sorted(sip_domains(certificate))) or "none"
    shown = f"names {names}; public key sha256:{certificate.spki_sha256}"
    if remote not in proven:
        text = f"It does not prove {remote} (a chain that we believe, and sip:{remote} or {remote} in it). It {shown}."
        return [_row("certificate", "fail", text)]
    usage, why = usage_finding(certificate, remote)
    return [_row("certificate", "ok", shown), _row("key usage", usage, why)]


def _over(rows: Any, late: Any) -> Any:
    if late.active():
        late.cancel()
    return rows


def _row(name: str, outcome: str, text: str, paste: str = "") -> dict[str, Any]:
    return {"name": name, "outcome": outcome, "text": text, "paste": paste or None}
