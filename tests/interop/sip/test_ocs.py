"""A real client of Communicator's protocol inside, XMPP outside, the gateway between: what each sees of the other.

The client is SIPE in finch; its server is the stand-in of this lab, for there is no Office Communications Server here.
"""

from collections.abc import Iterator

import pytest
from attrs import frozen

from ..client import Client
from ..gateway import Gateway
from ..lab import Lab
from ..scene import READY, configuration, partner, table, tell, until
from .finch import Finch, finch
from .ocs import OcsServer

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("sipe_available")]

ALICE, BOB = "alice@corp.example", "bob@partner.example"
SERVER, GATEWAY = "127.0.0.10:5060", "127.0.0.100:5060"
PATIENCE = 9.0
"""Seconds: a NOTIFY may wait 5 for its turn (RFC 3856 section 6.10)."""


@frozen
class Cast:
    """alice with SIPE inside, bob with XMPP outside; each sees the other."""

    corp: OcsServer
    gateway: Gateway
    alice: Finch
    bob: Client

    def seen(self) -> str:
        """The latest presence of alice that bob has."""
        got = [one for one in self.bob.stanzas("presence") if one["from"].startswith(ALICE)]
        told = [one.xml for one in got if one["type"] in ("", "unavailable")]
        return told[-1] if told else ""

    def level(self) -> dict[str, str]:
        """The level that bob has in alice's eyes, and what gives it."""
        shown = tell(self.gateway, "levels", "show", owner=ALICE, contact=BOB)
        return {"level": shown["level"], "source": shown["level_source"]}


@pytest.fixture(scope="module")
def cast(tmp_path_factory: pytest.TempPathFactory, sipe_available: None) -> Iterator[Cast]:
    """Everybody is friends with everybody; the gateway itself gives outside contacts the level Public."""
    with Lab(tmp_path_factory.mktemp("ocs")) as lab:
        inside = table("inside", kind="sip", connect=SERVER, listen=[GATEWAY], transport="tcp", sessions=True)
        config = configuration(lab, partner("partner.example"), inside=inside, level="public")
        gateway = lab.gateway(config, ready=READY)
        lab.prosody("partner.example", users={"bob": "pw"}, view="public", trust=[lab.pki.ca])
        contacts = {"alice": (f"sip:{BOB}",)}
        plan = {"users": {"alice": ""}, "contacts": contacts, "next_hop": f"tcp:{GATEWAY}"}
        corp = lab.server(OcsServer, "corp.example", **plan)
        lab.ready()
        (bob,) = lab.online(BOB)
        alice = finch(lab, ALICE)
        bob.wait_for(f"presence[@type='subscribe'][@from='{ALICE}']", PATIENCE)
        bob.approve(ALICE)
        bob.subscribe(ALICE)
        bob.wait_for(f"presence[@type='subscribed'][@from='{ALICE}']", PATIENCE)
        yield Cast(corp, gateway, alice, bob)


@pytest.fixture(autouse=True)
def without_problem(cast: Cast) -> Iterator[None]:
    """Neither the stand-in nor the gateway has stumbled."""
    yield
    assert not cast.corp.events("problem")
    assert "event failed" not in cast.gateway.log


def test_client_sees_the_contact(cast: Cast) -> None:
    cast.bob.presence("", "here I am")
    cast.alice.wait_to_see(BOB, "available", "here I am", PATIENCE)
    told = cast.corp.wait_for("request", lambda told: told["method"] == "NOTIFY" and "here I am" in told["body"])
    assert told["type"] == "application/msrtc-event-categories+xml"
    cast.bob.presence("dnd", "")
    cast.alice.wait_to_see(BOB, "busy", timeout=PATIENCE)
    cast.bob.presence("away", "lunch")
    cast.alice.wait_to_see(BOB, "away", "lunch", PATIENCE)


def test_contact_sees_the_client(cast: Cast) -> None:
    cast.alice.set_status("busy", "Budget")
    until(lambda: "<show>dnd</show>" in cast.seen(), "busy", PATIENCE)
    assert "Budget" not in cast.seen()


def test_messages_and_typing_in_a_session(cast: Cast) -> None:
    cast.alice.message(BOB, "hello bob")
    cast.bob.wait_for("message[body='hello bob']", PATIENCE)
    assert cast.corp.wait_for("request", lambda told: told["method"] == "INVITE" and told["receiver"] == f"sip:{BOB}")
    cast.bob.message(ALICE, "hello alice")
    assert cast.alice.wait_for_message("hello alice", PATIENCE) == f"sip:{BOB}"
    mark = cast.bob.mark()
    cast.alice.typing(BOB)
    cast.bob.wait_for(lambda got: "<composing " in got.xml, PATIENCE, after=mark)
    assert not cast.alice.is_told_typing(BOB)
    cast.bob.raw(
        f"<message to='{ALICE}' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>"
    )
    until(lambda: cast.alice.is_told_typing(BOB), "bob types, in the client's own eyes", PATIENCE)
    texts = [one.xml for one in cast.bob.stanzas("message") if "hello bob" in one.xml]
    assert len(texts) == 1
    assert [text for _, text in cast.alice.received()].count("hello alice") == 1


def test_level_given_in_the_menu_is_what_the_contact_sees(cast: Cast) -> None:
    cast.alice.set_status("busy", "Budget")
    until(lambda: cast.level() == {"level": "public", "source": "client, for federation"}, "Public, by container 100")
    cast.alice.set_access_level(BOB, "Company")
    until(lambda: "Budget" in cast.seen(), "the note, at level Company", PATIENCE)
    assert cast.level() == {"level": "company", "source": f"client, for {BOB}"}
    cast.alice.set_access_level(BOB, "Blocked")
    until(lambda: 'type="unavailable"' in cast.seen(), "nobody there, at level Blocked", PATIENCE)
    assert cast.level() == {"level": "blocked", "source": f"client, for {BOB}"}
    cast.alice.set_access_level(BOB, "Personal")
    until(lambda: "Budget" in cast.seen(), "the note, at level Personal", PATIENCE)
    assert cast.level()["level"] == "personal"


def test_what_the_administrator_has_entered_stays(cast: Cast) -> None:
    tell(cast.gateway, "levels", "set", owner=ALICE, contact=BOB, level="public")
    cast.alice.set_access_level(BOB, "Team")
    cast.corp.wait_for("members", lambda told: ["user", BOB] in told["members"].get("300", []))
    until(lambda: "Budget" not in cast.seen(), "no note, at level Public", PATIENCE)
    assert cast.level() == {"level": "public", "source": f"administrator, for {BOB}"}


def test_levels_and_what_is_heard_of_them_survive_a_restart(cast: Cast) -> None:
    tell(cast.gateway, "levels", "unset", owner=ALICE, contact=BOB)
    cast.alice.set_access_level(BOB, "Blocked")
    until(lambda: cast.level()["level"] == "blocked", "Blocked")
    cast.gateway.restart()
    assert cast.level() == {"level": "blocked", "source": f"client, for {BOB}"}
    cast.alice.set_access_level(BOB, "Team")
    until(lambda: "Budget" in cast.seen(), "the note, at level Team", PATIENCE)
    assert cast.level()["level"] == "team"
