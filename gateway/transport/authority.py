"""A certificate authority of our own: for the inside hop, which speaks for foreign domains, and for trials."""

from __future__ import annotations

import datetime
import os
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from attrs import define, field
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL import SSL

from gateway.transport.certificate import (
    DNS_SRV,
    IA5_STRING,
    SRV_SERVICE,
    encode_string,
)
from gateway.transport.names import a_label
from gateway.transport.tls import Credentials, CredentialsError, TrustAnchors, client_context, server_context

LEAF_DAYS = 90
CA_DAYS = 3650
_DAY = 86400.0
_CERTIFICATE = "ca.crt"
_KEY = "ca.key"


@define(eq=False)
class CertificateAuthority:
    """Mints certificates for XMPP domains; whoever trusts `ca_file` believes them."""

    folder: Path
    _credentials: Credentials = field(repr=False)
    _now: Callable[[], float] = time.time
    _size: int = 256
    _minted: OrderedDict[str, Credentials] = field(init=False, factory=OrderedDict, repr=False)

    @classmethod
    def open(cls, folder: Path, now: Callable[[], float] = time.time, size: int = 256) -> CertificateAuthority:
        """Loads the authority from the folder, or makes one there (key readable by its owner only).

        At most `size` leaves are kept in memory; raises CredentialsError if the folder holds half an authority.
        """
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / _CERTIFICATE).exists() and not (folder / _KEY).exists():
            _create(folder, now())
        return cls(folder, Credentials.load(folder / _CERTIFICATE, folder / _KEY), now, size)

    @property
    def ca_file(self) -> Path:
        """Returns the PEM file that the other side has to trust."""
        return self.folder / _CERTIFICATE

    def credentials_for(self, domain: str) -> Credentials:
        """Returns a leaf for the domain, at least a third of its life ahead; raises ValueError for no domain name."""
        name = a_label(domain)
        known = self._minted.pop(name, None)
        if known is None or known.not_after - self._now() < LEAF_DAYS * _DAY / 3:
            known = self.mint(name)
        self._minted[name] = known
        if len(self._minted) > self._size:
            self._minted.popitem(last=False)
        return known

    def mint(
        self,
        domain: str,
        usages: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH),
    ) -> Credentials:
        """Returns a fresh leaf (P-256, 90 days) that names the domain as DNS-ID and SRV-ID."""
        issuer, key = self._credentials.chain[0], ec.generate_private_key(ec.SECP256R1())
        end = min(self._now() + LEAF_DAYS * _DAY, issuer.not_valid_after_utc.timestamp())
        builder = (
            _builder(_subject("Gateway leaf"), issuer.subject, key, self._now(), end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(ca=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(_names(a_label(domain)), critical=False)
            .add_extension(_identifier_of(self._credentials.key.public_key()), critical=False)
        )
        return Credentials((_signed(builder, self._credentials.key), issuer), key)

    def write_leaf(self, domain: str, folder: Path) -> tuple[Path, Path]:
        """Writes a fresh leaf's chain and key as PEM files, named after the domain, and returns their paths."""
        leaf, name = self.mint(domain), a_label(domain)
        folder.mkdir(parents=True, exist_ok=True)
        chain_path, key_path = folder / f"{name}.crt", folder / f"{name}.key"
        _write(key_path, _private_pem(leaf.key), 0o600)
        _write(chain_path, b"".join(map(_pem, leaf.chain)), 0o644)
        return chain_path, key_path


@define(eq=False)
class MintedContexts:
    """TLS contexts for the domains that the gateway speaks for on the inside, made on demand, bounded in number."""

    _authority: CertificateAuthority
    _anchors: TrustAnchors
    _size: int = 256
    _kept: OrderedDict[tuple[str, bool], tuple[Credentials, SSL.Context]] = field(init=False, factory=OrderedDict)

    def server(self, domain: str) -> SSL.Context:
        """Returns the context that proves the domain on accepted links; fits as `select` of `server_context`."""
        return self._context(domain, True)

    def client(self, domain: str) -> SSL.Context:
        """Returns the context that proves the domain on links that we open."""
        return self._context(domain, False)

    def _context(self, domain: str, server: bool) -> SSL.Context:
        place = (a_label(domain), server)
        credentials = self._authority.credentials_for(domain)
        kept = self._kept.pop(place, None)
        if kept is None or kept[0] is not credentials:
            make = server_context if server else client_context
            kept = (credentials, make(credentials, self._anchors))
        self._kept[place] = kept
        if len(self._kept) > self._size:
            self._kept.popitem(last=False)
        return kept[1]


def _create(folder: Path, now: float) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _subject("Gateway inside authority")
    builder = (
        _builder(name, name, key, now, now + CA_DAYS * _DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(ca=True), critical=True)
    )
    _write(folder / _KEY, _private_pem(key), 0o600)
    _write(folder / _CERTIFICATE, _pem(_signed(builder, key)), 0o644)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: float, end: float
) -> x509.CertificateBuilder:
    # An hour of grace: the peers' clocks are not ours.
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime.fromtimestamp(now - 3600, datetime.UTC))
        .not_valid_after(datetime.datetime.fromtimestamp(end, datetime.UTC))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _signed(builder: x509.CertificateBuilder, key: object) -> x509.Certificate:
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CredentialsError("the authority's key is not an elliptic curve key")
    return builder.sign(key, hashes.SHA256())


def _subject(title: str) -> x509.Name:
    # No CN: it holds 64 characters, a domain up to 253, and nobody may match it anyway.
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, title)])


def _names(domain: str) -> x509.SubjectAlternativeName:
    service = encode_string(IA5_STRING, f"{SRV_SERVICE}.{domain}")
    return x509.SubjectAlternativeName(
        # No XmppAddr: reading one ends ejabberd's stream (xmpp_stream_pkix up to Debian 12), and it proves no more.
        [x509.DNSName(domain), x509.OtherName(DNS_SRV, service)]
    )


def _identifier_of(key: object) -> x509.AuthorityKeyIdentifier:
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise CredentialsError("the authority's key is not an elliptic curve key")
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)


def _key_usage(ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private_pem(key: object) -> bytes:
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CredentialsError("only elliptic curve keys are written")
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes, mode: int) -> None:
    """Writes a new file that is never, not even for a moment, more readable than `mode`."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)
