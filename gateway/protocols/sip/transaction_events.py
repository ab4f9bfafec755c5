"""What the transaction layer tells its user, and what it wants sent (RFC 3261 section 17)."""

from __future__ import annotations

from collections.abc import Hashable

from attrs import define, field, frozen

from gateway.protocols.sip.message import Request, Response

Flow = Hashable
"""A connection, or what the leg knows how to make one from; nothing here looks inside."""


@frozen
class Send:
    """Wants one message written to a flow."""

    flow: Flow
    message: Request | Response


@frozen
class RequestReceived:
    """A new request, once; `transaction` is None for the ACK of a 2xx, which is never answered."""

    transaction: int | None
    request: Request
    flow: Flow


@frozen
class Repeated:
    """A request that came again was answered, or absorbed, without its user."""

    method: str


@frozen
class Cancelled:
    """The caller has cancelled this INVITE, which has no final response yet."""

    transaction: int


@frozen
class Unacknowledged:
    """No ACK has come for the final response other than 2xx to this INVITE (Timer H)."""

    transaction: int


@frozen
class ResponseReceived:
    """A response to a request of ours."""

    transaction: int
    owner: object
    response: Response
    flow: Flow


@frozen
class TimedOut:
    """No final response has come in time (Timers B and F, or after CANCEL)."""

    transaction: int
    owner: object


@frozen
class TransportFailed:
    """The request cannot have an answer: its connection is lost, or too many requests wait already."""

    transaction: int
    owner: object


TransactionEvent = (
    RequestReceived | Repeated | Cancelled | Unacknowledged | ResponseReceived | TimedOut | TransportFailed
)


@define(eq=False)
class Outbox:
    """Collects in order what is to be sent and what is to be told."""

    sends: list[Send] = field(factory=list)
    events: list[TransactionEvent] = field(factory=list)

    def send(self, flow: Flow, message: Request | Response) -> None:
        """Appends a message to be sent."""
        self.sends.append(Send(flow, message))

    def take_sends(self) -> list[Send]:
        """Gives what is to be sent now, and forgets it."""
        taken, self.sends = self.sends, []
        return taken

    def take_events(self) -> list[TransactionEvent]:
        """Gives what has happened, and forgets it."""
        taken, self.events = self.events, []
        return taken
