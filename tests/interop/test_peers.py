"""What the servers of the lab can be told to be, one small lab each."""

import hashlib
import sys
from pathlib import Path

import pytest

from .lab import Lab
from .pki import Pki
from .process import LabError

pytestmark = pytest.mark.interop

_STUB = """
import http.server, sys, time
from pathlib import Path
began = time.time()
print(sys.argv[1:], Path(sys.argv[3]).read_text().strip(), flush=True)
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if time.time() - began > 0.3 else 503)
        self.end_headers()
        self.wfile.write(b'ready')
http.server.HTTPServer(('127.0.0.1', 8080), Page).serve_forever()
"""


def _exchange(lab: Lab) -> None:
    alice, carol = lab.online("alice@corp.example", "carol@ally.example")
    carol.wait_for(f"message[@id='{alice.message(carol.bare, 'there')}']/body")
    alice.wait_for(f"message[@id='{carol.message(alice.bare, 'and back')}']/body")


def _pair(lab: Lab, **plan: object) -> None:
    lab.prosody("corp.example", users={"alice": "pw"}, **plan)
    lab.prosody("ally.example", users={"carol": "pw"}, **plan)


def test_direct_tls_is_found_and_used(tmp_path: Path) -> None:
    with Lab(tmp_path) as lab:
        _pair(lab, direct_tls=True)
        _exchange(lab)
        assert "Next target to try is 127.0.0.30:5270" in lab.servers["corp.example"].log


@pytest.mark.parametrize("bidi", [True, False])
def test_bidirectional_streams_only_where_asked_for(tmp_path: Path, bidi: bool) -> None:
    with Lab(tmp_path) as lab:
        _pair(lab, bidi=bidi)
        _exchange(lab)
        assert ("opening a new outgoing connection" not in lab.servers["ally.example"].log) is bidi


@pytest.mark.parametrize(("secure", "reached"), [(False, True), (True, False)])
def test_self_signed_peer_needs_a_server_that_takes_dialback(tmp_path: Path, secure: bool, reached: bool) -> None:
    with Lab(tmp_path) as lab:
        lab.prosody("corp.example", users={"alice": "pw"}, secure_auth=secure)
        lab.prosody("ally.example", users={"carol": "pw"}, flavour="self-signed", secure_auth=False)
        alice, carol = lab.online("alice@corp.example", "carol@ally.example")
        name = carol.message(alice.bare, "hello")
        if reached:
            alice.wait_for(f"message[@id='{name}']/body")
        else:
            carol.wait_for(f"message[@id='{name}'][@type='error']")


@pytest.mark.parametrize("flavour", ["wrong-name", "expired"])
def test_certificate_that_does_not_hold_is_refused(tmp_path: Path, flavour: str) -> None:
    with Lab(tmp_path) as lab:
        lab.prosody("corp.example", users={"alice": "pw"})
        lab.prosody("ally.example", users={"carol": "pw"}, flavour=flavour)
        (carol,) = lab.online("carol@ally.example")
        carol.wait_for(f"message[@id='{carol.message('alice@corp.example', 'hello')}'][@type='error']")


def test_trust_is_what_the_files_say(tmp_path: Path) -> None:
    other = Pki(tmp_path / "other")
    with Lab(tmp_path) as lab:
        lab.prosody("corp.example", users={"alice": "pw"}, trust=[other.ca])
        lab.prosody("ally.example", users={"carol": "pw"})
        (carol,) = lab.online("carol@ally.example")
        carol.wait_for(f"message[@id='{carol.message('alice@corp.example', 'hello')}'][@type='error']")
        corp = lab.servers["corp.example"]
        corp.site.trust.write_bytes(lab.pki.ca.read_bytes())
        corp.restart()
        carol.message("alice@corp.example", "now")
        (alice,) = lab.online("alice@corp.example")
        alice.wait_for("message[body='now']", 10.0)


@pytest.mark.parametrize("kind", ["prosody", "ejabberd"])
def test_component_is_let_in_with_its_secret(tmp_path: Path, kind: str) -> None:
    with Lab(tmp_path) as lab:
        server = getattr(lab, kind)("corp.example", components={"partner.example": "secret"})
        server.await_ready()
        for secret, answer in (("wrong", b"not-authorized"), ("secret", b"<handshake/>")):
            with lab.connect(server.address, 5347) as stream:
                stream.sendall(
                    b"<stream:stream xmlns='jabber:component:accept' to='partner.example' "
                    b"xmlns:stream='http://etherx.jabber.org/streams'>"
                )
                name = stream.recv(4096).replace(b'"', b"'").split(b" id='")[1].split(b"'")[0].decode()
                stream.sendall(
                    f"<handshake>{hashlib.sha1(f'{name}{secret}'.encode()).hexdigest()}</handshake>".encode()
                )
                assert answer in stream.recv(4096)


@pytest.mark.parametrize("kind", ["prosody", "ejabberd"])
def test_server_comes_back_with_its_users(tmp_path: Path, kind: str) -> None:
    with Lab(tmp_path) as lab:
        server = getattr(lab, kind)("corp.example", users={"alice": "pw"})
        (alice,) = lab.online("alice@corp.example")
        server.restart()
        alice.wait_for_event("disconnected")
        alice.connect()
        assert alice.iq("", "<ping xmlns='urn:xmpp:ping'/>")["type"] == "result"


def test_gateway_is_waited_for_and_started_again(tmp_path: Path) -> None:
    stub = tmp_path / "stub.py"
    stub.write_text(_STUB)
    with Lab(tmp_path) as lab:
        gateway = lab.gateway("first", ready="http://127.0.0.1:8080/readyz", program=(sys.executable, str(stub)))
        assert lab.http("http://127.0.0.1:8080/readyz") == (200, "ready")
        gateway.restart("second")
        assert gateway.stop() == -15
        assert [line.split()[-1] for line in gateway.log.splitlines() if "'run', '--config'" in line] == [
            "first",
            "second",
        ]
        assert not gateway.ready()


def test_gateway_that_does_not_start_says_why(tmp_path: Path) -> None:
    with Lab(tmp_path) as lab, pytest.raises(LabError, match="no such setting"):
        lab.gateway(
            "", ready=tmp_path / "control", program=(sys.executable, "-c", "raise SystemExit('no such setting')")
        )
