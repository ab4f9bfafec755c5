"""DANE: what TLSA records in secure DNS say about a server's certificate (RFC 6698, RFC 7671, RFC 7673)."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Sequence
from functools import partial

from attrs import field, frozen
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from OpenSSL import crypto

from gateway.errors import GatewayError
from gateway.transport.certificate import Endorsement, PeerCertificate, is_named, may_serve, proves

PKIX_TA, PKIX_EE, DANE_TA, DANE_EE = range(4)
_USAGES = ("PKIX-TA", "PKIX-EE", "DANE-TA", "DANE-EE")
_WHOLE, _SHA256, _SHA512 = range(3)
_DIGESTS = {_SHA256: (hashlib.sha256, 32), _SHA512: (hashlib.sha512, 64)}
LONGEST = 16 * 1024
"""Octets of one record that are looked at."""
MOST_RECORDS = 32
MOST_CERTIFICATES = 12
"""Certificates of one chain that are tried as the authority that a record names."""


class Distrusted(GatewayError):
    """Says why none of the TLSA records fits what a server has shown."""


@frozen
class Association:
    """One TLSA record (RFC 6698 section 2.1)."""

    usage: int
    selector: int
    matching: int
    octets: bytes = field(repr=False)

    @property
    def usable(self) -> bool:
        """Says whether its numbers are known, and it is as long as they say."""
        if not (0 <= self.usage <= DANE_EE and self.selector in (0, 1) and 0 < len(self.octets) <= LONGEST):
            return False
        return self.matching == _WHOLE or (self.matching in _DIGESTS and len(self.octets) == _DIGESTS[self.matching][1])

    def fits(self, certificate: x509.Certificate) -> bool:
        """Says whether it is about this certificate, or about its key."""
        try:
            shown = _whole(certificate) if self.selector == 0 else _key(certificate)
        except (ValueError, UnsupportedAlgorithm):
            return False
        return (shown if self.matching == _WHOLE else _DIGESTS[self.matching][0](shown).digest()) == self.octets

    def __str__(self) -> str:
        return f"{self.usage} {self.selector} {self.matching}"


def _whole(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def _key(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def described(associations: Sequence[Association]) -> str:
    """Gives the numbers of TLSA records as a zone file has them, without what they hold."""
    return ", ".join(dict.fromkeys(str(each) for each in associations))


def endorsed(
    certificate: PeerCertificate | None, associations: Sequence[Association], domain: str, host: str, now: float
) -> PeerCertificate:
    """Gives the certificate with the word of the TLSA record that fits it; raises Distrusted when none does.

    `host` is the target of the domain's secure SRV record: with it, a certificate may name either (RFC 7673 section 4).
    """
    if certificate is None:
        raise Distrusted(f"DANE: {host} presented no certificate")
    tried = _strongest(associations)
    for each in sorted(tried, key=lambda one: -one.usage):
        end = _ENDS[each.usage](each, certificate, (domain, host), now)
        if end is not None:
            word = f"{_USAGES[each.usage]} ({each})"
            return certificate.with_endorsement(Endorsement(domain, f"{word} of {host}", end))
    raise Distrusted(
        f"DANE: no TLSA record of {host} ({described(tried)}) fits the certificate that it presented, "
        f"public key sha256:{certificate.spki_sha256}"
    )


def _strongest(associations: Sequence[Association]) -> list[Association]:
    """Leaves out digests beside which there is a stronger one for the same purpose (RFC 7671 section 9)."""
    best: dict[tuple[int, int], int] = {}
    for each in associations:
        place = (each.usage, each.selector)
        best[place] = max(best.get(place, 0), each.matching)
    return [each for each in associations if each.matching in (_WHOLE, best[each.usage, each.selector])]


def _of_leaf(
    association: Association, certificate: PeerCertificate, references: Sequence[str], now: float
) -> float | None:
    """The key alone counts: neither names, nor dates, nor who has issued it (RFC 7671 section 5.1)."""
    return float("inf") if certificate.presented and association.fits(certificate.presented[0]) else None


def _of_anchor(
    association: Association, certificate: PeerCertificate, references: Sequence[str], now: float
) -> float | None:
    """A chain to the authority of the record, and one of the names (RFC 7671 section 5.2)."""
    fit = bool(certificate.presented) and may_serve(certificate.presented[0])
    named = fit and any(is_named(certificate, each) for each in references)
    found = named and any(_leads_to(each, certificate, now) for each in _authorities(association, certificate))
    return certificate.not_after if found else None


def _of_believed(
    association: Association, certificate: PeerCertificate, references: Sequence[str], now: float
) -> float | None:
    """What the record says comes on top of an authority that is believed (RFC 6698 section 2.1.1)."""
    believed = partial(proves, certificate, accept_server_only_eku=True, now=now)
    if not any(believed(each) for each in references):
        return None
    if association.usage == PKIX_EE:
        found = _of_leaf(association, certificate, references, now) is not None
    else:
        found = any(_leads_to(each, certificate, now) for each in _authorities(association, certificate))
    return certificate.not_after if found else None


_ENDS = {PKIX_TA: _of_believed, PKIX_EE: _of_believed, DANE_TA: _of_anchor, DANE_EE: _of_leaf}
"""Each gives until when the record speaks for the certificate (posix seconds), None when it does not."""


def _authorities(association: Association, certificate: PeerCertificate) -> list[x509.Certificate]:
    """Gives the issuers that the record is about: of those that were shown, or the one that it holds itself."""
    found = [each for each in certificate.presented[1:MOST_CERTIFICATES] if association.fits(each)]
    if not found and (association.usage, association.selector, association.matching) == (DANE_TA, 0, _WHOLE):
        try:
            found = [x509.load_der_x509_certificate(association.octets)]
        except ValueError:
            found = []
    return [each for each in found if each != certificate.presented[0]] if certificate.presented else []


def _leads_to(anchor: x509.Certificate, certificate: PeerCertificate, now: float) -> bool:
    """Says whether signatures and dates lead from the leaf to the anchor, which need not be a root."""
    leaf, *between = certificate.presented[:MOST_CERTIFICATES]
    try:
        store = crypto.X509Store()
        store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
        store.set_time(datetime.datetime.fromtimestamp(now, datetime.UTC))
        store.add_cert(crypto.X509.from_cryptography(anchor))
        chain = [crypto.X509.from_cryptography(each) for each in between]
        crypto.X509StoreContext(store, crypto.X509.from_cryptography(leaf), chain).verify_certificate()
    except (crypto.X509StoreContextError, crypto.Error):
        return False
    return True
