"""A small XMPP server for one domain: our own streams with TLS and SASL EXTERNAL, and the people who live there."""

import secrets
import socket
import time
from collections.abc import Callable, Iterable
from typing import Any

from attrs import define, field
from OpenSSL import SSL
from twisted.internet.defer import ensureDeferred

from gateway.demo.person import Person
from gateway.demo.wire import Wire
from gateway.errors import AddressError
from gateway.model.address import Address, normal_domain
from gateway.model.envelope import Problem, Query
from gateway.protocols.element import Element
from gateway.protocols.xmpp.dialback import DialbackSecret
from gateway.protocols.xmpp.events import StreamTerms
from gateway.protocols.xmpp.initiating import InitiatingStream
from gateway.protocols.xmpp.receiving import ReceivingStream
from gateway.protocols.xmpp.stanzas.answers import write_domain_answer
from gateway.protocols.xmpp.stanzas.caps import Disco, Identity
from gateway.protocols.xmpp.stanzas.errors import bounce_of, write_bounce
from gateway.protocols.xmpp.stanzas.queries import read_query
from gateway.transport.authority import CertificateAuthority
from gateway.transport.certificate import PeerCertificate, proves
from gateway.transport.connector import ConnectFailed, connect
from gateway.transport.link import Link
from gateway.transport.listener import Listener
from gateway.transport.resolver import Target
from gateway.transport.tls import TrustAnchors, client_context, server_context

HERE = "127.0.0.1"
DISCO = Disco((Identity("server", "im"),), ("http://jabber.org/protocol/disco#info", "urn:xmpp:ping"))

Unsent = tuple[str, str]
"""The address of who wrote a stanza, and the stanza."""


@define
class Terms:
    """Answers the questions of a demo server's streams: it serves its domain, and demands certificates of all."""

    domain: str

    def canonical(self, domain: str) -> str | None:
        """Gives the one spelling of a domain, or None."""
        try:
            return normal_domain(domain)
        except AddressError:
            return None

    def serves(self, domain: str) -> bool:
        """Says whether a domain is the server's own."""
        return domain == self.domain

    def terms(self, local: str, remote: str) -> StreamTerms:
        """Demands TLS and a certificate of everybody; each direction has a connection of its own."""
        return StreamTerms(bidi=False)

    def proves(self, certificate: object, remote: str) -> bool:
        """Says whether a certificate proves a domain."""
        if not isinstance(certificate, PeerCertificate):
            return False
        return proves(certificate, remote, pins=frozenset(), accept_server_only_eku=True, now=time.time()) is not None


@define(eq=False)
class Road:
    """Is the way out to one other domain: a wire that carries stanzas, or what waits for one."""

    wire: Wire | None = None
    open: bool = False
    calling: bool = False
    waiting: list[Unsent] = field(factory=list)


@define(eq=False)
class DemoServer:
    """Serves one domain, and finds the gateway where the rest of the world would be."""

    domain: str
    gateway_port: int
    _authority: CertificateAuthority
    _reactor: Any
    people: dict[str, Person] = field(factory=dict)
    """The local part of an address to the person."""
    heard_at: float = 0.0
    """Monotonic seconds at which anything was last sent or taken."""
    clock: Callable[[], float] = field(init=False)
    _listener: Listener = field(init=False)
    _terms: Terms = field(init=False)
    _client: SSL.Context = field(init=False)
    _server: SSL.Context = field(init=False)
    _roads: dict[str, Road] = field(init=False, factory=dict)
    _wires: set[Wire] = field(init=False, factory=set)
    _secret: DialbackSecret = field(init=False, factory=lambda: DialbackSecret(secrets.token_bytes(32)))

    def __attrs_post_init__(self) -> None:
        self.clock = self._reactor.seconds
        credentials, anchors = self._authority.credentials_for(self.domain), TrustAnchors(self._authority.ca_file)
        self._client, self._server = client_context(credentials, anchors), server_context(credentials, anchors)
        self._terms = Terms(self.domain)
        self._listener = Listener(self._reactor, HERE, 0, self._accepted, per_address=64)

    @property
    def port(self) -> int:
        """Gives the port on which other servers find this one."""
        return self._listener.port

    def start(self) -> None:
        """Begins to accept connections."""
        self._listener.start()

    def stop(self) -> None:
        """Closes every door and every stream."""
        self._listener.stop()
        for wire in list(self._wires):
            wire.end()

    def settle_in(self, names: Iterable[str]) -> None:
        """Gives people an address here."""
        for name in names:
            self.people[name] = Person(Address.of(name, self.domain), self.send)

    def send(self, sender: str, recipient: Address, text: str) -> None:
        """Sends a stanza to another domain, over a stream that is made if need be."""
        self.heard_at = self.clock()
        road = self._roads.setdefault(recipient.domain, Road())
        if road.wire is not None and road.open:
            road.wire.send(text)
            return
        road.waiting.append((sender, text))
        if road.wire is None and not road.calling:
            road.calling = True
            ensureDeferred(self._call(recipient.domain, road))

    async def _call(self, remote: str, road: Road) -> None:
        try:
            sock, _, _ = await connect(self._reactor, [Target(HERE, self.gateway_port, False, (HERE,))])
        except ConnectFailed as problem:
            self._failed(road, str(problem))
            return
        finally:
            road.calling = False
        now = self.clock()
        stream = InitiatingStream(host=self._terms, secret=self._secret, local=self.domain, remote=remote, now=now)
        road.wire = self._joined(sock, stream)
        road.wire.flush()

    def _accepted(self, sock: socket.socket, peer: tuple[str, int]) -> None:
        self._joined(sock, ReceivingStream(host=self._terms, secret=self._secret, now=self.clock()))

    def _joined(self, sock: socket.socket, stream: ReceivingStream | InitiatingStream) -> Wire:
        wire = Wire(self, stream)
        wire.link = Link(self._reactor, sock, wire)
        self._wires.add(wire)
        wire.link.start()
        return wire

    # -- what wires tell ------------------------------------------------------------------------------------------

    def tls_for(self, wire: Wire) -> SSL.Context:
        """Gives the TLS context of a wire."""
        return self._client if isinstance(wire.stream, InitiatingStream) else self._server

    def ready(self, wire: Wire) -> None:
        """Sends what has waited for a road."""
        for road in self._roads.values():
            if road.wire is wire:
                road.open = True
                waiting, road.waiting = road.waiting, []
                for _, text in waiting:
                    wire.send(text)

    def gone(self, wire: Wire) -> None:
        """Tells everybody whose stanzas waited for this wire that they will not arrive."""
        self.heard_at = self.clock()
        self._wires.discard(wire)
        if isinstance(wire.stream, ReceivingStream):
            self._listener.release(wire.link.peer[0])
        for road in self._roads.values():
            if road.wire is wire:
                road.wire, road.open = None, False
                self._failed(road, wire.reason)

    def _failed(self, road: Road, reason: str) -> None:
        waiting, road.waiting = road.waiting, []
        for sender, _ in waiting:
            person = self.people.get(Address.parse(sender).local)
            if person is not None:
                person.refused(reason)

    def take(self, element: Element) -> None:
        """Gives a stanza to whom it is for; answers for the domain, and for people whom nobody knows."""
        self.heard_at = self.clock()
        sender, recipient = Address.parse(element.attributes["from"]), Address.parse(element.attributes["to"])
        person = self.people.get(recipient.local)
        if person is not None:
            person.take(sender, element)
        elif not recipient.local and element.name == "iq":
            content = read_query(element, time.time())
            if isinstance(content, Query):
                self.send(recipient, sender, write_domain_answer(content, DISCO, (), recipient, sender))
        elif element.name != "presence" and (bounce := bounce_of(element, Problem.SERVICE_UNAVAILABLE)) is not None:
            self.send(recipient, sender, write_bounce(bounce, recipient, sender))
