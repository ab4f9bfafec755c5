"""SIP and XMPP inside and outside, in every combination: presence, messages, typing, restart, both ways."""

import json
import re
import time
from collections.abc import Iterator

import pytest
from attrs import frozen

from ..lab import Lab
from ..scene import METRICS, give, until
from .crossing import PATIENCE, House, Person, SipPerson, XmppPerson, anonymous, build
from .documents import COMPOSING
from .wire import SipMessage

pytestmark = pytest.mark.interop

OUTSIDE = {
    "kamailio": {"partner.example": "kamailio", "ally.example": "prosody", "stranger.example": "ejabberd"},
    "prosody": {"partner.example": "kamailio"},
    "ejabberd": {"partner.example": "kamailio"},
}
COMBINATIONS = {
    f"{inside}-{kind}": (inside, domain) for inside, partners in OUTSIDE.items() for domain, kind in partners.items()
}


@frozen
class Cast:
    """One of ours and one of theirs, who see each other."""

    house: House
    alice: Person
    bob: Person

    @property
    def both(self) -> list[tuple[Person, Person]]:
        """Each and the other."""
        return [(self.alice, self.bob), (self.bob, self.alice)]


class Labs:
    """One lab at a time, with one server inside."""

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        self._folders = folders
        self._inside = ""
        self._lab: Lab | None = None

    def with_inside(self, inside: str) -> tuple[House, Person]:
        """The lab with this server inside, and alice."""
        if self._inside != inside:
            self.close()
            self._inside, self._lab = inside, Lab(self._folders.mktemp(f"crossing-{inside}"))
            self._lab.__enter__()
            self._house = build(self._lab, inside, OUTSIDE[inside])
            self._alice = self._house.person("alice@corp.example")
        return self._house, self._alice

    def close(self) -> None:
        """End it."""
        if self._lab is not None:
            self._lab.__exit__(None, None, None)
            self._lab = None


@pytest.fixture(scope="module")
def labs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Labs]:
    """Labs, the last of which is ended at the end."""
    made = Labs(tmp_path_factory)
    yield made
    made.close()


@pytest.fixture(scope="module", params=COMBINATIONS)
def cast(request: pytest.FixtureRequest, labs: Labs) -> Cast:
    """alice, and the bob of one partner; each has asked to see the other, and may."""
    inside, domain = COMBINATIONS[request.param]
    house, alice = labs.with_inside(inside)
    found = Cast(house, alice, house.person(f"bob@{domain}"))
    for one, other in found.both:
        other.shows("away", f"{other.name} before")
        one.watches(other)
        other.lets(one)
        one.sees(other, "away", f"{other.name} before")
    return found


def test_presence_crosses_both_ways(cast: Cast) -> None:
    for _, other in cast.both:
        other.shows("busy", "")
    for one, other in cast.both:
        assert "before" not in one.sees(other, "busy")


def test_messages_cross_both_ways(cast: Cast) -> None:
    for one, other in cast.both:
        text = f"Grüße von {one.name} <&> \U0001f600\nund mehr"
        one.says(other, text)
        other.hears(text)


def test_subject_and_language_cross(cast: Cast) -> None:
    for one, other in cast.both:
        text = f"bonjour de {one.name}"
        if isinstance(one, SipPerson):
            headers = [("Subject", "sujet"), ("Content-Language", "fr")]
            assert one.ua.message(f"sip:{other.name}", text, headers=headers).status in (200, 202)
        elif isinstance(one, XmppPerson):
            one.client.raw(
                f"<message to='{other.name}' type='chat' xml:lang='fr'><subject>sujet</subject>"
                f"<body>{text}</body></message>"
            )
        got = other.hears(text)
        if isinstance(other, SipPerson):
            assert (got["subject"], got["content-language"]) == ("sujet", "fr")
            assert got.content_type == "text/plain"
        else:
            assert got.text("subject") == "sujet"
            assert "{http://www.w3.org/XML/1998/namespace}lang" in got.element.attrib or "fr" in got.xml


def test_nothing_of_the_other_side_is_copied(cast: Cast) -> None:
    for one, other in cast.both:
        if not isinstance(other, SipPerson):
            continue
        if isinstance(one, SipPerson):
            headers = [
                ("P-Asserted-Identity", "<sip:canary@corp.example>"),
                ("User-Agent", "canary"),
                ("X-A", "canary"),
            ]
            one.ua.message(f"sip:{other.name}", f"who is {one.name}?", headers=headers)
        else:
            one.says(other, f"who is {one.name}?")
        got = other.hears(f"who is {one.name}?")
        assert "canary" not in str(got) and len(got.all("via")) == 2
        place = "127.0.0.10" if one is cast.alice else "127.0.0.20"
        assert not re.search(rf"{re.escape(place)}\b", str(got))
        assert got.sender == f"sip:{one.name}"
        if isinstance(one, SipPerson):
            assert f"{one.ua.address}:" not in str(got)


def test_typing_crosses_in_a_session(cast: Cast) -> None:
    for one, other in cast.both:
        if not isinstance(one, SipPerson):
            continue
        session = one.ua.invite_session(f"sip:{other.name}")
        assert session.opened.status == 200
        assert session.typing().status == 200
        _sees_typing(other, one, "composing")
        assert session.message(f"in a session of {one.name}").status == 200
        other.hears(f"in a session of {one.name}")
        if isinstance(other, XmppPerson):
            other.client.message(one.name, extra="<composing xmlns='http://jabber.org/protocol/chatstates'/>")
            assert ">active<" in session.wait_for("MESSAGE", lambda got: got.content_type == COMPOSING).text
            other.client.message(one.name, "an answer in the session")
            session.wait_for("MESSAGE", lambda got: got.text == "an answer in the session")
        assert session.bye().status == 200


def _sees_typing(person: Person, other: Person, state: str) -> None:
    if isinstance(person, XmppPerson):
        person.client.wait_for(f"message/{{http://jabber.org/protocol/chatstates}}{state}", PATIENCE)


def test_subscriptions_live_through_a_restart(cast: Cast) -> None:
    alice, bob = cast.alice, cast.bob
    for _, other in cast.both:
        other.shows("away", f"{other.name} canary")
    # who is killed has written what was there five seconds ago
    kill = isinstance(bob, SipPerson) and isinstance(alice, SipPerson)
    if kill:
        kept = cast.house.gateway.folder / "state" / "sip-outside.json"
        until(lambda: kept.exists() and bob.name in kept.read_text(), "the subscription is written", 7.0)
        assert json.loads(kept.read_text())
    cast.house.restart(kill=kill)
    for one, other in cast.both:
        if isinstance(one, SipPerson):
            assert one.watched[other.name].refresh().status == 200
        one.sees(other, "away", f"{other.name} canary")
    bob.shows("busy", "")
    assert "canary" not in alice.sees(bob, "busy")
    for one, other in cast.both:
        one.says(other, f"after a restart from {one.name}")
        other.hears(f"after a restart from {one.name}")


def test_less_is_told_at_once_and_blocked_is_offline(cast: Cast) -> None:
    gateway, alice, bob = cast.house.gateway, cast.alice, cast.bob
    bob.sees(alice, "away", "canary")
    give(gateway, alice.name, bob.name, "public")
    until(lambda: "canary" not in bob.sees(alice, "away"), "the note is taken away", 2.0)
    give(gateway, alice.name, bob.name, "blocked")
    bob.sees_gone(alice)
    gone = bob.latest(alice)
    for activity in ("away", "busy"):
        alice.shows(activity, "canary at it")
    if not isinstance(bob, SipPerson):
        return
    people = [f"sip:{person}" for person in (alice.name, "nobody@corp.example")]
    refused, unknown = (_skeleton(bob.ua.message(person, "may I?")) for person in people)
    assert refused == unknown
    refused, unknown = (_skeleton(bob.ua.invite_session(person).opened) for person in people)
    assert refused == unknown
    give(gateway, "dave@corp.example", bob.name, "blocked")
    waits = [bob.ua.subscribe(f"sip:{person}@corp.example") for person in ("nobody", "dave")]
    time.sleep(0.7)
    nobody, blocked = ([_skeleton(got) for got in one.notifications()] for one in waits)
    assert nobody == blocked != []
    fetched = [bob.ua.subscribe(person, 0) for person in (*people, "sip:dave@corp.example")]
    told = [_skeleton(one.wait_for("NOTIFY")) for one in fetched]
    assert told[0] == told[1] == told[2]
    assert anonymous(gone) in told[0]


def _skeleton(got: SipMessage) -> str:
    """What is left of a message without names and what is new in each."""
    changing = ("via:", "call-id:", "from:", "to:", "cseq:", "contact:", "content-length:")
    lines = str(got).split("\r\n")[bool(got.method == "NOTIFY") :]
    return anonymous("\n".join(line for line in lines if not line.lower().startswith(changing)))


def test_names_are_not_in_the_metrics(cast: Cast) -> None:
    told = cast.house.lab.http(METRICS)[1]
    assert not [word for word in ("alice", "bob", "canary", "Grüße") if word in told]
    assert "canary" not in cast.house.gateway.log and "Grüße" not in cast.house.gateway.log
