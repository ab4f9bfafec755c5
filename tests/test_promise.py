"""A tap's promise: kept or broken once, told in order, and never forgotten by the row of taps."""

import pytest

from gateway.errors import LedgerError
from gateway.interfaces import Promise
from gateway.metrics import Metrics
from gateway.model.envelope import Bounce, Envelope, Problem, Side
from gateway.model.message import Message
from gateway.taps import Taps
from tests.stage import ALICE, BOB, DESK, TABLET, Stage, documents, here
from tests.test_taps import ENVELOPE, VERDICT, Tap


def test_the_first_word_counts_and_is_told_in_the_order_of_asking() -> None:
    promise, heard = Promise(), list[tuple[str, bool]]()
    promise.then(lambda kept: heard.append(("first", kept)))
    promise.then(lambda kept: heard.append(("second", kept)))
    promise.settle(False)
    promise.settle(True)
    promise.then(lambda kept: heard.append(("late", kept)))
    assert heard == [("first", False), ("second", False), ("late", False)]


def test_who_asks_while_it_is_told_is_told_too() -> None:
    promise, heard = Promise(), list[bool]()
    promise.then(lambda _: promise.then(heard.append))
    promise.settle(True)
    assert heard == [True]


@pytest.mark.parametrize("required", [True, False])
def test_only_a_required_tap_is_waited_for(required: bool) -> None:
    taps, heard = Taps([Tap(required, gives=Promise())]), list[bool]()
    assert taps.record(ENVELOPE, VERDICT)
    assert taps.open is required
    taps.when_lasting(heard.append)
    assert heard == ([] if required else [True])


@pytest.mark.parametrize("words", [(True, True), (True, False), (False, True)])
def test_all_required_taps_must_keep_it(words: tuple[bool, bool]) -> None:
    promises, heard = (Promise(), Promise()), list[bool]()
    taps = Taps([Tap(gives=promise) for promise in promises])
    taps.record(ENVELOPE, VERDICT)
    taps.when_lasting(heard.append)
    promises[1].settle(words[1])
    assert heard == []
    promises[0].settle(words[0])
    assert heard == [all(words)]
    assert not taps.open


def test_a_tap_that_is_added_sees_what_comes_then() -> None:
    first, late, metrics = Tap(), Tap(fault=LedgerError("full")), Metrics()
    taps = Taps([first], metrics)
    assert taps.record(ENVELOPE, VERDICT)
    taps.add(late)
    assert not taps.record(ENVELOPE, VERDICT)
    assert (len(first.seen), len(late.seen), metrics.tap_failures("yes").value) == (2, 1, 1)


def inward(content: Message) -> Envelope:
    return Envelope(BOB, ALICE, content, Side.EXTERNAL)


def test_what_stands_alone_holds_one_envelope_from_either_side_and_nothing_else() -> None:
    promise, heard = Promise(alone=True), list[bool]()
    taps, other = Taps([Tap(gives=promise)]), inward(Message(id="m1"))
    taps.record(other, VERDICT)
    assert taps.hold(other) and not taps.open
    taps.when_lasting(heard.append, ENVELOPE)
    taps.when_lasting(heard.append)
    assert heard == [True, True]
    taps.when_lasting(heard.append, other)
    promise.settle(False)
    assert heard == [True, True, False]


def test_what_is_recorded_next_is_held_by_its_own_only() -> None:
    tap = Tap(gives=Promise(alone=True))
    taps, first, second = Taps([tap]), inward(Message(id="m1")), inward(Message(id="m2"))
    taps.record(first, VERDICT)
    tap.gives = None
    taps.record(second, VERDICT)
    assert not taps.hold(second)


def test_a_message_waits_for_the_promise_that_holds_all_and_for_its_own() -> None:
    wide, own, heard = Promise(), Promise(alone=True), list[bool]()
    taps = Taps([Tap(gives=wide), Tap(gives=own)])
    taps.record(ENVELOPE, VERDICT)
    taps.when_lasting(heard.append, ENVELOPE)
    wide.settle(True)
    assert heard == []
    own.settle(True)
    assert heard == [True]


def test_a_contacts_message_is_not_delivered_before_its_record_lasts_and_comes_back_when_it_does_not() -> None:
    tap = Tap(gives=Promise(alone=True))
    stage = Stage(taps=[tap])
    hello = Message(id="m1", bodies=(("", "hello"),))
    assert stage.from_outside(TABLET, ALICE, hello) == []
    tap.gives.settle(True)
    assert [envelope.content for envelope in stage.inside.taken()] == [hello]
    tap.gives = Promise(alone=True)
    assert stage.from_outside(TABLET, ALICE, hello) == []
    tap.gives.settle(False)
    assert stage.inside.taken() == []
    (back,) = stage.outside.taken()
    assert back.content == Bounce("message", "m1", Problem.RESOURCE_CONSTRAINT)


def test_presence_does_not_wait_for_a_promise_that_holds_a_message() -> None:
    tap = Tap(gives=Promise(alone=True))
    stage = Stage(taps=[tap])
    stage.befriend()
    assert stage.from_inside(DESK, BOB, Message(id="m1", bodies=(("", "hello"),))) == []
    tap.gives = None
    assert documents(stage.online()) == [here().document]


def test_a_fault_of_one_who_waits_keeps_nothing_from_the_others() -> None:
    promise, heard = Promise(), list[bool]()

    def fault(kept: bool) -> None:
        raise RuntimeError("one bad envelope")

    promise.then(fault)
    promise.then(heard.append)
    promise.settle(True)
    assert heard == [True]


def test_an_envelope_that_cannot_be_handed_on_comes_to_an_end() -> None:
    promise = Promise()
    stage = Stage(taps=[Tap(gives=promise)])
    stage.befriend()

    def broken(outgoing: Envelope, pair: object) -> bool:
        raise RuntimeError("a leg with a defect")

    stage.house.relay.send = broken  # type: ignore[method-assign]
    safe = stage.house.receive(Envelope(DESK, TABLET, Message(id="m1", bodies=(("", "hello"),)), Side.INTERNAL))
    assert safe is not None and safe.kept is None
    promise.settle(True)
    assert safe.kept is False
    (told,) = [each.content for each in stage.inside.out if isinstance(each.content, Bounce)]
    assert (told.id, told.problem) == ("m1", Problem.INTERNAL_SERVER_ERROR)
