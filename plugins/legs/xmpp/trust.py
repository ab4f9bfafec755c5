"""Which certificate each side is shown, and what each peer's certificate proves."""

from collections.abc import Callable
from typing import Any

from attrs import frozen
from OpenSSL import SSL

from gateway.config import Config, InsideServer, PartnerRoute, Trust
from gateway.model.address import ascii_domain
from gateway.transport.authority import CertificateAuthority, MintedContexts
from gateway.transport.certificate import PeerCertificate, Proof, explain_failure, pinned, proves
from gateway.transport.revocation import Revocations
from gateway.transport.tls import Credentials, NoAnchors, TrustAnchors, client_context, server_context

NOBODY = frozenset[str]()


@frozen
class Judgement:
    """Says how certificates of one remote domain are judged."""

    pins: frozenset[str]
    accept_server_only: bool
    dane: bool = False
    posh: bool = False


class OutsideTrust:
    """Contexts towards partners: our own certificate by domain, and each partner's own authorities."""

    def __init__(self, config: Config, now: Callable[[], float]) -> None:
        self._config = config
        self._now = now
        self._credentials = {str(domain): Credentials.load(*config.tls.of(domain)) for domain in config.gateway.domains}
        self._clients: dict[tuple[str, Trust], SSL.Context] = {}
        self._servers: dict[tuple[str, Trust], SSL.Context] = {}
        self._revocations = Revocations.configured(config, now)
        for domain in config.gateway.domains:
            for trust in self._trusts():
                self.client_for(domain, trust)
                self.server_for(domain, trust)

    @property
    def expiries(self) -> dict[str, float]:
        """Gives the posix time at which each of our certificates ends."""
        return {domain: credentials.not_after for domain, credentials in self._credentials.items()}

    def client(self, local: str, remote: str) -> SSL.Context:
        """Gives the context with which we call a partner as one of our domains."""
        return self.client_for(local, self._trust_of(remote))

    def server(self, local: str | None, remote: str | None) -> SSL.Context:
        """Gives the context for a partner that called one of our domains, by what both said before TLS."""
        known = local if local in self._credentials else next(iter(self._credentials))
        return self.server_for(str(known), self._trust_of(remote or ""))

    def proof(self, certificate: PeerCertificate, remote: str) -> Proof | None:
        """Gives the way in which a certificate proves a partner's domain under that partner's contract, or None."""
        judgement = self._judgement(remote)
        if judgement is None or self._revocations.revoked(certificate):
            return None
        word = certificate.endorsement
        if word is not None and judgement.dane and word.domain == remote and word.not_after > self._now():
            pins_fit = pinned(certificate, judgement.pins)
            return Proof("dane", word.words, certificate.fingerprint_sha256, word.not_after) if pins_fit else None
        pins, lenient = judgement.pins, judgement.accept_server_only
        return proves(certificate, remote, pins=pins, accept_server_only_eku=lenient, now=self._now())

    def may_be_named(self, certificate: PeerCertificate, remote: str) -> bool:
        """Says whether a certificate counts if the partner's own web server names it (POSH)."""
        judgement = self._judgement(remote)
        if judgement is None or not judgement.posh or self._revocations.revoked(certificate):
            return False
        return certificate.not_after > self._now() and pinned(certificate, judgement.pins)

    def why_not(self, certificate: PeerCertificate | None, remote: str) -> str:
        """Says in a sentence what a certificate lacks."""
        judgement = self._judgement(remote) or Judgement(NOBODY, False)
        if certificate is not None and self._revocations.revoked(certificate):
            return f"The certificate does not prove {remote}: it, or one that vouches for it, is revoked."
        return explain_failure(
            certificate,
            remote,
            pins=judgement.pins,
            accept_server_only_eku=judgement.accept_server_only,
            now=self._now(),
        )

    def mispinned(self, certificate: PeerCertificate, remote: str) -> bool:
        """Says whether the partner's contract pins keys, and the certificate has another."""
        judgement = self._judgement(remote)
        return judgement is not None and not pinned(certificate, judgement.pins)

    def client_for(self, domain: str, trust: Trust) -> SSL.Context:
        """Gives the calling context of one of our domains with one set of authorities."""
        found = self._clients.get((domain, trust))
        if found is None:
            found = self._clients[(domain, trust)] = client_context(self._credentials[domain], _anchors(trust))
        return found

    def server_for(self, domain: str, trust: Trust) -> SSL.Context:
        """Gives the answering context of one of our domains with one set of authorities; SNI may choose another."""
        found = self._servers.get((domain, trust))
        if found is None:
            by_name = {ascii_domain(name): name for name in self._credentials}

            def select(name: str) -> SSL.Context | None:
                chosen = by_name.get(name)
                return self.server_for(chosen, trust) if chosen and chosen != domain else None

            found = server_context(self._credentials[domain], _anchors(trust), select)
            self._servers[(domain, trust)] = found
        return found

    def _trusts(self) -> set[Trust]:
        return {self._config.tls.ca, *(route.ca for route in self._config.routes.values())}

    def _trust_of(self, remote: str) -> Trust:
        route = route_of(self._config, remote)
        return route.ca if route else self._config.tls.ca

    def _judgement(self, remote: str) -> Judgement | None:
        route = route_of(self._config, remote)
        if route is None:
            return None
        return Judgement(frozenset(route.pins), route.server_only_certificates, route.dane, route.posh)


class InsideTrust:
    """Contexts towards our own server: a minted certificate for whatever domain the gateway speaks for."""

    def __init__(self, inside: InsideServer, authority: CertificateAuthority, now: Callable[[], float]) -> None:
        self._inside = inside
        self._now = now
        self._minted = MintedContexts(authority, _anchors(inside.ca))

    def client(self, local: str, remote: str) -> SSL.Context:
        """Gives the context with which we call our server as a foreign domain."""
        return self._minted.client(local)

    def server(self, local: str | None, remote: str | None) -> SSL.Context:
        """Gives the context for our server when it has called a foreign domain."""
        return self._minted.server(local or "gateway.invalid")

    def proof(self, certificate: PeerCertificate, remote: str) -> Proof | None:
        """Gives the way in which a certificate proves that the caller is our own server, or None."""
        pins = frozenset(str(pin) for pin in self._inside.pins)
        return proves(certificate, remote, pins=pins, accept_server_only_eku=True, now=self._now())

    def why_not(self, certificate: PeerCertificate | None, remote: str) -> str:
        """Says in a sentence what a certificate lacks."""
        pins = frozenset(str(pin) for pin in self._inside.pins)
        return explain_failure(certificate, remote, pins=pins, accept_server_only_eku=True, now=self._now())

    def mispinned(self, certificate: PeerCertificate, remote: str) -> bool:
        """Says whether keys are pinned, and the certificate has another."""
        return not pinned(certificate, frozenset(str(pin) for pin in self._inside.pins))


def route_of(config: Any, remote: str) -> PartnerRoute | None:
    """Gives the transport part of the contract with the partner that a domain belongs to."""
    route: PartnerRoute | None = config.route_of(remote)
    return route


def _anchors(trust: Trust) -> TrustAnchors:
    return TrustAnchors(trust.file) if trust.system or trust.file else NoAnchors()
