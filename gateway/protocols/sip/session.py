"""One IM session: an INVITE dialog in which MESSAGE is sent (reference/ocs.md 4.6, RFC 3261 section 13)."""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import Final

from attrs import define, field, frozen

from gateway.protocols.sip import timers
from gateway.protocols.sip.dialogs import Dialog, DialogRefused
from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.sdp import SDP, Media, NotMessages, read
from gateway.protocols.sip.station import HOPS
from gateway.protocols.sip.watching import Document

DEAD: Final = frozenset({408, 480, 481})
"""The statuses of a MESSAGE that say that the peer has lost the session."""


class Stage(Enum):
    """Names where a session stands."""

    CALLING = "calling"
    OPEN = "open"
    OVER = "over"


@frozen
class SessionStarted:
    """A session is open between one of ours and a peer's user."""

    local: str
    remote: str
    by_peer: bool


@frozen
class SessionEnded:
    """A session is over: `bye`, `idle`, `replaced`, `dead`, or `unacknowledged`."""

    local: str
    remote: str
    reason: str


@frozen
class InfoReceived:
    """The peer has sent an INFO in a session, as KeyboardActivity; it is answered already."""

    local: str
    remote: str
    content_type: str
    body: bytes = field(repr=False)


@frozen
class Letter:
    """Is one message to be sent in a session."""

    document: Document
    handle: object
    method: str = "MESSAGE"
    fields: tuple[tuple[str, str], ...] = ()
    hops: int = HOPS
    forwards: int | None = None
    """What is left of Max-Forwards; None for a message that begins here."""
    """How many gateways may still follow."""
    again: bool = False
    """It has been tried in a session that was dead."""


@define(eq=False)
class ImSession:
    """Is one session, from our end."""

    local: str
    remote: str
    used_at: float
    stage: Stage = Stage.CALLING
    dialog: Dialog | None = None
    invite: Request | None = field(default=None, repr=False)
    """Our INVITE."""
    call: tuple[str, str] = ("", "")
    """Call-ID and our tag."""
    serial: int = 0
    """The transaction of our INVITE."""
    peer: Media = Media()
    letters: deque[Letter] = field(factory=deque, repr=False)
    sending: Letter | None = field(default=None, repr=False)
    ack: Request | None = field(default=None, repr=False)
    """Our ACK, sent again for each 2xx that comes again."""
    accepted: tuple[int, Response] | None = field(default=None, repr=False)
    """The server transaction of the peer's INVITE and our 2xx, sent again until its ACK comes."""
    answer_by: float | None = None
    """When a call is given up, or a 2xx without ACK."""
    again_at: float | None = None
    interval: float = timers.T1

    @property
    def pair(self) -> tuple[str, str]:
        """Gives who speaks with whom."""
        return self.local, self.remote

    def wake(self, idle_seconds: float) -> float | None:
        """Gives when it wants to be looked at."""
        if self.stage is Stage.OVER:
            return None
        times = [self.answer_by, self.again_at]
        if self.stage is Stage.OPEN:
            times.append(self.used_at + idle_seconds)
        return min((when for when in times if when is not None), default=None)

    def await_ack(self, transaction: int, response: Response, now: float) -> None:
        """Begins to repeat a 2xx, on any transport (RFC 3261 section 13.3.1.4)."""
        self.accepted, self.interval = (transaction, response), timers.T1
        self.again_at, self.answer_by = now + timers.T1, now + timers.TRANSACTION

    def acknowledged(self) -> None:
        """Ends the repetition."""
        self.accepted = self.again_at = self.answer_by = None

    def repeat_again(self, now: float) -> None:
        """Sets when the 2xx is repeated next."""
        self.interval = min(self.interval * 2, timers.T2)
        self.again_at = now + self.interval


def offered(request: Request) -> Media:
    """Reads the offer of an INVITE; one without any gets ours (RFC 3261 section 13.2.1). Raises DialogRefused."""
    kind = request.content_type
    if not request.body:
        return Media()
    if kind is None or kind[0] != SDP:
        conference = kind is not None and kind[0] == "application/ms-conf-invite+xml"
        raise DialogRefused(488 if conference else 415, "no session description")
    try:
        return read(request.body)
    except NotMessages:
        raise DialogRefused(488, "no messages") from None
