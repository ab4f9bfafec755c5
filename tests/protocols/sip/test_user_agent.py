"""The user agent: what no role sees, whom a connection may speak for, loops, OPTIONS (RFC 3261 section 8.2)."""

import pytest
from attrs import define, field

from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.pager import Delivered, Undelivered
from gateway.protocols.sip.session import Letter
from gateway.protocols.sip.station import Station, hops_of
from gateway.protocols.sip.subscribing import SubscriptionKey
from gateway.protocols.sip.transaction_events import Repeated
from gateway.protocols.sip.user_agent import MessageReceived, RequestRefused, UserAgent
from gateway.protocols.sip.watching import Document, WatcherAsks

from .talk import ALICE, BOB, PEER, TLS, line, request, response, station

THEIRS = {"partner.example"}


class Everybody:
    """Serves corp.example and admits all."""

    def serves(self, domain: str) -> bool:
        return domain == "corp.example"

    def watcher(self, presentity: str, watcher: str, package: str) -> int:
        return 200

    def session(self, local: str, remote: str) -> int:
        return 200

    def wanted(self, key: SubscriptionKey) -> bool:
        return True


@define
class House:
    station: Station = field(factory=lambda: station(mark="gw7"))
    agent: UserAgent = field(init=False)
    sent: list[Request | Response] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.agent = UserAgent(self.station, Everybody())

    def hear(self, message: Request | Response, now: float = 0.0) -> list[object]:
        return [*self.agent.received(message, TLS, THEIRS, now)]

    def out(self) -> list[str]:
        self.sent = [send.message for send in self.agent.take_output()]
        return [line(message) for message in self.sent]


def message(**fields: str | None) -> Request:
    return request("MESSAGE", body=b"hi", **{"Content_Type": "text/plain"} | fields)


def test_a_message_is_told_and_answered_when_it_is_kept() -> None:
    house = House()
    (event,) = house.hear(message(Subject="tea"))
    assert isinstance(event, MessageReceived)
    assert (event.sender, event.recipient, event.content_type, event.body) == (BOB, ALICE, "text/plain", b"hi")
    assert event.request.headers.get("Subject") == "tea" and not event.in_session
    assert house.out() == []
    assert house.agent.answer(event.transaction, 202, 1.0)
    assert house.out() == ["202 MESSAGE"]
    (accepted,) = house.sent
    assert "Contact" not in accepted.headers and accepted.body == b"" and accepted.to.tag is not None
    assert house.hear(message(Subject="tea"), 2.0) == [Repeated("MESSAGE")]
    assert house.out() == ["202 MESSAGE"]


def test_a_user_that_is_slow_gets_a_100_sent_and_may_be_too_late() -> None:
    house = House()
    (event,) = house.hear(message())
    assert isinstance(event, MessageReceived)
    house.agent.tick(3.5)
    assert house.out() == ["100 MESSAGE"]
    house.agent.tick(32.0)
    assert not house.agent.answer(event.transaction, 200, 32.1)
    assert house.out() == []


@pytest.mark.parametrize(
    "sender",
    [
        "<sip:eve@stranger.example>;tag=x",
        "<sip:eve@sub.partner.example>;tag=x",
        "<tel:+15550100>;tag=x",
        "<sip:alice@corp.example>;tag=x",
    ],
)
@pytest.mark.parametrize("method", ["MESSAGE", "SUBSCRIBE", "INVITE", "NOTIFY", "OPTIONS", "BYE"])
def test_a_connection_speaks_for_its_certified_domains_only(sender: str, method: str) -> None:
    house = House()
    asserted = "<sip:bob@partner.example>"
    told = house.hear(request(method, From_=sender, P_Asserted_Identity=asserted, Contact=f"<{PEER}>"))
    assert told == [RequestRefused(method, 403)]
    assert house.out() == [f"403 {method}"]
    assert len(house.station.transactions) == 0


def test_a_forged_ack_or_cancel_does_nothing() -> None:
    house = House()
    forged = "<sip:eve@stranger.example>;tag=x"
    house.hear(request("ACK", From_=forged))
    assert house.out() == []
    house.hear(request("CANCEL", From_=forged))
    assert house.out() == ["403 CANCEL"]


def test_a_connection_inside_may_speak_for_anybody() -> None:
    house = House()
    (event,) = house.agent.received(message(From_="<sip:carol@inside.example>;tag=c"), TLS, None, 0.0)
    assert isinstance(event, MessageReceived) and event.sender == "sip:carol@inside.example"


@pytest.mark.parametrize(
    ("method", "uri", "fields", "status", "header", "value"),
    [
        ("REGISTER", ALICE, {}, 405, "Allow", None),
        ("PUBLISH", ALICE, {}, 405, "Allow", None),
        ("REFER", ALICE, {}, 405, "Allow", None),
        ("PRACK", ALICE, {}, 405, "Allow", None),
        ("SERVICE", ALICE, {}, 501, "Allow", None),
        ("message", ALICE, {}, 501, "Allow", None),
        ("MESSAGE", "sips:alice@corp.example", {}, 416, "Allow", ""),
        ("MESSAGE", "tel:+15550100", {}, 416, "Allow", ""),
        ("MESSAGE", "http://corp.example/", {}, 416, "Allow", ""),
        ("MESSAGE", ALICE, {"Require": "timer, 100rel"}, 420, "Unsupported", "timer, 100rel"),
        ("INVITE", ALICE, {"Require": "com.microsoft.rtc-multiparty"}, 420, "Unsupported", None),
        ("MESSAGE", ALICE, {"Max_Forwards": "0"}, 483, "Allow", ""),
        ("MESSAGE", "sip:alice@other.example", {}, 403, "Allow", ""),
        ("MESSAGE", "sip:corp.example", {}, 404, "Allow", ""),
        ("SUBSCRIBE", "sip:corp.example", {}, 404, "Allow", ""),
        ("BYE", ALICE, {}, 481, "Allow", ""),
        ("INFO", ALICE, {}, 481, "Allow", ""),
        ("UPDATE", ALICE, {}, 481, "Allow", ""),
        ("NOTIFY", ALICE, {}, 481, "Allow", ""),
        ("MESSAGE", ALICE, {"Content_Type": "image/gif"}, 415, "Accept", None),
        ("MESSAGE", ALICE, {"Content_Type": None}, 415, "Accept", None),
        ("MESSAGE", ALICE, {"Content_Encoding": "gzip"}, 415, "Accept-Encoding", "identity"),
        ("MESSAGE", ALICE, {"Content_Disposition": "icon"}, 415, "Accept", None),
        ("MESSAGE", ALICE, {"X_Gateway_Hop": "gw7;hops=3"}, 482, "Allow", ""),
        ("MESSAGE", ALICE, {"X_Gateway_Hop": "other;hops=0"}, 482, "Allow", ""),
    ],
)
def test_what_no_role_sees(
    method: str, uri: str, fields: dict[str, str | None], status: int, header: str, value: str | None
) -> None:
    house = House()
    told = house.hear(request(method, uri, b"hi", **{"Content_Type": "text/plain"} | fields))
    assert told == [RequestRefused(method, status)]
    assert house.out() == [f"{status} {method}"]
    given = house.sent[0].headers.get(header)
    assert given == value if value else (given is None) == (value == "")
    assert status < 600 and status not in (408, 503)


def test_allow_names_every_method() -> None:
    house = House()
    house.hear(request("PUBLISH"))
    house.out()
    assert house.sent[0].headers.get("Allow") == (
        "INVITE, ACK, CANCEL, BYE, OPTIONS, MESSAGE, INFO, UPDATE, SUBSCRIBE, NOTIFY"
    )


def test_proxy_require_of_communicator_does_not_concern_a_user_agent() -> None:
    house = House()
    told = house.hear(request("SUBSCRIBE", Contact=f"<{PEER}>", Event="presence", Proxy_Require="ms-benotify"))
    assert [type(event) for event in told] == [WatcherAsks]


def test_presence_that_went_in_a_circle_ends_silently() -> None:
    house = House()
    house.hear(request("NOTIFY", X_Gateway_Hop="gw7;hops=3"))
    assert house.out() == ["200 NOTIFY"]


def test_what_we_send_outside_and_inside_of_sessions_bears_our_mark() -> None:
    house = House()
    house.agent.subscriber.subscribe(SubscriptionKey(ALICE, BOB), 0.0)
    house.agent.sessions.send(ALICE, BOB, Letter(Document("text/plain", b"hi"), 1, hops=1), 0.0)
    assert house.out() == ["SUBSCRIBE", "INVITE"]
    invite = house.sent[1]
    assert isinstance(invite, Request)
    marks = [each.headers.get("X-Gateway-Hop") for each in house.sent]
    house.hear(response(invite, 200, Contact=f"<{PEER}>"))
    assert house.out() == ["ACK", "MESSAGE"]
    assert [*marks, house.sent[1].headers.get("X-Gateway-Hop")] == ["gw7;hops=4", "gw7;hops=4", "gw7;hops=1"]


def test_hops_are_counted_down() -> None:
    assert hops_of(message()) == []
    assert hops_of(message(X_Gateway_Hop="a;hops=3")) == [("a", 3)]
    assert hops_of(message(X_Gateway_Hop="odd")) == hops_of(message(X_Gateway_Hop="a;hops=9999")) == []


def test_a_message_without_text_is_answered_and_not_told() -> None:
    house = House()
    assert house.hear(request("MESSAGE")) == []
    assert house.out() == ["200 MESSAGE"]


@pytest.mark.parametrize("uri", [ALICE, "sip:nobody@corp.example", "sip:corp.example", "sip:gw.corp.example:5061"])
def test_options_is_answered_alike_for_everybody(uri: str) -> None:
    house = House()
    assert house.hear(request("OPTIONS", uri, Max_Forwards="0")) == []
    assert house.out() == ["200 OPTIONS"]
    headers = house.sent[0].headers
    assert headers.get("Allow-Events") == "presence" and "MESSAGE" in (headers.get("Allow") or "")
    assert "application/sdp" in headers.all("Accept") and "User-Agent" not in headers and "Server" not in headers


def test_an_event_that_cannot_be_read_gets_489_and_other_nonsense_400() -> None:
    house = House()
    house.hear(request("SUBSCRIBE", Event="<>", Contact=f"<{PEER}>"))
    house.hear(request("MESSAGE", "alice", b"x", Content_Type="text/plain", branch="b2", Call_ID="2"))
    assert house.out() == ["489 SUBSCRIBE", "400 MESSAGE"]


def test_a_message_that_no_reader_has_checked_raises_nothing() -> None:
    house = House()
    assert house.hear(request("MESSAGE", From_=None)) == [RequestRefused("MESSAGE", 0)]
    assert house.hear(request("MESSAGE", Via=None)) == [RequestRefused("MESSAGE", 0)]
    assert house.hear(Response(200, "OK")) == []


def test_cancel_of_a_waiting_invite_gets_487() -> None:
    house = House()
    ask = request("INVITE")
    house.station.transactions.received(ask, TLS, 0.0)
    assert house.hear(request("CANCEL"), 0.1) == []
    assert house.out() == ["200 CANCEL", "487 INVITE"]


def test_a_probe_is_answered_by_any_status() -> None:
    house = House()
    house.agent.probe("sip:corp.example", "sip:partner.example", "up?", 0.0)
    assert house.out() == ["OPTIONS"]
    (asked,) = house.sent
    assert isinstance(asked, Request)
    assert house.hear(response(asked, 405)) == [Delivered("up?", 405)]
    house.agent.probe("sip:corp.example", "sip:partner.example", "up?", 0.0)
    assert house.agent.tick(32.0) == [Undelivered("up?", 0, "timeout")]


def test_a_lost_connection_fails_what_waits_on_it() -> None:
    house = House()
    house.agent.pager.send(ALICE, BOB, Document("text/plain", b"hi"), 1, 0.0)
    assert house.agent.flow_lost(TLS, 1.0) == [Undelivered(1, 0, "transport")]


def test_the_next_timer_is_the_earliest_of_all() -> None:
    house = House()
    assert house.agent.next_timer() is None
    house.agent.subscriber.subscribe(SubscriptionKey(ALICE, BOB), 0.0)
    house.hear(request("SUBSCRIBE", Contact=f"<{PEER}>", Event="presence"))
    assert house.agent.next_timer() == 0.0
    house.agent.tick(0.0)
    assert house.agent.next_timer() == 32.0
