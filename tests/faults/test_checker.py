"""The judge finds every kind of violation that is planted, and nothing in a history that is as promised."""

from pathlib import Path

import pytest
from attrs import evolve

from tests.faults.checker import Fault, Terms, check
from tests.faults.history import Event, History, Kind, read

IN, OUT = "corp.example", "partner.example"
U, V = f"u1@{IN}", f"v1@{OUT}"
TERMS = Terms(window=2, revocation_seconds=1.0)


def message(at: float, number: int, *, accepted: bool = True, delivered: bool = True) -> list[Event]:
    name = f"m{number}"
    kinds = [Kind.SENT, *([Kind.ACCEPTED] if accepted else []), *([Kind.DELIVERED] if delivered else [])]
    return [
        Event(at + 0.1 * step, OUT if kind is Kind.DELIVERED else IN, kind, U, V, name, number)
        for step, kind in enumerate(kinds)
    ]


def said(at: float, number: int, show: str = "away") -> Event:
    return Event(at, IN, Kind.SAID, U, V, "", number, show)


def seen(at: float, number: int, show: str = "away") -> Event:
    return Event(at, OUT, Kind.SEEN, U, V, "", number, show)


def level(at: float, kind: Kind) -> Event:
    return Event(at, IN, kind, U, V)


def good() -> list[Event]:
    return [
        *(event for number in range(1, 6) for event in message(float(number), number)),
        level(0.1, Kind.WIDENED),
        said(1.0, 1),
        seen(1.1, 1),
        level(2.0, Kind.NARROWING),
        level(2.1, Kind.NARROWED),
        seen(2.2, 0),
        said(3.0, 2, "dnd"),
        seen(3.1, 0, "dnd"),
        level(4.0, Kind.WIDENING),
        level(4.1, Kind.WIDENED),
        seen(4.2, 2, "dnd"),
    ]


def judged(events: list[Event], terms: Terms = TERMS) -> list[Fault]:
    return [violation.fault for violation in check(sorted(events, key=lambda event: event.at), terms)]


def test_a_history_as_promised_has_no_violation() -> None:
    assert judged(good()) == []


def test_a_loss_is_found() -> None:
    assert judged(good() + message(9.0, 9, delivered=False)) == [Fault.LOST]


def test_what_was_never_accepted_is_not_lost() -> None:
    assert judged(good() + message(9.0, 9, accepted=False, delivered=False)) == []


def test_what_bounced_is_not_lost() -> None:
    bounce = Event(9.9, IN, Kind.BOUNCED, U, V, "m9")
    assert judged([*good(), *message(9.0, 9, delivered=False), bounce]) == []


def test_what_is_on_its_way_while_the_history_goes_on_is_not_lost() -> None:
    assert judged(good() + message(9.0, 9, delivered=False), evolve(TERMS, converges=False)) == []


def test_a_repetition_without_a_broken_stream_is_found() -> None:
    again = Event(8.0, OUT, Kind.DELIVERED, U, V, "m3", 3)
    assert judged([*good(), again]) == [Fault.TWICE]


def test_repetitions_within_the_window_are_allowed_and_one_more_is_not() -> None:
    broken = Event(7.0, OUT, Kind.UNCLEAN)
    again = [Event(8.0, OUT, Kind.DELIVERED, U, V, f"m{number}", number) for number in (3, 4, 5)]
    assert judged([*good(), broken, *again[:2]]) == []
    assert judged([*good(), broken, *again]) == [Fault.TWICE]


def test_a_stream_that_broke_at_the_other_end_allows_nothing_here() -> None:
    again = Event(8.0, OUT, Kind.DELIVERED, U, V, "m3", 3)
    assert judged([*good(), Event(7.0, IN, Kind.UNCLEAN), again]) == [Fault.TWICE]


def test_a_message_that_arrives_and_comes_back_is_found() -> None:
    assert judged([*good(), Event(8.0, IN, Kind.BOUNCED, U, V, "m3")]) == [Fault.TWICE]


def test_a_repetition_under_another_id_is_found() -> None:
    broken = Event(7.0, OUT, Kind.UNCLEAN)
    again = Event(8.0, OUT, Kind.DELIVERED, U, V, "m3", 3, "another")
    assert judged([*good(), broken, again]) == [Fault.RENAMED]


def test_a_wrong_order_is_found() -> None:
    assert judged([*good(), *message(8.0, 8), *message(9.0, 7)]) == [Fault.REORDERED]


def test_a_repetition_is_no_wrong_order() -> None:
    broken = Event(7.0, OUT, Kind.UNCLEAN)
    assert judged([*good(), broken, Event(8.0, OUT, Kind.DELIVERED, U, V, "m2", 2)]) == []


def test_an_invented_message_is_found() -> None:
    assert judged([*good(), Event(8.0, OUT, Kind.DELIVERED, U, V, "m77", 77)]) == [Fault.INVENTED]


def test_stale_presence_is_found() -> None:
    assert judged([*good(), said(9.0, 3, "xa")]) == [Fault.STALE]


def test_a_note_that_does_not_come_back_is_stale() -> None:
    assert judged([*good(), seen(9.0, 0, "dnd")]) == [Fault.STALE]


def test_somebody_who_is_never_shown_is_stale() -> None:
    assert judged([event for event in good() if event.kind is not Kind.SEEN]) == [Fault.STALE]


def test_an_older_presence_after_a_newer_one_is_found() -> None:
    later = [said(6.0, 3), seen(6.1, 3), seen(6.2, 2, "dnd"), seen(6.3, 3)]
    assert judged([*good(), *later]) == [Fault.OLDER]


def test_a_note_said_while_it_was_withheld_is_a_leak() -> None:
    assert judged([*good(), seen(3.2, 2, "dnd")]) == [Fault.LEAKED]


def test_a_note_shown_long_after_it_was_withheld_is_late() -> None:
    assert judged([*good(), seen(2.3, 1)]) == []
    assert judged([*good(), seen(3.3, 1)]) == [Fault.LATE]


def test_a_canary_is_a_leak() -> None:
    assert judged([*good(), Event(5.0, OUT, Kind.CANARY, detail="resource")]) == [Fault.LEAKED]


@pytest.mark.parametrize("kind", [Kind.ACCEPTED, Kind.DELIVERED])
def test_a_history_in_which_nothing_happens_proves_nothing(kind: Kind) -> None:
    without = [event for event in good() if event.kind is not kind]
    assert Fault.VACUOUS in judged(without)


def test_a_history_is_read_as_it_was_written(tmp_path: Path) -> None:
    history = History(IN, tmp_path / "inside.jsonl")
    history.note(Kind.SENT, U, V, "m1", 1)
    history.note(Kind.BOUNCED, U, V, "m1", 0, "wait")
    history.close()
    assert read(tmp_path / "inside.jsonl") == history.events
