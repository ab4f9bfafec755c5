"""The notifier: what a SUBSCRIBE gets, and when a watcher is told what (RFC 6665 section 4.2, RFC 3856 section 6)."""

import json

import pytest
from attrs import define, field

from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.notifier import Notifier
from gateway.protocols.sip.station import Station
from gateway.protocols.sip.transaction_events import RequestReceived, ResponseReceived, TimedOut, TransportFailed
from gateway.protocols.sip.watching import NOTHING, Document, WatcherAsks, WatcherGone, WatchState

from .talk import ALICE, BOB, PEER, TLS, line, request, response, station

PIDF = "application/pidf+xml"
OPEN, BUSY, CLOSED = (Document(PIDF, text) for text in (b"<open/>", b"<busy/>", b"<closed/>"))
ACTIVE, PENDING = WatchState.ACTIVE, WatchState.PENDING


@define
class House:
    """A notifier over its transactions: what comes in is passed on, what goes out is said in words."""

    status: int = 200
    station: Station = field(factory=station)
    notifier: Notifier = field(init=False)
    branches: int = 0
    sent: list[Request | Response] = field(factory=list)
    notified: list[Request] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.notifier = Notifier(self.station, lambda presentity, watcher, package: self.status, min_expires=120)

    def hear(self, message: Request | Response, now: float) -> list[object]:
        told: list[object] = []
        for event in self.station.transactions.received(message, TLS, now):
            if isinstance(event, RequestReceived) and event.transaction is not None:
                told += self.notifier.subscribe_received(event.transaction, event.request, now)
            elif isinstance(event, ResponseReceived):
                told += self.notifier.answered(event, now)
        return told

    def subscribe(self, now: float, **fields: str | None) -> list[object]:
        self.branches += 1
        given = {"branch": f"s{self.branches}", "CSeq": str(self.branches), "Contact": f"<{PEER}>", "Event": "presence"}
        return self.hear(request("SUBSCRIBE", **given | fields), now)

    def pass_time(self, now: float) -> list[object]:
        told: list[object] = []
        for event in self.station.transactions.tick(now):
            assert isinstance(event, TimedOut | TransportFailed)
            told += self.notifier.answered(event, now)
        return told + self.notifier.tick(now)

    def out(self) -> list[str]:
        """Says each message: its line, and the state and body of a NOTIFY."""
        self.sent = [send.message for send in self.station.transactions.take_output()]
        self.notified = [message for message in self.sent if isinstance(message, Request)] or self.notified
        return [
            f"{line(m)} {m.headers.get('Subscription-State')} {m.body.decode()}".rstrip()
            if isinstance(m, Request)
            else line(m)
            for m in self.sent
        ]

    def answer(self, now: float, status: int = 200, **fields: str) -> list[object]:
        """Answers the NOTIFY sent latest."""
        return self.hear(response(self.notified[-1], status, None, **fields), now)

    def settled(self, expires: str = "3600", now: float = 0.0) -> WatcherAsks:
        """Subscribes, shows OPEN, and answers the NOTIFY."""
        (asks,) = self.subscribe(now, Expires=expires)
        assert isinstance(asks, WatcherAsks)
        self.notifier.show(asks.key, ACTIVE, OPEN, now)
        self.pass_time(now)
        self.out()
        self.answer(now)
        return asks

    def again(self, now: float, **fields: str | None) -> list[object]:
        """Refreshes inside the dialog."""
        (watch,) = self.notifier.to_plain(now, 0.0)
        dialog = watch["dialog"]
        assert isinstance(dialog, dict)
        return self.subscribe(now, **{"To": f"<{ALICE}>;tag={dialog['local_tag']}"} | fields)


def test_a_subscribe_is_answered_at_once_and_followed_by_what_is_shown() -> None:
    house = House()
    (asks,) = house.subscribe(0.0, Expires="600", Record_Route="<sip:p2.example;lr>, <sip:p1.example;lr>")
    assert isinstance(asks, WatcherAsks)
    assert (asks.presentity, asks.watcher, asks.package, asks.expires) == (ALICE, BOB, "presence", 600)
    assert (asks.first, asks.fetch, asks.accept) == (True, False, (PIDF,))
    assert house.out() == ["200 SUBSCRIBE"]
    accepted = house.sent[0]
    assert accepted.headers.get("Expires") == "600"
    assert accepted.headers.all("Contact") == ["<sip:gw.corp.example:5061;transport=tls>"]
    assert accepted.headers.all("Record-Route") == ["<sip:p2.example;lr>", "<sip:p1.example;lr>"]
    house.notifier.show(asks.key, ACTIVE, OPEN, 0.0)
    house.pass_time(0.0)
    assert house.out() == ["NOTIFY active;expires=600 <open/>"]
    (notify,) = house.sent
    assert isinstance(notify, Request) and notify.uri == PEER
    assert notify.headers.all("Route") == ["<sip:p2.example;lr>", "<sip:p1.example;lr>"]
    assert (notify.call_id, notify.from_.tag, notify.to.tag) == ("call1", accepted.to.tag, "bob")
    assert (notify.headers.get("Event"), notify.headers.get("Content-Type")) == ("presence", PIDF)


def test_without_a_decision_the_first_notify_is_pending_and_empty() -> None:
    house = House()
    house.subscribe(0.0, Event="presence;id=7")
    house.pass_time(0.0)
    assert house.out() == ["200 SUBSCRIBE", "NOTIFY pending;expires=3600"]
    assert house.sent[1].headers.get("Event") == "presence;id=7"
    assert "Content-Type" not in house.sent[1].headers


@pytest.mark.parametrize(
    ("fields", "status", "header", "value"),
    [
        ({"Event": None}, 489, "Allow-Events", "presence"),
        ({"Event": "dialog"}, 489, "Allow-Events", "presence"),
        ({"Event": ";"}, 489, "Allow-Events", "presence"),
        ({"Accept": "application/xml"}, 406, "Accept", PIDF),
        ({"Expires": "119"}, 423, "Min-Expires", "120"),
        ({"Contact": None}, 400, "Min-Expires", None),
        ({"Contact": "<tel:+15550100>"}, 400, "Min-Expires", None),
        ({"To": f"<{ALICE}>;tag=unknown"}, 481, "Min-Expires", None),
    ],
)
def test_refusals(fields: dict[str, str | None], status: int, header: str, value: str | None) -> None:
    house = House()
    assert house.subscribe(0.0, **fields) == []
    assert house.out() == [f"{status} SUBSCRIBE"]
    assert house.sent[0].headers.get(header) == value
    assert len(house.notifier) == 0 and house.sent[0].to.tag is not None


@pytest.mark.parametrize("status", [403, 404])
def test_the_user_decides_who_is_admitted(status: int) -> None:
    house = House(status)
    assert house.subscribe(0.0) == []
    assert house.out() == [f"{status} SUBSCRIBE"]


@pytest.mark.parametrize(("asked", "granted"), [(None, "3600"), ("120", "120"), ("86400", "3600")])
def test_the_time_is_shortened_never_lengthened(asked: str | None, granted: str) -> None:
    house = House()
    house.subscribe(0.0, Expires=asked)
    house.pass_time(0.0)
    assert house.out() == ["200 SUBSCRIBE", f"NOTIFY pending;expires={granted}"]
    assert house.sent[0].headers.get("Expires") == granted


@pytest.mark.parametrize("accept", ["*/*", "application/*", "text/plain, application/pidf+xml;q=0.5"])
def test_accept_is_understood(accept: str) -> None:
    (asks,) = House().subscribe(0.0, Accept=accept)
    assert isinstance(asks, WatcherAsks) and PIDF in asks.accept


def test_a_fetch_gets_one_last_notify_with_what_is_shown() -> None:
    house = House()
    (asks,) = house.subscribe(0.0, Expires="0")
    assert isinstance(asks, WatcherAsks) and asks.fetch
    house.notifier.show(asks.key, ACTIVE, OPEN, 0.0)
    house.pass_time(0.0)
    assert house.out() == ["200 SUBSCRIBE", "NOTIFY terminated;reason=timeout <open/>"]
    assert house.sent[0].headers.get("Expires") == "0" and len(house.notifier) == 0


def test_a_fetch_may_wait_for_a_document_but_not_for_ever() -> None:
    house = House()
    (asks,) = house.subscribe(0.0, Expires="0")
    assert isinstance(asks, WatcherAsks)
    house.notifier.postpone(asks.key, 3.0)
    house.pass_time(2.9)
    assert house.out() == ["200 SUBSCRIBE"]
    house.pass_time(3.0)
    assert house.out() == ["NOTIFY terminated;reason=timeout"]


def test_a_refresh_is_told_again_in_the_same_dialog() -> None:
    house = House()
    house.settled()
    (asks,) = house.again(1.0, Contact="<sip:new.partner.example>")
    assert isinstance(asks, WatcherAsks) and not asks.first
    house.pass_time(1.0)
    assert house.out() == ["200 SUBSCRIBE", "NOTIFY active;expires=3600 <open/>"]
    notify = house.sent[1]
    assert isinstance(notify, Request)
    assert (notify.uri, str(notify.cseq)) == ("sip:new.partner.example", "2 NOTIFY")


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"CSeq": "1"}, 500),
        ({"Event": "presence;id=9"}, 481),
        ({"Event": "dialog"}, 489),
        ({"From_": f"<{BOB}>;tag=other"}, 481),
        ({"From_": "<sip:eve@stranger.example>;tag=bob"}, 403),
        ({"Expires": "5"}, 423),
    ],
)
def test_what_is_no_refresh_changes_nothing(fields: dict[str, str | None], status: int) -> None:
    house = House()
    house.settled()
    assert house.again(1.0, **fields) == []
    house.pass_time(1.0)
    assert house.out() == [f"{status} SUBSCRIBE"]
    assert len(house.notifier) == 1


def test_unsubscribing_gets_200_and_a_last_notify_without_document() -> None:
    house = House()
    asks = house.settled()
    assert house.again(1.0, Expires="0") == [WatcherGone(asks.key, ALICE, BOB, "presence", "unsubscribed")]
    assert house.out() == ["200 SUBSCRIBE", "NOTIFY terminated;reason=timeout"]
    assert len(house.notifier) == 0
    assert house.answer(1.0) == []


@pytest.mark.parametrize("way", ["unsubscribe", "lapse"])
@pytest.mark.parametrize(("state", "last"), [(ACTIVE, " <closed/>"), (PENDING, "")])
def test_who_was_shown_a_document_is_shown_at_last_that_nobody_is_there(way: str, state: WatchState, last: str) -> None:
    house = House()
    house.notifier.closed = lambda presentity, package, accept: (
        CLOSED if (presentity, package) == (ALICE, "presence") else OPEN
    )
    asks = house.settled()
    house.notifier.show(asks.key, state, OPEN, 10.0)
    house.pass_time(10.0)
    if house.out():
        house.answer(10.1)
    if way == "lapse":
        house.pass_time(3700.0)
    else:
        house.subscribe(20.0, Expires="0", To=f"<{ALICE}>;tag={asks.key[1]}")
    assert house.out()[-1] == f"NOTIFY terminated;reason=timeout{last}"


def test_a_document_says_its_language() -> None:
    house = House()
    asks = house.settled()
    house.notifier.show(asks.key, ACTIVE, Document(PIDF, b"<busy/>", "cs"), 10.0)
    house.pass_time(10.0)
    house.out()
    assert house.notified[-1].headers.get("Content-Language") == "cs"
    assert [name for name, _ in house.notified[-1].headers].count("Content-Language") == 1


def test_at_most_one_notify_in_5_seconds_and_the_latest_wins() -> None:
    house = House()
    asks = house.settled()
    for now, document in ((1.0, BUSY), (2.0, CLOSED), (3.0, BUSY)):
        house.notifier.show(asks.key, ACTIVE, document, now)
        house.pass_time(now)
    assert house.out() == []
    assert house.notifier.next_timer() == 5.0
    house.pass_time(5.0)
    assert house.out() == ["NOTIFY active;expires=3595 <busy/>"]
    house.answer(5.0)
    house.notifier.show(asks.key, ACTIVE, CLOSED, 5.1)
    house.pass_time(9.9)
    assert house.out() == []
    house.pass_time(10.0)
    assert house.out() == ["NOTIFY active;expires=3590 <closed/>"]


def test_what_was_told_is_not_told_again() -> None:
    house = House()
    asks = house.settled()
    house.notifier.show(asks.key, ACTIVE, BUSY, 1.0)
    house.notifier.show(asks.key, ACTIVE, OPEN, 2.0)
    house.pass_time(100.0)
    assert house.out() == []


def test_a_withdrawal_does_not_wait() -> None:
    house = House()
    asks = house.settled()
    house.notifier.show(asks.key, ACTIVE, CLOSED, 1.0, at_once=True)
    house.pass_time(1.0)
    assert house.out() == ["NOTIFY active;expires=3599 <closed/>"]


def test_the_end_does_not_wait_either() -> None:
    house = House()
    asks = house.settled()
    assert house.notifier.end(asks.key, "rejected", NOTHING, 1.0)
    assert house.out() == ["NOTIFY terminated;reason=rejected"]
    assert not house.notifier.end(asks.key, "rejected", NOTHING, 1.0)
    assert not house.notifier.show(asks.key, ACTIVE, OPEN, 1.0)


def test_an_end_may_say_when_to_come_back() -> None:
    house = House()
    house.notifier.end(house.settled().key, "probation", NOTHING, 1.0, 300)
    assert house.out() == ["NOTIFY terminated;reason=probation;retry-after=300"]


def test_from_pending_to_active() -> None:
    house = House()
    (asks,) = house.subscribe(0.0)
    house.pass_time(0.0)
    house.out()
    house.answer(0.1)
    assert isinstance(asks, WatcherAsks)
    house.notifier.show(asks.key, ACTIVE, OPEN, 60.0)
    house.pass_time(60.0)
    assert house.out() == ["NOTIFY active;expires=3540 <open/>"]


def test_the_next_notify_waits_for_the_answer_to_the_one_before() -> None:
    house = House()
    asks = house.settled()
    house.notifier.show(asks.key, ACTIVE, BUSY, 6.0)
    house.pass_time(6.0)
    assert house.out() == ["NOTIFY active;expires=3594 <busy/>"]
    house.notifier.show(asks.key, ACTIVE, OPEN, 12.0)
    house.pass_time(20.0)
    assert house.out() == []
    house.answer(20.0)
    house.pass_time(20.0)
    assert house.out() == ["NOTIFY active;expires=3580 <open/>"]


def test_expiry_is_told_to_both() -> None:
    house = House()
    asks = house.settled("120")
    assert house.pass_time(119.9) == []
    assert house.pass_time(120.0) == [WatcherGone(asks.key, ALICE, BOB, "presence", "timeout")]
    assert house.out() == ["NOTIFY terminated;reason=timeout"]
    assert len(house.notifier) == 0 and house.notifier.next_timer() is None


@pytest.mark.parametrize(
    ("status", "fields", "gone"),
    [
        (481, {}, True),
        (404, {}, True),
        (489, {}, True),
        (500, {}, False),
        (503, {}, False),
        (480, {"Retry_After": "5"}, False),
    ],
)
def test_what_the_answer_to_a_notify_ends(status: int, fields: dict[str, str], gone: bool) -> None:
    house = House()
    asks = house.settled()
    house.notifier.show(asks.key, ACTIVE, BUSY, 6.0)
    house.pass_time(6.0)
    house.out()
    told = house.answer(6.1, status, **fields)
    assert told == ([WatcherGone(asks.key, ALICE, BOB, "presence", str(status))] if gone else [])
    assert len(house.notifier) == (0 if gone else 1)


def test_a_notify_without_answer_ends_the_subscription() -> None:
    house = House()
    asks = house.settled()
    house.notifier.show(asks.key, ACTIVE, BUSY, 6.0)
    house.pass_time(6.0)
    assert house.pass_time(38.0) == [WatcherGone(asks.key, ALICE, BOB, "presence", "no answer")]


def test_a_lost_connection_loses_a_notify_but_not_at_once_the_subscription() -> None:
    house = House()
    asks = house.settled()
    house.notifier.show(asks.key, ACTIVE, BUSY, 6.0)
    now, told = 6.0, []
    for _ in range(3):
        house.pass_time(now)
        assert len(house.out()) == 1
        for event in house.station.transactions.flow_lost(TLS, 0.0):
            assert isinstance(event, TransportFailed)
            told += house.notifier.answered(event, now)
        now += 30.0
    assert told == [WatcherGone(asks.key, ALICE, BOB, "presence", "no answer")]


def test_two_devices_of_a_watcher_are_told_in_one_round() -> None:
    house = House()
    keys = [each.key for n in "12" for each in house.subscribe(0.0, Call_ID=n) if isinstance(each, WatcherAsks)]
    assert house.notifier.subscriptions(ALICE, BOB) == keys
    for key in keys:
        house.notifier.show(key, ACTIVE, OPEN, 0.0)
    house.pass_time(0.0)
    assert house.out().count("NOTIFY active;expires=3600 <open/>") == 2


def test_subscriptions_of_a_pair_are_bounded() -> None:
    house = House()
    for number in range(9):
        house.subscribe(0.0, Call_ID=str(number))
    assert house.out() == ["200 SUBSCRIBE"] * 8 + ["500 SUBSCRIBE"]
    assert house.sent[-1].headers.get("Retry-After") == "60"


def test_subscriptions_survive_a_restart_and_numbers_go_on_from_the_clock() -> None:
    house, after = House(), House()
    asks = house.settled()
    (kept,) = json.loads(json.dumps(house.notifier.to_plain(100.0, 1_700_000_100.0)))
    assert b"open" not in json.dumps(kept).encode()
    assert after.notifier.restore(kept, 5.0, 1_700_000_200.0, 5000) == asks.key
    after.pass_time(5.0)
    assert after.out() == []
    after.notifier.show(asks.key, ACTIVE, BUSY, 5.0)
    after.pass_time(5.0)
    assert after.out() == ["NOTIFY active;expires=3400 <busy/>"]
    assert str(after.sent[0].cseq) == "5001 NOTIFY"
    after.answer(5.0)
    (again,) = after.again(6.0, CSeq="2")
    assert isinstance(again, WatcherAsks) and again.key == asks.key


def test_what_must_be_kept_has_a_number_that_a_notify_does_not_change() -> None:
    house = House()
    seen = [house.notifier.revision]

    def grown() -> bool:
        seen.append(house.notifier.revision)
        return seen[-1] > seen[-2]

    asks = house.settled()
    assert grown()
    house.notifier.show(asks.key, ACTIVE, BUSY, 10.0)
    house.pass_time(10.0)
    assert house.out() == ["NOTIFY active;expires=3590 <busy/>"]
    house.answer(10.0)
    assert not grown()
    house.notifier.show(asks.key, PENDING, NOTHING, 20.0)
    assert grown()
    house.pass_time(20.0)
    house.out()
    house.answer(20.0, Contact=f"<{PEER}>")
    assert not grown()
    house.subscribe(30.0, To=f"<{ALICE}>;tag={asks.key[1]}")
    assert grown()
    house.pass_time(30.0)
    house.out()
    house.answer(30.0, Contact="<sip:other.partner.example;transport=tls>")
    assert grown()
    house.notifier.end(asks.key, "rejected", NOTHING, 40.0)
    assert grown()


def test_what_has_expired_over_a_restart_is_not_taken_back() -> None:
    house, after = House(), House()
    house.settled()
    (kept,) = house.notifier.to_plain(0.0, 0.0)
    assert after.notifier.restore(kept, 0.0, 3600.0, 1) is None
    assert len(after.notifier) == 0


@pytest.mark.parametrize("change", [{"state": "odd"}, {"accept": None}, {"dialog": 1}, {"expires_at": "soon"}])
def test_what_was_not_written_here_is_refused(change: dict[str, object]) -> None:
    house = House()
    house.settled()
    (kept,) = house.notifier.to_plain(0.0, 0.0)
    with pytest.raises((KeyError, TypeError, ValueError)):
        House().notifier.restore(kept | change, 0.0, 0.0, 1)


def test_one_domain_does_not_take_the_room_of_the_others() -> None:
    house = House()
    house.notifier.per_domain = 2
    for number, person in enumerate(("bob", "bill", "carol")):
        sender = f"<sip:{person}@partner.example>;tag=a"
        house.subscribe(0.1, From_=sender, Call_ID=f"c{number}", CSeq="1")
    assert house.out() == ["200 SUBSCRIBE", "200 SUBSCRIBE", "500 SUBSCRIBE"]
    house.subscribe(0.2, From_="<sip:eve@stranger.example>;tag=e", Call_ID="c9", CSeq="1")
    assert house.out() == ["200 SUBSCRIBE"]


def test_who_has_left_makes_room() -> None:
    house = House()
    house.notifier.per_domain = 1
    (first,) = house.subscribe(0.1, Call_ID="c1", CSeq="1")
    assert isinstance(first, WatcherAsks)
    house.notifier.end(first.key, "rejected", CLOSED, 0.2)
    house.out()
    house.subscribe(0.3, Call_ID="c2", CSeq="1", From_="<sip:bill@partner.example>;tag=b")
    assert house.out()[0] == "200 SUBSCRIBE"
