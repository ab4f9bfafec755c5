"""Names without a protocol, and requests that go in circles or in too many directions (RFC 3428, 3856, 5393)."""

import pytest

from gateway.protocols.sip.message import Request
from gateway.protocols.sip.screening import breadth_of, certified, objection
from gateway.protocols.sip.station import forwards_left
from gateway.protocols.sip.user_agent import MessageReceived, RequestRefused
from gateway.protocols.sip.watching import WatcherAsks

from .talk import ALICE, BOB, PEER, request, station
from .test_user_agent import THEIRS, House, message


def named(method: str, uri: str, **fields: str | None) -> Request:
    return request(method, uri, **{"Contact": f"<{PEER}>", "Event": "presence"} | fields)


@pytest.mark.parametrize("scheme", ["im", "pres"])
def test_a_message_may_be_addressed_by_a_name_without_a_protocol(scheme: str) -> None:
    house = House()
    asked = message(From_=f"<{scheme}:bob@partner.example>;tag=b", To=f"<{scheme}:alice@corp.example>")
    asked.uri = f"{scheme}:alice@corp.example"
    (event,) = house.hear(asked)
    assert isinstance(event, MessageReceived) and (event.sender, event.recipient) == (BOB, ALICE)


def test_a_watcher_may_name_a_presentity_without_a_protocol() -> None:
    house = House()
    (event,) = house.hear(named("SUBSCRIBE", "pres:alice@corp.example", To="<pres:alice@corp.example>"))
    assert isinstance(event, WatcherAsks) and (event.presentity, event.watcher) == (ALICE, BOB)


def test_unusual_signs_of_a_mailbox_are_written_as_sip_wants_them() -> None:
    house = House()
    asked = message()
    asked.uri = "im:a#b^c@corp.example"
    (event,) = house.hear(asked)
    assert isinstance(event, MessageReceived) and event.recipient == "sip:a%23b%5Ec@corp.example"


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
def test_other_methods_need_a_protocol(method: str) -> None:
    assert House().hear(named(method, "im:alice@corp.example")) == [RequestRefused(method, 416)]


def test_a_name_without_a_protocol_is_bound_to_the_certificate_as_any_other() -> None:
    assert certified(message(From_="<im:bob@partner.example>;tag=b"), THEIRS)
    assert not certified(message(From_="<im:eve@stranger.example>;tag=b"), THEIRS)
    assert House().hear(message(From_="<pres:eve@stranger.example>;tag=b")) == [RequestRefused("MESSAGE", 403)]


@pytest.mark.parametrize(("value", "status"), [("0", 440), ("1", None), ("60", None), (None, None)])
def test_a_request_that_may_be_nowhere_is_refused(value: str | None, status: int | None) -> None:
    found = objection(message(Max_Breadth=value), "")
    assert (found.status if found else None) == status
    assert breadth_of(message(Max_Breadth=value)) == (None if value is None else int(value))


def test_our_own_request_that_a_proxy_sends_back_is_a_loop_and_a_notification_ends_silently() -> None:
    for method, status in (("MESSAGE", 482), ("SUBSCRIBE", 482), ("NOTIFY", 200)):
        house = House()
        back = named(method, ALICE, To=f"<{ALICE}>;tag=x" if method == "NOTIFY" else f"<{ALICE}>")
        house.station.transactions.send_request(back, "tls:partner.example", 0.0)
        house.out()
        back.headers.set("Via", f"SIP/2.0/TLS proxy.example;branch=z9hG4bKp, {back.headers.get('Via')}")
        house.hear(back)
        assert house.out() == [f"{status} {method}"]


def test_our_own_request_that_comes_back_for_somebody_else_goes_on() -> None:
    house = House()
    spiral = message()
    house.station.transactions.send_request(spiral, "tls:partner.example", 0.0)
    spiral.headers.set("Via", f"SIP/2.0/TLS proxy.example;branch=z9hG4bKp, {spiral.headers.get('Via')}")
    spiral.uri = "sip:carol@corp.example"
    (event,) = house.hear(spiral)
    assert isinstance(event, MessageReceived) and event.recipient == "sip:carol@corp.example"


@pytest.mark.parametrize(("had", "left"), [("70", 69), ("1", 0), ("0", 0), (None, 70)])
def test_what_is_carried_on_may_go_one_server_less_far(had: str | None, left: int) -> None:
    assert forwards_left(message(Max_Forwards=had)) == left
    carried = station().request("MESSAGE", ALICE, BOB, forwards=left)
    assert carried.headers.all("Max-Forwards") == [str(left)]
    assert station().request("MESSAGE", ALICE, BOB).max_forwards == 70
