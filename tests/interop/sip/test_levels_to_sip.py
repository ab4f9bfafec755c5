"""Rich presence of an XMPP user at each level, as a SIP contact sees it in PIDF; what is hidden is nowhere."""

import json
from collections.abc import Iterator

import pytest
from attrs import frozen

from ..lab import Lab
from ..scene import ACTIVITY, GEOLOC, METRICS, MOOD, NICK, VCARD4, give, publication, until
from .crossing import House, SipPerson, XmppPerson, build

pytestmark = pytest.mark.interop

ALICE, BOB = "alice@corp.example", "bob@partner.example"
CANARY = {
    "note": "canary-note",
    "activity": "canary-activity",
    "mood": "canary-mood",
    "location": "canary-room",
    "display_name": "canary-name",
    "last_active": "2024-02-03T04:05:06Z",
    "email": "canary-mail@corp.example",
    "phone.work": "1-202-555-0101",
    "phone.mobile": "1-202-555-0102",
    "phone.home": "1-202-555-0103",
}
"""Field to a text that is found only there."""
NEVER = ("canary-unknown", "canary-resource", "canary-latitude", "12.3456")
PUBLIC = {"display_name", "email"}
COMPANY = PUBLIC | {"activity", "note", "last_active", "phone.work"}
TEAM = COMPANY | {"phone.mobile", "location"}
SEEN: dict[str, set[str]] = {
    "personal": set(CANARY),
    "team": TEAM,
    "company": COMPANY,
    "public": PUBLIC,
    "blocked": set(),
}
"""What the documentation promises for each level, the most first: what is taken away is told at once."""


def named(text: str) -> set[str]:
    """The fields that are found in a document."""
    return {name for name, canary in CANARY.items() if canary in text}


@frozen
class Scene:
    """The lab, alice on XMPP inside, bob on SIP outside."""

    house: House
    alice: XmppPerson
    bob: SipPerson


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """alice publishes by presence, by events and in her card; bob watches her."""
    with Lab(tmp_path_factory.mktemp("levels-to-sip")) as lab:
        house = build(lab, "prosody", {"partner.example": "kamailio"}, level="blocked")
        client = lab.client(f"{ALICE}/canary-resource")
        client.connect()
        alice, bob = XmppPerson(client), house.person(BOB)
        assert isinstance(bob, SipPerson)
        give(house.gateway, ALICE, BOB, "personal")
        bob.shows("away", "here")
        bob.watches(alice)
        alice.lets(bob)
        alice.watches(bob)  # a server hands events to those of whom it hears presence
        alice.sees(bob, "away")
        _publish(alice)
        bob.sees(alice, CANARY["mood"])
        yield Scene(house, alice, bob)


def _publish(alice: XmppPerson) -> None:
    idle = f"<idle xmlns='urn:xmpp:idle:1' since='{CANARY['last_active']}'/><x xmlns='urn:canary'>canary-unknown</x>"
    alice.client.presence("dnd", CANARY["note"], 7, idle)
    phones = "".join(
        f"<tel><parameters><type><text>{kind}</text></type></parameters><text>+{CANARY[name]}</text></tel>"
        for kind, name in (("work", "phone.work"), ("cell", "phone.mobile"), ("home", "phone.home"))
    )
    card = (
        f"<vcard xmlns='{VCARD4}'><fn><text>{CANARY['display_name']}</text></fn>"
        f"<email><text>{CANARY['email']}</text></email>{phones}</vcard>"
    )
    for node, payload in (
        ("urn:xmpp:vcard4", card),
        (ACTIVITY, f"<activity xmlns='{ACTIVITY}'><working/><text>{CANARY['activity']}</text></activity>"),
        (
            GEOLOC,
            f"<geoloc xmlns='{GEOLOC}'><lat>12.3456</lat><lon>canary-latitude</lon>"
            f"<room>{CANARY['location']}</room></geoloc>",
        ),
        (NICK, f"<nick xmlns='{NICK}'>{CANARY['display_name']}</nick>"),
        (MOOD, f"<mood xmlns='{MOOD}'><happy/><text>{CANARY['mood']}</text></mood>"),
    ):
        assert alice.client.iq("", publication(node, payload), type="set")["type"] == "result"


@pytest.mark.parametrize("level", SEEN)
def test_sip_contact_sees_exactly_the_fields_of_his_level(scene: Scene, level: str) -> None:
    give(scene.house.gateway, ALICE, BOB, level)
    until(lambda: named(scene.bob.latest(scene.alice)) <= SEEN[level], level, 2.0)
    told = scene.bob.latest(scene.alice)
    assert named(told) == SEEN[level], told
    assert [word for word in NEVER if word in told] == []
    assert ("<basic>open</basic>" in told) is (">dnd<" in told) is (level != "blocked")
    viewed = json.loads(scene.house.gateway.command("view", ALICE, BOB, "--json").stdout)
    assert viewed["presence"] == {"sip": told}, "what an administrator is shown is what left, byte for byte"


def test_level_that_widens_is_told_in_the_same_subscription(scene: Scene) -> None:
    mark = scene.bob.ua.mark()
    give(scene.house.gateway, ALICE, BOB, "team")
    scene.bob.sees(scene.alice, CANARY["location"])
    assert named(scene.bob.latest(scene.alice)) == TEAM
    assert len(scene.bob.ua.requests("NOTIFY", after=mark)) == 1


def test_what_is_hidden_is_nowhere(scene: Scene) -> None:
    told = scene.house.gateway.log + scene.house.lab.http(METRICS)[1]
    assert [word for word in (*NEVER, *CANARY.values()) if word in told] == []
