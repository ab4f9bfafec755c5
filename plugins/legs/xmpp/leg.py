"""The XMPP leg: one face to the inside, one to the partners, and the timer that looks after both."""

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.task import LoopingCall, deferLater

from gateway.config import Config, InsideComponent, InsideServer
from gateway.interfaces import LegReport, Surroundings
from gateway.log import Log
from gateway.model.address import Address
from gateway.model.envelope import Envelope, QueryKind, Side
from gateway.model.presence import PresenceDocument
from gateway.protocols.xmpp.stanzas.queries import question_of
from gateway.transport.authority import CertificateAuthority
from gateway.transport.listener import Listener
from gateway.transport.places import Resolvers
from gateway.transport.posh import PoshBook
from gateway.transport.resolver import XMPP, Target
from plugins.legs.xmpp.component_face import ComponentFace
from plugins.legs.xmpp.dialect import InsideDialect, OutsideDialect
from plugins.legs.xmpp.examination import examine
from plugins.legs.xmpp.hosts import InsideHost, OutsideHost
from plugins.legs.xmpp.noting import answered
from plugins.legs.xmpp.outflow import Outflow
from plugins.legs.xmpp.outward import CARRIED
from plugins.legs.xmpp.server_face import ServerFace
from plugins.legs.xmpp.trust import InsideTrust

log = Log("xmpp")

TICK_SECONDS = 2.0
FAREWELL_SECONDS = 3.0
"""How long peers may take to close their sides of the streams, by which they say that they have everything."""
MOMENT = 0.02


def build(surroundings: Surroundings) -> "XmppLeg":
    """Builds the leg; raises GatewayError when certificates or keys cannot be used."""
    return XmppLeg(surroundings)


class XmppLeg:
    """Speaks XMPP with the partners, and with the organisation's own server."""

    name = "xmpp"
    carries = CARRIED
    confirms = True

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        config: Config = surroundings.config
        self._reactor = surroundings.reactor
        servers = [(server.address.host, server.address.port) for server in config.xmpp.dns]
        self._resolvers = Resolvers(self._reactor, servers, XMPP)
        self._outflow = Outflow(surroundings.reactor)
        self._listeners: list[Listener] = []
        self._tick = LoopingCall(self._look_after)
        self._tick.clock = self._reactor
        house, now, metrics = surroundings.house, surroundings.now, surroundings.metrics
        self._outside_host = OutsideHost(config, self._resolvers.of, now, PoshBook(self._reactor, self._locate))
        self._outside_dialect = outside = OutsideDialect(house, now, self._say_outside, metrics)
        self.outside = ServerFace("outside", house, self._outside_host, outside, surroundings, self._outflow)
        self._inside_dialect = InsideDialect(house, now, self._say_inside, metrics, self._reactor)
        self._inside_dialect.bot = surroundings.config.bot.address
        self.inside = self._inside_face(config)
        self._trace = outside.trace = self._inside_dialect.trace = surroundings.trace
        for face in self._faces:
            if isinstance(face, ServerFace):
                face.tally.trace = surroundings.trace

    def _inside_face(self, config: Config) -> ServerFace | ComponentFace | None:
        """Gives the face to our own server, or None when that server speaks another protocol."""
        house, inside = self._surroundings.house, config.inside
        if isinstance(inside, InsideComponent):
            return ComponentFace(house, inside, self._inside_dialect, self._surroundings, self._outflow)
        if not isinstance(inside, InsideServer):
            return None
        authority = CertificateAuthority.open(config.authority, self._surroundings.now)
        host = InsideHost(config, inside, InsideTrust(inside, authority, self._surroundings.now))
        return ServerFace("inside", house, host, self._inside_dialect, self._surroundings, self._outflow)

    async def start(self) -> None:
        """Opens the listening sockets and connects the component; raises GatewayError."""
        config: Config = self._surroundings.config
        for where in config.xmpp.listen:
            self._listen(where, self.outside, False)
        for where in config.xmpp.listen_tls:
            self._listen(where, self.outside, True)
        if isinstance(self.inside, ComponentFace):
            self.inside.start()
        elif self.inside is not None and isinstance(config.inside, InsideServer):
            for where in config.inside.listen:
                self._listen(where, self.inside, False)
        self._tick.start(TICK_SECONDS, now=False)

    def deliver(self, envelope: Envelope) -> bool:
        """Takes an envelope to the other side of where it came from."""
        if envelope.side is Side.INTERNAL:
            return self.outside.deliver(envelope)
        return self.inside is not None and self.inside.deliver(envelope)

    def ask(self, person: Address, contact: Address, kind: QueryKind) -> Awaitable[PresenceDocument | None]:
        """Asks the inside server what is published about a person."""
        return self._inside_dialect.ask(person, contact, kind)

    def preview(self, envelope: Envelope) -> str:
        """Gives the stanzas that a partner would get."""
        dialect = self.outside.dialect if envelope.side is Side.INTERNAL else self._inside_dialect
        return str(dialect.unguarded(envelope, envelope.sender, envelope.recipient))

    def question(self, kind: QueryKind) -> object:
        """Gives the form in which a client asks a question of this kind."""
        return question_of(kind)

    def prepare(self, config: Any) -> Callable[[], None]:
        """Reads new certificates and contracts; once in force, streams whose contract has ended are closed.

        They are closed in the reactor's next turn: the house has a good-bye to say on them.
        """
        take_outside = self._outside_host.prepare(config)

        def take_into_use() -> None:
            take_outside()
            self._reactor.callLater(0, self.outside.policy_changed)
            if isinstance(self.inside, ServerFace) and isinstance(self.inside.host, InsideHost):
                self.inside.host.take(config)
                self._reactor.callLater(0, self.inside.policy_changed)

        return take_into_use

    def report(self) -> LegReport:
        """Says how the links are."""
        now = self._reactor.seconds()
        links = tuple(lane.state(now) for lane in self.outside.lanes.values())
        return LegReport(self._problem, links, self._outside_host.trust.expiries)

    async def offers(self, domain: str) -> bool:
        """Says whether SRV records name XMPP servers for a domain."""
        return await self._outside_host.offered(domain)

    async def test(self, remote: str) -> list[dict[str, Any]]:
        """Tries to reach a domain step by step."""
        return await examine(self.outside, self._surroundings.config.gateway.domains[0], remote)

    async def stop(self) -> None:
        """Stops listening, closes every stream, waits until the peers have closed theirs, or have had time to."""
        if self._tick.running:
            self._tick.stop()
        for listener in self._listeners:
            listener.stop()
        self._outflow.flush()
        self._outflow.release()
        for face in self._faces:
            await face.stop()
        until = self._reactor.seconds() + FAREWELL_SECONDS
        while any(face.talking for face in self._faces) and self._reactor.seconds() < until:
            await deferLater(self._reactor, MOMENT)
        self._resolvers.stop()

    @property
    def _faces(self) -> list[ServerFace | ComponentFace]:
        return [self.outside, *([self.inside] if self.inside is not None else [])]

    @property
    def _problem(self) -> str:
        if isinstance(self.inside, ComponentFace) and self.inside.connection is None:
            return self.inside.problem or "the component is not connected yet"
        return ""

    def _listen(self, where: Any, face: ServerFace, direct_tls: bool) -> None:
        limits = self._surroundings.config.limits
        bounded = face is self.outside

        def accepted(sock: Any, peer: tuple[str, int]) -> None:
            face.accepted(sock, peer, listener.release, direct_tls)

        per_address = limits.connections_per_address if bounded else limits.connections
        listener = Listener(
            self._reactor, where.host, where.port, accepted, per_address, limits.connections, self._refused
        )
        listener.start()
        self._listeners.append(listener)
        log.info("listening", side=face.name, host=where.host, port=where.port)

    def _refused(self, cause: str) -> None:
        self._surroundings.metrics.rate_limited(None, "address" if cause == "per_address" else "connections")

    async def _locate(self, host: str, port: int, anywhere: bool) -> list[Target]:
        return await self._resolvers.of(anywhere).targets(host, port)

    def _looked_up(self, seconds: float, outcome: str) -> None:
        self._surroundings.metrics.dns_seconds(outcome).observe(seconds)

    def _say_outside(self, local: str, remote: str, text: str) -> None:
        if not self._outside_dialect.may_say(text, local, remote):
            return
        if self._trace.on:
            self._trace.note(answered, Side.EXTERNAL, local, remote, text)
        self.outside.say(local, remote, text)

    def _say_inside(self, local: str, remote: str, text: str) -> None:
        if self._trace.on:
            self._trace.note(answered, Side.INTERNAL, local, remote, text)
        if self.inside is not None:
            self.inside.say(local, remote, text)

    def _look_after(self) -> None:
        """Looks after both faces; a fault must not stop the timer, for nothing else ends what has waited too long."""
        for face in self._faces:
            try:
                face.tick()
            except Exception:  # noqa: BLE001 one face's fault must not stop the other
                log.failure("tick failed")
                self._surroundings.metrics.errors().inc()
