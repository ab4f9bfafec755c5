"""The subscriber: when it asks again, what each answer and reason means, and which NOTIFY counts (RFC 6665 4.1)."""

import json

import pytest
from attrs import define, field

from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.station import Station
from gateway.protocols.sip.subscriber import Subscriber
from gateway.protocols.sip.subscribing import Active, Pending, SubscriptionKey, Terminated
from gateway.protocols.sip.transaction_events import RequestReceived, ResponseReceived, TimedOut, TransportFailed

from .talk import ALICE, BOB, PEER, TLS, line, request, response, station

KEY = SubscriptionKey(ALICE, BOB)
PIDF = "application/pidf+xml"


@define
class House:
    """A subscriber over its transactions; `far` answers and notifies as bob's server does."""

    station: Station = field(factory=station)
    subscriber: Subscriber = field(init=False)
    wanted: bool = True
    sent: list[Request | Response] = field(factory=list)
    asked: list[Request] = field(factory=list)
    number: int = 0

    def __attrs_post_init__(self) -> None:
        self.subscriber = Subscriber(self.station, lambda key: self.wanted)

    def hear(self, message: Request | Response, now: float) -> list[object]:
        told: list[object] = []
        for event in self.station.transactions.received(message, TLS, now):
            if isinstance(event, RequestReceived) and event.transaction is not None:
                told += self.subscriber.notify_received(event.transaction, event.request, now)
            elif isinstance(event, ResponseReceived):
                told += self.subscriber.answered(event, now)
        return told

    def out(self) -> list[str]:
        self.sent = [send.message for send in self.station.transactions.take_output()]
        self.asked += [message for message in self.sent if isinstance(message, Request)]
        return [line(message) for message in self.sent]

    def pass_time(self, now: float) -> list[object]:
        told: list[object] = []
        for event in self.station.transactions.tick(now):
            assert isinstance(event, TimedOut | TransportFailed)
            told += self.subscriber.answered(event, now)
        return told + self.subscriber.tick(now)

    def begin(self, now: float = 0.0, expires: int = 3600) -> Request:
        assert self.subscriber.subscribe(KEY, now, expires)
        assert self.out() == ["SUBSCRIBE"]
        return self.asked[-1]

    def answer(self, status: int, now: float, **fields: str) -> list[object]:
        """Answers the latest SUBSCRIBE."""
        return self.hear(response(self.asked[-1], status, "bob", **{"Contact": f"<{PEER}>"} | fields), now)

    def notify(self, state: str, now: float, body: bytes = b"", tag: str = "bob", **fields: str | None) -> list[object]:
        """Notifies in the dialog of the latest SUBSCRIBE."""
        self.number += 1
        ask = self.asked[-1]
        given: dict[str, str | None] = {
            "branch": f"n{self.number}",
            "From_": f"<{BOB}>;tag={tag}",
            "To": ask.headers.get("From"),
            "Call_ID": ask.call_id,
            "CSeq": str(self.number),
            "Contact": f"<{PEER}>",
            "Event": "presence",
            "Subscription_State": state,
            "Content_Type": PIDF if body else None,
        }
        return self.hear(request("NOTIFY", "sip:gw.corp.example:5061", body, **given | fields), now)

    def live(self, seconds: int = 3600) -> None:
        self.begin()
        self.answer(200, 0.1, Expires=str(seconds))
        self.notify(f"active;expires={seconds}", 0.2, b"<open/>")
        self.out()


def test_a_subscription_from_the_first_to_the_last_message() -> None:
    house = House()
    ask = house.begin()
    assert (ask.uri, ask.headers.get("From"), ask.headers.get("To")) == (BOB, f"<{ALICE}>;tag=t1", f"<{BOB}>")
    assert [ask.headers.get(name) for name in ("Event", "Accept", "Expires")] == ["presence", PIDF, "3600"]
    assert (ask.headers.get("Call-ID"), ask.headers.get("Contact")) == (
        "t2",
        "<sip:gw.corp.example:5061;transport=tls>",
    )
    assert house.answer(200, 0.1, Expires="3600") == []
    assert house.notify("pending;expires=3600", 0.2) == [Pending(KEY)]
    assert house.out() == ["200 NOTIFY"]
    assert house.notify("active;expires=3599", 1.0, b"<open/>") == [Active(KEY, PIDF, b"<open/>")]
    assert house.notify("active;expires=3598", 2.0) == [Active(KEY, "", b"")]
    house.out()
    assert house.subscriber.unsubscribe(KEY, 3.0) == []
    assert house.out() == ["SUBSCRIBE"]
    leave = house.asked[-1]
    assert (leave.uri, leave.headers.get("Expires"), str(leave.cseq)) == (PEER, "0", "2 SUBSCRIBE")
    assert (leave.from_.tag, leave.to.tag, leave.call_id) == ("t1", "bob", "t2")
    assert house.answer(200, 3.1, Expires="0") == []
    assert house.notify("terminated;reason=timeout", 3.2) == [Terminated(KEY, False, "unsubscribed")]
    assert house.out() == ["200 NOTIFY"]
    assert len(house.subscriber) == 0 and house.subscriber.next_timer() is None


def test_notify_may_come_before_the_2xx() -> None:
    house = House()
    house.begin()
    assert house.notify("active;expires=600", 0.1, b"<open/>") == [Active(KEY, PIDF, b"<open/>")]
    assert house.answer(200, 0.2, Expires="600") == []
    assert house.subscriber.next_timer() == pytest.approx(0.2 + 540 * 0.95, abs=0.2)


def test_one_fork_is_kept_and_the_others_get_481() -> None:
    house = House()
    house.begin()
    assert len(house.notify("active;expires=600", 0.1, tag="one")) == 1
    assert house.notify("active;expires=600", 0.2, tag="two") == []
    assert len(house.notify("active;expires=600", 0.3, tag="one")) == 1
    assert house.out() == ["200 NOTIFY", "481 NOTIFY", "200 NOTIFY"]


def test_routes_of_the_notify_are_followed() -> None:
    house = House()
    house.begin()
    house.notify("active;expires=600", 0.1, Record_Route="<sip:near.example;lr>,<sip:far.example;lr>")
    house.subscriber.unsubscribe(KEY, 1.0)
    house.out()
    assert house.asked[-1].headers.all("Route") == ["<sip:near.example;lr>", "<sip:far.example;lr>"]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"Call_ID": "other"}, 481),
        ({"To": f"<{ALICE}>;tag=other"}, 481),
        ({"Event": "dialog"}, 489),
        ({"Event": None}, 489),
        ({"Subscription_State": None}, 400),
        ({"Subscription_State": "\t;"}, 400),
        ({"Contact": None}, 400),
        ({"Content_Type": "text/plain"}, 415),
        ({"From_": "<sip:eve@stranger.example>;tag=bob"}, 403),
    ],
)
def test_a_notify_that_does_not_belong_is_refused(fields: dict[str, str | None], status: int) -> None:
    house = House()
    house.begin()
    body = b"x" if status == 415 else b""
    given: dict[str, str | None] = {"state": "active;expires=600"} | fields
    state = given.pop("state") or ""
    assert house.notify(state, 0.1, body, **given) == []
    assert house.out() == [f"{status} NOTIFY"]
    assert house.sent[0].headers.get("Accept") == (PIDF if status == 415 else None)


def test_a_notify_out_of_order_is_refused() -> None:
    house = House()
    house.begin()
    house.notify("active;expires=600", 0.1, CSeq="9")
    assert house.notify("active;expires=600", 0.2, CSeq="8") == []
    assert house.out() == ["200 NOTIFY", "500 NOTIFY"]


@pytest.mark.parametrize(("seconds", "when"), [(3600, 3540), (120, 60), (100, 50), (60, 30)])
def test_refresh_is_at_half_or_a_minute_before_with_jitter(seconds: int, when: int) -> None:
    house = House()
    house.live(seconds)
    assert house.subscriber.next_timer() == pytest.approx(when * 0.95, abs=0.3)
    house.pass_time(when)
    assert house.out() == ["SUBSCRIBE"]
    refresh = house.asked[-1]
    assert (refresh.to.tag, str(refresh.cseq), refresh.headers.get("Expires")) == ("bob", "2 SUBSCRIBE", "3600")


def test_the_time_in_notify_has_authority() -> None:
    house = House()
    house.begin()
    house.answer(200, 0.1, Expires="3600")
    house.notify("active;expires=200", 0.2)
    assert house.subscriber.next_timer() == pytest.approx(0.2 + 140 * 0.95)


def test_a_subscription_that_nobody_wants_lapses() -> None:
    house = House(wanted=False)
    house.live(600)
    house.pass_time(540.0)
    assert house.out() == []
    assert house.pass_time(600.2) == [Terminated(KEY, False, "timeout")]
    assert KEY not in house.subscriber


def test_timer_n_no_notify_is_a_failure() -> None:
    house = House()
    house.begin()
    house.answer(200, 0.1, Expires="3600")
    assert house.pass_time(31.9) == []
    assert house.pass_time(32.0) == [Terminated(KEY, False, "no answer")]
    house.out()
    assert house.pass_time(62.0) == [] and house.out() == ["SUBSCRIBE"]
    assert house.asked[-1].call_id != house.asked[-2].call_id


@pytest.mark.parametrize(
    ("reason", "permanently", "again"),
    [
        (";reason=deactivated", False, 3.75),
        (";reason=timeout", False, 3.75),
        (";reason=probation", False, 30.0),
        (";reason=probation;retry-after=100", False, 100.0),
        (";reason=giveup", False, 30.0),
        (";reason=odd", False, 30.0),
        ("", False, 30.0),
        (";reason=rejected", True, None),
        (";reason=noresource", True, None),
        (";reason=invariant", True, None),
    ],
)
def test_reasons_of_terminated(reason: str, permanently: bool, again: float | None) -> None:
    house = House()
    house.live()
    name = reason.removeprefix(";reason=").partition(";")[0] or "terminated"
    assert house.notify(f"terminated{reason}", 10.0) == [Terminated(KEY, permanently, name)]
    assert house.subscriber.next_timer() == (None if again is None else 10.0 + again)
    if again is not None:
        house.out()
        house.pass_time(10.0 + again)
        assert house.out() == ["SUBSCRIBE"] and house.asked[-1].to.tag is None


@pytest.mark.parametrize("status", [403, 404, 405, 406, 410, 415, 416, 420, 489, 501, 603, 604])
@pytest.mark.parametrize("live", [False, True])
def test_answers_that_end_it_for_good(status: int, live: bool) -> None:
    house = House()
    house.live() if live else house.begin()
    if live:
        house.pass_time(3540.0)
        house.out()
    assert house.answer(status, 3541.0 if live else 1.0) == [Terminated(KEY, True, str(status))]
    assert len(house.subscriber) == 0


@pytest.mark.parametrize("status", [480, 481, 482, 483, 484, 485])
def test_answers_to_a_refresh_that_ask_for_a_new_dialog(status: int) -> None:
    house = House()
    house.live()
    house.pass_time(3500.0)
    house.out()
    assert house.answer(status, 3501.0) == [Terminated(KEY, False, str(status))]
    house.pass_time(3506.0)
    assert house.out() == ["SUBSCRIBE"]
    assert (house.asked[-1].to.tag, house.asked[-1].call_id != house.asked[-2].call_id) == (None, True)


@pytest.mark.parametrize("status", [400, 408, 486, 500, 503, 504, 600])
def test_other_answers_to_a_refresh_leave_it_alive_to_its_end(status: int) -> None:
    house = House()
    house.live()
    house.pass_time(3500.0)
    house.out()
    assert house.answer(status, 3501.0) == []
    assert len(house.notify("active", 3502.0, b"<busy/>")) == 1
    house.out()
    house.pass_time(3531.1)
    assert house.out() == ["SUBSCRIBE"] and house.asked[-1].to.tag == "bob"


def test_a_refresh_that_never_succeeds_ends_with_the_time() -> None:
    house = House()
    house.live(120)
    house.pass_time(60.0)
    house.out()
    house.answer(500, 60.1, Retry_After="300")
    assert house.pass_time(120.3) == [Terminated(KEY, False, "timeout")]


def test_min_expires_is_obeyed() -> None:
    house = House()
    house.begin(expires=60)
    assert house.answer(423, 0.1, Min_Expires="300") == []
    assert house.out() == ["SUBSCRIBE"]
    assert house.asked[-1].headers.get("Expires") == "300"
    assert house.answer(423, 0.2, Min_Expires="300") == [Terminated(KEY, False, "423")]


def test_retry_after_is_obeyed_and_attempts_become_rare() -> None:
    house = House()
    house.begin()
    assert house.answer(503, 0.0, Retry_After="120 (busy)") == [Terminated(KEY, False, "503")]
    assert house.subscriber.next_timer() == 120.0
    now, waits = 120.0, []
    for _ in range(8):
        house.pass_time(now)
        house.out()
        house.answer(503, now)
        waits.append((house.subscriber.next_timer() or 0.0) - now)
        now += waits[-1]
    assert waits == [60, 120, 240, 480, 960, 1800, 1800, 1800]


def test_a_lost_connection_is_tried_again() -> None:
    house = House()
    house.begin()
    (event,) = house.station.transactions.flow_lost(TLS, 0.0)
    assert isinstance(event, TransportFailed)
    assert house.subscriber.answered(event, 1.0) == [Terminated(KEY, False, "no answer")]
    assert house.subscriber.next_timer() == 31.0


def test_asking_again_for_what_is_alive_makes_no_second_dialog() -> None:
    house = House()
    house.live()
    assert house.subscriber.subscribe(KEY, 5.0)
    assert house.out() == [] and len(house.subscriber) == 1


def test_unsubscribing_before_the_first_notify_waits_for_it() -> None:
    house = House()
    house.begin()
    assert house.subscriber.unsubscribe(KEY, 0.1) == []
    house.answer(200, 0.2, Expires="3600")
    assert house.out() == []
    assert house.notify("active;expires=3600", 0.3, b"<open/>") == []
    assert house.out() == ["200 NOTIFY", "SUBSCRIBE"]
    assert house.asked[-1].headers.get("Expires") == "0"


@pytest.mark.parametrize("how", ["refused", "silent", "resting"])
def test_unsubscribing_always_ends(how: str) -> None:
    house = House()
    house.live()
    if how == "resting":
        house.notify("terminated;reason=giveup", 1.0)
    told = house.subscriber.unsubscribe(KEY, 2.0)
    house.out()
    if how == "refused":
        told = house.answer(481, 2.1)
    elif how == "silent":
        house.answer(200, 2.1, Expires="0")
        house.notify("active;expires=10", 3.0)
        told = house.pass_time(34.0)
    assert [event.permanently for event in told if isinstance(event, Terminated)] == [False]
    assert len(house.subscriber) == 0


def test_a_fetch_shows_and_is_over() -> None:
    house = House()
    assert house.begin(expires=0).headers.get("Expires") == "0"
    house.answer(200, 0.1, Expires="0")
    assert house.notify("terminated;reason=timeout", 0.2, b"<open/>") == [
        Active(KEY, PIDF, b"<open/>", True),
        Terminated(KEY, False, "fetched"),
    ]
    assert len(house.subscriber) == 0


def test_there_is_a_limit() -> None:
    house = House()
    house.subscriber.limit = 1
    house.begin()
    assert not house.subscriber.subscribe(SubscriptionKey(ALICE, "sip:eve@stranger.example"), 0.0)


def test_a_live_subscription_survives_a_restart_in_its_dialog() -> None:
    house, after = House(), House()
    house.live()
    (kept,) = json.loads(json.dumps(house.subscriber.to_plain(100.0, 1_000_100.0)))
    assert after.subscriber.restore(kept, 0.0, 1_000_200.0, 700) == KEY
    assert after.subscriber.next_timer() == 30.0
    after.pass_time(30.0)
    assert after.out() == ["SUBSCRIBE"]
    refresh = after.asked[-1]
    assert (refresh.call_id, refresh.to.tag, str(refresh.cseq)) == (house.asked[0].call_id, "bob", "701 SUBSCRIBE")
    after.number = 50
    assert after.notify("active;expires=3600", 31.0, b"<busy/>") == [Active(KEY, PIDF, b"<busy/>")]


def test_any_other_subscription_is_asked_for_again_after_a_restart() -> None:
    house, after = House(), House()
    house.begin()
    (kept,) = house.subscriber.to_plain(0.0, 0.0)
    after.subscriber.restore(kept, 0.0, 0.0, 700)
    after.pass_time(30.0)
    assert after.out() == ["SUBSCRIBE"] and after.asked[-1].to.tag is None


def test_what_ends_is_not_kept_over_a_restart() -> None:
    house = House()
    house.live()
    house.subscriber.unsubscribe(KEY, 1.0)
    assert house.subscriber.to_plain(1.0, 1.0) == []
