"""Opens a TCP connection to the first server of a domain that answers (RFC 6120 3.2.1, 3.2.2)."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from collections.abc import Sequence

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReadWriteDescriptor
from zope.interface import implementer

from gateway.errors import GatewayError
from gateway.transport.clock import DelayedCall, Reactor
from gateway.transport.resolver import Target


class ConnectFailed(GatewayError):
    """Says for each address that was tried what went wrong; `attempts` holds (address and port, error)."""

    def __init__(self, attempts: Sequence[tuple[str, str]]) -> None:
        self.attempts = tuple(attempts)
        super().__init__("; ".join(f"{where}: {error}" for where, error in attempts) or "no address to try")


async def connect(
    reactor: Reactor, targets: Sequence[Target], per_attempt_seconds: float = 5.0, total_seconds: float = 30.0
) -> tuple[socket.socket, Target, str]:
    """Tries every address of every target in turn; returns the connected socket, its target and its address.

    Raises ConnectFailed when all have failed or `total_seconds` are over; cancelling closes the attempt under way.
    """
    attempts: list[tuple[str, str]] = []
    give_up = reactor.seconds() + total_seconds
    for target in targets:
        for address in target.addresses:
            left = min(per_attempt_seconds, give_up - reactor.seconds())
            where = _place(address, target.port)
            if left <= 0:
                raise ConnectFailed([*attempts, (where, "not tried, time is up")])
            try:
                return await _Attempt.begin(reactor, address, target.port, left), target, address
            except OSError as error:
                attempts.append((where, error.strerror or type(error).__name__))
    raise ConnectFailed(attempts)


def _place(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


@implementer(IReadWriteDescriptor)
@define(eq=False)
class _Attempt:
    """One connection being made."""

    _reactor: Reactor
    _sock: socket.socket
    _outcome: Deferred[socket.socket] = field(init=False)
    _timer: DelayedCall | None = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self._outcome = Deferred(lambda _: self._end())

    @classmethod
    def begin(cls, reactor: Reactor, address: str, port: int, seconds: float) -> Deferred[socket.socket]:
        """Starts to connect; the result fires with the socket or fails with OSError."""
        family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        code = sock.connect_ex((address, port))
        if code not in (0, errno.EINPROGRESS):
            sock.close()
            raise OSError(code, os.strerror(code))
        attempt = cls(reactor, sock)
        attempt._timer = reactor.callLater(seconds, attempt._fail, errno.ETIMEDOUT)
        reactor.addWriter(attempt)
        return attempt._outcome

    def fileno(self) -> int:
        return self._sock.fileno()

    def logPrefix(self) -> str:
        return "connector"

    def doRead(self) -> None:
        """Never asked for."""

    def doWrite(self) -> None:
        if self._outcome.called:
            return
        code = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._fail(code)
            return
        self._release()
        self._outcome.callback(self._sock)

    def connectionLost(self, reason: object) -> None:
        """Hears from the reactor that the descriptor is dead: the socket knows why."""
        if not self._outcome.called:
            self._fail(self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or errno.ECONNRESET)

    def _fail(self, code: int) -> None:
        self._end()
        self._outcome.errback(OSError(code, os.strerror(code)))

    def _release(self) -> None:
        self._reactor.removeWriter(self)
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _end(self) -> None:
        self._release()
        self._sock.close()
