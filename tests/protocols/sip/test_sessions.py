"""IM sessions: calls and answers as Communicator makes them, messages inside, glare, silence (reference/ocs.md 4.6)."""

from collections.abc import Iterator

import pytest
from attrs import define, field

from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.pager import Delivered, Refused, Undelivered
from gateway.protocols.sip.sdp import NotMessages, read, write
from gateway.protocols.sip.session import InfoReceived, Letter, SessionEnded, SessionStarted
from gateway.protocols.sip.subscribing import SubscriptionKey
from gateway.protocols.sip.user_agent import MessageReceived, RequestRefused, UserAgent
from gateway.protocols.sip.watching import Document

from .talk import ALICE, BOB, PEER, TLS, line, request, response, station

HELLO, AGAIN = (Document("text/plain;charset=UTF-8", text) for text in (b"hello", b"again"))
OFFER = (
    b"v=0\r\no=- 0 0 IN IP4 192.0.2.7\r\ns=session\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=message 5060 sip null\r\n"
    b"a=accept-types:text/plain text/html image/gif application/im-iscomposing+xml text/x-msmsgsinvite\r\n"
)
OLD_OFFER = OFFER.replace(b"m=message", b"m=x-ms-message")


class Everybody:
    """Admits all."""

    def __init__(self, session: int = 200) -> None:
        self.status = session

    def serves(self, domain: str) -> bool:
        return domain == "corp.example"

    def watcher(self, presentity: str, watcher: str, package: str) -> int:
        return 200

    def session(self, local: str, remote: str) -> int:
        return self.status

    def wanted(self, key: SubscriptionKey) -> bool:
        return True


@define
class House:
    """A user agent; what it sends is said in words and kept."""

    admission: Everybody = field(factory=Everybody)
    agent: UserAgent = field(init=False)
    sent: list[Request | Response] = field(factory=list)
    asked: list[Request] = field(factory=list)
    answered: list[Response] = field(factory=list)
    numbers: Iterator[int] = field(factory=lambda: iter(range(1, 1000)))

    def __attrs_post_init__(self) -> None:
        self.agent = UserAgent(station(), self.admission)

    def hear(self, message: Request | Response, now: float = 1.0) -> list[object]:
        told: list[object] = [*self.agent.received(message, TLS, {"partner.example"}, now)]
        return told + [*self.agent.tick(now)]

    def out(self) -> list[str]:
        self.sent = [send.message for send in self.agent.take_output()]
        self.asked += [message for message in self.sent if isinstance(message, Request)]
        self.answered += [message for message in self.sent if isinstance(message, Response)]
        return [line(message) for message in self.sent]

    def send(self, document: Document = HELLO, handle: object = 1, now: float = 1.0) -> None:
        self.agent.sessions.send(ALICE, BOB, Letter(document, handle), now)

    def answer(self, status: int, now: float = 1.0, method: str = "", **fields: str) -> list[object]:
        """Answers the latest request of ours, or of that method."""
        asked = next(each for each in reversed(self.asked) if each.method in (method or each.method, method))
        given = {"Contact": f"<{PEER}>"} | fields
        body = OFFER if asked.method == "INVITE" and status == 200 else b""
        if body:
            given.setdefault("Content_Type", "application/sdp")
        return self.hear(response(asked, status, "bob", body, **given), now)

    def invite(self, now: float = 1.0, body: bytes = OFFER, **fields: str | None) -> list[object]:
        given = {"branch": f"i{next(self.numbers)}", "Contact": f"<{PEER}>", "Content_Type": "application/sdp"}
        return self.hear(request("INVITE", ALICE, body, **given | fields), now)

    def within(self, method: str, body: bytes = b"", now: float = 2.0, **fields: str | None) -> list[object]:
        """Sends a request of the peer's in the session that invite() began."""
        number = next(self.numbers)
        tag = next((each.to.tag for each in reversed(self.answered) if each.cseq.method == "INVITE"), None)
        given = {"branch": f"w{number}", "CSeq": str(number + 1), "To": f"<{ALICE}>;tag={tag}"}
        return self.hear(request(method, "sip:gw.corp.example:5061", body, **given | fields), now)

    def called(self) -> None:
        """Is called by the peer, up to the ACK."""
        assert self.invite() == [SessionStarted(ALICE, BOB, True)]
        assert self.out() == ["200 INVITE"]
        assert self.within("ACK", CSeq="1") == []

    def calling(self) -> None:
        """Calls the peer, up to the answer to the first message."""
        self.send()
        assert self.out() == ["INVITE"]
        assert self.answer(200) == [SessionStarted(ALICE, BOB, False)]
        assert self.out() == ["ACK", "MESSAGE"]
        assert self.answer(200) == [Delivered(1, 200)]


# --- called


@pytest.mark.parametrize(("offer", "kind"), [(OFFER, b"m=message "), (OLD_OFFER, b"m=x-ms-message ")])
def test_an_invite_to_messages_is_answered_with_the_same_kind(offer: bytes, kind: bytes) -> None:
    house = House()
    assert house.invite(body=offer) == [SessionStarted(ALICE, BOB, True)]
    assert house.out() == ["200 INVITE"]
    (accepted,) = house.sent
    assert kind in accepted.body and b"sip null" in accepted.body and b"192.0.2.7" not in accepted.body
    assert b"a=accept-types:text/plain text/html" in accepted.body
    assert accepted.headers.get("Content-Type") == "application/sdp"
    assert accepted.headers.get("Contact") == "<sip:gw.corp.example:5061;transport=tls>"
    assert "Supported" not in accepted.headers


def test_the_first_message_in_the_invite_is_never_read() -> None:
    house = House()
    told = house.invite(ms_text_format="text/plain; charset=UTF-8;ms-body=aGVsbG8=", Supported="ms-text-format")
    assert told == [SessionStarted(ALICE, BOB, True)]
    house.out()
    assert not any("ms-text-format" in value.lower() for each in house.sent for pair in each.headers for value in pair)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (OFFER.replace(b"m=message 5060 sip null", b"m=audio 4000 RTP/AVP 0"), "application/sdp", 488),
        (OFFER + b"m=applicationsharing 4000 TCP/RTP/AVP 127\r\n", "application/sdp", 488),
        (OFFER.replace(b"sip null", b"TCP/MSRP *"), "application/sdp", 488),
        (OFFER.replace(b"5060", b"0"), "application/sdp", 488),
        (b"v=0\r\n", "application/sdp", 488),
        (b"\xff" * 20_000, "application/sdp", 488),
        (b"<Conf-invite/>", "application/ms-conf-invite+xml", 488),
        (b"x", "text/plain", 415),
        (b"x", None, 415),
    ],
)
def test_other_invitations_are_refused(body: bytes, kind: str | None, status: int) -> None:
    house = House()
    assert house.invite(body=body, Content_Type=kind) == []
    assert house.out() == [f"{status} INVITE"]
    assert house.sent[0].headers.get("Accept") == ("application/sdp" if status == 415 else None)
    assert len(house.agent.sessions) == 0


def test_an_invite_without_offer_gets_ours() -> None:
    house = House()
    house.invite(body=b"", Content_Type=None)
    house.out()
    assert b"m=message" in house.sent[0].body


def test_the_user_decides_who_may_call() -> None:
    house = House(Everybody(403))
    assert house.invite() == []
    assert house.out() == ["403 INVITE"]


def test_the_200_is_repeated_until_its_ack_over_tls_as_well() -> None:
    house = House()
    house.invite(now=0.0)
    house.out()
    times = []
    for tenth in range(1, 80):
        house.agent.tick(tenth / 10)
        times += [tenth / 10 for _ in house.out()]
    assert times == [0.5, 1.5, 3.5, 7.5]
    house.within("ACK", CSeq="1", now=8.0)
    house.agent.tick(20.0)
    assert house.out() == []


def test_without_any_ack_the_session_ends() -> None:
    house = House()
    house.invite(now=0.0)
    house.agent.tick(31.0)
    house.out()
    assert house.agent.tick(32.0) == [SessionEnded(ALICE, BOB, "unacknowledged")]
    assert house.out()[-1] == "BYE" and len(house.agent.sessions) == 0


def test_messages_of_the_peer_are_told_and_wait_for_the_users_answer() -> None:
    house = House()
    house.called()
    (event,) = house.within("MESSAGE", b"hi", Content_Type="text/plain;msgr=WAA")
    assert isinstance(event, MessageReceived)
    assert (event.sender, event.recipient, event.body, event.in_session) == (BOB, ALICE, b"hi", True)
    assert house.out() == []
    assert house.agent.answer(event.transaction, 202, 2.0)
    assert house.out() == ["202 MESSAGE"]


def test_an_offer_of_a_file_gets_606() -> None:
    house = House()
    house.called()
    assert house.within("MESSAGE", b"hi", Content_Type="text/x-msmsgsinvite") == [RequestRefused("MESSAGE", 606)]
    assert house.out() == ["606 MESSAGE"]


@pytest.mark.parametrize("kind", ["image/gif", None])
def test_types_that_are_not_read_get_415(kind: str | None) -> None:
    house = House()
    house.called()
    assert house.within("MESSAGE", b"hi", Content_Type=kind) == [RequestRefused("MESSAGE", 415)]
    assert house.out() == ["415 MESSAGE"]
    assert "text/plain" in (house.sent[0].headers.get("Accept") or "")


def test_info_is_answered_and_told() -> None:
    house = House()
    house.called()
    body = b"<KeyboardActivity><status status='type'/></KeyboardActivity>"
    assert house.within("INFO", body, Content_Type="application/xml") == [
        InfoReceived(ALICE, BOB, "application/xml", body)
    ]
    assert house.out() == ["200 INFO"]


@pytest.mark.parametrize("method", ["MESSAGE", "INFO", "BYE", "UPDATE", "INVITE", "OPTIONS"])
@pytest.mark.parametrize("fields", [{"To": f"<{ALICE}>;tag=x"}, {"From_": f"<{BOB}>;tag=x"}, {"Call_ID": "x"}])
def test_requests_of_no_session_get_481(method: str, fields: dict[str, str]) -> None:
    house = House()
    house.called()
    house.within(method, **fields)
    assert house.out() == [f"481 {method}"]


def test_a_request_out_of_order_gets_500() -> None:
    house = House()
    house.called()
    house.within("INFO", CSeq="9")
    house.within("INFO", CSeq="8")
    assert house.out() == ["200 INFO", "500 INFO"]


def test_a_session_is_of_the_domain_that_began_it() -> None:
    house = House()
    house.called()
    told = request("INFO", ALICE, From_="<sip:eve@stranger.example>;tag=bob", branch="e", CSeq="99")
    told.headers.set("To", house.answered[0].headers.get("To") or "")
    assert house.agent.received(told, "tls:stranger", {"stranger.example"}, 3.0) == []
    assert house.out() == ["403 INFO"]


def test_bye_ends_it() -> None:
    house = House()
    house.called()
    assert house.within("BYE") == [SessionEnded(ALICE, BOB, "bye")]
    assert house.out() == ["200 BYE"]
    house.within("MESSAGE", b"hi", Content_Type="text/plain")
    assert house.out() == ["481 MESSAGE"]


def test_keep_alives_are_answered() -> None:
    house = House()
    house.called()
    assert house.within("OPTIONS") == [] and house.within("UPDATE") == []
    assert house.out() == ["200 OPTIONS", "200 UPDATE"]
    assert house.within("INVITE", OFFER, Content_Type="application/sdp", Contact="<sip:new.partner.example>") == []
    assert house.out() == ["200 INVITE"] and b"m=message" in house.sent[0].body
    house.send()
    house.out()
    assert house.asked[-1].uri == "sip:new.partner.example"


def test_a_re_invite_to_something_else_gets_488_and_the_session_lives() -> None:
    house = House()
    house.called()
    house.within("INVITE", OFFER.replace(b"m=message", b"m=audio"), Content_Type="application/sdp")
    assert house.out() == ["488 INVITE"] and house.agent.sessions.is_open(ALICE, BOB)


def test_we_answer_in_the_session_of_the_peer() -> None:
    house = House()
    house.called()
    house.send()
    assert house.out() == ["MESSAGE"]
    (message,) = house.asked
    assert (message.uri, message.body, message.headers.get("Content-Type")) == (
        PEER,
        b"hello",
        "text/plain;charset=UTF-8",
    )
    assert (message.from_.tag, message.to.tag, message.call_id) == (house.answered[0].to.tag, "bob", "call1")
    assert "Contact" not in message.headers


# --- calling


def test_a_call_carries_the_message_after_the_ack() -> None:
    house = House()
    house.send()
    house.send(AGAIN, 2)
    assert house.out() == ["INVITE"]
    (invite,) = house.asked
    assert b"m=message" in invite.body and b"hello" not in invite.body
    assert not any("text-format" in name.lower() for name, _ in invite.headers)
    house.answer(180)
    house.answer(200, Record_Route="<sip:p1.example;lr>, <sip:p2.example;lr>")
    assert house.out() == ["ACK", "MESSAGE"]
    ack, message = house.asked[1:]
    assert (str(ack.cseq), ack.uri, ack.top_via.branch == invite.top_via.branch) == ("1 ACK", PEER, False)
    assert ack.headers.all("Route") == ["<sip:p2.example;lr>", "<sip:p1.example;lr>"]
    assert (str(message.cseq), message.body) == ("2 MESSAGE", b"hello")
    assert house.answer(200) == [Delivered(1, 200)]
    assert house.out() == ["MESSAGE"] and house.asked[-1].body == b"again"
    assert house.answer(415) == [Undelivered(2, 415)]
    assert house.agent.sessions.is_open(ALICE, BOB)


def test_a_2xx_that_comes_again_gets_the_same_ack_and_a_fork_is_ended() -> None:
    house = House()
    house.calling()
    invite, ack = house.asked[:2]
    again = response(invite, 200, "bob", OFFER, Contact=f"<{PEER}>", Content_Type="application/sdp")
    house.hear(again)
    assert house.out() == ["ACK"] and house.asked[-1].headers.get("To") == ack.headers.get("To")
    house.hear(response(invite, 200, "fork", OFFER, Contact="<sip:fork.partner.example>"))
    assert house.out() == ["ACK", "BYE"]
    assert [each.to.tag for each in house.asked[-2:]] == ["fork", "fork"]


@pytest.mark.parametrize("status", [302, 404, 480, 486, 488, 500, 603])
def test_a_refused_call_fails_what_waits(status: int) -> None:
    house = House()
    house.send()
    house.send(AGAIN, 2)
    house.out()
    assert house.answer(status) == [Undelivered(1, status), Undelivered(2, status)]
    assert house.out() == ["ACK"] and len(house.agent.sessions) == 0


def test_an_answer_that_is_no_messages_is_hung_up() -> None:
    house = House()
    house.send()
    house.out()
    body = OFFER.replace(b"m=message", b"m=audio")
    told = house.hear(response(house.asked[0], 200, "bob", body, Contact=f"<{PEER}>", Content_Type="application/sdp"))
    assert told == [Undelivered(1, 488)]
    assert house.out() == ["ACK", "BYE"]


def test_a_call_that_rings_too_long_is_cancelled() -> None:
    house = House()
    house.send(now=0.0)
    house.out()
    house.answer(180, 1.0)
    assert house.agent.tick(59.9) == []
    assert house.agent.tick(60.0) == [Undelivered(1, 0, "timeout")]
    assert house.out() == ["CANCEL"]
    assert house.answer(200, 60.1, "CANCEL") == []
    assert house.answer(487, 60.2, "INVITE") == []
    assert house.out() == ["ACK"]


def test_an_answer_that_crosses_the_cancel_is_ended() -> None:
    house = House()
    house.send(now=0.0)
    house.out()
    house.answer(180, 1.0)
    house.agent.tick(60.0)
    house.out()
    house.answer(200, 60.1, "INVITE")
    assert house.out() == ["ACK", "BYE"]


@pytest.mark.parametrize("status", [408, 480, 481])
def test_a_dead_session_is_left_and_the_message_goes_in_a_new_one_once(status: int) -> None:
    house = House()
    house.calling()
    house.send(AGAIN, 2)
    house.out()
    assert house.answer(status) == [SessionEnded(ALICE, BOB, "dead")]
    assert house.out() == (["INVITE"] if status == 481 else ["BYE", "INVITE"])
    assert house.answer(200, method="INVITE") == [SessionStarted(ALICE, BOB, False)]
    house.out()
    assert house.asked[-1].body == b"again"
    assert house.answer(status, method="MESSAGE") == [Undelivered(2, status), SessionEnded(ALICE, BOB, "dead")]
    assert "INVITE" not in house.out()


def test_a_message_without_answer_is_not_sent_twice() -> None:
    house = House()
    house.calling()
    house.send(AGAIN, 2, now=2.0)
    house.out()
    assert house.agent.tick(34.0) == [Undelivered(2, 0, "timeout"), SessionEnded(ALICE, BOB, "dead")]
    assert house.out() == ["BYE"]


def test_types_that_the_peer_does_not_read_are_not_sent() -> None:
    house = House()
    house.calling()
    house.send(Document("message/imdn+xml", b"<imdn/>"), 2)
    assert house.out() == []


def test_info_goes_in_open_sessions_only() -> None:
    house = House()
    typing = Letter(Document("application/xml", b"<KeyboardActivity/>"), 3, "INFO")
    with pytest.raises(Refused):
        house.agent.sessions.send(ALICE, BOB, typing, 1.0)
    house.calling()
    house.agent.sessions.send(ALICE, BOB, typing, 1.0)
    assert house.out() == ["INFO"]


def test_what_waits_is_bounded() -> None:
    house = House()
    for number in range(50):
        house.send(handle=number)
    with pytest.raises(Refused):
        house.send()


def test_a_silent_session_is_ended() -> None:
    house = House()
    house.calling()
    house.within("INFO", now=300.0, Call_ID=house.asked[0].call_id, To=house.asked[0].headers.get("From"))
    house.out()
    assert house.agent.tick(899.0) == []
    assert house.agent.tick(900.0) == [SessionEnded(ALICE, BOB, "idle")]
    assert house.out() == ["BYE"]


def test_ending_a_session_gives_back_what_waits() -> None:
    house = House()
    house.calling()
    house.send(AGAIN, 2)
    house.send(AGAIN, 3)
    house.out()
    assert house.agent.sessions.end(ALICE, BOB, 2.0) == [SessionEnded(ALICE, BOB, "bye"), Undelivered(3, 0, "ended")]
    assert house.out() == ["BYE"]
    assert house.answer(200, method="MESSAGE") == [Delivered(2, 200)]


# --- two sessions of one pair


def test_a_new_call_of_the_peer_replaces_the_old_session() -> None:
    house = House()
    house.called()
    told = house.invite(Call_ID="call2", From_=f"<{BOB}>;tag=new")
    assert told == [SessionEnded(ALICE, BOB, "replaced"), SessionStarted(ALICE, BOB, True)]
    assert house.out() == ["200 INVITE", "BYE"]
    assert len(house.agent.sessions) == 1


def test_in_a_glare_messages_go_by_the_peers_call_at_once() -> None:
    house = House()
    house.send()
    assert house.out() == ["INVITE"]
    house.invite()
    assert house.out() == ["200 INVITE", "MESSAGE"]
    assert house.asked[-1].call_id == "call1"


@pytest.mark.parametrize(("call_id", "ours_stays"), [("a-first", False), ("z-last", True)])
def test_after_a_glare_both_sides_keep_the_same_session(call_id: str, ours_stays: bool) -> None:
    house = House()
    house.send()
    house.out()
    house.invite(Call_ID=call_id)
    house.out()
    told = house.answer(200, method="INVITE")
    assert told == [SessionStarted(ALICE, BOB, False), SessionEnded(ALICE, BOB, "replaced")]
    assert house.out() == ["ACK", "BYE"]
    assert (house.asked[-1].call_id == call_id) is ours_stays
    assert len(house.agent.sessions) == 1


# --- descriptions


def test_descriptions_are_read_as_they_are_written() -> None:
    for host in ("gw.corp.example", "2001:db8::7"):
        media = read(write(host, ("text/plain", "text/html"), "x-ms-message"))
        assert (media.kind, media.types) == ("x-ms-message", ("text/plain", "text/html"))
    assert media.reads("TEXT/html; charset=UTF-8") and not media.reads("image/gif")


@pytest.mark.parametrize("body", [b"", b"m=", b"m=message", b"m=message 5060 sip null\r\nm=message 5060 sip null"])
def test_what_is_no_description_is_refused(body: bytes) -> None:
    with pytest.raises(NotMessages):
        read(body)
