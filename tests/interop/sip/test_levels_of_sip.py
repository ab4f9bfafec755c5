"""Rich presence of a SIP user at each level, as a SIP contact and an XMPP contact see it; what is hidden is nowhere."""

import contextlib
from collections.abc import Iterator

import pytest
from attrs import frozen

from ..lab import Lab
from ..scene import METRICS, give, until
from .crossing import House, SipPerson, XmppPerson, build

pytestmark = pytest.mark.interop

ALICE, BOB, CAROL = "alice@corp.example", "bob@partner.example", "carol@ally.example"

CANARY = {
    "note": "canary-note",
    "activity": "canary-activity",
    "mood": "canary-mood",
    "location": "canary-room",
    "display_name": "canary-name",
    "last_active": "2024-02-03T04:05:06Z",
    "url": "https://canary-url.corp.example/",
    "email": "canary-mail@corp.example",
    "time_zone": "345",
    "phone.work": "1-202-555-0101",
    "phone.mobile": "1-202-555-0102",
    "phone.home": "1-202-555-0103",
    "phone.other": "1-202-555-0104",
}
"""Field to a text that is found only there."""
NEVER = ("canary-unknown", "canary-class", "canary-sphere", "canary-relation", "canary-device", "canary-icon")
PUBLIC = {"display_name", "email"}
COMPANY = PUBLIC | {"activity", "note", "last_active", "phone.work", "url", "time_zone"}
TEAM = COMPANY | {"phone.mobile", "location"}
PERSONAL = TEAM | {"phone.home", "phone.other", "mood"}
SEEN: dict[str, set[str]] = {
    "personal": PERSONAL,
    "team": TEAM,
    "company": COMPANY,
    "public": PUBLIC,
    "blocked": set(),
}
"""What the documentation promises for each level, the most first: what is taken away is told at once."""


def rich() -> str:
    """Everything that RFC 3863, 4479, 4480 and 4482 can say, and something that they cannot."""
    spaces = {
        "dm": "urn:ietf:params:xml:ns:pidf:data-model",
        "rpid": "urn:ietf:params:xml:ns:pidf:rpid",
        "ci": "urn:ietf:params:xml:ns:pidf:cipid",
        "x": "urn:canary:extension",
    }
    phones = "".join(
        f"<tuple id='p{number}'><status><basic>open</basic></status>"
        f"{f'<rpid:class>{kind}</rpid:class>' if kind else ''}<contact>tel:+{CANARY[name]}</contact></tuple>"
        for number, (kind, name) in enumerate(
            [("work", "phone.work"), ("mobile", "phone.mobile"), ("home", "phone.home"), ("", "phone.other")]
        )
    )
    return (
        "<?xml version='1.0' encoding='UTF-8'?>\n<presence xmlns='urn:ietf:params:xml:ns:pidf' "
        + " ".join(f"xmlns:{prefix}='{space}'" for prefix, space in spaces.items())
        + f" entity='sip:{ALICE}'><tuple id='canary-device'><status><basic>open</basic></status>"
        "<rpid:relationship><rpid:other>canary-relation</rpid:other></rpid:relationship>"
        f"<contact priority='0.9'>sip:{ALICE}</contact></tuple>{phones}"
        f"<tuple id='m'><status><basic>open</basic></status><contact>mailto:{CANARY['email']}</contact></tuple>"
        "<dm:person id='p'><rpid:activities>"
        f"<rpid:note>{CANARY['activity']}</rpid:note><rpid:busy/><rpid:travel/></rpid:activities>"
        "<rpid:class>canary-class</rpid:class>"
        f"<rpid:mood><rpid:note>{CANARY['mood']}</rpid:note><rpid:happy/></rpid:mood>"
        f"<rpid:place-type><rpid:other>{CANARY['location']}</rpid:other></rpid:place-type>"
        "<rpid:sphere>canary-sphere</rpid:sphere><rpid:status-icon>http://canary-icon.example/</rpid:status-icon>"
        "<rpid:time-offset>345</rpid:time-offset>"
        f"<rpid:user-input last-input='{CANARY['last_active']}'>idle</rpid:user-input>"
        f"<ci:display-name>{CANARY['display_name']}</ci:display-name><ci:homepage>{CANARY['url']}</ci:homepage>"
        f"<x:secret>canary-unknown</x:secret><dm:note>{CANARY['note']}</dm:note></dm:person></presence>"
    )


def named(text: str) -> set[str]:
    """The fields that are found in a document."""
    marks = {**CANARY, "time_zone": ">345<"}
    return {name for name, canary in marks.items() if canary in text}


@frozen
class Scene:
    """The lab with everybody in it."""

    house: House
    alice: SipPerson
    bob: SipPerson
    carol: XmppPerson


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """alice publishes everything there is; a SIP contact and an XMPP contact watch her."""
    with Lab(tmp_path_factory.mktemp("sip-levels")) as lab:
        house = build(
            lab,
            "kamailio",
            {"partner.example": "kamailio", "ally.example": "prosody"},
            contacts=("bob", "carol"),
            level="blocked",
        )
        alice, bob, carol = (house.person(name) for name in (ALICE, BOB, CAROL))
        assert isinstance(alice, SipPerson) and isinstance(bob, SipPerson) and isinstance(carol, XmppPerson)
        assert alice.ua.publish(rich()).status == 200
        give(house.gateway, ALICE, BOB, "personal")
        give(house.gateway, ALICE, CAROL, "personal")
        bob.watches(alice)
        carol.watches(alice)
        bob.sees(alice, CANARY["mood"])
        yield Scene(house, alice, bob, carol)


@pytest.mark.parametrize("level", SEEN)
def test_sip_contact_sees_exactly_the_fields_of_his_level(scene: Scene, level: str) -> None:
    give(scene.house.gateway, ALICE, BOB, level)
    with contextlib.suppress(AssertionError):
        until(lambda: named(scene.bob.latest(scene.alice)) == SEEN[level], level, 2.0)
    told = scene.bob.latest(scene.alice)
    assert named(told) == SEEN[level], told
    assert [word for word in NEVER if word in told] == []
    assert ("<basic>open</basic>" in told) is (level != "blocked")
    assert (">dnd<" in told) is (level != "blocked")


def test_more_is_told_when_it_is_the_watchers_turn(scene: Scene) -> None:
    mark = scene.bob.ua.mark()
    give(scene.house.gateway, ALICE, BOB, "public")
    scene.bob.sees(scene.alice, CANARY["display_name"])
    assert len(scene.bob.ua.requests("NOTIFY", after=mark)) == 1
    assert named(scene.bob.latest(scene.alice)) == PUBLIC


@pytest.mark.parametrize("level", SEEN)
def test_xmpp_contact_sees_no_more_than_his_level(scene: Scene, level: str) -> None:
    give(scene.house.gateway, ALICE, CAROL, "blocked")
    scene.carol.sees_gone(scene.alice)
    mark = scene.carol.client.mark()
    give(scene.house.gateway, ALICE, CAROL, level)
    scene.carol.client.iq(ALICE, "<vCard xmlns='vcard-temp'/>")
    if level != "blocked":
        scene.carol.sees(scene.alice, "dnd")
    text = "\n".join(got.xml for got in scene.carol.client.stanzas(after=mark))
    present = {name for name in SEEN[level] if name in ("note", "display_name")}
    assert present <= named(text) <= SEEN[level]
    assert [word for word in NEVER if word in text] == []


def test_what_is_hidden_is_nowhere(scene: Scene) -> None:
    told = scene.house.gateway.log + scene.house.lab.http(METRICS)[1]
    assert [word for word in (*NEVER, *CANARY.values()) if word in told and word != "345"] == []
