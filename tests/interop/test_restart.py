"""Restarts, power cuts and reloads: what must survive them, and what must not be noticed."""

import os
import shutil
import signal
from collections.abc import Iterator

import pytest
from attrs import frozen

from .client import Client
from .gateway import Gateway
from .lab import Lab
from .scene import READY, befriend, configuration, give, inside_trust, of, partner, run, subscribe, tell, until

pytestmark = pytest.mark.interop

ALICE, BOB, CAROL = "alice@corp.example", "bob@partner.example", "carol@ally.example"


@frozen
class Scene:
    """The lab with everybody in it."""

    lab: Lab
    gateway: Gateway
    alice: Client
    bob: Client


def _config(lab: Lab, *sections: str) -> str:
    tls = {name: lab.folder / f"ours.{name}" for name in ("certificate", "key")}
    return configuration(lab, *(sections or (partner("partner.example"),)), tls=tls)


def _renew(lab: Lab) -> None:
    leaf = lab.pki.leaf("corp.example")
    shutil.copy(leaf.chain, lab.folder / "ours.certificate")
    shutil.copy(leaf.key, lab.folder / "ours.key")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """alice and bob, friends; carol's server runs, but is no partner yet."""
    with Lab(tmp_path_factory.mktemp("restart")) as lab:
        _renew(lab)
        gateway = lab.gateway(_config(lab), ready=READY)
        lab.prosody("corp.example", users={"alice": "pw"}, view="inside", trust=inside_trust(lab, gateway))
        lab.ejabberd("partner.example", users={"bob": "pw"}, view="public", dialback=False)
        lab.prosody("ally.example", users={"carol": "pw"}, view="public", dialback=False)
        lab.ready()
        alice, bob = lab.online(ALICE, BOB)
        befriend(alice, bob)
        give(gateway, ALICE, BOB, "company")
        yield Scene(lab, gateway, alice, bob)


@pytest.fixture(autouse=True)
def as_before(scene: Scene) -> Iterator[None]:
    """Each test begins with the first configuration, both present, and links up."""
    yield
    scene.gateway.config_path.write_text(_config(scene.lab))
    tell(scene.gateway, "reload")


def _converse(scene: Scene, timeout: float = 10.0) -> None:
    for sender, reader in ((scene.alice, scene.bob), (scene.bob, scene.alice)):
        name = sender.message(reader.bare, "do you read me?")
        reader.wait_for(f"message[@id='{name}']/body", timeout)


def test_clean_stop_says_good_bye_and_the_start_brings_everybody_back(scene: Scene) -> None:
    scene.alice.presence("away", "before the stop")
    scene.bob.wait_for("presence[status='before the stop']")
    marks = scene.alice.mark(), scene.bob.mark()
    assert scene.gateway.stop() == 0
    scene.bob.wait_for(of(ALICE, type="unavailable"), after=marks[1])
    scene.alice.wait_for(of(BOB, type="unavailable"), after=marks[0])
    marks = scene.alice.mark(), scene.bob.mark()
    scene.gateway.start()
    back = scene.bob.wait_for(of(ALICE), 10.0, after=marks[1])
    assert (back.text("show"), back.text("status")) == ("away", "before the stop")
    scene.alice.wait_for(of(BOB), 10.0, after=marks[0])
    _converse(scene)


def test_power_cut_loses_no_subscription_and_no_level(scene: Scene) -> None:
    give(scene.gateway, ALICE, BOB, "public")
    scene.alice.presence("xa", "not for bob")
    scene.bob.wait_for("presence[show='xa']")
    scene.gateway.kill()
    marks = scene.alice.mark(), scene.bob.mark()
    scene.gateway.start()
    back = scene.bob.wait_for(of(ALICE), 10.0, after=marks[1])
    assert (back.text("show"), back.text("status")) == ("xa", "")
    scene.alice.wait_for(of(BOB), 10.0, after=marks[0])
    assert run(scene.gateway, "levels", "show", ALICE, BOB)["level"] == "public"
    _converse(scene)
    mark = scene.bob.mark()
    give(scene.gateway, ALICE, BOB, "company")
    assert scene.bob.wait_for(of(ALICE), after=mark).text("status") == "not for bob"


def test_who_left_while_the_gateway_was_down_is_shown_as_gone(scene: Scene) -> None:
    scene.gateway.kill()
    mark = scene.bob.mark()
    scene.alice.disconnect()
    scene.gateway.start()
    scene.bob.wait_for(of(ALICE, type="unavailable"), 20.0, after=mark)
    mark = scene.bob.mark()
    scene.alice.connect()
    scene.bob.wait_for(of(ALICE), 10.0, after=mark)


def test_partner_server_comes_back(scene: Scene) -> None:
    server = scene.lab.servers["partner.example"]
    server.stop()
    scene.alice.presence("dnd", "while you were away")
    server.start()
    server.await_ready()
    marks = scene.alice.mark(), scene.bob.mark()
    scene.bob.connect()
    scene.bob.wait_for(lambda got: of(ALICE)(got) and got.text("status") == "while you were away", 15.0, after=marks[1])
    scene.alice.wait_for(of(BOB), 10.0, after=marks[0])
    _converse(scene)


def test_what_waits_for_a_partner_is_judged_again_when_it_leaves(scene: Scene) -> None:
    server = scene.lab.servers["partner.example"]
    server.stop()
    mark = scene.bob.mark()
    scene.alice.presence("away", "only while bob was trusted")
    give(scene.gateway, ALICE, BOB, "blocked")
    server.start()
    server.await_ready()
    scene.bob.connect()
    name = scene.bob.message(ALICE, "may I?")
    scene.bob.wait_for(f"message[@id='{name}'][@type='error']", 15.0, after=mark)
    scene.bob.never(lambda got: "trusted" in got.xml or of(ALICE)(got), 1.5, after=mark)
    give(scene.gateway, ALICE, BOB, "company")
    scene.bob.wait_for("presence[status='only while bob was trusted']", 5.0, after=mark)


def test_inside_server_comes_back(scene: Scene) -> None:
    server = scene.lab.servers["corp.example"]
    marks = scene.alice.mark(), scene.bob.mark()
    server.restart()
    scene.alice.wait_for_event("disconnected")
    scene.alice.connect()
    scene.alice.presence("chat", "after the restart")
    scene.bob.wait_for("presence[status='after the restart']", 15.0, after=marks[1])
    scene.alice.wait_for(of(BOB), 10.0, after=marks[0])
    _converse(scene)


def _is_refused(sender: Client, to: str) -> None:
    """Sends until an error comes: what is on the wire at the moment that a stream closes gets no answer."""
    sent: set[str] = set()

    def refused() -> bool:
        sent.add(sender.message(to, "still there?"))
        return bool(sender.stanzas(lambda got: got["type"] == "error" and got["id"] in sent))

    until(refused, f"{to} is out of reach", 12.0)


@pytest.mark.parametrize("way", ["command", "signal"])
def test_new_partner_and_removed_partner(scene: Scene, way: str) -> None:
    gateway = scene.gateway

    def reload(*sections: str) -> None:
        gateway.config_path.write_text(_config(scene.lab, *sections))
        told = gateway.log.count('"event":"reloaded"')
        if way == "command":
            assert tell(gateway, "reload")["changes"]
        else:
            os.kill(_pid(gateway), signal.SIGHUP)
            until(lambda: gateway.log.count('"event":"reloaded"') > told, "reloaded")

    (carol,) = scene.lab.online(CAROL)
    mark = scene.alice.mark()
    reload(partner("partner.example"), partner("ally.example"))
    name = scene.alice.message(CAROL, "hello, new partner")
    carol.wait_for(f"message[@id='{name}']/body", 8.0)
    if way == "command":
        subscribe(carol, scene.alice)
        carol.wait_for(of(ALICE))
    else:
        name = carol.message(ALICE, "hello, both ways")
        scene.alice.wait_for(f"message[@id='{name}']/body", 8.0, after=mark)
    reload(partner("partner.example"))
    _is_refused(carol, ALICE)
    _is_refused(scene.alice, CAROL)
    if way == "command":
        carol.wait_for(of(ALICE, type="unavailable"), 3.0)
    _converse(scene)
    carol.disconnect()


def _pid(gateway: Gateway) -> int:
    popen = gateway.process._popen
    assert popen is not None
    return popen.pid


def _happened(scene: Scene, event: str) -> list[str]:
    return [line for line in scene.gateway.log.splitlines() if event in line and '"partner.example"' in line]


def test_new_certificate_without_dropping_a_stream(scene: Scene) -> None:
    _converse(scene)
    before = [_happened(scene, event) for event in ("link up", "link down")]
    scene.lab.pki.renew("corp.example")
    _renew(scene.lab)
    tell(scene.gateway, "reload")
    _converse(scene)
    assert [_happened(scene, event) for event in ("link up", "link down")] == before
    options = "-starttls xmpp-server -xmpphost corp.example -connect 127.0.0.101:5269"
    shown = scene.lab.run("openssl", "s_client", *options.split()).stdout
    ours = (scene.lab.folder / "ours.certificate").read_text().partition("-----END")[0]
    assert ours in shown


@pytest.mark.parametrize("fault", ["syntax", "unknown", "certificate"])
def test_broken_configuration_changes_nothing(scene: Scene, fault: str) -> None:
    gateway = scene.gateway
    good = gateway.config_path.read_text()
    broken = {
        "syntax": good + "\n[[partner",
        "unknown": good.replace("[defaults]\nlevel", "[defaults]\nlevle"),
        "certificate": good.replace("ours.certificate", "nowhere.crt").replace("partner.example", "other.example"),
    }[fault]
    assert broken != good
    gateway.config_path.write_text(broken)
    done = gateway.command("--socket", "state/control.sock", "reload")
    gateway.config_path.write_text(good)
    assert done.returncode == 2 and done.stderr
    assert [row["partner"] for row in run(gateway, "partners", "list")] == ["partner.example"]
    _converse(scene)
