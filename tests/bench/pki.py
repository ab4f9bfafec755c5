"""A test certificate authority and one certificate per domain, written as PEM files for every server under test."""

import datetime
import ssl
from pathlib import Path

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

EXTENSION_PURPOSES = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _unsigned(
    subject: str, issuer: str, key: ec.EllipticCurvePrivateKey, ends: datetime.datetime | None = None
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(ends or now + datetime.timedelta(days=30))
    )


@frozen
class Authority:
    """Signs certificates into one directory: DOMAIN.key, DOMAIN.crt (chain) and DOMAIN.pem (key and chain)."""

    directory: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    NAME = "bench test authority"

    @classmethod
    def create(cls, directory: Path) -> "Authority":
        """Make a P-256 authority and write its certificate to ca.crt."""
        directory.mkdir(parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _unsigned(cls.NAME, cls.NAME, key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        (directory / "ca.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return cls(directory, key, certificate)

    @property
    def trust(self) -> Path:
        """Return the file with the authority's certificate."""
        return self.directory / "ca.crt"

    def issue(self, domain: str, *more_names: str, ends: datetime.datetime | None = None) -> Path:
        """Write the three files for `domain`, its subdomains and `more_names`; return the .pem."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.DNSName(name) for name in (domain, f"*.{domain}", *more_names)]
        certificate = (
            _unsigned(domain, self.NAME, key, ends)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.ExtendedKeyUsage(EXTENSION_PURPOSES), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        chain = b"".join(c.public_bytes(serialization.Encoding.PEM) for c in (certificate, self.certificate))
        (self.directory / f"{domain}.key").write_bytes(_pem(key))
        (self.directory / f"{domain}.crt").write_bytes(chain)
        pem = self.directory / f"{domain}.pem"
        pem.write_bytes(_pem(key) + chain)
        return pem


@frozen
class Credentials:
    """Finds the certificate of a domain (or of its parent) in a directory and makes TLS settings from it."""

    directory: Path
    more_trust: tuple[Path, ...] = ()
    """Certificates of further authorities, believed as soon as the files exist."""

    def pem_of(self, domain: str) -> Path:
        """Return the .pem file that speaks for `domain`; LookupError when there is none."""
        labels = domain.split(".")
        for first in range(len(labels)):
            pem = self.directory / (".".join(labels[first:]) + ".pem")
            if pem.exists():
                return pem
        raise LookupError(f"no certificate for {domain} in {self.directory}")

    def tls(self, domain: str, *, server: bool) -> ssl.SSLContext:
        """Return TLS settings as `domain`; peers are asked for a certificate, names are not checked here."""
        settings = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
        settings.load_cert_chain(self.pem_of(domain))
        for trusted in (self.directory / "ca.crt", *self.more_trust):
            if trusted.exists():
                settings.load_verify_locations(trusted)
        settings.check_hostname = False
        settings.verify_mode = ssl.CERT_OPTIONAL if server else ssl.CERT_REQUIRED
        return settings
