"""One turn of each side for one read, however much it brought."""

from attrs import define, field
from twisted.internet.task import Clock

from plugins.legs.sip.turns import Turns


@define(eq=False)
class Side:
    """Counts its turns; the first one may have something to say on another side."""

    turns: Turns
    other: "Side | None" = None
    slotted: bool = False
    taken: list[str] = field(factory=list)

    def turn(self) -> None:
        self.taken.append("turn")
        if self.other is not None:
            self.turns.mark(self.other)
            self.other = None


def test_one_read_is_one_turn_of_each_side() -> None:
    turns = Turns(Clock())
    one, two = Side(turns), Side(turns)
    turns.begin()
    for side in (one, two, one, one):
        turns.mark(side)
    assert not one.taken
    turns.end()
    assert (one.taken, two.taken) == (["turn"], ["turn"])


def test_what_a_turn_leads_to_on_another_side_goes_in_the_same_read() -> None:
    turns = Turns(Clock())
    two = Side(turns)
    one = Side(turns, two)
    turns.begin()
    turns.mark(one)
    turns.end()
    assert two.taken == ["turn"]


def test_outside_of_a_read_sides_turn_once_in_the_next_round() -> None:
    clock = Clock()
    turns = Turns(clock)
    side = Side(turns)
    turns.mark(side)
    turns.mark(side)
    assert not side.taken
    clock.advance(0)
    assert side.taken == ["turn"]
    clock.advance(60)
    assert side.taken == ["turn"]


def test_what_a_partner_asks_is_answered_when_the_slot_ends_and_nobody_else_waits_for_that() -> None:
    clock = Clock()
    clock.advance(0.004)
    turns = Turns(clock)
    inside = Side(turns)
    outside = Side(turns, inside, slotted=True)
    for _ in range(2):
        turns.begin()
        turns.answering = True
        turns.mark(outside)
        turns.mark(inside)
        turns.end()
    assert (outside.taken, inside.taken) == ([], ["turn", "turn"])
    clock.advance(0.005)
    assert not outside.taken
    clock.advance(0.002)
    assert (outside.taken, inside.taken) == (["turn"], ["turn", "turn", "turn"])


def test_what_people_inside_say_and_what_a_partner_confirms_waits_for_no_slot() -> None:
    turns = Turns(Clock())
    outside = Side(turns, slotted=True)
    turns.begin()
    turns.mark(outside)
    turns.end()
    assert outside.taken == ["turn"]
