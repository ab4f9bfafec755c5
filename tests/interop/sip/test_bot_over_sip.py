"""The bot from a SIP client, behind a real Kamailio: what a person says in MESSAGEs changes what a contact sees."""

from collections.abc import Iterator

import pytest

from ..lab import Lab
from ..scene import table
from .crossing import PATIENCE, House, SipPerson, XmppPerson, build

pytestmark = pytest.mark.interop

BOT = "access@gateway.example"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A Kamailio inside, a Prosody outside."""
    with Lab(tmp_path_factory.mktemp("bot_over_sip")) as lab:
        yield build(
            lab, "kamailio", {"partner.example": "prosody"}, level="public", tables=(table("bot", address=BOT),)
        )


def say(alice: SipPerson, text: str, answer: str) -> str:
    """Alice writes to the bot; gives its answer, which has these words."""
    assert alice.ua.message(f"sip:{BOT}", text).status in (200, 202)
    return alice.ua.wait_for("MESSAGE", lambda got: answer in got.text, PATIENCE).text


def test_a_level_that_is_given_from_a_sip_client_is_felt_over_xmpp(house: House) -> None:
    alice, bob = house.person("alice@corp.example"), house.person("bob@partner.example")
    assert isinstance(alice, SipPerson) and isinstance(bob, XmppPerson)
    assert "everybody outside" in say(alice, "help", "Say:")
    alice.shows("busy", "Budget call")
    bob.watches(alice)
    assert "Budget call" not in bob.sees(alice, "<show>")
    assert "bob@partner.example" in say(alice, "who", "or ask to:")
    say(alice, "bob company", "Save?")
    say(alice, "yes", "has Company now")
    bob.sees(alice, "Budget call")
