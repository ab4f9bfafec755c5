"""Bytes to messages: datagrams, and streams framed by Content-Length (RFC 3261 sections 7 and 18.3)."""

import re
from typing import Final

from attrs import field, frozen

from gateway.protocols.sip.faults import SipFault
from gateway.protocols.sip.head import Head, Limits, read_head
from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.validation import Problem, check, repliable

__all__ = [
    "DEFAULT_LIMITS",
    "KeepAlive",
    "Limits",
    "Malformed",
    "SipFault",
    "StreamEvent",
    "StreamReader",
    "read_datagram",
]

_END: Final = b"\r\n\r\n"
_BARE: Final = re.compile(rb"\r[^\n]|(?<!\r)\n", re.DOTALL)


@frozen
class KeepAlive:
    """Is a CRLF CRLF between messages, to be answered with one CRLF (RFC 5626 section 4.4.1)."""


@frozen
class Malformed:
    """Is a message that was framed but is wrong: a request is answered with `status`, anything else is dropped.

    `request` is there when its `reply` works, its other views may raise; `problem` is for the log and quotes nothing.
    """

    status: int
    problem: str
    request: Request | None = field(default=None, repr=False)


StreamEvent = Request | Response | KeepAlive | Malformed

DEFAULT_LIMITS: Final = Limits()
_KEEP_ALIVE: Final = KeepAlive()


class _Unframed(Exception):
    """Says why the end of a message cannot be found, and what may be answered."""

    def __init__(self, problem: str, answer: Malformed | None = None) -> None:
        super().__init__(problem)
        self.answer = answer


class StreamReader:
    """Reads what arrives on one connection; the result does not depend on how the bytes are cut, the cost is linear."""

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._pending = bytearray()
        self._at = 0
        self._searched = 0
        self._blank = False
        self._head: Head | None = None
        self._fault: str | None = None

    @property
    def idle(self) -> bool:
        """Tells whether the stream stands between two messages."""
        return self._head is None and not self._pending

    def feed(self, received: bytes) -> list[StreamEvent]:
        """Takes bytes and gives what they complete; raises SipFault, whose `before` holds what came in front of it."""
        if self._fault is not None:
            raise SipFault(self._fault)
        self._pending += received
        events: list[StreamEvent] = []
        try:
            while self._body(events) if self._head else self._begin(events):
                pass
        except _Unframed as unframed:
            self._fault = str(unframed)
            self._pending.clear()
            raise SipFault(self._fault, tuple(events), unframed.answer) from None
        if self._at:
            del self._pending[: self._at]
            self._searched = max(0, self._searched - self._at)
            self._at = 0
        return events

    def _begin(self, events: list[StreamEvent]) -> bool:
        first = bytes(self._pending[self._at : self._at + 2])
        if first == b"\r\n":
            self._at += 2
            if self._blank:
                events.append(_KEEP_ALIVE)
            self._blank = not self._blank
            return True
        if first in (b"", b"\r"):
            return False
        if first[0] == 0x0A:  # whatever came before it
            raise _Unframed("a bare CR or LF in a header")
        end = self._pending.find(_END, max(self._at, self._searched))
        if end < 0:
            self._wait_for_end()
            return False
        if end - self._at > self._limits.head_bytes:
            raise _Unframed("headers are too long")
        head = read_head(bytes(self._pending[self._at : end]), self._limits)
        self._blank = False
        _insist_on_length(head, self._limits)
        self._head, self._at, self._searched = head, end + len(_END), end + len(_END)
        return True

    def _wait_for_end(self) -> None:
        """Gives up early what could never be a head, so that a peer that ends its lines with LF need not wait."""
        if _BARE.search(self._pending, max(self._at, self._searched)):
            raise _Unframed("a bare CR or LF in a header")
        if len(self._pending) - self._at >= self._limits.head_bytes + len(_END):
            raise _Unframed("headers are too long")
        self._searched = max(self._at, len(self._pending) - 3)

    def _body(self, events: list[StreamEvent]) -> bool:
        assert self._head is not None
        end = self._at + (self._head.length or 0)
        if len(self._pending) < end:
            return False
        events.append(_finish(self._head, bytes(self._pending[self._at : end])))
        self._head, self._at, self._searched = None, end, end
        return True


def read_datagram(octets: bytes, limits: Limits = DEFAULT_LIMITS) -> StreamEvent:
    """Reads one datagram; never raises.

    Without Content-Length the body is the rest; what lies behind the body is dropped (RFC 3261 section 18.3). A
    datagram of nothing but line ends is a KeepAlive.
    """
    stripped = octets.lstrip(b"\r\n")
    if not stripped:
        return _KEEP_ALIVE
    start, found, rest = stripped.partition(_END)
    head = read_head(start if found else start.removesuffix(b"\r\n"), limits)
    if not found:
        head.wrong("no empty line behind the headers")
    length = len(rest) if head.length is None else head.length
    if length > len(rest):
        head.wrong("the body is shorter than Content-Length")
    if length > limits.body_bytes:
        head.wrong("the body is too long", 513)
    return _finish(head, rest[:length])


def _insist_on_length(head: Head, limits: Limits) -> None:
    unsafe = head.unsafe
    status = 400
    if unsafe is None and not head.length_said:
        unsafe = "no Content-Length"
    if unsafe is None and (head.length or 0) > limits.body_bytes:
        unsafe, status = "the body is too long", 513
    if unsafe is not None:
        raise _Unframed(unsafe, _malformed(head, Problem(status, unsafe)))


def _finish(head: Head, body: bytes) -> Request | Response | Malformed:
    message = head.message
    message.body = body
    problem = head.problem or check(message)
    return message if problem is None else _malformed(head, problem)


def _malformed(head: Head, problem: Problem) -> Malformed:
    message = head.message
    usable = message if isinstance(message, Request) and repliable(message) else None
    return Malformed(problem.status, problem.text, usable)
