"""All streams towards one side: who may call, whom to call, one way out for each pair of domains."""

import random
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, ensureDeferred

from gateway.errors import AddressError, GatewayError
from gateway.interfaces import Surroundings
from gateway.log import Log
from gateway.model.address import Address, ascii_domain
from gateway.model.envelope import Envelope, Problem
from gateway.outbox import LinkClosed, Outbox, OutboxLimits
from gateway.protocols.element import Element
from gateway.protocols.xmpp.dialback import DialbackSecret
from gateway.protocols.xmpp.events import Authenticated, Verify, VerifyAnswer
from gateway.protocols.xmpp.initiating import InitiatingStream
from gateway.protocols.xmpp.limits import AFTER_AUTHENTICATION, Limits
from gateway.protocols.xmpp.receiving import ReceivingStream
from gateway.protocols.xmpp.stream import NotAuthenticated
from gateway.protocols.xmpp.stream_error import StreamError
from gateway.transport.connector import ConnectFailed, connect
from gateway.transport.link import Link
from gateway.transport.resolver import LookupFailed, Target
from plugins.legs.xmpp.connection import Connection, link_limits
from plugins.legs.xmpp.hosts import SideHost
from plugins.legs.xmpp.lane import Lane, domain_of
from plugins.legs.xmpp.outflow import Outflow
from plugins.legs.xmpp.pulse import Pulse
from plugins.legs.xmpp.tally import Tally
from plugins.legs.xmpp.verifying import Verifier

log = Log("xmpp")

SLEEPY_SECONDS = 10.0
"""Silence after which a stream gives back the memory that it can do without."""
CLOSE_SECONDS = 10.0
"""How long a peer may take to close its side of a stream (RFC 6120 section 4.4)."""
SMALL = 2500
"""Characters of a stanza that every peer takes: 10 000 bytes at the least (RFC 6120 section 13.12)."""
MOST_REDIRECTS = 2
ALPN = ("xmpp-server",)
NOT_FOUND = Problem.REMOTE_SERVER_NOT_FOUND


class ServerFace:
    """Is the gateway as servers of one side see it; `dialect` reads and writes that side's stanzas."""

    def __init__(
        self, name: str, house: Any, host: SideHost, dialect: Any, surroundings: Surroundings, outflow: Outflow
    ) -> None:
        self.name = name
        self.house = house
        self.host = host
        self.dialect = dialect
        self.outflow = outflow
        dialect.ponged = self.ponged
        self.clock: Callable[[], float] = surroundings.reactor.seconds
        self.reactor = surroundings.reactor
        self.now = surroundings.now
        self._metrics = surroundings.metrics
        self._limits = surroundings.config.limits
        self._stanza_limits = _stanza_limits(self._limits.stanza_bytes)
        self._secret = DialbackSecret(surroundings.secret(f"dialback-{name}"))
        self.connections: set[Connection] = set()
        self.lanes: dict[tuple[str, str], Lane] = {}
        self._verifier = Verifier(self)
        self._pulse = Pulse(self, self._limits, self._metrics)
        self._tally = Tally(host, self._metrics, self.now, name == "outside")
        self.stopping = False

    # -- out ------------------------------------------------------------------------------------------------------

    def deliver(self, envelope: Envelope) -> bool:
        """Sends an envelope from its sender's domain to its recipient's, or keeps it and calls the other domain."""
        lane = self.lane(envelope.sender.domain, envelope.recipient.domain)
        lane.outbox.put(envelope)
        if lane.connection is not None:
            return True
        self.call(lane)
        return False

    def say(self, local: str, remote: str, text: str) -> None:
        """Sends an answer that needs no policy, if a stream is up; nobody waits for it otherwise."""
        lane = self.lane(domain_of(local), domain_of(remote))
        with suppress(LinkClosed):
            if lane.connection is not None:
                self._send(lane.connection, text)
                return
        lane.keep_text(text)
        self.call(lane)

    def lane(self, local: str, remote: str) -> Lane:
        """Gives the way out for a pair of domains."""
        found = self.lanes.get((local, remote))
        if found is None:
            limits = OutboxLimits(self._limits.queue_stanzas, self._limits.queue_seconds, self._limits.queue_bytes)
            outbox = Outbox(limits, self.house.reconsider, self.house.undeliverable, self.now)
            found = self.lanes[(local, remote)] = Lane(local, remote, self.host.partner(local, remote), outbox)
        return found

    def call(self, lane: Lane) -> None:
        """Begins to connect, unless that is under way, or it is too early to try again."""
        if not (lane.connecting or lane.retry or lane.connection or self.stopping):
            lane.connecting = True
            ensureDeferred(self._call(lane))

    async def _call(self, lane: Lane) -> None:
        problem = Problem.REMOTE_SERVER_TIMEOUT
        try:
            targets = await self.host.targets(lane.local, lane.remote)
            redirects = MOST_REDIRECTS
            lane.problem = "no address is known"
            while targets:
                lane.problem, other_host = await self._try(lane, targets.pop(0))
                if not lane.problem:
                    lane.connecting = False
                    return
                if other_host and redirects:
                    redirects -= 1
                    targets = await self.host.elsewhere(lane.remote, other_host) + targets
        except LookupFailed as failure:
            lane.problem, problem = str(failure), NOT_FOUND
        except Exception:  # noqa: BLE001 whatever happened, the lane must not stay in the state of connecting
            log.failure("call failed")
            lane.problem = "an error in the gateway"
        lane.connecting = False
        self._failed(lane, problem)

    async def _try(self, lane: Lane, target: Target) -> tuple[str, str]:
        """Connects to one target; gives '' when the pair is authenticated there, else why not, and where to go then."""
        try:
            sock, _, _ = await connect(self.reactor, [target], self._limits.connect_seconds)
        except ConnectFailed as failure:
            return str(failure), ""
        if lane.connection is not None or self.stopping:
            sock.close()
            return "", ""
        connection = self.initiate(sock, lane.local, lane.remote, target.direct_tls)
        return await connection.ready, connection.other_host

    def initiate(
        self, sock: socket.socket, local: str, remote: str, direct_tls: bool, verify: bool = False
    ) -> Connection:
        """Begins a stream on a connected socket; its `ready` tells the outcome."""
        make = partial(
            InitiatingStream,
            host=self.host,
            secret=self._secret,
            local=local,
            remote=remote,
            verify_only=verify,
            limits_after=self._stanza_limits,
        )
        connection = self._joined(sock, make(now=self.clock()))
        if direct_tls:
            connection.stream.take_output()
            connection.start_tls(self.host.client(local, remote), False, ascii_domain(remote), ALPN)
        else:
            connection.flush()
        return connection

    def _failed(self, lane: Lane, problem: Problem) -> None:
        lane.failures += 1
        seconds = lane.delay(self._limits.retry_seconds, self._limits.retry_max_seconds, random.random())
        log.warn("link failed", side=self.name, domain=lane.local, peer=lane.remote, detail=GatewayError(lane.problem))
        self._tally.failed(lane, problem)
        lane.retry = self.reactor.callLater(seconds, self._again, lane)
        lane.outbox.failed(problem)
        if lane.failures == 1:
            self._mourn(lane)

    def _again(self, lane: Lane) -> None:
        lane.retry = None
        if lane.wanted:
            self.call(lane)

    # -- in -------------------------------------------------------------------------------------------------------

    def accepted(self, sock: socket.socket, peer: tuple[str, int], release: Any, direct_tls: bool) -> None:
        """Takes a connection that a server has opened."""
        stream = ReceivingStream(
            host=self.host,
            secret=self._secret,
            now=self.clock(),
            limits_after=self._stanza_limits,
            idle_seconds=int(self._limits.idle_seconds),
        )
        connection = self._joined(sock, stream)
        connection.place, connection.release = peer[0], release
        if direct_tls:
            connection.start_tls(self.host.server(None, None), True)

    def _joined(self, sock: socket.socket, stream: Any) -> Connection:
        connection = Connection(self, stream)
        connection.link = Link(self.reactor, sock, connection, link_limits(self._limits))
        connection.heard_at = connection.used_at = self.clock()
        stream.deadline = self.clock() + self._limits.handshake_seconds
        self.connections.add(connection)
        connection.link.start()
        return connection

    def take(self, connection: Connection, element: Element) -> None:
        """Takes a stanza whose domains the stream has proven."""
        attributes = element.attributes
        sender, recipient = attributes["from"], attributes["to"]
        connection.used_at = connection.heard_at
        if connection.stream.lang:
            attributes.setdefault("xml:lang", connection.stream.lang)
        try:
            self.dialect.take(Address.parse(sender), Address.parse(recipient), element)
        except AddressError:
            self._metrics.parser_rejects("xmpp", "improper-addressing").inc()
            self.dialect.refuse(sender, recipient, element, Problem.JID_MALFORMED)
        except Exception:  # noqa: BLE001 one bad stanza hurts one stanza
            log.failure("stanza failed")
            self._metrics.errors().inc()
            self.dialect.refuse(sender, recipient, element, Problem.SERVICE_UNAVAILABLE)

    # -- what connections tell ---------------------------------------------------------------------------------------

    def start_tls(self, connection: Connection) -> None:
        """Starts TLS as both ends have agreed."""
        stream = connection.stream
        if isinstance(stream, InitiatingStream):
            context = self.host.client(stream.local, stream.remote)
            connection.start_tls(context, False, ascii_domain(stream.remote))
        else:
            connection.start_tls(self.host.server(stream.local, stream.remote), True)

    def authenticated(self, connection: Connection, event: Authenticated) -> None:
        """Takes a proven pair into use; one that may carry our stanzas becomes the way out."""
        log.info("link up", side=self.name, domain=event.local, peer=event.remote, mechanism=event.method)
        lane = self.lane(event.local, event.remote)
        meeting = self._tally.opened(lane, connection, event.method)
        connection.method = event.method
        if meeting is not None:
            self.house.met(meeting)
        if lane.connection is None and connection.stream.may_send(event.local, event.remote):
            self._opened(lane, connection)
        elif lane.broken:
            self.call(lane)

    def _opened(self, lane: Lane, connection: Connection) -> None:
        lane.connection, lane.failures, lane.problem = connection, 0, ""
        lane.stop()
        lane.opened_at = self.now()
        lane.outbox.opened(partial(self._transmit, connection))
        for text in lane.take_texts():
            self.say(lane.local, lane.remote, text)
        if lane.broken:
            self.house.link_restored(lane.local, lane.remote)
        lane.broken = False

    def _transmit(self, connection: Connection, envelope: Envelope) -> None:
        text = self.dialect.write(envelope, envelope.sender, envelope.recipient)
        if len(text) > SMALL and not _fits(text, connection):
            self.house.undeliverable(envelope, Problem.POLICY_VIOLATION)
        elif text:
            self._send(connection, text)

    def _send(self, connection: Connection, text: str) -> None:
        connection.used_at = self.clock()
        try:
            connection.stream.send(text)
        except NotAuthenticated:
            self._detach(connection)
            raise LinkClosed from None
        self.outflow.mark(connection)

    def verify(self, connection: Connection, event: Verify) -> None:
        """Has a key verified."""
        self._verifier.verify(connection, event)

    def verified(self, connection: Connection, event: VerifyAnswer) -> None:
        """Takes the answer about a key."""
        self._verifier.answered(connection, event)

    def gone(self, connection: Connection) -> None:
        """Forgets a connection; what was lost without a good-bye is called again, and mourned if it stays away."""
        self.connections.discard(connection)
        self.outflow.forget(connection)
        self._verifier.forget(connection)
        self._tally.ended(connection)
        stream = connection.stream
        log.info(
            "link down",
            side=self.name,
            domain=stream.local or "",
            peer=stream.remote or "",
            detail=GatewayError(connection.reason),
        )
        self._detach(connection)
        for lane in self._lanes_of(connection):
            if not (connection.clean or self.stopping):
                self._mourn(lane)
            if len(lane.outbox):
                self.call(lane)

    def _detach(self, connection: Connection) -> None:
        """Takes a connection that carries nothing any more out of use; it may yet finish what it is saying."""
        for lane in self._lanes_of(connection):
            if lane.connection is connection:
                lane.connection = lane.opened_at = None
                lane.outbox.closed()

    def _lanes_of(self, connection: Connection) -> Iterator[Lane]:
        stream = connection.stream
        pairs = set()
        if isinstance(stream, ReceivingStream | InitiatingStream):
            pairs = {(local, remote) for remote, local in stream.pairs}
        if isinstance(stream, InitiatingStream) and not stream.verify_only:
            pairs.add((stream.local, stream.remote))
        return (self.lanes[pair] for pair in pairs if pair in self.lanes)

    def _mourn(self, lane: Lane) -> None:
        lane.broken = True
        if lane.mourning is None and lane.connection is None:
            lane.mourning = self.reactor.callLater(self._limits.presence_seconds, self._mourned, lane)
            self.call(lane)

    def _mourned(self, lane: Lane) -> None:
        lane.mourning = None
        if lane.connection is None:
            self.house.link_lost(lane.local, lane.remote)

    # -- time -----------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Looks after every connection and queue; called every two seconds."""
        now = self.clock()
        for connection in list(self.connections):
            self._look_after(connection, now)
        self._tally.measure(self.lanes.values(), self.connections, now)
        for lane in list(self.lanes.values()):
            lane.outbox.expire()
            if lane.connection is not None:
                self._pulse.feel(lane, lane.connection, now)
            elif lane.spent:
                self.lanes.pop((lane.local, lane.remote), None)

    def _look_after(self, connection: Connection, now: float) -> None:
        stream = connection.stream
        if connection.ended_at is not None and now - connection.ended_at > CLOSE_SECONDS:
            connection.link.abort("the peer does not close")
        elif stream.expired(now):
            connection.end(StreamError("connection-timeout"))
            connection.link.close()
        elif connection.proof_ends < self.now():
            connection.end(StreamError("reset", "the certificate has expired"))
        elif stream.deadline is None and now - connection.used_at > self._limits.idle_seconds:
            connection.end()
        elif now - connection.heard_at > SLEEPY_SECONDS:
            stream.hibernate()

    def ping(self, local: str, remote: str) -> "Deferred[None]":
        """Pings a domain and fires when it answers; connects first if need be."""
        return self._pulse.ping(local, remote)

    def ponged(self, local: str, remote: str) -> None:
        """Takes note that a domain has answered a ping."""
        self._pulse.ponged(local, remote, self.lanes.get((local, remote)))

    def policy_changed(self) -> None:
        """Closes the streams of pairs that are no longer to be connected, and forgets what waits for them."""
        for lane in list(self.lanes.values()):
            if not self.host.serves(lane.local) or self.host.terms(lane.local, lane.remote) is None:
                del self.lanes[(lane.local, lane.remote)]
                lane.stop()
                lane.outbox.clear(NOT_FOUND)
        for connection in list(self.connections):
            if isinstance(connection.stream, InitiatingStream | ReceivingStream):
                connection.stream.policy_changed()
                connection.flush()

    async def stop(self) -> None:
        """Closes every stream, lets the last words out, and gives up after a moment."""
        self.stopping = True
        for lane in self.lanes.values():
            lane.stop()
        for connection in list(self.connections):
            connection.end()


def _fits(text: str, connection: Connection) -> bool:
    """Says whether the peer has not announced that it refuses a stanza of this size (XEP-0478)."""
    stream = connection.stream
    most = stream.peer_max_bytes if isinstance(stream, InitiatingStream) else None
    return most is None or len(text.encode()) <= most


def _stanza_limits(stanza_bytes: int) -> Limits:
    return evolve(AFTER_AUTHENTICATION, stanza_bytes=stanza_bytes)
