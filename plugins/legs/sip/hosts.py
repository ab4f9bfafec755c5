"""Whom the SIP leg talks to on each side: where they are, which TLS context meets them, what they have proven."""

from collections.abc import Callable, Iterator
from typing import Protocol

from OpenSSL import SSL

from gateway.config import Addresses, Config, InsideSip, Trust
from gateway.model.address import ascii_domain
from gateway.policy.partners import Partner
from gateway.transport.certificate import PeerCertificate, distrust, sip_domains
from gateway.transport.places import named_target
from gateway.transport.resolver import Resolver, Target
from gateway.transport.revocation import Revocations
from gateway.transport.tls import Credentials, NoAnchors, TrustAnchors, client_context, server_context


class SipHost(Protocol):
    """Answers for one side."""

    def serves(self, domain: str) -> bool:
        """Says whether the gateway answers for people of a domain on this side."""

    def speaks_with(self, domain: str) -> bool:
        """Says whether people of a domain are reached on this side."""

    def proven(self, certificate: PeerCertificate | None) -> frozenset[str]:
        """Gives the domains that may stand in From on a connection with this certificate."""

    def follows(self, domain: str, other: str) -> bool:
        """Says whether a server of one domain may send us on to another: both are one partner's, or ours."""

    def identity(self, local: str) -> str:
        """Names the certificate with which we speak for a domain."""

    def client(self, local: str, domain: str) -> SSL.Context:
        """Gives the TLS context to call a domain with, for people of another."""

    def server(self) -> SSL.Context:
        """Gives the TLS context to answer with."""

    async def targets(self, domain: str, port: int | None = None) -> list[Target]:
        """Gives where a domain is; with a port, at what addresses of its own; raises LookupFailed."""


class OutsideSipHost:
    """Our people towards partners."""

    def __init__(self, config: Config, resolver: Callable[[bool], Resolver], now: Callable[[], float]) -> None:
        self._resolver = resolver
        self._now = now
        self.prepare(config)()

    def prepare(self, config: Config) -> Callable[[], None]:
        """Reads new contracts and certificates, or raises CredentialsError; what it gives puts them in force."""
        paths = {str(domain): config.tls.of(domain) for domain in config.gateway.domains}
        loaded = {files: Credentials.load(*files) for files in dict.fromkeys(paths.values())}
        servers = {files: server_context(each, _anchors(config.tls.ca)) for files, each in loaded.items()}
        by_name = {ascii_domain(domain): servers[files] for domain, files in paths.items()}
        first = paths[str(config.gateway.domains[0])]
        revocations = Revocations.configured(config, self._now)
        server = server_context(loaded[first], _anchors(config.tls.ca), by_name.get)
        clients = {
            (files, trust): client_context(each, _anchors(trust))
            for files, each in loaded.items()
            for trust in _trusts(config)
        }

        def take_into_use() -> None:
            self._config, self._first, self._paths = config, first, paths
            self._expiries = {domain: loaded[files].not_after for domain, files in paths.items()}
            self._server, self._clients, self._revocations = server, clients, revocations
            self._ours = frozenset(str(domain) for domain in config.gateway.domains)

        return take_into_use

    @property
    def expiries(self) -> dict[str, float]:
        """Gives the posix time at which our certificate ends."""
        return self._expiries

    def serves(self, domain: str) -> bool:
        """Says whether a domain is ours."""
        return domain in self._ours

    def speaks_with(self, domain: str) -> bool:
        """Says whether a domain is that of a partner who speaks SIP."""
        return self._speaks(self._config.partners.of(domain))

    def proven(self, certificate: PeerCertificate | None) -> frozenset[str]:
        """Gives the partners' domains that a certificate names and that their contracts accept from it."""
        if certificate is None:
            return frozenset()
        names = sip_domains(certificate)
        through = (name for name in self._behind_edges(names) if self._accepts(certificate, name))
        return frozenset({*(name for name in names if self._accepts(certificate, name)), *through})

    def _behind_edges(self, names: frozenset[str]) -> Iterator[str]:
        """Gives the domains of partners who come through an Access Edge of ours that a certificate names."""
        for partner in self._config.partners.by_name.values():
            if self._config.routes[partner.name].edge in names:
                yield from partner.domains

    def follows(self, domain: str, other: str) -> bool:
        """Says whether both domains are those of one partner who speaks SIP."""
        partner = self._config.partners.of(other)
        return self._speaks(partner) and partner is self._config.partners.of(domain)

    def identity(self, local: str) -> str:
        """Names the certificate of one of our domains."""
        return str(self._paths.get(local, self._first)[0])

    def client(self, local: str, domain: str) -> SSL.Context:
        """Gives the context with which we call a partner, for people of one of our domains."""
        route = self._config.route_of(domain)
        trust = route.ca if route else self._config.tls.ca
        return self._clients[self._paths.get(local, self._first), trust]

    def server(self) -> SSL.Context:
        """Gives the context with which we answer."""
        return self._server

    async def targets(self, domain: str, port: int | None = None) -> list[Target]:
        """Gives the static route of a partner, or what DNS says."""
        route = self._config.route_of(domain)
        if route is not None and route.route is not None:
            return await named_target(route.route.host, route.route.port, True)
        anywhere = route is not None and route.addresses is Addresses.ANY
        return await self._resolver(anywhere).targets(ascii_domain(domain), port)

    def _speaks(self, partner: Partner | None) -> bool:
        """Says whether a partner speaks SIP, as far as is known."""
        return partner is not None and partner.via in ("sip", "discovery")

    async def offered(self, domain: str) -> bool:
        """Says whether DNS names servers of a domain that may be dialled."""
        route = self._config.route_of(domain)
        anywhere = route is not None and route.addresses is Addresses.ANY
        return await self._resolver(anywhere).offered(ascii_domain(domain))

    def _accepts(self, certificate: PeerCertificate, domain: str) -> bool:
        partner = self._config.partners.of(domain)
        route = self._config.route_of(domain)
        if route is None or not self._speaks(partner) or self._revocations.revoked(certificate):
            return False
        pins, lenient = frozenset(route.pins), route.server_only_certificates
        return not distrust(certificate, pins=pins, accept_server_only_eku=lenient, now=self._now())


class InsideSipHost:
    """Contacts of all partners, towards our own server."""

    def __init__(self, config: Config, inside: InsideSip, now: Callable[[], float]) -> None:
        self._inside = inside
        self._now = now
        self.prepare(config)()

    def prepare(self, config: Config) -> Callable[[], None]:
        """Reads new contracts and our certificate; where our own server is stays as it was."""
        credentials = Credentials.load(*config.tls.of(config.gateway.domains[0]))
        anchors = _anchors(self._inside.ca)
        contexts = (server_context(credentials, anchors), client_context(credentials, anchors))

        def take_into_use() -> None:
            self._contexts = contexts
            self._config = config
            self._ours = frozenset(str(domain) for domain in config.gateway.domains)

        return take_into_use

    def serves(self, domain: str) -> bool:
        """Says whether a domain is a partner's."""
        return self._config.partners.of(domain) is not None

    def speaks_with(self, domain: str) -> bool:
        """Says whether a domain is ours."""
        return domain in self._ours

    def proven(self, certificate: PeerCertificate | None) -> frozenset[str]:
        """Gives all our domains when the certificate is that of our own server."""
        if certificate is None:
            return frozenset()
        pins = frozenset(str(pin) for pin in self._inside.pins)
        if distrust(certificate, pins=pins, accept_server_only_eku=True, now=self._now()):
            return frozenset()
        return self._ours if pins or sip_domains(certificate) & self._ours else frozenset()

    def follows(self, domain: str, other: str) -> bool:
        """Says whether both domains are ours."""
        return domain in self._ours and other in self._ours

    def identity(self, local: str) -> str:
        """Names the one certificate with which we stand for every contact."""
        return ""

    def client(self, local: str, domain: str) -> SSL.Context:
        """Gives the context with which we call our server."""
        return self._contexts[1]

    def server(self) -> SSL.Context:
        """Gives the context with which we answer it."""
        return self._contexts[0]

    async def targets(self, domain: str, port: int | None = None) -> list[Target]:
        """Gives where our own server listens, whatever port it names itself."""
        where = self._inside.connect.of(domain)
        return [] if where is None else await named_target(where.host, where.port, True)


def _trusts(config: Config) -> set[Trust]:
    return {config.tls.ca, *(route.ca for route in config.routes.values())}


def _anchors(trust: Trust) -> TrustAnchors:
    return NoAnchors() if trust.nobody else TrustAnchors(trust.file)
