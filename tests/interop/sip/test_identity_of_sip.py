"""Who may say what on a connection from outside, and what becomes of everything else that a peer can send."""

import ssl
import time
from collections.abc import Iterator

import pytest
from attrs import frozen

from ..lab import Lab
from ..pki import Flavour, Pki
from ..scene import METRICS
from .crossing import OUTSIDE, House, XmppPerson, build
from .raw import RawPeer, dial, edge, refusal
from .ua import user_agent
from .wire import fresh

pytestmark = pytest.mark.interop

ALICE, BOB, EVE = "sip:alice@corp.example", "sip:bob@partner.example", "sip:eve@partner.example"


@frozen
class Scene:
    """alice inside; the test itself speaks as partner.example."""

    house: House
    alice: XmppPerson


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Prosody inside, Kamailio outside, and a second SIP partner whose server never answers."""
    with Lab(tmp_path_factory.mktemp("identity")) as lab:
        house = build(lab, "prosody", {"partner.example": "kamailio", "ally.example": "kamailio"})
        alice = house.person("alice@corp.example")
        assert isinstance(alice, XmppPerson)
        yield Scene(house, alice)


def _peer(scene: Scene, domain: str = "partner.example") -> RawPeer:
    return dial(scene.house.lab, OUTSIDE, leaf=scene.house.lab.pki.leaf(domain, "sip"))


def test_certificate_limits_the_sender(scene: Scene) -> None:
    with _peer(scene) as peer:
        own = peer.request("MESSAGE", ALICE, EVE, body="as myself")
        assert peer.exchange(own).status == 202
        for sender in ("sip:eve@ally.example", ALICE, "sip:eve@unknown.example", "sip:eve@sub.partner.example"):
            other = peer.request("MESSAGE", ALICE, sender, body="as somebody else")
            assert peer.exchange(other).status == 403, sender
        asserted = [("P-Asserted-Identity", f"<{BOB}>")]
        assert peer.exchange(peer.request("MESSAGE", ALICE, EVE, headers=asserted, body="asserted")).status == 202
    assert scene.alice.hears("as myself")["from"] == scene.alice.hears("asserted")["from"] == "eve@partner.example"
    assert not scene.alice.client.stanzas("message[body='as somebody else']")


def test_strangers_certificates_are_refused(scene: Scene) -> None:
    lab = scene.house.lab
    foreign = Pki(lab.folder / "foreign", "Foreign CA")
    assert refusal(lab, OUTSIDE)
    assert refusal(lab, OUTSIDE, leaf=foreign.leaf("partner.example", "sip"))
    assert refusal(lab, OUTSIDE, leaf=lab.pki.leaf("unknown.example", "sip"))
    assert refusal(lab, OUTSIDE, leaf=lab.pki.leaf("partner.example", Flavour.EXPIRED))
    assert refusal(lab, OUTSIDE, leaf=lab.pki.leaf("partner.example", Flavour.SELF_SIGNED))


def test_same_bytes_are_delivered_once(scene: Scene) -> None:
    with _peer(scene) as peer:
        twice = peer.request("MESSAGE", ALICE, EVE, body="replayed")
        assert [peer.exchange(twice).status for _ in range(3)] == [202, 202, 202]
    scene.alice.hears("replayed")
    time.sleep(0.3)
    assert len(scene.alice.client.stanzas("message[body='replayed']")) == 1


def test_recorded_request_is_worth_nothing_on_another_connection(scene: Scene) -> None:
    with _peer(scene) as peer:
        recorded = peer.request("MESSAGE", ALICE, EVE, body="recorded")
        assert peer.exchange(recorded).status == 202
    with _peer(scene) as again:
        assert again.exchange(recorded).status == 202
    with _peer(scene, "ally.example") as other:
        assert other.exchange(recorded).status == 403
    scene.alice.hears("recorded")
    time.sleep(0.3)
    assert len(scene.alice.client.stanzas("message[body='recorded']")) == 1


def test_recorded_request_of_a_dialog_is_out_of_order(scene: Scene) -> None:
    with _peer(scene) as peer:
        opened = peer.request("SUBSCRIBE", ALICE, EVE, headers=[("Event", "presence"), ("Expires", "600")])
        granted = peer.exchange(opened)
        assert granted.status == 200

        def again(number: int, expires: int = 600) -> bytes:
            bent = opened.replace(f"To: <{ALICE}>".encode(), f"To: {granted['to']}".encode())
            bent = bent.replace(b"CSeq: 1 ", f"CSeq: {number} ".encode()).replace(b"600", str(expires).encode())
            return bent.replace(b"branch=z9hG4bK", b"branch=z9hG4bK" + fresh().encode())

        assert peer.exchange(again(2)).status == 200
        assert peer.exchange(again(1)).status == 500
        with _peer(scene) as other:
            # a copy that came another way is answered as the first was, and does nothing: the subscription lives on
            assert other.exchange(again(2, 0)).status == 200
            assert other.exchange(again(1, 0)).status == 500
        with _peer(scene, "ally.example") as stranger:
            assert stranger.exchange(again(3, 0)).status == 403
        assert peer.exchange(again(4)).status == 200
        assert peer.exchange(again(5, 0)).status == 200
        assert peer.exchange(again(6)).status == 481


def test_what_is_not_for_us_is_refused(scene: Scene) -> None:
    with _peer(scene) as peer:

        def status(method: str, uri: str, *, old: str = "", new: str = "") -> int:
            asked = peer.request(method, uri, EVE, body="never delivered" if method == "MESSAGE" else "")
            return peer.exchange(asked.replace(old.encode(), new.encode()) if old else asked).status

        assert status("MESSAGE", "sip:alice@other.example") == 403
        assert status("MESSAGE", "sip:corp.example") == 404
        assert status("MESSAGE", "sips:alice@corp.example") == 416
        assert status("MESSAGE", ALICE, old="Max-Forwards: 70", new="Max-Forwards: 0") == 483
        assert status("MESSAGE", ALICE, old="Max-Forwards: 70", new="Max-Forwards: 70\r\nRequire: magic") == 420
        assert status("FROBNICATE", ALICE) == 501
        assert status("REGISTER", "sip:corp.example") == 405
        assert status("OPTIONS", "sip:corp.example") == 200
        assert status("SUBSCRIBE", ALICE, old="Max-Forwards: 70", new="Max-Forwards: 70\r\nEvent: dialog") == 489
    assert not scene.alice.client.stanzas("message[body='never delivered']")


def test_requests_of_dialogs_that_do_not_exist(scene: Scene) -> None:
    with _peer(scene) as peer:
        for method in ("MESSAGE", "BYE", "INFO", "NOTIFY", "SUBSCRIBE"):
            headers = [("Event", "presence")] if method in ("NOTIFY", "SUBSCRIBE") else []
            headers += [("Subscription-State", "active")] if method == "NOTIFY" else []
            asked = peer.request(method, ALICE, EVE, headers=headers)
            asked = asked.replace(f"To: <{ALICE}>".encode(), f"To: <{ALICE}>;tag={fresh()}".encode())
            assert peer.exchange(asked).status == 481, method


def test_malformed_input_is_answered_or_cut(scene: Scene) -> None:
    with _peer(scene) as peer:
        good = peer.request("MESSAGE", ALICE, EVE, body="malformed")
        for old, new in (
            (b"CSeq: 1 MESSAGE", b"CSeq: 1 INVITE"),
            (b"CSeq: 1 MESSAGE", b"CSeq: many MESSAGE"),
            (b"Max-Forwards: 70", b"Max-Forwards: 70\r\nMax-Forwards: 71"),
            (b"From: <sip:eve", b"From: <sip:eve>, <sip:eve"),
        ):
            bent = good.replace(old, new).replace(b"branch=z9hG4bK", b"branch=z9hG4bK" + fresh().encode())
            peer.send(bent)
            assert 400 <= peer.receive().status < 500, (old, new)
    for garbage in (
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00" * 400 + b"\r\n\r\n",
        b"MESSAGE " * 20_000,
        good.replace(b"Content-Length", b"X-Length"),
    ):
        with _peer(scene) as peer:
            peer.send(garbage)
            try:
                assert peer.receive(3.0).status >= 400
            except (ConnectionError, ssl.SSLError):
                continue
            except AssertionError:
                pytest.fail(f"neither answered nor cut: {garbage[:40]!r}")
    assert not scene.alice.client.stanzas("message[body='malformed']")
    with _peer(scene) as peer:
        assert peer.exchange(peer.request("MESSAGE", ALICE, EVE, body="still there")).status == 202
    scene.alice.hears("still there")


def test_flood_is_bounded(scene: Scene) -> None:
    with _peer(scene, "ally.example") as peer:
        sender = "sip:mallory@ally.example"
        many = [peer.request("MESSAGE", ALICE, sender, body=f"flood {number}") for number in range(2600)]
        peer.send(b"".join(many))
        statuses = [peer.receive(10.0).status for _ in many]
    assert 202 in statuses and set(statuses) - {202} and set(statuses) <= {202, 480, 500, 503}
    assert "ally.example" in scene.house.lab.http(METRICS)[1]
    with _peer(scene) as other:
        assert other.exchange(other.request("MESSAGE", ALICE, EVE, body="not the flooder")).status == 202
    scene.alice.hears("not the flooder")


def test_errors_reach_who_wrote(scene: Scene) -> None:
    client, lab = scene.alice.client, scene.house.lab
    bob = user_agent(lab, "bob@partner.example", transport="tcp")
    assert bob.register().status == 200

    def error_of(name: str, seconds: float = 8.0) -> str:
        return client.wait_for(f"message[@id='{name}'][@type='error']/error", seconds).xml

    assert "item-not-found" in error_of(client.message("nobody@partner.example", "anybody?"))
    assert "recipient-unavailable" in error_of(client.message("bill@partner.example", "away?"))
    assert "policy-violation" in error_of(client.message("bob@partner.example", "long " * 400))
    for status, condition in ((403, "forbidden"), (415, "not-acceptable"), (501, "feature-not-implemented")):
        bob.answer("MESSAGE", status, times=1)
        assert condition in error_of(client.message("bob@partner.example", f"please say {status}"))
    assert "remote-server" in error_of(client.message("bob@unknown.example", "no partner"))
    lab.servers["ally.example"].kill()
    assert "remote-server" in error_of(client.message("bob@ally.example", "is your server there?"), 20.0)
    assert bob.typing(ALICE).status == 202
    client.wait_for("message/{http://jabber.org/protocol/chatstates}composing")


def test_partner_with_another_certificate_is_not_talked_to(scene: Scene) -> None:
    client, lab = scene.alice.client, scene.house.lab
    lab.servers["partner.example"].kill()
    time.sleep(0.3)
    with edge(lab, "127.0.0.20", lab.pki.leaf("ally.example", "sip")) as impostor:
        name = client.message("bob@partner.example", "canary for bob alone")
        with impostor.accept() as peer, pytest.raises((OSError, AssertionError)):
            pytest.fail(f"told {peer.receive(3.0)}")
    client.wait_for(f"message[@id='{name}'][@type='error']", 20.0)
    assert "canary" not in scene.house.gateway.log
