"""The transaction layer: each request told once, each response to the one who asked (RFC 3261 section 17)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from itertools import islice
from typing import Final, Protocol

from attrs import define, field

from gateway.protocols.sip.client_transaction import ClientState, ClientTransaction, Trail, follow_up
from gateway.protocols.sip.dialogs import Dialog
from gateway.protocols.sip.headers import Via
from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.server_transaction import ServerState, ServerTransaction
from gateway.protocols.sip.timers import TRANSACTION, Alarms
from gateway.protocols.sip.transaction_events import (
    Cancelled,
    Flow,
    Outbox,
    Repeated,
    RequestReceived,
    ResponseReceived,
    Send,
    TimedOut,
    TransactionEvent,
    TransportFailed,
)

BRANCH: Final = "z9hG4bK"
"""Begins the branch of everyone who follows RFC 3261; others are refused."""
LIMIT: Final = 20_000
"""Transactions kept for each of the two directions."""

_Key = tuple[str, str, str]
Ended = ResponseReceived | TimedOut | TransportFailed
"""What may become of a request of ours."""


class Persistence(Protocol):
    """Knows how a request that has failed is tried again."""

    def prepare(self, request: Request) -> None:
        """Puts on a request what is known to be asked for."""

    def again(self, asked: ClientTransaction, event: Ended, now: float) -> Flow | None:
        """Changes the request for one more try and gives the flow for it, or None."""


@define(eq=False)
class TransactionLayer:
    """Keeps the transactions of one user agent over all its flows; a clock is passed in, nothing is raised."""

    token: Callable[[], str]
    """Makes unguessable text of letters and digits: whoever can guess a branch can answer for a peer."""
    sent_by: str
    """Names this side in Via: `host` or `host:port`."""
    transport: Callable[[Flow], str]
    """Says TLS, TCP or UDP of a flow; UDP alone is unreliable."""
    limit: int = LIMIT
    offers: Callable[[Flow], bool] = lambda flow: False
    """Says whether a flow may carry the peer's requests as well: one that we opened, both sides with certificates."""
    persistence: Persistence | None = None
    refused: int = field(init=False, default=0)
    """Messages that were dropped: responses to nobody, requests with a branch of RFC 2543."""
    _out: Outbox = field(init=False, factory=Outbox)
    _serial: int = field(init=False, default=0)
    _clients: dict[int, ClientTransaction] = field(init=False, factory=dict)
    _client_keys: dict[tuple[str, str], int] = field(init=False, factory=dict)
    _servers: OrderedDict[int, ServerTransaction] = field(init=False, factory=OrderedDict)
    _server_keys: dict[_Key, int] = field(init=False, factory=dict)
    _merged: dict[tuple[str, str, str], int] = field(init=False, factory=dict)
    """From, To, Call-ID and CSeq: the same request may come by two ways."""
    _alarms: Alarms[int] = field(init=False, factory=Alarms)
    _ended: dict[int, ClientTransaction] = field(init=False, factory=dict)
    """Those forgotten since their user was told last."""

    _name: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._name = Via.parse(f"SIP/2.0/TCP {self.sent_by}").sent_by

    def __len__(self) -> int:
        return len(self._clients) + len(self._servers)

    def send_request(
        self, request: Request, flow: Flow, now: float, owner: object = None, dialog: Dialog | None = None
    ) -> int:
        """Puts our Via on a request, sends it, and gives the transaction that its events will name.

        `owner` comes back in each event; `dialog` is the one that has numbered the request. With too many requests
        open, TransportFailed comes at the next tick. The request is changed in place when it is tried again.
        """
        serial = self._next()
        if len(self._clients) >= self.limit:
            self._out.events.append(TransportFailed(serial, owner))
            return serial
        if self.persistence is not None:
            self.persistence.prepare(request)
        self._begin(serial, request, flow, now, owner, Trail(dialog, since=now))
        return serial

    def send_ack(self, ack: Request, flow: Flow) -> None:
        """Sends the ACK of a 2xx, which has a branch of its own and no transaction (RFC 3261 section 13.2.2.4)."""
        ack.headers.remove("Via")
        self._put_via(ack, flow)
        self._out.send(flow, ack)

    def cancel(self, transaction: int, now: float) -> None:
        """Cancels an INVITE of ours, as soon as it has a provisional response (RFC 3261 section 9.1)."""
        found = self._clients.get(transaction)
        if found is None or not found.invite or not found.open:
            return
        if found.state is ClientState.CALLING:
            found.cancel_waits = found.cancelled = True
            return
        found.cancel_waits, found.cancelled = False, True
        found.give_up_at(now + TRANSACTION)
        self._settle(found)
        self._start_cancel(found, now)

    def send_response(self, transaction: int, response: Response, now: float) -> bool:
        """Answers a request and says whether an answer could still be sent."""
        found = self._servers.get(transaction)
        if found is None:
            return False
        sent = found.respond(response, now, self._out)
        self._settle(found)
        return sent

    def answer_statelessly(self, request: Request, response: Response, flow: Flow) -> None:
        """Answers a request for which nothing is kept; an ACK is never answered."""
        if request.method != "ACK":
            self._out.send(flow, response)

    def request_of(self, transaction: int) -> Request | None:
        """Gives the request of a server transaction that waits for an answer, or an INVITE that still exists."""
        found = self._servers.get(transaction)
        return None if found is None else found.request

    def received(self, message: Request | Response, flow: Flow, now: float) -> list[TransactionEvent]:
        """Takes a message that came in on a flow and gives what its user must know."""
        if isinstance(message, Response):
            self._response(message, flow, now)
        else:
            self._request(message, flow, now)
        return self._take_events(now)

    def flow_lost(self, flow: Flow, now: float) -> list[TransactionEvent]:
        """Ends the requests that wait on a lost connection; answers will go where the request comes again."""
        for found in [each for each in self._clients.values() if each.flow == flow]:
            if found.open:
                self._out.events.append(TransportFailed(found.serial, found.owner))
            found.state = ClientState.TERMINATED
            self._forget_client(found)
        return self._take_events(now)

    def tick(self, now: float) -> list[TransactionEvent]:
        """Does what the time asks for."""
        while (serial := self._alarms.due(now)) is not None:
            found = self._clients.get(serial) or self._servers.get(serial)
            if found is not None:
                found.tick(now, self._out)
                self._settle(found)
        return self._take_events(now)

    def next_timer(self) -> float | None:
        """Gives when tick() wants to be called."""
        return float("-inf") if self._out.events else self._alarms.next()

    def take_output(self) -> list[Send]:
        """Gives what is to be sent now, and forgets it."""
        return self._out.take_sends()

    def _next(self) -> int:
        self._serial += 1
        return self._serial

    def _begin(self, serial: int, request: Request, flow: Flow, now: float, owner: object, trail: Trail) -> None:
        """Sends a request with a branch of its own."""
        request.headers.remove("Via")
        branch = self._put_via(request, flow)
        trail.flows.append(flow)
        made = ClientTransaction(serial, request, flow, owner, self.transport(flow) != "UDP", branch, trail)
        self._clients[serial] = made
        self._client_keys[branch, request.method] = serial
        made.start(now, self._out)
        self._settle(made)

    def _take_events(self, now: float) -> list[TransactionEvent]:
        """Gives what has happened; of a request that is tried again its user hears when that has ended."""
        events = self._out.take_events()
        if self.persistence is not None:
            events = [each for each in events if not (isinstance(each, Ended) and self._tried_again(each, now))]
            self._ended.clear()
        return events

    def _tried_again(self, event: Ended, now: float) -> bool:
        asked = self._ended.get(event.transaction) or self._clients.get(event.transaction)
        if self.persistence is None or asked is None or asked.open or asked.cancelled:
            return False
        flow = self.persistence.again(asked, event, now)
        if flow is None:
            return False
        if asked.serial in self._clients:
            self._rename(asked)
        self._begin(event.transaction, asked.request, flow, now, asked.owner, asked.trail)
        return True

    def _rename(self, asked: ClientTransaction) -> None:
        """Lets a transaction absorb what still comes of it under another number."""
        method = asked.request.method
        del self._clients[asked.serial]
        self._alarms.set(asked.serial, None)
        asked.serial = self._next()
        self._clients[asked.serial] = asked
        self._client_keys[asked.branch, method] = asked.serial
        self._settle(asked)

    def _put_via(self, request: Request, flow: Flow) -> str:
        """Puts our Via on a request that has none, and gives its branch.

        Over UDP it asks for rport (RFC 3581), one of ours is offered for the peer's requests (RFC 5923).
        """
        transport, branch = self.transport(flow), f"{BRANCH}{self.token()}.{_route_hash(request)}"
        more = ";rport" if transport == "UDP" else ";alias" if self.offers(flow) else ""
        request.headers.add("Via", f"SIP/2.0/{transport} {self.sent_by};branch={branch}{more}")
        return branch

    def looped(self, request: Request) -> bool:
        """Says whether a request has been here before and is routed by the same again (RFC 5393 section 4.2)."""
        values = request.headers.all("Via")
        if len(values) < 2:
            return False
        ending = f".{_route_hash(request)}"
        vias = [Via.parse(value) for value in values[1:]]
        return any(via.sent_by == self._name and (via.branch or "").endswith(ending) for via in vias)

    def _start_cancel(self, invite: ClientTransaction, now: float) -> None:
        """Sends a CANCEL with the branch of its INVITE; nobody is told how it went."""
        request = follow_up(invite.request, "CANCEL")
        made = ClientTransaction(self._next(), request, invite.flow, None, invite.reliable, invite.branch)
        self._clients[made.serial] = made
        self._client_keys[made.branch, "CANCEL"] = made.serial
        made.start(now, self._out)
        self._settle(made)

    def _settle(self, found: ClientTransaction | ServerTransaction) -> None:
        """Sets the next timer, or forgets a transaction that is over."""
        wake = found.wake
        if wake is not None:
            self._alarms.set(found.serial, wake)
        elif isinstance(found, ClientTransaction):
            self._forget_client(found)
        else:
            self._forget_server(found)

    def _forget_client(self, found: ClientTransaction) -> None:
        self._alarms.set(found.serial, None)
        if self._clients.pop(found.serial, None) is not None and self.persistence is not None:
            self._ended[found.serial] = found
        self._client_keys.pop((found.branch, found.request.method), None)

    def _forget_server(self, found: ServerTransaction) -> None:
        self._alarms.set(found.serial, None)
        self._servers.pop(found.serial, None)
        for table, key in ((self._server_keys, found.key), (self._merged, found.identity)):
            if table.get(key) == found.serial:
                del table[key]

    def _response(self, response: Response, flow: Flow, now: float) -> None:
        """Gives a response to the request with its branch.

        With more than our Via, or with the name of another in it, it is not ours (RFC 3261 section 18.1.2).
        """
        via = response.top_via
        ours = len(response.headers.all("Via")) == 1 and via.sent_by == self._name
        branch = (via.branch or "") if ours else ""
        found = self._clients.get(self._client_keys.get((branch, response.cseq.method), 0))
        if found is None:
            self.refused += 1
            return
        found.receive(response, flow, now, self._out)
        self._settle(found)
        if found.cancel_waits and found.state is ClientState.PROCEEDING:
            self.cancel(found.serial, now)

    def _request(self, request: Request, flow: Flow, now: float) -> None:
        key = _key(request)
        if not key[0].startswith(BRANCH):
            self.refused += 1
            return
        found = self._servers.get(self._server_keys.get(key, 0))
        if request.method == "ACK":
            self._ack(request, found, flow, now)
        elif found is not None:
            found.repeat(request, flow, self._out)
        else:
            self._first_time(request, key, flow, now)

    def _ack(self, request: Request, found: ServerTransaction | None, flow: Flow, now: float) -> None:
        if found is None or found.state is ServerState.ACCEPTED:
            self._out.events.append(RequestReceived(None, request, flow))
        else:
            found.acknowledged(now)
            self._settle(found)

    def _first_time(self, request: Request, key: _Key, flow: Flow, now: float) -> None:
        """Begins a transaction, unless the same request has come by another way (RFC 3261 section 8.2.2.2)."""
        identity = _identity(request)
        if request.method != "CANCEL" and (other := self._servers.get(self._merged.get(identity, 0))) is not None:
            self._came_otherwise(request, other, flow)
        elif len(self._servers) >= self.limit and not self._make_room():
            full = request.reply(500)
            full.headers.set("Retry-After", "5")
            self.answer_statelessly(request, full, flow)
        else:
            reliable = self.transport(flow) != "UDP"
            self._open(ServerTransaction(self._next(), request, flow, reliable, now, key, identity), request, now)

    def _came_otherwise(self, request: Request, found: ServerTransaction, flow: Flow) -> None:
        """Answers a copy: as the first was, since its sender may be trying a second way because that one was slow."""
        last = found.last
        again = request.reply(482) if last is None or last.status < 200 or found.invite else _same(request, last)
        self._out.events.append(Repeated(request.method))
        self.answer_statelessly(request, again, flow)

    def _open(self, made: ServerTransaction, request: Request, now: float) -> None:
        self._servers[made.serial] = made
        self._server_keys[made.key] = made.serial
        if request.method == "CANCEL":
            self._cancel_received(made, request, now)
        else:
            self._merged[made.identity] = made.serial
            self._out.events.append(RequestReceived(made.serial, request, made.flow))
        self._settle(made)

    def _cancel_received(self, made: ServerTransaction, request: Request, now: float) -> None:
        """Answers a CANCEL, and tells the user of its INVITE if that can still be answered (RFC 3261 section 9.2)."""
        branch, sent_by, _ = made.key
        invite = self._servers.get(self._server_keys.get((branch, sent_by, "INVITE"), 0))
        made.respond(request.reply(481 if invite is None else 200), now, self._out)
        if invite is not None and invite.open:
            self._out.events.append(Cancelled(invite.serial))

    def _make_room(self) -> bool:
        """Forgets one transaction that is answered, of the oldest few."""
        for serial in islice(self._servers, 64):
            if not self._servers[serial].open:
                self._forget_server(self._servers[serial])
                return True
        return False


def _key(request: Request) -> _Key:
    """Gives what a request is matched by (RFC 3261 section 17.2.3); an ACK matches its INVITE."""
    via = request.top_via
    return via.branch or "", via.sent_by.lower(), "INVITE" if request.method == "ACK" else request.method


def _route_hash(request: Request) -> str:
    """Gives eight digits of what decides where a request goes and which one it is (RFC 5393 section 4.2.1)."""
    headers = request.headers
    inputs = [request.uri, headers.get("Call-ID"), headers.get("From"), headers.get("CSeq"), *headers.all("Route")]
    return blake2b("\n".join(map(str, inputs)).encode("utf-8", "replace"), digest_size=4).hexdigest()


def _identity(request: Request) -> tuple[str, str, str]:
    """Gives what stays the same when a request comes by another way."""
    headers = request.headers
    parties = f"{headers.get('From')} {headers.get('To')}"
    return parties, headers.get("Call-ID") or "", headers.get("CSeq") or ""


def _same(request: Request, given: Response) -> Response:
    """Builds the answer that another copy of this request has got."""
    to = given.to
    again = request.reply(given.status, given.reason, to_tag=to.tag)
    for name in ("Retry-After", "Min-Expires", "Allow", "Accept", "Unsupported", "Allow-Events", "Expires", "Contact"):
        for value in given.headers.all(name):
            again.headers.add(name, value)
    return again
