"""A request that fails is tried again: at the next server, where somebody has moved, with a password; within bounds."""

from collections.abc import Sequence
from typing import Any

import pytest
from attrs import define, field

from gateway.protocols.sip.attempts import PATIENCE, REDIRECTS, TRIES, Attempts, Failure
from gateway.protocols.sip.client_transaction import acknowledge
from gateway.protocols.sip.dialogs import Dialog
from gateway.protocols.sip.digest import Credentials, Digest
from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.transaction_events import ResponseReceived, TimedOut, TransactionEvent, TransportFailed
from gateway.protocols.sip.transactions import TransactionLayer
from gateway.protocols.sip.uri import SipUri

from .talk import ALICE, BOB, layer, lines, response, station

FIRST, SECOND, THIRD = "tls:first", "tls:second", "tls:third"
CHALLENGE = 'Digest realm="corp.example", nonce="n1", qop="auth"'


@define(eq=False)
class Ways:
    """Has servers in a row, and follows redirections within partner.example."""

    row: list[str] = field(factory=lambda: [FIRST, SECOND, THIRD])
    asked: list[tuple[Any, ...]] = field(factory=list)

    def other(
        self, failed: Any, peers: tuple[str, str], tried: Sequence[Any], failure: Failure, since: float, seconds: int
    ) -> str | None:
        self.asked.append((failed, peers, failure, since, seconds))
        return next((flow for flow in self.row if flow not in tried), None)

    def moved(self, flow: Any, local: str, former: SipUri, target: SipUri) -> str | None:
        believed = former.host == target.host == "partner.example"
        return f"tls:{target.port or 'first'}" if believed else None


@define(eq=False)
class Scene:
    """A transaction layer with persistence, and one request of ours."""

    digest: Digest | None = None
    ways: Ways = field(factory=Ways)
    method: str = "MESSAGE"
    dialog: Dialog | None = None
    flow: str = FIRST
    talk: TransactionLayer = field(init=False)
    request: Request = field(init=False)
    serial: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.talk = layer()
        self.talk.persistence = Attempts(self.ways, self.digest)
        self.request = station().request(self.method, ALICE, BOB)
        self.serial = self.talk.send_request(self.request, self.flow, 0.0, "me", self.dialog)

    def sent(self) -> tuple[Any, Request]:
        """Gives the flow and the message that goes out now."""
        (send,) = self.talk.take_output()
        assert isinstance(send.message, Request)
        return send.flow, send.message

    def answer(self, status: int, now: float = 1.0, **fields: str) -> list[TransactionEvent]:
        flow = self.talk._clients[self.serial].flow
        return self.talk.received(response(self.request, status, **fields), flow, now)


def test_a_server_that_refuses_for_now_gives_way_to_the_next_with_a_branch_of_its_own() -> None:
    scene = Scene()
    (flow, first) = scene.sent()
    branch, number = first.top_via.branch, first.cseq
    assert scene.answer(503, Retry_After="30") == []
    flow, second = scene.sent()
    assert flow == SECOND and second.top_via.branch != branch and len(second.vias) == 1
    assert (second.cseq, second.call_id) == (number, scene.request.call_id)
    assert scene.ways.asked == [(FIRST, ("corp.example", "partner.example"), Failure.OVERLOADED, 0.0, 30)]
    answer = response(scene.request, 200)
    assert scene.talk.received(answer, SECOND, 2.0) == [ResponseReceived(scene.serial, "me", answer, SECOND)]
    assert len(scene.talk) == 0


def test_the_last_server_says_how_it_ends() -> None:
    scene = Scene()
    for flow in (FIRST, SECOND):
        assert scene.sent()[0] == flow and scene.answer(503) == []
    scene.sent()
    (event,) = scene.answer(503)
    assert isinstance(event, ResponseReceived) and (event.transaction, event.response.status) == (scene.serial, 503)


def test_a_lost_connection_and_silence_lead_to_the_next_server() -> None:
    scene = Scene()
    scene.sent()
    assert scene.talk.flow_lost(FIRST, 5.0) == []
    assert scene.sent()[0] == SECOND
    assert scene.talk.tick(37.0) == []
    assert scene.sent()[0] == THIRD
    assert [each[2] for each in scene.ways.asked] == [Failure.UNREACHABLE, Failure.SILENT]
    assert scene.talk.tick(69.0) == [TimedOut(scene.serial, "me")]


def test_nobody_is_tried_after_a_while() -> None:
    scene = Scene(ways=Ways([f"tls:{number}" for number in range(20)]), flow="tls:0")
    assert scene.talk.tick(PATIENCE + 1.0) == [TimedOut(scene.serial, "me")]


def test_tries_are_counted() -> None:
    scene = Scene(ways=Ways([f"tls:{number}" for number in range(20)]), flow="tls:0")
    tries = 1
    while not (events := scene.answer(503)):
        tries += 1
    assert tries == TRIES and isinstance(events[0], ResponseReceived)


def test_over_udp_the_first_transaction_absorbs_what_still_comes() -> None:
    scene = Scene(ways=Ways(["udp:first", "udp:second"]), flow="udp:first")
    first = response(scene.request, 503)
    assert scene.talk.received(first, "udp:first", 1.0) == []
    assert scene.talk.received(first, "udp:first", 1.2) == []
    answer = response(scene.request, 200)
    assert scene.talk.received(answer, "udp:second", 2.0) == [
        ResponseReceived(scene.serial, "me", answer, "udp:second")
    ]
    scene.talk.tick(60.0)
    assert len(scene.talk) == 0


def test_invite_that_is_refused_is_acknowledged_where_it_was_refused() -> None:
    scene = Scene(method="INVITE")
    scene.talk.take_output()
    refused = response(scene.request, 503)
    ack = acknowledge(scene.request, refused)
    assert scene.talk.received(refused, FIRST, 1.0) == []
    sends = scene.talk.take_output()
    assert [send.flow for send in sends] == [FIRST, SECOND] and lines(sends) == ["ACK", "INVITE"]
    assert sends[0].message.top_via.branch == ack.top_via.branch != sends[1].message.top_via.branch


def test_cancelled_invite_is_not_tried_again() -> None:
    scene = Scene(method="INVITE")
    scene.answer(180)
    scene.talk.cancel(scene.serial, 1.0)
    (event,) = scene.answer(503)
    assert isinstance(event, ResponseReceived)


def test_cancel_reaches_the_second_try() -> None:
    scene = Scene(method="INVITE")
    scene.answer(503)
    scene.talk.take_output()
    scene.talk.cancel(scene.serial, 1.0)
    scene.answer(180)
    (send,) = scene.talk.take_output()
    assert (send.flow, lines([send])) == (SECOND, ["CANCEL"])


def in_dialog() -> Dialog:
    return Dialog("call", "t", "far", ALICE, BOB, BOB, local_cseq=7)


def test_within_a_dialog_only_a_lost_connection_leads_elsewhere() -> None:
    scene = Scene(dialog=in_dialog())
    (event,) = scene.answer(503)
    assert isinstance(event, ResponseReceived) and scene.ways.asked == []
    scene = Scene(dialog=in_dialog())
    scene.sent()
    assert scene.talk.flow_lost(FIRST, 1.0) == [] and scene.sent()[0] == SECOND


def contact(*values: str) -> dict[str, str]:
    return {"Contact": ", ".join(values)}


def test_who_has_moved_is_followed_to_the_contact_preferred() -> None:
    scene = Scene()
    scene.sent()
    named = contact("<sip:old@partner.example>;q=0.2", "<sip:bob@partner.example:5071>;q=0.9", "<tel:+1555>")
    assert scene.answer(302, **named) == []
    flow, request = scene.sent()
    assert (flow, request.uri, request.cseq.number) == ("tls:5071", "sip:bob@partner.example:5071", 2)
    assert str(request.to.uri) == BOB


@pytest.mark.parametrize(
    "where",
    [
        "<sip:bob@ally.example>",
        "<sips:bob@partner.example>",
        "<sip:bob@partner.example?Subject=x>",
        "<sip:partner.example>",
        f"<{BOB}>",
        "*",
        "nonsense<",
    ],
)
def test_nobody_is_followed_elsewhere(where: str) -> None:
    scene = Scene()
    (event,) = scene.answer(301, **contact(where))
    assert isinstance(event, ResponseReceived) and event.response.status == 301 and scene.request.uri == BOB


def test_redirection_without_end_ends() -> None:
    scene = Scene()
    followed = 0
    while not scene.answer(302, **contact(f"<sip:bob@partner.example:{5100 + followed}>")):
        followed += 1
    assert followed == REDIRECTS


def test_dialogs_are_not_redirected() -> None:
    scene = Scene(dialog=in_dialog())
    assert scene.answer(302, **contact("<sip:bob@partner.example:5071>"))


def proving() -> Digest:
    return Digest(Credentials("gateway", "secret", frozenset({"corp.example"})), lambda: "c")


def test_challenge_is_answered_on_the_same_flow_with_the_next_number() -> None:
    scene = Scene(proving())
    scene.sent()
    assert scene.answer(407, Proxy_Authenticate=CHALLENGE) == []
    flow, request = scene.sent()
    assert flow == FIRST and request.cseq.number == 2
    assert 'username="gateway"' in (request.headers.get("Proxy-Authorization") or "")
    assert "secret" not in str(list(request.headers))
    (event,) = scene.answer(407, Proxy_Authenticate=CHALLENGE.replace("n1", "n2"))
    assert isinstance(event, ResponseReceived) and event.response.status == 407


def test_dialog_goes_on_behind_the_number_of_the_answer() -> None:
    dialog = in_dialog()
    scene = Scene(proving(), dialog=dialog)
    assert scene.answer(401, WWW_Authenticate=CHALLENGE) == []
    assert scene.request.cseq.number == dialog.local_cseq == 8
    assert dialog.request("NOTIFY").cseq.number == 9


def test_nobody_is_told_a_password_without_one() -> None:
    scene = Scene()
    (event,) = scene.answer(401, WWW_Authenticate=CHALLENGE)
    assert isinstance(event, ResponseReceived) and isinstance(event.response, Response)


def test_too_many_requests_are_not_tried_again() -> None:
    talk = layer(limit=1)
    talk.persistence = Attempts(Ways())
    talk.send_request(station().request("MESSAGE", ALICE, BOB), FIRST, 0.0, "first")
    over = talk.send_request(station().request("MESSAGE", ALICE, BOB), FIRST, 0.0, "second")
    assert talk.tick(0.0) == [TransportFailed(over, "second")]
