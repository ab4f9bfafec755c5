"""What a peer's certificate says, and whether it proves an XMPP domain (RFC 6120 13.7, RFC 9525, XEP-0178)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TypeVar

from attrs import evolve, field, frozen
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from OpenSSL import SSL
from service_identity.exceptions import CertificateError
from service_identity.hazmat import DNS_ID, SRV_ID, DNSPattern, SRVPattern

from gateway.transport.names import a_label, same_domain

XMPP_ADDR = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.5")
DNS_SRV = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.7")
SRV_SERVICE = "_xmpp-server"
UTF8_STRING = 0x0C
IA5_STRING = 0x16

INVALID_PURPOSE = 26
CERT_REJECTED = 28
LONGEST_NAME = 500
"""Characters of an issuer's name that are looked at."""
# What a pin stands in for: 2, 20 and 21 unknown issuer, 18 self-signed, 19 self-signed issuer.
UNANCHORED = frozenset({2, 18, 19, 20, 21})

_MEANINGS = {
    2: "its issuer is unknown",
    10: "it or its issuer has expired",
    9: "it or its issuer is not valid yet",
    18: "it is self-signed",
    19: "its issuer is self-signed and not trusted",
    20: "its issuer is unknown",
    21: "its issuer is unknown",
    23: "it is revoked",
    24: "an issuer in its chain is no certificate authority",
    INVALID_PURPOSE: "it is issued for servers only (no clientAuth in its extended key usage)",
    CERT_REJECTED: "its extended key usage does not permit this use",
    47: "its names violate its issuer's name constraints",
    66: "a key in its chain is too weak",
    68: "a signature in its chain is too weak",
}

_Extension = TypeVar("_Extension", bound=x509.ExtensionType)


@frozen
class Endorsement:
    """Says who else speaks for a certificate than an authority, for which domain, and until when (posix seconds)."""

    domain: str
    words: str
    not_after: float


@frozen(kw_only=True)
class PeerCertificate:
    """The parts of a peer's certificate that decisions need; `not_after` in POSIX seconds."""

    dns_names: tuple[str, ...] = ()
    srv_names: tuple[str, ...] = ()
    xmpp_addrs: tuple[str, ...] = ()
    uri_names: tuple[str, ...] = ()
    spki_sha256: str = ""
    fingerprint_sha256: str = ""
    fingerprint_sha512: str = ""
    not_after: float = 0.0
    chain_errors: frozenset[int] = frozenset()
    has_client_eku: bool | None = None
    issuer: str = ""
    """The issuer's name (RFC 4514)."""
    chain: tuple[tuple[str, int], ...] = ()
    """Issuer and serial number of this certificate and of those that came with it."""
    presented: tuple[x509.Certificate, ...] = field(default=(), repr=False, eq=False)
    """This certificate and those that came with it or complete its chain; for as long as it is judged."""
    endorsement: Endorsement | None = None

    def with_endorsement(self, endorsement: Endorsement) -> PeerCertificate:
        """Gives the same with the word of somebody else than an authority."""
        return evolve(self, endorsement=endorsement)

    def judged(self) -> PeerCertificate:
        """Gives the same without what is needed only as long as it is judged."""
        return evolve(self, presented=())

    @property
    def believed_until(self) -> float:
        """Gives the posix time at which it ends, or at which who speaks for it says so."""
        return self.not_after if self.endorsement is None else self.endorsement.not_after


@frozen
class Proof:
    """How a certificate proved a domain: by a chain ("pkix"), "pin", "dane" or "posh"; and by which form of name."""

    how: str
    name_form: str
    fingerprint: str
    not_after: float


def peer_certificate(connection: SSL.Connection, errors: Iterable[int]) -> PeerCertificate | None:
    """Returns what the peer presented, None if nothing; `errors` are the OpenSSL verify codes of its chain."""
    presented = connection.get_peer_certificate()
    if presented is None:
        return None
    # what a client shows does not stand in its own chain
    beside = connection.get_peer_cert_chain(as_cryptography=True) or []
    found = read_certificate(presented.to_cryptography(), errors, beside)
    # a root that nobody sends is in the chain that was built
    built = connection.get_verified_chain(as_cryptography=True) or []
    return evolve(found, presented=tuple(dict.fromkeys((presented.to_cryptography(), *beside, *built))))


def read_certificate(
    certificate: x509.Certificate, errors: Iterable[int] = (), beside: Iterable[x509.Certificate] = ()
) -> PeerCertificate:
    """Extracts the names, hashes and dates; a name extension that cannot be parsed yields no names."""
    names = _extension(certificate, x509.SubjectAlternativeName) or x509.SubjectAlternativeName([])
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return PeerCertificate(
        dns_names=tuple(names.get_values_for_type(x509.DNSName)),
        srv_names=_other_names(names, DNS_SRV, IA5_STRING),
        xmpp_addrs=_other_names(names, XMPP_ADDR, UTF8_STRING),
        uri_names=tuple(names.get_values_for_type(x509.UniformResourceIdentifier)),
        spki_sha256=hashlib.sha256(spki).hexdigest(),
        fingerprint_sha256=hashlib.sha256(der := certificate.public_bytes(Encoding.DER)).hexdigest(),
        fingerprint_sha512=hashlib.sha512(der).hexdigest(),
        not_after=certificate.not_valid_after_utc.timestamp(),
        chain_errors=frozenset(errors),
        has_client_eku=_has_usage(certificate, x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH),
        issuer=name_of(certificate.issuer),
        chain=tuple(dict.fromkeys((name_of(each.issuer), each.serial_number) for each in (certificate, *beside))),
    )


def name_of(name: x509.Name) -> str:
    """Gives a name in the form of RFC 4514, bounded."""
    return name.rfc4514_string()[:LONGEST_NAME]


def serves_only(certificate: x509.Certificate) -> bool:
    """Says whether the extended key usage names serverAuth but not clientAuth, as public CAs now issue."""
    server = _has_usage(certificate, x509.oid.ExtendedKeyUsageOID.SERVER_AUTH)
    return server is True and _has_usage(certificate, x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH) is False


def may_serve(certificate: x509.Certificate) -> bool:
    """Says whether the extended key usage, if there is one, allows to be a server of TLS."""
    return _has_usage(certificate, x509.oid.ExtendedKeyUsageOID.SERVER_AUTH) is not False


def proves(
    certificate: PeerCertificate,
    domain: str,
    *,
    pins: frozenset[str] = frozenset(),
    accept_server_only_eku: bool,
    now: float,
) -> Proof | None:
    """Returns the proof that the certificate's holder speaks for the domain, or None.

    Names are compared in the order SRV-ID, DNS-ID, XmppAddr; the subject's CN never counts (RFC 6120 13.7.1.2).
    `pins` are SHA-256 hashes (hex) of public keys: one of them must fit, and then no trusted issuer is needed.
    """
    verdict = _judge(certificate, domain, pins, accept_server_only_eku, now)
    return verdict if isinstance(verdict, Proof) else None


def explain_failure(
    certificate: PeerCertificate | None,
    domain: str,
    *,
    pins: frozenset[str] = frozenset(),
    accept_server_only_eku: bool,
    now: float,
) -> str:
    """Says in one sentence why `proves` returns None, or that it does not."""
    if certificate is None:
        return f"The peer presented no certificate for {domain}."
    verdict = _judge(certificate, domain, pins, accept_server_only_eku, now)
    if isinstance(verdict, Proof):
        return f"The certificate proves {domain} ({verdict.how}, {verdict.name_form})."
    return f"The certificate does not prove {domain}: {verdict}."


def usage_finding(certificate: PeerCertificate, domain: str) -> tuple[str, str]:
    """Says what a server's extended key usage means when it calls others: `ok` or `warn`, and why."""
    if certificate.has_client_eku is False:
        return "warn", (
            f"The certificate of {domain} is for servers only (extended key usage without clientAuth), as public "
            f"authorities now issue them: partners that are strict do not believe {domain} when it calls them."
        )
    known = "names clientAuth" if certificate.has_client_eku else "says nothing, which allows everything"
    return "ok", f"extended key usage {known}"


def pinned(certificate: PeerCertificate, pins: frozenset[str]) -> bool:
    """Says whether the certificate's key is one of the pins (SHA-256, hex), or none is pinned."""
    return not pins or certificate.spki_sha256 in {pin.lower() for pin in pins}


def distrust(
    certificate: PeerCertificate, *, pins: frozenset[str] = frozenset(), accept_server_only_eku: bool, now: float
) -> str:
    """Says what stands against a certificate whatever names it bears, or ''."""
    if now >= certificate.not_after:
        return "it has expired"
    if not pinned(certificate, pins):
        return f"its public key {certificate.spki_sha256} is not the pinned one"
    forgiven = UNANCHORED if pins else frozenset()
    if accept_server_only_eku:
        forgiven |= {INVALID_PURPOSE}
    if failures := certificate.chain_errors - forgiven:
        return " and ".join(_MEANINGS.get(code, f"OpenSSL verify error {code}") for code in sorted(failures))
    return ""


def is_named(certificate: PeerCertificate, domain: str) -> bool:
    """Says whether one of the names that count is the domain."""
    return _name_form(certificate, domain) is not None


def sip_domains(certificate: PeerCertificate) -> frozenset[str]:
    """Gives the SIP domains that a certificate names: `sip:` URIs without a user, or else DNS names (RFC 5922 7.1).

    There are no wildcards in it, and neither the CN nor `sips:` URIs count.
    """
    uris = [name[4:] for name in certificate.uri_names if name[:4].lower() == "sip:" and "@" not in name]
    names = uris or [name for name in certificate.dns_names if "*" not in name]
    return frozenset(name.lower().rstrip(".") for name in names if name.isascii() and name.strip() == name)


def _judge(
    certificate: PeerCertificate, domain: str, pins: frozenset[str], accept_server_only_eku: bool, now: float
) -> Proof | str:
    if problem := distrust(certificate, pins=pins, accept_server_only_eku=accept_server_only_eku, now=now):
        return problem
    if (form := _name_form(certificate, domain)) is None:
        return f"its names are {_names(certificate)}"
    return Proof("pin" if pins else "pkix", form, certificate.fingerprint_sha256, certificate.not_after)


def _name_form(certificate: PeerCertificate, domain: str) -> str | None:
    """Returns which form of name matches: "SRV-ID", "DNS-ID", "XmppAddr" or none."""
    try:
        name = a_label(domain)
        dns, srv = DNS_ID(name), SRV_ID(f"{SRV_SERVICE}.{name}")
    except (ValueError, CertificateError):
        return None
    if any(srv.verify(pattern) for pattern in _patterns(SRVPattern, certificate.srv_names)):
        return "SRV-ID"
    if any(dns.verify(pattern) for pattern in _patterns(DNSPattern, certificate.dns_names)):
        return "DNS-ID"
    if any(same_domain(address, name) for address in certificate.xmpp_addrs):
        return "XmppAddr"
    return None


_Pattern = TypeVar("_Pattern", DNSPattern, SRVPattern)


def _patterns(form: type[_Pattern], names: Iterable[str]) -> list[_Pattern]:
    """Parses what can be parsed: one broken name does not spoil its neighbours."""
    patterns = []
    for name in names:
        # The pattern classes trim white space and index the first byte unasked.
        if name.strip() != name or not name or not name.isascii():
            continue
        try:
            patterns.append(form.from_bytes(name.encode("ascii")))
        except CertificateError:
            continue
    return patterns


def _names(certificate: PeerCertificate) -> str:
    names = dict.fromkeys((*certificate.dns_names, *certificate.srv_names, *certificate.xmpp_addrs))
    shown = [name for name in names if name.isprintable()][:8]
    return ", ".join(shown) + (" and others" if len(names) > len(shown) else "") if shown else "none"


def _extension(certificate: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return None


def _has_usage(certificate: x509.Certificate, usage: x509.ObjectIdentifier) -> bool | None:
    usages = _extension(certificate, x509.ExtendedKeyUsage)
    return None if usages is None else usage in usages


def _other_names(names: x509.SubjectAlternativeName, kind: x509.ObjectIdentifier, tag: int) -> tuple[str, ...]:
    others = names.get_values_for_type(x509.OtherName)
    texts = (_decode_string(other.value, tag) for other in others if other.type_id == kind)
    return tuple(text for text in texts if text is not None)


def encode_string(tag: int, text: str) -> bytes:
    """Returns a DER string of the given tag, of at most 255 bytes."""
    content = text.encode("utf-8" if tag == UTF8_STRING else "ascii")
    if len(content) > 255:
        raise ValueError("name too long")
    return bytes((tag, len(content)) if len(content) < 128 else (tag, 0x81, len(content))) + content


def _decode_string(der: bytes, tag: int) -> str | None:
    for header in (2, 3):
        try:
            text = der[header:].decode("utf-8" if tag == UTF8_STRING else "ascii")
            if encode_string(tag, text) == der:
                return text
        except ValueError:
            continue
    return None
