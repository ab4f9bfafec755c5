"""ejabberd inside, which finds the gateway by DNS under every foreign name; Prosody outside."""

from collections.abc import Iterator

import pytest
from attrs import frozen

from .client import Client
from .gateway import Gateway
from .lab import Lab
from .scene import (
    ACTIVITY,
    READY,
    befriend,
    configuration,
    give,
    inside_server,
    inside_trust,
    of,
    partner,
    publication,
    tell,
)

pytestmark = pytest.mark.interop

ALICE, BOB = "alice@corpej.example", "bob@partner.example"


@frozen
class Scene:
    """The lab with everybody in it."""

    lab: Lab
    gateway: Gateway
    alice: Client
    bob: Client


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """alice on ejabberd, with a card; bob on Prosody; both see each other."""
    with Lab(tmp_path_factory.mktemp("other")) as lab:
        inside = inside_server(lab, connect="127.0.0.11:5269")
        config = configuration(lab, partner("partner.example"), domain="corpej.example", inside=inside)
        gateway = lab.gateway(config, ready=READY)
        trust = inside_trust(lab, gateway)
        lab.ejabberd("corpej.example", users={"alice": "pw"}, view="inside", trust=trust, dialback=False)
        lab.prosody("partner.example", users={"bob": "pw"}, view="public", dialback=False)
        lab.ready()
        alice, bob = lab.online(ALICE, BOB)
        card = (
            "<vCard xmlns='vcard-temp'><FN>Alice</FN><TITLE>canary-title</TITLE>"
            "<ORG><ORGNAME>Corp</ORGNAME><ORGUNIT>canary-department</ORGUNIT></ORG>"
            "<TEL><CELL/><NUMBER>+1-202-555-0102</NUMBER></TEL><BDAY>canary-birthday</BDAY></vCard>"
        )
        assert alice.iq("", card, type="set")["type"] == "result"
        befriend(alice, bob)
        # ejabberd looks at the capabilities of a contact only in presence that comes after the subscription is stored
        bob.presence("chat")
        alice.wait_for("presence[show='chat']")
        yield Scene(lab, gateway, alice, bob)


def _activity(text: str) -> str:
    return publication(ACTIVITY, f"<activity xmlns='{ACTIVITY}'><working/><text>{text}</text></activity>")


@pytest.mark.parametrize(
    ("level", "seen"),
    [
        ("blocked", set()),
        ("public", {"title"}),
        ("company", {"title", "note", "activity", "department"}),
        ("team", {"title", "note", "activity", "department", "0102"}),
        ("personal", {"title", "note", "activity", "department", "0102"}),
    ],
)
def test_contact_sees_what_his_level_allows(scene: Scene, level: str, seen: set[str]) -> None:
    alice, bob = scene.alice, scene.bob
    give(scene.gateway, ALICE, BOB, "blocked")
    alice.presence("away", "canary-note")
    assert alice.iq("", _activity("canary-activity"), type="set")["type"] == "result"
    bob.iq(ALICE, "<vCard xmlns='vcard-temp'/>")
    mark = bob.mark()
    give(scene.gateway, ALICE, BOB, level)
    bob.iq(ALICE, "<vCard xmlns='vcard-temp'/>")
    text = "".join(got.xml for got in bob.stanzas(after=mark))
    words = {
        word: word if word == "0102" else f"canary-{word}"
        for word in ("title", "note", "activity", "department", "0102")
    }
    assert {word for word, canary in words.items() if canary in text} == seen
    assert "canary-birthday" not in text
    assert bool(bob.stanzas(of(ALICE), after=mark)) is (level != "blocked")


def test_blocking_takes_it_back(scene: Scene) -> None:
    give(scene.gateway, ALICE, BOB, "team")
    mark = scene.bob.mark()
    give(scene.gateway, ALICE, BOB, "blocked")
    scene.bob.wait_for(of(ALICE, type="unavailable"), 2.0, after=mark)
    tell(scene.gateway, "levels", "unset", owner=ALICE, contact=BOB)
    scene.bob.wait_for(of(ALICE), 2.0, after=mark)


def test_messages_cross(scene: Scene) -> None:
    for sender, reader in ((scene.alice, scene.bob), (scene.bob, scene.alice)):
        name = sender.message(reader.bare, "hello")
        reader.wait_for(f"message[@id='{name}']/body")


def test_unknown_partner_is_refused(scene: Scene) -> None:
    name = scene.alice.message("eve@stranger.example", "hello")
    scene.alice.wait_for(f"message[@id='{name}'][@type='error']", 10.0)


def test_restart_is_not_noticed_by_people(scene: Scene) -> None:
    give(scene.gateway, ALICE, BOB, "company")
    scene.alice.presence("dnd", "through the restart")
    scene.bob.wait_for("presence[status='through the restart']")
    marks = scene.alice.mark(), scene.bob.mark()
    scene.gateway.restart()
    scene.bob.wait_for("presence[status='through the restart']", 10.0, after=marks[1])
    scene.alice.wait_for(of(BOB), 10.0, after=marks[0])


def test_links_inside_are_proven_with_certificates(scene: Scene) -> None:
    """The links between ejabberd and the gateway are proven with certificates both ways."""
    links = [line for line in scene.gateway.log.splitlines() if '"link up"' in line and '"side":"inside"' in line]
    assert links and all('"mechanism":"external"' in line for line in links)
