"""What directories are asked, when they are asked again, and what happens when they fail."""

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from gateway.books.directories import AGAIN_SECONDS, MOST_AT_ONCE, Directories
from gateway.errors import GatewayError
from gateway.interfaces import Entry
from gateway.metrics import Metrics
from gateway.model.address import Address
from gateway.model.presence import Field
from gateway.model.publication import Origin

ALICE, CAROL = Address.parse("alice@corp.example"), Address.parse("carol@corp.example")


class Staff:
    """A directory that answers when the test says so."""

    origin = Origin.ADMINISTRATOR

    def __init__(self, name: str = "staff") -> None:
        self.name = name
        self.questions: list[tuple[Address, Deferred[Entry | None]]] = []

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def look_up(self, person: Address) -> Deferred[Entry | None]:
        answer: Deferred[Entry | None] = Deferred()
        self.questions.append((person, answer))
        return answer

    def answer(self, title: str | None, *groups: str, ends: float | None = None) -> None:
        _, waiting = self.questions.pop(0)
        waiting.callback(Entry({} if title is None else {Field.TITLE: title}, frozenset(groups), ends))

    def fail(self, problem: Exception) -> None:
        self.questions.pop(0)[1].errback(problem)


class Calendar(Staff):
    """A directory that is no administrator's."""

    origin = Origin.CALENDAR


class Room:
    """Directories, and all that they bring about."""

    def __init__(self, *directories: Staff) -> None:
        self.now = 1000.0
        self.said: list[tuple[str, str, dict[Field, Any]]] = []
        self.regrouped: list[str] = []
        self.metrics = Metrics()
        self.asked = Directories(
            directories,
            lambda person, name, origin, values: self.said.append((person, name, dict(values))),
            self.regrouped.append,
            self.metrics,
            lambda: self.now,
        )


def test_somebody_is_asked_about_once() -> None:
    staff = Staff()
    room = Room(staff)
    room.asked.meet(ALICE)
    room.asked.meet(ALICE)
    assert [person for person, _ in staff.questions] == [ALICE]
    staff.answer("Head of Budget", "board")
    assert room.said == [(ALICE, "staff", {Field.TITLE: "Head of Budget"})]
    assert room.asked.groups(ALICE) == {"board"}
    assert room.regrouped == [ALICE]


def test_groups_are_not_known_until_every_directory_has_answered() -> None:
    staff, calendar = Staff(), Staff("calendar")
    room = Room(staff, calendar)
    assert room.asked.groups(ALICE) is None
    room.asked.meet(ALICE)
    staff.answer("x", "board")
    assert room.asked.groups(ALICE) is None
    calendar.answer(None)
    assert room.asked.groups(ALICE) == {"board"}


def test_a_calendar_keeps_nobodys_groups_unknown() -> None:
    staff, calendar = Staff(), Calendar("calendar")
    room = Room(staff, calendar)
    room.asked.meet(ALICE)
    staff.answer("x", "board")
    calendar.fail(GatewayError("no answer"))
    assert room.asked.groups(ALICE) == {"board"}


def test_it_is_asked_again_when_the_answer_ends_and_not_before() -> None:
    staff = Staff()
    room = Room(staff)
    room.asked.meet(ALICE)
    staff.answer("In a meeting", ends=1300.0)
    room.now = 1299.0
    room.asked.tick()
    assert not staff.questions
    room.now = 1300.0
    room.asked.tick()
    room.asked.tick()
    assert len(staff.questions) == 1
    staff.answer(None)
    assert room.said[-1] == (ALICE, "staff", {})
    room.now = 99_999.0
    room.asked.tick()
    assert not staff.questions


@pytest.mark.parametrize("problem", [GatewayError("no answer"), ZeroDivisionError()])
def test_one_that_fails_is_believed_as_it_last_spoke_and_asked_again(problem: Exception) -> None:
    staff = Staff()
    room = Room(staff)
    room.asked.meet(ALICE)
    staff.answer("Head of Budget", "board")
    room.asked.changed(ALICE)
    staff.fail(problem)
    assert len(room.said) == 1
    assert room.asked.groups(ALICE) == {"board"}
    room.now += AGAIN_SECONDS
    room.asked.tick()
    assert len(staff.questions) == 1


def test_one_that_never_answered_leaves_the_groups_unknown() -> None:
    staff = Staff()
    room = Room(staff)
    room.asked.meet(ALICE)
    staff.fail(GatewayError("no answer"))
    assert room.asked.groups(ALICE) is None


def test_a_change_while_a_question_is_under_way_is_asked_about_afterwards() -> None:
    staff = Staff()
    room = Room(staff)
    room.asked.meet(ALICE)
    room.asked.changed(None)
    assert len(staff.questions) == 1
    staff.answer("old")
    assert len(staff.questions) == 1
    staff.answer("new")
    assert not staff.questions
    assert room.said[-1][2] == {Field.TITLE: "new"}


def test_a_crowd_is_asked_about_a_few_at_a_time() -> None:
    staff = Staff()
    room = Room(staff)
    crowd = [Address.parse(f"p{number}@corp.example") for number in range(30)]
    for person in crowd:
        room.asked.meet(person)
    most = 0
    while staff.questions:
        most = max(most, len(staff.questions))
        staff.answer("x")
    assert most == MOST_AT_ONCE
    assert [person for person, _, _ in room.said] == crowd


def test_an_answer_about_somebody_forgotten_meanwhile_is_dropped() -> None:
    staff = Staff()
    room = Room(staff)
    room.asked.meet(ALICE)
    room.asked.forget(ALICE)
    staff.answer("x", "board")
    assert not room.said
    assert not room.regrouped


def test_what_was_said_of_somebody_forgotten_is_withdrawn_and_asked_for_anew() -> None:
    staff = Staff()
    room = Room(staff)
    room.asked.meet(ALICE)
    staff.answer("x", "board")
    room.asked.forget(ALICE)
    assert room.said[-1] == (ALICE, "staff", {})
    assert room.asked.groups(ALICE) is None
    room.asked.meet(ALICE)
    assert [person for person, _ in staff.questions] == [ALICE]


def test_a_fault_in_who_is_told_does_not_use_up_the_questions() -> None:
    staff = Staff()
    room = Room(staff)

    def fault(*_: object) -> None:
        raise RuntimeError("a defect")

    room.asked._say = fault
    crowd = [Address.parse(f"p{number}@corp.example") for number in range(2 * MOST_AT_ONCE)]
    for person in crowd:
        room.asked.meet(person)
    for _ in crowd:
        staff.answer("x")
    assert not staff.questions
    room.now += AGAIN_SECONDS + 1
    room.asked.tick()
    assert len(staff.questions) == MOST_AT_ONCE
