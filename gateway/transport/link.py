"""One connected TCP socket on the reactor: plain at first, TLS later on the same descriptor.

Twisted's TLS costs twice the CPU, never bounds its write buffer, and cannot close on a peer that does not read.
"""

from __future__ import annotations

import enum
import socket
from collections.abc import Callable
from typing import TypeVar

from attrs import define, field
from OpenSSL import SSL
from twisted.internet.interfaces import IReadWriteDescriptor
from twisted.logger import Logger
from zope.interface import implementer

from gateway.transport.certificate import peer_certificate
from gateway.transport.clock import DelayedCall, Reactor
from gateway.transport.receiver import LinkLimits as LinkLimits
from gateway.transport.receiver import Receiver as Receiver
from gateway.transport.socket_tls import BROKEN, WAIT, describe, reset_on_close, tls_connection, tune

READ_SIZE = ROUND_SIZE = 65536
"""A round of reading ends after so many bytes: more at a time make each stanza dearer (caches)."""
PLAIN_READS = 4
TLS_RECORD = 16384
"""One SSL_read returns one record of 16 KiB at most."""
ROUND_READS = 256
BUSY_SECONDS = 0.05
"""A record that comes so soon after the one before it may not be the last: it is worth asking for another."""

_News = TypeVar("_News")
_log = Logger()

_Phase = enum.Enum("_Phase", ["NEW", "OPEN", "HANDSHAKE", "FLUSHING", "DRAINING", "LOST"])


@implementer(IReadWriteDescriptor)
@define(eq=False)
class Link:
    """One connected non-blocking TCP socket; it owns the socket and closes it."""

    _reactor: Reactor
    _sock: socket.socket
    _receiver: Receiver
    _limits: LinkLimits = LinkLimits()
    peer: tuple[str, int] = field(init=False)
    drained: Callable[[], None] | None = field(init=False, default=None)
    """Is called once, when the kernel has taken all that waits."""
    _phase: _Phase = field(init=False, default=_Phase.NEW)
    _tls: SSL.Connection | None = field(init=False, default=None)
    _buffer: bytearray = field(init=False, factory=bytearray, repr=False)
    _progress: float = field(init=False, default=0.0)
    _stall: DelayedCall | None = field(init=False, default=None)
    _deadline: DelayedCall | None = field(init=False, default=None)
    _reason: str = field(init=False, default="closed")
    _paused: bool = field(init=False, default=False)
    _read_needs_write: bool = field(init=False, default=False)
    _peer_ended: bool = field(init=False, default=False)
    _read_at: float = field(init=False, default=0.0)

    def __attrs_post_init__(self) -> None:
        self._sock.setblocking(False)
        self.peer = tune(self._sock, self._limits.stall_seconds)

    def start(self) -> None:
        """Begins to read."""
        if self._phase is _Phase.NEW:
            self._phase = _Phase.OPEN
            self._listen()

    def write(self, payload: bytes) -> None:
        """Sends now what the kernel takes and keeps the rest; aborts when more than `write_buffer` bytes wait.

        Bytes written after `close()`, after the peer has closed or after the link was lost are dropped.
        """
        if self._phase is _Phase.OPEN and not self._buffer:
            sent = self._send(payload)
            if sent < len(payload):
                self._keep(payload[sent:])
        elif self._phase in (_Phase.NEW, _Phase.OPEN, _Phase.HANDSHAKE):
            self._keep(payload)

    def start_tls(
        self, tls_context: SSL.Context, server: bool, server_name: str | None = None, alpn: tuple[str, ...] = ()
    ) -> None:
        """Begins TLS on the same descriptor; `server_name` becomes the SNI and `alpn` the client's offer (XEP-0368).

        A receiver throws away what it has of the plain bytes (RFC 6120 5.3.1); `handshake_seconds` bound it.
        """
        if self._phase not in (_Phase.NEW, _Phase.OPEN) or self._tls is not None:
            raise RuntimeError("TLS starts once, on an open link")
        if self._buffer:
            self.abort("plain bytes unsent at the start of TLS")
            return
        self._tls = tls_connection(tls_context, self._sock, server, server_name, alpn)
        self._phase = _Phase.HANDSHAKE
        self._set_deadline(self._limits.handshake_seconds, "TLS handshake timed out")
        self._reactor.addReader(self)
        self._shake_hands()

    def close(self) -> None:
        """Sends what is buffered, says good-bye, gives up after `close_seconds`; the receiver gets only `link_lost`."""
        if self._phase is _Phase.HANDSHAKE:
            self.abort("closed during the TLS handshake")
        elif self._phase in (_Phase.NEW, _Phase.OPEN):
            self._begin_close("closed")

    def abort(self, reason: str) -> None:
        """Drops the link at once, unsent bytes included."""
        if self._phase is not _Phase.LOST:
            reset_on_close(self._sock)
            self._lose(reason)

    def pause_reading(self) -> None:
        """Lets the peer's bytes wait in the kernel."""
        self._paused = True
        if self._phase is _Phase.OPEN:
            self._reactor.removeReader(self)

    def resume_reading(self) -> None:
        """Undoes `pause_reading`."""
        self._paused = False
        if self._phase is _Phase.OPEN:
            self._listen()

    @property
    def secure(self) -> bool:
        """Says whether TLS is established."""
        return self._tls is not None and self._phase is not _Phase.HANDSHAKE

    @property
    def buffered(self) -> int:
        """Counts the bytes that the kernel has not taken yet."""
        return len(self._buffer)

    @property
    def tls_version(self) -> str | None:
        """Names the negotiated TLS version."""
        return self._tls.get_protocol_version_name() if self._tls is not None and self.secure else None

    @property
    def cipher(self) -> str | None:
        """Names the negotiated cipher suite."""
        return self._tls.get_cipher_name() if self._tls is not None and self.secure else None

    def fileno(self) -> int:
        """Returns the descriptor, -1 once closed."""
        return self._sock.fileno()

    def logPrefix(self) -> str:
        """Names this descriptor in Twisted's own log lines."""
        return "link"

    def connectionLost(self, reason: object) -> None:
        """Hears of a dead descriptor from the reactor."""
        self._lose(self._reason if self._phase in (_Phase.FLUSHING, _Phase.DRAINING) else "connection lost")

    def doRead(self) -> None:
        """Reads what there is, within a bound, and delivers it as one chunk."""
        if self._phase is _Phase.OPEN:
            self._read()
        elif self._phase is _Phase.HANDSHAKE:
            self._shake_hands()
        elif self._phase in (_Phase.FLUSHING, _Phase.DRAINING):
            self._discard()

    def doWrite(self) -> None:
        """Sends more of what is buffered."""
        if self._phase is _Phase.HANDSHAKE:
            self._shake_hands()
            return
        if self._read_needs_write:
            self._read_needs_write = False
            self.doRead()
        self._flush()

    def _listen(self) -> None:
        if not self._paused:
            self._reactor.addReader(self)
            self._read_pending_later()

    def _read_pending_later(self) -> None:
        # Bytes that OpenSSL has decrypted already raise no epoll event.
        if self._tls is not None and self._tls.pending():
            self._reactor.callLater(0, self._read_again)

    def _read_again(self) -> None:
        if self._phase is _Phase.OPEN and not self._paused:
            self._read()

    def _read(self) -> None:
        pieces, ending = self._receive()
        if pieces:
            self._tell(self._receiver.data_received, pieces[0] if len(pieces) == 1 else b"".join(pieces))
        if ending is not None:
            self._ended(ending)
        elif self._phase is _Phase.OPEN and not self._paused:
            self._read_pending_later()

    def _receive(self) -> tuple[list[bytes], str | None]:
        """Reads a bounded number of pieces; the second value says how the stream ended, if it did."""
        pieces: list[bytes] = []
        tls, sock = self._tls, self._sock
        recv, size = (sock.recv, READ_SIZE) if tls is None else (tls.recv, TLS_RECORD)
        before, self._read_at = self._read_at, self._reactor.seconds()
        busy = tls is not None and self._read_at - before < BUSY_SECONDS
        left = ROUND_SIZE
        try:
            for _ in range(ROUND_READS):
                piece = recv(size)
                if not piece:
                    return pieces, ""
                pieces.append(piece)
                left -= len(piece)
                if left <= 0:
                    self._reactor.callLater(0, self._read_again)
                    break
                if len(piece) < size and not busy:
                    break
        except SSL.WantWriteError:
            self._read_needs_write = True
            self._reactor.addWriter(self)
        except WAIT:
            pass
        except SSL.ZeroReturnError:
            return pieces, ""
        except BROKEN as error:
            return pieces, describe(error)
        return pieces, None

    def _ended(self, failure: str) -> None:
        if failure:
            self._lose(failure)
        elif self._phase is _Phase.OPEN:
            self._peer_ended = True
            self._begin_close("closed by peer")

    def _discard(self) -> None:
        # Closing with unread bytes would make the kernel send RST and destroy our last words at the peer.
        try:
            for _ in range(PLAIN_READS):
                if not self._sock.recv(READ_SIZE):
                    self._peer_ended = True
                    self._reactor.removeReader(self)
                    if self._phase is _Phase.DRAINING:
                        self._lose(self._reason)
                    return
        except WAIT:
            pass
        except OSError:
            self._lose(self._reason)

    def _tell(self, call: Callable[[_News], None], news: _News) -> None:
        try:
            call(news)
        except Exception as error:  # noqa: BLE001 - whatever the receiver does wrong costs this link only
            # The exception's text may quote the peer's bytes: only its type is logged.
            _log.error("receiver failed on link to {peer}: {kind}", peer=self.peer, kind=type(error).__qualname__)
            self.abort("internal error")

    def _send(self, payload: bytes) -> int:
        """Returns how many bytes were taken; after a failure all of them, since the link is lost."""
        size = len(payload)
        step = READ_SIZE if self._tls is None else TLS_RECORD
        send = self._sock.send if self._tls is None else self._tls.send
        sent = 0
        try:
            while sent < size:
                sent += send(payload if size <= step else payload[sent : sent + step])
                if size <= step and sent < size:
                    return sent
        except WAIT:
            pass
        except BROKEN as error:
            self._lose(describe(error))
            return size
        return sent

    def _keep(self, payload: bytes) -> None:
        self._buffer += payload
        if len(self._buffer) > self._limits.write_buffer:
            self.abort("slow reader")
        elif self._phase is _Phase.OPEN and self._buffer:
            self._wait_to_write()

    def _wait_to_write(self) -> None:
        self._progress = self._reactor.seconds()
        self._reactor.addWriter(self)
        if self._stall is None:
            self._stall = self._reactor.callLater(self._limits.stall_seconds, self._check_stall)

    def _check_stall(self) -> None:
        self._stall = None
        if not self._buffer:
            return
        patience = self._progress + self._limits.stall_seconds - self._reactor.seconds()
        if patience <= 0:
            self.abort("peer accepts no bytes")
        else:
            self._stall = self._reactor.callLater(patience, self._check_stall)

    def _flush(self) -> None:
        step = READ_SIZE if self._tls is None else TLS_RECORD
        while self._buffer:
            # A repeated SSL_write begins with the same bytes and is never shorter, as OpenSSL demands.
            sent = self._send(bytes(self._buffer[:step]))
            if self._phase is _Phase.LOST or not sent:
                return
            self._progress = self._reactor.seconds()
            del self._buffer[:sent]
        if self._phase is _Phase.FLUSHING:
            self._say_goodbye()
        elif not self._read_needs_write:
            self._reactor.removeWriter(self)
        drained, self.drained = self.drained, None
        if drained is not None and self._phase is _Phase.OPEN:
            drained()

    def _shake_hands(self) -> None:
        if self._tls is None:
            return
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            self._reactor.removeWriter(self)
        except SSL.WantWriteError:
            self._reactor.addWriter(self)
        except BROKEN as error:
            self._lose(f"TLS handshake failed: {describe(error)}")
        else:
            self._secured(self._tls)

    def _secured(self, tls: SSL.Connection) -> None:
        self._clear_deadline()
        self._phase = _Phase.OPEN
        certificate = peer_certificate(tls, tls.get_app_data())
        tls.set_app_data(None)
        self._reactor.removeWriter(self)
        self._reactor.removeReader(self)
        self._listen()
        if self._buffer:
            self._wait_to_write()
        self._tell(self._receiver.tls_established, certificate)

    def _begin_close(self, reason: str) -> None:
        self._reason = reason
        self._phase = _Phase.FLUSHING
        self._set_deadline(self._limits.close_seconds, f"{reason}; peer did not finish in time")
        watch = self._reactor.removeReader if self._peer_ended else self._reactor.addReader
        watch(self)
        self._flush()

    def _say_goodbye(self) -> None:
        try:
            if self._tls is not None:
                self._tls.shutdown()
        except SSL.WantWriteError:
            self._reactor.addWriter(self)
            return
        except BROKEN:
            pass
        self._reactor.removeWriter(self)
        self._phase = _Phase.DRAINING
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._peer_ended = True
        if self._peer_ended:
            self._lose(self._reason)

    def _set_deadline(self, seconds: float, reason: str) -> None:
        self._clear_deadline()
        self._deadline = self._reactor.callLater(seconds, self.abort, reason)

    def _clear_deadline(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None

    def _lose(self, reason: str) -> None:
        if self._phase is _Phase.LOST:
            return
        self._phase = _Phase.LOST
        self._reactor.removeReader(self)
        self._reactor.removeWriter(self)
        self._clear_deadline()
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        self._buffer.clear()
        # Closing waits too: a descriptor number used again within this poll round would get the old one's events.
        self._reactor.callLater(0, self._finish, reason)

    def _finish(self, reason: str) -> None:
        self._tls = None
        self._sock.close()
        self._tell(self._receiver.link_lost, reason)
