"""Our own Kamailio as a presence server: its watcher information, and contacts' presence published at it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..lab import Lab
from ..scene import until
from .crossing import House, SipPerson, XmppPerson, build
from .kamailio import Kamailio

pytestmark = pytest.mark.interop

RULES = """<?xml version="1.0" encoding="UTF-8"?>
<ruleset xmlns="urn:ietf:params:xml:ns:common-policy" xmlns:pr="urn:ietf:params:xml:ns:pres-rules">
<rule id="r"><conditions><identity><one id="sip:bob@ally.example"/></identity></conditions>
<actions><pr:sub-handling>{handling}</pr:sub-handling></actions>
<transformations><pr:provide-services><pr:all-services/></pr:provide-services>
<pr:provide-persons><pr:all-persons/></pr:provide-persons><pr:provide-all-attributes/></transformations></rule>
</ruleset>
"""


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A lab of its own for each test."""
    with Lab(tmp_path) as made:
        yield made


def _ours(house: House) -> Kamailio:
    server = house.lab.servers["corp.example"]
    assert isinstance(server, Kamailio)
    return server


@pytest.mark.parametrize(("handling", "answer"), [("allow", "subscribed"), ("block", "unsubscribed")])
def test_what_a_person_decides_about_who_waits_reaches_him(lab: Lab, handling: str, answer: str) -> None:
    house = build(lab, "kamailio", {"ally.example": "prosody"}, server={"rules": True, "watch": True})
    kamailio = _ours(house)
    kamailio.set_rules("alice", RULES.format(handling="confirm"))
    alice, bob = house.person("alice@corp.example"), house.person("bob@ally.example")
    assert isinstance(alice, SipPerson) and isinstance(bob, XmppPerson)
    alice.shows("busy", "decided")
    bob.watches(alice)
    asked = "SUBSCRIBE sip:alice@corp.example from sip:alice@corp.example"
    kamailio.wait_for_log(asked, 8.0)
    assert bob.latest(alice) == ""
    mark = bob.client.mark()
    kamailio.set_rules("alice", RULES.format(handling=handling))
    bob.client.wait_for(f"presence[@type='{answer}'][@from='alice@corp.example']", 10.0, after=mark)
    if handling == "allow":
        bob.sees(alice, "busy", "decided")


def test_a_contact_is_published_at_our_own_server_and_taken_away(lab: Lab) -> None:
    house = build(lab, "kamailio", {"ally.example": "prosody"}, own={"publish": True}, server={"contacts": True})
    kamailio = _ours(house)
    alice, bob = house.person("alice@corp.example"), house.person("bob@ally.example")
    assert isinstance(bob, XmppPerson)
    alice.watches(bob)
    bob.lets(alice)
    bob.shows("busy", "published for all")
    until(lambda: "published for all" in kamailio.published("bob", "ally.example"), "bob is published", 10.0)
    assert "sip:bob@ally.example" in kamailio.published("bob", "ally.example")
    bob.shows("away", "another")
    until(lambda: "another" in kamailio.published("bob", "ally.example"), "the change is published", 10.0)
    assert "published for all" not in kamailio.published("bob", "ally.example")
    bob.client.raw("<presence type='unavailable'/>")
    until(lambda: kamailio.published("bob", "ally.example") == "", "it is taken away", 10.0)
