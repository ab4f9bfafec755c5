"""Server transactions: one request of a peer's, its repetitions and our responses (RFC 3261 17.2, 4320, 6026)."""

from __future__ import annotations

from enum import Enum

from attrs import define, field

from gateway.protocols.sip import timers
from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.transaction_events import Flow, Outbox, Repeated, Unacknowledged


class ServerState(Enum):
    """Names the states of RFC 3261 figures 7 and 8, with ACCEPTED of RFC 6026; TRYING counts as PROCEEDING."""

    PROCEEDING = "proceeding"
    COMPLETED = "completed"
    ACCEPTED = "accepted"
    CONFIRMED = "confirmed"
    TERMINATED = "terminated"


@define(eq=False)
class ServerTransaction:
    """Is one request that a peer has sent; it is told once, whatever comes again."""

    serial: int
    request: Request | None = field(repr=False)
    """None once anything but an INVITE is answered: it stays for half a minute, and the request is large."""
    flow: Flow
    reliable: bool
    now: float
    key: tuple[str, str, str]
    """What repetitions are matched by."""
    identity: tuple[str, str, str]
    """What copies by other ways are matched by."""
    invite: bool = field(init=False)
    state: ServerState = field(init=False, default=ServerState.PROCEEDING)
    last: Response | None = field(init=False, default=None, repr=False)
    """The latest response; a repeated request gets it again."""
    _trying: float | None = field(init=False)
    _interval: float = field(init=False, default=timers.T1)
    _again: float | None = field(init=False, default=None)
    _deadline: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.invite = self.request is not None and self.request.method == "INVITE"
        self._trying = self.now + (timers.TRYING_INVITE if self.invite else timers.TRYING_OTHER)
        self._deadline = self.now + (timers.PROCEEDING if self.invite else timers.TRANSACTION)

    @property
    def wake(self) -> float | None:
        """Gives the time of its next timer, None when it is over."""
        if self.state is ServerState.TERMINATED:
            return None
        return min(when for when in (self._trying, self._again, self._deadline) if when is not None)

    @property
    def open(self) -> bool:
        """Says whether its user may still give a final response."""
        return self.state is ServerState.PROCEEDING

    def respond(self, response: Response, now: float, out: Outbox) -> bool:
        """Sends a response of the user's and says whether there was still one to send.

        Anything but an INVITE gets no 408 and no provisional response other than 100 (RFC 4320 sections 4.1, 4.2).
        """
        if self.state is ServerState.ACCEPTED and 200 <= response.status < 300:
            out.send(self.flow, response)
            return True
        if not self.open or (not self.invite and (response.status == 408 or 100 < response.status < 200)):
            return False
        self._trying = None
        self.last = response
        out.send(self.flow, response)
        if response.status >= 200:
            self._finish(response.status, now)
        return True

    def repeat(self, request: Request, flow: Flow, out: Outbox) -> None:
        """Takes the same request again, or the ACK of a final response other than 2xx, by the connection it came on."""
        self.flow = flow
        out.events.append(Repeated(request.method))
        if self.last is not None and self.state in (ServerState.PROCEEDING, ServerState.COMPLETED):
            out.send(flow, self.last)

    def acknowledged(self, now: float) -> None:
        """Takes the ACK of a final response other than 2xx."""
        if self.invite and self.state is ServerState.COMPLETED:
            self._again = None
            self.state = ServerState.TERMINATED if self.reliable else ServerState.CONFIRMED
            self._deadline = now + timers.T4

    def tick(self, now: float, out: Outbox) -> None:
        """Does what the time asks for."""
        if now >= self._deadline:
            self._expire(now, out)
            return
        if self._trying is not None and now >= self._trying and self.request is not None:
            self._trying = None
            self.last = self.request.reply(100)
            out.send(self.flow, self.last)
        if self._again is not None and now >= self._again and self.last is not None:
            out.send(self.flow, self.last)
            self._interval = min(self._interval * 2, timers.T2)
            self._again = now + self._interval

    def _finish(self, status: int, now: float) -> None:
        """Stays to answer repetitions: Timers J, L, or G and H.

        A reliable transport repeats nothing by itself, but whoever recorded a request can: so Timer J is kept there.
        """
        self._deadline = now + timers.TRANSACTION
        self.state = ServerState.COMPLETED
        if self.invite and status < 300:
            self.state = ServerState.ACCEPTED
        elif self.invite and not self.reliable:
            self._again = now + self._interval
        if not self.invite:
            self.request = None

    def _expire(self, now: float, out: Outbox) -> None:
        if self.open and self.invite and self.request is not None:
            self.respond(self.request.reply(480), now, out)
            return
        if self.invite and self.state is ServerState.COMPLETED:
            out.events.append(Unacknowledged(self.serial))
        self.state = ServerState.TERMINATED
