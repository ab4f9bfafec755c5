"""Lists of revoked certificates (RFC 5280 section 5): read from files, believed when signed by their authority."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable
from pathlib import Path

from attrs import define, field, frozen
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from gateway.config import Config
from gateway.log import Log
from gateway.transport.certificate import PeerCertificate, name_of
from gateway.transport.tls import CredentialsError

log = Log("tls")

LOOK_SECONDS = 60.0
"""How often the files are looked at for a change."""
_MARK = b"-----BEGIN X509 CRL-----"


@frozen
class RevocationList:
    """Is one list: who issued it, which serial numbers are revoked, and until when it claims to be up to date."""

    path: Path
    issuer: str
    serials: frozenset[int] = field(repr=False)
    next_update: float
    """Posix seconds; 0 when it does not say."""


def read_lists(paths: Iterable[Path], authorities: Iterable[Path | None]) -> tuple[RevocationList, ...]:
    """Reads lists, PEM or DER; raises CredentialsError for one that cannot be read or that nobody known has signed.

    `authorities` are PEM files, None for those of the system. Certificates in a list's own file count as well: that is
    where those of intermediate authorities stand.
    """
    paths = tuple(paths)
    known = _certificates(authorities) if paths else []
    return tuple(found for path in paths for found in _read(path, known))


def _read(path: Path, known: list[x509.Certificate]) -> list[RevocationList]:
    try:
        octets = path.read_bytes()
    except OSError as error:
        raise CredentialsError(f"cannot read {path}: {error.strerror}") from None
    beside = _beside(octets)
    try:
        if _MARK in octets:
            lists = [x509.load_pem_x509_crl(_MARK + piece) for piece in octets.split(_MARK)[1:]]
        else:
            lists = [x509.load_der_x509_crl(octets)]
        return [_believed(path, one, [*beside, *known]) for one in lists]
    except (ValueError, UnsupportedAlgorithm):
        raise CredentialsError(f"{path} holds no list of revoked certificates") from None


def _beside(octets: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(octets)
    except ValueError:
        return []


def _believed(path: Path, found: x509.CertificateRevocationList, known: list[x509.Certificate]) -> RevocationList:
    signers = [each for each in known if each.subject == found.issuer]
    if not any(_signed(found, each) for each in signers):
        raise CredentialsError(f"{path}: no authority that is believed has signed this list")
    until = found.next_update_utc
    return RevocationList(
        path,
        name_of(found.issuer),
        frozenset(each.serial_number for each in found),
        until.timestamp() if until is not None else 0.0,
    )


def _signed(found: x509.CertificateRevocationList, signer: x509.Certificate) -> bool:
    try:
        return found.is_signature_valid(signer.public_key())  # type: ignore[arg-type]
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return False


def _certificates(authorities: Iterable[Path | None]) -> list[x509.Certificate]:
    found: list[x509.Certificate] = []
    for path in dict.fromkeys(authorities):
        where = path or Path(ssl.get_default_verify_paths().cafile or ssl.get_default_verify_paths().openssl_cafile)
        try:
            found += x509.load_pem_x509_certificates(where.read_bytes())
        except (OSError, ValueError):
            continue  # whoever trusts this file says so when it cannot be read
    return found


@define(eq=False)
class Revocations:
    """Knows which certificates are revoked; files that change are read again, one that is broken changes nothing."""

    _paths: tuple[Path, ...]
    _authorities: tuple[Path | None, ...]
    _now: Callable[[], float]
    _lists: tuple[RevocationList, ...] = field(init=False)
    _seen: tuple[float, ...] = field(init=False)
    _look_at: float = field(init=False, default=0.0)

    @classmethod
    def configured(cls, config: Config, now: Callable[[], float]) -> Revocations:
        """Reads the lists that the configuration names; raises CredentialsError."""
        trusts = {config.tls.ca, *(route.ca for route in config.routes.values())}
        return cls(config.tls.crl, tuple(trust.file for trust in trusts if trust.file or trust.system), now)

    def __attrs_post_init__(self) -> None:
        self._seen = self._times()
        self._lists = read_lists(self._paths, self._authorities)
        self._look_at = self._now() + LOOK_SECONDS

    def revoked(self, certificate: PeerCertificate) -> bool:
        """Says whether a certificate, or one of those that vouch for it, is on a list of its issuer."""
        if not self._paths:
            return False
        self._look()
        return any(serial in each.serials for name, serial in certificate.chain for each in self._of(name))

    def _of(self, issuer: str) -> Iterable[RevocationList]:
        return (each for each in self._lists if each.issuer == issuer)

    def _look(self) -> None:
        now = self._now()
        if now < self._look_at:
            return
        self._look_at = now + LOOK_SECONDS
        for each in self._lists:
            if each.next_update and each.next_update < now:
                log.error("revocation list out of date", path=str(each.path))
        times = self._times()
        if times == self._seen:
            return
        try:
            self._lists, self._seen = read_lists(self._paths, self._authorities), times
        except CredentialsError as problem:
            log.error("revocation list not read", detail=problem)  # noqa: TRY400 the text is written for people

    def _times(self) -> tuple[float, ...]:
        return tuple(path.stat().st_mtime if path.exists() else 0.0 for path in self._paths)
