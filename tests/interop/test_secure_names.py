"""Partners for whose certificate only secure DNS vouches (DANE, RFC 7673): a real unbound, real Prosodies."""

import json
from collections.abc import Iterator

import pytest
from attrs import frozen
from cryptography import x509

from ..validating import Validating, needs_unbound, tlsa, xmpp_zone
from .client import Client
from .dns import CAST, Zone
from .gateway import Gateway
from .lab import Lab
from .pki import Pki
from .scene import READY, configuration, inside_trust, partner, reaches, tell

pytestmark = pytest.mark.interop

ALICE = "alice@corp.example"
HERE = "127.0.0.56"
_NAMES = ("right", "wrong", "loose", "authority", "unsigned", "off")
_ZONES = {f"{name}.example": Zone(f"{name}.example", f"127.0.0.{place}") for place, name in enumerate(_NAMES, 80)}


@frozen
class Scene:
    """The lab, the resolver, alice, and one user at each partner."""

    lab: Lab
    unbound: Validating
    gateway: Gateway
    alice: Client
    users: dict[str, Client]


def _leaf(lab: Lab, domain: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(lab.pki.leaf(domain, _flavour(domain)).chain.read_bytes())


def _flavour(domain: str) -> str:
    return "both" if domain == "authority.example" else "self-signed"


def _records(lab: Lab) -> dict[str, str]:
    """Gives the TLSA record of each partner."""
    made = {domain: tlsa(_leaf(lab, domain), 3, 1, 1) for domain in _ZONES}
    made["wrong.example"] = made["loose.example"] = made["off.example"]
    made["authority.example"] = tlsa(x509.load_pem_x509_certificate(lab.pki.ca.read_bytes()), 2, 0, 1)
    return made


def _zone(domain: str, record: str) -> list[str]:
    return xmpp_zone(domain, _ZONES[domain].address, 5269, [record], seconds=1)


def _contracts(lab: Lab) -> list[str]:
    other = Pki(lab.folder / "other", name="Another CA").ca
    terms: dict[str, dict[str, object]] = {domain: {"dane": True} for domain in _ZONES}
    for domain in ("loose.example", "right.example", "authority.example"):
        # who calls back to ask about a key sees the certificate as well
        terms[domain]["auth"] = ["external", "dialback"]
    terms["authority.example"]["ca"] = other
    terms["off.example"] = {}
    return [partner(domain, bidi=False, **each) for domain, each in terms.items()]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A partner for each case; all but `authority` have certificates that they have signed themselves."""
    needs_unbound()
    with Lab(tmp_path_factory.mktemp("dane"), zones=[*CAST, *_ZONES.values()]) as lab:
        zones = {domain: _zone(domain, record) for domain, record in _records(lab).items()}
        plain = {
            "unsigned.example": zones.pop("unsigned.example"),
            "corp.example": xmpp_zone("corp.example", "127.0.0.101", 5269, []),
        }

        def wrapped(argv: list[str]) -> list[str]:
            return lab.namespace.command(lab.dns.resolv_conf("direct"), *argv)

        unbound = lab.join(Validating(lab.folder / "unbound", zones, plain, HERE, 53, wrapped))
        unbound.start(lambda: lab.namespace.answers(HERE, 53))
        text = configuration(lab, *_contracts(lab)).replace('["127.0.0.53"]', f'["{HERE}"]')
        gateway = lab.gateway(text, ready=READY)
        lab.prosody("corp.example", users={"alice": "pw"}, view="inside", trust=inside_trust(lab, gateway))
        for domain in _ZONES:
            lab.prosody(domain, users={"user": "pw"}, view="public", flavour=_flavour(domain))
        lab.ready()
        (alice,) = lab.online(ALICE)
        users = dict(zip(_ZONES, lab.online(*(f"user@{domain}" for domain in _ZONES)), strict=True))
        yield Scene(lab, unbound, gateway, alice, users)


@pytest.mark.parametrize("domain", list(_ZONES))
def test_secure_names_vouch_for_a_certificate_and_nothing_else_does(scene: Scene, domain: str) -> None:
    expected, user = domain in ("right.example", "authority.example"), scene.users[domain]
    assert (reaches(scene.alice, user), reaches(user, scene.alice)) == (expected, expected)


def _row(scene: Scene, domain: str, name: str) -> dict[str, str]:
    told = tell(scene.gateway, "partners", "test", domain=domain)["checks"]
    return next(row for row in told if row["name"] == name)


def test_the_test_of_a_partner_says_what_made_its_certificate_count(scene: Scene) -> None:
    host = "xmpp.right.example"
    assert _row(scene, "right.example", "dane")["text"] == f"{host}:5269 TLSA 3 1 1"
    assert f"trusted by DANE: DANE-EE (3 1 1) of {host}" in _row(scene, "right.example", "certificate")["text"]
    assert "trusted by DANE: DANE-TA (2 0 1) of" in _row(scene, "authority.example", "certificate")["text"]
    for domain in ("wrong.example", "loose.example"):
        found = _row(scene, domain, "certificate")
        assert found["outcome"] == "fail" and "DANE: no TLSA record of xmpp." in found["text"]
    assert _row(scene, "unsigned.example", "dane")["outcome"] == "warn"
    assert "not validated" in _row(scene, "unsigned.example", "dane")["text"]


def test_the_log_and_the_status_say_so_too(scene: Scene) -> None:
    up = [line for line in scene.gateway.log.splitlines() if '"link up"' in line and '"peer":"right.example"' in line]
    assert any('"mechanism":"external+dane"' in line for line in up)
    shown = tell(scene.gateway, "partners", "show", domain="right.example")
    assert shown["tls"].endswith("external+dane") and shown["auth"] == ["dialback", "external", "dane"]


def test_the_offline_check_says_what_secure_names_hold(scene: Scene) -> None:
    told = scene.gateway.command("check", "partners", "--json", timeout=30.0)
    found = {row["text"]: row["outcome"] for row in json.loads(told.stdout)["checks"] if "DANE" in row["text"]}
    assert found.pop("right.example: DANE: xmpp.right.example:5269 TLSA 3 1 1") == "ok"
    unsigned = "unsigned.example: DANE: xmpp.unsigned.example:5269 does not apply: its SRV record is not validated"
    assert found.pop(unsigned) == "warn"
    assert set(found.values()) == {"ok"} and not any(text.startswith("off.example") for text in found)


def test_without_a_contract_that_says_so_nobody_asks(scene: Scene) -> None:
    log = [line for line in scene.gateway.log.splitlines() if '"link failed"' in line and "off.example" in line]
    assert log and not any("DANE" in line for line in log)


def test_a_record_that_changes_takes_the_trust_back(scene: Scene) -> None:
    alice, user = scene.alice, scene.users["right.example"]
    assert reaches(alice, user)
    records = {**_records(scene.lab), "right.example": _records(scene.lab)["wrong.example"]}
    del records["unsigned.example"]
    zones = {domain: _zone(domain, record) for domain, record in records.items()}
    scene.unbound.again(zones, lambda: scene.lab.namespace.answers(HERE, 53))
    scene.lab.servers["right.example"].restart()
    (user,) = scene.lab.online(user.bare)
    assert not reaches(alice, user)
    failed = [line for line in scene.gateway.log.splitlines() if '"link failed"' in line and "right.example" in line]
    assert any("DANE: no TLSA record of xmpp.right.example (3 1 1) fits" in line for line in failed)
