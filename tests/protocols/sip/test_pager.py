"""Pager mode: one message at a time to each target, within 1300 bytes, in order, bounded (RFC 3428 section 8)."""

import pytest
from attrs import define, field

from gateway.protocols.sip.message import Request
from gateway.protocols.sip.pager import Delivered, Pager, PagerEvent, Refused, Undelivered
from gateway.protocols.sip.station import Station
from gateway.protocols.sip.transaction_events import ResponseReceived, TimedOut, TransportFailed
from gateway.protocols.sip.watching import Document
from gateway.protocols.sip.writer import serialise

from .talk import ALICE, BOB, TLS, response, station

EVE = "sip:eve@partner.example"


@define
class House:
    station: Station = field(factory=lambda: station(mark="gw7"))
    pager: Pager = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.pager = Pager(self.station)

    def send(self, text: bytes, handle: object, to: str = BOB, **more: object) -> None:
        self.pager.send(ALICE, to, Document("text/plain", text), handle, 0.0, **more)  # type: ignore[arg-type]

    def out(self) -> list[Request]:
        taken = [send.message for send in self.station.transactions.take_output()]
        assert all(isinstance(message, Request) for message in taken)
        return taken  # type: ignore[return-value]

    def answer(self, asked: Request, status: int, **fields: str) -> list[PagerEvent]:
        told: list[PagerEvent] = []
        for event in self.station.transactions.received(response(asked, status, **fields), TLS, 1.0):
            assert isinstance(event, ResponseReceived)
            told += self.pager.answered(event, 1.0)
        return told


def test_a_message_is_built_of_nothing_but_its_own() -> None:
    house = House()
    house.send(b"hello", 1, fields=(("Subject", "tea"), ("Content-Language", "en")), hops=2)
    (message,) = house.out()
    assert serialise(message).decode() == (
        "MESSAGE sip:bob@partner.example SIP/2.0\r\n"
        "Max-Forwards: 70\r\n"
        "From: <sip:alice@corp.example>;tag=t1\r\n"
        "To: <sip:bob@partner.example>\r\n"
        "Call-ID: t2\r\n"
        "CSeq: 1 MESSAGE\r\n"
        "X-Gateway-Hop: gw7;hops=2\r\n"
        "Subject: tea\r\n"
        "Content-Language: en\r\n"
        "Content-Type: text/plain\r\n"
        "Via: SIP/2.0/TLS gw.corp.example:5061;branch=z9hG4bKt1.47ce56ee\r\n"
        "Content-Length: 5\r\n\r\nhello"
    )


def test_a_conversation_may_keep_its_call_id() -> None:
    house = House()
    house.send(b"hello", 1, call=("thread7", 5))
    assert house.out()[0].call_id == "thread7"


def test_one_at_a_time_to_each_target_and_in_order() -> None:
    house = House()
    for number in (1, 2, 3):
        house.send(b"%d" % number, number)
    house.send(b"eve", "eve", EVE)
    first, other = house.out()
    assert (first.body, other.body, len(house.pager)) == (b"1", b"eve", 2)
    assert house.answer(first, 100) == [] and house.out() == []
    assert house.answer(first, 202) == [Delivered(1, 202)]
    (second,) = house.out()
    assert house.answer(second, 480, Retry_After="30") == [Undelivered(2, 480, "", 30)]
    (third,) = house.out()
    assert third.body == b"3"
    assert house.answer(third, 200) == [Delivered(3, 200)]
    house.send(b"4", 4)
    assert [message.body for message in house.out()] == [b"4"]


@pytest.mark.parametrize("kind", [TimedOut, TransportFailed])
def test_no_answer_fails_one_and_sends_the_next(kind: type[TimedOut | TransportFailed]) -> None:
    house = House()
    house.send(b"1", 1)
    house.send(b"2", 2)
    house.out()
    (event,) = (
        house.station.transactions.flow_lost(TLS, 0.0)
        if kind is TransportFailed
        else (house.station.transactions.tick(32.0))
    )
    assert isinstance(event, kind)
    reason = "transport" if kind is TransportFailed else "timeout"
    assert house.pager.answered(event, 32.0) == [Undelivered(1, 0, reason)]
    assert [message.body for message in house.out()] == [b"2"]


@pytest.mark.parametrize(("largest", "fits"), [(None, False), (1500, True)])
def test_the_size_counts_all_bytes(largest: int | None, fits: bool) -> None:
    house = House()
    if fits:
        house.send(b"x" * 1100, 1, largest=largest)
        assert len(serialise(house.out()[0])) <= 1500
    else:
        with pytest.raises(Refused, match="too large"):
            house.send(b"x" * 1100, 1, largest=largest)
        assert house.out() == []


def test_what_is_just_allowed_never_exceeds_1300_bytes() -> None:
    house = House()
    length = 1300
    while True:
        try:
            house.send(b"x" * length, 1)
            break
        except Refused:
            length -= 1
    assert 1290 < len(serialise(house.out()[0])) <= 1300


def test_the_queues_are_bounded() -> None:
    house = House()
    for number in range(51):
        house.send(b"x", number)
    with pytest.raises(Refused, match="too many"):
        house.send(b"x", 51)
    house.pager.limit = 50
    house.send(b"x", "other", EVE)
    with pytest.raises(Refused, match="too many"):
        house.send(b"x", "more", EVE)
