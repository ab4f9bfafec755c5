"""The PUBLISH client: initial, modify, refresh, remove, and what each answer means (RFC 3903 section 4)."""

import pytest
from attrs import define, field

from gateway.protocols.sip.message import Request
from gateway.protocols.sip.publisher import Published, Publisher, PublisherEvent, PublishRefused
from gateway.protocols.sip.station import Station
from gateway.protocols.sip.transaction_events import ResponseReceived, TransportFailed
from gateway.protocols.sip.watching import Document

from .talk import ALICE, response, station

FLOW = "tls:corp.example"
OPEN, BUSY = Document("application/pidf+xml", b"<open/>"), Document("application/pidf+xml", b"<busy/>")


@define
class House:
    station: Station = field(factory=station)
    publisher: Publisher = field(init=False)
    asked: list[Request] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.publisher = Publisher(self.station)

    def out(self) -> list[tuple[str | None, str | None, bytes]]:
        """Says of each PUBLISH: SIP-If-Match, Expires, body."""
        taken = [send.message for send in self.station.transactions.take_output()]
        self.asked += [message for message in taken if isinstance(message, Request)]
        return [(each.headers.get("SIP-If-Match"), each.headers.get("Expires"), each.body) for each in taken]

    def answer(self, status: int, now: float, **fields: str) -> list[PublisherEvent]:
        told: list[PublisherEvent] = []
        for event in self.station.transactions.received(response(self.asked[-1], status, **fields), FLOW, now):
            assert isinstance(event, ResponseReceived)
            told += self.publisher.answered(event, now)
        return told

    def published(self) -> None:
        assert self.publisher.publish(ALICE, OPEN, 0.0)
        self.out()
        assert self.answer(200, 0.0, SIP_ETag="e1", Expires="1800") == [Published(ALICE)]


def test_initial_modify_refresh_remove() -> None:
    house = House()
    assert house.publisher.publish(ALICE, OPEN, 0.0)
    assert house.out() == [(None, "3600", b"<open/>")]
    ask = house.asked[0]
    assert (ask.uri, ask.headers.get("Event"), ask.headers.get("Content-Type")) == (
        ALICE,
        "presence",
        "application/pidf+xml",
    )
    assert house.answer(200, 0.0, SIP_ETag="e1", Expires="1800") == [Published(ALICE)]
    house.publisher.publish(ALICE, BUSY, 10.0)
    assert house.out() == [("e1", "3600", b"<busy/>")]
    house.answer(200, 10.0, SIP_ETag="e2", Expires="1800")
    assert house.publisher.next_timer() == 10.0 + 1740 * 0.95
    house.publisher.tick(1700.0)
    assert house.out() == [("e2", "3600", b"")]
    house.answer(200, 1700.0, SIP_ETag="e3", Expires="1800")
    house.publisher.remove(ALICE, 1800.0)
    assert house.out() == [("e3", "0", b"")]
    assert house.answer(200, 1800.0, SIP_ETag="e4", Expires="0") == [Published(ALICE)]
    assert len(house.publisher) == 0 and house.publisher.next_timer() is None


def test_one_at_a_time_and_the_latest_wins() -> None:
    house = House()
    for document in (OPEN, BUSY, OPEN, BUSY):
        house.publisher.publish(ALICE, document, 0.0)
    assert house.out() == [(None, "3600", b"<open/>")]
    assert house.answer(200, 0.0, SIP_ETag="e1") == []
    assert house.out() == [("e1", "3600", b"<busy/>")]


def test_412_begins_again_with_the_whole_document() -> None:
    house = House()
    house.published()
    house.publisher.tick(1700.0)
    house.out()
    assert house.answer(412, 1700.0) == []
    assert house.out() == [(None, "3600", b"<open/>")]


def test_423_asks_for_longer() -> None:
    house = House()
    house.publisher.publish(ALICE, OPEN, 0.0, 60)
    assert house.out() == [(None, "60", b"<open/>")]
    house.answer(423, 0.0, Min_Expires="300")
    assert house.out() == [(None, "300", b"<open/>")]


@pytest.mark.parametrize("status", [403, 404, 415, 489])
def test_refusals_end_it(status: int) -> None:
    house = House()
    house.publisher.publish(ALICE, OPEN, 0.0)
    house.out()
    assert house.answer(status, 0.0) == [PublishRefused(ALICE, status)]
    assert len(house.publisher) == 0


def test_a_server_that_fails_is_asked_later_with_the_whole_document() -> None:
    house = House()
    house.published()
    house.publisher.tick(1700.0)
    house.out()
    house.answer(503, 1700.0, Retry_After="90")
    assert house.publisher.next_timer() == 1790.0
    house.publisher.tick(1790.0)
    assert house.out() == [("e1", "3600", b"<open/>")]
    (event,) = house.station.transactions.flow_lost(FLOW, 0.0)
    assert isinstance(event, TransportFailed)
    assert house.publisher.answered(event, 1791.0) == []
    assert house.publisher.next_timer() == 1851.0


def test_removing_while_publishing_waits_for_the_tag() -> None:
    house = House()
    house.publisher.publish(ALICE, OPEN, 0.0)
    house.publisher.remove(ALICE, 0.1)
    house.out()
    house.answer(200, 0.2, SIP_ETag="e1", Expires="1800")
    assert house.out() == [("e1", "0", b"")]
    assert house.answer(412, 0.3) == [Published(ALICE)]
    assert len(house.publisher) == 0


def test_there_is_a_limit() -> None:
    house = House()
    house.publisher.limit = 0
    assert not house.publisher.publish(ALICE, OPEN, 0.0)
