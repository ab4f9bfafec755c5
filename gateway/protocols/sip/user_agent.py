"""The user agent: one object that a leg holds for all SIP of one side (RFC 3261 section 8, protocols.md 3)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from attrs import define, field, frozen

from gateway.protocols.sip.faults import SipSyntaxError
from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.notifier import Notifier, NotifierEvent
from gateway.protocols.sip.pager import Delivered, Pager, PagerEvent, Undelivered, outcome
from gateway.protocols.sip.publisher import Publisher, PublisherEvent
from gateway.protocols.sip.screening import ALLOW, INSIDE_ONLY, Objection, body_objection, certified, objection
from gateway.protocols.sip.sdp import SDP
from gateway.protocols.sip.sessions import TYPES, SessionEvent, Sessions
from gateway.protocols.sip.station import Station, bare, hop_fault
from gateway.protocols.sip.subscriber import Subscriber
from gateway.protocols.sip.subscribing import SubscriberEvent, SubscriptionKey
from gateway.protocols.sip.transaction_events import (
    Cancelled,
    Flow,
    Repeated,
    RequestReceived,
    ResponseReceived,
    Send,
    TimedOut,
    TransactionEvent,
    TransportFailed,
    Unacknowledged,
)
from gateway.protocols.sip.uri import SipUri


class Admission(Protocol):
    """Answers what the user agent must know at once; statuses are SIP's, 200 lets in."""

    def serves(self, domain: str) -> bool:
        """Says whether people of this domain are reached here."""

    def watcher(self, presentity: str, watcher: str, package: str) -> int:
        """Gives the status with which a new subscription is answered."""

    def session(self, local: str, remote: str) -> int:
        """Gives the status with which an IM session is answered."""

    def wanted(self, key: SubscriptionKey) -> bool:
        """Says whether a subscription of ours is still to be refreshed."""


@frozen
class MessageReceived:
    """A MESSAGE waits for answer(): 200 or 202 only when it is kept or delivered (RFC 3428 section 7)."""

    transaction: int
    sender: str
    recipient: str
    content_type: str
    body: bytes = field(repr=False)
    request: Request = field(repr=False)
    in_session: bool = False


@frozen
class RequestRefused:
    """A request was answered with this status before any role saw it."""

    method: str
    status: int


UserAgentEvent = (
    MessageReceived | RequestRefused | Repeated | NotifierEvent | SubscriberEvent | PublisherEvent | SessionEvent
)


@frozen
class _Probe:
    """Owns an OPTIONS."""

    handle: object


@define(eq=False)
class UserAgent:
    """Takes messages and the time, gives events and messages; nothing that a peer sends makes it raise.

    After each batch of events its owner calls tick(now), which sends what the events led to, and take_output().
    """

    station: Station
    admission: Admission
    types: tuple[str, ...] = TYPES
    """The media types of MESSAGE that are read; the others get 415."""
    takes_benotify: bool = False
    """Whether NOTIFY may come as BENOTIFY, which is never answered: from our own server only, and never asked for."""
    notifier: Notifier = field(init=False)
    subscriber: Subscriber = field(init=False)
    publisher: Publisher = field(init=False)
    pager: Pager = field(init=False)
    sessions: Sessions = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.notifier = Notifier(self.station, self.admission.watcher)
        self.subscriber = Subscriber(self.station, self.admission.wanted)
        self.publisher = Publisher(self.station)
        self.pager = Pager(self.station)
        self.sessions = Sessions(self.station, self.admission.session, types=self.types)

    def received(
        self, message: Request | Response, flow: Flow, certified_domains: Collection[str] | None, now: float
    ) -> list[UserAgentEvent]:
        """Takes one message; `certified_domains` are those that the connection has proved, None for one inside."""
        transactions = self.station.transactions
        try:
            if isinstance(message, Request) and message.method == "BENOTIFY":
                return self._benotify(message, certified(message, certified_domains), now)
            if isinstance(message, Request) and not certified(message, certified_domains):
                transactions.answer_statelessly(message, self.station.reply(message, 403), flow)
                return [RequestRefused(message.method, 403)]
            return self._dispatch(transactions.received(message, flow, now), now)
        except SipSyntaxError:  # a message that no reader has checked
            return [RequestRefused(message.method, 0)] if isinstance(message, Request) else []

    def answer(
        self, transaction: int, status: int, now: float, *, reason: str | None = None, retry_after: int | None = None
    ) -> bool:
        """Answers a MESSAGE and says whether it was still time; 408 is never sent (RFC 4320)."""
        request = self.station.transactions.request_of(transaction)
        if request is None:
            return False
        made = self.station.reply(request, status, reason)
        if retry_after is not None:
            made.headers.add("Retry-After", str(retry_after))
        if status == 405:
            made.headers.add("Allow", ALLOW)
        if status == 415:
            made.headers.add("Accept", ", ".join(self.types))
        return self.station.transactions.send_response(transaction, made, now)

    def probe(self, sender: str, recipient: str, handle: object, now: float) -> None:
        """Asks a peer whether it is there, with OPTIONS; Delivered means that it answered, with any status."""
        made = self.station.request("OPTIONS", sender, recipient)
        made.headers.add("Accept", SDP)
        self.station.send(made, recipient, now, _Probe(handle))

    def flow_lost(self, flow: Flow, now: float) -> list[UserAgentEvent]:
        """Takes the loss of a connection: what waits for an answer on it has failed."""
        return self._dispatch(self.station.transactions.flow_lost(flow, now), now)

    def tick(self, now: float) -> list[UserAgentEvent]:
        """Does what the time asks for, and sends the notifications that are due."""
        events = self._dispatch(self.station.transactions.tick(now), now)
        events += self.notifier.tick(now)
        events += self.subscriber.tick(now)
        events += self.publisher.tick(now)
        events += self.sessions.tick(now)
        return events

    def next_timer(self) -> float | None:
        """Gives when tick() wants to be called."""
        roles = (self.station.transactions, self.notifier, self.subscriber, self.publisher, self.sessions)
        return min((when for role in roles if (when := role.next_timer()) is not None), default=None)

    def take_output(self) -> list[Send]:
        """Gives what is to be sent now, and forgets it."""
        return self.station.transactions.take_output()

    def _dispatch(self, happened: list[TransactionEvent], now: float) -> list[UserAgentEvent]:
        events: list[UserAgentEvent] = []
        for event in happened:
            if isinstance(event, RequestReceived):
                events += self._request(event, now)
            elif isinstance(event, ResponseReceived | TimedOut | TransportFailed):
                events += self._answered(event, now)
            elif isinstance(event, Cancelled):
                self.answer(event.transaction, 487, now)
            elif not isinstance(event, Unacknowledged):
                events.append(event)
        return events

    def _answered(self, event: ResponseReceived | TimedOut | TransportFailed, now: float) -> list[UserAgentEvent]:
        """Gives the end of a request to the role that sent it; the others take no notice."""
        if isinstance(event.owner, _Probe):
            return self._probed(event.owner, event)
        events: list[UserAgentEvent] = []
        events += self.pager.answered(event, now)
        events += self.sessions.answered(event, now)
        events += self.notifier.answered(event, now)
        events += self.subscriber.answered(event, now)
        events += self.publisher.answered(event, now)
        return events

    def _probed(self, owner: _Probe, event: ResponseReceived | TimedOut | TransportFailed) -> list[UserAgentEvent]:
        if not isinstance(event, ResponseReceived):
            found: PagerEvent = outcome(owner.handle, event)
            return [found]
        return [Delivered(owner.handle, event.response.status)] if event.response.status >= 200 else []

    def _request(self, event: RequestReceived, now: float) -> list[UserAgentEvent]:
        request, transaction = event.request, event.transaction
        if transaction is None:
            self.sessions.ack_received(request, now)
            return []
        try:
            found = objection(request, self.station.mark) or self._out_of_place(request)
            if found is None and self.station.transactions.looped(request):
                found = Objection(482)
            if found is None:
                return self._serve(transaction, request, now)
        except SipSyntaxError:
            found = Objection(400)
        if found.status == 482 and request.method == "NOTIFY":
            found = Objection(200)  # presence that went in a circle ends silently (protocols.md L-02)
        return self._refuse(transaction, request, found, now)

    def _out_of_place(self, request: Request) -> Objection | None:
        """Refuses what is addressed to a domain that is not ours, and messages to nobody."""
        if request.to.tag is not None or request.method in INSIDE_ONLY:
            return None
        uri = SipUri.parse(request.uri)
        if request.method == "OPTIONS":
            return None
        if not self.admission.serves(uri.host):
            return Objection(403)
        return None if uri.user else Objection(404)

    def _serve(self, transaction: int, request: Request, now: float) -> list[UserAgentEvent]:
        method = request.method
        if method == "MESSAGE":
            return self._message(transaction, request, now)
        if method == "SUBSCRIBE":
            return [*self.notifier.subscribe_received(transaction, request, now)]
        if method == "NOTIFY":
            return [*self.subscriber.notify_received(transaction, request, now)]
        if method == "OPTIONS":
            return self._options(transaction, request, now)
        if method == "INVITE" and request.to.tag is None:
            return [*self.sessions.invite_received(transaction, request, now)]
        return [*self.sessions.request_received(transaction, request, now)]

    def _benotify(self, request: Request, proven: bool, now: float) -> list[UserAgentEvent]:
        if not (proven and self.takes_benotify) or hop_fault(request, self.station.mark):
            return [RequestRefused(request.method, 0)]
        return [*self.subscriber.notify_received(None, request, now)]

    def _message(self, transaction: int, request: Request, now: float) -> list[UserAgentEvent]:
        """Tells a MESSAGE to the user; inside a session its parties are those of the session, whatever it says."""
        sender, recipient = bare(str(request.from_.uri)), bare(request.uri)
        if request.to.tag is not None:
            session, status = self.sessions.within(request, now)
            if session is None or status:
                return self._refuse(transaction, request, Objection(status), now)
            sender, recipient = session.remote, session.local
        if found := body_objection(request, self.types):
            return self._refuse(transaction, request, found, now)
        if not request.body:
            self.answer(transaction, 200, now)
            return []
        kind = request.headers.get("Content-Type") or ""
        return [
            MessageReceived(transaction, sender, recipient, kind, request.body, request, request.to.tag is not None)
        ]

    def _options(self, transaction: int, request: Request, now: float) -> list[UserAgentEvent]:
        """Says what we can, to anybody about anybody alike (RFC 3261 section 11.2)."""
        if request.to.tag is not None:
            _, status = self.sessions.within(request, now)
            if status:
                return self._refuse(transaction, request, Objection(status), now)
        self.station.refuse(
            transaction,
            request,
            200,
            now,
            Allow=ALLOW,
            Accept=", ".join((SDP, *self.types)),
            Allow_Events=", ".join(self.notifier.packages),
        )
        return []

    def _refuse(self, transaction: int, request: Request, found: Objection, now: float) -> list[UserAgentEvent]:
        headers = {name.replace("-", "_"): value for name, value in found.headers.items()}
        self.station.refuse(transaction, request, found.status, now, **headers)
        return [RequestRefused(request.method, found.status)]


__all__ = ["Admission", "MessageReceived", "RequestRefused", "Undelivered", "UserAgent", "UserAgentEvent"]
