"""One stream on one link: bytes in, events out, and everything that only a live connection knows."""

from collections.abc import Callable
from typing import Any, Protocol

from attrs import define, field
from OpenSSL import SSL
from twisted.internet.defer import Deferred

from gateway.interfaces import Promise
from gateway.protocols.element import Element
from gateway.protocols.xmpp.acks import Heard
from gateway.protocols.xmpp.component import ComponentStream
from gateway.protocols.xmpp.events import (
    AckAsked,
    Acknowledged,
    Authenticated,
    AuthenticationRefused,
    Counting,
    Event,
    Failed,
    PeerClosed,
    StartTls,
    Verify,
    VerifyAnswer,
)
from gateway.protocols.xmpp.initiating import InitiatingStream
from gateway.protocols.xmpp.receiving import ReceivingStream
from gateway.protocols.xmpp.stream_error import StreamError
from gateway.transport.certificate import PeerCertificate
from gateway.transport.dane import Distrusted
from gateway.transport.link import Link, LinkLimits
from plugins.legs.xmpp.outflow import Outflow

STEP = 8192
"""Bytes of a read that are parsed before their stanzas are worked off: while what was made of them is in the caches."""

HIGH_WATER = 256 * 1024
"""Bytes that a peer has not read, from which on nothing more is said to it, nor read from it."""

Judge = Callable[[PeerCertificate | None], PeerCertificate | None]
"""Gives a certificate with the word of who else speaks for it; raises Distrusted."""

AnyStream = ReceivingStream | InitiatingStream | ComponentStream


class Owner(Protocol):
    """Is the face that a connection belongs to."""

    clock: Callable[[], float]
    """Gives monotonic seconds."""
    outflow: Outflow
    slotted: bool
    """Says whether partners are on this side, whose answers leave in slots of time."""

    def take(self, connection: "Connection", element: Element) -> Promise | None:
        """Takes a stanza that the stream has accepted; gives a promise when it is not in safe hands yet."""

    def start_tls(self, connection: "Connection") -> None:
        """Starts TLS on a link whose stream has agreed to it."""

    def authenticated(self, connection: "Connection", event: Authenticated) -> None:
        """Takes note of a proven pair."""

    def verify(self, connection: "Connection", event: Verify) -> None:
        """Has a dialback key verified elsewhere."""

    def verified(self, connection: "Connection", event: VerifyAnswer) -> None:
        """Takes the answer about a key."""

    def acknowledged(self, connection: "Connection", count: int) -> None:
        """Takes note that the peer has so many of the stanzas that were said to it (XEP-0198)."""

    def drained(self, connection: "Connection") -> None:
        """Takes note that a link that was full takes something again."""

    def gone(self, connection: "Connection") -> None:
        """Takes note that a connection has ended."""


@define(eq=False, slots=True)
class Connection:
    """Joins a stream to its link; the receiver of the link."""

    owner: Owner
    stream: AnyStream
    link: Link = field(init=False)
    ready: Deferred[str] = field(factory=Deferred)
    """Fires with '' when the pair is authenticated, else with the reason why it never will be."""
    heard_at: float = 0.0
    used_at: float = 0.0
    pinged_at: float | None = None
    tls_started: bool = False
    securing: bool = False
    """True from the first byte of TLS until it stands."""
    clean: bool = False
    """True when one side has closed the stream as it should."""
    other_host: str = ""
    """Where the peer wants to be called instead, said inside TLS (RFC 6120 section 4.9.3.19)."""
    reason: str = ""
    method: str = ""
    """How the pair was authenticated."""
    way: str = ""
    """The same for people: of a certificate that no authority makes count also what does."""
    proof_ends: float = float("inf")
    """Posix seconds at which the peer's certificate ends; a stream does not outlive it (RFC 6120 section 13.7.2.3)."""
    certificate: PeerCertificate | None = None
    judged_at: float = 0.0
    """Monotonic seconds at which the certificate was last judged."""
    heard: Heard | None = None
    """Counts the peer's stanzas, from where it has asked for that."""
    unsafe: int = 0
    """Stanzas that were taken and are not in safe hands yet."""
    most_unsafe: int = 256
    """As many of them may wait before nothing more is read."""
    paused: bool = False
    leaving: bool = False
    """The stream is to be closed once everything that it brought is in safe hands: our last word counts that too."""
    settled_close: bool = False
    """The peer has closed after we had: it has taken everything (RFC 6120 section 4.4)."""
    ended_at: float | None = None
    """Monotonic seconds at which we closed our side of the stream."""
    judge: Judge | None = None
    """Looks at what the peer presents before anything is said inside TLS; None: nothing but its contract counts."""
    distrusted: bool = False
    """It has found that nobody speaks for that."""
    place: str = ""
    """The peer's IP address, whose place at the listener is given back."""
    release: Any = None

    @property
    def slotted(self) -> bool:
        """Says whether a partner who has proven himself is at the other end."""
        return self.owner.slotted and bool(self.method)

    def data_received(self, chunk: bytes) -> None:
        """Takes the bytes of one read."""
        owner = self.owner
        outflow = owner.outflow
        outflow.reading, outflow.answering = True, owner.slotted
        self.heard_at = now = owner.clock()
        take = owner.take
        try:
            for start in range(0, len(chunk), STEP):
                for event in self.stream.receive(chunk[start : start + STEP], now):
                    if event.__class__ is Element:
                        heard = self.heard
                        if heard is not None:
                            if self.ended_at is not None and event.name == "message":
                                continue  # it is behind our last word: its sender is told, or sends it again
                            heard.took()
                        promise = take(self, event)
                        if promise is not None and promise.kept is None:
                            self._hold(promise, heard)
                    else:
                        self._happened(event)
            if self.slotted:
                outflow.mark(self)
            else:
                self.flush()
        finally:
            outflow.flush()

    def _hold(self, promise: Promise, heard: Heard | None) -> None:
        """Acknowledges a stanza no earlier than it is safe; reads no more while too many are not."""
        number = heard.hold() if heard is not None else 0
        self.unsafe += 1
        if self.unsafe >= self.most_unsafe:
            self.pause()
        promise.then(lambda kept: self._safe(heard, number))

    def _safe(self, heard: Heard | None, number: int) -> None:
        self.unsafe -= 1
        if heard is not None:
            heard.let_go(number)
            answer = heard.answer()
            if answer:
                self.stream.say_ack(answer)
                self.owner.outflow.mark(self)
        if self.leaving and not self.unsafe:
            self._leave()
        self.resume()

    def pause(self) -> None:
        """Reads no more for now."""
        if not self.paused:
            self.paused = True
            self.link.pause_reading()

    def resume(self) -> None:
        """Reads again, unless stanzas wait for the disk or the peer does not read what it is told."""
        if (
            self.paused
            and not self.leaving
            and self.unsafe < max(1, self.most_unsafe // 2)
            and self.link.buffered < HIGH_WATER
        ):
            self.paused = False
            self.link.resume_reading()

    def drained(self) -> None:
        """Goes on, since the peer has read what waited for it."""
        self.resume()
        self.owner.drained(self)

    @property
    def choked(self) -> bool:
        """Says whether nothing should be added: much waits on the link, or it closes and the peer may yet confirm.

        What is kept back until the link is gone is not taken for something that the peer has had.
        """
        return self.leaving or self.ended_at is not None or self.link.buffered >= HIGH_WATER

    def start_tls(self, *terms: Any) -> None:
        """Begins TLS; the terms are those of `Link.start_tls`."""
        self.securing = True
        self.link.start_tls(*terms)

    def start_tls_when(self, asked: Deferred[None] | None, tls_context: SSL.Context) -> None:
        """Begins TLS as the side that was called, at once or when something is known; nothing is read until then."""
        if asked is None:
            self.start_tls(tls_context, True)
            return
        self.link.pause_reading()

        def known(_: None) -> None:
            if self.ended_at is None and not self.ready.called:
                self.link.resume_reading()
                self.start_tls(tls_context, True)

        asked.addCallback(known)

    def tls_established(self, certificate: PeerCertificate | None) -> None:
        """Goes on inside TLS."""
        self.securing = False
        if isinstance(self.stream, ComponentStream):
            return
        try:
            certificate = certificate if self.judge is None else self.judge(certificate)
        except Distrusted as problem:
            self.reason, self.distrusted = str(problem), True
            self.settle(self.reason)
            self.link.close()
            return
        if certificate is not None:
            certificate = certificate.judged()
            self.certificate, self.proof_ends = certificate, certificate.believed_until
        for event in self.stream.tls_established(certificate):
            self._happened(event)
        self.flush()

    def link_lost(self, reason: str) -> None:
        """Ends."""
        self.reason = self.reason or reason
        self.settle(self.reason)
        if self.release is not None:
            self.release(self.place)
        self.owner.gone(self)

    def flush(self) -> None:
        """Writes what the stream has to say, in one piece; ends the link after the last word."""
        output = self.stream.take_output()
        if output:
            self.link.write(output)
            if self.link.buffered >= HIGH_WATER:
                # who does not read his answers is not listened to
                self.pause()
                self.link.drained = self.drained
        if self.tls_started:
            self.tls_started = False
            self.owner.start_tls(self)
        elif self.stream.finished:
            self.link.close()

    def end(self, error: StreamError | None = None) -> None:
        """Closes the stream; without an error what it brought is made safe first, and the peer may finish."""
        self.clean = self.clean or error is None
        if error is None and self.unsafe and self.heard is not None:
            self.leaving = True
            self.pause()
            return
        self.ended_at = self.owner.clock() if self.ended_at is None else self.ended_at
        self.reason = self.reason or (error.condition if error else "closed")
        self.stream.close(error)
        self.flush()

    def _leave(self) -> None:
        """Closes the stream after the last thing that it brought is safe."""
        self.leaving = False
        if self.stream.ended_by_peer:
            self.stream.close()
            self.flush()
        else:
            self.end()

    def _happened(self, event: Event) -> None:
        if isinstance(event, StartTls):
            self.tls_started = True
        elif isinstance(event, Authenticated):
            self.used_at = self.owner.clock()
            self.owner.authenticated(self, event)
            self.settle("")
        elif isinstance(event, Verify):
            self.owner.verify(self, event)
        elif isinstance(event, VerifyAnswer):
            self.owner.verified(self, event)
        elif isinstance(event, AuthenticationRefused):
            self.reason = event.reason
        elif isinstance(event, Counting):
            self.heard = self.stream.heard
        elif isinstance(event, AckAsked):
            if self.heard is not None:
                self.stream.say_ack(self.heard.asked())
        elif isinstance(event, Acknowledged):
            self.owner.acknowledged(self, event.count)
        elif isinstance(event, PeerClosed):
            self.settled_close = self.ended_at is not None
            self.leaving = self.unsafe > 0 and self.heard is not None
            self.clean = True
            self.reason = self.reason or "closed by the peer"
        elif isinstance(event, Failed):
            if event.condition == "see-other-host" and not event.ours and self.stream.secure:
                self.other_host = event.text.strip()
            self.reason = self.reason or f"{event.condition}, said by {'us' if event.ours else 'the peer'}"

    def settle(self, outcome: str) -> None:
        """Tells who waits for `ready`, once."""
        if not self.ready.called:
            self.ready.callback(outcome)


def link_limits(limits: Any) -> LinkLimits:
    """Gives the bounds of a link as `[limits]` of the configuration sets them."""
    return LinkLimits(limits.write_buffer_bytes, limits.stall_seconds, limits.handshake_seconds)
