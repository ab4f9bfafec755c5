"""What waits for one domain pair: order, bounds, coalescing, and what becomes of it in the end."""

from typing import Any

import pytest
from attrs import define, evolve, field

from gateway.model.address import Address
from gateway.model.envelope import Bounce, Content, Envelope, Problem, Query, QueryKind, Side, Ticket
from gateway.model.message import Message
from gateway.model.presence import Field, Presence, PresenceDocument
from gateway.model.subscription import Ask, Subscription
from gateway.queues.outbox import LinkClosed, Outbox, OutboxLimits, bounce_for
from tests.stage import ALICE, BOB, TABLET, away, here

ALIAS = ALICE.at("token")


@define
class Bench:
    """Is an outbox with a clock, a link that may break, and a house that writes down what it is asked."""

    limits: OutboxLimits = OutboxLimits(stanzas=5, seconds=60, bytes=10_000)
    now: float = 1000.0
    sent: list[Envelope] = field(factory=list)
    refused: list[tuple[str, Problem]] = field(factory=list)
    breaks_after: int = 1000
    withdrawn: set[str] = field(factory=set)
    box: Outbox = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.box = Outbox(self.limits, self.reconsider, self.refuse, lambda: self.now)

    def reconsider(self, envelope: Envelope) -> Envelope | None:
        if getattr(envelope.content, "id", "") == "defect":
            raise ValueError("a defect")
        return None if getattr(envelope.content, "id", "") in self.withdrawn else envelope

    def refuse(self, envelope: Envelope, problem: Problem) -> None:
        self.refused.append((getattr(envelope.content, "id", "?"), problem))

    def transmit(self, envelope: Envelope) -> None:
        if len(self.sent) >= self.breaks_after:
            raise LinkClosed
        self.sent.append(envelope)

    def put(self, *contents: Content) -> None:
        for content in contents:
            self.box.put(Envelope(ALIAS, BOB, content, Side.INTERNAL))

    @property
    def ids(self) -> list[str]:
        return [getattr(envelope.content, "id", "presence") for envelope in self.sent]


def said(number: str, text: str = "hello") -> Message:
    return Message(id=number, bodies=(("", text),))


def test_an_open_outbox_passes_everything_on_at_once() -> None:
    bench = Bench()
    bench.box.opened(bench.transmit)
    bench.put(said("1"), here(), said("2"))
    assert bench.ids == ["1", "presence", "2"] and len(bench.box) == 0 and bench.box.is_open


def test_what_waits_goes_in_its_order_and_presence_last() -> None:
    bench = Bench()
    bench.put(said("1"), here(), Subscription(Ask.SUBSCRIBED, "2"), said("3"))
    bench.box.opened(bench.transmit)
    assert bench.ids == ["1", "2", "3", "presence"]
    assert len(bench.box) == bench.box.bytes == 0


def test_the_newest_presence_wins_and_the_wait_counts_from_the_first() -> None:
    bench = Bench()
    bench.put(here())
    bench.now += 10
    bench.put(away())
    assert (len(bench.box), bench.box.coalesced, bench.box.oldest) == (1, 1, 10)
    bench.box.opened(bench.transmit)
    assert bench.ids == ["presence"]


def test_each_resource_of_a_contact_keeps_its_own_presence() -> None:
    bench = Bench()
    bench.box.put(Envelope(TABLET, ALICE, here(), Side.EXTERNAL))
    bench.box.put(Envelope(BOB.at("phone"), ALICE, away(), Side.EXTERNAL))
    bench.box.opened(bench.transmit)
    assert [(one.sender.resource, one.content) for one in bench.sent] == [("phone", away()), ("tablet", here())]


def test_our_own_presence_waits_without_its_content() -> None:
    bench = Bench()
    note = (("", "x" * 9_000),)
    for number in range(50):
        contact = Address.parse(f"bob{number}@partner.example")
        bench.box.put(Envelope(ALIAS, contact, here(note=note), Side.INTERNAL))
    assert len(bench.box) == 50
    assert bench.box.bytes < 50 * 300


@pytest.mark.parametrize(
    ("contents", "lost"),
    [
        ([said(str(number)) for number in range(6)], "5"),
        ([said("0", "x" * 6_000), said("1", "x" * 6_000)], "1"),
    ],
)
def test_what_goes_beyond_a_bound_is_refused_aloud(contents: list[Message], lost: str) -> None:
    bench = Bench()
    bench.put(*contents)
    assert bench.refused == [(lost, Problem.RESOURCE_CONSTRAINT)]
    assert len(bench.box) == len(contents) - 1 and bench.box.bytes <= 10_000


def test_going_is_told_even_beyond_the_bound() -> None:
    bench = Bench()
    bench.put(said("0", "x" * 9_700))
    bench.box.put(Envelope(TABLET, ALICE, here(), Side.EXTERNAL))
    assert len(bench.box) == 1
    bench.box.put(Envelope(TABLET, ALICE, away(), Side.EXTERNAL))
    assert len(bench.box) == 2


def test_what_waited_too_long_is_answered_but_not_words_of_a_subscription() -> None:
    bench = Bench()
    bench.put(Subscription(Ask.UNSUBSCRIBED, "gone"), said("1"), Subscription(Ask.SUBSCRIBE, "asked"))
    bench.now += 30
    bench.put(said("2"))
    bench.now += 31
    bench.box.expire()
    assert bench.refused == [("1", Problem.REMOTE_SERVER_TIMEOUT), ("asked", Problem.REMOTE_SERVER_TIMEOUT)]
    bench.box.failed(Problem.REMOTE_SERVER_NOT_FOUND)
    assert bench.refused[2:] == [("2", Problem.REMOTE_SERVER_NOT_FOUND)]
    bench.box.opened(bench.transmit)
    assert bench.ids == ["gone"]


def test_a_link_that_closes_half_way_loses_and_reorders_nothing() -> None:
    bench = Bench(breaks_after=2)
    bench.put(said("1"), said("2"), said("3"), said("4"), here())
    bench.box.opened(bench.transmit)
    assert bench.ids == ["1", "2"] and not bench.box.is_open and len(bench.box) == 3
    bench.put(said("5"))
    bench.breaks_after = 1000
    bench.box.opened(bench.transmit)
    assert bench.ids == ["1", "2", "3", "4", "5", "presence"]
    assert bench.refused == [] and bench.box.bytes == 0


def test_a_link_that_is_found_closed_keeps_what_was_to_go() -> None:
    bench = Bench(breaks_after=0)
    bench.box.opened(bench.transmit)
    bench.put(said("1"))
    assert not bench.box.is_open and len(bench.box) == 1


def test_a_defect_in_one_envelope_stops_none_behind_it() -> None:
    bench = Bench()
    bench.put(said("1"), said("defect"), said("2"))
    bench.box.opened(bench.transmit)
    assert bench.ids == ["1", "2"]


def test_what_may_not_leave_any_more_does_not() -> None:
    bench = Bench(withdrawn={"1"})
    bench.put(said("1"), said("2"))
    bench.box.opened(bench.transmit)
    assert bench.ids == ["2"]


@pytest.mark.parametrize(("waited", "sent"), [(9.0, ["1", "2"]), (11.0, ["2"])])
def test_what_its_sender_wants_no_more_is_not_sent(waited: float, sent: list[str]) -> None:
    bench = Bench()
    bench.put(evolve(said("1"), expires_at=1010.0), said("2"))
    bench.now += waited
    bench.box.opened(bench.transmit)
    assert bench.ids == sent
    assert bench.refused == ([] if "1" in sent else [("1", Problem.REMOTE_SERVER_TIMEOUT)])


def test_clearing_answers_who_waits() -> None:
    bench = Bench()
    bench.put(said("1"), here(), Subscription(Ask.SUBSCRIBED, "2"))
    bench.box.clear(Problem.REMOTE_SERVER_NOT_FOUND)
    assert [number for number, _ in bench.refused] == ["1", "2"] and len(bench.box) == bench.box.bytes == 0


@pytest.mark.parametrize(("seconds", "since"), [(2, None), (5, 1000.0)])
def test_a_message_that_waited_says_since_when(seconds: float, since: float | None) -> None:
    bench = Bench()
    bench.put(said("1"))
    bench.now += seconds
    bench.box.opened(bench.transmit)
    assert bench.sent[0].content == evolve(said("1"), delayed_since=since)


@pytest.mark.parametrize(
    ("content", "of"),
    [
        (said("1"), "message"),
        (Query(QueryKind.CARD, "1"), "query"),
        (Subscription(Ask.SUBSCRIBE, "1"), "presence"),
        (Subscription(Ask.UNSUBSCRIBED, "1"), None),
        (Presence(PresenceDocument({Field.AVAILABILITY: True})), None),
        (Bounce("message", "1", Problem.GONE), None),
    ],
)
def test_who_is_owed_an_answer(content: Any, of: str | None) -> None:
    bounce = bounce_for(Envelope(ALICE, BOB, content, Side.INTERNAL), Problem.GONE)
    assert bounce == (None if of is None else Bounce(of, "1", Problem.GONE))


def test_a_link_that_ends_while_a_message_of_the_spool_is_said_keeps_it_once() -> None:
    bench = Bench()

    def ends(envelope: Envelope) -> None:
        bench.box.closed()
        raise LinkClosed

    bench.box.opened(ends, window=4)
    bench.box.put(Envelope(ALIAS, BOB, said("one"), Side.INTERNAL, ticket=Ticket(1, bench.now)))
    bench.box.opened(bench.transmit, window=4)
    assert bench.ids == ["one"]
