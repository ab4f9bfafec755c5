"""Two faces that speak XMPP with each other over real sockets on loopback, by dialback inside TLS."""

import socket
import time
from typing import Any

from attrs import define, evolve, field, frozen
from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from gateway.config.sections import Limits
from gateway.config.spooling import SpoolTerms
from gateway.guarding import Entitled
from gateway.interfaces import Promise
from gateway.metrics import Metrics
from gateway.model.address import Address
from gateway.model.envelope import Content, Envelope, Problem, Side
from gateway.model.message import Message
from gateway.protocols.xmpp.events import StreamTerms
from gateway.transport.authority import MintedContexts
from gateway.transport.listener import Listener
from gateway.transport.resolver import NotFound, Target
from plugins.legs.xmpp.dialect import InsideDialect, OutsideDialect
from plugins.legs.xmpp.outflow import Outflow
from plugins.legs.xmpp.server_face import ServerFace
from tests.entitlements import EVERYTHING

DIALBACK = StreamTerms(external=False, dialback=True, bidi=False)
LIMITS = evolve(Limits(), retry_seconds=0.1, retry_max_seconds=0.2, presence_seconds=0.3, queue_seconds=2.0)


@define
class House:
    """Writes down what a face tells."""

    received: list[Envelope] = field(factory=list)
    refused: list[tuple[Envelope, Problem]] = field(factory=list)
    lost: list[tuple[str, str]] = field(factory=list)
    restored: list[tuple[str, str]] = field(factory=list)
    asked: list[tuple[str, str]] = field(factory=list)
    met_with: list[Any] = field(factory=list)
    fails: bool = False
    confirmed: list[Envelope] = field(factory=list)

    def receive(self, envelope: Envelope) -> None:
        if self.fails:
            raise ValueError("a defect")
        self.received.append(envelope)

    def reconsider(self, envelope: Envelope) -> Envelope | None:
        return envelope

    def undeliverable(self, envelope: Envelope, problem: Problem) -> None:
        self.refused.append((envelope, problem))

    def entitled(self, person: Address, contact: Address, answers: bool) -> Entitled:
        return EVERYTHING

    def delivered(self, envelope: Envelope) -> Promise | None:
        self.confirmed.append(envelope)
        return None

    def met(self, meeting: Any) -> None:
        self.met_with.append(meeting)

    def link_lost(self, local: str, remote: str) -> None:
        self.lost.append((local, remote))

    def link_restored(self, local: str, remote: str, complete: bool = False, *, ask: bool = True) -> None:
        if not (complete and ask):
            self.restored.append((local, remote))
        if ask:
            self.asked.append((local, remote))

    @property
    def bodies(self) -> list[str]:
        """Gives the texts of the messages that came, in their order."""
        return [one.content.bodies[0][1] for one in self.received if isinstance(one.content, Message)]


@frozen
class Config:
    """Is as much of the configuration as a face reads."""

    limits: Limits
    spool: SpoolTerms = SpoolTerms()


@define
class Surroundings:
    """Is what a face is built with."""

    config: Config
    reactor: Any = reactor
    metrics: Metrics = field(factory=lambda: Metrics(["corp.example", "partner.example"]))

    def now(self) -> float:
        return time.time()

    def secret(self, name: str) -> bytes:
        return f"secret of {name}".encode()


@define(eq=False)
class Host:
    """Serves one domain and knows where the other one listens; None: nowhere."""

    domain: str
    other: str
    minted: MintedContexts = field(repr=False)
    port: int | None = None
    connected: bool = True
    pinned: bool = False
    """Whether the peer's key is another than the pinned one."""
    asked: int = 0
    waits: Deferred[None] | None = None
    """What the next caller has to wait for before TLS."""

    def canonical(self, domain: str) -> str | None:
        return domain

    def serves(self, domain: str) -> bool:
        return domain == self.domain

    def terms(self, local: str, remote: str) -> StreamTerms | None:
        return DIALBACK if remote == self.other and self.connected else None

    def proves(self, certificate: object, remote: str) -> bool:
        return False

    def learning(self, remote: str | None) -> Deferred[None] | None:
        waits, self.waits = self.waits, None
        return waits

    def mispinned(self, certificate: object, remote: str) -> bool:
        return self.pinned

    def partner(self, local: str, remote: str) -> str:
        return self.other

    async def targets(self, local: str, remote: str) -> list[Target]:
        self.asked += 1
        if self.port is None:
            raise NotFound("no such domain")
        return [Target("127.0.0.1", self.port, False, ("127.0.0.1",))]

    def client(self, local: str, remote: str) -> SSL.Context:
        return self.minted.client(local)

    def server(self, local: str | None, remote: str | None) -> SSL.Context:
        return self.minted.server(local or self.domain)

    async def elsewhere(self, remote: str, place: str) -> list[Target]:
        return []


@define(eq=False)
class End:
    """Is one face with its house and its listening socket."""

    domain: str
    other: str
    minted: MintedContexts = field(repr=False)
    limits: Limits = LIMITS
    inside: bool = False
    house: House = field(factory=House)
    host: Host = field(init=False)
    face: ServerFace = field(init=False)
    listener: Listener | None = field(init=False, default=None)
    surroundings: Surroundings = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.host = Host(self.domain, self.other, self.minted)
        self.surroundings = around = Surroundings(Config(self.limits))

        def say(local: str, remote: str, text: str) -> None:
            self.face.say(local, remote, text)

        dialect: Any = (
            InsideDialect(self.house, around.now, say, around.metrics, reactor)
            if self.inside
            else OutsideDialect(self.house, around.now, say, around.metrics)
        )
        name = "inside" if self.inside else "outside"
        self.face = ServerFace(name, self.house, self.host, dialect, around, Outflow(reactor))  # type: ignore[arg-type]

    def listen(self, port: int = 0) -> int:
        """Begins to accept connections."""

        def accepted(sock: socket.socket, peer: tuple[str, int]) -> None:
            self.face.accepted(sock, peer, listener.release, False)

        listener = self.listener = Listener(reactor, "127.0.0.1", port, accepted)
        listener.start()
        return listener.port

    def deaf(self) -> None:
        """Stops accepting connections."""
        if self.listener is not None:
            self.listener.stop()
            self.listener = None

    def put(self, content: Content) -> bool:
        """Sends something to the other end."""
        sender, recipient = Address.parse(f"alice@{self.domain}"), Address.parse(f"bob@{self.other}")
        side = Side.EXTERNAL if self.inside else Side.INTERNAL
        return self.face.deliver(Envelope(sender, recipient, content, side))

    def message(self, text: str) -> bool:
        """Sends a message to the other end."""
        return self.put(Message(id=text, bodies=(("", text),)))

    @property
    def lane(self) -> Any:
        """Gives the way out."""
        return self.face.lane(self.domain, self.other)

    async def stop(self) -> None:
        """Ends everything."""
        self.deaf()
        await self.face.stop()
        for connection in list(self.face.connections):
            connection.link.abort("the test is over")


def pause(seconds: float = 0.05) -> Deferred[None]:
    """Lets the reactor run."""
    return deferLater(reactor, seconds)
