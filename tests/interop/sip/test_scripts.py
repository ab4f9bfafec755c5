"""SIPp's scripts as our own server: many messages, and a subscription from its beginning to its end."""

import re
from collections.abc import Iterator
from threading import Thread

import pytest
from attrs import frozen

from ..client import Client
from ..gateway import Gateway
from ..lab import Lab
from ..scene import READY, partner, table, until
from .crossing import sip_configuration
from .sipp import HERE, sipp

pytestmark = pytest.mark.interop

BOB, ALICE = "bob@partner.example", "alice@corp.example"
GATEWAY = "127.0.0.100:5060"


@frozen
class Scene:
    """SIPp inside, bob on XMPP outside."""

    lab: Lab
    gateway: Gateway
    bob: Client


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The inside is whatever speaks from the address of our own server."""
    with Lab(tmp_path_factory.mktemp("scripts")) as lab:
        inside = table("inside", kind="sip", connect=f"{HERE}:5060", listen=[GATEWAY], transport="udp")
        gateway = lab.gateway(sip_configuration(lab, partner("partner.example"), inside=inside), ready=READY)
        lab.prosody("partner.example", users={"bob": "pw"}, view="public", trust=[lab.pki.ca], dialback=False)
        lab.ready()
        (bob,) = lab.online(BOB)
        yield Scene(lab, gateway, bob)


def test_two_hundred_messages_are_accepted_and_arrive_once(scene: Scene) -> None:
    verdict = sipp(scene.lab, "messages", GATEWAY, calls=200, rate=150, person=ALICE, contact=BOB)
    assert verdict.status == 0, verdict.said

    def numbers() -> list[int]:
        found = [re.search(r"number (\d+) of SIPp", got.xml) for got in scene.bob.stanzas("message")]
        return [int(one[1]) for one in found if one]

    until(lambda: len(numbers()) >= 200, "200 messages", 10.0)
    assert sorted(numbers()) == list(range(1, 201))


def test_subscription_from_its_beginning_to_its_end(scene: Scene) -> None:
    bob = scene.bob
    bob.presence("", "at the stage")

    def approves() -> None:
        bob.wait_for(f"presence[@type='subscribe'][@from='{ALICE}']", 10.0)
        bob.approve(ALICE)

    approval = Thread(target=approves)
    approval.start()
    verdict = sipp(scene.lab, "subscription", GATEWAY, calls=1, rate=1, person=ALICE, contact=BOB)
    approval.join()
    assert verdict.status == 0, verdict.said
