"""Messages inside INVITE dialogs, as Communicator exchanges them, on both sides of the gateway."""

from collections.abc import Iterator

import pytest
from attrs import frozen

from ..lab import Lab
from .answering import SDP
from .crossing import House, SipPerson, XmppPerson, build
from .documents import COMPOSING

pytestmark = pytest.mark.interop

ALICE, BOB = "alice@corp.example", "bob@partner.example"
STATES = "{http://jabber.org/protocol/chatstates}"


@frozen
class Scene:
    """One of ours, by whatever protocol, and a SIP contact whose server wants sessions."""

    house: House
    alice: XmppPerson
    bob: SipPerson


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Prosody inside, Kamailio outside."""
    with Lab(tmp_path_factory.mktemp("sessions")) as lab:
        house = build(lab, "prosody", {"partner.example": "kamailio"}, theirs={"sessions": True})
        alice, bob = house.person(ALICE), house.person(BOB)
        assert isinstance(alice, XmppPerson) and isinstance(bob, SipPerson)
        yield Scene(house, alice, bob)


def test_our_message_opens_a_session(scene: Scene) -> None:
    alice, bob = scene.alice, scene.bob.ua
    alice.says(scene.bob, "first words")
    invite = bob.wait_for("INVITE")
    assert "first words" not in str(invite) and "m=message" in invite.text
    session = bob.session(invite)
    session.wait_for("ACK")
    assert session.wait_for("MESSAGE").text == "first words"
    alice.client.message(BOB, extra="<composing xmlns='http://jabber.org/protocol/chatstates'/>")
    assert ">active<" in session.wait_for("MESSAGE", lambda got: got.content_type == COMPOSING).text
    alice.says(scene.bob, "second words")
    session.wait_for("MESSAGE", lambda got: got.text == "second words")
    assert len(bob.requests("INVITE")) == 1
    assert session.keyboard().status == 200
    alice.client.wait_for(f"message/{STATES}composing")
    assert session.message("an answer").status == 200
    assert alice.hears("an answer")["type"] == "chat"
    alice.client.message(BOB, extra="<gone xmlns='http://jabber.org/protocol/chatstates'/>")
    session.wait_for("BYE")
    assert session.message("to the dead").status == 481


def test_peer_opens_and_ends_a_session(scene: Scene) -> None:
    alice, bob = scene.alice, scene.bob.ua
    mark, seen = bob.mark(), alice.client.mark()
    session = bob.invite_session(f"sip:{ALICE}")
    assert session.opened.status == 200
    assert session.message("hello").status == 200
    alice.hears("hello")
    alice.says(scene.bob, "to the session that is there")
    session.wait_for("MESSAGE", lambda got: got.text == "to the session that is there")
    assert not bob.requests("INVITE", after=mark)
    assert session.bye().status == 200
    alice.client.wait_for(f"message/{STATES}gone", after=seen)
    alice.says(scene.bob, "to a new session")
    bob.wait_for("INVITE", after=mark)
    bob.wait_for("MESSAGE", lambda got: got.text == "to a new session", after=mark)
    alice.client.message(BOB, extra="<gone xmlns='http://jabber.org/protocol/chatstates'/>")
    bob.wait_for("BYE", after=mark)


def test_text_in_the_invitation_is_delivered_once(scene: Scene) -> None:
    # ms-body in ms-text-format: the text comes again as MESSAGE, since we do not claim to read it
    packed = "dGhlIGZpcnN0IG1lc3NhZ2U="
    headers = [("Ms-Text-Format", f"text/plain; charset=UTF-8;ms-body={packed}"), ("Supported", "ms-text-format")]
    session = scene.bob.ua.invite_session(f"sip:{ALICE}", headers)
    assert session.opened.status == 200 and "ms-text-format" not in str(session.opened).lower()
    assert session.message("the first message").status == 200
    scene.alice.hears("the first message")
    assert len(scene.alice.client.stanzas("message[body='the first message']")) == 1
    session.bye()


def test_calls_files_and_unknown_bodies_are_refused(scene: Scene) -> None:
    bob = scene.bob.ua
    audio = SDP.replace(b"m=message", b"m=audio")
    assert audio != SDP
    assert bob.invite_session(f"sip:{ALICE}", sdp=audio).opened.status == 488
    session = bob.invite_session(f"sip:{ALICE}")
    assert session.message("Application-Name: file", "text/x-msmsgsinvite").status == 606
    assert session.message("x", "image/png").status == 415
    assert session.message("<p>from <b>hyper</b>text</p>", "text/html").status == 200
    scene.alice.hears("from hypertext")
    session.bye()


def test_refused_call_is_an_error_to_who_wrote(scene: Scene) -> None:
    scene.bob.ua.answer("INVITE", 486, "Busy Here", times=1)
    name = scene.alice.client.message(BOB, "are you free?")
    scene.alice.client.wait_for(f"message[@id='{name}'][@type='error']/error/{{{_STANZAS}}}recipient-unavailable")


_STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"


def test_sessions_on_both_sides(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Lab(tmp_path_factory.mktemp("sessions-sip")) as lab:
        outside = {"partner.example": "kamailio"}
        house = build(lab, "kamailio", outside, own={"sessions": True}, theirs={"sessions": True})
        alice, bob = house.person(ALICE), house.person(BOB)
        assert isinstance(alice, SipPerson) and isinstance(bob, SipPerson)
        ours = alice.ua.invite_session(bob.ua.aor)
        assert (ours.opened.status, ours.message("one").status) == (200, 200)
        theirs = bob.ua.session(bob.ua.wait_for("INVITE"))
        assert theirs.wait_for("MESSAGE").text == "one"
        assert theirs.message("two").status == 200
        ours.wait_for("MESSAGE", lambda got: got.text == "two")
        assert (ours.typing().status, theirs.keyboard().status) == (200, 200)
        theirs.wait_for("MESSAGE", lambda got: got.content_type == COMPOSING)
        ours.wait_for("MESSAGE", lambda got: got.content_type == COMPOSING)
        assert ours.bye().status == 200
        theirs.wait_for("BYE")


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_own_server_over_plain_transports(tmp_path_factory: pytest.TempPathFactory, transport: str) -> None:
    with Lab(tmp_path_factory.mktemp(f"inside-{transport}")) as lab:
        house = build(lab, "kamailio", {"partner.example": "kamailio"}, transport=transport)
        alice, bob = house.person(ALICE, transport=transport), house.person(BOB)
        for one, other in ((alice, bob), (bob, alice)):
            other.shows("busy", f"{other.name} at it")
            one.watches(other)
            one.sees(other, "busy", f"{other.name} at it")
            one.says(other, f"from {one.name} over {transport}")
            other.hears(f"from {one.name} over {transport}")
