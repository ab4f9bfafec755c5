"""All streams towards one side: who may call, whom to call, one way out for each pair of domains."""

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred

from gateway.errors import AddressError, GatewayError
from gateway.interfaces import Promise, Surroundings
from gateway.log import Log
from gateway.model.address import Address, ascii_domain
from gateway.model.envelope import Envelope, Problem, QueryKind
from gateway.protocols.element import Element
from gateway.protocols.xmpp.dialback import DialbackSecret
from gateway.protocols.xmpp.events import Authenticated, Verify, VerifyAnswer
from gateway.protocols.xmpp.initiating import InitiatingStream
from gateway.protocols.xmpp.limits import AFTER_AUTHENTICATION
from gateway.protocols.xmpp.receiving import ReceivingStream
from gateway.protocols.xmpp.server_stream import ServerStream
from gateway.protocols.xmpp.stanzas.queries import write_query
from gateway.protocols.xmpp.stream import NotAuthenticated
from gateway.protocols.xmpp.stream_error import StreamError
from gateway.queues.outbox import Choked, LinkClosed, Outbox, OutboxLimits, Unsendable
from gateway.transport.link import Link
from gateway.transport.resolver import Target
from plugins.legs.xmpp.calling import Caller
from plugins.legs.xmpp.confirming import WINDOW, Confirming
from plugins.legs.xmpp.connection import Connection, link_limits
from plugins.legs.xmpp.hosts import SideHost
from plugins.legs.xmpp.lane import Lane, domain_of
from plugins.legs.xmpp.mourning import Mourning
from plugins.legs.xmpp.outflow import Outflow
from plugins.legs.xmpp.pulse import Pulse
from plugins.legs.xmpp.tally import Tally
from plugins.legs.xmpp.verifying import Verifier

log = Log("xmpp")

SLEEPY_SECONDS = 10.0
"""Silence after which a stream gives back the memory that it can do without."""
CLOSE_SECONDS = 10.0
"""How long a peer may take to close its side of a stream (RFC 6120 section 4.4)."""
PROOF_SECONDS = 30.0
"""How often the certificate of a live stream is judged again: it may have been revoked."""
SMALL = 2500
"""Characters of a stanza that every peer takes: 10 000 bytes at the least (RFC 6120 section 13.12)."""
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
        self.outflow, self.slotted = outflow, name == "outside"
        dialect.ponged = self.ponged
        self.clock: Callable[[], float] = surroundings.reactor.seconds
        self.reactor = surroundings.reactor
        self.now = surroundings.now
        self._metrics = surroundings.metrics
        self.limits = surroundings.config.limits
        self._bounds = outbox_limits(surroundings.config)
        self.stanza_limits = evolve(AFTER_AUTHENTICATION, stanza_bytes=self.limits.stanza_bytes)
        self.secret = DialbackSecret(surroundings.secret(f"dialback-{name}"))
        self.connections: set[Connection] = set()
        self.lanes: dict[tuple[str, str], Lane] = {}
        self._caller = Caller(self)
        self._verifier = Verifier(self)
        self.mourning = Mourning(self)
        self._pulse = Pulse(self, self.limits, self._metrics)
        self.tally = Tally(host, self._metrics, self.now, name == "outside")
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
            outbox = Outbox(
                self._bounds, self.house.reconsider, self.house.undeliverable, self.now, self.house.delivered
            )
            found = self.lanes[(local, remote)] = Lane(local, remote, self.host.partner(local, remote), outbox)
        return found

    def call(self, lane: Lane) -> None:
        """Begins to connect, unless that is under way, or it is too early to try again."""
        self._caller.call(lane)

    def initiate(
        self, sock: socket.socket, local: str, remote: str, target: Target, verify: bool = False
    ) -> Connection:
        """Begins a stream on a connected socket; its `ready` tells the outcome."""
        return self._caller.initiate(sock, local, remote, target, verify)

    # -- in -------------------------------------------------------------------------------------------------------

    def accepted(self, sock: socket.socket, peer: tuple[str, int], release: Any, direct_tls: bool) -> None:
        """Takes a connection that a server has opened."""
        stream = ReceivingStream(
            host=self.host,
            secret=self.secret,
            now=self.clock(),
            limits_after=self.stanza_limits,
            idle_seconds=int(self.limits.idle_seconds),
        )
        connection = self.joined(sock, stream)
        connection.place, connection.release = peer[0], release
        if direct_tls:
            connection.start_tls(self.host.server(None, None), True)

    def joined(self, sock: socket.socket, stream: Any) -> Connection:
        """Joins a stream to a connected socket."""
        connection = Connection(self, stream)
        connection.link = Link(self.reactor, sock, connection, link_limits(self.limits))
        connection.heard_at = connection.used_at = self.clock()
        stream.deadline = self.clock() + self.limits.handshake_seconds
        self.connections.add(connection)
        connection.link.start()
        return connection

    def take(self, connection: Connection, element: Element) -> Promise | None:
        """Takes a stanza whose domains the stream has proven."""
        attributes = element.attributes
        sender, recipient = attributes["from"], attributes["to"]
        connection.used_at = connection.heard_at
        if connection.stream.lang:
            attributes.setdefault("xml:lang", connection.stream.lang)
        try:
            promise: Promise | None = self.dialect.take(Address.parse(sender), Address.parse(recipient), element)
            return promise
        except AddressError:
            self._metrics.parser_rejects("xmpp", "improper-addressing").inc()
            self.dialect.refuse(sender, recipient, element, Problem.JID_MALFORMED)
        except Exception:  # noqa: BLE001 one bad stanza hurts one stanza
            log.failure("stanza failed")
            self._metrics.errors().inc()
            self.dialect.refuse(sender, recipient, element, Problem.SERVICE_UNAVAILABLE)
        return None

    # -- what connections tell ---------------------------------------------------------------------------------------

    def start_tls(self, connection: Connection) -> None:
        """Starts TLS as both ends have agreed."""
        stream = connection.stream
        if isinstance(stream, InitiatingStream):
            context = self.host.client(stream.local, stream.remote)
            connection.start_tls(context, False, ascii_domain(stream.remote))
        else:
            connection.start_tls_when(self.host.learning(stream.remote), self.host.server(stream.local, stream.remote))

    def authenticated(self, connection: Connection, event: Authenticated) -> None:
        """Takes a proven pair into use; one that may carry our stanzas becomes the way out."""
        way = connection.way = self.tally.way(connection, event.remote, event.method)
        log.info("link up", side=self.name, domain=event.local, peer=event.remote, mechanism=way)
        lane = self.lane(event.local, event.remote)
        meeting = self.tally.opened(lane, connection, event.method)
        connection.method = event.method
        if meeting is not None:
            self.house.met(meeting)
        stream = connection.stream
        if isinstance(stream, ServerStream) and (event.remote, event.local) in stream.pairs:
            self.mourning.heard(lane, connection)
        if lane.connection is None and connection.stream.may_send(event.local, event.remote):
            self._opened(lane, connection)
        elif lane.connection is None and (lane.broken or lane.wanted):
            lane.stop_retrying()
            self.call(lane)

    def _opened(self, lane: Lane, connection: Connection) -> None:
        lane.connection, lane.failures, lane.problem, lane.failed_at = connection, 0, "", None
        lane.stop_retrying()
        lane.opened_at = self.now()
        lane.confirming = self._confirming(lane, connection)
        lane.outbox.opened(partial(self._transmit, lane, connection), WINDOW)
        for text in lane.take_texts():
            self.say(lane.local, lane.remote, text)
        self.mourning.opened(lane)

    def _confirming(self, lane: Lane, connection: Connection) -> Confirming:
        def ping(mark: str) -> None:
            with suppress(LinkClosed):
                self._send(connection, write_query(QueryKind.PING, mark, lane.local, lane.remote))

        unconfirmed = self._metrics.spooled("unconfirmed").inc
        return Confirming(connection, lane.outbox, ping, self.reactor, self.limits.ping_timeout_seconds, unconfirmed)

    def _transmit(self, lane: Lane, connection: Connection, envelope: Envelope) -> None:
        if connection.choked:
            connection.link.drained = connection.drained
            raise Choked
        text = self.dialect.written(envelope, envelope.sender, envelope.recipient)
        if len(text) > SMALL and not _fits(text, connection):
            raise Unsendable(Problem.POLICY_VIOLATION)
        if text:
            self._send(connection, text, self.dialect.count(envelope.content))
            if envelope.ticket is not None and lane.confirming is not None:
                lane.confirming.sent()
        elif envelope.ticket is not None:
            raise Unsendable(Problem.NOT_ACCEPTABLE)

    def acknowledged(self, connection: Connection, count: int) -> None:
        """Takes note that a peer has so many of our stanzas."""
        for lane in self._lanes_of(connection):
            if lane.connection is connection and lane.confirming is not None:
                lane.confirming.acknowledged(count)

    def drained(self, connection: Connection) -> None:
        """Lets the lanes of a connection that was full go on."""
        for lane in list(self._lanes_of(connection)):
            if lane.connection is connection:
                lane.outbox.drained()

    def _send(self, connection: Connection, text: str, count: int = 1) -> None:
        connection.used_at = self.clock()
        try:
            connection.stream.send(text, count)
        except NotAuthenticated:
            if not connection.choked:  # else the peer may yet confirm what it has
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
        self.tally.ended(connection)
        stream = connection.stream
        why = GatewayError(connection.reason)
        log.info("link down", side=self.name, domain=stream.local or "", peer=stream.remote or "", detail=why)
        self._detach(connection)
        for lane in self._lanes_of(connection):
            lane.heard_on.discard(connection)
            if not (connection.clean or self.stopping):
                self.mourning.broke(lane)
            if len(lane.outbox):
                self.call(lane)

    def _detach(self, connection: Connection) -> None:
        """Takes a connection that carries nothing any more out of use; it may yet finish what it is saying."""
        for lane in self._lanes_of(connection):
            if lane.connection is connection:
                complete = lane.confirming is not None and lane.confirming.complete
                lane.lost_at = self.clock() if complete else None
                if lane.confirming is not None:
                    lane.confirming.close()
                lane.connection = lane.opened_at = lane.confirming = None
                if connection.settled_close:
                    lane.outbox.confirmed(lane.outbox.unconfirmed)
                lane.outbox.closed()

    def _lanes_of(self, connection: Connection) -> Iterator[Lane]:
        stream = connection.stream
        pairs = set()
        if isinstance(stream, ReceivingStream | InitiatingStream):
            pairs = {(local, remote) for remote, local in stream.pairs}
        if isinstance(stream, InitiatingStream) and not stream.verify_only:
            pairs.add((stream.local, stream.remote))
        return (self.lanes[pair] for pair in pairs if pair in self.lanes)

    # -- time -----------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Looks after every connection and queue; called every two seconds."""
        now = self.clock()
        for connection in list(self.connections):
            self._look_after(connection, now)
        self.tally.measure(self.lanes.values(), self.connections, now)
        for lane in list(self.lanes.values()):
            lane.outbox.expire()
            if lane.connection is not None and lane.confirming is not None:
                lane.confirming.look(now)
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
        elif self._disproven(connection, now):
            connection.end(StreamError("reset", "the certificate is not believed any more"))
        elif stream.deadline is None and now - connection.used_at > self.limits.idle_seconds:
            connection.end()
        elif now - connection.heard_at > SLEEPY_SECONDS:
            stream.hibernate()

    def _disproven(self, connection: Connection, now: float) -> bool:
        """Says whether a certificate does not prove any more what it has proven; looks once in a while."""
        certificate, remote = connection.certificate, connection.stream.remote
        if connection.method != "external" or certificate is None or now - connection.judged_at < PROOF_SECONDS:
            return False
        connection.judged_at = now
        return not self.host.proves(certificate, remote or "")

    def ping(self, local: str, remote: str) -> "Deferred[None]":
        """Pings a domain and fires when it answers; connects first if need be."""
        return self._pulse.ping(local, remote)

    def ponged(self, local: str, remote: str, mark: str) -> None:
        """Takes note that a domain has answered a ping."""
        lane = self.lanes.get((local, remote))
        if lane is None or lane.confirming is None or not lane.confirming.ponged(mark):
            self._pulse.ponged(local, remote, lane)

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

    @property
    def talking(self) -> bool:
        """Says whether a stream has not ended yet."""
        return bool(self.connections)

    async def stop(self) -> None:
        """Closes every stream, lets the last words out, and gives up after a moment."""
        self.stopping = True
        for lane in self.lanes.values():
            lane.stop()
        for connection in list(self.connections):
            connection.end()


def outbox_limits(config: Any) -> OutboxLimits:
    """Gives the bounds of an outbox as the configuration sets them."""
    limits = config.limits
    return OutboxLimits(limits.queue_stanzas, limits.queue_seconds, limits.queue_bytes, config.spool.seconds)


def _fits(text: str, connection: Connection) -> bool:
    """Says whether the peer has not announced that it refuses a stanza of this size (XEP-0478)."""
    stream = connection.stream
    most = stream.peer_max_bytes if isinstance(stream, InitiatingStream) else None
    return most is None or len(text.encode()) <= most
