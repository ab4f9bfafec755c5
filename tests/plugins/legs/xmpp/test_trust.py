"""What makes a partner's certificate count: its contract, the word of secure DNS, a document of its web server."""

import time
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve, field
from twisted.internet.defer import Deferred

from gateway.config import load
from gateway.transport.authority import CertificateAuthority
from gateway.transport.certificate import Endorsement, PeerCertificate
from gateway.transport.posh import PoshBook, Source
from gateway.transport.resolver import NotFound, Target
from gateway.transport.revocation import Revocations
from plugins.legs.xmpp.hosts import OutsideHost
from tests.config.files import HOUSE, write

NOW = time.time()
NAME = "partner.example"
GOOD = PeerCertificate(dns_names=(NAME,), spki_sha256="aa" * 32, not_after=NOW + 3600, issuer="O=Someone")
ALONE = evolve(GOOD, dns_names=("elsewhere.example",), chain_errors=frozenset({18}))
WORD = Endorsement(NAME, "DANE-EE (3 1 1) of xmpp.partner.example", float("inf"))
DNS = '[outside.xmpp]\ndns = ["127.0.0.1"]\n'
DANE, POSH = "dane = true\n", "posh = true\n"
OTHER_PIN = f'pins = ["sha256:{"bb" * 32}"]\n'
OWN_PIN = f'pins = ["sha256:{"aa" * 32}"]\n'


@define
class Book(PoshBook):
    """Says of every certificate the same, and writes down who was asked."""

    said: bool = True
    asked: list[tuple[str, Source]] = field(factory=list)

    def learning(self, domain: str, source: Source) -> Deferred[None] | None:
        self.asked.append((domain, source))
        return None

    def vouches(self, domain: str, certificate: PeerCertificate) -> bool:
        return self.said and domain == NAME


async def _nowhere(host: str, port: int, anywhere: bool) -> list[Target]:
    raise NotFound(host)


def _no_resolver(anywhere: bool, dane: bool) -> Any:
    raise AssertionError("nobody is looked up")


@pytest.fixture
def host(tmp_path: Path) -> Any:
    """Gives the host of a house whose one partner has these terms."""
    CertificateAuthority.open(tmp_path / "ca").write_leaf("corp.example", tmp_path)
    house = HOUSE.replace('"corp.crt"', '"corp.example.crt"').replace('"/keys/corp.key"', '"corp.example.key"')
    house = house.replace("[inside]", 'ca = "ca/ca.crt"\n[inside]')

    def made(terms: str, said: bool = True) -> OutsideHost:
        text = f'{DNS}[[partner]]\ndomain = "{NAME}"\naliases = ["chat.{NAME}"]\n{terms}'
        config = load(write(tmp_path, text, house))
        return OutsideHost(config, _no_resolver, lambda: NOW, Book(None, _nowhere, said=said))

    return made


def _way(host: OutsideHost, certificate: PeerCertificate, remote: str = NAME) -> str:
    proof = host.proof(certificate, remote)
    assert host.proves(certificate, remote) == (proof is not None)
    return proof.how if proof is not None else ""


def test_an_authority_counts_under_every_contract(host: Any) -> None:
    for terms in ("", DANE, POSH):
        assert _way(host(terms), GOOD) == "pkix" and _way(host(terms, said=False), ALONE) == ""


def test_secure_dns_counts_where_the_contract_says_so_for_the_domain_that_was_meant(host: Any) -> None:
    vouched = ALONE.with_endorsement(WORD)
    assert _way(host(DANE), vouched) == "dane" and _way(host(""), vouched) == ""
    assert _way(host(DANE), vouched, f"chat.{NAME}") == ""
    assert _way(host(DANE), ALONE.with_endorsement(evolve(WORD, not_after=NOW - 1))) == ""
    assert _way(host(DANE), evolve(vouched, not_after=NOW - 1)) == "dane"


def test_a_pin_counts_beside_secure_dns_and_beside_a_web_server(host: Any) -> None:
    for terms, certificate, way in ((DANE, ALONE.with_endorsement(WORD), "dane"), (POSH, ALONE, "posh")):
        assert _way(host(terms + OTHER_PIN), certificate) == ""
        assert _way(host(terms + OWN_PIN), certificate) == way


def test_a_web_server_counts_where_the_contract_says_so_while_the_certificate_lasts(host: Any) -> None:
    assert _way(host(POSH), ALONE) == "posh" and _way(host(""), ALONE) == ""
    assert _way(host(POSH), evolve(ALONE, not_after=NOW - 1)) == ""
    assert _way(host(POSH), ALONE, f"chat.{NAME}") == ""


def test_who_could_not_be_known_before_tls_is_asked_for_the_next_time(host: Any) -> None:
    made = host(POSH, said=False)
    assert _way(made, ALONE) == "" and made._posh.asked
    known = host(POSH)
    assert _way(known, GOOD) == "pkix" and known._posh.asked == []


def test_what_is_revoked_counts_for_nobody(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Revocations, "revoked", lambda lists, certificate: True)
    for terms, certificate in ((DANE, ALONE.with_endorsement(WORD)), (POSH, ALONE), ("", GOOD)):
        assert _way(host(terms), certificate) == ""


def test_only_a_partner_with_such_a_contract_is_asked_on_its_own_terms(host: Any, tmp_path: Path) -> None:
    made = host(POSH + 'addresses = "any"\nca = "ca/ca.crt"\n')
    for remote in (NAME, f"chat.{NAME}", "stranger.example", None):
        made.learning(remote)
    source = Source(True, tmp_path / "ca" / "ca.crt")
    assert made._posh.asked == [(NAME, source), (f"chat.{NAME}", source)]
    plain = host("")
    assert plain.learning(NAME) is None and plain._posh.asked == []
    assert "POSH" in made.why_not(ALONE, NAME) and "POSH" not in plain.why_not(ALONE, NAME)
