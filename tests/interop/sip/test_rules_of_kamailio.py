"""Levels exported to a real Kamailio presence server: no contact is shown more than his level, then or later."""

from collections.abc import Iterator

import pytest
from attrs import frozen

from gateway.offices.exchanging import Exchanging
from gateway.policy.access_level import Assignment, Member
from tests.stage import Stage

from ..lab import Lab
from ..scene import until
from .kamailio import Kamailio
from .test_levels_of_sip import ALICE, NEVER, SEEN, named, rich
from .ua import Subscription, Ua, user_agent

pytestmark = pytest.mark.interop

DEVICE = (
    "<dm:device id='d'><rpid:user-input>active</rpid:user-input><dm:deviceID>urn:canary-device</dm:deviceID>"
    "<dm:note>canary-note</dm:note></dm:device>"
)
SECOND = (
    "<tuple id='canary-device'><status><basic>open</basic></status><rpid:class>canary-class</rpid:class>"
    "<contact>sip:second@corp.example</contact><note>canary-note</note><note xml:lang='de'>canary-note</note></tuple>"
)


def document() -> str:
    """Everything of the tests of levels, with a second service, a device and notes everywhere."""
    return rich().replace("<dm:person", f"{SECOND}<dm:person").replace("</presence>", f"{DEVICE}</presence>")


def contact(level: str) -> str:
    """The contact who has a level."""
    return f"{level}@partner.example"


def exported(**levels: str) -> str:
    """What `gateway levels export --format kamailio` writes for contacts with these levels, given by name."""
    stage = Stage(level="blocked")
    for name, level in levels.items():
        stage.assignments.set(Assignment(ALICE, Member.parse(contact(name)), level))
    stage.assignments.set(Assignment(ALICE, Member.parse("partner.example"), "personal"))
    desk = Exchanging(stage.house, stage.assignments, lambda person: (), lambda pairs: None, stage.clock.seconds)
    return desk.levels_export(ALICE, "kamailio")["document"]


@frozen
class Scene:
    """A presence server that asks rules, a person with everything published, and contacts at another domain."""

    lab: Lab
    corp: Kamailio
    alice: Ua
    contacts: dict[str, Ua]

    def watch(self, name: str) -> Subscription:
        """Lets a contact subscribe and waits for what he is told."""
        watched = self.contacts[name].subscribe(self.alice.aor)
        assert watched.opened.status == 200
        watched.wait_for("NOTIFY")
        return watched


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The rules are there before anybody watches."""
    names = (*SEEN, "unnamed", "moved")
    with Lab(tmp_path_factory.mktemp("pres-rules")) as lab:
        corp = lab.kamailio("corp.example", users={"alice": ""}, rules=True, next_hop="tls:127.0.0.20:5061")
        lab.kamailio("partner.example", users=dict.fromkeys(names, ""), next_hop="tls:127.0.0.10:5061")
        lab.ready()
        alice = user_agent(lab, ALICE)
        contacts = {name: user_agent(lab, contact(name), transport="tcp") for name in names}
        assert all(one.register().status == 200 for one in (alice, *contacts.values()))
        assert alice.publish(document()).status == 200
        corp.set_rules("alice", exported(**{level: level for level in SEEN}, moved="personal"))
        yield Scene(lab, corp, alice, contacts)


def told(watched: Subscription) -> str:
    """All that a subscription has told."""
    return "\n".join(got.text for got in watched.notifications())


@pytest.mark.parametrize("level", SEEN)
def test_nobody_is_shown_more_than_his_level_however_often_he_asks(scene: Scene, level: str) -> None:
    fields = SEEN[level] if level == "personal" else set()
    first = scene.watch(level)
    again = scene.watch(level)
    assert first.refresh().status == 200
    scene.alice.publish(document())
    assert first.end().status == 200
    third = scene.watch(level)
    for watched in (first, again, third):
        assert named(told(watched)) == fields <= SEEN[level]
        assert level == "personal" or not [word for word in (*NEVER, "<tuple", "open") if word in told(watched)]
    assert again.end().status == third.end().status == 200


def test_whoever_has_no_rule_of_his_own_is_shown_nothing(scene: Scene) -> None:
    watched = scene.watch("unnamed")
    assert watched.notifications()[-1]["subscription-state"].startswith("pending")
    assert told(watched).strip() == ""
    assert watched.end().status == 200


def test_a_level_that_is_lowered_is_withheld_from_who_watches_and_who_asks_again(scene: Scene) -> None:
    watched = scene.watch("moved")
    assert SEEN["personal"] - {"last_active"} <= named(told(watched)) <= SEEN["personal"]
    before = len(watched.notifications())
    scene.corp.set_rules("alice", exported(**{level: level for level in SEEN}, moved="company"))
    until(lambda: len(watched.notifications()) > before, "the change is told", 3.0)
    scene.alice.publish(document())
    assert watched.refresh().status == 200
    again = scene.watch("moved")
    later = "\n".join(got.text for got in watched.notifications()[before:])
    assert named(later) == named(told(again)) == set()
    assert "canary" not in later + told(again)
