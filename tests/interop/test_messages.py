"""Messages both ways: what crosses, what does not, and that nobody is left without an answer."""

from collections.abc import Iterator

import pytest
from attrs import frozen

from .client import Client
from .gateway import Gateway
from .lab import Lab
from .scene import READY, befriend, configuration, give, inside_trust, partner, table, tell
from .stanza import Stanza

pytestmark = pytest.mark.interop

ALICE, BOB, CAROL = "alice@corp.example", "bob@partner.example", "carol@ally.example"
STATES = "http://jabber.org/protocol/chatstates"
RECEIPTS = "urn:xmpp:receipts"
CORRECTION = "urn:xmpp:message-correct:0"
OMEMO = "eu.siacs.conversations.axolotl"
ENCRYPTED = f"<encrypted xmlns='{OMEMO}'><header sid='1'><key rid='2'>QUJD</key><iv>QUJD</iv></header></encrypted>"


@frozen
class Scene:
    """The lab with everybody in it."""

    lab: Lab
    gateway: Gateway
    alice: Client
    bob: Client
    carol: Client


def _config(lab: Lab, **profile: object) -> str:
    profile.setdefault("modalities", ["presence", "im", "typing", "receipts", "corrections", "queries"])
    ally = partner("ally.example", modalities=["presence", "im", "queries", "encrypted"])
    gone = partner("gone.example", route="127.0.0.99:5269")
    limits = {"queue_seconds": 1.0, "connect_seconds": 2.0}
    spool = table("spool", seconds=1.0)
    return configuration(lab, partner("partner.example", **profile), ally, gone, spool, limits=limits)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """alice, bob with the usual profile, carol with a narrow one that lets encrypted payloads pass."""
    with Lab(tmp_path_factory.mktemp("messages")) as lab:
        gateway = lab.gateway(_config(lab), ready=READY)
        lab.prosody("corp.example", users={"alice": "pw"}, view="inside", trust=inside_trust(lab, gateway))
        lab.ejabberd("partner.example", users={"bob": "pw"}, view="public", dialback=False)
        lab.prosody("ally.example", users={"carol": "pw"}, view="public", dialback=False)
        lab.ready()
        alice, bob, carol = lab.online(ALICE, BOB, CAROL)
        befriend(alice, bob)
        befriend(alice, carol)
        yield Scene(lab, gateway, alice, bob, carol)


def _condition(got: Stanza) -> str:
    error = got.find("error")
    assert error is not None
    return error[0].tag.rpartition("}")[2]


def _refused(sender: Client, to: str, *parts: str, timeout: float = 8.0, **kind: str) -> str:
    name = sender.message(to, *(parts or ("hello",)), **kind)
    return _condition(sender.wait_for(f"message[@id='{name}'][@type='error']", timeout))


@pytest.fixture(params=["out", "in"])
def ends(scene: Scene, request: pytest.FixtureRequest) -> tuple[Client, Client]:
    """Who writes and who reads."""
    return (scene.alice, scene.bob) if request.param == "out" else (scene.bob, scene.alice)


@pytest.mark.parametrize("kind", ["chat", "normal"])
def test_text_subject_and_thread_cross(ends: tuple[Client, Client], kind: str) -> None:
    sender, reader = ends
    extra = "<subject>plan &amp; place</subject><thread>t-1</thread>"
    name = sender.message(reader.bare, "tea <at> 5 & süß 🫖", extra, type=kind)
    got = reader.wait_for(f"message[@id='{name}']")
    assert got.text("body") == "tea <at> 5 & süß 🫖"
    assert (got.text("subject"), got.text("thread")) == ("plan & place", "t-1")
    assert got["type"] in ((kind, "") if kind == "normal" else (kind,))
    assert got["from"].partition("/")[0] == sender.bare


def test_chat_states_receipts_corrections_and_delay_cross(ends: tuple[Client, Client]) -> None:
    sender, reader = ends
    sender.message(reader.bare, "", f"<composing xmlns='{STATES}'/>")
    reader.wait_for(f"message/{{{STATES}}}composing")
    first = sender.message(reader.bare, "frist", f"<request xmlns='{RECEIPTS}'/><active xmlns='{STATES}'/>")
    got = reader.wait_for(f"message[@id='{first}']/{{{RECEIPTS}}}request")
    reader.message(got["from"], "", f"<received xmlns='{RECEIPTS}' id='{first}'/>")
    sender.wait_for(f"message/{{{RECEIPTS}}}received[@id='{first}']")
    second = sender.message(reader.bare, "first", f"<replace xmlns='{CORRECTION}' id='{first}'/>")
    reader.wait_for(f"message[@id='{second}']/{{{CORRECTION}}}replace[@id='{first}']")
    stamp = "2024-05-06T07:08:09Z"
    late = sender.message(reader.bare, "late", f"<delay xmlns='urn:xmpp:delay' stamp='{stamp}' from='{sender.bare}'/>")
    assert reader.wait_for(f"message[@id='{late}']").find(f"{{urn:xmpp:delay}}delay[@stamp='{stamp}']") is not None


def test_what_the_model_does_not_know_does_not_cross(ends: tuple[Client, Client]) -> None:
    sender, reader = ends
    extra = (
        "<x xmlns='urn:canary:one'>canary-1</x><html xmlns='http://jabber.org/protocol/xhtml-im'><b>canary-2</b></html>"
    )
    name = sender.message(reader.bare, "plain", extra)
    got = reader.wait_for(f"message[@id='{name}']")
    assert "canary" not in got.xml and got.text("body") == "plain"
    mark = reader.mark()
    sender.message(reader.bare, "", extra)
    after = sender.message(reader.bare, "after")
    reader.wait_for(f"message[@id='{after}']", after=mark)
    assert not [seen.xml for seen in reader.stanzas("message", after=mark) if seen["id"] != after]


def test_answer_goes_to_the_resource_that_wrote(scene: Scene) -> None:
    other = scene.lab.client(f"{ALICE}/elsewhere")
    other.connect()
    name = other.message(BOB, "from elsewhere")
    token = scene.bob.wait_for(f"message[@id='{name}']")["from"]
    answer = scene.bob.message(token, "to elsewhere")
    assert other.wait_for(f"message[@id='{answer}']")["to"] == f"{ALICE}/elsewhere"
    other.disconnect()
    scene.alice.message(BOB, "back here")


def test_narrow_profile_takes_the_rest_away(scene: Scene) -> None:
    alice, carol = scene.alice, scene.carol
    extra = f"<request xmlns='{RECEIPTS}'/><active xmlns='{STATES}'/><replace xmlns='{CORRECTION}' id='x'/>"
    for sender, reader in ((alice, carol), (carol, alice)):
        name = sender.message(reader.bare, "bare text", extra)
        got = reader.wait_for(f"message[@id='{name}']")
        assert got.text("body") == "bare text"
        assert not [word for word in (RECEIPTS, STATES, CORRECTION) if word in got.xml]


def test_encrypted_payload_passes_only_where_the_profile_says_so(scene: Scene) -> None:
    alice = scene.alice
    for sender, reader in ((alice, scene.carol), (scene.carol, alice)):
        name = sender.message(reader.bare, "I sent you an encrypted message", ENCRYPTED)
        got = reader.wait_for(f"message[@id='{name}']")
        assert got.text("body") == "I sent you an encrypted message"
        assert got.find(f"{{{OMEMO}}}encrypted/{{{OMEMO}}}header/{{{OMEMO}}}key") is not None
    assert _refused(alice, BOB, "fallback", ENCRYPTED) == "policy-violation"
    assert _refused(scene.bob, ALICE, "fallback", ENCRYPTED) == "service-unavailable"


def test_profile_without_messages(scene: Scene) -> None:
    try:
        scene.gateway.config_path.write_text(_config(scene.lab, modalities=["presence"]))
        tell(scene.gateway, "reload")
        assert _refused(scene.alice, BOB) == "policy-violation"
        assert _refused(scene.bob, ALICE) == "service-unavailable"
    finally:
        scene.gateway.config_path.write_text(_config(scene.lab))
        tell(scene.gateway, "reload")
    name = scene.alice.message(BOB, "again")
    scene.bob.wait_for(f"message[@id='{name}']/body")


def test_blocked_contact_and_unknown_person_are_refused_alike(scene: Scene) -> None:
    unknown = _refused(scene.bob, "nobody@corp.example")
    give(scene.gateway, ALICE, BOB, "blocked")
    mark = scene.alice.mark()
    assert _refused(scene.bob, ALICE) == unknown == "service-unavailable"
    assert not scene.alice.stanzas("message", after=mark)
    assert _refused(scene.alice, BOB) == "not-acceptable"
    tell(scene.gateway, "levels", "unset", owner=ALICE, contact=BOB)


def test_unknown_contact_unknown_partner_and_silent_partner(scene: Scene) -> None:
    assert _refused(scene.alice, "nobody@partner.example") == "service-unavailable"
    assert _refused(scene.alice, "eve@stranger.example") in ("remote-server-not-found", "remote-server-timeout")
    assert _refused(scene.alice, "who@gone.example") == "remote-server-timeout"


def test_groupchat_is_refused(ends: tuple[Client, Client]) -> None:
    sender, reader = ends
    mark = reader.mark()
    assert _refused(sender, reader.bare, type="groupchat") == "service-unavailable"
    assert not reader.stanzas("message", after=mark)


def test_order_is_kept(ends: tuple[Client, Client]) -> None:
    sender, reader = ends
    mark = reader.mark()
    names = [sender.message(reader.bare, f"number {place}") for place in range(200)]
    reader.wait_for(f"message[@id='{names[-1]}']", 20.0, after=mark)
    assert [got["id"] for got in reader.stanzas("message/body", after=mark)] == names


def test_text_is_in_no_log(scene: Scene) -> None:
    secret = "canary text of a message"
    name = scene.alice.message(BOB, secret)
    scene.bob.wait_for(f"message[@id='{name}']")
    assert secret not in scene.gateway.log and "number 7" not in scene.gateway.log


def test_stopped_partner_is_answered_for_and_comes_back(scene: Scene) -> None:
    """Runs last: it takes a server away."""
    ally = scene.lab.servers["ally.example"]
    ally.stop()
    assert _refused(scene.alice, CAROL) == "remote-server-timeout"
    ally.start()
    ally.await_ready()
    scene.carol.connect()
    name = scene.carol.message(ALICE, "I am back")
    scene.alice.wait_for(f"message[@id='{name}']/body", 10.0)
    name = scene.alice.message(CAROL, "welcome back")
    scene.carol.wait_for(f"message[@id='{name}']/body", 10.0)
