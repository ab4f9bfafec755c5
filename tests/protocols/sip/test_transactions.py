"""Transactions: what is sent again and when, what is told once, and what is never sent (RFC 3261 17, 4320, 6026)."""

import pytest

from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.transaction_events import (
    Cancelled,
    Repeated,
    RequestReceived,
    ResponseReceived,
    TimedOut,
    TransportFailed,
    Unacknowledged,
)
from gateway.protocols.sip.transactions import TransactionLayer

from .talk import ALICE, BOB, TLS, UDP, layer, line, lines, request, response, station


def times(talk: TransactionLayer, until: float) -> list[tuple[float, str]]:
    """Lets the time pass from timer to timer and gives what was sent or told when."""
    seen: list[tuple[float, str]] = []
    while (when := talk.next_timer()) is not None and when <= until:
        events = talk.tick(when)
        seen += [(when, text) for text in lines(talk.take_output())]
        seen += [(when, type(event).__name__) for event in events]
    return seen


def ours(method: str = "MESSAGE") -> Request:
    return station().request(method, ALICE, BOB)


def opened(talk: TransactionLayer, message: Request, flow: str = TLS, now: float = 0.0) -> int:
    (event,) = talk.received(message, flow, now)
    assert isinstance(event, RequestReceived) and event.transaction is not None
    return event.transaction


# --- requests of ours that are not INVITE


def test_a_request_bears_our_via_with_a_branch_of_rfc_3261_and_no_other() -> None:
    talk, message = layer(), ours()
    message.headers.add("Via", "SIP/2.0/TLS inside.corp.example;branch=z9hG4bKx")
    talk.send_request(message, TLS, 0.0)
    (sent,) = talk.take_output()
    assert sent.flow == TLS
    assert sent.message.headers.all("Via") == ["SIP/2.0/TLS gw.corp.example:5061;branch=z9hG4bKt1.47ce56ee"]


def test_rport_is_asked_for_on_udp() -> None:
    talk = layer()
    talk.send_request(ours(), UDP, 0.0)
    assert talk.take_output()[0].message.headers.all("Via")[0].endswith(";rport")


def test_over_udp_timer_e_doubles_to_t2_and_timer_f_ends() -> None:
    talk = layer()
    talk.send_request(ours(), UDP, 0.0, "me")
    assert lines(talk.take_output()) == ["MESSAGE"]
    seen = times(talk, 60.0)
    sent = [when for when, what in seen if what == "MESSAGE"]
    assert sent == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert seen[-1] == (32.0, "TimedOut")
    assert len(talk) == 0 and talk.next_timer() is None


def test_over_tls_nothing_is_repeated() -> None:
    talk = layer()
    serial = talk.send_request(ours(), TLS, 0.0, "me")
    talk.take_output()
    assert talk.tick(31.9) == []
    assert talk.tick(32.0) == [TimedOut(serial, "me")]
    assert talk.take_output() == []


def test_after_100_over_udp_the_request_is_repeated_every_t2() -> None:
    talk, message = layer(), ours()
    talk.send_request(message, UDP, 0.0)
    talk.received(response(message, 100, None), UDP, 0.1)
    talk.take_output()
    assert [when for when, what in times(talk, 14.0) if what == "MESSAGE"] == [0.5, 4.5, 8.5, 12.5]


def test_a_response_reaches_the_owner_once() -> None:
    talk, message = layer(), ours()
    serial = talk.send_request(message, UDP, 0.0, "me")
    answer = response(message, 200)
    assert talk.received(answer, UDP, 1.0) == [ResponseReceived(serial, "me", answer, UDP)]
    assert talk.received(answer, UDP, 1.1) == []
    assert talk.next_timer() == 6.0  # Timer K
    talk.tick(6.0)
    assert len(talk) == 0


def test_over_tls_a_finished_request_is_forgotten_at_once() -> None:
    talk, message = layer(), ours()
    talk.send_request(message, TLS, 0.0)
    talk.received(response(message, 404), TLS, 1.0)
    assert len(talk) == 0


@pytest.mark.parametrize("change", ["branch", "method", "two vias", "another name"])
def test_a_response_to_nobody_is_dropped(change: str) -> None:
    talk, message = layer(), ours()
    talk.send_request(message, TLS, 0.0)
    answer = response(message, 200)
    if change == "branch":
        answer.headers.set("Via", "SIP/2.0/TLS gw.corp.example:5061;branch=z9hG4bKother")
    elif change == "another name":
        answer.headers.set("Via", (answer.headers.get("Via") or "").replace("gw.corp", "other"))
    elif change == "method":
        answer.headers.set("CSeq", "1 INVITE")
    else:
        answer.headers.add("Via", "SIP/2.0/TLS inside.corp.example;branch=z9hG4bKx")
    assert talk.received(answer, TLS, 1.0) == []
    assert (talk.refused, len(talk)) == (1, 1)


def test_a_lost_flow_fails_what_waits_on_it() -> None:
    talk = layer()
    lost = talk.send_request(ours(), TLS, 0.0, "lost")
    talk.send_request(ours(), "tls:other.example", 0.0, "kept")
    assert talk.flow_lost(TLS, 0.0) == [TransportFailed(lost, "lost")]
    assert [event.owner for event in talk.tick(32.0) if isinstance(event, TimedOut)] == ["kept"]


def test_too_many_requests_fail_instead_of_piling_up() -> None:
    talk = layer(limit=2)
    for number in range(3):
        serial = talk.send_request(ours(), TLS, 0.0, number)
    assert lines(talk.take_output()) == ["MESSAGE", "MESSAGE"]
    assert talk.next_timer() is not None and talk.next_timer() <= 0.0
    assert talk.tick(0.0) == [TransportFailed(serial, 2)]


# --- INVITEs of ours


def test_over_udp_timer_a_doubles_without_end_and_timer_b_ends() -> None:
    talk = layer()
    talk.send_request(ours("INVITE"), UDP, 0.0)
    talk.take_output()
    assert times(talk, 60.0) == [
        (0.5, "INVITE"),
        (1.5, "INVITE"),
        (3.5, "INVITE"),
        (7.5, "INVITE"),
        (15.5, "INVITE"),
        (31.5, "INVITE"),
        (32.0, "TimedOut"),
    ]


def test_a_refused_invite_is_acknowledged_by_the_layer_each_time() -> None:
    talk, message = layer(), ours("INVITE")
    message.headers.add("Route", "<sip:edge.partner.example;lr>")
    talk.send_request(message, UDP, 0.0)
    talk.take_output()
    answer = response(message, 486, "busy")
    assert [type(event).__name__ for event in talk.received(answer, UDP, 1.0)] == ["ResponseReceived"]
    assert talk.received(answer, UDP, 1.5) == []
    first, second = (send.message for send in talk.take_output())
    assert first == second and isinstance(first, Request)
    assert (first.method, first.uri, str(first.cseq)) == ("ACK", BOB, "1 ACK")
    assert first.headers.all("Via") == message.headers.all("Via")
    assert first.headers.all("Route") == ["<sip:edge.partner.example;lr>"]
    assert first.to.tag == "busy"
    assert talk.next_timer() == 33.0  # Timer D


def test_every_2xx_to_an_invite_is_told_so_that_it_can_be_acknowledged() -> None:
    talk, message = layer(), ours("INVITE")
    talk.send_request(message, TLS, 0.0)
    for tag in ("one", "one", "two"):
        (event,) = talk.received(response(message, 200, tag), TLS, 1.0)
        assert isinstance(event, ResponseReceived) and event.response.to.tag == tag
    assert len(talk) == 1
    talk.tick(33.0)  # Timer M
    assert len(talk) == 0


def test_cancel_waits_for_a_provisional_response_and_has_the_branch_of_its_invite() -> None:
    talk, message = layer(), ours("INVITE")
    serial = talk.send_request(message, TLS, 0.0, "me")
    talk.take_output()
    talk.cancel(serial, 1.0)
    assert talk.take_output() == []
    talk.received(response(message, 180), TLS, 2.0)
    (cancel,) = (send.message for send in talk.take_output())
    assert isinstance(cancel, Request)
    assert (cancel.method, str(cancel.cseq), cancel.to.tag) == ("CANCEL", "1 CANCEL", None)
    assert cancel.headers.all("Via") == message.headers.all("Via")
    talk.received(response(cancel, 200), TLS, 2.1)
    (event,) = talk.received(response(message, 487), TLS, 2.2)
    assert isinstance(event, ResponseReceived) and event.response.status == 487
    assert lines(talk.take_output()) == ["ACK"]


def test_a_cancelled_invite_that_nobody_answers_ends() -> None:
    talk, message = layer(), ours("INVITE")
    serial = talk.send_request(message, TLS, 0.0, "me")
    talk.received(response(message, 180), TLS, 1.0)
    talk.cancel(serial, 2.0)
    assert TimedOut(serial, "me") in talk.tick(34.0)


# --- requests of a peer


def test_an_answered_request_is_let_go_though_its_answer_is_kept() -> None:
    talk, message = layer(), request("MESSAGE", body=b"x" * 1000)
    serial = opened(talk, message)
    assert talk.request_of(serial) is message
    talk.send_response(serial, message.reply(202, to_tag="t"), 0.0)
    assert talk.request_of(serial) is None and not talk.send_response(serial, message.reply(200, to_tag="t"), 1.0)
    talk.take_output()
    talk.received(request("MESSAGE", body=b"x" * 1000), TLS, 20.0)
    assert lines(talk.take_output()) == ["202 MESSAGE"]


def test_a_repeated_message_is_told_once_and_answered_again() -> None:
    talk, message = layer(), request("MESSAGE")
    serial = opened(talk, message)
    assert talk.received(message, TLS, 0.1) == [Repeated("MESSAGE")]
    assert talk.take_output() == []  # not answered yet
    assert talk.send_response(serial, message.reply(202, to_tag="a"), 0.2)
    for flow in (TLS, "tls:again"):
        assert talk.received(message, flow, 0.3) == [Repeated("MESSAGE")]
    assert [(line(send.message), send.flow) for send in talk.take_output()] == [
        ("202 MESSAGE", TLS),
        ("202 MESSAGE", TLS),
        ("202 MESSAGE", "tls:again"),
    ]
    assert not talk.send_response(serial, message.reply(500, to_tag="a"), 0.4)


@pytest.mark.parametrize(("flow", "status"), [(TLS, 202), (UDP, 202)])
def test_an_answered_message_is_known_for_32_seconds(flow: str, status: int) -> None:
    talk, message = layer(), request("MESSAGE")
    talk.send_response(opened(talk, message, flow), message.reply(status), 1.0)
    assert talk.received(message, flow, 32.9) == [Repeated("MESSAGE")]
    talk.tick(33.0)
    assert len(talk) == 0


def test_a_message_that_comes_by_another_way_gets_the_answer_of_the_first() -> None:
    talk, message = layer(), request("MESSAGE")
    serial = opened(talk, message)
    other = request("MESSAGE", branch="b2")
    assert talk.received(other, "tls:two", 0.1) == [Repeated("MESSAGE")]
    talk.send_response(serial, message.reply(202, to_tag="a"), 0.2)
    talk.received(request("MESSAGE", branch="b3"), "tls:three", 0.3)
    sent = [(line(send.message), send.flow, send.message.top_via.branch) for send in talk.take_output()]
    assert sent == [
        ("482 MESSAGE", "tls:two", "z9hG4bKb2"),
        ("202 MESSAGE", TLS, "z9hG4bKb1"),
        ("202 MESSAGE", "tls:three", "z9hG4bKb3"),
    ]


def test_a_request_inside_a_dialog_is_no_copy_of_the_one_that_began_it() -> None:
    talk = layer()
    opened(talk, request("SUBSCRIBE"))
    opened(talk, request("SUBSCRIBE", branch="b2", To=f"<{ALICE}>;tag=a"))


def test_the_branch_is_matched_with_sent_by_and_method() -> None:
    talk = layer()
    opened(talk, request("MESSAGE"))
    opened(talk, request("OPTIONS"))
    opened(talk, request("MESSAGE", Via="SIP/2.0/TLS other.example;branch=z9hG4bKb1", Call_ID="call2"))
    assert len(talk) == 3


def test_a_branch_of_rfc_2543_is_refused() -> None:
    talk = layer()
    assert talk.received(request("MESSAGE", Via="SIP/2.0/TLS old.example;branch=1"), TLS, 0.0) == []
    assert talk.received(request("MESSAGE", Via="SIP/2.0/TLS old.example"), TLS, 0.0) == []
    assert (talk.refused, len(talk)) == (2, 0)


@pytest.mark.parametrize("flow", [TLS, UDP])
def test_100_is_sent_after_3_and_a_half_seconds_and_408_never(flow: str) -> None:
    talk, message = layer(), request("MESSAGE")
    serial = opened(talk, message, flow)
    assert not talk.send_response(serial, message.reply(180, to_tag="a"), 0.1)
    assert times(talk, 20.0) == [(3.5, "100 MESSAGE")]
    assert not talk.send_response(serial, message.reply(408, to_tag="a"), 20.0)
    assert times(talk, 60.0) == []
    assert not talk.send_response(serial, message.reply(200, to_tag="a"), 60.0)  # too late: nothing is sent
    assert talk.take_output() == []


def test_an_invite_is_answered_100_after_a_fifth_of_a_second() -> None:
    talk, message = layer(), request("INVITE")
    opened(talk, message)
    assert times(talk, 1.0) == [(0.2, "100 INVITE")]
    talk.received(message, TLS, 1.0)
    assert lines(talk.take_output()) == ["100 INVITE"]


def test_over_udp_a_refusal_of_an_invite_is_repeated_until_its_ack() -> None:
    talk, message = layer(), request("INVITE")
    talk.send_response(opened(talk, message, UDP), message.reply(488, to_tag="a"), 0.0)
    talk.take_output()
    assert times(talk, 8.0) == [(0.5, "488 INVITE"), (1.5, "488 INVITE"), (3.5, "488 INVITE"), (7.5, "488 INVITE")]
    assert talk.received(request("ACK", To=f"<{ALICE}>;tag=a"), UDP, 8.0) == []
    assert times(talk, 12.9) == []
    talk.tick(13.0)  # Timer I
    assert len(talk) == 0


def test_over_tls_a_refusal_is_not_repeated_and_a_missing_ack_is_told() -> None:
    talk, message = layer(), request("INVITE")
    serial = opened(talk, message)
    talk.send_response(serial, message.reply(488, to_tag="a"), 0.0)
    talk.take_output()
    assert talk.tick(32.0) == [Unacknowledged(serial)]
    assert talk.take_output() == []


def test_after_2xx_a_repeated_invite_is_absorbed_and_its_ack_is_told() -> None:
    talk, message = layer(), request("INVITE")
    serial = opened(talk, message)
    accepted = message.reply(200, to_tag="a")
    assert talk.send_response(serial, accepted, 0.0)
    assert talk.send_response(serial, accepted, 0.5)  # its user repeats the 2xx (RFC 6026 section 7.1)
    assert lines(talk.take_output()) == ["200 INVITE", "200 INVITE"]
    assert talk.received(message, TLS, 0.6) == [Repeated("INVITE")]
    assert talk.take_output() == []
    ack = request("ACK", branch="b9", To=f"<{ALICE}>;tag=a")
    assert talk.received(ack, TLS, 1.0) == [RequestReceived(None, ack, TLS)]
    talk.tick(32.0)  # Timer L
    assert len(talk) == 0


def test_an_invite_that_its_user_forgets_is_answered_after_three_minutes() -> None:
    talk = layer()
    opened(talk, request("INVITE"))
    assert times(talk, 181.0) == [(0.2, "100 INVITE"), (180.0, "480 INVITE")]


def test_cancel_is_answered_and_told() -> None:
    talk = layer()
    serial = opened(talk, request("INVITE"))
    assert talk.received(request("CANCEL"), TLS, 0.1) == [Cancelled(serial)]
    assert lines(talk.take_output()) == ["200 CANCEL"]


def test_cancel_of_an_answered_invite_changes_nothing() -> None:
    talk, message = layer(), request("INVITE")
    talk.send_response(opened(talk, message), message.reply(200, to_tag="a"), 0.0)
    assert talk.received(request("CANCEL"), TLS, 0.1) == []
    assert lines(talk.take_output()) == ["200 INVITE", "200 CANCEL"]


def test_cancel_of_nothing_gets_481() -> None:
    talk = layer()
    assert talk.received(request("CANCEL"), TLS, 0.1) == []
    assert lines(talk.take_output()) == ["481 CANCEL"]


def test_an_ack_of_nothing_is_told_and_never_answered() -> None:
    talk, ack = layer(), request("ACK")
    assert talk.received(ack, TLS, 0.0) == [RequestReceived(None, ack, TLS)]
    assert talk.take_output() == [] and len(talk) == 0


def test_a_full_table_forgets_what_is_answered_and_refuses_when_nothing_is() -> None:
    talk = layer(limit=2)
    first = request("MESSAGE", branch="1", Call_ID="1")
    talk.send_response(opened(talk, first), first.reply(202), 0.0)
    opened(talk, request("MESSAGE", branch="2", Call_ID="2"))
    opened(talk, request("MESSAGE", branch="3", Call_ID="3"))
    talk.take_output()
    assert talk.received(request("MESSAGE", branch="4", Call_ID="4"), TLS, 0.1) == []
    (refused,) = (send.message for send in talk.take_output())
    assert isinstance(refused, Response) and refused.status == 500 and refused.headers.get("Retry-After") == "5"
    assert len(talk) == 2


def test_only_a_connection_that_we_offer_bears_alias() -> None:
    talk = layer()
    talk.offers = lambda flow: flow == TLS
    for flow in (TLS, "tls:opened by the peer"):
        talk.send_request(ours(), flow, 0.0)
    first, second = (send.message.headers.get("Via") or "" for send in talk.take_output())
    assert first.endswith(";alias") and "alias" not in second


def test_request_of_ours_that_comes_back_is_known_unless_it_is_routed_otherwise() -> None:
    talk, message = layer(), ours()
    talk.send_request(message, TLS, 0.0)
    message.headers.set("Via", f"SIP/2.0/TLS proxy.example;branch=z9hG4bKp, {message.headers.get('Via')}")
    assert talk.looped(message)
    message.uri = "sip:somebody.else@corp.example"
    assert not talk.looped(message)
    message.uri = BOB
    message.headers.set("Via", "SIP/2.0/TLS proxy.example;branch=z9hG4bKp, SIP/2.0/TLS other.example;branch=z9hG4bKq")
    assert not talk.looped(message)
    assert not talk.looped(request("MESSAGE"))
