"""One side of the SIP leg: a user agent, its flows and its clock; what happens on it goes to the desk."""

import random
import secrets
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from gateway.guarding import OutputGuard
from gateway.interfaces import UNTRACED, Surroundings, Trace
from gateway.log import Log
from gateway.model.envelope import Side
from gateway.protocols.sip.attempts import Attempts
from gateway.protocols.sip.digest import Credentials, Digest
from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.reader import Malformed
from gateway.protocols.sip.station import Station
from gateway.protocols.sip.subscribing import SubscriptionKey
from gateway.protocols.sip.transaction_events import Send
from gateway.protocols.sip.transactions import TransactionLayer
from gateway.protocols.sip.user_agent import UserAgent, UserAgentEvent
from gateway.records.signalling import Way, Word
from gateway.transport.certificate import PeerCertificate
from gateway.transport.listener import Listener
from gateway.transport.places import Place
from plugins.legs.sip.flows import DatagramSocket, Flow, StreamFlow
from plugins.legs.sip.hosts import SipHost
from plugins.legs.sip.noting import connection, fault, noted, unreached, unread
from plugins.legs.sip.reach import Reach
from plugins.legs.sip.turns import Turns
from plugins.legs.sip.ways import Ways

log = Log("sip")

TRANSPORTS = {"tls": "TLS", "tcp": "TCP", "udp": "UDP"}


class Desk(Protocol):
    """Makes envelopes of what happens on a side."""

    def happened(self, event: UserAgentEvent) -> None:
        """Takes one event."""

    def watcher(self, presentity: str, watcher: str) -> int:
        """Gives the status with which a new subscription is answered."""

    def session(self, local: str, remote: str) -> int:
        """Gives the status with which an IM session is answered."""

    def wanted(self, key: SubscriptionKey) -> bool:
        """Says whether a subscription of ours is still to be refreshed."""


class SipSide:
    """Is the gateway as SIP peers of one side see it."""

    def __init__(
        self, name: str, surroundings: Surroundings, host: SipHost, transport: str, contact: tuple[str, int]
    ) -> None:
        self.name = name
        self.slotted = name == "outside"
        self.host = host
        self.desk: Desk
        self.guard = OutputGuard("sip", surroundings.metrics) if name == "outside" else None
        """Reads the headers of what goes to partners again."""
        self.reactor = surroundings.reactor
        self.limits = surroundings.config.limits
        self.now = surroundings.now
        self._transport = transport
        where = f"{contact[0]}:{contact[1]}"
        shown = where if ":" not in contact[0] else f"[{contact[0]}]:{contact[1]}"
        self.ways = Ways(self, transport)
        transactions = TransactionLayer(_token, shown, _transport_of, offers=_offers)
        self.attempts = transactions.persistence = Attempts(self.ways)
        mark = surroundings.secret("sip-hop").hex()[:16]
        station = Station(
            transactions, _token, f"sip:{shown};transport={transport}", self.ways.way, random.random, mark
        )
        self.agent = UserAgent(station, _Admission(self))
        self.turns = Turns(self.reactor)
        """Shared by the sides of a leg."""
        self.meets: Callable[[StreamFlow, PeerCertificate | None], None] | None = None
        """Is told of each connection on which a peer has proven its domains."""
        self.reach: Reach | None = None
        """Knows which peers are silent."""
        self.trace: Trace = UNTRACED
        self._listeners: list[Listener] = []
        self._port: Any = None
        self._alarm: Any = None
        self._turning = False

    # -- doors -----------------------------------------------------------------------------------------------------

    def listen(self, where: Any, per_address: int) -> None:
        """Opens one listening socket."""
        if self._transport == "udp":
            self.ways.datagrams = DatagramSocket(self)
            self._port = self.reactor.listenUDP(where.port, self.ways.datagrams, interface=where.host)
            return

        def accepted(sock: Any, peer: tuple[str, int]) -> None:
            flow = StreamFlow(self, self._transport == "tls")
            self.ways.accepted.add(flow)
            flow.accepted(sock, peer[0], listener.release)

        listener = Listener(self.reactor, where.host, where.port, accepted, per_address, self.limits.connections)
        listener.start()
        self._listeners.append(listener)
        log.info("listening", side=self.name, host=where.host, port=where.port)

    def know_datagram_peer(self, domain: str, address: tuple[str, int]) -> None:
        """Says where a domain is reached over UDP."""
        self.ways.addresses[domain] = address

    def authenticate(self, credentials: Credentials) -> None:
        """Answers with these credentials when it is asked who it is."""
        self.attempts.digest = Digest(credentials, _token)

    @property
    def _towards(self) -> Side:
        return Side.EXTERNAL if self.name == "outside" else Side.INTERNAL

    @property
    def flows(self) -> list[StreamFlow]:
        """Gives the connections of ours that new requests take."""
        return list(self.ways.flows.values())

    def begin_read(self) -> None:
        """Takes note that the messages of one read follow."""
        self.turns.begin()

    def received(self, message: Request | Response, flow: Flow) -> None:
        """Takes one message from a flow."""
        self.turns.mark(self)
        if self.slotted and isinstance(message, Request):
            self.turns.answering = True
        if self.trace.on:
            self.trace.note(noted, self._towards, Way.IN, message, flow)
        if self.reach is not None:
            self.reach.received(message, flow)
        if isinstance(message, Request) and isinstance(flow, StreamFlow):
            self.ways.offered(message, flow)
        for event in self.agent.received(message, flow, flow.certified, self.reactor.seconds()):
            self._happened(event)

    def end_read(self) -> None:
        """Lets every side send what the messages of one read have led to."""
        self.turns.end()

    def connected(self, flow: StreamFlow, certificate: PeerCertificate | None) -> None:
        """Takes note that a peer has proven its domains on a connection."""
        self.trace.note(connection, self._towards, Word.UP, flow)
        if self.meets is not None:
            self.meets(flow, certificate)

    def flow_lost(self, flow: Flow) -> None:
        """Takes note that a flow has ended: what waited on it has failed."""
        self.trace.note(connection, self._towards, Word.DOWN, flow)
        if isinstance(flow, StreamFlow):
            self.ways.lost(flow)
            if self.reach is not None and flow.domain:
                self.reach.suspect(flow.domain)
        self._tell(self.agent.flow_lost(flow, self.reactor.seconds()))

    def malformed(self, flow: Flow, malformed: Malformed) -> None:
        """Takes note of a message that could not be read."""
        self.trace.note(unread, self._towards, malformed.status, flow)

    async def places(self, flow: StreamFlow) -> list[Place]:
        """Gives where the peer of a flow may be; raises LookupFailed."""
        return await self.ways.places(flow)

    def unreachable(self, place: Place) -> None:
        """Takes note that nobody believable is at a place."""
        self.trace.note(unreached, self._towards, place.address)
        self.ways.unreachable(place)

    # -- time ------------------------------------------------------------------------------------------------------

    def turn(self) -> None:
        """Sends what is due and sets the alarm for what comes next."""
        if self._turning:
            return
        self._turning = True
        try:
            while True:
                events = self.agent.tick(self.reactor.seconds())
                sends = self.agent.take_output()
                self._send(sends)
                for event in events:
                    self._happened(event)
                if not events and not sends:
                    break
        finally:
            self._turning = False
        self._set_alarm()

    def _send(self, sends: list[Send]) -> None:
        """Sends messages in order, those of one flow in one piece."""
        ways: dict[Any, list[Request | Response]] = {}
        for send in sends:
            way = self._open_way(send)
            ways.setdefault(way, []).append(send.message)
            if self.trace.on:
                self.trace.note(noted, self._towards, Way.OUT, send.message, way)
        for way, messages in ways.items():
            way.send(*messages)

    def _open_way(self, send: Send) -> Any:
        """Gives the flow of a message, or another for a response whose connection is lost."""
        flow: Any = send.flow
        if isinstance(flow, StreamFlow) and flow.ended and isinstance(send.message, Response):
            return self.ways.back(send.message, flow) or flow
        return flow

    def _tell(self, events: list[UserAgentEvent]) -> None:
        for event in events:
            self._happened(event)
        self.turn()

    def _happened(self, event: UserAgentEvent) -> None:
        try:
            self.desk.happened(event)
        except Exception:  # noqa: BLE001 one bad request hurts one request
            self.trace.note(fault, self._towards)
            log.failure("event failed")

    def _set_alarm(self) -> None:
        """Wakes this side in time; an alarm that rings too early only sets the next one, which is cheaper."""
        when = self.agent.next_timer()
        if when is None:
            return
        if self._alarm is not None and self._alarm.active():
            if self._alarm.getTime() <= when:
                return
            self._alarm.cancel()
        self._alarm = self.reactor.callLater(max(0.0, when - self.reactor.seconds()), self.turn)

    def tick(self) -> None:
        """Closes connections that nobody has used for long, or on which a message does not come to its end."""
        now = self.reactor.seconds()
        for flow in self.ways:
            flow.look(now)
        if self.reach is not None:
            self.reach.tick()
            self.turn()

    async def stop(self) -> None:
        """Closes every door."""
        self.turn()
        if self._alarm is not None and self._alarm.active():
            self._alarm.cancel()
        for listener in self._listeners:
            listener.stop()
        if self._port is not None:
            stopped = self._port.stopListening()
            if isinstance(stopped, Deferred):
                await stopped
        for flow in self.ways:
            flow.close()


class _Admission:
    """Answers the user agent from the side's host and desk."""

    def __init__(self, side: SipSide) -> None:
        self._side = side

    def serves(self, domain: str) -> bool:
        """Says whether people of this domain are reached here."""
        return self._side.host.serves(domain)

    def watcher(self, presentity: str, watcher: str, package: str) -> int:
        """Gives the status with which a new subscription is answered."""
        return self._side.desk.watcher(presentity, watcher)

    def session(self, local: str, remote: str) -> int:
        """Gives the status with which an IM session is answered."""
        return self._side.desk.session(local, remote)

    def wanted(self, key: SubscriptionKey) -> bool:
        """Says whether a subscription of ours is still to be refreshed."""
        return self._side.desk.wanted(key)


def _transport_of(flow: Any) -> str:
    return str(flow.transport)


def _offers(flow: Any) -> bool:
    """Says whether a flow is a connection that we opened with certificates on both sides (RFC 5923 section 8.1)."""
    return isinstance(flow, StreamFlow) and flow.secure and bool(flow.domain)


def _token() -> str:
    return secrets.token_hex(12)
