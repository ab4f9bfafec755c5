"""Who hears from a link, and the bounds that a link keeps."""

from __future__ import annotations

from typing import Protocol

from attrs import frozen

from gateway.transport.certificate import PeerCertificate


class Receiver(Protocol):
    """Is told what happens on a link, always from the reactor and never from inside a call to the link."""

    def data_received(self, chunk: bytes) -> None:
        """Takes the bytes of one read event."""

    def tls_established(self, certificate: PeerCertificate | None) -> None:
        """Learns that TLS stands, and what the peer presented."""

    def link_lost(self, reason: str) -> None:
        """Learns, exactly once, that the link is gone and why."""


@frozen
class LinkLimits:
    """Bounds of one link: bytes not yet accepted by the kernel, and seconds of patience."""

    write_buffer: int = 1024 * 1024
    stall_seconds: float = 30.0
    handshake_seconds: float = 10.0
    close_seconds: float = 5.0
