"""Partners whose certificate only their own web server names (POSH, RFC 7711), in both directions; real Prosodies."""

import json
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from attrs import define, field, frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from .client import Client
from .dns import CAST, Zone
from .gateway import Gateway
from .lab import Lab
from .scene import READY, configuration, inside_trust, partner, reaches, tell

pytestmark = pytest.mark.interop

ALICE = "alice@corp.example"
_NAMES = ("named", "hosted", "other", "mute", "off")
_ZONES = {f"{name}.example": Zone(f"{name}.example", f"127.0.0.{place}") for place, name in enumerate(_NAMES, 70)}


@define
class Web:
    """HTTPS at port 443 of one address, which gives one document; of sockets, as its namespace is not ours."""

    lab: Lab
    domain: str
    document: bytes
    asked: list[str] = field(factory=list)
    _stopping: threading.Event = field(factory=threading.Event)
    _thread: threading.Thread = field(init=False)

    def __attrs_post_init__(self) -> None:
        leaf = self.lab.pki.leaf(self.domain, "both")
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(leaf.chain, leaf.key)
        door = self.lab.listen(_ZONES[self.domain].address, 443)
        door.settimeout(0.1)

        def serve() -> None:
            while not self._stopping.is_set():
                with suppress(OSError):
                    sock, _ = door.accept()
                    sock.settimeout(2.0)
                    with tls.wrap_socket(sock, server_side=True) as visitor:
                        self.asked.append(visitor.recv(4096).split(b"\r\n")[0].decode())
                        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(self.document)}\r\nConnection: close\r\n\r\n"
                        visitor.sendall(head.encode() + self.document)
            door.close()

        self._thread = threading.Thread(target=serve)
        self._thread.start()

    def kill(self) -> None:
        """Ends it."""
        self._stopping.set()
        self._thread.join()


@frozen
class Scene:
    """The lab, the web servers, alice, and one user at each partner."""

    gateway: Gateway
    webs: dict[str, Web]
    alice: Client
    users: dict[str, Client]


def _naming(chain: Path) -> bytes:
    """Gives a document that names a certificate."""
    digest = x509.load_pem_x509_certificate(chain.read_bytes()).fingerprint(hashes.SHA256())
    return json.dumps({"fingerprints": [{"sha-256": b64encode(digest).decode()}], "expires": 600}).encode()


def _documents(lab: Lab) -> dict[str, bytes]:
    shown = {domain: _naming(lab.pki.leaf(domain, "self-signed").chain) for domain in _ZONES}
    hosting = json.dumps({"url": "https://off.example/hosted.json", "expires": 300}).encode()
    return {
        "named.example": shown["named.example"],
        "hosted.example": hosting,
        "other.example": shown["named.example"],
        "off.example": shown["hosted.example"],
    }


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A partner for each case; all have certificates that they have signed themselves, none may use dialback."""
    with Lab(tmp_path_factory.mktemp("posh"), zones=[*CAST, *_ZONES.values()]) as lab:
        webs = {domain: lab.join(Web(lab, domain, document)) for domain, document in _documents(lab).items()}
        terms = {domain: {"posh": domain != "off.example"} for domain in _ZONES}
        contracts = [partner(domain, bidi=False, **each) for domain, each in terms.items()]
        gateway = lab.gateway(configuration(lab, *contracts), ready=READY)
        lab.prosody("corp.example", users={"alice": "pw"}, view="inside", trust=inside_trust(lab, gateway))
        for domain in _ZONES:
            lab.prosody(domain, users={"user": "pw"}, view="public", flavour="self-signed")
        lab.ready()
        (alice,) = lab.online(ALICE)
        users = dict(zip(_ZONES, lab.online(*(f"user@{domain}" for domain in _ZONES)), strict=True))
        yield Scene(gateway, webs, alice, users)


@pytest.mark.parametrize("domain", list(_ZONES))
def test_the_web_server_vouches_whoever_calls_first(scene: Scene, domain: str) -> None:
    expected, user = domain in ("named.example", "hosted.example"), scene.users[domain]
    # he comes first: nothing is known of him yet, and his own stream waits until it is
    assert (reaches(user, scene.alice), reaches(scene.alice, user)) == (expected, expected)


def test_the_log_says_so_in_both_directions(scene: Scene) -> None:
    up = [line for line in scene.gateway.log.splitlines() if '"link up"' in line and '"peer":"named.example"' in line]
    assert len(up) >= 2 and all('"mechanism":"external+posh"' in line for line in up)


def test_each_domain_is_asked_where_it_says_and_no_other(scene: Scene) -> None:
    asked = {domain: set(web.asked) for domain, web in scene.webs.items()}
    usual = {"GET /.well-known/posh/xmpp-server.json HTTP/1.1"}
    assert asked["named.example"] == asked["hosted.example"] == asked["other.example"] == usual
    assert asked["off.example"] == {"GET /hosted.json HTTP/1.1"}


def test_the_test_of_a_partner_says_what_made_its_certificate_count(scene: Scene) -> None:
    def row(domain: str) -> dict[str, str]:
        told = tell(scene.gateway, "partners", "test", domain=domain)["checks"]
        return next(each for each in told if each["name"] == "certificate")

    assert row("named.example")["text"].startswith("trusted by POSH: its web server names it; names named.example")
    refused = row("other.example")
    assert refused["outcome"] == "fail" and "POSH: the document of other.example does not name this" in refused["text"]
    assert "POSH: mute.example: refuses the connection" in row("mute.example")["text"]
    assert "POSH" not in row("off.example")["text"]
