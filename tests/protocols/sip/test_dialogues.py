"""Dialogues of the RFCs as bytes, with their tags and numbers and RFC 2606 names; and two of us that talk."""

from attrs import define, field

from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.pager import Delivered
from gateway.protocols.sip.reader import StreamReader
from gateway.protocols.sip.session import Letter, SessionStarted
from gateway.protocols.sip.station import Station
from gateway.protocols.sip.subscribing import Active, Pending, SubscriptionKey, Terminated
from gateway.protocols.sip.transactions import TransactionLayer
from gateway.protocols.sip.user_agent import MessageReceived, UserAgent
from gateway.protocols.sip.watching import Document, WatcherAsks, WatcherGone, WatchState
from gateway.protocols.sip.writer import serialise

from .talk import ALICE, BOB, TLS, counting, station
from .test_sessions import Everybody

PIDF = "application/pidf+xml"


def read(text: str) -> Request | Response:
    (found,) = StreamReader().feed(text.replace("\n", "\r\n").encode())
    assert isinstance(found, Request | Response)
    return found


def written(agent: UserAgent) -> list[str]:
    return [serialise(send.message).decode().replace("\r\n", "\n") for send in agent.take_output()]


def fields(text: str, *names: str) -> list[str]:
    return [row for row in text.split("\n") if row.partition(":")[0] in names]


# --- RFC 3428 section 10


def test_rfc_3428_section_10() -> None:
    agent = UserAgent(station(), Everybody())
    f1 = read(
        "MESSAGE sip:user2@corp.example SIP/2.0\n"
        "Via: SIP/2.0/TCP user1pc.partner.example;branch=z9hG4bK776sgdkse\n"
        "Max-Forwards: 70\n"
        "From: sip:user1@partner.example;tag=49583\n"
        "To: sip:user2@corp.example\n"
        "Call-ID: asd88asd77a@192.0.2.4\n"
        "CSeq: 1 MESSAGE\n"
        "Content-Type: text/plain\n"
        "Content-Length: 18\n\nWatson, come here."
    )
    (event,) = agent.received(f1, "tcp:proxy", {"partner.example"}, 0.0)
    assert isinstance(event, MessageReceived) and event.body == b"Watson, come here."
    assert (event.sender, event.recipient) == ("sip:user1@partner.example", "sip:user2@corp.example")
    agent.answer(event.transaction, 200, 0.1)
    assert written(agent) == [
        "SIP/2.0 200 OK\n"
        "Via: SIP/2.0/TCP user1pc.partner.example;branch=z9hG4bK776sgdkse\n"
        "From: sip:user1@partner.example;tag=49583\n"
        "To: sip:user2@corp.example;tag=t1\n"
        "Call-ID: asd88asd77a@192.0.2.4\n"
        "CSeq: 1 MESSAGE\n"
        "Content-Length: 0\n\n"
    ]


# --- RFC 3856 section 7


def test_rfc_3856_section_7_as_presence_agent() -> None:
    agent = UserAgent(station(), Everybody())
    f1 = read(
        "SUBSCRIBE sip:resource@corp.example SIP/2.0\n"
        "Via: SIP/2.0/TCP watcherhost.partner.example;branch=z9hG4bKnashds7\n"
        "To: <sip:resource@corp.example>\n"
        "From: <sip:user@partner.example>;tag=xfg9\n"
        "Call-ID: 2010@watcherhost.partner.example\n"
        "CSeq: 17766 SUBSCRIBE\n"
        "Max-Forwards: 70\n"
        "Event: presence\n"
        "Accept: application/pidf+xml\n"
        "Contact: <sip:user@watcherhost.partner.example>\n"
        "Expires: 600\n"
        "Content-Length: 0\n\n"
    )
    (asks,) = agent.received(f1, "tcp:watcher", {"partner.example"}, 0.0)
    assert isinstance(asks, WatcherAsks)
    agent.notifier.show(asks.key, WatchState.ACTIVE, Document(PIDF, b"<one/>"), 0.0)
    agent.tick(0.6)
    f2, f3 = written(agent)
    assert f2.startswith("SIP/2.0 200 OK\n")
    assert fields(f2, "To", "CSeq", "Expires") == [
        "To: <sip:resource@corp.example>;tag=t1",
        "CSeq: 17766 SUBSCRIBE",
        "Expires: 600",
    ]
    assert f3.startswith("NOTIFY sip:user@watcherhost.partner.example SIP/2.0\n") and f3.endswith("<one/>")
    assert fields(f3, "From", "To", "Call-ID", "CSeq", "Event", "Subscription-State", "Content-Type") == [
        "From: <sip:resource@corp.example>;tag=t1",
        "To: <sip:user@partner.example>;tag=xfg9",
        "Call-ID: 2010@watcherhost.partner.example",
        "CSeq: 1 NOTIFY",
        "Event: presence",
        "Subscription-State: active;expires=599",
        f"Content-Type: {PIDF}",
    ]
    f4 = "".join(row + "\n" for row in fields(f3, "Via", "From", "To", "Call-ID", "CSeq"))
    assert agent.received(read(f"SIP/2.0 200 OK\n{f4}Content-Length: 0\n\n"), "tcp:watcher", None, 0.7) == []
    agent.notifier.show(asks.key, WatchState.ACTIVE, Document(PIDF, b"<two/>"), 57.0)
    agent.tick(57.0)
    (f5,) = written(agent)
    assert fields(f5, "CSeq", "Subscription-State") == ["CSeq: 2 NOTIFY", "Subscription-State: active;expires=543"]


# --- RFC 3261 section 24.2: an INVITE to audio, and one to messages with the same numbers

INVITE = (
    "INVITE sip:bob@corp.example SIP/2.0\n"
    "Via: SIP/2.0/TCP pc33.partner.example;branch=z9hG4bKnashds8\n"
    "Max-Forwards: 70\n"
    "To: Bob <sip:bob@corp.example>\n"
    "From: Alice <sip:alice@partner.example>;tag=1928301774\n"
    "Call-ID: a84b4c76e66710\n"
    "CSeq: 314159 INVITE\n"
    "Contact: <sip:alice@pc33.partner.example>\n"
    "Content-Type: application/sdp\n"
)
AUDIO = "v=0\nm=audio 49172 RTP/AVP 0\n"
TEXT = "v=0\nm=message 5060 sip null\n"
ACK = (
    "ACK sip:bob@192.0.2.4 SIP/2.0\n"
    "Via: SIP/2.0/TCP pc33.partner.example;branch=z9hG4bKnashds{0}\n"
    "Max-Forwards: 70\n"
    "To: Bob <sip:bob@corp.example>;tag=t1\n"
    "From: Alice <sip:alice@partner.example>;tag=1928301774\n"
    "Call-ID: a84b4c76e66710\n"
    "CSeq: 314159 ACK\n"
    "Content-Length: 0\n\n"
)
BYE = ACK.replace("ACK", "BYE").replace("314159", "314160").format("10")


def sized(head: str, body: str) -> Request | Response:
    return read(f"{head}Content-Length: {len(body) + body.count(chr(10))}\n\n{body}")


def test_rfc_3261_section_24_2_audio_is_refused() -> None:
    agent = UserAgent(station(), Everybody())
    assert agent.received(sized(INVITE, AUDIO), "tcp:p", {"partner.example"}, 0.0) == []
    (refused,) = written(agent)
    assert refused.startswith("SIP/2.0 488 ")
    assert agent.received(read(ACK.format("8")), "tcp:p", {"partner.example"}, 0.1) == []
    agent.tick(40.0)
    assert written(agent) == [] and agent.next_timer() is None


def test_rfc_3261_section_24_2_messages_are_accepted() -> None:
    agent = UserAgent(station(), Everybody())
    started = agent.received(sized(INVITE, TEXT), "tcp:p", {"partner.example"}, 0.0)
    assert started == [SessionStarted("sip:bob@corp.example", "sip:alice@partner.example", True)]
    (accepted,) = written(agent)
    assert fields(accepted, "To", "From", "CSeq") == [
        "From: Alice <sip:alice@partner.example>;tag=1928301774",
        "To: Bob <sip:bob@corp.example>;tag=t1",
        "CSeq: 314159 INVITE",
    ]
    assert agent.received(read(ACK.format("9")), "tcp:p", {"partner.example"}, 0.1) == []
    agent.tick(10.0)
    assert written(agent) == []
    agent.received(read(BYE), "tcp:p", {"partner.example"}, 10.0)
    (ended,) = written(agent)
    assert ended.startswith("SIP/2.0 200 OK\n") and fields(ended, "CSeq") == ["CSeq: 314160 BYE"]


# --- two user agents


@define
class Side:
    """One of two user agents joined by a stream of bytes."""

    name: str
    agent: UserAgent = field(init=False)
    reader: StreamReader = field(factory=StreamReader)

    def __attrs_post_init__(self) -> None:
        token = counting()
        layer = TransactionLayer(lambda: f"{self.name}{token()}", f"gw.{self.name}.example", lambda flow: "TLS")
        contact = f"sip:gw.{self.name}.example:5061;transport=tls"
        ground = Station(layer, layer.token, contact, lambda local, domain, hop: TLS)
        self.agent = UserAgent(ground, Admits(f"{self.name}.example"))


class Admits(Everybody):
    def __init__(self, domain: str) -> None:
        super().__init__()
        self.domain = domain

    def serves(self, domain: str) -> bool:
        return domain == self.domain


@define
class Wire:
    """Carries bytes between corp and partner until nobody says anything more; gives what each was told."""

    corp: Side = field(factory=lambda: Side("corp"))
    partner: Side = field(factory=lambda: Side("partner"))

    def run(self, now: float) -> list[object]:
        told: list[object] = []
        for _ in range(20):
            for here, there in ((self.corp, self.partner), (self.partner, self.corp)):
                told += here.agent.tick(now)
                sent = b"".join(serialise(send.message) for send in here.agent.take_output())
                for found in there.reader.feed(sent):
                    assert isinstance(found, Request | Response)
                    told += there.agent.received(found, TLS, {f"{here.name}.example"}, now)
        return told


def test_two_sides_subscribe_show_withdraw_and_leave() -> None:
    wire, key = Wire(), SubscriptionKey(ALICE, BOB)
    wire.corp.agent.subscriber.subscribe(key, 0.0, 600)
    asks, pending = wire.run(0.0)
    assert isinstance(asks, WatcherAsks) and (asks.watcher, asks.presentity) == (ALICE, BOB)
    assert pending == Pending(key)
    wire.partner.agent.notifier.show(asks.key, WatchState.ACTIVE, Document(PIDF, b"<open/>"), 10.0)
    assert wire.run(10.0) == [Active(key, PIDF, b"<open/>")]
    told = wire.run(600 * 0.9)
    assert [type(event) for event in told] == [WatcherAsks, Active]
    wire.corp.agent.subscriber.unsubscribe(key, 700.0)
    gone, over = wire.run(700.0)
    assert isinstance(gone, WatcherGone) and over == Terminated(key, False, "unsubscribed")
    assert len(wire.partner.agent.notifier) == len(wire.corp.agent.subscriber) == 0


def test_two_sides_refuse_and_do_not_ask_again() -> None:
    wire, key = Wire(), SubscriptionKey(ALICE, BOB)
    wire.corp.agent.subscriber.subscribe(key, 0.0, 600)
    (asks, _) = wire.run(0.0)
    assert isinstance(asks, WatcherAsks)
    wire.partner.agent.notifier.end(asks.key, "rejected", Document(), 5.0)
    assert wire.run(5.0) == [Terminated(key, True, "rejected")]


def test_two_sides_call_each_other_at_once_and_end_with_one_session() -> None:
    wire = Wire()
    wire.corp.agent.sessions.send(ALICE, BOB, Letter(Document("text/plain", b"a"), 1), 0.0)
    wire.partner.agent.sessions.send(BOB, ALICE, Letter(Document("text/plain", b"b"), 2), 0.0)
    sides = (wire.corp, wire.partner)
    crossed = [b"".join(serialise(send.message) for send in side.agent.take_output()) for side in sides]
    told: list[object] = []
    for sent, there, domain in ((crossed[0], wire.partner, "corp.example"), (crossed[1], wire.corp, "partner.example")):
        for found in there.reader.feed(sent):
            assert isinstance(found, Request)
            told += there.agent.received(found, TLS, {domain}, 0.0)
    told += wire.run(0.0)
    texts = [event for event in told if isinstance(event, MessageReceived)]
    assert sorted(event.body for event in texts) == [b"a", b"b"]
    for event in texts:
        side = wire.partner if event.recipient == BOB else wire.corp
        assert side.agent.answer(event.transaction, 202, 1.0)
    told = wire.run(1.0)
    assert {event.handle for event in told if isinstance(event, Delivered)} == {1, 2}
    assert len(wire.corp.agent.sessions) == len(wire.partner.agent.sessions) == 1
    assert wire.corp.agent.sessions.is_open(ALICE, BOB) and wire.partner.agent.sessions.is_open(BOB, ALICE)
