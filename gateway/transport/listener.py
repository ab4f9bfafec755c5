"""Accepts TCP connections within bounds: so many from one address, so many in all."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections import Counter
from collections.abc import Callable

from attrs import define, field
from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from zope.interface import implementer

from gateway.transport.clock import DelayedCall, Reactor

ACCEPTS_PER_EVENT = 64
BACKLOG = 1024
PAUSE_SECONDS = 1.0
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_log = Logger()


def _ignore(cause: str) -> None:
    """Counts nothing."""


@implementer(IReadDescriptor)
@define(eq=False)
class Listener:
    """One listening socket; `accepted` gets each connection and owns it, `release` gives its place back.

    A connection over a bound is closed at once and `refused` is called with "per_address", "total" or "descriptors".
    IPv6 addresses count by their /64, the smallest piece that one owner holds.
    """

    _reactor: Reactor
    host: str
    _port: int
    _accepted: Callable[[socket.socket, tuple[str, int]], None]
    per_address: int = 16
    total: int = 4096
    _refused: Callable[[str], None] = _ignore
    _sock: socket.socket = field(init=False)
    _places: Counter[str] = field(init=False, factory=Counter)
    _taken: int = field(init=False, default=0)
    _pause: DelayedCall | None = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        both = self.host == "::" and socket.has_dualstack_ipv6()
        self._sock = socket.create_server((self.host, self._port), family=family, backlog=BACKLOG, dualstack_ipv6=both)
        self._sock.setblocking(False)

    @property
    def port(self) -> int:
        """Returns the port that is listened on."""
        return int(self._sock.getsockname()[1])

    @property
    def connections(self) -> int:
        """Counts the connections whose place was not given back yet."""
        return self._taken

    def start(self) -> None:
        """Begins to accept."""
        self._reactor.addReader(self)

    def stop(self) -> None:
        """Closes the listening socket; accepted connections live on."""
        self._reactor.removeReader(self)
        if self._pause is not None and self._pause.active():
            self._pause.cancel()
        self._sock.close()

    def release(self, address: str) -> None:
        """Gives back the place of one connection from this address, once it has ended."""
        place = _place(address)
        if self._places[place] <= 0:
            raise ValueError("no connection from this address holds a place")
        self._taken -= 1
        self._places[place] -= 1
        if not self._places[place]:
            del self._places[place]

    def fileno(self) -> int:
        """Returns the descriptor, -1 once closed."""
        return self._sock.fileno()

    def logPrefix(self) -> str:
        """Names this descriptor in Twisted's own log lines."""
        return "listener"

    def connectionLost(self, reason: object) -> None:
        """Hears from the reactor that the socket is dead."""
        self.stop()

    def doRead(self) -> None:
        """Accepts what waits, within a bound."""
        for _ in range(ACCEPTS_PER_EVENT):
            try:
                sock, name = self._sock.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._rest()
                # Anything else is one connection that died while it waited: the next event brings the others.
                return
            self._admit(sock, str(name[0]), int(name[1]))

    def _rest(self) -> None:
        # The waiting connection keeps the socket readable: without a pause this would be a busy loop.
        self._refused("descriptors")
        self._reactor.removeReader(self)
        self._pause = self._reactor.callLater(PAUSE_SECONDS, self.start)

    def _admit(self, sock: socket.socket, address: str, port: int) -> None:
        address = _plain(address)
        place = _place(address)
        over = (
            "total" if self._taken >= self.total else "per_address" if self._places[place] >= self.per_address else ""
        )
        if over:
            sock.close()
            self._refused(over)
            return
        self._taken += 1
        self._places[place] += 1
        sock.setblocking(False)
        try:
            self._accepted(sock, (address, port))
        except Exception as error:  # noqa: BLE001 - one bad connection must not end the listening
            _log.error("accepting a connection failed: {kind}", kind=type(error).__qualname__)
            sock.close()
            self.release(address)


def _plain(address: str) -> str:
    """Writes an IPv4 address that came in over a dual-stack socket as IPv4."""
    ip = ipaddress.ip_address(address)
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return str(mapped or ip)


def _place(address: str) -> str:
    ip = ipaddress.ip_address(address)
    return str(ip) if ip.version == 4 else str(ipaddress.ip_network((int(ip), 64), strict=False))
