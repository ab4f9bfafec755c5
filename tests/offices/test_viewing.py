"""What an administrator is shown is what leaves: byte for byte on every protocol, field for field in the marks."""

import re
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import evolve
from twisted.internet import reactor

from gateway.commands.values import in_words
from gateway.demo.stage import INSIDE, Policy
from gateway.demo.stage import Stage as Play
from gateway.demo.wire import Wire
from gateway.errors import CommandError
from gateway.model.envelope import Envelope, Side
from gateway.model.presence import Field, Presence, PresenceDocument, Show
from gateway.model.publication import Origin as Author
from gateway.offices.viewing import Viewing
from gateway.policy.access_level import Assignment, Member, Origin
from gateway.policy.partners import Lock
from tests.plugins.legs.sip.ocs_scene import Scene
from tests.policy.samples import value_of
from tests.stage import ALICE, BOB, DESK, FakeLeg, Stage

ME, HIM = str(ALICE), str(BOB)
NOTE = (("", "Budget"),)
BUSY = PresenceDocument({Field.AVAILABILITY: True, Field.SHOW: Show.DND, Field.NOTE: NOTE})
MICROSOFT = "application/msrtc-event-categories+xml, text/xml+msrtc.pidf, application/pidf+xml"


def made(**changes: Any) -> tuple[Stage, Viewing]:
    stage = Stage(**changes)
    return stage, Viewing(stage.house, {"inside": stage.inside, "xmpp": stage.outside})


# -- byte for byte ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["public", "company", "blocked"])
@pytest.mark.parametrize("accept", [None, MICROSOFT], ids=["pidf", "categories"])
def test_what_is_shown_is_the_body_of_the_notification(level: str, accept: str | None) -> None:
    scene = Scene(level)
    desk = Viewing(scene.house, scene.legs)
    scene.house.receive(Envelope(DESK, BOB, Presence(BUSY), Side.INTERNAL))
    scene.turn()
    scene.outside.taken()
    _, text = scene.watch(accept)
    assert desk.view(ME, HIM)["presence"] == {"xmpp": text}
    assert ("Budget" in text) is (level == "company")
    assert ("categories" in text) is (accept is not None)


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("level", ["public", "team"])
async def test_what_is_shown_is_the_stanza_on_the_wire(
    tmp_path: Path, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = bytearray()
    take = Wire.data_received

    def listening(self: Wire, chunk: bytes) -> None:
        if self.owner is play.servers["partner.example"]:
            heard.extend(chunk)
        take(self, chunk)

    monkeypatch.setattr(Wire, "data_received", listening)
    play = Play(tmp_path, Policy(level), reactor)
    play.open()
    await play.start()
    try:
        alice, bob = play.person("alice", INSIDE), play.person("bob", "partner.example")
        alice.publish(BUSY)
        bob.subscribe(alice.address)
        await play.until(lambda: alice.requests, "request")
        alice.approve(bob.address)
        await play.until(lambda: bob.sees(alice.address).available, "presence")
        await play.quiet()
        shown = play.daemon.view(ME, HIM)["presence"]["xmpp"]
    finally:
        await play.stop()
        await play.quiet()
        play.close()
    assert re.findall(rb"<presence [^>]*to='bob@partner.example'>.*?</presence>", heard) == [shown.encode()]
    assert ("Budget" in shown) is (level == "team")


# -- field for field -------------------------------------------------------------------------------------------------


def test_each_field_stands_beside_who_published_it_and_since_when() -> None:
    stage, desk = made(level="company")
    stage.befriend()
    stage.house.presence.say(ME, "ldap", Author.ADMINISTRATOR, {Field.PHONE_MOBILE: ("+12025550143",)})
    stage.online(note=NOTE)
    rows = {row["field"]: row for row in desk.view(ME, HIM)["fields"]}
    since = rows["phone.mobile"]["since"]
    assert rows["note"] == {
        "field": "note",
        "mark": "sent",
        "reason": "allowed",
        "origin": "client",
        "since": None,
        "value": "Budget",
    }
    assert rows["phone.mobile"] == {
        "field": "phone.mobile",
        "mark": "withheld",
        "reason": "level",
        "origin": "administrator",
        "since": since,
        "value": None,
    }
    assert since is not None and rows["mood"]["origin"] == "" and rows["mood"]["value"] is None


def test_what_is_withheld_is_shown_to_the_person_himself_only() -> None:
    stage, desk = made()
    stage.befriend()
    stage.online(note=NOTE)
    values = {
        origin: next(row["value"] for row in desk.view(ME, HIM, None, origin)["fields"] if row["field"] == "note")
        for origin in (Origin.PERSON, Origin.ADMINISTRATOR)
    }
    assert values == {Origin.PERSON: "Budget", Origin.ADMINISTRATOR: None}


def test_another_protocol_is_shown_as_though_it_were_spoken() -> None:
    stage, desk = made(level="company")
    other = FakeLeg("sip", carries=frozenset({Field.AVAILABILITY, Field.TITLE}))
    desk._legs = {**desk._legs, "sip": other}
    stage.befriend()
    stage.house.presence.say(ME, "ldap", Author.ADMINISTRATOR, {Field.TITLE: "Clerk"})
    stage.online()
    shown = desk.view(ME, HIM, "sip")["presence"]
    assert list(shown) == ["xmpp", "sip"]
    assert "title" in shown["sip"] and "title" not in shown["xmpp"]
    assert list(desk.view(ME, HIM, "xmpp")["presence"]) == ["xmpp"]
    with pytest.raises(CommandError, match="spoken: inside, sip, xmpp"):
        desk.view(ME, HIM, "smoke")
    with pytest.raises(CommandError, match="not spoken"):
        desk.view(ME, HIM, "echo")


@pytest.mark.parametrize("name", list(Field))
def test_every_value_can_be_said_in_words(name: Field) -> None:
    text = in_words(name, value_of(name))
    assert text and "\n" not in text and "object at" not in text


# -- explained -------------------------------------------------------------------------------------------------------


def test_the_policy_is_named_as_the_ledger_names_it() -> None:
    stage, desk = made()
    desk.policy_names = lambda: ("ab" * 32, "1.7")
    found = desk.explain(ME, HIM, "note")
    assert (found["configuration"], found["version"], found["policy"]) == ("ab" * 32, "1.7", stage.pairs.epoch)


def test_the_end_of_a_level_is_a_step_and_the_smallest_change_is_named() -> None:
    stage, desk = made()
    end = stage.clock.seconds() + 3600
    stage.assignments.set(Assignment(ME, Member.parse(HIM), "company", until=end))
    pair = stage.befriend()
    stage.house.presence.say(ME, "ldap", Author.ADMINISTRATOR, {Field.PHONE_MOBILE: ("+12025550143",)})
    stage.online()
    stage.pairs.refresh(pair)
    (found,) = desk.explain(ME, HIM, "phone.mobile")["fields"]
    (window,) = [step["finding"] for step in found["steps"] if step["step"] == "time window"]
    assert "until 1970-01-12T14:46:40Z" in window
    assert found["would_allow"] == f"give {HIM} one of the levels team, personal"
    assert found["smallest"] == f"give {HIM} the level team"
    stage.pairs.take(evolve(stage.pairs.rules, locks=(Lock(Field.PHONE_MOBILE),)))
    (found,) = desk.explain(ME, HIM, "phone.mobile")["fields"]
    assert found["smallest"] is None and " and " in str(found["would_allow"])
