"""Communicator's client signed in to a plain SIP server with the gateway behind it."""

from collections.abc import Iterator

import pytest
from attrs import frozen

from ..client import Client
from ..lab import Lab
from ..scene import until
from .crossing import House, XmppPerson, build
from .finch import Finch, finch

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("sipe_available")]

ALICE, BOB = "alice@corp.example", "bob@partner.example"
PATIENCE = 9.0


@frozen
class Cast:
    """alice with SIPE at a Kamailio, bob with XMPP outside."""

    house: House
    alice: Finch
    bob: Client


@pytest.fixture(scope="module")
def cast(tmp_path_factory: pytest.TempPathFactory, sipe_available: None) -> Iterator[Cast]:
    """Nobody has asked to see anybody."""
    with Lab(tmp_path_factory.mktemp("sipe-at-kamailio")) as lab:
        house = build(lab, "kamailio", {"partner.example": "prosody"}, own={"sessions": True})
        bob = house.person(BOB)
        assert isinstance(bob, XmppPerson)
        bob.shows("", "here")
        yield Cast(house, finch(lab, ALICE, BOB), bob.client)


def test_first_text_of_a_session_arrives_once(cast: Cast) -> None:
    cast.alice.message(BOB, "hello from SIPE")
    got = cast.bob.wait_for("message[body='hello from SIPE']", PATIENCE)
    assert got["from"].split("/")[0] == ALICE
    cast.alice.message(BOB, "and once more")
    cast.bob.wait_for("message[body='and once more']", PATIENCE)
    assert len(cast.bob.stanzas("message[body='hello from SIPE']")) == 1


def test_answer_is_shown_in_the_window(cast: Cast) -> None:
    cast.bob.message(ALICE, "hello from XMPP")
    assert cast.alice.wait_for_message("hello from XMPP", PATIENCE) == f"sip:{BOB}"
    assert [text for _, text in cast.alice.received()].count("hello from XMPP") == 1


def test_typing_is_seen_on_either_side(cast: Cast) -> None:
    mark = cast.bob.mark()
    cast.alice.typing(BOB)
    cast.bob.wait_for(lambda got: "<composing " in got.xml, PATIENCE, after=mark)
    cast.bob.raw(
        f"<message to='{ALICE}' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>"
    )
    until(lambda: cast.alice.is_told_typing(BOB), "bob types, in the client's own eyes", PATIENCE)


def test_nothing_has_stumbled(cast: Cast) -> None:
    assert "event failed" not in cast.house.gateway.log
    assert "hello from" not in cast.house.gateway.log
