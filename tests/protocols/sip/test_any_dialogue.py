"""Whatever is said in whatever order, nothing is raised, all that is sent can be written, and tables end empty."""

from random import Random

from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.pager import Refused
from gateway.protocols.sip.session import Letter
from gateway.protocols.sip.station import Station
from gateway.protocols.sip.subscribing import SubscriptionKey
from gateway.protocols.sip.user_agent import UserAgent
from gateway.protocols.sip.watching import NOTHING, Document
from gateway.protocols.sip.writer import serialise

from .talk import ALICE, BOB, PEER, SHOWN, TLS, UDP, agree, request, response, station
from .test_sessions import OFFER, Everybody

LIMIT = 12
TEXT = Document("text/plain", b"hi")
KEY = SubscriptionKey(ALICE, BOB)

GOOD = {
    "SUBSCRIBE": {"Contact": f"<{PEER}>", "Event": "presence"},
    "NOTIFY": {"Contact": f"<{PEER}>", "Event": "presence", "Subscription_State": "active;expires=60"},
    "INVITE": {"Contact": f"<{PEER}>", "Content_Type": "application/sdp"},
    "MESSAGE": {"Content_Type": "text/plain"},
}
ODD = {
    "Contact": [None, "<sip:x>", "*", "<tel:1>"],
    "Event": ["presence;id=1", "dialog", "<", None],
    "Expires": [None, "0", "1", "60", "3600", "99999999999", "x"],
    "Subscription_State": [None, "active", "pending", "terminated", "terminated;reason=rejected", ";", "x;expires=x"],
    "Content_Type": [None, "text/plain", "application/sdp", "application/pidf+xml", "x"],
    "Accept": [None, "application/pidf+xml", "text/plain", "x"],
    "Record_Route": [None, "<sip:r.example;lr>", "<sip:r.example>", "<<"],
    "Max_Forwards": ["70", None, "0"],
    "Require": ["timer"],
    "X_Gateway_Hop": ["gw7;hops=1", "x;hops=0"],
}
METHODS = ["MESSAGE", "SUBSCRIBE", "NOTIFY", "INVITE", "ACK", "CANCEL", "BYE", "INFO", "UPDATE", "OPTIONS", "FOO"]
STATUSES = [100, 180, 200, 200, 200, 200, 202, 302, 403, 404, 408, 412, 423, 480, 481, 488, 491, 500, 503, 603]
KINDS = ["request"] * 4 + ["response"] * 4 + ["user"] * 2 + ["wait"] * 2 + ["lost"]
EXTRA = [{}, {"Retry_After": "9"}, {"Min_Expires": "90"}, {"SIP_ETag": "e"}, {"Expires": "0"}]


def spoken(by: Random) -> dict[str, object]:
    """Makes up what happens next: mostly sensible, with something odd now and then."""
    method = by.choice(METHODS)
    fields = {} if by.random() < 0.1 else dict(GOOD.get(method, {}))
    if by.random() < 0.3:
        name = by.choice([*ODD])
        fields[name] = by.choice(ODD[name])
    body = OFFER if method == "INVITE" else by.choice([b"", b"hi"])
    return {
        "kind": by.choice(KINDS),
        "method": method,
        "status": by.choice(STATUSES),
        "number": by.randrange(7),
        "branch": by.randrange(200),
        "cseq": by.randrange(40),
        "call": by.choice([0, 0, 0, 0, 1, 2]),
        "ours": by.randrange(9),
        "within": by.random() < 0.6,
        "body": b"m=audio 1 RTP/AVP 0" if by.random() < 0.05 else body,
        "flow": by.choice([TLS, TLS, UDP]),
        "seconds": by.choice([0.0, 0.1, 1.0, 6.0, 6.0, 33.0, 700.0, 4000.0]),
        "fields": fields,
        "extra": by.choice(EXTRA),
    }


@define
class House:
    """A user agent with a user that answers, shows and asks."""

    station: Station = field(factory=lambda: station(mark="gw7", limit=LIMIT))
    agent: UserAgent = field(init=False)
    now: float = 0.0
    asked: list[Request] = field(factory=list)
    tags: list[str] = field(factory=lambda: ["t0"])

    def __attrs_post_init__(self) -> None:
        self.agent = UserAgent(self.station, Everybody())
        for role in (self.agent.notifier, self.agent.subscriber, self.agent.publisher, self.agent.sessions):
            role.limit = 3

    def do(self, said: dict[str, object]) -> None:
        getattr(self, str(said["kind"]))(said)
        self.settle()

    def request(self, said: dict) -> None:  # type: ignore[type-arg]
        fields = {name: value for name, value in said["fields"].items() if value is not None}
        fields |= {"branch": f"b{said['branch']}", "CSeq": str(said["cseq"]), "Call_ID": f"c{said['call']}"}
        if said["within"]:
            like = "SUBSCRIBE" if said["method"] == "NOTIFY" else "INVITE"
            asked = next((each for each in reversed(self.asked) if each.method == like and said["ours"] > 2), None)
            fields["To"] = f"<{ALICE}>;tag={self.tags[-1 - said['ours'] % len(self.tags)]}"
            if asked is not None:
                fields |= {"To": asked.headers.get("From"), "Call_ID": asked.call_id}
        asked_of_us = request(said["method"], ALICE, said["body"], **fields)
        agree(self.agent, self.agent.received(asked_of_us, said["flow"], None, self.now), self.now)

    def response(self, said: dict) -> None:  # type: ignore[type-arg]
        if self.asked:
            asked = self.asked[-1 - said["ours"] % len(self.asked)]
            fields = {"Contact": f"<{PEER}>"} | said["extra"]
            body = OFFER if asked.method == "INVITE" and said["within"] else b""
            if body:
                fields["Content_Type"] = "application/sdp"
            made = response(asked, said["status"], ("bob", "other", None)[said["call"]], body, **fields)
            agree(self.agent, self.agent.received(made, said["flow"], None, self.now), self.now)

    def wait(self, said: dict) -> None:  # type: ignore[type-arg]
        self.now += said["seconds"]

    def lost(self, said: dict) -> None:  # type: ignore[type-arg]
        agree(self.agent, self.agent.flow_lost(said["flow"], self.now), self.now)

    def user(self, said: dict) -> None:  # type: ignore[type-arg]
        agent, now = self.agent, self.now
        watches = agent.notifier.subscriptions(ALICE, BOB)
        try:
            match said["number"]:
                case 0:
                    agent.pager.send(ALICE, BOB, TEXT, 1, now)
                case 1:
                    agent.sessions.send(ALICE, BOB, Letter(TEXT, 2), now)
                case 2:
                    agent.subscriber.subscribe(KEY, now, 0 if said["within"] else 600)
                case 3:
                    agent.subscriber.unsubscribe(KEY, now)
                case 4:
                    agent.publisher.publish(ALICE, SHOWN, now)
                case 5:
                    agent.publisher.remove(ALICE, now) if said["within"] else agent.sessions.end(ALICE, BOB, now)
                case 6 if watches:
                    agent.notifier.end(watches[0], "rejected", NOTHING, now)
        except Refused:
            return

    def settle(self) -> None:
        agree(self.agent, self.agent.tick(self.now), self.now)
        for send in self.agent.take_output():
            assert serialise(send.message)
            if isinstance(send.message, Request):
                self.asked.append(send.message)
            elif send.message.status > 100 and send.message.to.tag:
                self.tags.append(send.message.to.tag)
        assert len(self.station.transactions) <= 3 * LIMIT
        assert len(self.agent.notifier) <= 3 and len(self.agent.subscriber) <= 3 and len(self.agent.publisher) <= 3
        assert len(self.agent.sessions) <= 4
        when = self.agent.next_timer()
        assert when is None or when > self.now


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_any_dialogue(seed: int) -> None:
    by = Random(seed)
    house = House(station(by.choice(["tls", "udp"]), "gw7", LIMIT))
    for _ in range(200):
        house.do(spoken(by))
    house.agent.subscriber.unsubscribe(KEY, house.now)
    house.agent.publisher.remove(ALICE, house.now)
    for _ in range(60):
        house.now += 200.0
        house.settle()
    assert len(house.agent.notifier) == len(house.agent.subscriber) == len(house.agent.sessions) == 0
    assert len(house.agent.publisher) == len(house.agent.pager) == len(house.station.transactions) == 0
    assert house.agent.next_timer() is None


def test_answers_are_answers() -> None:
    house = House()
    house.agent.subscriber.subscribe(KEY, 0.0, 600)
    house.settle()
    assert [each.method for each in house.asked] == ["SUBSCRIBE"]
    made: Response = response(house.asked[0], 200, "bob", Expires="600")
    agree(house.agent, house.agent.received(made, TLS, None, 0.1), 0.1)
    house.settle()
    assert len(house.agent.subscriber) == 1
