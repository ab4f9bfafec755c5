from __future__ import annotations

import time

import pytest
from attrs import evolve
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from gateway.transport.authority import CertificateAuthority
from gateway.transport.certificate import PeerCertificate, Proof, explain_failure, proves, read_certificate, serves_only

NOW = 1_800_000_000.0
PIN = "ab" * 32
GOOD = PeerCertificate(
    dns_names=("partner.example",), spki_sha256=PIN, fingerprint_sha256="cd" * 32, not_after=NOW + 1000
)


def judged(certificate: PeerCertificate, domain: str = "partner.example", **options) -> Proof | None:
    return proves(certificate, domain, **{"accept_server_only_eku": False, "now": NOW, **options})


@pytest.mark.parametrize(
    ("names", "domain", "form"),
    [
        ({"dns_names": ("partner.example",)}, "partner.example", "DNS-ID"),
        ({"dns_names": ("PARTNER.example",)}, "Partner.Example", "DNS-ID"),
        ({"dns_names": ("*.partner.example",)}, "im.partner.example", "DNS-ID"),
        ({"dns_names": ("*.partner.example",)}, "partner.example", None),
        ({"dns_names": ("*.partner.example",)}, "a.b.partner.example", None),
        ({"dns_names": ("i*.partner.example",)}, "im.partner.example", None),
        ({"dns_names": ("im.*.example",)}, "im.partner.example", None),
        ({"dns_names": ("*.example",)}, "partner.example", None),
        ({"dns_names": ("*",)}, "example", None),
        ({"dns_names": ("partner.example\0.stranger.example",)}, "partner.example", None),
        ({"dns_names": (" partner.example",)}, "partner.example", None),
        ({"dns_names": ("xn--bcher-kva.example",)}, "bücher.example", "DNS-ID"),
        ({"srv_names": ("_xmpp-server.partner.example",)}, "partner.example", "SRV-ID"),
        ({"srv_names": ("_xmpp-client.partner.example",)}, "partner.example", None),
        ({"srv_names": ("_xmpp-server.*.example",)}, "partner.example", None),
        ({"srv_names": ("", "_", "partner.example")}, "partner.example", None),
        ({"xmpp_addrs": ("partner.example",)}, "partner.example", "XmppAddr"),
        ({"xmpp_addrs": ("bücher.example",)}, "xn--bcher-kva.example", "XmppAddr"),
        ({"xmpp_addrs": ("bob@partner.example",)}, "partner.example", None),
        ({"xmpp_addrs": ("partner.example/desk",)}, "partner.example", None),
        ({"xmpp_addrs": ("*.partner.example",)}, "im.partner.example", None),
        ({"dns_names": ("192.0.2.1",)}, "192.0.2.1", None),
        ({}, "partner.example", None),
    ],
)
def test_only_the_whole_name_in_its_own_form_proves(names: dict, domain: str, form: str | None) -> None:
    proof = judged(evolve(GOOD, **{"dns_names": (), **names}), domain)
    assert (proof.name_form if proof else None) == form


@pytest.mark.parametrize(
    ("errors", "options", "how"),
    [
        (set(), {}, "pkix"),
        ({26}, {}, None),
        ({26}, {"accept_server_only_eku": True}, "pkix"),
        ({26, 20}, {"accept_server_only_eku": True}, None),
        ({28}, {"accept_server_only_eku": True}, None),
        ({18}, {}, None),
        ({18}, {"pins": frozenset({PIN})}, "pin"),
        ({19}, {"pins": frozenset({PIN.upper()})}, "pin"),
        ({20, 21}, {"pins": frozenset({"00" * 32, PIN})}, "pin"),
        (set(), {"pins": frozenset({"00" * 32})}, None),
        ({10}, {"pins": frozenset({PIN})}, None),
        ({23}, {"pins": frozenset({PIN})}, None),
        ({18, 26}, {"pins": frozenset({PIN})}, None),
        ({18, 26}, {"pins": frozenset({PIN}), "accept_server_only_eku": True}, "pin"),
        (set(), {"now": NOW + 1000}, None),
        ({18}, {"pins": frozenset({PIN}), "now": NOW + 1000}, None),
    ],
)
def test_the_chain_or_the_pin_must_hold(errors: set[int], options: dict, how: str | None) -> None:
    proof = judged(evolve(GOOD, chain_errors=frozenset(errors)), **options)
    assert (proof.how if proof else None) == how


def test_a_pin_does_not_replace_the_name() -> None:
    assert judged(GOOD, "stranger.example", pins=frozenset({PIN})) is None


ANY_CERTIFICATE = st.builds(
    PeerCertificate,
    dns_names=st.lists(st.text(max_size=30) | st.sampled_from(["*.example", "partner.example"]), max_size=3).map(tuple),
    srv_names=st.lists(st.text(max_size=30) | st.just("_xmpp-server.partner.example"), max_size=2).map(tuple),
    xmpp_addrs=st.lists(st.text(max_size=30), max_size=2).map(tuple),
    spki_sha256=st.sampled_from([PIN, "00" * 32]),
    not_after=st.sampled_from([NOW - 1, NOW, NOW + 1]),
    chain_errors=st.frozensets(st.sampled_from([10, 18, 20, 21, 26, 28, 47])),
)
OPTIONS = st.fixed_dictionaries(
    {"accept_server_only_eku": st.booleans(), "pins": st.sampled_from([frozenset(), frozenset({PIN})])}
)


@given(ANY_CERTIFICATE, st.text(max_size=30) | st.just("partner.example"), OPTIONS)
def test_no_certificate_or_domain_makes_the_judge_stumble(certificate, domain, options) -> None:
    proof = judged(certificate, domain, **options)
    sentence = explain_failure(certificate, domain, now=NOW, **options)
    assert ("does not prove" in sentence) == (proof is None)


@given(ANY_CERTIFICATE, st.sampled_from([18, 23, 26, 47]), OPTIONS)
def test_one_more_chain_error_never_proves_more(certificate, error, options) -> None:
    worse = evolve(certificate, chain_errors=certificate.chain_errors | {error})
    if judged(worse, **options):
        assert judged(certificate, **options)


@given(ANY_CERTIFICATE, OPTIONS)
def test_what_is_proved_has_no_unforgiven_flaw(certificate, options) -> None:
    if judged(certificate, **options):
        assert certificate.not_after > NOW
        assert not certificate.chain_errors & {10, 28, 47}
        assert options["pins"] or not certificate.chain_errors & {18, 20, 21}
        assert not options["pins"] or certificate.spki_sha256 == PIN


def test_explanations_name_the_cause() -> None:
    def why(certificate: PeerCertificate | None, **options) -> str:
        return explain_failure(
            certificate, "partner.example", **{"accept_server_only_eku": False, "now": NOW, **options}
        )

    assert "no certificate" in why(None)
    assert "self-signed" in why(evolve(GOOD, chain_errors=frozenset({18})))
    assert "servers only" in why(evolve(GOOD, chain_errors=frozenset({26})))
    assert "stranger.example" in why(evolve(GOOD, dns_names=("stranger.example",)))
    assert "not the pinned one" in why(GOOD, pins=frozenset({"00" * 32}))
    assert "expired" in why(GOOD, now=NOW + 5000)
    assert "\n" not in why(evolve(GOOD, dns_names=("a\nlog line of the peer",)))


def test_a_minted_leaf_names_its_domain_in_all_three_forms(authority: CertificateAuthority) -> None:
    leaf = read_certificate(authority.mint("bücher.example").chain[0])
    assert leaf.dns_names == ("xn--bcher-kva.example",)
    assert leaf.srv_names == ("_xmpp-server.xn--bcher-kva.example",)
    assert leaf.xmpp_addrs == ()
    assert leaf.has_client_eku is True
    assert 89 * 86400 < leaf.not_after - time.time() <= 90 * 86400
    assert len(leaf.spki_sha256) == len(leaf.fingerprint_sha256) == 64


@given(st.integers(60, 250))
def test_long_names_survive_the_certificate(length: int) -> None:
    from gateway.transport.certificate import IA5_STRING, _decode_string, encode_string

    text = "a" * length
    assert _decode_string(encode_string(IA5_STRING, text), IA5_STRING) == text


def test_only_server_auth_without_client_auth_serves_only(authority: CertificateAuthority) -> None:
    server, client = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
    assert serves_only(authority.mint("corp.example", (server,)).chain[0])
    assert not serves_only(authority.mint("corp.example", (server, client)).chain[0])
    assert not serves_only(authority.mint("corp.example", (ExtendedKeyUsageOID.CODE_SIGNING,)).chain[0])
