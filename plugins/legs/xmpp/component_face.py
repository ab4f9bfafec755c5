"""The inside as a component of the organisation's own server (XEP-0114): outside addresses are escaped (XEP-0106)."""

import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.defer import ensureDeferred

from gateway.config import InsideComponent
from gateway.errors import AddressError, GatewayError
from gateway.interfaces import Promise, Surroundings
from gateway.log import Log
from gateway.model.address import Address
from gateway.model.envelope import Envelope, Problem, QueryKind
from gateway.protocols.element import Element
from gateway.protocols.xmpp.component import ComponentStream
from gateway.protocols.xmpp.stanzas.escaping import escape_address, unescape_address
from gateway.protocols.xmpp.stanzas.queries import write_query
from gateway.protocols.xmpp.stream import NotAuthenticated
from gateway.protocols.xmpp.stream_error import StreamError
from gateway.queues.outbox import Choked, LinkClosed, Outbox, OutboxLimits, Unsendable
from gateway.records.signalling import Word
from gateway.transport.connector import ConnectFailed, connect
from gateway.transport.link import Link
from gateway.transport.places import named_target
from gateway.transport.resolver import LookupFailed
from plugins.legs.xmpp.confirming import WINDOW, Confirming
from plugins.legs.xmpp.connection import Connection, link_limits
from plugins.legs.xmpp.noting import stream
from plugins.legs.xmpp.outflow import Outflow

log = Log("xmpp.component")


class ComponentFace:
    """Is the gateway as a component; one connection carries everything, in order."""

    def __init__(
        self, house: Any, inside: InsideComponent, dialect: Any, surroundings: Surroundings, outflow: Outflow
    ) -> None:
        self.house = house
        self.dialect = dialect
        dialect.shown = self._escaped
        self.clock: Callable[[], float] = surroundings.reactor.seconds
        self._inside = inside
        self._domains = frozenset(str(domain) for domain in surroundings.config.gateway.domains)
        self._bot = surroundings.config.bot.address
        self._reactor = surroundings.reactor
        self._limits = surroundings.config.limits
        self._metrics = surroundings.metrics
        self.outflow = outflow
        self.slotted = False
        limits = OutboxLimits(
            self._limits.queue_stanzas,
            self._limits.queue_seconds,
            self._limits.queue_bytes,
            surroundings.config.spool.seconds,
        )
        self.outbox = Outbox(limits, house.reconsider, house.undeliverable, surroundings.now, house.delivered)
        self._confirming: Confirming | None = None
        dialect.ponged = self.ponged
        self.connection: Connection | None = None
        self._trying: Connection | None = None
        self.problem = ""
        self._lost = False
        self._mourning: Any = None
        self._failures = 0
        self._retry: Any = None
        self._stopping = False

    def start(self) -> None:
        """Begins to connect."""
        ensureDeferred(self._call())

    def deliver(self, envelope: Envelope) -> bool:
        """Sends an envelope to the inside server, or keeps it until the component is connected."""
        self.outbox.put(envelope)
        return self.connection is not None

    def say(self, local: str, remote: str, text: str) -> None:
        """Sends an answer that needs no policy; while the server is away nobody waits for it."""
        if self.connection is not None:
            with suppress(LinkClosed):
                self._send(text)

    async def _call(self) -> None:
        self._retry = None
        try:
            problem = await self._try()
        except Exception:  # noqa: BLE001 whatever happened, it is tried again
            log.failure("call failed")
            problem = "an error in the gateway"
        if problem:
            self._failed(problem)

    async def _try(self) -> str:
        """Connects and shakes hands; gives '' or the reason why not."""
        try:
            target = await named_target(self._inside.connect.host, self._inside.connect.port, False)
            sock, _, _ = await connect(self._reactor, target, self._limits.connect_seconds)
        except (LookupFailed, ConnectFailed) as failure:
            return str(failure)
        if self._stopping:
            sock.close()
            return "the gateway stops"
        stream = ComponentStream(domain=str(self._inside.name), secret=self._inside.secret.text, now=self.clock())
        stream.deadline = self.clock() + self._limits.handshake_seconds
        # A component link has nothing that acknowledges: the next read, which comes once all is safe, is that.
        connection = self._trying = Connection(self, stream, most_unsafe=1)
        connection.link = Link(self._reactor, sock, connection, link_limits(self._limits))
        connection.link.start()
        connection.flush()
        return await connection.ready

    def _failed(self, problem: str) -> None:
        self.problem = problem
        self._failures += 1
        log.warn("component refused", host=self._inside.connect.host, detail=GatewayError(problem))
        self._note(Word.UNREACHED, None)
        self.outbox.failed(Problem.REMOTE_SERVER_TIMEOUT)
        self._call_later()

    def _note(self, word: Word, connection: Connection | None) -> None:
        link = connection.link if connection is not None else None
        name = str(self._inside.name)
        self.dialect.trace.note(stream, self.dialect.side, word, name, sorted(self._domains)[0], link)

    def _call_later(self) -> None:
        if self._retry is None and not self._stopping:
            most = min(self._limits.retry_max_seconds, self._limits.retry_seconds * 2 ** min(self._failures, 6))
            self._retry = self._reactor.callLater(most * (0.5 + 0.5 * random.random()), self._call_now)

    def _call_now(self) -> None:
        ensureDeferred(self._call())

    # -- what the connection tells ----------------------------------------------------------------------------------

    def authenticated(self, connection: Connection, event: Any) -> None:
        """Takes the component into use."""
        log.info("component connected", domain=str(self._inside.name))
        self._note(Word.UP, connection)
        self.connection, self.problem, self._failures = connection, "", 0
        if self._mourning is not None and self._mourning.active():
            self._mourning.cancel()
        self._confirming = Confirming(
            connection,
            self.outbox,
            self._ping,
            self._reactor,
            self._limits.ping_timeout_seconds,
            self._metrics.spooled("unconfirmed").inc,
        )
        self.outbox.opened(self._transmit, WINDOW)
        if self._lost:
            self._lost = False
            for domain in sorted(self._domains):
                self.house.link_restored("", domain)

    def take(self, connection: Connection, element: Element) -> Promise | None:
        """Takes a stanza that one of our people sends to an escaped outside address."""
        sender, recipient = element.attributes.get("from", ""), element.attributes.get("to", "")
        try:
            who = Address.parse(sender)
            if who.domain not in self._domains:
                self.dialect.refuse(sender, recipient, element, Problem.FORBIDDEN)
                return None
            promise: Promise | None = self.dialect.take(who, self._outside(recipient), element)
            return promise
        except AddressError:
            self._metrics.parser_rejects("xmpp", "improper-addressing").inc()
            self.dialect.refuse(sender, recipient, element, Problem.ITEM_NOT_FOUND)
        except Exception:  # noqa: BLE001 one bad stanza hurts one stanza
            log.failure("stanza failed")
            self._metrics.errors().inc()
            self.dialect.refuse(sender, recipient, element, Problem.SERVICE_UNAVAILABLE)
        return None

    def _outside(self, recipient: str) -> Address:
        """Gives the contact behind an escaped address; raises AddressError when it hides no person."""
        address = Address.parse(recipient)
        if not address.local or address.bare == self._bot:
            return address
        contact = Address.parse(unescape_address(address, self._inside.name))
        if not contact.local:
            raise AddressError(f"{recipient!r} is not a contact at {self._inside.name}")
        return contact

    def _escaped(self, address: Address) -> str:
        return str(address) if address.domain == self._inside.name else escape_address(address, self._inside.name)

    def _ping(self, mark: str) -> None:
        with suppress(LinkClosed):
            self._send(write_query(QueryKind.PING, mark, self._inside.name, sorted(self._domains)[0]))

    def ponged(self, local: str, remote: str, mark: str) -> None:
        """Takes note that the server has answered a ping."""
        if self._confirming is not None:
            self._confirming.ponged(mark)

    def acknowledged(self, connection: Connection, count: int) -> None:
        """A component link does not count (XEP-0114)."""

    def drained(self, connection: Connection) -> None:
        """Goes on, since the server has read what waited for it."""
        self.outbox.drained()

    def _transmit(self, envelope: Envelope) -> None:
        if self.connection is not None and self.connection.choked:
            self.connection.link.drained = self.connection.drained
            raise Choked
        text = self.dialect.written(envelope, self._escaped(envelope.sender), envelope.recipient)
        if text:
            self._send(text)
            if envelope.ticket is not None and self._confirming is not None:
                self._confirming.sent()
        elif envelope.ticket is not None:
            raise Unsendable(Problem.NOT_ACCEPTABLE)

    def _send(self, text: str) -> None:
        if self.connection is None:
            raise LinkClosed
        try:
            self.connection.stream.send(text)
        except NotAuthenticated:
            self.connection = None
            raise LinkClosed from None
        self.outflow.mark(self.connection)

    def gone(self, connection: Connection) -> None:
        """Keeps what is to come, and connects again; if that takes long, our people are gone for their contacts."""
        self.outflow.forget(connection)
        if connection is not self._trying:
            return
        self._trying = self.connection = None
        if self._confirming is not None:
            self._confirming.close()
            self._confirming = None
        if connection.settled_close:
            self.outbox.confirmed(self.outbox.unconfirmed)
        self.outbox.closed()
        if connection.stream.deadline is None and not self._stopping:
            log.warn("component lost", detail=GatewayError(connection.reason))
            self._note(Word.DOWN, connection)
            self._lost = True
            self._mourning = self._reactor.callLater(self._limits.presence_seconds, self._mourned)
            self._call_later()

    def _mourned(self) -> None:
        for domain in sorted(self._domains):
            self.house.link_lost("", domain)

    def start_tls(self, connection: Connection) -> None:
        """A component has no TLS of its own (XEP-0114)."""

    def verify(self, connection: Connection, event: Any) -> None:
        """A component knows no dialback."""

    def verified(self, connection: Connection, event: Any) -> None:
        """A component knows no dialback."""

    def tick(self) -> None:
        """Looks after the connection and the queue."""
        self.outbox.expire()
        if self._confirming is not None:
            self._confirming.look(self.clock())
        if self._trying is not None and self._trying.stream.expired(self.clock()):
            self._trying.end(StreamError("connection-timeout"))
            self._trying.link.close()
        if self.connection is not None and self.clock() - self.connection.heard_at > self._limits.ping_seconds:
            self.connection.stream.send_whitespace()
            self.connection.flush()

    @property
    def talking(self) -> bool:
        """Says whether the stream has not ended yet."""
        return self._trying is not None

    async def stop(self) -> None:
        """Closes the stream."""
        self._stopping = True
        for call in (self._retry, self._mourning):
            if call is not None and call.active():
                call.cancel()
        if self._trying is not None:
            self._trying.end()
