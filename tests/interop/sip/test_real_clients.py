"""baresip as a real SIP client, inside and outside."""

from collections.abc import Iterator

import pytest

from ..lab import Lab
from .baresip import baresip
from .crossing import House, SipPerson, XmppPerson, build

pytestmark = pytest.mark.interop

BOB = "bob@partner.example"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Kamailio inside and outside, and a Prosody outside."""
    with Lab(tmp_path_factory.mktemp("baresip")) as lab:
        outside = {"partner.example": "kamailio", "ally.example": "prosody"}
        yield build(lab, "kamailio", outside, people=("alice", "carol"), contacts=("bob", "carol"))


def test_client_inside_and_client_outside(house: House) -> None:
    carol = baresip(house.lab, "carol@corp.example", BOB)
    bob = baresip(house.lab, BOB, "carol@corp.example")
    carol.online()
    bob.online()
    carol.wait_to_see(f"sip:{BOB}", "Online", 10.0)
    bob.wait_to_see("sip:carol@corp.example", "Online", 10.0)
    carol.message("from inside")
    assert bob.wait_for_message("from inside") == "sip:carol@corp.example"
    bob.message("from outside")
    assert carol.wait_for_message("from outside") == f"sip:{BOB}"
    bob.online(False)
    carol.wait_to_see(f"sip:{BOB}", "Offline", 10.0)
    carol.kill()
    bob.kill()


def test_client_inside_and_xmpp_contact(house: House) -> None:
    dave = house.person("carol@ally.example")
    assert isinstance(dave, XmppPerson) and not isinstance(dave, SipPerson)
    dave.shows("", "here")
    alice = baresip(house.lab, "alice@corp.example", "carol@ally.example")
    dave.client.wait_for("presence[@type='subscribe'][@from='alice@corp.example']")
    dave.client.approve("alice@corp.example")
    alice.wait_to_see("sip:carol@ally.example", "Online", 10.0)
    alice.message("from baresip")
    assert dave.hears("from baresip")["from"].split("/")[0] == "alice@corp.example"
    dave.client.message("alice@corp.example", "from slixmpp")
    assert alice.wait_for_message("from slixmpp") == "sip:carol@ally.example"
    dave.client.presence(type="unavailable")
    alice.wait_to_see("sip:carol@ally.example", "Offline", 10.0)
