"""A test certification authority and the certificates the peers of the lab show."""

import datetime
from enum import StrEnum
from pathlib import Path

from attrs import define, field, frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_YEAR = datetime.timedelta(days=365)


class Flavour(StrEnum):
    """What is right or wrong with a certificate."""

    BOTH = "both"
    """Signed by the test CA, for serverAuth and clientAuth."""
    SERVER_ONLY = "server-only"
    """Signed by the test CA, for serverAuth alone, as public authorities issue them."""
    SELF_SIGNED = "self-signed"
    """Right names, signed by nobody but itself."""
    WRONG_NAME = "wrong-name"
    """Signed by the test CA, for impostor.example."""
    EXPIRED = "expired"
    """Signed by the test CA, out of date for a day."""
    SIP = "sip"
    """Signed by the test CA, for the SIP domain and its name in DNS (RFC 5922 7.1); no wildcard."""


@frozen
class Leaf:
    """The files of one certificate, PEM, readable by every user of this machine."""

    chain: Path
    """The certificate, then the CA that signed it."""
    key: Path
    pem: Path
    """Key and chain in one file, as ejabberd wants them."""


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general(name: str) -> x509.GeneralName:
    kind, _, text = name.partition(":")
    kinds = {"DNS": x509.DNSName, "URI": x509.UniformResourceIdentifier}
    return kinds[kind](text)


def _write(path: Path, *parts: bytes) -> Path:
    path.write_bytes(b"".join(parts))
    path.chmod(0o644)
    return path


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


@define
class Pki:
    """Issues certificates below `folder`, each (name, flavour) once."""

    folder: Path
    name: str = "Lab test CA"
    """What its authority is called; a second one needs another name."""
    _ca_key: ec.EllipticCurvePrivateKey = field(init=False, repr=False)
    _ca: x509.Certificate = field(init=False, repr=False)
    _leaves: dict[tuple[str, Flavour], Leaf] = field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        self._ca_key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(self.name)
        builder = self._dated(subject, subject, self._ca_key, Flavour.BOTH)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        builder = builder.add_extension(_key_usage(signs_certificates=True), critical=True)
        self._ca = builder.sign(self._ca_key, hashes.SHA256())
        _write(self.ca, self._ca.public_bytes(serialization.Encoding.PEM))

    @property
    def ca(self) -> Path:
        """The file that holds the certificate of the test CA."""
        return self.folder / "ca.crt"

    def leaf(self, domain: str, flavour: str = Flavour.BOTH) -> Leaf:
        """The certificate for `domain` and every name one label below it (RFC 6125 wildcard)."""
        wanted = (domain, Flavour(flavour))
        if wanted not in self._leaves:
            self._leaves[wanted] = self._issue(*wanted)
        return self._leaves[wanted]

    def renew(self, domain: str, flavour: str = Flavour.BOTH) -> Leaf:
        """Another certificate with another key in the place of the one that `leaf` gave."""
        self._leaves.pop((domain, Flavour(flavour)), None)
        return self.leaf(domain, flavour)

    def bundle(self, name: str, trusted: "tuple[Path, ...]") -> Path:
        """One file with every trust anchor in `trusted`."""
        return _write(self.folder / f"{name}.trust.crt", *(path.read_bytes() + b"\n" for path in trusted))

    def special(self, label: str, *names: str, subject: str = "") -> Leaf:
        """A new certificate for exactly these names, "DNS:…" or "URI:…", none for no such extension; files: `label`."""
        general = [_general(name) for name in names]
        return self._sign(label, subject or label, general, Flavour.BOTH)

    def _issue(self, domain: str, flavour: Flavour) -> Leaf:
        named = "impostor.example" if flavour is Flavour.WRONG_NAME else domain
        second = f"URI:sip:{named}" if flavour is Flavour.SIP else f"DNS:*.{named}"
        return self._sign(f"{domain}.{flavour}", named, [_general(f"DNS:{named}"), _general(second)], flavour)

    def _sign(self, label: str, named: str, general: "list[x509.GeneralName]", flavour: Flavour) -> Leaf:
        key = ec.generate_private_key(ec.SECP256R1())
        alone = flavour is Flavour.SELF_SIGNED
        builder = self._dated(_name(named), _name(named) if alone else self._ca.subject, key, flavour)
        purposes = [ExtendedKeyUsageOID.SERVER_AUTH]
        if flavour is not Flavour.SERVER_ONLY:
            purposes.append(ExtendedKeyUsageOID.CLIENT_AUTH)
        if general:
            builder = builder.add_extension(x509.SubjectAlternativeName(general), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_key_usage(signs_certificates=False), critical=True)
        certificate = builder.sign(key if alone else self._ca_key, hashes.SHA256())
        return self._store(label, key, certificate, alone=alone)

    def _dated(
        self, subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, flavour: Flavour
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        ends = now - datetime.timedelta(days=1) if flavour is Flavour.EXPIRED else now + _YEAR
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(ends - 2 * _YEAR)
            .not_valid_after(ends)
        )

    def _store(self, name: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate, *, alone: bool) -> Leaf:
        own = certificate.public_bytes(serialization.Encoding.PEM)
        chain = own if alone else own + self.ca.read_bytes()
        return Leaf(
            chain=_write(self.folder / f"{name}.crt", chain),
            key=_write(self.folder / f"{name}.key", _pem(key)),
            pem=_write(self.folder / f"{name}.pem", _pem(key), chain),
        )
