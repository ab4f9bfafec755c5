"""One turn of each side for one read, however much it brought."""

from attrs import define, field
from twisted.internet.task import Clock

from plugins.legs.sip.turns import Turns


@define(eq=False)
class Side:
    """Counts its turns; the first one may have something to say on another side."""

    turns: Turns
    other: "Side | None" = None
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
