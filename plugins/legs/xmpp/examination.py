"""Tries to reach a partner step by step, in words on which the other side's administrator can act."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from gateway.transport.certificate import PeerCertificate, Proof, usage_finding
from gateway.transport.connector import ConnectFailed, connect
from gateway.transport.resolver import LookupFailed, Target
from plugins.legs.xmpp.connection import Connection
from plugins.legs.xmpp.server_face import ServerFace

Checks = list[dict[str, Any]]

PING_SECONDS = 5.0
SOON = 21 * 86400.0
"""Seconds before the end of a certificate from which on it is worth a warning."""


async def examine(face: ServerFace, local: str, remote: str) -> Checks:
    """Looks a domain up, connects, secures, authenticates and pings; gives one row per step."""
    checks: Checks = []
    try:
        targets = await face.host.targets(local, remote)
    except LookupFailed as problem:
        paste = f"_xmpp-server._tcp.{remote}. 3600 IN SRV 0 5 5269 xmpp.{remote}."
        return [_row("dns", "fail", f"{problem}. If {remote} has an XMPP server, its DNS needs this record.", paste)]
    checks.append(_row("dns", "ok", ", ".join(f"{target.host}:{target.port}" for target in targets)))
    dane = [f"{target.host}:{target.port} {target.dane}" for target in targets if target.dane]
    if dane:
        secure = all(target.associations for target in targets)
        checks.append(_row("dane", "ok" if secure else "warn", "; ".join(dane)))
    for target in targets:
        if await _try(face, local, remote, target, checks):
            break
    else:
        return checks
    checks.append(await _ping(face, local, remote))
    return checks


async def _try(face: ServerFace, local: str, remote: str, target: Target, checks: Checks) -> bool:
    where = f"{target.host}:{target.port}"
    try:
        sock, _, address = await connect(face.reactor, [target])
    except ConnectFailed as failure:
        checks.append(_row("connect", "fail", f"{where}: {failure}. Is the port open in {remote}'s firewall?"))
        return False
    checks.append(_row("connect", "ok", f"{where} at {address}"))
    connection = face.initiate(sock, local, remote, target)
    problem = await connection.ready
    if connection.distrusted:
        checks.append(_row("certificate", "fail", problem))
        return False
    checks.append(_tls_row(connection))
    checks.extend(_certificate_rows(face, connection, remote))
    checks.append(
        _row("authentication", "fail", f"{remote} and {local}: {problem}.")
        if problem
        else _row("authentication", "ok", f"{local} is accepted by {remote} ({connection.method})")
    )
    return not problem


def _tls_row(connection: Connection) -> dict[str, Any]:
    link = connection.link
    if connection.stream.secure:
        return _row("tls", "ok", f"{link.tls_version or 'TLS'} {link.cipher or ''}".strip())
    return _row("tls", "fail", f"TLS was not reached: {connection.reason or 'the peer did not go on'}")


def _certificate_rows(face: ServerFace, connection: Connection, remote: str) -> Checks:
    certificate = getattr(connection.stream, "certificate", None)
    if not isinstance(certificate, PeerCertificate):
        return []
    shown = f"names {', '.join(certificate.dns_names) or 'none'}; public key sha256:{certificate.spki_sha256}"
    proof = face.host.proof(certificate, remote)
    if proof is None:
        terms = face.host.terms(connection.stream.local or "", remote)
        outcome = "warn" if terms is not None and terms.dialback else "fail"
        return [_row("certificate", outcome, f"{face.host.why_not(certificate, remote)} It {shown}.")]
    how = f"{_trusted(proof)}; "
    usage = _row("key usage", *usage_finding(certificate, remote))
    if certificate.not_after - face.now() < SOON:
        days = (certificate.not_after - face.now()) / 86400
        return [_row("certificate", "warn", f"It ends in {days:.0f} days; {how}{shown}"), usage]
    return [_row("certificate", "ok", f"{how}{shown}"), usage]


def _trusted(proof: Proof) -> str:
    """Says in words what makes the certificate count."""
    words = {
        "pkix": "trusted by its authority",
        "pin": "trusted by the pinned key",
        "dane": "trusted by DANE: ",
        "posh": "trusted by POSH: its web server names it",
    }
    if proof.how in ("dane", "posh"):
        return words[proof.how] + proof.name_form
    return f"{words[proof.how]}, {proof.name_form} fits"


async def _ping(face: ServerFace, local: str, remote: str) -> dict[str, Any]:
    """Sends a ping over our stream and waits for the answer, which proves the way back as well."""
    started = face.clock()
    answered = face.ping(local, remote)
    timeout = deferLater(face.reactor, PING_SECONDS, _expire, answered)
    try:
        await answered
    except TimeoutError:
        text = f"{remote} did not answer a ping in {PING_SECONDS:.0f} s: can it connect back to {local}?"
        return _row(
            "round trip", "warn", text, f"_xmpp-server._tcp.{local}. 3600 IN SRV 0 5 5269 <this gateway's host name>."
        )
    finally:
        timeout.addErrback(lambda _: None)
        timeout.cancel()
    return _row("round trip", "ok", f"{(face.clock() - started) * 1000:.0f} ms")


def _expire(answered: "Deferred[None]") -> None:
    if not answered.called:
        answered.errback(TimeoutError())


def _row(name: str, outcome: str, text: str, paste: str = "") -> dict[str, Any]:
    return {"name": name, "outcome": outcome, "text": text, "paste": paste or None}
