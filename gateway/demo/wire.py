"""One stream of a demo server on one connection."""

from collections.abc import Callable
from typing import Protocol

from attrs import define, field
from OpenSSL import SSL

from gateway.model.address import ascii_domain
from gateway.protocols.element import Element
from gateway.protocols.xmpp.events import Authenticated, AuthenticationRefused, Event, Failed, StartTls
from gateway.protocols.xmpp.initiating import InitiatingStream
from gateway.protocols.xmpp.receiving import ReceivingStream
from gateway.transport.certificate import PeerCertificate
from gateway.transport.link import Link


class WireOwner(Protocol):
    """Is the server that a wire belongs to."""

    clock: Callable[[], float]
    """Gives monotonic seconds."""

    def take(self, element: Element) -> None:
        """Takes a stanza whose domains the stream has proven."""

    def tls_for(self, wire: "Wire") -> SSL.Context:
        """Gives the TLS context of a wire."""

    def ready(self, wire: "Wire") -> None:
        """Takes note that stanzas may pass."""

    def gone(self, wire: "Wire") -> None:
        """Takes note that a wire has ended; its `reason` says why."""


@define(eq=False)
class Wire:
    """Joins a stream to its link; the receiver of the link."""

    owner: WireOwner
    stream: ReceivingStream | InitiatingStream
    link: Link = field(init=False)
    reason: str = ""
    """Why the wire ended: the condition of the stream error, where there was one (RFC 6120 section 4.9.3)."""
    _secure_next: bool = False

    def data_received(self, chunk: bytes) -> None:
        """Takes the bytes of one read."""
        for event in self.stream.receive(chunk, self.owner.clock()):
            self._happened(event)
        self.flush()

    def tls_established(self, certificate: PeerCertificate | None) -> None:
        """Goes on inside TLS."""
        for event in self.stream.tls_established(certificate):
            self._happened(event)
        self.flush()

    def link_lost(self, reason: str) -> None:
        """Ends."""
        self.reason = self.reason or reason
        self.owner.gone(self)

    def send(self, text: str) -> None:
        """Sends a stanza."""
        self.stream.send(text)
        self.flush()

    def flush(self) -> None:
        """Writes what the stream has to say; starts TLS or ends the link when the stream is that far."""
        written = self.stream.take_output()
        if written:
            self.link.write(written)
        if self._secure_next:
            self._secure_next = False
            calling = isinstance(self.stream, InitiatingStream)
            name = ascii_domain(self.stream.remote or "") if calling else None
            self.link.start_tls(self.owner.tls_for(self), not calling, name)
        elif self.stream.finished:
            self.link.close()

    def end(self) -> None:
        """Closes the stream and lets the other side finish."""
        self.stream.close()
        self.flush()

    def _happened(self, event: Event) -> None:
        if isinstance(event, Element):
            self.owner.take(event)
        elif isinstance(event, StartTls):
            self._secure_next = True
        elif isinstance(event, Authenticated):
            self.owner.ready(self)
        elif isinstance(event, AuthenticationRefused):
            self.reason = self.reason or event.reason
        elif isinstance(event, Failed):
            self.reason = self.reason or event.condition
