"""A partner behind whose edge a client asks as Communicator asks another organisation's people (scripted)."""

from pathlib import Path

import pytest

from ..lab import Lab
from ..scene import give
from .crossing import SipPerson, XmppPerson, build

pytestmark = pytest.mark.interop

CATEGORIES = "application/msrtc-event-categories+xml"
ACCEPT = f"{CATEGORIES}, text/xml+msrtc.pidf, application/xpidf+xml, application/pidf+xml, application/rlmi+xml"


def test_partner_that_reads_categories_is_told_what_the_level_permits(tmp_path: Path) -> None:
    with Lab(tmp_path) as lab:
        house = build(lab, "prosody", {"partner.example": "kamailio"}, people=("alice",), contacts=("bob",))
        alice, bob = house.person("alice@corp.example"), house.person("bob@partner.example")
        assert isinstance(alice, XmppPerson) and isinstance(bob, SipPerson)
        alice.shows("busy", "Budget")
        watched = bob.ua.subscribe(f"sip:{alice.name}", accept=ACCEPT)
        alice.lets(bob)
        got = watched.wait_for("NOTIFY", lambda got: "Budget" in got.text, 8.0)
        assert got.content_type == CATEGORIES and "<availability>6500</availability>" in got.text
        give(house.gateway, alice.name, bob.name, "public")
        got = watched.wait_for("NOTIFY", lambda got: "6500" in got.text and "Budget" not in got.text, 8.0)
        assert got.content_type == CATEGORIES
        give(house.gateway, alice.name, bob.name, "blocked")
        watched.wait_for("NOTIFY", lambda got: "<availability>18500</availability>" in got.text, 8.0)
        for one in bob.ua.messages(lambda got: not got.sent):
            assert not [name for name, _ in one.headers if name.lower().startswith("ms-")]
