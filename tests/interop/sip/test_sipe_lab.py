"""A real client of Communicator's protocol in the lab, without the gateway."""

from collections.abc import Iterator

import pytest
from attrs import frozen

from ..lab import Lab
from .finch import Finch, finch
from .ocs import OcsServer
from .ocs_state import BLOCKED, COMPANY, PUBLIC, TEAM
from .ua import Ua, user_agent

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("sipe_available")]

CORP, PARTNER = "127.0.0.10", "127.0.0.20"


@frozen
class Cast:
    """alice and carol with SIPE at the stand-in for an Office Communications Server, bob at a Kamailio."""

    corp: OcsServer
    alice: Finch
    carol: Finch
    bob: Ua


@pytest.fixture(scope="module")
def cast(tmp_path_factory: pytest.TempPathFactory, sipe_available: None) -> Iterator[Cast]:
    """Two domains that send each other everything over TCP."""
    with Lab(tmp_path_factory.mktemp("sipe")) as lab:
        lab.kamailio("partner.example", users={"bob": ""}, next_hop=f"tcp:{CORP}:5060")
        contacts = {
            "alice": ("sip:carol@corp.example", "sip:bob@partner.example"),
            "carol": ("sip:alice@corp.example",),
        }
        users = {"alice": "", "carol": ""}
        corp = lab.server(OcsServer, "corp.example", users=users, contacts=contacts, next_hop=f"tcp:{PARTNER}:5060")
        bob = user_agent(lab, "bob@partner.example")
        bob.register()
        bob.publish(note="at his desk")
        yield Cast(corp, finch(lab, "alice@corp.example"), finch(lab, "carol@corp.example"), bob)


@pytest.fixture(autouse=True)
def without_problem(cast: Cast) -> Iterator[None]:
    """The stand-in must not have stumbled."""
    yield
    assert not cast.corp.events("problem")


def test_first_sign_in_fills_the_containers(cast: Cast) -> None:
    cast.corp.wait_for("members", lambda event: event["user"] == "sip:carol@corp.example")
    for user in ("alice", "carol"):
        assert cast.corp.members(user) == {COMPANY: [("sameEnterprise", "")], PUBLIC: [("federated", "")]}


def test_colleagues_see_and_reach_each_other(cast: Cast) -> None:
    cast.carol.wait_to_see("alice@corp.example", "available")
    cast.alice.set_status("do-not-disturb", "Quarterly review")
    cast.carol.wait_to_see("alice@corp.example", "do-not-disturb", "Quarterly review")
    cast.alice.message("carol@corp.example", "lunch?")
    assert cast.carol.wait_for_message("lunch?") == "sip:alice@corp.example"
    cast.carol.message("alice@corp.example", "gladly")
    cast.alice.wait_for_message("gladly")


def test_level_changed_in_the_menu_moves_a_contact_between_containers(cast: Cast) -> None:
    cast.alice.set_access_level("carol@corp.example", "Team")
    moved = cast.corp.wait_for("members", lambda event: str(TEAM) in event["members"])
    assert moved["members"][str(TEAM)] == [["user", "carol@corp.example"]]
    cast.alice.set_access_level("carol@corp.example", "Blocked")
    cast.corp.wait_for("members", lambda event: str(BLOCKED) in event["members"])
    cast.carol.wait_to_see("alice@corp.example", "offline")
    assert cast.corp.members("alice")[BLOCKED] == [("user", "carol@corp.example")]


def test_contact_outside_is_seen_by_his_own_document(cast: Cast) -> None:
    cast.alice.wait_to_see("bob@partner.example", "available")
    cast.bob.publish(basic="closed")
    cast.alice.wait_to_see("bob@partner.example", "offline")
    cast.bob.publish()


def test_contact_outside_sees_what_his_container_shows(cast: Cast) -> None:
    cast.alice.set_status("busy", "Budget")
    watched = cast.bob.subscribe("sip:alice@corp.example", accept="application/msrtc-event-categories+xml")
    assert watched.opened.status == 200
    seen = watched.wait_for("NOTIFY", lambda got: "<availability>6500" in got.text)
    assert seen.content_type == "application/msrtc-event-categories+xml" and "Budget" not in seen.text
    cast.alice.set_access_level("bob@partner.example", "Personal")
    watched.wait_for("NOTIFY", lambda got: "Budget" in got.text)
    cast.alice.set_access_level("bob@partner.example", "Blocked")
    last = watched.wait_for("NOTIFY", lambda got: "<availability>18500" in got.text)
    assert "Budget" not in last.text
    watched.end()


def test_session_with_a_contact_outside(cast: Cast) -> None:
    cast.alice.message("bob@partner.example", "hello bob")
    invited = cast.bob.wait_for("INVITE")
    session = cast.bob.session(invited)
    assert "m=message" in invited.text
    got = session.wait_for("MESSAGE")
    assert got.text == "hello bob" and "ms-body=" in invited["ms-text-format"]
    assert session.message("hello alice").status == 200
    assert cast.alice.wait_for_message("hello alice") == "sip:bob@partner.example"
    cast.alice.typing("bob@partner.example")
    assert 'status="type"' in session.wait_for("INFO").text
    assert session.bye().status == 200
