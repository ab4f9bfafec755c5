"""The SIP leg: partners over mutual TLS, and our own server when it speaks SIP."""

import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import LoopingCall, deferLater

from gateway.books.presence_book import IN_PRESENCE
from gateway.config import Config, InsideSip
from gateway.interfaces import LegReport, Surroundings
from gateway.log import Log
from gateway.model.address import Address
from gateway.model.envelope import Envelope, QueryKind, Side
from gateway.model.presence import Field, PresenceDocument
from gateway.protocols.msrtc.categories import CARRIED as IN_CATEGORIES
from gateway.protocols.pidf import CARRIED
from gateway.protocols.sip.digest import Credentials
from gateway.protocols.sip.uri import SipUri
from gateway.transport.certificate import PeerCertificate
from gateway.transport.places import Resolvers
from gateway.transport.resolver import SIP
from plugins.legs.sip.desk import SipDesk
from plugins.legs.sip.flows import StreamFlow
from plugins.legs.sip.hosts import InsideSipHost, OutsideSipHost
from plugins.legs.sip.meetings import meetings
from plugins.legs.sip.reach import Probe, Reach
from plugins.legs.sip.side import SipSide
from plugins.legs.sip.terms import Terms, usual

log = Log("sip")

TICK_SECONDS = 5.0
FAREWELL_SECONDS = 0.3


def build(surroundings: Surroundings) -> "SipLeg":
    """Builds the leg; raises GatewayError when certificates or keys cannot be used."""
    return SipLeg(surroundings)


class SipLeg:
    """Speaks SIP with partners, and with the organisation's own server."""

    name = "sip"
    carries: frozenset[Field] = IN_PRESENCE | CARRIED | IN_CATEGORIES
    confirms = True

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        config: Config = surroundings.config
        self._config = config
        self._reactor = surroundings.reactor
        servers = [(server.address.host, server.address.port) for server in config.xmpp.dns]
        self._resolvers = Resolvers(self._reactor, servers, SIP)
        self._outside_host = OutsideSipHost(config, self._resolvers.of, surroundings.now)
        outside = config.sip.listen[0] if config.sip.listen else None
        place = config.sip.name or str(config.gateway.domains[0])
        self.outside = SipSide(
            "outside", surroundings, self._outside_host, "tls", (place, outside.port if outside else 5061)
        )
        self.outside.meets = self._met
        self.outside.desk = self._desk(Side.EXTERNAL, self.outside, self._partner_wants_sessions)
        self._inside_host: InsideSipHost | None = None
        self.inside: SipSide | None = None
        if isinstance(config.inside, InsideSip):
            self.inside = self._inside_side(config, config.inside)
        for side in self._sides:
            side.trace = surroundings.trace
        self._tick = LoopingCall(self._look_after)
        self._kept: dict[str, int] = {}
        """Which revision of a side's subscriptions is in the state folder."""
        self._tick.clock = self._reactor

    def _inside_side(self, config: Config, inside: InsideSip) -> SipSide:
        self._inside_host = InsideSipHost(config, inside, self._surroundings.now)
        where = inside.listen[0]
        side = SipSide(
            "inside",
            self._surroundings,
            self._inside_host,
            inside.transport.value,
            (inside.name or where.host, where.port),
        )
        side.desk = self._desk(Side.INTERNAL, side, lambda domain: inside.sessions)
        side.turns = self.outside.turns
        if inside.user and inside.password is not None:
            realms = frozenset([inside.realm] if inside.realm else map(str, config.gateway.domains))
            side.authenticate(Credentials(inside.user, inside.password.text, realms))
        for domain in config.gateway.domains:
            target = inside.connect.of(domain)
            if target is not None:
                side.know_datagram_peer(str(domain), (target.host, target.port))
        return side

    def _desk(self, side: Side, place: SipSide, prefers_sessions: Any) -> SipDesk:
        house, now = self._surroundings.house, self._surroundings.now
        secret = self._surroundings.secret("sip-conversations")
        inside = self._config.inside
        desk = SipDesk(
            side,
            house,
            place.agent,
            self._reactor,
            now,
            prefers_sessions,
            terms=self._terms_of,
            secret=secret,
            publishes=side is Side.INTERNAL and isinstance(inside, InsideSip) and inside.publish,
            guard=place.guard,
        )
        place.reach = self._reach(side, place, desk)
        desk.probed = place.reach.ended
        desk.on_word(lambda: place.turns.mark(place))
        return desk

    def _reach(self, side: Side, place: SipSide, desk: SipDesk) -> Reach:
        """Watches over the peers of a side: `remote` is a partner's domain, or one of ours inside."""
        house, limits, outside = self._surroundings.house, self._config.limits, side is Side.EXTERNAL
        ours = [str(domain) for domain in self._config.gateway.domains]
        locals_ = ours if outside else [""]

        def ask(remote: str, probe: Probe) -> None:
            if not place.host.speaks_with(remote):
                reach.forget(remote)
                return
            sender = ours[0] if outside else str(SipUri.parse(place.agent.station.contact).host)
            place.agent.probe(f"sip:{sender}", f"sip:{remote}", probe, self._reactor.seconds())

        def lost(remote: str) -> None:
            desk.lost(remote)
            for local in locals_:
                house.link_lost(local, remote)

        def back(remote: str, was_lost: bool) -> None:
            desk.back(remote)
            for local in locals_ if was_lost else ():
                house.link_restored(local, remote)

        reach = Reach(ask, lost, back, self._reactor.seconds, limits.ping_seconds, limits.presence_seconds)
        return reach

    def _terms_of(self, domain: str) -> Terms:
        """Says how SIP is spoken with people of a domain; with our own, as with anybody."""
        route = self._config.routes.get(self._partner_of(domain))
        if route is None:
            return usual(domain)
        return Terms(route.literal_errors, tuple(map(str.lower, route.languages)), bool(route.edge))

    async def start(self) -> None:
        """Opens the listening sockets and takes back the subscriptions of before."""
        config: Config = self._surroundings.config
        for where in config.sip.listen:
            self.outside.listen(where, config.limits.connections_per_address)
        if self.inside is not None and isinstance(config.inside, InsideSip):
            for where in config.inside.listen:
                self.inside.listen(where, config.limits.connections)
        for side in self._sides:
            self._restore(side)
        self._tick.start(TICK_SECONDS, now=False)

    def deliver(self, envelope: Envelope) -> bool:
        """Takes an envelope to the other side of where it came from."""
        side = self.outside if envelope.side is Side.INTERNAL else self.inside
        if side is None:
            return False
        delivered = _desk_of(side).deliver(envelope)
        side.turns.mark(side)
        return delivered

    def ask(self, person: Address, contact: Address, kind: QueryKind) -> Awaitable[PresenceDocument | None]:
        """SIP knows no cards: what the inside server publishes comes with presence."""
        answer: Deferred[PresenceDocument | None] = succeed(None)
        return answer

    def preview(self, envelope: Envelope) -> str:
        """Gives the presence document that a partner would get."""
        side = self.outside if envelope.side is Side.INTERNAL else self.inside
        return _desk_of(side).preview(envelope) if side is not None else ""

    def question(self, kind: QueryKind) -> object:
        """SIP has no form for questions about people."""
        return None

    def prepare(self, config: Any) -> Callable[[], None]:
        """Reads new certificates and contracts; new connections use them once they are in force."""
        prepared = [self._outside_host.prepare(config)]
        if self._inside_host is not None:
            prepared.append(self._inside_host.prepare(config))

        def take_into_use() -> None:
            self._config = config
            for take in prepared:
                take()

        return take_into_use

    def report(self) -> LegReport:
        """Says how the links are, and which of our own servers is lost."""
        gone = self.outside.reach.gone if self.outside.reach is not None else []
        lost = self.inside.reach.gone if self.inside is not None and self.inside.reach is not None else []
        links = tuple(
            {
                "partner": self._partner_of(flow.domain),
                "local": flow.local,
                "remote": flow.domain,
                "state": "up" if flow.link is not None and flow.link.secure else "connecting",
                "queue": 0,
                "bytes": 0,
                "oldest": 0.0,
                "tls": (flow.link.tls_version or "") if flow.link else "",
                "method": "mutual TLS",
                "since": None,
                "problem": "does not answer" if flow.domain in gone else "",
                "silent_seconds": None,
            }
            for flow in self.outside.flows
        )
        return LegReport(f"{', '.join(lost)} does not answer" if lost else "", links, self._outside_host.expiries)

    async def offers(self, domain: str) -> bool:
        """Says whether SRV records name SIP servers for a domain."""
        return await self._outside_host.offered(domain)

    async def test(self, remote: str) -> list[Any]:
        """Tries to reach a domain: looks it up, connects, secures, and asks for its OPTIONS."""
        from plugins.legs.sip.examination import examine

        return await examine(self.outside, str(self._surroundings.config.gateway.domains[0]), remote)

    async def stop(self) -> None:
        """Keeps the subscriptions of watchers, closes every connection, waits a moment for the last words."""
        if self._tick.running:
            self._tick.stop()
        self._kept.clear()
        for side in self._sides:
            self._keep(side)
        await deferLater(self._reactor, FAREWELL_SECONDS)
        for side in self._sides:
            await side.stop()
        self._resolvers.stop()

    @property
    def _sides(self) -> list[SipSide]:
        return [self.outside, *([self.inside] if self.inside is not None else [])]

    def _look_after(self) -> None:
        for side in self._sides:
            side.tick()
            self._keep(side)

    def _keep(self, side: SipSide) -> None:
        """Writes the subscriptions of watchers to the state folder, when they have changed."""
        path, revision = self._path(side), _desk_of(side).revision
        if self._kept.get(side.name) == revision:
            return
        text = json.dumps(_desk_of(side).to_plain(), sort_keys=True)
        if path.exists() and path.read_text(encoding="utf-8") == text:
            self._kept[side.name] = revision
            return
        fresh = path.with_suffix(".new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        self._kept[side.name] = revision

    def _restore(self, side: SipSide) -> None:
        try:
            _desk_of(side).restore(json.loads(self._path(side).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return
        except (OSError, ValueError):
            log.warn("subscriptions not restored", side=side.name)

    def _path(self, side: SipSide) -> Path:
        state: Path = self._surroundings.config.state
        return state / f"sip-{side.name}.json"

    def _met(self, flow: StreamFlow, certificate: PeerCertificate | None) -> None:
        """Tells the house whom a connection with the outside has proven to be."""
        for meeting in meetings(flow, certificate, str(self._surroundings.config.gateway.domains[0])):
            self._surroundings.house.met(meeting)

    def _partner_of(self, domain: str) -> str:
        partner = self._config.partners.of(domain)
        return partner.name if partner else ""

    def _partner_wants_sessions(self, domain: str) -> bool:
        route = self._config.routes.get(self._partner_of(domain))
        return route is not None and route.sessions


def _desk_of(side: SipSide) -> SipDesk:
    assert isinstance(side.desk, SipDesk)
    return side.desk
