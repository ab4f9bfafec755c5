"""Connections of the SIP leg over real sockets on loopback: who is believed, what is cut, what waits."""

import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_twisted
from attrs import define, field
from OpenSSL import SSL
from twisted.internet import reactor

from gateway.config.sections import Limits
from gateway.guarding import OutputGuard
from gateway.metrics import Metrics
from gateway.protocols.sip.message import Request, Response
from gateway.transport.authority import CertificateAuthority, MintedContexts
from gateway.transport.certificate import PeerCertificate, distrust, sip_domains
from gateway.transport.places import Place, places_of
from gateway.transport.resolver import NotFound, Target
from gateway.transport.tls import TrustAnchors
from plugins.legs.sip import flows
from plugins.legs.sip.flows import MOST_WAITING, DatagramSocket, Flow, StreamFlow
from tests.protocols.sip.talk import request
from tests.transport.wires import sockets, until


@define(eq=False)
class Host:
    """Shows the certificate of one domain and believes those of another."""

    domain: str
    other: str
    minted: MintedContexts = field(repr=False)
    port: int | None = None

    def proven(self, certificate: PeerCertificate | None) -> frozenset[str]:
        if certificate is None or distrust(certificate, pins=frozenset(), accept_server_only_eku=False, now=0.0):
            return frozenset()
        return sip_domains(certificate) & {self.other}

    def follows(self, domain: str, other: str) -> bool:
        return domain == other

    def identity(self, local: str) -> str:
        return local

    def client(self, local: str, domain: str) -> SSL.Context:
        return self.minted.client(self.domain)

    def server(self) -> SSL.Context:
        return self.minted.server(self.domain)

    async def targets(self, domain: str, port: int | None = None) -> list[Target]:
        if self.port is None:
            raise NotFound("no such domain")
        return [Target("127.0.0.1", self.port, True, ("127.0.0.1",))]


@define(eq=False)
class Owner:
    """Writes down what its flows tell."""

    host: Any
    name: str = "outside"
    reactor: Any = reactor
    limits: Limits = field(factory=Limits)
    guard: OutputGuard | None = field(factory=lambda: OutputGuard("sip", Metrics()))
    heard: list[Request | Response] = field(factory=list)
    lost: list[Flow] = field(factory=list)
    met: list[Flow] = field(factory=list)
    dead: list[Place] = field(factory=list)
    ways: list[Any] = field(factory=list)
    reads: int = 0

    def malformed(self, flow: Flow, malformed: object) -> None:
        """Nobody listens here."""

    def received(self, message: Request | Response, flow: Flow) -> None:
        self.heard.append(message)
        self.ways.append(flow)

    def begin_read(self) -> None:
        self.reads += 1

    def end_read(self) -> None:
        self.reads += 1

    def flow_lost(self, flow: Flow) -> None:
        self.lost.append(flow)

    def connected(self, flow: StreamFlow, certificate: object) -> None:
        self.met.append(flow)

    async def places(self, flow: StreamFlow) -> list[Place]:
        return places_of(await self.host.targets(flow.domain))

    def unreachable(self, place: Place) -> None:
        self.dead.append(place)


@pytest.fixture(scope="module")
def minted(tmp_path_factory: pytest.TempPathFactory) -> MintedContexts:
    authority = CertificateAuthority.open(tmp_path_factory.mktemp("ca"))
    return MintedContexts(authority, TrustAnchors(authority.ca_file))


@pytest.fixture
def plain() -> Iterator[tuple[StreamFlow, Owner, socket.socket]]:
    """A flow over TCP, and the peer's socket."""
    near, far = sockets()
    owner = Owner(None)
    flow = StreamFlow(owner, False)
    flow.accepted(near, "127.0.0.1", lambda place: None)
    yield flow, owner, far
    flow.close()
    far.close()


def octets(body: bytes = b"hi") -> bytes:
    head = (
        "MESSAGE sip:alice@corp.example SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bKa\r\nMax-Forwards: 70\r\n"
        "From: <sip:bob@partner.example>;tag=b\r\nTo: <sip:alice@corp.example>\r\nCall-ID: c\r\nCSeq: 1 MESSAGE\r\n"
        f"Content-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def answered(far: socket.socket, wanted: bytes) -> bytes:
    """Gives what the flow sends, up to some text or its end."""
    far.setblocking(False)
    got = bytearray()

    def more() -> bool:
        try:
            piece = far.recv(65536)
        except BlockingIOError:
            return False
        got.extend(piece)
        return not piece or wanted in got

    await until(more)
    return bytes(got)


@pytest_twisted.ensureDeferred
async def test_messages_come_however_the_stream_is_cut(plain: tuple[StreamFlow, Owner, socket.socket]) -> None:
    _, owner, far = plain
    both = octets(b"one") + b"\r\n\r\n" + octets(b"two")
    for place in range(0, len(both), 97):
        far.sendall(both[place : place + 97])
    await until(lambda: len(owner.heard) == 2)
    assert [one.body for one in owner.heard] == [b"one", b"two"]
    assert await answered(far, b"\r\n") == flows.PONG


@pytest_twisted.ensureDeferred
async def test_what_is_wrong_is_answered_and_what_is_no_sip_ends_it(
    plain: tuple[StreamFlow, Owner, socket.socket],
) -> None:
    _, owner, far = plain
    far.sendall(octets().replace(b"CSeq: 1 MESSAGE", b"CSeq: x MESSAGE"))
    got = await answered(far, b"\r\n\r\n")
    assert b"SIP/2.0 400 " in got and b";received=127.0.0.1" in got
    far.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await until(lambda: owner.lost)
    assert owner.heard == []


@pytest_twisted.ensureDeferred
async def test_a_message_that_does_not_end_is_cut(plain: tuple[StreamFlow, Owner, socket.socket]) -> None:
    flow, owner, far = plain
    far.sendall(octets()[:50])
    await until(lambda: flow.used_at and not flow._reader.idle)
    flow.look(flow.heard_at + flows.MESSAGE_SECONDS - 1.0)
    assert not owner.lost
    flow.look(flow.heard_at + flows.MESSAGE_SECONDS + 1.0)
    await until(lambda: owner.lost)


@pytest_twisted.ensureDeferred
async def test_an_idle_connection_is_closed(plain: tuple[StreamFlow, Owner, socket.socket]) -> None:
    flow, owner, far = plain
    flow.look(flow.used_at + flows.IDLE_SECONDS - 1.0)
    assert not owner.lost
    flow.look(flow.used_at + flows.IDLE_SECONDS + 1.0)
    assert await answered(far, b"never") == b""


@pytest_twisted.ensureDeferred
async def test_what_waits_for_a_connection_is_bounded_and_fails_with_it(minted: MintedContexts) -> None:
    owner = Owner(Host("corp.example", "partner.example", minted))
    flow = StreamFlow(owner, True, "partner.example")
    for _ in range(400):
        flow.send(request("MESSAGE", body=b"x" * 1000))
    assert sum(map(len, flow._waiting)) <= MOST_WAITING
    flow.call()
    await until(lambda: owner.lost)


@pytest.mark.parametrize(
    ("shown", "believed"), [("partner.example", True), ("other.example", False)], ids=["right", "wrong"]
)
@pytest_twisted.ensureDeferred
async def test_both_ends_prove_their_domain(minted: MintedContexts, shown: str, believed: bool) -> None:
    ours = Owner(Host("corp.example", "partner.example", minted))
    theirs = Owner(Host(shown, "corp.example", minted))
    near, far = sockets()
    called = StreamFlow(ours, True)
    called.accepted(near, "127.0.0.1", lambda place: None)
    caller = StreamFlow(theirs, True, "corp.example")
    caller._join(far)
    assert caller.link is not None
    caller.link.start_tls(theirs.host.client("partner.example", "corp.example"), False, "corp.example")
    caller.send(request("MESSAGE", body=b"hi"))
    await until(lambda: ours.heard or ours.lost)
    assert (called.certified == {"partner.example"}) is believed
    assert bool(ours.heard) is believed
    caller.close()
    called.close()
    await until(lambda: ours.lost and theirs.lost)


@pytest_twisted.ensureDeferred
async def test_datagrams(minted: MintedContexts) -> None:
    owner = Owner(None, "inside")
    door = DatagramSocket(owner)
    port = reactor.listenUDP(0, door, interface="127.0.0.1")  # type: ignore[attr-defined]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.connect(("127.0.0.1", port.getHost().port))
        for datagram in (b"", b"\r\n\r\n", b"nonsense", octets()):
            peer.send(datagram)
        await until(lambda: owner.heard)
        flow = door.flow(peer.getsockname())
        flow.send(owner.heard[0].reply(200) if isinstance(owner.heard[0], Request) else owner.heard[0])
        assert b"SIP/2.0 200 " in await answered(peer, b"SIP/2.0 200")
    await port.stopListening()


@pytest_twisted.ensureDeferred
async def test_datagrams_are_answered_at_the_port_that_via_asks_for(minted: MintedContexts) -> None:
    owner = Owner(None, "inside")
    door = DatagramSocket(owner)
    port = reactor.listenUDP(0, door, interface="127.0.0.1")  # type: ignore[attr-defined]
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as named,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer,
    ):
        for one in (named, peer):
            one.bind(("127.0.0.1", 0))
        place = ("127.0.0.1", port.getHost().port)
        wrong = octets().replace(b"CSeq: 1 MESSAGE", b"CSeq: x MESSAGE")
        here = f"SIP/2.0/UDP h:{named.getsockname()[1]}".encode()
        peer.sendto(wrong.replace(b"SIP/2.0/TCP h", here), place)
        got = await answered(named, b"400")
        assert b";received=127.0.0.1" in got and b"rport" not in got
        peer.sendto(wrong.replace(b"SIP/2.0/TCP h", here + b";rport"), place)
        got = await answered(peer, b"400")
        assert f";rport={peer.getsockname()[1]};".encode() in got and b";received=127.0.0.1" in got
        peer.sendto(octets().replace(b"SIP/2.0/TCP h", here), place)
        await until(lambda: owner.heard)
        assert owner.ways[-1].address == named.getsockname()
    await port.stopListening()


def test_messages_that_are_sent_together_are_one_write_and_a_wrong_one_hurts_no_other(
    plain: tuple[StreamFlow, Owner, socket.socket],
) -> None:
    flow, _, peer = plain
    good, wrong = request("OPTIONS"), request("OPTIONS")
    wrong.headers.add("Subject", "two\r\nlines")
    flow.send(good, wrong, good)
    peer.settimeout(5.0)
    assert peer.recv(65536).count(b"OPTIONS sip:") == 2


@define
class Judge:
    """Believes a certificate until it does not."""

    believed: frozenset[str] = frozenset({"partner.example"})

    def proven(self, certificate: object) -> frozenset[str]:
        return self.believed


def test_a_certificate_that_is_not_believed_any_more_ends_its_connection(
    plain: tuple[StreamFlow, Owner, socket.socket],
) -> None:
    flow, owner, _ = plain
    owner.host = judge = Judge()
    closed: list[str] = []
    kept, flow.link = flow.link, SimpleNamespace(close=lambda: closed.append("closed"))  # type: ignore[assignment]
    now = reactor.seconds()  # type: ignore[attr-defined]
    flow.tls_established(PeerCertificate())
    flow.look(now + 31)
    assert closed == []
    judge.believed = frozenset()
    flow.look(now + 32)
    assert closed == []
    flow.look(now + 62)
    flow.link = kept
    assert closed == ["closed"]
