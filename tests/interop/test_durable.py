"""Messages that were taken over, and kill -9 of the gateway, of a peer, or of both in the middle of traffic."""

import time
from collections.abc import Iterator

import pytest
from attrs import frozen

from plugins.legs.xmpp.confirming import WINDOW

from .client import Client
from .gateway import Gateway
from .lab import Lab
from .scene import METRICS, READY, befriend, configuration, inside_trust, partner, table, until

pytestmark = pytest.mark.interop

ALICE, BOB, CAROL = "alice@corp.example", "bob@partner.example", "carol@ally.example"

DELIVERED = 'gateway_spooled_total{outcome="delivered"}'


@frozen
class Scene:
    """alice inside on Prosody; bob on ejabberd, which does not count stanzas, and carol on Prosody, which does."""

    lab: Lab
    gateway: Gateway
    alice: Client
    bob: Client
    carol: Client


def _config(lab: Lab, seconds: float = 600.0) -> str:
    sections = [partner("partner.example"), partner("ally.example"), table("spool", seconds=seconds)]
    return configuration(lab, *sections, limits={"queue_seconds": 60.0, "connect_seconds": 2.0})


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with Lab(tmp_path_factory.mktemp("durable")) as lab:
        gateway = lab.gateway(_config(lab), ready=READY)
        lab.prosody("corp.example", users={"alice": "pw"}, view="inside", trust=inside_trust(lab, gateway))
        lab.ejabberd("partner.example", users={"bob": "pw"}, view="public", dialback=False)
        lab.prosody("ally.example", users={"carol": "pw"}, view="public", dialback=False)
        lab.ready()
        alice, bob, carol = lab.online(ALICE, BOB, CAROL)
        befriend(alice, bob)
        befriend(alice, carol)
        yield Scene(lab, gateway, alice, bob, carol)


def _number(scene: Scene, metric: str) -> float:
    _, page = scene.lab.http(METRICS)
    return sum(float(line.rpartition(" ")[2]) for line in page.splitlines() if line.startswith(metric))


def _texts(client: Client, mark: int) -> list[str]:
    return [got.text("body") for got in client.stanzas("message/body", after=mark)]


def _exchange_one(scene: Scene, reader: Client) -> None:
    """Has one message arrive, so that alice's server has a stream on which it counts.

    Between `<success/>` and the features of a new stream Prosody 0.12 sends what comes then ahead of what it had
    queued before, and it forgets what it has sent there before `<enabled/>` when the stream breaks.
    """
    mark = reader.mark()
    scene.alice.message(reader.bare, f"first to {reader.bare}")
    reader.wait_for(lambda got: got.text("body") == f"first to {reader.bare}", 20.0, after=mark)


def _all_done(scene: Scene) -> None:
    until(lambda: _number(scene, "gateway_spool_messages") == 0, "the spool is empty", 20.0)


@pytest.mark.parametrize("peer", ["ejabberd", "prosody"])
def test_what_arrives_is_confirmed_and_leaves_the_disk(scene: Scene, peer: str) -> None:
    reader = scene.bob if peer == "ejabberd" else scene.carol
    before = _number(scene, DELIVERED)
    mark = reader.mark()
    for number in range(50):
        scene.alice.message(reader.bare, f"{peer} {number}")
    reader.wait_for(lambda got: got.text("body") == f"{peer} 49", 20.0, after=mark)
    until(lambda: _number(scene, DELIVERED) - before >= 50, "all are confirmed", 5.0)
    assert _texts(reader, mark) == [f"{peer} {number}" for number in range(50)]
    assert _number(scene, 'gateway_spooled_total{outcome="unconfirmed"}') == 0


@pytest.mark.parametrize("peer", ["ejabberd", "prosody"])
def test_a_partner_that_is_killed_in_the_middle_gets_everything(scene: Scene, peer: str) -> None:
    """What his own server has confirmed and loses with its life is its own affair: it is dead before this begins."""
    reader = scene.bob if peer == "ejabberd" else scene.carol
    server = scene.lab.servers[reader.bare.partition("@")[2]]
    before = _number(scene, DELIVERED)
    time.sleep(5.0)  # ejabberd has made its accounts, and writes them to the disk some seconds later
    server.kill()
    reader.wait_for_event("disconnected")
    asked, mark = scene.alice.mark(), reader.mark()
    sent = [f"while {peer} was dead {number}" for number in range(100)]
    for text in sent:
        scene.alice.message(reader.bare, text)
    until(lambda: _number(scene, "gateway_spool_messages") >= 100, "all are on the disk", 10.0)
    time.sleep(3.0)
    server.start()
    server.await_ready()
    # who comes while his server keeps something for him may miss it until the next time: that is between the two
    until(lambda: _number(scene, DELIVERED) - before >= len(sent), "all are confirmed", 30.0)
    reader.connect()
    reader.wait_for(lambda got: got.text("body") == sent[-1], 30.0, after=mark)
    got = _texts(reader, mark)
    assert not scene.alice.stanzas("message[@type='error']", after=asked)
    assert list(dict.fromkeys(got)) == sent and len(got) - len(sent) <= WINDOW
    assert reader.stanzas(f"message[body='{sent[0]}']/{{urn:xmpp:delay}}delay", after=mark), "since when it waited"


@pytest.mark.parametrize("peer", ["ejabberd", "prosody"])
def test_a_gateway_that_is_killed_in_the_middle_loses_nothing_that_it_accepted(scene: Scene, peer: str) -> None:
    """alice's server counts (XEP-0198): what it got no answer for, it gives back to her as an error."""
    reader = scene.bob if peer == "ejabberd" else scene.carol
    _exchange_one(scene, reader)
    marks = scene.alice.mark(), reader.mark()
    sent = {scene.alice.message(reader.bare, f"to {peer} {number}"): f"to {peer} {number}" for number in range(300)}
    time.sleep(0.2)
    scene.gateway.kill()
    scene.gateway.start()
    names = list(sent)

    def ended() -> bool:
        bounced = {got["id"] for got in scene.alice.stanzas("message[@type='error']", after=marks[0])}
        got = set(_texts(reader, marks[1]))
        return all(name in bounced or sent[name] in got for name in names)

    until(ended, "each is read or came back", 40.0)
    _all_done(scene)
    got = [text for text in _texts(reader, marks[1]) if text in sent.values()]
    assert len(got) - len(set(got)) <= WINDOW
    first = list(dict.fromkeys(got))
    assert first == sorted(first, key=lambda text: int(text.rpartition(" ")[2]))


def test_messages_on_disk_outlive_gateway_and_partner_and_the_sender_is_told_when_they_are_too_old(
    scene: Scene,
) -> None:
    server = scene.lab.servers["ally.example"]
    server.kill()
    marks = scene.alice.mark(), scene.carol.mark()
    kept = scene.alice.message(CAROL, "after both were dead")
    until(lambda: _number(scene, "gateway_spool_messages") >= 1, "it is on the disk", 10.0)
    scene.gateway.kill()
    time.sleep(3.0)
    scene.gateway.start()
    server.start()
    server.await_ready()
    scene.carol.connect()
    scene.carol.wait_for(f"message[@id='{kept}']/{{urn:xmpp:delay}}delay", 30.0, after=marks[1])
    _all_done(scene)
    server.kill()
    late = scene.alice.message(CAROL, "too late")
    until(lambda: _number(scene, "gateway_spool_messages") >= 1, "it is on the disk", 10.0)
    scene.gateway.kill()
    scene.gateway.config_path.write_text(_config(scene.lab, 1.0))
    time.sleep(1.1)
    scene.gateway.start()
    error = scene.alice.wait_for(f"message[@id='{late}'][@type='error']", 20.0, after=marks[0])
    assert error.find("error/{urn:ietf:params:xml:ns:xmpp-stanzas}remote-server-timeout") is not None
    server.start()
    server.await_ready()
    scene.carol.connect()
    scene.carol.never(f"message[@id='{late}']", 2.0, after=marks[1])


def test_nobody_but_the_daemon_may_read_what_is_kept(scene: Scene) -> None:
    state = scene.gateway.folder / "state"
    for path in state.glob("spool.db*"):
        assert path.stat().st_mode & 0o077 == 0, path
