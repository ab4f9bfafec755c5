"""What the streams of each side may assume: which domains are ours there, and on what terms pairs connect."""

import re
from collections.abc import Callable
from typing import Protocol

from attrs import evolve
from OpenSSL import SSL
from twisted.internet.defer import Deferred

from gateway.config import Addresses, Auth, Config, Endpoint, InsideAuth, InsideServer
from gateway.errors import AddressError
from gateway.model.address import ascii_domain, normal_domain
from gateway.protocols.xmpp.events import StreamTerms
from gateway.transport.certificate import PeerCertificate, Proof
from gateway.transport.places import named_target
from gateway.transport.posh import PoshBook, Source
from gateway.transport.resolver import Resolver, Target, public_only
from plugins.legs.xmpp.trust import InsideTrust, OutsideTrust, route_of

_OTHER_HOST = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9.-]{1,253}))(?::(?P<port>[0-9]{1,5}))?")


class SideHost(Protocol):
    """Answers for one side: the questions of its streams, where peers are, and which TLS context meets them."""

    def canonical(self, domain: str) -> str | None:
        """Gives the one spelling of a domain, or None."""

    def serves(self, domain: str) -> bool:
        """Says whether the gateway speaks for a domain on this side."""

    def terms(self, local: str, remote: str) -> StreamTerms | None:
        """Gives the terms of a pair, or None when it is not to be connected."""

    def proves(self, certificate: object, remote: str) -> bool:
        """Says whether a certificate proves a domain."""

    def why_not(self, certificate: PeerCertificate | None, remote: str) -> str:
        """Says what a certificate lacks."""

    def proof(self, certificate: PeerCertificate, remote: str) -> Proof | None:
        """Gives the way in which a certificate proves a domain, or None."""

    def learning(self, remote: str | None) -> Deferred[None] | None:
        """Gives what fires when a domain has been asked what certificates it has, or None: there is nothing to ask."""

    def mispinned(self, certificate: PeerCertificate, remote: str) -> bool:
        """Says whether a certificate's key is another than the contract pins."""

    def partner(self, local: str, remote: str) -> str:
        """Gives the name of the partner that a pair of domains concerns, for metrics."""

    async def targets(self, local: str, remote: str) -> list[Target]:
        """Gives where to dial a domain; raises LookupFailed."""

    async def elsewhere(self, remote: str, place: str) -> list[Target]:
        """Gives where to dial instead, when the peer asks for that; raises LookupFailed."""

    def client(self, local: str, remote: str) -> SSL.Context:
        """Gives the TLS context to call with."""

    def server(self, local: str | None, remote: str | None) -> SSL.Context:
        """Gives the TLS context to answer with."""


class _Names:
    def canonical(self, domain: str) -> str | None:
        """Gives the normalised domain (RFC 7622 section 3.2), or None."""
        try:
            return normal_domain(domain)
        except AddressError:
            return None


class OutsideHost(_Names):
    """Speaks for our own domains towards partners."""

    def __init__(
        self, config: Config, resolver: Callable[[bool, bool], Resolver], now: Callable[[], float], posh: PoshBook
    ) -> None:
        self._config = config
        self._resolver = resolver
        self._posh = posh
        self._now = now
        self.trust = OutsideTrust(config, now)
        self._domains = frozenset(str(domain) for domain in config.gateway.domains)

    def prepare(self, config: Config) -> Callable[[], None]:
        """Reads new contracts and certificates, or raises CredentialsError; what it gives puts them in force."""
        trust = OutsideTrust(config, self._now)

        def take_into_use() -> None:
            self.trust, self._config = trust, config

        return take_into_use

    def client(self, local: str, remote: str) -> SSL.Context:
        """Gives the context with which we call a partner."""
        return self.trust.client(local, remote)

    def server(self, local: str | None, remote: str | None) -> SSL.Context:
        """Gives the context with which we answer a partner."""
        return self.trust.server(local, remote)

    def why_not(self, certificate: PeerCertificate | None, remote: str) -> str:
        """Says in a sentence what a certificate lacks."""
        text, route = self.trust.why_not(certificate, remote), route_of(self._config, remote)
        return f"{text} {self._posh.why_not(ascii_domain(remote))}" if route is not None and route.posh else text

    def learning(self, remote: str | None) -> Deferred[None] | None:
        """Gives what fires when a partner with POSH has been asked, or None: it is known, or counts for nothing."""
        route = route_of(self._config, remote) if remote else None
        if remote is None or route is None or not route.posh:
            return None
        return self._posh.learning(ascii_domain(remote), Source(route.addresses is Addresses.ANY, route.ca.file))

    def mispinned(self, certificate: PeerCertificate, remote: str) -> bool:
        """Says whether the partner's contract pins other keys."""
        return self.trust.mispinned(certificate, remote)

    def serves(self, domain: str) -> bool:
        """Says whether a domain is one of ours."""
        return domain in self._domains

    def terms(self, local: str, remote: str) -> StreamTerms | None:
        """Gives the terms of a partner's contract; nobody else has any."""
        route = route_of(self._config, remote)
        if route is None or local not in self._domains:
            return None
        return StreamTerms(
            require_tls=True,
            external=Auth.EXTERNAL in route.auth,
            dialback=Auth.DIALBACK in route.auth,
            bidi=route.bidi,
        )

    def proves(self, certificate: object, remote: str) -> bool:
        """Says whether a certificate proves a partner's domain."""
        return isinstance(certificate, PeerCertificate) and self.proof(certificate, remote) is not None

    def proof(self, certificate: PeerCertificate, remote: str) -> Proof | None:
        """Gives the way in which a certificate proves a partner's domain under its contract, or None."""
        found = self.trust.proof(certificate, remote)
        if found is not None or not self.trust.may_be_named(certificate, remote):
            return found
        # over TLS from the first byte nobody has said who he is before: he is known when he tries again
        self.learning(remote)
        if not self._posh.vouches(ascii_domain(remote), certificate):
            return None
        return Proof("posh", "", certificate.fingerprint_sha256, certificate.not_after)

    def partner(self, local: str, remote: str) -> str:
        """Gives the name of the partner that a pair of domains concerns."""
        found = self._config.partners.of(remote)
        return found.name if found else ""

    async def targets(self, local: str, remote: str) -> list[Target]:
        """Gives the static route of a partner, or what DNS says; asks it first what certificates it has."""
        asked = self.learning(remote)
        if asked is not None:
            await asked
        route = route_of(self._config, remote)
        if route is not None and route.route is not None:
            return await named_target(route.route.host, route.route.port, route.direct_tls)
        dane = route is not None and route.dane
        return await self._resolver(self._anywhere(remote), dane).targets(ascii_domain(remote))

    async def offered(self, domain: str) -> bool:
        """Says whether DNS names servers of a domain that may be dialled."""
        return await self._resolver(self._anywhere(domain), False).offered(ascii_domain(domain))

    async def elsewhere(self, remote: str, place: str) -> list[Target]:
        """Gives those addresses of another host of the domain that may be dialled; it proves the same domain."""
        found = _OTHER_HOST.fullmatch(place)
        if found is None:
            return []
        where = Endpoint(found["six"] or found["host"], int(found["port"] or 5269))
        (target,) = await named_target(where.host, where.port, False)
        allowed = tuple(each for each in target.addresses if self._anywhere(remote) or public_only(each))
        return [evolve(target, addresses=allowed)]

    def _anywhere(self, remote: str) -> bool:
        route = route_of(self._config, remote)
        return route is not None and route.addresses is Addresses.ANY


class InsideHost(_Names):
    """Speaks for the partners' domains towards our own server."""

    def __init__(self, config: Config, inside: InsideServer, trust: InsideTrust) -> None:
        self._config = config
        self._inside = inside
        self.client, self.server, self.why_not = trust.client, trust.server, trust.why_not
        self._trust = trust
        self._terms = StreamTerms(dialback=inside.auth is InsideAuth.DIALBACK)

    def take(self, config: Config) -> None:
        """Takes a new configuration's partners; where our own server is stays as it was."""
        self._config = config

    def serves(self, domain: str) -> bool:
        """Says whether a domain is a partner's."""
        return self._config.partners.of(domain) is not None

    def terms(self, local: str, remote: str) -> StreamTerms | None:
        """Gives the terms of our own server; no other server may call here."""
        return self._terms if remote in self._config.gateway.domains else None

    def proves(self, certificate: object, remote: str) -> bool:
        """Says whether a certificate proves that the caller is our own server."""
        return isinstance(certificate, PeerCertificate) and self.proof(certificate, remote) is not None

    def proof(self, certificate: PeerCertificate, remote: str) -> Proof | None:
        """Gives the way in which a certificate proves that the caller is our own server, or None."""
        return self._trust.proof(certificate, remote)

    def learning(self, remote: str | None) -> Deferred[None] | None:
        """Our own server is not asked."""
        return None

    def mispinned(self, certificate: PeerCertificate, remote: str) -> bool:
        """Says whether the pins of our own server are for other keys."""
        return self._trust.mispinned(certificate, remote)

    def partner(self, local: str, remote: str) -> str:
        """Gives the name of the partner that a pair of domains concerns."""
        found = self._config.partners.of(local)
        return found.name if found else ""

    async def targets(self, local: str, remote: str) -> list[Target]:
        """Gives where our own server listens."""
        where = self._inside.connect.of(remote)
        return [] if where is None else await named_target(where.host, where.port, False)

    async def elsewhere(self, remote: str, place: str) -> list[Target]:
        """Our own server is where the administrator says, and nowhere else."""
        return []
