"""Which TLSA record speaks for which certificate (RFC 6698, 7671)."""

import datetime
import hashlib

import pytest
from attrs import evolve
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.transport.certificate import UNANCHORED, PeerCertificate, read_certificate
from gateway.transport.dane import Association, Distrusted, endorsed

NOW = 1_800_000_000.0
DOMAIN, HOST = "partner.example", "xmpp.hosting.example"
Key = ec.EllipticCurvePrivateKey


def _day(number: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(NOW, datetime.UTC) + datetime.timedelta(days=number)


def _made(
    subject: str,
    issuer: str,
    key: Key,
    signer: Key,
    *,
    authority: bool = False,
    dns: str = "",
    until: float = 30,
    usage: x509.ObjectIdentifier | None = None,
) -> x509.Certificate:
    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, text)])

    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_day(-60))
        .not_valid_after(_day(until))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if dns:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(dns)]), critical=False)
    if usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return builder.sign(signer, hashes.SHA256())


ROOT_KEY, MIDDLE_KEY, LEAF_KEY, OTHER_KEY = (ec.generate_private_key(ec.SECP256R1()) for _ in range(4))
ROOT = _made("Root", "Root", ROOT_KEY, ROOT_KEY, authority=True)
MIDDLE = _made("Middle", "Root", MIDDLE_KEY, ROOT_KEY, authority=True)
LEAF = _made("Leaf", "Middle", LEAF_KEY, MIDDLE_KEY, dns=HOST)
ALONE = _made("Alone", "Alone", OTHER_KEY, OTHER_KEY, dns="nobody.example", until=-1)


def _shown(*chain: x509.Certificate, errors: frozenset[int] = frozenset({20})) -> PeerCertificate:
    return evolve(read_certificate(chain[0], errors, chain), presented=chain)


def _record(certificate: x509.Certificate, usage: int, selector: int = 1, matching: int = 1) -> Association:
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    whole = key if selector else certificate.public_bytes(Encoding.DER)
    made = {0: whole, 1: hashlib.sha256(whole).digest(), 2: hashlib.sha512(whole).digest()}
    return Association(usage, selector, matching, made[matching])


def _judged(shown: PeerCertificate | None, *records: Association) -> str:
    """Gives the word of the record, '' when none fits."""
    try:
        found = endorsed(shown, records, DOMAIN, HOST, NOW).endorsement
    except Distrusted:
        return ""
    assert found is not None and found.domain == DOMAIN
    return found.words


@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("matching", [0, 1, 2])
@pytest.mark.parametrize("usage", [2, 3])
def test_each_way_to_write_a_record_fits_its_certificate_only(usage: int, selector: int, matching: int) -> None:
    about, other = (ROOT, MIDDLE) if usage == 2 else (LEAF, MIDDLE)
    record = _record(about, usage, selector, matching)
    assert record.usable
    assert f"{usage} {selector} {matching}" in _judged(_shown(LEAF, MIDDLE, ROOT), record)
    stranger = _made("Leaf", "Other", OTHER_KEY, OTHER_KEY, dns=HOST)
    assert not _judged(_shown(stranger, other), record)


def test_of_a_leaf_that_is_named_itself_neither_date_nor_name_nor_issuer_counts() -> None:
    shown = _shown(ALONE, errors=frozenset({10, 18}))
    assert _judged(shown, _record(ALONE, 3)) == f"DANE-EE (3 1 1) of {HOST}"
    found = endorsed(shown, [_record(ALONE, 3)], DOMAIN, HOST, NOW)
    assert found.believed_until == float("inf") and found.not_after < NOW


def test_an_authority_that_is_named_vouches_for_names_within_their_dates() -> None:
    record = _record(ROOT, 2, 0, 1)
    assert _judged(_shown(LEAF, MIDDLE, ROOT), record)
    assert endorsed(_shown(LEAF, MIDDLE, ROOT), [record], DOMAIN, HOST, NOW).believed_until == _day(30).timestamp()
    for_domain = _made("Leaf", "Middle", LEAF_KEY, MIDDLE_KEY, dns=DOMAIN)
    assert _judged(_shown(for_domain, MIDDLE, ROOT), record)
    for_another = _made("Leaf", "Middle", LEAF_KEY, MIDDLE_KEY, dns="other.example")
    assert not _judged(_shown(for_another, MIDDLE, ROOT), record)
    over = _made("Leaf", "Middle", LEAF_KEY, MIDDLE_KEY, dns=HOST, until=-1)
    assert not _judged(_shown(over, MIDDLE, ROOT), record)
    for_mail = _made("Leaf", "Middle", LEAF_KEY, MIDDLE_KEY, dns=HOST, usage=ExtendedKeyUsageOID.EMAIL_PROTECTION)
    assert not _judged(_shown(for_mail, MIDDLE, ROOT), record)


def test_the_authority_need_not_be_a_root_but_must_have_signed() -> None:
    assert _judged(_shown(LEAF, MIDDLE), _record(MIDDLE, 2))
    # whoever shows the named authority beside his own certificate is not vouched for by it
    forged = _made("Leaf", "Middle", LEAF_KEY, OTHER_KEY, dns=HOST)
    assert not _judged(_shown(forged, MIDDLE, ROOT), _record(MIDDLE, 2), _record(ROOT, 2))
    # nor by a leaf of it that is no authority
    below = _made("Below", "Leaf", OTHER_KEY, LEAF_KEY, dns=HOST)
    assert not _judged(_shown(below, LEAF, MIDDLE, ROOT), _record(ROOT, 2))


def test_an_authority_that_only_the_record_holds_is_taken_from_there() -> None:
    assert _judged(_shown(LEAF, MIDDLE), _record(ROOT, 2, 0, 0))
    assert not _judged(_shown(LEAF, MIDDLE), _record(ROOT, 2, 0, 1))
    assert not _judged(_shown(LEAF, MIDDLE), Association(2, 0, 0, b"no certificate"))


def test_a_leaf_is_no_authority_of_itself() -> None:
    alone = _made("Alone", "Alone", OTHER_KEY, OTHER_KEY, dns=HOST)
    assert not _judged(_shown(alone), _record(alone, 2)) and not _judged(_shown(alone), _record(alone, 2, 0, 0))


@pytest.mark.parametrize(("usage", "about"), [(0, ROOT), (0, MIDDLE), (1, LEAF)])
def test_records_that_want_a_believed_authority_as_well_get_both(usage: int, about: x509.Certificate) -> None:
    believed = _shown(LEAF, MIDDLE, ROOT, errors=frozenset())
    assert _judged(believed, _record(about, usage))
    assert not _judged(believed, _record(ALONE, usage))
    for code in UNANCHORED | {10, 9}:
        assert not _judged(_shown(LEAF, MIDDLE, ROOT, errors=frozenset({code})), _record(about, usage))


def test_a_weaker_digest_beside_a_stronger_one_does_not_count() -> None:
    wrong = Association(3, 1, 2, bytes(64))
    assert _judged(_shown(LEAF), _record(LEAF, 3, 1, 1))
    assert not _judged(_shown(LEAF), _record(LEAF, 3, 1, 1), wrong)
    assert _judged(_shown(LEAF), _record(LEAF, 3, 0, 1), wrong) and _judged(_shown(LEAF), _record(LEAF, 3, 1, 0), wrong)


def test_one_of_several_records_is_enough() -> None:
    assert _judged(_shown(LEAF), _record(ALONE, 3), _record(LEAF, 3))


@pytest.mark.parametrize(
    "record",
    [
        Association(4, 1, 1, bytes(32)),
        Association(255, 1, 1, bytes(32)),
        Association(3, 2, 1, bytes(32)),
        Association(3, 1, 3, bytes(32)),
        Association(3, 1, 1, bytes(31)),
        Association(3, 1, 2, bytes(32)),
        Association(3, 1, 0, b""),
        Association(3, 1, 0, bytes(20_000)),
    ],
)
def test_what_cannot_be_understood_is_not_usable(record: Association) -> None:
    assert not record.usable


def test_nothing_presented_fits_nothing() -> None:
    assert not _judged(None, _record(LEAF, 3))


def test_the_refusal_says_what_was_found_and_what_was_shown() -> None:
    with pytest.raises(Distrusted, match=rf"no TLSA record of {HOST} \(3 1 1, 2 0 1\)") as told:
        endorsed(_shown(LEAF), [_record(ALONE, 3), _record(ALONE, 2, 0)], DOMAIN, HOST, NOW)
    assert _shown(LEAF).spki_sha256 in str(told.value)
