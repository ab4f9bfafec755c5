"""kill -9 of the gateway between the 202 for a MESSAGE and its delivery, with a real Kamailio and a real Prosody."""

import os
import signal
from collections.abc import Iterator

import pytest

from ..client import Client
from ..lab import Lab
from .crossing import PATIENCE, House, SipPerson, build

pytestmark = pytest.mark.interop

ALICE, BOB = "alice@corp.example", "bob@partner.example"
KILLS = 3
ACCEPTED = 202


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, sip_available: None) -> Iterator[House]:
    with Lab(tmp_path_factory.mktemp("durable-sip")) as lab:
        yield build(lab, "prosody", {"partner.example": "kamailio"})


def texts(alice: Client) -> list[str]:
    return [one.text("body") for one in alice.stanzas("message/body")]


def test_what_was_answered_202_arrives_once_after_a_kill(house: House) -> None:
    bob = house.person(BOB)
    assert isinstance(bob, SipPerson)
    (alice,) = house.lab.online(ALICE)
    prosody = house.lab.servers["corp.example"].process.pid
    bob.ua.message(f"sip:{ALICE}", "the link is up")
    alice.wait_for("message[body='the link is up']", PATIENCE)
    for turn in range(KILLS):
        text = f"accepted {turn}"
        os.killpg(prosody, signal.SIGSTOP)
        try:
            assert bob.ua.message(f"sip:{ALICE}", text).status == ACCEPTED
            house.gateway.kill()
        finally:
            os.killpg(prosody, signal.SIGCONT)
        house.gateway.start()
        alice.wait_for(f"message[body='{text}']", PATIENCE)
    bob.ua.message(f"sip:{ALICE}", "the last")
    alice.wait_for("message[body='the last']", PATIENCE)
    got = texts(alice)
    assert list(dict.fromkeys(got)) == ["the link is up", *(f"accepted {turn}" for turn in range(KILLS)), "the last"]
    for turn in range(KILLS):
        assert got.count(f"accepted {turn}") <= 1 + KILLS - turn, "once more at the most for each end of the link"
    assert got.count("the last") == 1
