"""Client transactions: one request, its retransmissions and its responses (RFC 3261 17.1, RFC 6026 8.4)."""

from __future__ import annotations

from enum import Enum

from attrs import define, field

from gateway.protocols.sip import timers
from gateway.protocols.sip.dialogs import Dialog
from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.transaction_events import Flow, Outbox, ResponseReceived, TimedOut


class ClientState(Enum):
    """Names the states of RFC 3261 figures 5 and 6; CALLING and TRYING are one."""

    CALLING = "calling"
    PROCEEDING = "proceeding"
    COMPLETED = "completed"
    ACCEPTED = "accepted"
    TERMINATED = "terminated"


@define(eq=False)
class Trail:
    """Is what has been tried for one request of a user's, over all its transactions."""

    dialog: Dialog | None = None
    """The dialog that numbers the request."""
    flows: list[Flow] = field(factory=list)
    challenges: int = 0
    redirects: int = 0
    since: float = 0.0


@define(eq=False)
class ClientTransaction:
    """Is one request of ours on its way."""

    serial: int
    request: Request = field(repr=False)
    flow: Flow
    owner: object
    reliable: bool
    branch: str
    trail: Trail = field(factory=Trail)
    invite: bool = field(init=False)
    state: ClientState = field(init=False, default=ClientState.CALLING)
    cancel_waits: bool = field(init=False, default=False)
    """A CANCEL must wait for a provisional response (RFC 3261 section 9.1)."""
    cancelled: bool = field(init=False, default=False)
    """Its user does not want it any more."""
    started: float = field(init=False, default=0.0)
    _interval: float = field(init=False, default=timers.T1)
    _again: float | None = field(init=False, default=None)
    _deadline: float = field(init=False, default=0.0)
    _ack: Request | None = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self.invite = self.request.method == "INVITE"

    @property
    def wake(self) -> float | None:
        """Gives the time of its next timer, None when it is over."""
        if self.state is ClientState.TERMINATED:
            return None
        return self._deadline if self._again is None else min(self._again, self._deadline)

    @property
    def open(self) -> bool:
        """Says whether a final response is still awaited."""
        return self.state in (ClientState.CALLING, ClientState.PROCEEDING)

    def start(self, now: float, out: Outbox) -> None:
        """Sends the request; Timers A or E, and B or F, begin."""
        self.started = now
        self._deadline = now + timers.TRANSACTION
        self._again = None if self.reliable else now + self._interval
        out.send(self.flow, self.request)

    def give_up_at(self, when: float) -> None:
        """Ends the wait for a final response at this time: after CANCEL, nothing else would (RFC 3261 section 9.1)."""
        self._deadline = when

    def receive(self, response: Response, flow: Flow, now: float, out: Outbox) -> None:
        """Takes one response; a final one that came again is told only when it is a 2xx to INVITE."""
        if self.open:
            if response.status < 200:
                self._proceed(now)
            else:
                self._finish(response, now, out)
            out.events.append(ResponseReceived(self.serial, self.owner, response, flow))
        elif self.state is ClientState.ACCEPTED and 200 <= response.status < 300:
            out.events.append(ResponseReceived(self.serial, self.owner, response, flow))
        elif self.state is ClientState.COMPLETED and self._ack is not None and response.status >= 300:
            out.send(self.flow, self._ack)

    def tick(self, now: float, out: Outbox) -> None:
        """Does what the time asks for."""
        if now >= self._deadline:
            if self.open:
                out.events.append(TimedOut(self.serial, self.owner))
            self.state = ClientState.TERMINATED
        elif self._again is not None and now >= self._again:
            out.send(self.flow, self.request)
            self._interval *= 2
            if not self.invite:
                self._interval = timers.T2 if self.state is ClientState.PROCEEDING else min(self._interval, timers.T2)
            self._again = now + self._interval

    def _proceed(self, now: float) -> None:
        """Stops retransmitting an INVITE, slows anything else down."""
        if self.invite:
            self._again = None
            if self.state is ClientState.CALLING:
                self._deadline = now + timers.PROCEEDING
        self.state = ClientState.PROCEEDING

    def _finish(self, response: Response, now: float, out: Outbox) -> None:
        self._again = None
        if not self.invite:
            self._stay(ClientState.COMPLETED, 0.0 if self.reliable else timers.T4, now)
        elif response.status < 300:
            self._stay(ClientState.ACCEPTED, timers.TRANSACTION, now)
        else:
            self._ack = acknowledge(self.request, response)
            out.send(self.flow, self._ack)
            self._stay(ClientState.COMPLETED, 0.0 if self.reliable else timers.TRANSACTION, now)

    def _stay(self, state: ClientState, seconds: float, now: float) -> None:
        self.state = state if seconds else ClientState.TERMINATED
        self._deadline = now + seconds


def acknowledge(invite: Request, response: Response) -> Request:
    """Builds the ACK for a final response other than 2xx (RFC 3261 section 17.1.1.3)."""
    ack = follow_up(invite, "ACK")
    to = response.headers.get("To")
    if to is not None:
        ack.headers.set("To", to)
    return ack


def follow_up(invite: Request, method: str) -> Request:
    """Builds an ACK or CANCEL of an INVITE's own transaction: same branch, number, route (RFC 3261 9.1, 17.1.1.3)."""
    made = Request(method, invite.uri)
    made.headers.add("Via", invite.headers.all("Via")[0])
    for name in ("Route", "Max-Forwards", "From", "To", "Call-ID"):
        for value in invite.headers.all(name):
            made.headers.add(name, value)
    made.headers.add("CSeq", f"{invite.cseq.number} {method}")
    return made
