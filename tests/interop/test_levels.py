"""What a contact sees at each level, and what nobody ever sees: Prosody inside, ejabberd and Prosody outside."""

import base64
import re
from collections.abc import Callable, Iterator

import pytest
from attrs import frozen

from .client import Client
from .gateway import Gateway
from .lab import Lab
from .scene import (
    ACTIVITY,
    GEOLOC,
    METRICS,
    MOOD,
    NICK,
    QUESTIONS,
    READY,
    VCARD4,
    answers,
    befriend,
    configuration,
    give,
    inside_trust,
    of,
    partner,
    publication,
    tell,
    until,
)
from .stanza import Stanza

pytestmark = pytest.mark.interop

ALICE, BOB, CAROL = "alice@corp.example", "bob@partner.example", "carol@ally.example"
PUBSUB_EVENT = "http://jabber.org/protocol/pubsub#event"
PICTURE = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"canary picture " * 4).decode()

CANARY = {
    "note": "canary-note",
    "last_active": "2024-02-03T04:05:06",
    "display_name": "canary-name",
    "activity": "canary-activity",
    "mood": "canary-mood",
    "location": "canary-room",
    "email": "canary-mail@corp.example",
    "title": "canary-title",
    "company": "canary-company",
    "department": "canary-department",
    "office": "canary-office",
    "phone.work": "+1-202-555-0101",
    "phone.mobile": "+1-202-555-0102",
    "phone.home": "+1-202-555-0103",
    "phone.other": "+1-202-555-0104",
    "address.work": "canary-work-street",
    "address.home": "canary-home-street",
    "url": "https://canary-url.corp.example/",
    "photo": PICTURE,
    "time_zone": "+05:45",
}
"""Field to a text that is found only there."""
NEVER = (
    *("canary-unknown", "canary-resource", "canary-latitude", "12.3456", "canary-birthday", "canary-role"),
    *("canary-description", "canary-password", "urn:canary", "canary-client"),
)
"""What the model does not know cannot leave at any level."""

PUBLIC = {"display_name", "email", "title", "company"}
COMPANY = {
    *PUBLIC,
    *(
        "activity",
        "note",
        "last_active",
        "department",
        "office",
        "phone.work",
        "address.work",
        "url",
        "photo",
        "time_zone",
    ),
}
TEAM = {*COMPANY, "phone.mobile", "location"}
PERSONAL = {*TEAM, "phone.home", "phone.other", "address.home", "mood"}
SEEN: dict[str, set[str]] = {"blocked": set(), "public": PUBLIC, "company": COMPANY, "team": TEAM, "personal": PERSONAL}
"""What the documentation promises for each level."""


@frozen
class Scene:
    """The lab with everybody in it."""

    lab: Lab
    gateway: Gateway
    alice: Client
    bob: Client
    bill: Client
    carol: Client


def _config(lab: Lab, *more: str, level: str = "blocked") -> str:
    ally = partner("ally.example", ceiling="company")
    return configuration(lab, partner("partner.example"), ally, *more, level=level)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """alice publishes everything there is; bob, his colleague bill, and carol are her contacts both ways."""
    with Lab(tmp_path_factory.mktemp("levels")) as lab:
        gateway = lab.gateway(_config(lab), ready=READY)
        people = dict.fromkeys(("alice", "dave", "erin"), "pw")
        lab.prosody("corp.example", users=people, view="inside", trust=inside_trust(lab, gateway))
        lab.ejabberd("partner.example", users={"bob": "pw", "bill": "pw"}, view="public", dialback=False)
        lab.prosody("ally.example", users={"carol": "pw"}, view="public", dialback=False)
        lab.ready()
        alice = lab.client(f"{ALICE}/canary-resource")
        alice.connect()
        bob, bill, carol = lab.online(BOB, "bill@partner.example", CAROL)
        for contact in (bob, bill, carol):
            befriend(alice, contact)
        _publish_everything(alice)
        yield Scene(lab, gateway, alice, bob, bill, carol)


def _publish_everything(alice: Client) -> None:
    alice.presence("dnd", CANARY["note"], 7, _extras())
    payloads = {
        ACTIVITY: f"<activity xmlns='{ACTIVITY}'><working/><text>{CANARY['activity']}</text></activity>",
        MOOD: f"<mood xmlns='{MOOD}'><happy/><text>{CANARY['mood']}</text></mood>",
        GEOLOC: f"<geoloc xmlns='{GEOLOC}'><lat>12.3456</lat><lon>canary-latitude</lon>"
        f"<room>{CANARY['location']}</room></geoloc>",
        NICK: f"<nick xmlns='{NICK}'>{CANARY['display_name']}</nick>",
        "urn:canary:node": "<secret xmlns='urn:canary:node'>canary-unknown</secret>",
    }
    for node, payload in payloads.items():
        assert alice.iq("", publication(node, payload), type="set")["type"] == "result"
    # Prosody's own translation of a vcard-temp loses the department and the time zone
    assert alice.iq("", f"<vCard xmlns='vcard-temp'>{_PICTURE}</vCard>", type="set")["type"] == "result"
    assert alice.iq("", publication("urn:xmpp:vcard4", _card()), type="set")["type"] == "result"


_PICTURE = f"<PHOTO><TYPE>image/png</TYPE><BINVAL>{PICTURE}</BINVAL></PHOTO>"


def _extras() -> str:
    return (
        f"<idle xmlns='urn:xmpp:idle:1' since='{CANARY['last_active']}Z'/>"
        f"<nick xmlns='{NICK}'>{CANARY['display_name']}</nick>"
        "<x xmlns='urn:canary:extension'>canary-unknown</x>"
        "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:canary-client' "
        "ver='zHyEOgxTrkpSdGcQKH8EFPLsriY='/>"
    )


def _card() -> str:
    def entry(name: str, text: str, kind: str = "", value: str = "text") -> str:
        marked = f"<parameters><type><text>{kind}</text></type></parameters>" if kind else ""
        return f"<{name}>{marked}<{value}>{text}</{value}></{name}>"

    def address(kind: str, parts: str) -> str:
        return f"<adr><parameters><type><text>{kind}</text></type></parameters>{parts}</adr>"

    phones = (("work", "phone.work"), ("cell", "phone.mobile"), ("home", "phone.home"), ("voice", "phone.other"))
    plain = (("email", "email"), ("title", "title"), ("role", "role"), ("note", "description"), ("bday", "birthday"))
    return (
        f"<vcard xmlns='{VCARD4}'>{entry('fn', CANARY['display_name'])}{entry('url', CANARY['url'], value='uri')}"
        + "".join(entry(name, CANARY.get(what, f"canary-{what}")) for name, what in plain)
        + f"<org><text>{CANARY['company']}</text><text>{CANARY['department']}</text></org>"
        + "".join(entry("tel", CANARY[name], kind) for kind, name in phones)
        + address("work", f"<ext>{CANARY['office']}</ext><street>{CANARY['address.work']}</street>")
        + address("home", f"<street>{CANARY['address.home']}</street>")
        + f"{entry('tz', '+05:45', value='utc-offset')}</vcard>"
    )


def _everything_seen(contact: Client, mark: int) -> str:
    list(answers(contact, ALICE))
    return "\n".join(stanza.xml for stanza in contact.stanzas(after=mark))


def _named(text: str) -> set[str]:
    return {name for name, canary in CANARY.items() if canary in text}


@pytest.mark.parametrize("level", SEEN)
def test_contact_sees_exactly_the_fields_of_his_level(scene: Scene, level: str) -> None:
    bob = scene.bob
    give(scene.gateway, ALICE, BOB, "blocked")
    list(answers(bob, ALICE))
    mark = bob.mark()
    give(scene.gateway, ALICE, BOB, level)
    text = _everything_seen(bob, mark)
    assert _named(text) == SEEN[level]
    assert [word for word in NEVER if word in text] == []
    present = bob.stanzas(of(ALICE), after=mark)
    assert bool(present) is (level != "blocked")
    assert {got.text("show") for got in present} <= {"dnd"}


def test_change_of_level_acts_at_once_in_both_directions(scene: Scene) -> None:
    bob = scene.bob
    give(scene.gateway, ALICE, BOB, "personal")
    bob.wait_for(lambda got: CANARY["mood"] in got.xml, after=0)
    mark = bob.mark()
    give(scene.gateway, ALICE, BOB, "public")
    smaller = bob.wait_for(of(ALICE), 2.0, after=mark)
    assert _named(smaller.xml) == {"display_name"} and smaller.text("show") == "dnd"
    for node in (MOOD, ACTIVITY, GEOLOC):
        bob.wait_for(_withdrawn(node), 2.0, after=mark)
    mark = bob.mark()
    give(scene.gateway, ALICE, BOB, "company")
    bigger = bob.wait_for(of(ALICE), 2.0, after=mark)
    assert _named(bigger.xml) == {"display_name", "note", "last_active"}
    bob.wait_for(lambda got: CANARY["activity"] in got.xml, 2.0, after=mark)


def _withdrawn(node: str) -> Callable[[Stanza], bool]:
    word = node.rpartition("/")[2]
    path = f".//{{{PUBSUB_EVENT}}}items[@node='{node}']/{{{PUBSUB_EVENT}}}item/{{{node}}}{word}"

    def matches(got: Stanza) -> bool:
        found = got.find(path)
        return found is not None and len(found) == 0

    return matches


def test_blocking_takes_everything_back(scene: Scene) -> None:
    bob = scene.bob
    give(scene.gateway, ALICE, BOB, "personal")
    list(answers(bob, ALICE))
    mark = bob.mark()
    give(scene.gateway, ALICE, BOB, "blocked")
    gone = bob.wait_for(of(ALICE, type="unavailable"), 2.0, after=mark)
    assert len(gone.element) == 0
    for node in (MOOD, ACTIVITY, GEOLOC):
        bob.wait_for(_withdrawn(node), 2.0, after=mark)
    mark = bob.mark()
    scene.alice.presence("away", "canary-note after the block")
    scene.alice.presence("dnd", CANARY["note"], 7, _extras())
    assert _named(_everything_seen(bob, mark)) == set()
    assert not bob.stanzas(of(ALICE), after=mark)


def test_level_of_a_domain_counts_until_somebody_has_one_of_his_own(scene: Scene) -> None:
    gateway, bob, bill = scene.gateway, scene.bob, scene.bill
    give(gateway, ALICE, BOB, "blocked")
    marks = bob.mark(), bill.mark()
    give(gateway, ALICE, "partner.example", "public")
    assert _named(bill.wait_for(of(ALICE), 2.0, after=marks[1]).xml) == {"display_name"}
    assert _named(_everything_seen(bob, marks[0])) == set()
    mark = bob.mark()
    tell(gateway, "levels", "unset", owner=ALICE, contact=BOB)
    assert _named(bob.wait_for(of(ALICE), 2.0, after=mark).xml) == {"display_name"}
    mark = bill.mark()
    tell(gateway, "levels", "unset", owner=ALICE, contact="partner.example")
    bill.wait_for(of(ALICE, type="unavailable"), 2.0, after=mark)
    bob.wait_for(of(ALICE, type="unavailable"), 2.0, after=mark)


def test_default_level_comes_from_the_configuration(scene: Scene) -> None:
    bill, mark = scene.bill, scene.bill.mark()
    _reconfigure(scene, level="public")
    assert _named(bill.wait_for(of(ALICE), 3.0, after=mark).xml) == {"display_name"}
    mark = bill.mark()
    _reconfigure(scene, level="blocked")
    bill.wait_for(of(ALICE, type="unavailable"), 3.0, after=mark)


def _reconfigure(scene: Scene, *more: str, level: str = "blocked") -> None:
    scene.gateway.config_path.write_text(_config(scene.lab, *more, level=level))
    tell(scene.gateway, "reload")


def test_ceiling_of_a_partner_stands_above_every_level(scene: Scene) -> None:
    mark = scene.carol.mark()
    give(scene.gateway, ALICE, CAROL, "personal")
    assert _named(_everything_seen(scene.carol, mark)) == COMPANY
    give(scene.gateway, ALICE, CAROL, "blocked")


def test_lock_takes_a_field_from_everybody_at_once(scene: Scene) -> None:
    bob = scene.bob
    give(scene.gateway, ALICE, BOB, "team")
    list(answers(bob, ALICE))
    mark = bob.mark()
    _reconfigure(scene, "[locks]\nfields = ['note', 'phone.mobile', 'activity']")
    bob.wait_for(_withdrawn(ACTIVITY), 2.0, after=mark)
    assert _named(_everything_seen(bob, mark)) == TEAM - {"note", "phone.mobile", "activity"}
    mark = bob.mark()
    _reconfigure(scene)
    assert "note" in _named(bob.wait_for(of(ALICE), 2.0, after=mark).xml)


def _anonymous(got: Stanza) -> str:
    text = re.sub(r"(?<= id=)\"[^\"]*\"", "''", got.xml)
    return re.sub(r"(?<=from=\")[^@\"]*@[^\"/]*", "somebody", text)


def test_blocked_unknown_unentitled_and_absent_answer_with_the_same_bytes(scene: Scene) -> None:
    bob = scene.bob
    give(scene.gateway, ALICE, BOB, "blocked")
    give(scene.gateway, "dave@corp.example", BOB, "personal")
    # nobody is not there at all, erin has given no level, dave is offline and has no card
    people = (ALICE, "nobody@corp.example", "erin@corp.example", "dave@corp.example")
    seen = {person: [_anonymous(got) for got in answers(bob, person)] for person in people}
    for question, *texts in zip(QUESTIONS, *seen.values(), strict=True):
        assert len(set(texts)) == 1, (question, texts)
        assert "service-unavailable" in texts[0], question
    token = bob.stanzas(of(ALICE))[-1]["from"].partition("/")[2]
    full = [[_anonymous(got) for got in answers(bob, f"{who}/{token}")] for who in people]
    for question, *texts in zip(QUESTIONS, *full, strict=True):
        assert len(set(texts)) == 1, (question, texts)


def test_blocked_and_absent_say_nothing_to_a_message(scene: Scene) -> None:
    bob = scene.bob
    give(scene.gateway, ALICE, BOB, "blocked")
    said = {}
    for person in (ALICE, "nobody@corp.example"):
        name = bob.message(person, "are you there?")
        said[person] = _anonymous(bob.wait_for(f"message[@id='{name}'][@type='error']"))
    assert len(set(said.values())) == 1, said


def test_resource_is_one_opaque_token_per_partner(scene: Scene) -> None:
    for contact in (BOB, "bill@partner.example", CAROL):
        give(scene.gateway, ALICE, contact, "public")
    tokens = [
        {got["from"].partition("/")[2] for got in contact.stanzas(of(ALICE))}
        for contact in (scene.bob, scene.bill, scene.carol)
    ]
    assert all(len(found) == 1 for found in tokens), tokens
    assert tokens[0] == tokens[1] != tokens[2]
    assert re.fullmatch(r"[a-z2-7]{16}", tokens[0].pop())
    scene.alice.presence("dnd", CANARY["note"], 7, _extras())
    name = scene.alice.message(BOB, "who writes?")
    assert scene.bob.wait_for(f"message[@id='{name}']")["from"].endswith(tokens[1].pop())


def _named_dave(name: str) -> str:
    return f"<vCard xmlns='vcard-temp'><FN>{name}</FN></vCard>"


def test_new_card_is_the_next_answer(scene: Scene) -> None:
    (dave,) = scene.lab.online("dave@corp.example")
    give(scene.gateway, dave.bare, BOB, "company")
    befriend(dave, scene.bob)
    # the server inside tells of a change only those of whose clients it knows, and it has to ask them first
    scene.bob.presence("", "here I am")
    assert dave.iq("", _named_dave("Dave the First"), type="set")["type"] == "result"
    until(lambda: "Dave the First" in scene.bob.iq(dave.bare, QUESTIONS["card"]).xml, "the first card")
    assert dave.iq("", _named_dave("Dave the Second"), type="set")["type"] == "result"
    dave.message(BOB, "I am another")
    scene.bob.wait_for("message[body='I am another']")
    assert "Dave the Second" in scene.bob.iq(dave.bare, QUESTIONS["card"]).xml
    dave.disconnect()


def test_person_with_two_clients_is_one_resource_outside(scene: Scene) -> None:
    phone, desk = (scene.lab.client(f"erin@corp.example/canary-resource-{name}") for name in ("phone", "desk"))
    give(scene.gateway, "erin@corp.example", BOB, "company")
    phone.connect()
    befriend(phone, scene.bob)
    phone.presence("away", "on the train", 1)
    scene.bob.wait_for("presence[status='on the train']")
    mark = scene.bob.mark()
    desk.connect(presence=False)
    desk.presence("dnd", "at the desk", 5)
    scene.bob.wait_for("presence[status='at the desk']", after=mark)
    mark = scene.bob.mark()
    desk.disconnect()
    scene.bob.wait_for("presence[status='on the train']", after=mark)
    phone.disconnect()
    scene.bob.wait_for(of("erin@corp.example", type="unavailable"), after=mark)
    seen = [got for got in scene.bob.stanzas("presence") if got["from"].startswith("erin@corp.example/")]
    assert len({got["from"] for got in seen}) == 1
    assert [got["type"] for got in seen].count("unavailable") == 1


def test_what_is_hidden_is_nowhere(scene: Scene) -> None:
    """Runs last: everything that any contact received in this module, the log and the metrics."""
    everything = {who.bare: "\n".join(got.xml for got in who.stanzas()) for who in (scene.bob, scene.bill, scene.carol)}
    hidden = {
        BOB: NEVER,
        "bill@partner.example": (*NEVER, *(CANARY[name] for name in PERSONAL - PUBLIC)),
        CAROL: (*NEVER, *(CANARY[name] for name in PERSONAL - COMPANY)),
    }
    for person, words in hidden.items():
        assert [word for word in words if word in everything[person]] == []
    told = scene.gateway.log + scene.lab.http(METRICS)[1]
    assert [word for word in (*NEVER, *CANARY.values()) if word in told] == []
    assert "alice" not in scene.lab.http(METRICS)[1]
