"""What a SIP connection has proven, in the words of the house."""

from collections.abc import Iterator

from gateway.interfaces import Meeting
from gateway.transport.certificate import PeerCertificate
from plugins.legs.sip.flows import StreamFlow

MOST = 16
"""Domains of one certificate that are told of."""


def meetings(flow: StreamFlow, certificate: PeerCertificate | None, ours: str) -> Iterator[Meeting]:
    """Gives one meeting for each domain that a flow to or from the outside has proven."""
    domains = [flow.domain] if flow.domain else sorted(flow.certified or ())[:MOST]
    for domain in domains:
        yield Meeting(
            "sip",
            flow.local or ours,
            domain,
            "mutual TLS",
            certificate.spki_sha256 if certificate else "",
            certificate.issuer if certificate else "",
            (flow.link.tls_version or "") if flow.link else "",
            "out" if flow.domain else "in",
        )
