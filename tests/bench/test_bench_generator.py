"""The generator against a gateway of thirty lines that passes everything on."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path as Folder

import pytest

from tests.bench.gateway_streams import Endpoint, GatewayStreams, Neighbourhood
from tests.bench.generator import Generator, Load, Stalled, Subject
from tests.bench.path import Line, answer
from tests.bench.pki import Authority, Credentials
from tests.bench.stanzas import CELLS
from tests.bench.streams import Listener, StreamRefused, open_s2s

PING = b"<iq type='get' from='corp.example' to='partner.example' id='p1'><ping xmlns='urn:xmpp:ping'/></iq>"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def pass_on(face: Listener, onward: Endpoint, credentials: Credentials, greeting: bytes, lose: bytes) -> None:
    """Carry every accepted stream to `onward`, with `greeting` in front, dropping reads that contain `lose`."""
    sender = "partner.example" if onward.domain == "corp.example" else "corp.example"
    while not face.ready:
        time.sleep(0.01)
    inward = face.ready.pop().sock
    with suppress(OSError, StreamRefused):  # the test may be over by now
        outward = open_s2s(onward.address, onward.port, sender, onward.domain, credentials).sock
        outward.sendall(greeting)
        while chunk := inward.recv(65536):
            if not lose or lose not in chunk:
                outward.sendall(chunk)


@pytest.fixture
def credentials(tmp_path: Folder) -> Credentials:
    authority = Authority.create(tmp_path)
    authority.issue("corp.example")
    authority.issue("partner.example")
    return Credentials(tmp_path)


@pytest.fixture
def around() -> Neighbourhood:
    domains = ("partner.example", "corp.example", "corp.example", "partner.example")
    return Neighbourhood(*(Endpoint("127.0.0.1", free_port(), domain) for domain in domains))


@pytest.fixture
def lose() -> bytes:
    return b""


@pytest.fixture
def streams(credentials: Credentials, around: Neighbourhood, lose: bytes) -> Iterator[GatewayStreams]:
    """Stand between corp.example and partner.example as a relay would."""
    faces = []
    for face, onward, greeting in ((around.inside_face, around.partner, PING), (around.outside_face, around.corp, b"")):
        listener = Listener.open(face.address, face.port, face.domain, credentials)
        faces.append(listener)
        threading.Thread(target=pass_on, args=(listener, onward, credentials, greeting, lose), daemon=True).start()
    opened = GatewayStreams(around, credentials)
    yield opened
    opened.close()
    for listener in faces:
        listener.close()


def generator_for(streams: GatewayStreams, cell: str, load: Load, silence_seconds: float = 5.0) -> Generator:
    return Generator(streams.hop(), CELLS[cell], load, Subject(os.getpid(), 0), silence_seconds)


@pytest.mark.parametrize("cell", ["message-1000", "presence"])
def test_every_stanza_is_counted_at_saturation(streams: GatewayStreams, cell: str) -> None:
    generator = generator_for(streams, cell, Load(count=2000, warm=200, rate=None, window=100, pairs=100))
    assert generator.run().cpu_seconds_per_100k > 0
    assert generator.sent == generator.arrived == 2200


def test_offered_rate_is_kept(streams: GatewayStreams) -> None:
    load = Load(count=200, warm=50, rate=400, window=100, pairs=100)
    figures = generator_for(streams, "message-200", load).run()
    assert figures.stanzas_per_second == pytest.approx(400, rel=0.1)
    assert 0 < figures.p50_ms <= figures.p99_ms < 1000


def test_two_measurements_share_the_open_streams(streams: GatewayStreams) -> None:
    load = Load(count=100, warm=100, rate=None, window=100, pairs=100)
    first, second = generator_for(streams, "presence", load), generator_for(streams, "message-200", load)
    first.run()
    first.path.close()
    second.run()
    assert first.path is second.path


@pytest.mark.parametrize("lose", [b"u77@"])
def test_a_lost_stanza_is_not_passed_over_in_silence(streams: GatewayStreams) -> None:
    with pytest.raises(Stalled, match="arrived"):
        generator_for(streams, "message-200", Load(100, warm=0, rate=None, window=100, pairs=100), 0.5).run()


def test_ping_from_the_gateway_is_answered_on_the_way_back(streams: GatewayStreams) -> None:
    received: list[bytes] = []
    path = streams.hop()
    for door in path.doors:
        door.replies_on = Recorder.over(door.replies_on, received)
    deadline = time.monotonic() + 5
    while not received and time.monotonic() < deadline:
        streams.tend()
    assert received == [b"<iq type='result' from='partner.example' to='corp.example' id='p1'/>"]


class Recorder(Line):
    """Notes what is sent instead of sending it."""

    received: list[bytes]

    @classmethod
    def over(cls, line: Line | None, received: list[bytes]) -> "Recorder":
        assert line is not None
        recorder = cls(line.sock, False)
        recorder.received = received
        return recorder

    def send(self, octets: bytes) -> None:
        self.received.append(octets)


def test_subscriptions_are_asked_outside_and_accepted_inside(streams: GatewayStreams) -> None:
    streams.prepare_subscriptions(150)
    generator = generator_for(streams, "presence", Load(count=100, warm=0, rate=None, window=50, pairs=50))
    generator.run()
    assert generator.arrived == 100


@pytest.mark.parametrize("lose", [b"subscribed"])
def test_subscription_that_is_kept_back_is_reported(streams: GatewayStreams, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.bench.gateway_streams.PREPARATION_SECONDS", 0.5)
    with pytest.raises(Stalled, match="subscribed"):
        streams.prepare_subscriptions(3)


def test_stream_without_a_trusted_certificate_is_refused(credentials: Credentials, tmp_path: Folder) -> None:
    Authority.create(tmp_path / "other").issue("partner.example")
    port = free_port()
    listener = Listener.open("127.0.0.1", port, "corp.example", credentials)
    with pytest.raises((StreamRefused, OSError)):
        open_s2s("127.0.0.1", port, "partner.example", "corp.example", Credentials(tmp_path / "other"))
    listener.close()


def test_unknown_request_is_refused_and_a_reply_is_left_alone() -> None:
    assert b"service-unavailable" in answer(b"<iq type='set' from='a' to='b' id='1'><query xmlns='x'/></iq>")
    assert b"<identity" in answer(b'<iq type="get" id="2"><query xmlns="http://jabber.org/protocol/disco#info"/></iq>')
    assert answer(b"<iq type='result' from='a' to='b' id='1'/>") == b""


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_stanza_cut_between_two_reads_is_counted_once(cut: int) -> None:
    text = b"<message><body>x</body></message><message></message>"
    with socket.socket() as sock:
        line = Line(sock, counted=True)
        assert line.count(text[:cut], b"</message>") + line.count(text[cut:], b"</message>") == 2
