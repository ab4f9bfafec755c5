"""Lists of revoked certificates: whose are believed, what they revoke, and when they are read again."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from gateway.transport.authority import CertificateAuthority
from gateway.transport.certificate import read_certificate
from gateway.transport.revocation import LOOK_SECONDS, Revocations, read_lists
from gateway.transport.tls import CredentialsError

DAY = timedelta(days=1)


class Clock:
    """Tells posix seconds."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def __call__(self) -> float:
        return self.seconds


def written(folder: Path, authority: Path, *serials: int, form: serialization.Encoding) -> Path:
    """Writes a list signed by the authority whose files are in a folder."""
    ca = x509.load_pem_x509_certificate((authority / "ca.crt").read_bytes())
    key = serialization.load_pem_private_key((authority / "ca.key").read_bytes(), None)
    now = datetime.now(UTC)
    builder = x509.CertificateRevocationListBuilder().issuer_name(ca.subject).last_update(now).next_update(now + DAY)
    for serial in serials:
        revoked = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build()
        builder = builder.add_revoked_certificate(revoked)
    path = folder / "partners.crl"
    path.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(form))  # type: ignore[arg-type]
    return path


def leaf(authority: CertificateAuthority, folder: Path, domain: str) -> x509.Certificate:
    """Gives a certificate of an authority."""
    chain, _ = authority.write_leaf(domain, folder)
    return x509.load_pem_x509_certificates(chain.read_bytes())[0]


@pytest.fixture
def ca(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority.open(tmp_path / "ca")


@pytest.mark.parametrize("form", [serialization.Encoding.PEM, serialization.Encoding.DER])
def test_what_is_on_a_list_is_revoked_and_nothing_else(
    ca: CertificateAuthority, tmp_path: Path, form: serialization.Encoding
) -> None:
    good, bad = leaf(ca, tmp_path, "good.example"), leaf(ca, tmp_path, "bad.example")
    path = written(tmp_path, tmp_path / "ca", bad.serial_number, form=form)
    known = Revocations((path,), (ca.ca_file,), Clock())
    assert known.revoked(read_certificate(bad))
    assert not known.revoked(read_certificate(good))


def test_one_that_vouches_counts_as_well(ca: CertificateAuthority, tmp_path: Path) -> None:
    good, above = leaf(ca, tmp_path, "good.example"), leaf(ca, tmp_path, "above.example")
    path = written(tmp_path, tmp_path / "ca", above.serial_number, form=serialization.Encoding.PEM)
    known = Revocations((path,), (ca.ca_file,), Clock())
    assert known.revoked(read_certificate(good, (), [above]))


def test_a_list_of_a_stranger_is_refused(ca: CertificateAuthority, tmp_path: Path) -> None:
    CertificateAuthority.open(tmp_path / "other")
    path = written(tmp_path, tmp_path / "other", 1, form=serialization.Encoding.PEM)
    with pytest.raises(CredentialsError, match="no authority that is believed"):
        read_lists([path], [ca.ca_file])


def test_a_file_that_is_no_list_is_refused(ca: CertificateAuthority, tmp_path: Path) -> None:
    path = tmp_path / "partners.crl"
    path.write_text("nothing")
    with pytest.raises(CredentialsError, match="no list"):
        read_lists([path], [ca.ca_file])
    with pytest.raises(CredentialsError, match="cannot read"):
        read_lists([tmp_path / "missing"], [ca.ca_file])


def test_a_list_that_changes_is_read_again_and_a_broken_one_changes_nothing(
    ca: CertificateAuthority, tmp_path: Path
) -> None:
    clock, bad = Clock(), leaf(ca, tmp_path, "bad.example")
    path = written(tmp_path, tmp_path / "ca", form=serialization.Encoding.PEM)
    known = Revocations((path,), (ca.ca_file,), clock)
    assert not known.revoked(read_certificate(bad))
    written(tmp_path, tmp_path / "ca", bad.serial_number, form=serialization.Encoding.PEM)
    os.utime(path, (1, 1))
    assert not known.revoked(read_certificate(bad))
    clock.seconds += LOOK_SECONDS + 1
    assert known.revoked(read_certificate(bad))
    path.write_text("broken")
    clock.seconds += LOOK_SECONDS + 1
    assert known.revoked(read_certificate(bad))
