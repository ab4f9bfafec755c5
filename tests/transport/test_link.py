from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor

from gateway.transport.authority import CertificateAuthority
from gateway.transport.link import Link, LinkLimits
from gateway.transport.tls import ALPN_XMPP_SERVER, Credentials, TrustAnchors, client_context, proves, server_context
from tests.transport.wires import Ear, linked, pair, rest, sockets, until

MEGABYTE = 1024 * 1024
QUICK = LinkLimits(write_buffer=64 * 1024, stall_seconds=0.3, handshake_seconds=0.3, close_seconds=0.3)


@pytest.fixture
def credentials(authority: CertificateAuthority) -> tuple[Credentials, Credentials]:
    return authority.credentials_for("corp.example"), authority.credentials_for("partner.example")


async def secured(credentials, anchors: TrustAnchors, limits: LinkLimits | None = None, **client):
    """Returns two links that speak TLS with each other: corp.example serves, partner.example calls."""
    (server, server_ear), (caller, caller_ear) = pair(limits)
    server.start_tls(server_context(credentials[0], anchors), server=True)
    caller.start_tls(client_context(credentials[1], anchors), server=False, **client)
    await until(lambda: server_ear.certificates and caller_ear.certificates)
    return server, server_ear, caller, caller_ear


async def pour(link: Link, amount: int, piece: bytes) -> None:
    """Writes `amount` bytes, never more ahead of the kernel than the link may keep."""
    sent = 0
    while sent < amount:
        if link.buffered:
            await until(lambda: not link.buffered, 20)
        link.write(piece)
        sent += len(piece)


async def ended(*links: Link) -> None:
    for link in links:
        link.abort("end of test")
    await rest(0.01)


@ensureDeferred
async def test_bytes_pass_both_ways_in_plain() -> None:
    (near, near_ear), (far, far_ear) = pair()
    near.write(b"ping")
    far.write(b"pong")
    await until(lambda: near_ear.heard == b"pong" and far_ear.heard == b"ping")
    assert (near.secure, near.tls_version, near.cipher) == (False, None, None)
    assert near.peer[0] == "127.0.0.1"
    await ended(near, far)


@ensureDeferred
async def test_a_link_that_is_closed_flushes_and_both_sides_hear_it_once() -> None:
    (near, near_ear), (far, far_ear) = pair()
    near.write(b"last words")
    near.close()
    near.write(b"dropped")
    await until(lambda: near_ear.losses and far_ear.losses)
    await rest(0.05)
    assert far_ear.heard == b"last words"
    assert near_ear.losses == ["closed"]
    assert far_ear.losses == ["closed by peer"]


@ensureDeferred
async def test_link_lost_never_comes_from_inside_a_call() -> None:
    (near, near_ear), (far, _) = pair()
    near.abort("enough")
    near.abort("twice")
    near.close()
    assert near_ear.losses == []
    await until(lambda: near_ear.losses)
    assert near_ear.losses == ["enough"]
    await ended(far)


@ensureDeferred
async def test_a_peer_that_resets_costs_the_link() -> None:
    near, far = sockets()
    _, ear = linked(near)
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    far.close()
    await until(lambda: ear.losses)
    assert len(ear.losses) == 1


@ensureDeferred
async def test_a_peer_that_half_closes_still_gets_what_was_written() -> None:
    near, far = sockets()
    link, ear = linked(near)
    ear.on_chunk = lambda chunk: link.write(b"answer to " + chunk)
    far.sendall(b"question")
    far.shutdown(socket.SHUT_WR)
    await until(lambda: ear.losses)
    assert far.recv(100) == b"answer to question"
    assert far.recv(100) == b""
    assert ear.losses == ["closed by peer"]
    far.close()


@ensureDeferred
async def test_a_slow_reader_is_cut_off() -> None:
    near, far = sockets(buffer=8192)
    link, ear = linked(near, QUICK)
    for _ in range(100):
        link.write(b"x" * 8192)
    await until(lambda: ear.losses, 0.25)
    assert ear.losses == ["slow reader"]
    assert link.buffered == 0
    far.close()


@ensureDeferred
async def test_a_peer_that_accepts_nothing_is_cut_off() -> None:
    near, far = sockets(buffer=8192)
    link, ear = linked(near, QUICK)
    while link.buffered == 0:
        link.write(b"x" * 4096)
    begin = time.monotonic()
    await until(lambda: ear.losses)
    assert ear.losses in (["peer accepts no bytes"], ["Connection timed out"])
    assert 0.2 < time.monotonic() - begin < 2
    far.close()


@ensureDeferred
async def test_a_peer_that_reads_slowly_but_reads_is_kept() -> None:
    near, far = sockets(buffer=8192)
    link, ear = linked(near, QUICK)
    while link.buffered < 32000:
        link.write(b"x" * 4096)
    far.setblocking(False)
    for _ in range(40):
        with contextlib.suppress(BlockingIOError):
            far.recv(2048)
        await rest(0.02)
    assert ear.losses == []
    await ended(link)
    far.close()


@ensureDeferred
@pytest.mark.parametrize("tls", [False, True])
async def test_close_ends_even_if_the_peer_never_reads(tls: bool, credentials, anchors: TrustAnchors) -> None:
    near, far = sockets(buffer=8192)
    link, ear = linked(near, LinkLimits(close_seconds=0.3))
    if tls:
        other, other_ear = linked(far)
        link.start_tls(server_context(credentials[0], anchors), server=True)
        other.start_tls(client_context(credentials[1], anchors), server=False)
        await until(lambda: ear.certificates and other_ear.certificates)
        other.pause_reading()
    while link.buffered < 20000:
        link.write(b"x" * 4096)
    link.close()
    await until(lambda: ear.losses, 1.5)
    assert ear.losses == ["closed; peer did not finish in time"]
    far.close() if not tls else await ended(other)


@ensureDeferred
async def test_close_over_tls_says_goodbye_so_that_nothing_is_cut_off_unseen(credentials, anchors) -> None:
    server, server_ear, caller, caller_ear = await secured(credentials, anchors)
    server.write(b"z" * 300_000)
    server.close()
    await until(lambda: server_ear.losses and caller_ear.losses)
    assert len(caller_ear.heard) == 300_000
    # Not "closed by peer without TLS close": close_notify came.
    assert (server_ear.losses, caller_ear.losses) == (["closed"], ["closed by peer"])


@ensureDeferred
async def test_a_stream_cut_off_without_tls_close_is_told_apart(credentials, anchors) -> None:
    server, _, caller, caller_ear = await secured(credentials, anchors)
    server._sock.shutdown(socket.SHUT_WR)
    await until(lambda: caller_ear.losses)
    assert caller_ear.losses == ["closed by peer without TLS close"]
    await ended(server)


@ensureDeferred
async def test_both_sides_learn_whom_they_speak_to(credentials, anchors) -> None:
    server, server_ear, caller, caller_ear = await secured(credentials, anchors)
    assert server.secure and caller.secure
    assert server.tls_version == "TLSv1.3" and "GCM" in (server.cipher or "")
    now = time.time()
    seen, served = server_ear.certificates[0], caller_ear.certificates[0]
    assert proves(seen, "partner.example", accept_server_only_eku=False, now=now)
    assert proves(served, "corp.example", accept_server_only_eku=False, now=now)
    assert not proves(served, "partner.example", accept_server_only_eku=False, now=now)
    await ended(server, caller)


@ensureDeferred
async def test_a_client_without_certificate_is_let_in_for_dialback(credentials, anchors) -> None:
    (server, server_ear), (caller, caller_ear) = pair()
    server.start_tls(server_context(credentials[0], anchors), server=True)
    caller.start_tls(client_context(None, anchors), server=False)
    await until(lambda: server_ear.certificates and caller_ear.certificates)
    assert server_ear.certificates == [None]
    await ended(server, caller)


@ensureDeferred
async def test_what_was_pipelined_in_plain_is_not_part_of_the_secured_stream(credentials, anchors) -> None:
    near, far = sockets()
    link, ear = linked(near)

    def upgrade(chunk: bytes) -> None:
        ear.on_chunk = None
        link.write(b"<proceed/>")
        link.start_tls(server_context(credentials[0], anchors), server=True)

    ear.on_chunk = upgrade
    far.sendall(b"<starttls/><message>injected</message>")
    await until(lambda: ear.heard)
    assert ear.heard == b"<starttls/><message>injected</message>"
    ear.heard.clear()
    assert far.recv(100) == b"<proceed/>"
    caller, caller_ear = linked(far)
    caller.start_tls(client_context(credentials[1], anchors), server=False)
    await until(lambda: ear.certificates and caller_ear.certificates)
    caller.write(b"<stream/>")
    await until(lambda: ear.heard)
    assert ear.heard == b"<stream/>"
    await ended(link, caller)


@ensureDeferred
async def test_plain_bytes_in_place_of_a_handshake_end_the_link(credentials, anchors) -> None:
    near, far = sockets()
    link, ear = linked(near)
    link.start_tls(server_context(credentials[0], anchors), server=True)
    far.sendall(b"<message>still in plain</message>")
    await until(lambda: ear.losses)
    assert ear.losses[0].startswith("TLS handshake failed: TLS:")
    assert ear.heard == b"" and ear.certificates == []
    far.close()


@ensureDeferred
async def test_a_handshake_that_does_not_come_is_cut_off(credentials, anchors) -> None:
    near, far = sockets()
    link, ear = linked(near, QUICK)
    link.start_tls(server_context(credentials[0], anchors), server=True)
    link.write(b"waits for the handshake")
    assert link.buffered == 23 and not link.secure
    await until(lambda: ear.losses)
    assert ear.losses == ["TLS handshake timed out"]
    far.close()


@ensureDeferred
async def test_bytes_written_during_the_handshake_follow_it(credentials, anchors) -> None:
    (server, server_ear), (caller, caller_ear) = pair()
    caller.start_tls(client_context(credentials[1], anchors), server=False)
    caller.write(b"early")
    server.start_tls(server_context(credentials[0], anchors), server=True)
    await until(lambda: server_ear.heard)
    assert server_ear.heard == b"early"
    await ended(server, caller)


@ensureDeferred
@pytest.mark.parametrize("piece", [200, 100_000])
async def test_twenty_megabytes_pass_both_ways_over_tls(piece: int, credentials, anchors) -> None:
    amount = 20 * MEGABYTE if piece > 1000 else 2 * MEGABYTE
    server, server_ear, caller, caller_ear = await secured(credentials, anchors)
    here, there = bytes(i % 251 for i in range(piece)), bytes(i % 241 for i in range(piece))
    from twisted.internet.defer import DeferredList
    from twisted.internet.defer import ensureDeferred as ensure

    await DeferredList([ensure(pour(server, amount, here)), ensure(pour(caller, amount, there))], fireOnOneErrback=True)
    count = -(-amount // piece)
    await until(lambda: len(server_ear.heard) >= count * piece and len(caller_ear.heard) >= count * piece, 20)
    assert server_ear.heard == there * count
    assert caller_ear.heard == here * count
    await ended(server, caller)


@ensureDeferred
async def test_a_paused_link_reads_nothing_and_loses_nothing(credentials, anchors) -> None:
    server, server_ear, caller, _ = await secured(credentials, anchors)
    server.pause_reading()
    caller.write(b"a" * 50_000)
    await rest(0.05)
    assert server_ear.heard == b""
    server.resume_reading()
    await until(lambda: len(server_ear.heard) == 50_000)
    await ended(server, caller)


@ensureDeferred
async def test_one_read_event_is_one_chunk() -> None:
    near, far = sockets()
    far.sendall(b"a" * 1000)
    far.sendall(b"b" * 1000)
    link, ear = linked(near)
    await until(lambda: len(ear.heard) == 2000)
    assert ear.chunks == 1
    await ended(link)
    far.close()


@ensureDeferred
async def test_a_receiver_that_fails_costs_its_own_link_only(caplog: pytest.LogCaptureFixture) -> None:
    (near, near_ear), (far, far_ear) = pair()

    def fail(chunk: bytes) -> None:
        raise ValueError(chunk)

    far_ear.on_chunk = fail
    near.write(b"secret words")
    await until(lambda: far_ear.losses and near_ear.losses)
    assert far_ear.losses == ["internal error"]
    assert "secret" not in caplog.text


@ensureDeferred
async def test_direct_tls_carries_server_name_and_protocol(credentials, anchors, authority) -> None:
    asked: list[str] = []
    other = server_context(authority.credentials_for("ally.example"), anchors)

    def select(name: str):
        asked.append(name)
        return other if name == "ally.example" else None

    (server, server_ear), (caller, caller_ear) = pair()
    server.start_tls(server_context(credentials[0], anchors, select), server=True)
    context = client_context(credentials[1], anchors)
    caller.start_tls(context, server=False, server_name="Ally.example", alpn=(ALPN_XMPP_SERVER,))
    await until(lambda: server_ear.certificates and caller_ear.certificates)
    assert asked == ["ally.example"]
    assert caller._tls.get_alpn_proto_negotiated() == b"xmpp-server"
    now = time.time()
    assert proves(caller_ear.certificates[0], "ally.example", accept_server_only_eku=False, now=now)
    # The client's chain is judged in the context that was chosen, too.
    assert proves(server_ear.certificates[0], "partner.example", accept_server_only_eku=False, now=now)
    await ended(server, caller)


@ensureDeferred
async def test_a_link_meant_for_another_protocol_fails(credentials, anchors) -> None:
    (server, server_ear), (caller, caller_ear) = pair()
    server.start_tls(server_context(credentials[0], anchors), server=True)
    caller.start_tls(client_context(None, anchors), server=False, alpn=("http/1.1",))
    await until(lambda: server_ear.losses and caller_ear.losses)
    assert server_ear.losses[0] == "TLS handshake failed: TLS: no common application protocol"


@ensureDeferred
async def test_an_ordinary_tls_client_of_another_make_gets_in(credentials, anchors) -> None:
    near, far = sockets()
    link, ear = linked(near)
    ear.on_chunk = lambda chunk: link.write(chunk.upper())
    link.start_tls(server_context(credentials[0], anchors), server=True)
    answers: list[bytes] = []

    def call() -> None:
        context = ssl.create_default_context(cafile=str(anchors.ca_file))
        with context.wrap_socket(far, server_hostname="corp.example") as sock:
            sock.sendall(b"hello")
            answers.append(sock.recv(100))

    thread = threading.Thread(target=call)
    thread.start()
    await until(lambda: ear.losses)
    thread.join()
    assert answers == [b"HELLO"]


@ensureDeferred
async def test_tls_starts_once(credentials, anchors) -> None:
    server, _, caller, _ = await secured(credentials, anchors)
    with pytest.raises(RuntimeError):
        server.start_tls(server_context(credentials[0], anchors), server=True)
    await ended(server, caller)


def test_the_peer_of_a_dead_socket_is_unknown() -> None:
    near, far = sockets()
    near.close()
    far.close()
    with pytest.raises(OSError):
        Link(reactor, near, Ear())
