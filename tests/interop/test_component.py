"""The inside as a component of the internal server (XEP-0114): outside people have escaped addresses there."""

from collections.abc import Callable, Iterator

import pytest
from attrs import frozen

from .client import Client
from .gateway import Gateway
from .lab import Lab
from .scene import READY, configuration, give, of, partner, subscribe, table, tell, until

pytestmark = pytest.mark.interop

BOB = "bob@partner.example"


@frozen
class Scene:
    """One kind of internal server, alice on it, bob outside, and the name under which alice knows him."""

    lab: Lab
    gateway: Gateway
    alice: Client
    bob: Client
    known_as: str


@pytest.fixture(scope="module", params=["prosody", "ejabberd"])
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The gateway as gateway.<domain>; alice and bob see each other."""
    kind = request.param
    domain, address = ("corp.example", "127.0.0.10") if kind == "prosody" else ("corpej.example", "127.0.0.11")
    name = f"gateway.{domain}"
    with Lab(tmp_path_factory.mktemp("component")) as lab:
        inside = table("inside", kind="xmpp-component", connect=f"{address}:5347", name=name, secret="shared")
        config = configuration(lab, partner("partner.example"), domain=domain, inside=inside)
        getattr(lab, kind)(domain, users={"alice": "pw"}, components={name: "shared"})
        lab.prosody("partner.example", users={"bob": "pw"}, view="public", dialback=False)
        gateway = lab.gateway(config, ready=f"{READY.removesuffix('readyz')}healthz")
        lab.ready()
        until(gateway_ready(lab), "component connected", 15.0)
        alice, bob = lab.online(f"alice@{domain}", BOB)
        for who in (alice, bob):
            assert who.iq("", _card(who), type="set")["type"] == "result"
        known_as = f"bob\\40partner.example@{name}"
        subscribe(alice, bob, known_as=known_as)
        subscribe(bob, alice, seen_as=known_as)
        yield Scene(lab, gateway, alice, bob, known_as)


def gateway_ready(lab: Lab) -> Callable[[], bool]:
    """Gives a question: is the gateway ready?"""

    def ready() -> bool:
        try:
            return lab.http(READY)[0] == 200
        except OSError:
            return False

    return ready


def _card(who: Client) -> str:
    phone = "<TEL><HOME/><NUMBER>555-0199</NUMBER></TEL>"
    return f"<vCard xmlns='vcard-temp'><FN>{who.bare} herself</FN>{phone}</vCard>"


def test_both_see_each_other(scene: Scene) -> None:
    scene.alice.presence("away", "for insiders")
    got = scene.bob.wait_for("presence[show='away']")
    assert got["from"].startswith(scene.alice.bare) and got.text("status") == ""
    scene.bob.presence("dnd", "hello inside")
    got = scene.alice.wait_for("presence[status='hello inside']")
    assert got["from"].partition("/")[0] == scene.known_as and got.text("show") == "dnd"


def test_level_acts_at_once(scene: Scene) -> None:
    alice, bob = scene.alice, scene.bob
    alice.presence("dnd", "for colleagues")
    bob.wait_for("presence[show='dnd']")
    mark = bob.mark()
    give(scene.gateway, alice.bare, BOB, "company")
    bob.wait_for("presence[status='for colleagues']", after=mark)
    give(scene.gateway, alice.bare, BOB, "blocked")
    bob.wait_for(of(alice.bare, type="unavailable"), after=mark)
    mark = bob.mark()
    tell(scene.gateway, "levels", "unset", owner=alice.bare, contact=BOB)
    assert bob.wait_for(of(alice.bare), after=mark).text("status") == ""


def test_messages_carry_escaped_addresses_inside_and_plain_ones_outside(scene: Scene) -> None:
    name = scene.alice.message(scene.known_as, "hello outside")
    got = scene.bob.wait_for(f"message[@id='{name}']")
    assert got["from"].partition("/")[0] == scene.alice.bare and got.text("body") == "hello outside"
    assert "gateway." not in got.xml
    name = scene.bob.message(got["from"], "hello inside")
    got = scene.alice.wait_for(f"message[@id='{name}']")
    assert got["from"].partition("/")[0] == scene.known_as and got.text("body") == "hello inside"


def test_errors_come_back_under_the_name_that_was_written_to(scene: Scene) -> None:
    for person in ("nobody\\40partner.example", "eve\\40stranger.example", "no-escape"):
        address = f"{person}@{scene.known_as.partition('@')[2]}"
        name = scene.alice.message(address, "hello?")
        assert scene.alice.wait_for(f"message[@id='{name}'][@type='error']", 10.0)["from"] == address
    name = scene.bob.message(f"nobody@{scene.alice.bare.partition('@')[2]}", "hello?")
    scene.bob.wait_for(f"message[@id='{name}'][@type='error']", 10.0)


def test_cards_are_answered_in_both_directions(scene: Scene) -> None:
    alice, bob = scene.alice, scene.bob
    question = "<vCard xmlns='vcard-temp'/>"
    got = alice.iq(scene.known_as, question)
    assert got["from"] == scene.known_as and f"{BOB} herself" in got.xml
    got = bob.iq(alice.bare, question)
    assert f"{alice.bare} herself" in got.xml and "555-0199" not in got.xml


def test_disco_of_the_component_and_of_a_contact(scene: Scene) -> None:
    question = "<query xmlns='http://jabber.org/protocol/disco#info'/>"
    got = scene.alice.iq(scene.known_as.partition("@")[2], question)
    assert got.find("{*}query/{*}identity[@category='gateway']") is not None
    mark = scene.alice.mark()
    scene.bob.presence("", "to be asked")
    address = scene.alice.wait_for("presence[status='to be asked']", after=mark)["from"]
    assert scene.alice.iq(address, question).find("{*}query/{*}identity[@category='client']") is not None


def test_internal_server_comes_back(scene: Scene) -> None:
    server = scene.lab.servers[scene.alice.bare.partition("@")[2]]
    mark = scene.bob.mark()
    server.restart()
    scene.alice.wait_for_event("disconnected")
    until(gateway_ready(scene.lab), "component connected again", 15.0)
    marks = scene.alice.mark(), scene.bob.mark()
    scene.alice.connect()
    scene.alice.presence("chat")
    scene.bob.wait_for(lambda got: of(scene.alice.bare)(got) and got.text("show") == "chat", 10.0, after=mark)
    scene.alice.wait_for(of(scene.known_as), 10.0, after=marks[0])
    name = scene.alice.message(scene.known_as, "after the restart")
    scene.bob.wait_for(f"message[@id='{name}']/body", 10.0)


def test_unsubscribing_ends_it(scene: Scene) -> None:
    mark = scene.bob.mark()
    scene.alice.revoke(scene.known_as)
    scene.bob.wait_for(of(scene.alice.bare, type="unsubscribed"), after=mark)
    mark = scene.bob.mark()
    scene.alice.presence("xa")
    scene.bob.never(of(scene.alice.bare), 0.5, after=mark)
