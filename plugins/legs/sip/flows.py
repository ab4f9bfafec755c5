"""The connections on which SIP travels: one per domain that we call, one per peer that calls us, one UDP socket."""

import socket
from functools import partial
from typing import Any, Protocol

from attrs import define, field
from twisted.internet.defer import ensureDeferred
from twisted.internet.protocol import DatagramProtocol

from gateway.errors import GatewayError
from gateway.guarding import NOBODY, OutputGuard
from gateway.log import Log
from gateway.protocols.guard.sip import headers_pass
from gateway.protocols.sip.faults import SipFault, SipSyntaxError
from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.reader import KeepAlive, Malformed, StreamReader, read_datagram
from gateway.protocols.sip.writer import serialise
from gateway.transport.certificate import PeerCertificate
from gateway.transport.connector import ConnectFailed, connect
from gateway.transport.link import Link, LinkLimits
from gateway.transport.places import Place
from gateway.transport.resolver import LookupFailed

log = Log("sip")

MOST_WAITING = 256 * 1024
"""Bytes that wait for a connection that is being made."""
IDLE_SECONDS = 600.0
MESSAGE_SECONDS = 30.0
"""How long a message may take from its first byte to its last."""
PROOF_SECONDS = 30.0
"""How often the certificate of a live connection is judged again."""
PONG = b"\r\n"


class Owner(Protocol):
    """Is the side that a flow belongs to."""

    host: Any
    reactor: Any
    limits: Any
    name: str
    guard: OutputGuard | None
    """Reads again what goes to partners; None on the inside."""

    def received(self, message: Request | Response, flow: "Flow") -> None:
        """Takes one message."""

    def begin_read(self) -> None:
        """Takes note that the messages of one read follow."""

    def end_read(self) -> None:
        """Takes note that the messages of one read have come."""

    def flow_lost(self, flow: "Flow") -> None:
        """Takes note that a flow has ended."""

    def connected(self, flow: "StreamFlow", certificate: PeerCertificate | None) -> None:
        """Takes note that a peer has proven its domains on a flow."""

    def malformed(self, flow: "Flow", malformed: Malformed) -> None:
        """Takes note of a message that could not be read."""

    async def places(self, flow: "StreamFlow") -> list[Place]:
        """Gives where the peer of a flow may be, the best first; raises LookupFailed."""

    def unreachable(self, place: Place) -> None:
        """Takes note that nobody believable is there."""


class Flow(Protocol):
    """Is a way on which messages come and go."""

    certified: frozenset[str] | None

    @property
    def transport(self) -> str:
        """Names the transport as Via does: TLS, TCP or UDP."""

    def send(self, *messages: Request | Response) -> None:
        """Sends messages in one piece, as soon as the way is open."""

    def __hash__(self) -> int:
        """Lets transactions remember on which way they came."""


@define(eq=False)
class StreamFlow:
    """Is one TCP or TLS connection."""

    owner: Owner
    secure: bool
    domain: str = ""
    """The domain that we called; '' for a peer that called us."""
    local: str = ""
    """The domain for which we called."""
    port: int | None = None
    """The port that we were told to call, when it is not for DNS to say."""
    known: list[Place] | None = None
    """Where the peer may be; None when it must be looked up."""
    at: Place | None = None
    """Where the peer is."""
    opened: bool = False
    """Whether it has ever been up."""
    alias: tuple[str, int] | None = None
    """The name in Via of a peer that called us and takes our requests on its connection (RFC 5923)."""
    identities: set[str] = field(factory=set)
    """Our identities that such a peer has called on it."""
    certified: frozenset[str] | None = None
    """Domains that may stand in From; None for our own server over plain TCP."""
    link: Link | None = None
    used_at: float = 0.0
    heard_at: float = 0.0
    """When a whole message came last."""
    ended: bool = False
    _certificate: PeerCertificate | None = None
    _proven_until: float = 0.0
    """Monotonic seconds at which the certificate is looked at again."""
    _ready: bool = False
    _left: list[Place] = field(factory=list)
    _waiting: list[bytes] = field(factory=list)
    _reader: StreamReader = field(factory=StreamReader)
    place: str = ""
    release: Any = None

    @property
    def transport(self) -> str:
        """Names the transport as Via does."""
        return "TLS" if self.secure else "TCP"

    def send(self, *messages: Request | Response) -> None:
        """Sends messages in one write, or keeps them until the connection is up."""
        self.used_at = self.owner.reactor.seconds()
        if self._ready and self.link is not None:
            self.link.write(_written(messages, self.owner.guard))
            return
        for message in messages:
            octets = _written((message,), self.owner.guard)
            if sum(map(len, self._waiting)) + len(octets) <= MOST_WAITING:
                self._waiting.append(octets)

    def accepted(self, sock: socket.socket, place: str, release: Any) -> None:
        """Takes a connection that a peer has opened."""
        self.place, self.release = place, release
        self._join(sock)
        if self.secure and self.link is not None:
            self.link.start_tls(self.owner.host.server(), True)

    def call(self) -> None:
        """Begins to connect."""
        ensureDeferred(self._call())

    async def _call(self) -> None:
        try:
            if self.known is None:
                self.known = await self.owner.places(self)
            self._left = list(self.known)
            await self._connect()
        except LookupFailed as problem:
            self._fail(str(problem))
        except Exception:  # noqa: BLE001 what waits for the connection must get an answer
            log.failure("call failed")
            self._fail("an error in the gateway")

    async def _connect(self) -> None:
        """Connects to the first server that is left and answers."""
        problem = "no server is left"
        while self._left:
            self.at = self._left.pop(0)
            try:
                sock, _, _ = await connect(self.owner.reactor, [self.at.target])
            except ConnectFailed as failed:
                problem = str(failed)
                self.owner.unreachable(self.at)
                continue
            self._join(sock)
            if self.secure and self.link is not None:
                self.link.start_tls(self.owner.host.client(self.local, self.domain), False, self.domain)
            return
        self._fail(problem)

    def _join(self, sock: socket.socket) -> None:
        limits = self.owner.limits
        bounds = LinkLimits(write_buffer=limits.write_buffer_bytes, stall_seconds=limits.stall_seconds)
        self.link = Link(self.owner.reactor, sock, self, bounds)
        self.used_at = self.heard_at = self.owner.reactor.seconds()
        self.link.start()
        if not self.secure:
            self._open()

    def _open(self) -> None:
        self._ready = self.opened = True
        waiting, self._waiting = self._waiting, []
        if waiting and self.link is not None:
            self.link.write(b"".join(waiting))

    def tls_established(self, certificate: PeerCertificate | None) -> None:
        """Finds out whom the peer may speak for; one that proves nothing is cut (RFC 5922 section 7)."""
        self.certified = self.owner.host.proven(certificate)
        if not self.certified or (self.domain and self.domain not in self.certified):
            log.warn("certificate refused", side=self.owner.name, peer=self.domain or self.place)
            self._cut("the certificate does not prove the domain")
            return
        kept = certificate.judged() if certificate is not None else None
        self._certificate, self._proven_until = kept, self.owner.reactor.seconds() + PROOF_SECONDS
        log.info("link up", side=self.owner.name, peer=self.domain or sorted(self.certified)[0])
        self.owner.connected(self, certificate)
        self._open()

    def data_received(self, chunk: bytes) -> None:
        """Takes the bytes of one read; what cannot be framed ends the connection."""
        self.used_at = self.owner.reactor.seconds()
        try:
            events = self._reader.feed(chunk)
        except SipFault as fault:
            events = list(fault.before)
            self._take(events)
            if fault.answer is not None:
                self._refuse(fault.answer)
            self._cut("not SIP")
            return
        if events or self._reader.idle:
            self.heard_at = self.used_at
        self._take(events)

    def look(self, now: float) -> None:
        """Closes the connection when nobody has used it for long, cuts it when a message does not come to its end.

        One whose certificate does not prove any more what it has proven is closed as well: it has expired, is revoked,
        or the contract has changed.
        """
        if self.link is None:
            return
        if self._certificate is not None and now >= self._proven_until:
            self._proven_until = now + PROOF_SECONDS
            if not (self.certified or frozenset()) <= self.owner.host.proven(self._certificate):
                log.warn("certificate not believed any more", side=self.owner.name, peer=self.domain or self.place)
                self.close()
                return
        if now - self.used_at > IDLE_SECONDS:
            self.close()
        elif not self._reader.idle and now - self.heard_at > MESSAGE_SECONDS:
            self._cut("an unfinished message")

    def _take(self, events: Any) -> None:
        self.owner.begin_read()
        try:
            for event in events:
                if isinstance(event, KeepAlive):
                    if self.link is not None:
                        self.link.write(PONG)
                elif isinstance(event, Malformed):
                    self._refuse(event)
                else:
                    self._mark(event)
                    self.owner.received(event, self)
        finally:
            self.owner.end_read()

    def _mark(self, message: Request | Response) -> None:
        """Writes into a request from where it came."""
        if isinstance(message, Request) and self.link is not None:
            address = self.place or (self.at.address if self.at is not None else "")
            if address:
                message.came_from(address, self.link.peer[1])

    def _refuse(self, malformed: Malformed) -> None:
        self.owner.malformed(self, malformed)
        if malformed.request is not None:
            self._mark(malformed.request)
            self.send(malformed.request.reply(malformed.status))

    def link_lost(self, reason: str) -> None:
        """Ends; a server that was never believed gives way to the next."""
        if self.opened or self.at is None:
            self._fail(reason)
            return
        self.owner.unreachable(self.at)
        if not self._left:
            self._fail(reason)
            return
        self.link = None
        ensureDeferred(self._connect_next())

    async def _connect_next(self) -> None:
        try:
            await self._connect()
        except Exception:  # noqa: BLE001 what waits for the connection must get an answer
            log.failure("call failed")
            self._fail("an error in the gateway")

    def close(self) -> None:
        """Closes the connection after what has been written."""
        self._left = []
        if self.link is not None:
            self.link.close()

    def _cut(self, reason: str) -> None:
        if self.link is not None:
            self.link.abort(reason)

    def _fail(self, reason: str) -> None:
        log.info("link down", side=self.owner.name, peer=self.domain or self.place, detail=GatewayError(reason))
        self._ready, self.ended = False, True
        if self.release is not None:
            self.release(self.place)
            self.release = None
        self.owner.flow_lost(self)


@define(eq=False)
class DatagramFlow:
    """Is the way to one address over UDP, on the inside only."""

    socket: "DatagramSocket"
    address: tuple[str, int]
    transport: str = "UDP"
    certified: frozenset[str] | None = None

    def send(self, *messages: Request | Response) -> None:
        """Sends one datagram for each message."""
        for message in messages:
            self.socket.send(_written((message,)), self.address)


class DatagramSocket(DatagramProtocol):
    """Is the UDP socket of the inside."""

    noisy = False

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._flows: dict[tuple[str, int], DatagramFlow] = {}

    def flow(self, address: tuple[str, int]) -> DatagramFlow:
        """Gives the flow of an address."""
        if len(self._flows) > 1000:
            self._flows.clear()
        return self._flows.setdefault(address, DatagramFlow(self, address))

    def send(self, octets: bytes, address: tuple[str, int]) -> None:
        """Sends one datagram."""
        if self.transport is not None:
            self.transport.write(octets, address)

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        """Takes one datagram."""
        event = read_datagram(datagram)
        request = event.request if isinstance(event, Malformed) else event if isinstance(event, Request) else None
        flow = self.flow((addr[0], addr[1]))
        if request is not None:
            request.came_from(addr[0], addr[1])
            flow = self.flow((addr[0], request.answer_port))
        if isinstance(event, Malformed):
            self._owner.malformed(flow, event)
            if request is not None:
                flow.send(request.reply(event.status))
        elif not isinstance(event, KeepAlive):
            self._owner.begin_read()
            try:
                self._owner.received(event, flow)
            finally:
                self._owner.end_read()


def _written(messages: tuple[Request | Response, ...], guard: OutputGuard | None = None) -> bytes:
    """Writes messages one behind the other; one that cannot be written or may not leave is left out."""
    pieces = []
    for message in messages:
        try:
            octets = serialise(message)
            if guard is None or guard.passes(NOBODY, partial(headers_pass, octets)):
                pieces.append(octets)
        except SipSyntaxError:
            log.failure("message not written")
    return b"".join(pieces)
