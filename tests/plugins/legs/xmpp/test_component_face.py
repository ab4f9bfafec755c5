"""The component over a real socket: escaped addresses both ways, and a server that goes away and comes back."""

import socket
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest_twisted
from attrs import define, evolve, field
from twisted.internet import reactor

from gateway.config import InsideComponent, SpoolTerms
from gateway.config.values import Endpoint, Secret
from gateway.model.address import Address
from gateway.model.envelope import Envelope, Side
from gateway.model.message import Message
from gateway.transport.link import Link
from gateway.transport.listener import Listener
from plugins.legs.xmpp.component_face import ComponentFace
from plugins.legs.xmpp.dialect import InsideDialect
from plugins.legs.xmpp.outflow import Outflow
from tests.plugins.legs.xmpp.faces import LIMITS, House, Surroundings, pause
from tests.stage import ALICE, DESK, TABLET
from tests.transport.wires import Ear, until

GATEWAY = "gateway.corp.example"
BOB_INSIDE = f"bob\\40partner.example@{GATEWAY}"
HEADER = (
    "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept'"
    f" xmlns:stream='http://etherx.jabber.org/streams' id='s1' from='{GATEWAY}'>"
)


@define(eq=False)
class Server:
    """Is our own server's side of the component port; `mute` never answers."""

    mute: bool = False
    ears: list[Ear] = field(factory=list)
    listener: Listener = field(init=False)

    def listen(self, port: int = 0) -> int:
        self.listener = Listener(reactor, "127.0.0.1", port, self.accepted)
        self.listener.start()
        return self.listener.port

    def accepted(self, sock: socket.socket, peer: tuple[str, int]) -> None:
        ear = Ear()
        ear.link = link = Link(reactor, sock, ear)
        ear.on_chunk = lambda chunk: self.answer(link, chunk)
        self.ears.append(ear)
        link.start()

    def answer(self, link: Link, chunk: bytes) -> None:
        if b"<stream:stream" in chunk and not self.mute:
            link.write(HEADER.encode())
        if b"<handshake>" in chunk:
            link.write(b"<handshake/>")

    def say(self, text: str) -> None:
        link = self.ears[-1].link
        assert link is not None
        link.write(text.encode())

    @property
    def heard(self) -> str:
        return self.ears[-1].heard.decode() if self.ears else ""

    def vanish(self) -> None:
        self.listener.stop()
        for ear in self.ears:
            assert ear.link is not None
            ear.link.abort("gone")


def face_of(port: int, house: House, **changes: Any) -> ComponentFace:
    """Gives a component that has begun to connect."""
    config = SimpleNamespace(
        limits=evolve(LIMITS, **changes),
        gateway=SimpleNamespace(domains=["corp.example"]),
        bot=SimpleNamespace(address=None),
        spool=SpoolTerms(),
    )
    around = Surroundings(config)  # type: ignore[arg-type]
    inside = InsideComponent(
        kind="xmpp-component",
        connect=Endpoint("127.0.0.1", port),
        name=GATEWAY,  # type: ignore[arg-type]
        secret=Secret("s3cret"),
    )
    dialect = InsideDialect(house, around.now, lambda *said: face.say(*said), around.metrics, reactor)
    face = ComponentFace(house, inside, dialect, around, Outflow(reactor))  # type: ignore[arg-type]
    face.start()
    return face


Played = tuple[Server, House, ComponentFace]


@pytest_twisted.async_yield_fixture
async def played() -> AsyncIterator[Played]:
    """A server, and a component that is connected to it."""
    server, house = Server(), House()
    face = face_of(server.listen(), house)
    await until(lambda: face.connection is not None)
    yield server, house, face
    await face.stop()
    server.vanish()
    await pause(0.02)


def to_alice(text: str, sender: Address = TABLET) -> Envelope:
    return Envelope(sender, ALICE, Message(id=text, bodies=(("", text),)), Side.EXTERNAL)


@pytest_twisted.ensureDeferred
async def test_contacts_are_escaped_on_the_way_in_and_known_again_on_the_way_out(played: Played) -> None:
    server, house, face = played
    assert face.deliver(to_alice("hello"))
    await until(lambda: "hello" in server.heard)
    assert f"from='{BOB_INSIDE}/tablet'" in server.heard
    server.say(f"<message from='{DESK}' to='{BOB_INSIDE}/tablet' id='m'><body>hi</body></message>")
    await until(lambda: house.received)
    assert (house.received[0].sender, house.received[0].recipient) == (DESK, TABLET)


@pytest_twisted.ensureDeferred
async def test_a_partners_server_itself_is_escaped_too(played: Played) -> None:
    """A stanza from any other domain than the component's would end the stream."""
    server, _, face = played
    face.deliver(to_alice("announcement", Address.parse("partner.example")))
    await until(lambda: "announcement" in server.heard)
    assert f"from='partner.example@{GATEWAY}'" in server.heard


@pytest_twisted.ensureDeferred
async def test_what_is_answered_at_once_comes_from_the_escaped_address(played: Played) -> None:
    server, house, _ = played
    server.say(f"<iq type='get' id='p' from='{DESK}' to='{BOB_INSIDE}'><ping xmlns='urn:xmpp:ping'/></iq>")
    await until(lambda: "id='p'" in server.heard)
    assert f"from='{BOB_INSIDE}'" in server.heard and house.received == []
    for sender, recipient in ((DESK, f"bob@{GATEWAY}"), ("eve@stranger.example", BOB_INSIDE)):
        server.say(f"<message from='{sender}' to='{recipient}' id='x{sender}'><body>hi</body></message>")
        await until(lambda sender=sender: f"x{sender}" in server.heard)
    assert "type='error'" in server.heard and house.received == []
    assert " from='partner.example" not in server.heard and " from='bob@partner.example" not in server.heard


@pytest_twisted.ensureDeferred
async def test_a_defect_is_answered_and_the_stream_stays(played: Played) -> None:
    server, house, face = played
    house.fails = True
    server.say(f"<message from='{DESK}' to='{BOB_INSIDE}' id='m'><body>hi</body></message>")
    await until(lambda: "service-unavailable" in server.heard)
    assert face.connection is not None


@pytest_twisted.ensureDeferred
async def test_a_server_that_goes_away_is_mourned_and_restored_and_nothing_is_lost(played: Played) -> None:
    server, house, face = played
    port = server.listener.port
    server.vanish()
    await until(lambda: face.connection is None)
    assert not face.deliver(to_alice("kept"))
    await until(lambda: house.lost)
    assert house.lost == [("", "corp.example")]
    server.listen(port)
    await until(lambda: house.restored)
    assert house.restored == [("", "corp.example")] and face.problem == ""


@pytest_twisted.ensureDeferred
async def test_what_is_said_while_the_stream_closes_is_kept(played: Played) -> None:
    server, _, face = played
    assert face.connection is not None
    face.connection.stream.close()
    assert not face.deliver(to_alice("kept"))
    face.say("", "", "<iq/>")
    assert len(face.outbox) == 1


@pytest_twisted.ensureDeferred
async def test_a_server_that_never_shakes_hands_is_left_and_tried_again() -> None:
    server, house = Server(mute=True), House()
    face = face_of(server.listen(), house, handshake_seconds=0.05)
    await until(lambda: server.ears)
    await pause(0.1)
    face.tick()
    await until(lambda: len(server.ears) >= 2, 8.0)
    assert face.connection is None and face.problem
    await face.stop()
    server.vanish()
