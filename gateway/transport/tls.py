"""TLS contexts: our credentials, whom we trust, and what every link refuses (RFC 7590, RFC 9325)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from attrs import field, frozen
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from OpenSSL import SSL, crypto
from twisted.logger import Logger

from gateway.errors import GatewayError
from gateway.transport.certificate import (
    CERT_REJECTED,
    INVALID_PURPOSE,
    PeerCertificate,
    Proof,
    explain_failure,
    peer_certificate,
    proves,
    serves_only,
)

__all__ = [
    "ALPN_XMPP_SERVER",
    "Credentials",
    "CredentialsError",
    "PeerCertificate",
    "Proof",
    "SelectContext",
    "TrustAnchors",
    "client_context",
    "explain_failure",
    "peer_certificate",
    "proves",
    "server_context",
]

ALPN_XMPP_SERVER = "xmpp-server"

# Partial writes, a retry from another address, and no 16 KiB buffers held by an idle connection.
_MODES = 0x1 | 0x2 | 0x10
_OPTIONS = (
    SSL.OP_NO_COMPRESSION
    | SSL.OP_NO_RENEGOTIATION
    | SSL.OP_NO_TICKET
    | SSL.OP_CIPHER_SERVER_PREFERENCE
    | SSL.OP_SINGLE_ECDH_USE
)
_CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"
_log = Logger()

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
SelectContext = Callable[[str], SSL.Context | None]


class CredentialsError(GatewayError):
    """A certificate, key or CA file cannot be used; the text names the file and never shows its content."""


@frozen
class Credentials:
    """A certificate chain, leaf first, and its private key."""

    chain: tuple[x509.Certificate, ...]
    key: PrivateKey = field(repr=False)

    @classmethod
    def load(cls, chain_path: Path, key_path: Path) -> Credentials:
        """Reads both PEM files; raises CredentialsError if one is unreadable or they do not belong together."""
        credentials = cls(_read_chain(chain_path), _read_key(key_path))
        if credentials.chain[0].public_key() != credentials.key.public_key():
            raise CredentialsError(f"the key in {key_path} does not belong to the first certificate in {chain_path}")
        return credentials

    @property
    def not_after(self) -> float:
        """Returns when the first of its certificates expires, in POSIX seconds."""
        return min(certificate.not_valid_after_utc.timestamp() for certificate in self.chain)

    def install(self, tls_context: SSL.Context) -> None:
        """Makes the context present this chain."""
        tls_context.use_certificate(self.chain[0])
        for issuer in self.chain[1:]:
            tls_context.add_extra_chain_cert(issuer)
        tls_context.use_privatekey(self.key)


@frozen
class TrustAnchors:
    """The certificate authorities that peers' chains must lead to: a PEM file, or the system's list."""

    ca_file: Path | None = None

    def install(self, tls_context: SSL.Context) -> None:
        """Makes the context trust them; raises CredentialsError if the file cannot be used."""
        if self.ca_file is None:
            tls_context.set_default_verify_paths()
            return
        try:
            tls_context.load_verify_locations(str(self.ca_file))
        except SSL.Error:
            raise CredentialsError(f"{self.ca_file} holds no usable CA certificates") from None


class NoAnchors(TrustAnchors):
    """Trusts no authority: pins alone decide."""

    def install(self, tls_context: SSL.Context) -> None:
        """Leaves the context without authorities."""


def server_context(credentials: Credentials, anchors: TrustAnchors, select: SelectContext | None = None) -> SSL.Context:
    """Returns a context for accepted links, which asks for a client certificate and takes any, to be judged later.

    `select` maps the requested domain (SNI, in A-labels) to another context, or to None for this one.
    """
    context = _context(SSL.TLS_SERVER_METHOD, credentials, anchors)
    context.set_alpn_select_callback(_select_protocol)
    if select is not None:
        context.set_tlsext_servername_callback(_by_server_name(select))
    return context


def client_context(credentials: Credentials | None, anchors: TrustAnchors) -> SSL.Context:
    """Returns a context for links that we open; the server's chain is recorded and judged later."""
    return _context(SSL.TLS_CLIENT_METHOD, credentials, anchors)


def _context(method: int, credentials: Credentials | None, anchors: TrustAnchors) -> SSL.Context:
    context = SSL.Context(method)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(_CIPHERS)
    context.set_options(_OPTIONS)
    context.set_mode(_MODES)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    if credentials is not None:
        credentials.install(context)
    anchors.install(context)
    context.set_verify(SSL.VERIFY_PEER, _record_error)
    return context


def _record_error(connection: SSL.Connection, certificate: crypto.X509, code: int, depth: int, ok: int) -> bool:
    """Notes a chain error and lets the handshake go on: dialback may still prove the peer (XEP-0220)."""
    errors = connection.get_app_data()
    if code and isinstance(errors, set):
        errors.add(_refine(code, certificate))
    return True


def _refine(code: int, certificate: crypto.X509) -> int:
    """Separates "for servers only", which an administrator may accept, from every other unfit purpose."""
    if code != INVALID_PURPOSE:
        return code
    try:
        return INVALID_PURPOSE if serves_only(certificate.to_cryptography()) else CERT_REJECTED
    except ValueError:
        return CERT_REJECTED


def _select_protocol(connection: SSL.Connection, offered: list[bytes]) -> bytes:
    """Takes `xmpp-server` and nothing else, so that a link meant for another protocol fails (RFC 7301 3.2)."""
    wanted = ALPN_XMPP_SERVER.encode("ascii")
    if wanted not in offered:
        raise SSL.Error([("", "", "no common application protocol")])
    return wanted


def _by_server_name(select: SelectContext) -> Callable[[SSL.Connection], None]:
    def choose(connection: SSL.Connection) -> None:
        name = connection.get_servername()
        if name is None:
            return
        try:
            chosen = select(name.decode("ascii").lower())
        except Exception as error:  # noqa: BLE001
            # An exception here would end up on standard error; the peer gets the context it began with.
            _log.error("no context for the requested name: {kind}", kind=type(error).__qualname__)
            return
        if chosen is not None:
            connection.set_context(chosen)

    return choose


def _read_chain(path: Path) -> tuple[x509.Certificate, ...]:
    try:
        return tuple(x509.load_pem_x509_certificates(path.read_bytes()))
    except OSError as error:
        raise CredentialsError(f"cannot read {path}: {error.strerror}") from None
    except ValueError:
        raise CredentialsError(f"{path} holds no PEM certificates") from None


def _read_key(path: Path) -> PrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise CredentialsError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, TypeError):
        raise CredentialsError(f"{path} holds no unencrypted PEM private key") from None
    if not isinstance(key, PrivateKey) or isinstance(key, dsa.DSAPrivateKey):
        raise CredentialsError(f"{path} holds a key of a kind that TLS does not use")
    return key
