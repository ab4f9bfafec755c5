"""What people decide about themselves, and what their contacts learn of it at once."""

from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import succeed

from gateway.errors import CommandError
from gateway.model.message import ChatState, Message
from gateway.model.presence import Field
from gateway.model.publication import Origin, Publication
from gateway.offices.administration import Administration
from gateway.offices.choices import Choices
from gateway.policy.access_level import Origin as By
from gateway.policy.settings import Feature, Rule, Subject
from tests.stage import ALICE, BOB, CAROL, Stage, documents

ME, HIM = str(ALICE), str(BOB)


class Words:
    """Keeps the word of people in dictionaries."""

    def __init__(self) -> None:
        self.said: dict[str, dict[Field, Publication]] = {}
        self.switched: dict[str, dict[Subject, bool]] = {}

    def published(self, person: str) -> dict[Field, Publication]:
        return self.said.get(person, {})

    def settings(self, person: str) -> dict[Subject, bool]:
        return self.switched.get(person, {})

    def publish(self, person: str, name: Field, value: Any, now: float) -> Any:
        self.said.setdefault(person, {})[name] = Publication(value, Origin.PERSON, now)
        return succeed(None)

    def switch(self, person: str, about: Subject, on: bool | None, now: float) -> Any:
        mine = self.switched.setdefault(person, {})
        mine.pop(about, None)
        if on is not None:
            mine[about] = on
        return succeed(None)


def made(*rules: Rule, level: str = "team") -> tuple[Stage, Choices]:
    words = Words()
    stage = Stage(level=level, settings=rules, own_settings=words.settings)
    stage.befriend()
    stage.online(note=(("", "in the office"),))
    return stage, Choices(stage.house, words, stage.clock.seconds)


@pytest_twisted.ensureDeferred
async def test_a_note_that_is_published_stands_beneath_what_the_client_says() -> None:
    stage, choices = made()
    told = await choices.publish_set(ME, "note", "back at two")
    assert told["seen_by"] == [HIM]
    assert stage.outside.taken() == []
    assert documents(stage.online())[-1][Field.NOTE] == (("", "back at two"),)
    await choices.publish_unset(ME, "note")
    assert Field.NOTE not in documents(stage.outside.taken())[-1]


@pytest_twisted.ensureDeferred
async def test_what_a_person_switches_off_is_withdrawn_at_once_and_comes_back() -> None:
    stage, choices = made()
    told = await choices.publish_switch(ME, "note", "off")
    assert told["withheld_by"] == "you"
    assert Field.NOTE not in documents(stage.outside.taken())[-1]
    await choices.publish_switch(ME, "note", "default")
    assert Field.NOTE in documents(stage.outside.taken())[-1]


@pytest_twisted.ensureDeferred
async def test_hiding_what_a_watcher_may_not_see_tells_him_nothing() -> None:
    stage, choices = made(level="public")
    await choices.publish_switch(ME, "note", "off")
    await choices.publish_set(ME, "phone.mobile", "+1 202 555 0143")
    assert stage.outside.taken() == []


@pytest_twisted.ensureDeferred
async def test_what_is_locked_cannot_be_widened_and_the_refusal_names_the_layer() -> None:
    stage, choices = made(Rule(Field.NOTE, on=False, group="", locked=True))
    with pytest.raises(CommandError, match="your administrator, for everybody"):
        await choices.publish_switch(ME, "note", "on")
    assert stage.outside.taken() == []


@pytest_twisted.ensureDeferred
async def test_a_default_that_is_not_locked_can_be_widened() -> None:
    stage, choices = made(Rule(Field.NOTE, on=False))
    await choices.publish_switch(ME, "note", "on")
    assert Field.NOTE in documents(stage.outside.taken())[-1]


@pytest_twisted.ensureDeferred
async def test_a_feature_that_is_off_does_not_cross() -> None:
    stage, choices = made()
    await choices.publish_switch(ME, "typing", "off")
    assert stage.from_inside(ALICE, BOB, Message(chat_state=ChatState.COMPOSING)) == []
    assert choices.publish_list(ME) == [] and choices._refusals(ME)[Feature.TYPING].layer.name == "PERSON"


@pytest.mark.parametrize(
    ("field", "value"),
    [("title", "x"), ("phone.mobile", "call me"), ("phone.home", ""), ("note", " "), ("note", "x" * 501)],
)
@pytest_twisted.ensureDeferred
async def test_what_makes_no_sense_is_refused(field: str, value: str) -> None:
    stage, choices = made()
    with pytest.raises(CommandError):
        await choices.publish_set(ME, field, value)
    assert stage.outside.taken() == []


def test_the_effect_of_a_level_is_told_and_changes_nothing() -> None:
    stage, choices = made(level="company")
    effect = choices.levels_preview(ME, HIM, "public")
    assert (effect["before"], effect["level"]) == ("company", "public")
    assert effect["loses"] == ["note"] and effect["gains"] == [] and "availability" in effect["sees"]
    assert stage.outside.taken() == []
    assert stage.pairs.of(ALICE, BOB).facts.level.name == "company"


def test_contacts_are_those_who_see_ask_or_were_given_a_level() -> None:
    stage, choices = made()
    stage.pairs.of(ALICE, CAROL)
    assert [row["contact"] for row in choices.contacts_list(ME)] == [HIM]
    stage.level("company", CAROL)
    rows = {row["contact"]: row for row in choices.contacts_list(ME)}
    assert rows[str(CAROL)]["level"] == "company" and not rows[str(CAROL)]["watches"]
    assert rows[HIM]["watches"]


@pytest_twisted.ensureDeferred
async def test_a_level_for_a_time_ends_by_itself_and_takes_back_what_it_gave() -> None:
    stage, _ = made(level="public")
    desk = Administration(stage.house, stage.assignments, {}, dict, stage.clock.seconds)
    await desk.levels_set(ME, HIM, "team", "2h", origin=By.PERSON)
    assert Field.NOTE in documents(stage.outside.taken())[-1]
    stage.clock.advance(7199)
    stage.house.tick()
    assert stage.outside.taken() == []
    stage.clock.advance(1)
    stage.house.tick()
    assert Field.NOTE not in documents(stage.outside.taken())[-1]


@pytest_twisted.ensureDeferred
async def test_a_person_does_not_change_what_an_administrator_has_locked() -> None:
    stage, _ = made(level="public")
    desk = Administration(stage.house, stage.assignments, {}, dict, stage.clock.seconds)
    await desk.levels_set(ME, HIM, "company", lock="yes")
    stage.outside.taken()
    for change in (desk.levels_set(ME, HIM, "personal", origin=By.PERSON), desk.levels_unset(ME, HIM, By.PERSON)):
        with pytest.raises(CommandError, match="locked"):
            await change
    with pytest.raises(CommandError, match="only an administrator"):
        await desk.levels_set(ME, HIM, "team", lock="yes", origin=By.PERSON)
    assert stage.outside.taken() == []
