"""202 comes after the disk; messages of the spool go one at a time, and what nobody answers goes back to it."""

import pytest
from attrs import define, evolve, field

from gateway.interfaces import Promise
from gateway.model.address import Address
from gateway.model.envelope import Bounce, Envelope, Problem, Side, Ticket
from gateway.model.message import Message
from gateway.protocols.sip.pager import Delivered, Undelivered
from plugins.legs.sip.lines import LATER, Lines
from tests.protocols.interworking.bridge import Bridge, OpenHouse
from tests.protocols.interworking.test_errors import FROM_ROMEO

ALICE, BOB = Address.parse("alice@corp.example"), Address.parse("bob@partner.example")


@define
class SlowHouse(OpenHouse):
    """Takes messages and says later whether they are on the disk."""

    promises: list[Promise] = field(factory=list)

    def receive(self, envelope: Envelope) -> Promise:  # type: ignore[override]
        self.received.append(envelope)
        self.promises.append(Promise())
        return self.promises[-1]


def test_a_message_is_answered_when_it_is_on_the_disk_and_not_before() -> None:
    house = SlowHouse()
    bridge = Bridge(house)
    bridge.hear(FROM_ROMEO)
    assert len(house.received) == 1 and bridge.answered == []
    house.promises[0].settle(True)
    bridge.settle()
    assert [answer.status for answer in bridge.answered] == [202]


def test_a_message_that_did_not_get_there_is_refused_for_a_moment() -> None:
    house = SlowHouse()
    bridge = Bridge(house)
    bridge.hear(FROM_ROMEO)
    taken = house.received[0]
    assert isinstance(taken.content, Message)
    bounce = Bounce("message", taken.content.id, Problem.RESOURCE_CONSTRAINT)
    house.desk.deliver(Envelope(taken.recipient, taken.sender, bounce, Side.INTERNAL))
    assert bridge.answered == []
    house.promises[0].settle(False)
    bridge.settle()
    (answer,) = bridge.answered
    assert answer.status == 503 and answer.headers.get("Retry-After")


@define
class Ends:
    """Stands where the house stands, and remembers how each message has ended."""

    told: list[tuple[str, int]] = field(factory=list)

    def delivered(self, envelope: Envelope) -> None:
        assert envelope.ticket is not None
        self.told.append(("delivered", envelope.ticket.number))

    def postponed(self, envelope: Envelope) -> None:
        assert envelope.ticket is not None
        self.told.append(("postponed", envelope.ticket.number))

    def undeliverable(self, envelope: Envelope, problem: Problem) -> None:
        assert envelope.ticket is not None
        self.told.append((problem.value, envelope.ticket.number))


@define
class Desk:
    """Is a row of lines and what they send; `full` says that nothing can be sent now, `never` why not at all."""

    house: Ends = field(factory=Ends)
    sent: list[int] = field(factory=list)
    full: bool = False
    never: Problem | None = None
    lines: Lines = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.lines = Lines(self.house, self.send)

    def send(self, envelope: Envelope) -> Problem | None:
        assert envelope.ticket is not None
        if self.full:
            raise OverflowError
        self.sent.append(envelope.ticket.number)
        return self.never


def said(number: int) -> Envelope:
    return Envelope(
        ALICE, BOB, Message(id=str(number), bodies=(("", "hi"),)), Side.INTERNAL, ticket=Ticket(number, 0.0)
    )


def test_the_next_message_of_a_pair_goes_when_the_one_before_is_answered() -> None:
    desk, messages = Desk(), [said(number) for number in range(3)]
    for message in messages:
        desk.lines.put(message)
    desk.lines.put(evolve(said(9), recipient=Address.parse("carol@partner.example")))
    assert desk.sent == [0, 9]
    desk.lines.ended(Delivered(messages[0], 202), messages[0])
    desk.lines.ended(Delivered(messages[0], 200), messages[0])  # once more: says nothing new
    desk.lines.ended(Undelivered(messages[1], 404), messages[1])
    assert desk.sent == [0, 9, 1, 2]
    assert desk.house.told == [("delivered", 0), ("item-not-found", 1)]


@pytest.mark.parametrize("status", sorted(LATER))
def test_what_nobody_answers_goes_back_with_all_behind_it(status: int) -> None:
    desk, messages = Desk(), [said(number) for number in range(2)]
    for message in messages:
        desk.lines.put(message)
    desk.lines.ended(Undelivered(messages[0], status), messages[0])
    assert desk.house.told == [("postponed", 0), ("postponed", 1)] and desk.sent == [0]
    desk.lines.put(messages[0])
    assert desk.sent == [0, 0]


def test_where_there_is_no_room_now_it_waits_and_what_can_never_go_is_told() -> None:
    desk = Desk(full=True)
    desk.lines.put(said(1))
    assert desk.house.told == [("postponed", 1)]
    desk.full, desk.never = False, Problem.POLICY_VIOLATION
    desk.lines.put(said(2))
    assert desk.house.told[1:] == [("policy-violation", 2)]
