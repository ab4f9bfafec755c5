"""Requests from contacts that nobody knows: accepted, asked about, or refused in silence, as each contract says."""

from collections.abc import Iterator

import pytest
from attrs import frozen

from .client import Client
from .gateway import Gateway
from .lab import Lab
from .scene import METRICS, READY, configuration, give, inside_trust, of, partner

pytestmark = pytest.mark.interop

ALICE, DAVE = "alice@corp.example", "dave@corp.example"


@frozen
class Scene:
    """The lab with everybody in it: bob's partner is accepted, carol's asked about, eve's refused."""

    lab: Lab
    gateway: Gateway
    alice: Client
    bob: Client
    carol: Client
    eve: Client


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Three partners with a different word each about strangers; nobody knows anybody."""
    with Lab(tmp_path_factory.mktemp("strangers")) as lab:
        contracts = [
            partner("partner.example", strangers="accept"),
            partner("ally.example", strangers="ask"),
            partner("stranger.example", strangers="refuse"),
        ]
        gateway = lab.gateway(configuration(lab, *contracts), ready=READY)
        users = dict.fromkeys(("alice", "dave", "erin"), "pw")
        lab.prosody("corp.example", users=users, view="inside", trust=inside_trust(lab, gateway))
        lab.ejabberd("partner.example", users={"bob": "pw"}, view="public", dialback=False)
        lab.prosody("ally.example", users={"carol": "pw"}, view="public", dialback=False)
        lab.prosody("stranger.example", users={"eve": "pw"}, view="public", dialback=False)
        lab.ready()
        jids = (ALICE, "bob@partner.example", "carol@ally.example", "eve@stranger.example")
        yield Scene(lab, gateway, *lab.online(*jids))


def test_accepted_stranger_is_told_so_at_once_and_sees_who_lets_him(scene: Scene) -> None:
    alice, bob = scene.alice, scene.bob
    alice.presence("away", "not for strangers")
    bob.subscribe(ALICE)
    bob.wait_for(of(ALICE, type="subscribed"))
    alice.wait_for(of(bob.bare, type="subscribe"))
    assert not bob.stanzas(of(ALICE))
    alice.approve(bob.bare)
    got = bob.wait_for(of(ALICE))
    assert (got.text("show"), got.text("status")) == ("away", "")


def test_person_may_still_refuse_an_accepted_stranger(scene: Scene) -> None:
    dave, bob = scene.lab.client(DAVE), scene.bob
    dave.connect()
    bob.subscribe(DAVE)
    bob.wait_for(of(DAVE, type="subscribed"))
    dave.wait_for(of(bob.bare, type="subscribe"))
    mark = bob.mark()
    dave.revoke(bob.bare)
    bob.wait_for(of(DAVE, type="unsubscribed"), after=mark)
    mark = bob.mark()
    dave.presence("dnd")
    bob.never(of(DAVE), 0.5, after=mark)
    dave.disconnect()


def test_asked_about_stranger_hears_nothing_before_the_answer(scene: Scene) -> None:
    alice, carol = scene.alice, scene.carol
    carol.subscribe(ALICE)
    alice.wait_for(of(carol.bare, type="subscribe"))
    carol.never(lambda got: got["from"].startswith(ALICE), 0.5)
    alice.presence("dnd", "carol waits")
    carol.never(lambda got: got["from"].startswith(ALICE), 0.3)
    alice.approve(carol.bare)
    carol.wait_for(of(ALICE, type="subscribed"))
    assert carol.wait_for(of(ALICE)).text("show") == "dnd"


def test_refused_stranger_looks_like_one_whom_nobody_answered(scene: Scene) -> None:
    alice, eve = scene.alice, scene.eve
    marks = alice.mark(), eve.mark()
    for person in (ALICE, "nobody@corp.example"):
        eve.subscribe(person)
    answered = eve.message(ALICE, "a sign that the requests have passed")
    alice.wait_for(f"message[@id='{answered}']")
    assert not alice.stanzas("presence[@type='subscribe']", after=marks[0])
    eve.never(lambda got: "corp.example" in got["from"], 0.5, after=marks[1])
    assert eve.bare not in scene.lab.http(METRICS)[1]


def test_stranger_to_whom_a_level_was_given_is_let_through(scene: Scene) -> None:
    alice, eve = scene.alice, scene.eve
    give(scene.gateway, ALICE, eve.bare, "company")
    mark = alice.mark()
    eve.subscribe(ALICE)
    alice.wait_for(of(eve.bare, type="subscribe"), after=mark)
    alice.approve(eve.bare)
    alice.presence("chat", "for eve, too")
    eve.wait_for("presence[status='for eve, too']")


def test_contact_whom_the_person_asked_first_is_no_stranger(scene: Scene) -> None:
    dave, eve = scene.lab.client(DAVE), scene.eve
    dave.connect()
    dave.subscribe(eve.bare)
    eve.wait_for(of(DAVE, type="subscribe"))
    eve.approve(DAVE)
    dave.wait_for(of(eve.bare))
    eve.subscribe(DAVE)
    dave.wait_for(of(eve.bare, type="subscribe"))
    dave.disconnect()


def test_blocked_by_name_is_accepted_like_others_and_shown_nobody(scene: Scene) -> None:
    erin, bob = scene.lab.client("erin@corp.example"), scene.bob
    erin.connect()
    give(scene.gateway, erin.bare, bob.bare, "blocked")
    bob.subscribe(erin.bare)
    bob.wait_for(of(erin.bare, type="subscribed"))
    erin.presence("dnd")
    bob.never(of(erin.bare), 0.5)
    assert not erin.stanzas(of(bob.bare, type="subscribe"))
    erin.disconnect()
