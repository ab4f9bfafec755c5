"""Who is believed to be whom: certificates, pins, dialback, strangers; from both sides of the gateway."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .client import Client
from .dns import CAST, Zone
from .gateway import Gateway
from .lab import Lab
from .peer import heard_to_the_end, proven
from .scene import READY, befriend, configuration, inside_server, inside_trust, of, partner, reaches

pytestmark = pytest.mark.interop

ALICE = "alice@corp.example"
DIALBACK: dict[str, object] = {"auth": ["dialback"]}


@frozen
class Peer:
    """One partner: what its server is like, and what its contract says."""

    domain: str
    server: dict[str, object]
    contract: dict[str, object]


def _peers(lab: Lab) -> list[Peer]:
    alone = {"flavour": "self-signed", "secure_auth": False}
    key = _pin(lab.pki.leaf("pinned.example", "self-signed").chain)
    return [
        Peer("wrong.example", {"flavour": "wrong-name"}, {}),
        Peer("selfsigned.example", {"flavour": "self-signed"}, {}),
        Peer("expired.example", {"flavour": "expired"}, {}),
        Peer("pinned.example", {"flavour": "self-signed"}, {"pins": [key]}),
        Peer("mispinned.example", {}, {"pins": [key]}),
        Peer("serveronly.example", {"flavour": "server-only"}, {}),
        Peer("strict.example", {"flavour": "server-only"}, {"server_only_certificates": False}),
        Peer("dialback.example", alone, DIALBACK),
        Peer("nodialback.example", alone, {}),
    ]


def _pin(chain: Path) -> str:
    key = x509.load_pem_x509_certificate(chain.read_bytes()).public_key()
    return "sha256:" + hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


@frozen
class Scene:
    """The lab, alice, and one user at each peer."""

    lab: Lab
    gateway: Gateway
    alice: Client
    users: dict[str, Client]


_NAMES = "wrong selfsigned expired pinned mispinned serveronly strict dialback nodialback"
_ZONES = [Zone(f"{name}.example", f"127.0.0.{place}") for place, name in enumerate(_NAMES.split(), 60)]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One Prosody for each kind of certificate, an ejabberd that speaks dialback, a stranger without a contract."""
    with Lab(tmp_path_factory.mktemp("identity"), zones=[*CAST, *_ZONES]) as lab:
        peers = _peers(lab)
        contracts = [partner(peer.domain, bidi=False, **peer.contract) for peer in peers]
        contracts += [partner("partner.example", **DIALBACK), partner("ally.example")]
        gateway = lab.gateway(configuration(lab, *contracts), ready=READY)
        lab.prosody("corp.example", users={"alice": "pw"}, view="inside", trust=inside_trust(lab, gateway))
        lab.ejabberd("partner.example", users={"user": "pw"}, view="public", flavour="self-signed")
        lab.prosody("stranger.example", users={"user": "pw"}, view="public")
        for peer in peers:
            lab.prosody(peer.domain, users={"user": "pw"}, view="public", **peer.server)
        lab.ready()
        (alice,) = lab.online(ALICE)
        domains = [*(peer.domain for peer in peers), "partner.example", "stranger.example"]
        users = lab.online(*(f"user@{domain}" for domain in domains))
        yield Scene(lab, gateway, alice, dict(zip(domains, users, strict=True)))


_WELCOME = {"pinned.example", "serveronly.example", "dialback.example", "partner.example"}


@pytest.mark.parametrize("domain", [*(zone.domain for zone in _ZONES), "partner.example", "stranger.example"])
def test_proof_is_asked_for_in_both_directions(scene: Scene, domain: str) -> None:
    user, alice = scene.users[domain], scene.alice
    comes, goes = domain in _WELCOME, domain in {*_WELCOME, "strict.example"}  # called, it needs serverAuth only
    assert (reaches(user, alice), reaches(alice, user)) == (comes, goes)


def test_presence_crosses_by_dialback(scene: Scene) -> None:
    for domain in ("dialback.example", "partner.example"):
        befriend(scene.alice, scene.users[domain])
        scene.users[domain].wait_for(of(ALICE))
        up = [line for line in scene.gateway.log.splitlines() if '"link up"' in line and f'"peer":"{domain}"' in line]
        assert len(up) >= 2 and all('"mechanism":"dialback"' in line for line in up)


def test_refusal_is_told_in_words(scene: Scene) -> None:
    told = scene.gateway.command("partners", "test", "wrong.example")
    assert told.returncode and "impostor.example" in told.stdout
    log = scene.gateway.log
    for domain in ("wrong.example", "expired.example", "mispinned.example"):
        assert any('"link failed"' in line and domain in line for line in log.splitlines())
    eve = scene.users["stranger.example"]
    seen = eve.stanzas("message[@type='error']") or [
        eve.wait_for(f"message[@id='{eve.message(ALICE, 'anybody?')}'][@type='error']", 10.0)
    ]
    assert "policy-violation" in seen[0].xml and ALICE in seen[0]["from"]


@pytest.mark.parametrize(
    ("stanza", "condition"),
    [
        ("<message from='user@pinned.example' to='alice@corp.example'><body>spoofed</body></message>", "invalid-from"),
        ("<message from='alice@corp.example' to='alice@corp.example'><body>spoofed</body></message>", "invalid-from"),
        ("<message to='alice@corp.example'><body>spoofed</body></message>", "improper-addressing"),
        ("<message from='carol@ally.example' to='x@other.example'><body>spoofed</body></message>", "host-unknown"),
        ("<presence from='carol@sub.ally.example' to='alice@corp.example'/>", "invalid-from"),
    ],
)
def test_stanza_from_a_domain_that_the_stream_did_not_prove_closes_it(
    scene: Scene, stanza: str, condition: str
) -> None:
    mark = scene.alice.mark()
    with proven(scene.lab, "ally.example") as peer:
        peer.sendall(stanza.encode())
        assert f"<{condition} " in heard_to_the_end(peer).decode()
    assert not [got for got in scene.alice.stanzas("message", after=mark) if "spoofed" in got.xml]


def test_stanza_from_the_proven_domain_arrives(scene: Scene) -> None:
    with proven(scene.lab, "ally.example") as peer:
        peer.sendall(b"<message from='carol@ally.example' to='alice@corp.example' id='raw'><body>true</body></message>")
        assert scene.alice.wait_for("message[@id='raw']").text("body") == "true"


# ways to connect

_ALSO_TLS = {"public": ["srv-host=_xmpps-server._tcp.corp.example,xmpp.corp.example,5270,0,5"]}


def test_direct_tls_and_bidirectional_streams(tmp_path: Path) -> None:
    with Lab(tmp_path, dns_lines=_ALSO_TLS) as lab:
        contracts = partner("ally.example"), partner("partner.example", bidi=False)
        gateway = lab.gateway(configuration(lab, *contracts, direct_tls=True), ready=READY)
        lab.prosody("corp.example", users={"alice": "pw"}, view="inside", trust=inside_trust(lab, gateway))
        ally = lab.prosody("ally.example", users={"carol": "pw"}, view="public", dialback=False, bidi=True)
        other = lab.prosody("partner.example", users={"bob": "pw"}, view="public", dialback=False, direct_tls=True)
        lab.ready()
        alice, bob, carol = lab.online(ALICE, "bob@partner.example", "carol@ally.example")
        for user in (bob, carol):
            assert reaches(user, alice) and reaches(alice, user)
        assert "Next target to try is 127.0.0.101:5270" in ally.log
        taken = "Incoming s2s connection corp.example->{} complete"
        assert taken.format("ally.example") not in ally.log and taken.format("partner.example") in other.log
        assert "xmpp.partner.example:5270" in gateway.command("partners", "test", "partner.example").stdout


@pytest.mark.parametrize(
    ("kind", "domain", "address"), [("prosody", "corp.example", 10), ("ejabberd", "corpej.example", 11)]
)
def test_inside_by_dialback(tmp_path: Path, kind: str, domain: str, address: int) -> None:
    with Lab(tmp_path) as lab:
        inside = inside_server(lab, auth="dialback", connect=f"127.0.0.{address}:5269")
        config = configuration(lab, partner("ally.example"), domain=domain, inside=inside)
        gateway = lab.gateway(config, ready=READY)
        getattr(lab, kind)(domain, users={"alice": "pw"}, view="inside", secure_auth=False)
        lab.prosody("ally.example", users={"carol": "pw"}, view="public", dialback=False)
        lab.ready()
        alice, carol = lab.online(f"alice@{domain}", "carol@ally.example")
        befriend(alice, carol)
        carol.wait_for(of(alice.bare))
        assert reaches(alice, carol) and reaches(carol, alice)
        assert '"mechanism":"dialback"' in gateway.log
