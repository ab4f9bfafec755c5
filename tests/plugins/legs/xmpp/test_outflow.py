"""When connections write: at the end of the read that has something for them, and to partners at the end of a slot."""

from attrs import define
from twisted.internet.task import Clock

from plugins.legs.xmpp.outflow import Outflow


@define(eq=False)
class Link:
    """Writes down when it writes."""

    clock: Clock
    slotted: bool
    wrote: list[float]

    def flush(self) -> None:
        self.wrote.append(self.clock.seconds())


def links() -> tuple[Clock, Outflow, Link, Link]:
    clock = Clock()
    return clock, Outflow(clock), Link(clock, False, []), Link(clock, True, [])


def test_i10_answers_to_a_partner_leave_at_the_end_of_a_slot_however_long_they_took() -> None:
    for took in (0.0, 0.001, 0.0034):
        clock, outflow, inside, partner = links()
        clock.advance(5.002)
        outflow.reading = outflow.answering = True
        clock.advance(took)
        outflow.mark(partner)
        outflow.mark(inside)
        outflow.flush()
        assert inside.wrote == [clock.seconds()] and partner.wrote == []
        clock.advance(0.02)
        clock.advance(0)
        assert len(partner.wrote) == 1 and abs(outflow_end(took) - 5.01) < 1e-9


def outflow_end(took: float) -> float:
    """Gives when an answer leaves that took so long, at a clock that runs evenly."""
    clock, outflow, _, partner = links()
    clock.advance(5.002)
    outflow.reading = outflow.answering = True
    clock.advance(took)
    outflow.mark(partner)
    outflow.flush()
    (call,) = clock.getDelayedCalls()
    return float(call.getTime())


def test_what_the_inside_brings_about_leaves_at_once() -> None:
    clock, outflow, _, partner = links()
    outflow.reading = True
    outflow.mark(partner)
    outflow.flush()
    assert partner.wrote == [0.0] and not clock.getDelayedCalls()


def test_nothing_waits_when_it_is_released_and_an_ended_link_is_forgotten() -> None:
    clock, outflow, _, partner = links()
    gone = Link(clock, True, [])
    outflow.reading = outflow.answering = True
    outflow.mark(partner)
    outflow.mark(gone)
    outflow.flush()
    outflow.forget(gone)
    outflow.release()
    assert partner.wrote == [0.0] and gone.wrote == [] and not clock.getDelayedCalls()
