"""Pager-mode MESSAGE: one at a time to each address, never more than fits a packet (RFC 3428 section 8)."""

from __future__ import annotations

from collections import deque
from typing import Final

from attrs import define, field, frozen

from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.station import HOPS, Station
from gateway.protocols.sip.subscribing import seconds_in
from gateway.protocols.sip.transaction_events import ResponseReceived, TimedOut, TransportFailed
from gateway.protocols.sip.watching import Document
from gateway.protocols.sip.writer import serialise

LARGEST: Final = 1300
"""The most bytes of a whole request outside of a session (RFC 3428 section 8)."""
_VIA: Final = len("Via: SIP/2.0/TLS ;branch=z9hG4bK.01234567;rport\r\n")
QUEUED: Final = 50
"""Messages that wait for one address."""
LIMIT: Final = 20_000
"""Messages that wait in all."""


@frozen
class Delivered:
    """A message of ours has a 2xx: it reached a client (200) or somebody who keeps it (202)."""

    handle: object
    status: int


@frozen
class Undelivered:
    """A message of ours has failed: with this status, or 0 for no answer, in time or at all."""

    handle: object
    status: int
    reason: str = ""
    retry_after: int = 0


PagerEvent = Delivered | Undelivered


class Refused(ValueError):
    """Says why a message cannot even be queued: `too large` or `too many`."""


@frozen
class _Sent:
    """Owns a MESSAGE."""

    target: str
    handle: object


@define(eq=False)
class Pager:
    """Sends messages outside of any dialog, in order for each target."""

    station: Station
    largest: int = LARGEST
    queued: int = QUEUED
    limit: int = LIMIT
    _targets: dict[str, deque[tuple[Request, object]]] = field(init=False, factory=dict)
    """What waits for each target that has a request open."""
    _waiting: int = field(init=False, default=0)

    def __len__(self) -> int:
        return self._waiting

    def send(
        self,
        sender: str,
        recipient: str,
        document: Document,
        handle: object,
        now: float,
        *,
        fields: tuple[tuple[str, str], ...] = (),
        call: tuple[str, int] | None = None,
        hops: int = HOPS,
        forwards: int | None = None,
        largest: int | None = None,
    ) -> None:
        """Queues a message; Delivered or Undelivered follows with its handle. Raises Refused.

        `fields` are further headers, as Subject or Content-Language; `call` is the Call-ID and the number of
        a conversation that it continues; `largest` replaces the limit in bytes where the operator knows the path to be
        safe; `forwards` is what is left of Max-Forwards.
        """
        made = self.station.request("MESSAGE", sender, recipient, hops=hops, forwards=forwards)
        if call is not None:
            made.headers.set("Call-ID", call[0])
            made.headers.set("CSeq", f"{call[1]} MESSAGE")
        for name, value in (*fields, ("Content-Type", document.content_type)):
            made.headers.add(name, value)
        made.body = document.body
        via = _VIA + len(self.station.transactions.sent_by) + len(self.station.token())
        if len(serialise(made)) + via > (self.largest if largest is None else largest):
            raise Refused("too large")
        waiting = self._targets.get(recipient)
        if waiting is None:
            self._targets[recipient] = deque()
            self.station.send(made, recipient, now, _Sent(recipient, handle))
            return
        if len(waiting) >= self.queued or self._waiting >= self.limit:
            raise Refused("too many")
        waiting.append((made, handle))
        self._waiting += 1

    def answered(self, event: ResponseReceived | TimedOut | TransportFailed, now: float) -> list[PagerEvent]:
        """Takes what became of a MESSAGE, and sends the next to the same target."""
        owner = event.owner
        if not isinstance(owner, _Sent) or (isinstance(event, ResponseReceived) and event.response.status < 200):
            return []
        waiting = self._targets.get(owner.target)
        if waiting:
            made, handle = waiting.popleft()
            self._waiting -= 1
            self.station.send(made, owner.target, now, _Sent(owner.target, handle))
        else:
            self._targets.pop(owner.target, None)
        return [outcome(owner.handle, event)]


def outcome(handle: object, event: ResponseReceived | TimedOut | TransportFailed) -> PagerEvent:
    """Gives what the end of a request means for the message in it."""
    if isinstance(event, ResponseReceived):
        response: Response = event.response
        if response.status < 300:
            return Delivered(handle, response.status)
        return Undelivered(handle, response.status, "", seconds_in(response, "Retry-After"))
    return Undelivered(handle, 0, "timeout" if isinstance(event, TimedOut) else "transport")
