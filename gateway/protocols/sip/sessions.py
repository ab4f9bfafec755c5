"""The IM sessions: calls, answers, messages inside, glare, silence (reference/ocs.md 4.6, RFC 3261 sections 13 to 15).

A text in `ms-text-format` is never read: it comes again as MESSAGE when we do not say that we support it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from attrs import define, evolve, field, frozen

from gateway.protocols.sip import sdp
from gateway.protocols.sip.dialogs import Dialog, DialogRefused
from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.pager import Delivered, Refused, Undelivered, outcome
from gateway.protocols.sip.session import (
    DEAD,
    ImSession,
    InfoReceived,
    Letter,
    SessionEnded,
    SessionStarted,
    Stage,
    offered,
)
from gateway.protocols.sip.station import Station, bare, speaks_for
from gateway.protocols.sip.timers import Alarms
from gateway.protocols.sip.transaction_events import ResponseReceived, TimedOut, TransportFailed
from gateway.protocols.sip.uri import SipUri

IDLE: Final = 600.0
ANSWER: Final = 60.0
QUEUED: Final = 50
LIMIT: Final = 20_000
TYPES: Final = (
    "text/plain",
    "text/html",
    "multipart/alternative",
    "application/im-iscomposing+xml",
    "message/cpim",
    "message/imdn+xml",
)

SessionEvent = SessionStarted | SessionEnded | InfoReceived | Delivered | Undelivered
_Ended = ResponseReceived | TimedOut | TransportFailed


@frozen(eq=False)
class _Call:
    """Owns an INVITE."""

    session: ImSession


@frozen(eq=False)
class _Sent:
    """Owns a MESSAGE or INFO in a session."""

    session: ImSession


@define(eq=False)
class Sessions:
    """Keeps the sessions of one user agent; for each pair there is one in which we send."""

    station: Station
    admit: Callable[[str, str], int]
    """Says with which status a session (our user, peer's user) is answered: 200, 403, 404 ..."""
    idle_seconds: float = IDLE
    """How long a session may be silent."""
    answer_seconds: float = ANSWER
    """How long a call may ring."""
    types: tuple[str, ...] = TYPES
    queued: int = QUEUED
    limit: int = LIMIT
    _calls: dict[tuple[str, str], ImSession] = field(init=False, factory=dict)
    """Every session by Call-ID and our tag."""
    _pairs: dict[tuple[str, str], ImSession] = field(init=False, factory=dict)
    _alarms: Alarms[tuple[str, str]] = field(init=False, factory=Alarms)
    _events: list[SessionEvent] = field(init=False, factory=list)

    def __len__(self) -> int:
        return len(self._calls)

    def is_open(self, local: str, remote: str) -> bool:
        """Says whether a session is open between these two."""
        found = self._pairs.get((local, remote))
        return found is not None and found.stage is Stage.OPEN

    def send(self, local: str, remote: str, letter: Letter, now: float) -> None:
        """Sends a message in the session of a pair, calling when there is none; raises Refused.

        Delivered or Undelivered follows with its handle. INFO is for open sessions only.
        """
        session = self._pairs.get((local, remote))
        if session is None and (letter.method == "INFO" or len(self._calls) >= self.limit):
            raise Refused("too many" if letter.method != "INFO" else "no session")
        if session is not None and len(session.letters) >= self.queued:
            raise Refused("too many")
        if session is None:
            session = self._call(local, remote, now)
        session.letters.append(letter)
        self._pump(session, now)

    def end(self, local: str, remote: str, now: float) -> list[SessionEvent]:
        """Ends the session of a pair; what waits in it comes back as Undelivered."""
        self._events = []
        session = self._pairs.get((local, remote))
        if session is not None:
            self._hang_up(session, "bye", now)
            self._fail(session, 0, "ended")
        return self._events

    def invite_received(self, transaction: int, request: Request, now: float) -> list[SessionEvent]:
        """Answers an INVITE outside of any dialog."""
        self._events = []
        local, remote = bare(request.uri), bare(str(request.from_.uri))
        try:
            media = offered(request)
            status = self.admit(local, remote)
            if status == 200 and len(self._calls) >= self.limit:
                status = 500
            dialog = Dialog.as_called(request, self.station.token()) if status == 200 else None
        except DialogRefused as refused:
            status, dialog, media = refused.status, None, sdp.Media()
        if dialog is None:
            headers = {415: {"Accept": sdp.SDP}, 500: {"Retry_After": "60"}}
            self.station.refuse(transaction, request, status, now, **headers.get(status, {}))
            return self._events
        dialog.local_uri, dialog.remote_uri = local, remote
        session = ImSession(local, remote, now, Stage.OPEN, dialog, None, (dialog.call_id, dialog.local_tag))
        session.peer = media
        self._answer(session, transaction, request, now)
        self._calls[session.call] = session
        self._supersede(session, now)
        self._arm(session)
        self._events.append(SessionStarted(local, remote, True))
        return self._events

    def within(self, request: Request, now: float) -> tuple[ImSession | None, int]:
        """Finds the session of a request with a To tag, and the status with which it is refused, 0 for none."""
        session = self._calls.get((request.call_id, request.to.tag or ""))
        if session is None or session.dialog is None or session.dialog.remote_tag != request.from_.tag:
            return None, 481
        if not speaks_for(request, session.remote):
            return None, 403
        session.used_at = now
        return session, session.dialog.refusal(request) or 0

    def request_received(self, transaction: int, request: Request, now: float) -> list[SessionEvent]:
        """Answers BYE, INFO, UPDATE and a further INVITE of a session; MESSAGE is its user's to answer."""
        self._events = []
        session, status = self.within(request, now)
        if session is None or session.dialog is None or status:
            self.station.refuse(transaction, request, status, now)
        elif request.method == "BYE":
            self.station.refuse(transaction, request, 200, now)
            self._over(session, "bye")
            self._call_again(session, now)
        elif request.method == "INFO":
            self.station.refuse(transaction, request, 200, now)
            kind = request.content_type
            self._events.append(InfoReceived(*session.pair, "" if kind is None else kind[0], request.body))
        else:
            self._renew(session, transaction, request, now)
        if session is not None:
            self._arm(session)
        return self._events

    def ack_received(self, request: Request, now: float) -> None:
        """Takes the ACK of a 2xx."""
        session = self._calls.get((request.call_id, request.to.tag or ""))
        if session is not None and session.accepted is not None:
            if session.accepted[1].cseq.number == request.cseq.number:
                session.acknowledged()
            self._arm(session)

    def answered(self, event: _Ended, now: float) -> list[SessionEvent]:
        """Takes what became of a request of a session."""
        self._events = []
        owner = event.owner
        if isinstance(owner, _Call):
            self._called(owner.session, event, now)
            self._arm(owner.session)
        elif isinstance(owner, _Sent) and not (isinstance(event, ResponseReceived) and event.response.status < 200):
            self._sent(owner.session, event, now)
            self._arm(owner.session)
        return self._events

    def tick(self, now: float) -> list[SessionEvent]:
        """Repeats, gives up and ends what is idle."""
        self._events = []
        while (call := self._alarms.due(now)) is not None:
            session = self._calls.get(call)
            if session is not None:
                self._tick(session, now)
                self._arm(session)
        return self._events

    def next_timer(self) -> float | None:
        """Gives when tick() wants to be called."""
        return self._alarms.next()

    def _description(self, kind: str = "message") -> bytes:
        return sdp.write(SipUri.parse(self.station.contact).host, self.types, kind)

    def _answer(self, session: ImSession, transaction: int, request: Request, now: float) -> None:
        """Sends a 200 with our description; it is repeated until the ACK when the request is an INVITE."""
        made = self.station.accept(request, session.call[1])
        if request.method == "INVITE" or request.body:
            made.headers.set("Content-Type", sdp.SDP)
            made.body = self._description(session.peer.kind)
        if self.station.transactions.send_response(transaction, made, now) and request.method == "INVITE":
            session.await_ack(transaction, made, now)

    def _renew(self, session: ImSession, transaction: int, request: Request, now: float) -> None:
        """Answers a further INVITE or UPDATE: keep-alive, new Contact (RFC 3261 section 14.2)."""
        if session.accepted is not None and request.method == "INVITE":
            self.station.refuse(transaction, request, 500, now, Retry_After="5")
            return
        try:
            if request.body or request.method == "INVITE":
                session.peer = offered(request) if request.body else session.peer
        except DialogRefused as refused:
            self.station.refuse(transaction, request, refused.status, now)
            return
        if session.dialog is not None:
            session.dialog.refresh_target(request)
        self._answer(session, transaction, request, now)

    def _call(self, local: str, remote: str, now: float) -> ImSession:
        made = self.station.request("INVITE", local, remote)
        made.headers.add("Contact", self.station.contact_value())
        made.headers.add("Content-Type", sdp.SDP)
        made.body = self._description()
        session = ImSession(local, remote, now, invite=made, call=(made.call_id, made.from_.tag or ""))
        session.answer_by = now + self.answer_seconds
        self._calls[session.call] = self._pairs[session.pair] = session
        session.serial = self.station.send(made, remote, now, _Call(session))
        self._arm(session)
        return session

    def _supersede(self, session: ImSession, now: float) -> None:
        """Makes a session that the peer has begun the one in which we send."""
        other = self._pairs.get(session.pair)
        self._pairs[session.pair] = session
        if other is None:
            return
        session.letters, other.letters = other.letters, session.letters
        if other.stage is Stage.OPEN:
            self._hang_up(other, "replaced", now)
        self._pump(session, now)

    def _called(self, session: ImSession, event: _Ended, now: float) -> None:
        """Takes the answer to our INVITE."""
        if not isinstance(event, ResponseReceived):
            status, reason = 0, "timeout" if isinstance(event, TimedOut) else "transport"
        elif (status := event.response.status) < 300:
            if status >= 200:
                self._accepted(session, event.response, now)
            return
        else:
            reason = ""
        if session.stage is Stage.CALLING:
            self._over(session, "")
            self._fail(session, status, reason)

    def _accepted(self, session: ImSession, response: Response, now: float) -> None:
        """Acknowledges a 2xx: the first opens the session, that of another client is ended at once."""
        if session.invite is None:
            return
        try:
            dialog = Dialog.as_caller(session.invite, response)
        except DialogRefused:
            return
        if session.ack is not None and session.dialog is not None and dialog.key == session.dialog.key:
            self.station.transactions.send_ack(session.ack, self.station.flow_of(dialog))
            return
        ack = dialog.request("ACK", cseq=session.invite.cseq.number)
        self.station.transactions.send_ack(ack, self.station.flow_of(dialog))
        if session.stage is not Stage.CALLING:
            self._bye(dialog, now)
            return
        session.dialog, session.ack, session.stage, session.answer_by = dialog, ack, Stage.OPEN, None
        session.used_at = now
        try:
            kind = response.content_type
            session.peer = sdp.read(response.body) if kind is not None and kind[0] == sdp.SDP else sdp.Media()
        except sdp.NotMessages:
            self._hang_up(session, "", now)
            self._fail(session, 488, "")
            return
        self._events.append(SessionStarted(*session.pair, False))
        self._settle_glare(session, now)

    def _settle_glare(self, session: ImSession, now: float) -> None:
        """Keeps of two sessions of a pair the one that the other side, counting alike, keeps as well."""
        other = self._pairs.get(session.pair)
        if other is not None and other is not session and other.stage is Stage.OPEN:
            kept, dropped = (session, other) if session.call[0] < other.call[0] else (other, session)
            kept.letters.extend(dropped.letters)
            dropped.letters.clear()
            self._pairs[session.pair] = kept
            self._hang_up(dropped, "replaced", now)
            session = kept
        else:
            self._pairs[session.pair] = session
        self._pump(session, now)

    def _pump(self, session: ImSession, now: float) -> None:
        """Sends the next message when the one before is answered: so the order stays, and what is lost is known."""
        dialog = session.dialog
        while session.stage is Stage.OPEN and session.sending is None and session.letters and dialog is not None:
            letter = session.letters.popleft()
            if letter.method == "MESSAGE" and not session.peer.reads(letter.document.content_type):
                self._events.append(Undelivered(letter.handle, 415))
                continue
            made = dialog.request(letter.method)
            self.station.put_mark(made, letter.hops, letter.forwards)
            for name, value in (*letter.fields, ("Content-Type", letter.document.content_type)):
                made.headers.add(name, value)
            made.body = letter.document.body
            session.sending, session.used_at = letter, now
            self.station.send_within(dialog, made, now, _Sent(session))

    def _sent(self, session: ImSession, event: _Ended, now: float) -> None:
        """Takes the answer to a message; a dead session is left, and the message tried once in a new one."""
        letter, session.sending = session.sending, None
        if letter is None:
            return
        status = event.response.status if isinstance(event, ResponseReceived) else 0
        if status in DEAD and not letter.again and letter.method == "MESSAGE":
            session.letters.appendleft(evolve(letter, again=True))
        else:
            self._events.append(outcome(letter.handle, event))
        if (status in DEAD or not status) and session.stage is Stage.OPEN:
            self._hang_up(session, "dead", now, bye=status != 481)
        self._pump(session, now)
        if session.stage is Stage.OVER:
            self._call_again(session, now)

    def _call_again(self, session: ImSession, now: float) -> None:
        """Lets what waits in a session that is over go in another."""
        if not session.letters:
            return
        other = self._pairs.get(session.pair) or self._call(session.local, session.remote, now)
        other.letters.extendleft(reversed(session.letters))
        session.letters.clear()
        self._pump(other, now)

    def _tick(self, session: ImSession, now: float) -> None:
        if session.again_at is not None and now >= session.again_at and session.accepted is not None:
            self.station.transactions.send_response(*session.accepted, now)
            session.repeat_again(now)
        if session.answer_by is not None and now >= session.answer_by:
            self._unanswered(session, now)
        elif session.stage is Stage.OPEN and now >= session.used_at + self.idle_seconds:
            self._hang_up(session, "idle", now)
            self._fail(session, 0, "ended")

    def _unanswered(self, session: ImSession, now: float) -> None:
        if session.stage is Stage.CALLING:
            self.station.transactions.cancel(session.serial, now)
            self._over(session, "")
            self._fail(session, 0, "timeout")
        else:
            self._hang_up(session, "unacknowledged", now)
            self._call_again(session, now)

    def _hang_up(self, session: ImSession, reason: str, now: float, *, bye: bool = True) -> None:
        """Ends a session with BYE, a call with CANCEL."""
        if session.stage is Stage.CALLING:
            self.station.transactions.cancel(session.serial, now)
        elif session.dialog is not None and bye:
            self._bye(session.dialog, now)
        self._over(session, reason)

    def _bye(self, dialog: Dialog, now: float) -> None:
        self.station.send_within(dialog, dialog.request("BYE"), now, None)

    def _over(self, session: ImSession, reason: str) -> None:
        """Forgets a session; its end is told when its beginning was."""
        was_open, session.stage = session.stage is Stage.OPEN, Stage.OVER
        session.acknowledged()
        self._calls.pop(session.call, None)
        self._alarms.set(session.call, None)
        if self._pairs.get(session.pair) is session:
            del self._pairs[session.pair]
        if reason and was_open:
            self._events.append(SessionEnded(*session.pair, reason))

    def _fail(self, session: ImSession, status: int, reason: str) -> None:
        for letter in session.letters:
            self._events.append(Undelivered(letter.handle, status, reason))
        session.letters.clear()

    def _arm(self, session: ImSession) -> None:
        if self._calls.get(session.call) is session:
            self._alarms.set(session.call, session.wake(self.idle_seconds))
