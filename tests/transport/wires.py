"""Connected loopback sockets, receivers that write down what they hear, and waiting on the reactor."""

from __future__ import annotations

import socket
from collections.abc import Callable

from attrs import define, field
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from gateway.transport.certificate import PeerCertificate
from gateway.transport.link import Link, LinkLimits


@define(eq=False)
class Ear:
    """Writes down everything that a link says."""

    heard: bytearray = field(factory=bytearray)
    chunks: int = 0
    certificates: list[PeerCertificate | None] = field(factory=list)
    losses: list[str] = field(factory=list)
    link: Link | None = None
    on_chunk: Callable[[bytes], None] | None = None

    def data_received(self, chunk: bytes) -> None:
        self.chunks += 1
        self.heard += chunk
        if self.on_chunk is not None:
            self.on_chunk(chunk)

    def tls_established(self, certificate: PeerCertificate | None) -> None:
        self.certificates.append(certificate)

    def link_lost(self, reason: str) -> None:
        self.losses.append(reason)


def sockets(buffer: int | None = None) -> tuple[socket.socket, socket.socket]:
    """Returns two connected TCP sockets; `buffer` shrinks what the kernel keeps, in bytes."""
    with socket.socket() as door:
        if buffer is not None:
            door.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        door.bind(("127.0.0.1", 0))
        door.listen(1)
        near = socket.socket()
        if buffer is not None:
            near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
        near.connect(door.getsockname())
        far, _ = door.accept()
    # A test that waits for what never comes fails; it does not hang.
    near.settimeout(2)
    far.settimeout(2)
    return near, far


def linked(sock: socket.socket, limits: LinkLimits | None = None) -> tuple[Link, Ear]:
    """Returns a started link on the socket and its ear."""
    ear = Ear()
    link = Link(reactor, sock, ear, limits or LinkLimits())
    ear.link = link
    link.start()
    return link, ear


def pair(limits: LinkLimits | None = None) -> tuple[tuple[Link, Ear], tuple[Link, Ear]]:
    """Returns two started links that are connected to each other."""
    near, far = sockets()
    return linked(near, limits), linked(far, limits)


def rest(seconds: float = 0.0) -> Deferred[None]:
    """Lets the reactor run."""
    return deferLater(reactor, seconds)


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Lets the reactor run until the condition holds; fails after so many seconds."""
    end = reactor.seconds() + seconds
    while not condition():
        assert reactor.seconds() < end, "waited in vain"
        await rest(0.002)
