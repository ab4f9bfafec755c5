"""Which domains a certificate may speak for on each side, and where a domain is."""

from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import evolve

from gateway.config import Config
from gateway.config.legs import InsideSip
from gateway.config.loading import load
from gateway.transport.authority import CertificateAuthority
from gateway.transport.certificate import PeerCertificate
from gateway.transport.resolver import NotFound
from plugins.legs.sip.hosts import InsideSipHost, OutsideSipHost

NOW = 1_700_000_000.0
GOOD = PeerCertificate(not_after=NOW + 1000, has_client_eku=True, spki_sha256="ab" * 32)
PIN = "sha256:" + "ab" * 32


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    CertificateAuthority.open(tmp_path / "ca").write_leaf("corp.example", tmp_path)
    return tmp_path


def config(folder: Path, partner: str = "", inside: str = "") -> Config:
    chain, key = sorted(folder.glob("corp.example*"), key=lambda path: path.suffix == ".key")
    path = folder / "gateway.toml"
    path.write_text(
        f"""[gateway]
domains = ["corp.example"]
state = "{folder}"
[tls]
certificate = "{chain}"
key = "{key}"
ca = "{folder / "ca" / "ca.crt"}"
[inside]
kind = "sip"
connect = "127.0.0.10:5061"
listen = ["127.0.0.100:5061"]
ca = "{folder / "ca" / "ca.crt"}"
{inside}
[[partner]]
domain = "partner.example"
via = "sip"
route = "127.0.0.20:5061"
{partner}
[[partner]]
domain = "ally.example"
"""
    )
    return load(path)


def outside(folder: Path, partner: str = "") -> OutsideSipHost:
    def resolver(anywhere: bool) -> object:
        raise NotFound("nobody is asked")

    return OutsideSipHost(config(folder, partner), resolver, lambda: NOW)  # type: ignore[arg-type]


def inside(folder: Path, more: str = "") -> InsideSipHost:
    made = config(folder, inside=more)
    assert isinstance(made.inside, InsideSip)
    return InsideSipHost(made, made.inside, lambda: NOW)


def named(*names: str, **more: Any) -> PeerCertificate:
    return evolve(GOOD, dns_names=names, **more)


def test_certificate_speaks_for_the_sip_partners_that_it_names(folder: Path) -> None:
    host = outside(folder)
    assert host.proven(named("partner.example", "sip.partner.example")) == {"partner.example"}
    assert host.proven(evolve(GOOD, uri_names=("sip:Partner.example",))) == {"partner.example"}
    for other in (named("ally.example"), named("unknown.example"), named("*.partner.example"), named(), None):
        assert host.proven(other) == frozenset()
    # a name of a person and a `sips` name say nothing (RFC 5922 7.1)
    assert host.proven(evolve(GOOD, uri_names=("sip:bob@partner.example",))) == frozenset()


def test_certificate_must_hold_now(folder: Path) -> None:
    host = outside(folder)
    assert host.proven(named("partner.example", not_after=NOW - 1)) == frozenset()
    assert host.proven(named("partner.example", chain_errors=frozenset({20}))) == frozenset()


def test_pinned_partner_is_believed_for_his_key_alone(folder: Path) -> None:
    host = outside(folder, f'pins = ["{PIN}"]')
    assert host.proven(named("partner.example", chain_errors=frozenset({20}))) == {"partner.example"}
    assert host.proven(named("partner.example", spki_sha256="cd" * 32)) == frozenset()


def test_who_is_served_and_spoken_with(folder: Path) -> None:
    towards, own = outside(folder), inside(folder)
    assert towards.serves("corp.example") and not towards.serves("partner.example")
    assert own.serves("partner.example") and own.serves("ally.example") and not own.serves("corp.example")
    assert towards.speaks_with("partner.example") and not towards.speaks_with("ally.example")
    assert own.speaks_with("corp.example") and not own.speaks_with("partner.example")


def test_own_server_speaks_for_all_our_domains(folder: Path) -> None:
    host = inside(folder)
    assert host.proven(named("corp.example")) == {"corp.example"}
    assert host.proven(named("partner.example")) == host.proven(None) == frozenset()
    pinned = inside(folder, f'pins = ["{PIN}"]')
    assert pinned.proven(named("whatever.example", chain_errors=frozenset({20}))) == {"corp.example"}


@pytest_twisted.ensureDeferred
async def test_where_they_are(folder: Path) -> None:
    (target,) = await outside(folder).targets("partner.example")
    assert (target.host, target.port, target.addresses) == ("127.0.0.20", 5061, ("127.0.0.20",))
    (target,) = await inside(folder).targets("corp.example")
    assert (target.host, target.port) == ("127.0.0.10", 5061)
    with pytest.raises(NotFound):
        await outside(folder).targets("ally.example")


def test_expiry_of_our_certificate_is_told(folder: Path) -> None:
    assert set(outside(folder).expiries) == {"corp.example"}
    assert outside(folder).expiries["corp.example"] > NOW


def test_nobody_is_sent_from_one_partner_to_another(folder: Path) -> None:
    towards, own = outside(folder, 'aliases = ["chat.partner.example"]'), inside(folder)
    assert towards.follows("partner.example", "chat.partner.example")
    for other in ("ally.example", "corp.example", "unknown.example", "sub.partner.example"):
        assert not towards.follows("partner.example", other)
    assert not towards.follows("unknown.example", "unknown.example")
    assert own.follows("corp.example", "corp.example") and not own.follows("corp.example", "partner.example")


def test_each_certificate_of_ours_is_an_identity(folder: Path) -> None:
    CertificateAuthority.open(folder / "ca").write_leaf("second.example", folder)
    chain, key = folder / "second.example.crt", folder / "second.example.key"
    made = outside(folder)
    assert made.identity("corp.example") == made.identity("unknown.example")
    text = (folder / "gateway.toml").read_text()
    text = text.replace('["corp.example"]', '["corp.example", "second.example"]', 1)
    extra = f'[[tls.extra]]\ndomain = "second.example"\ncertificate = "{chain}"\nkey = "{key}"\n'
    (folder / "gateway.toml").write_text(text + extra)
    made.prepare(load(folder / "gateway.toml"))()
    assert made.identity("corp.example") != made.identity("second.example")
    assert made.client("corp.example", "partner.example") is not made.client("second.example", "partner.example")
    assert set(made.expiries) == {"corp.example", "second.example"}
