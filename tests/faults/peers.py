"""F6, F7, F8, F9: partners that hang, break off, read nothing, never finish, or come and go."""

import asyncio
import contextlib
import socket
import struct
import time
from functools import partial

from tests.faults.case import Case, Form
from tests.faults.checker import Terms as Promises
from tests.faults.disk import goes_on
from tests.faults.gateway_process import Terms
from tests.faults.history import Kind
from tests.faults.neighbour import Neighbour
from tests.faults.wire import Established, accept, initiate
from tests.faults.world import World

RESET = struct.pack("ii", 1, 0)
HALF_SECONDS = 0.2
"""From the half stanza to the end of its connection."""
SLOW = "slow.example"
SLOW_ADDRESS = "127.0.0.203"
HEADER = b"<?xml version='1.0'?><stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/str"


def break_off(peer: Neighbour, how: str) -> None:
    """Ends all streams of a neighbour: reset, or after half a stanza, or with a plain end of the connection."""
    for stream in [*peer.ins, *([peer.out] if peer.out else [])]:
        transport = stream.wire.writer.transport
        sock = transport.get_extra_info("socket")
        if how == "reset" and sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        elif how == "half":
            stream.wire.send(b"<message from='v1@partner.example' to='u1@corp.example'><body>never fin")
            asyncio.get_running_loop().call_later(HALF_SECONDS, transport.abort)
            continue
        transport.abort()


async def breaking(world: World, form: Form) -> None:
    """Half-open, reset, end in the middle of a stanza, by turns on both sides."""
    turns = max(3, form.times * 2)
    for turn in range(turns):
        await asyncio.sleep(world.dice.uniform(0.5, 1.5))
        peer = world.dice.choice((world.inside, world.outside))
        how = ("reset", "half", "hang")[turn % 3]
        if how != "hang":
            break_off(peer, how)
            await asyncio.sleep(2 * HALF_SECONDS)
        else:
            await _hang(world, peer)
        if not await world.links():
            return
    world.remarks.append(f"{turns} streams broken")


async def _hang(world: World, peer: Neighbour) -> None:
    """A machine that answers nothing: its streams must be given up (pings after 2 s, 3 s for the answer)."""
    began, streams = time.monotonic(), list(peer.ins)
    peer.deaf = True
    given_up = partial(_another, peer, streams)
    await world.until(given_up, f"new stream to {peer.domain}, which hangs", 60.0)
    world.remarks.append(f"{peer.domain} hung: given up after {time.monotonic() - began:.1f} s")
    break_off(peer, "reset")
    peer.deaf = False


def _another(peer: Neighbour, streams: list[Established]) -> bool:
    """Says whether the gateway has set up a stream that is none of these."""
    return any(stream not in streams for stream in peer.ins)


def _with_slow_partner(_folder: object) -> Terms:
    terms = Terms()
    terms.partners[SLOW] = f'route = "{SLOW_ADDRESS}:5269"'
    return terms


async def slow_reader(world: World, form: Form) -> None:
    """A second partner takes one byte a second of what is sent to it: it is cut, and nobody else notices."""
    world.authority.issue(SLOW)
    streams: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(Exception):
            stream = await accept(reader, writer, world.outside.server_tls, counts=False)
            streams.append(writer)
            sock = writer.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            while not stream.wire.writer.is_closing():
                await asyncio.sleep(1.0)
                await reader.read(1)

    server = await asyncio.start_server(serve, SLOW_ADDRESS, 5269, limit=4096)
    before = world.gateway.resident_mib()
    tls = world.inside.client_tls()
    stream = await initiate("127.0.0.100", 5269, "corp.example", SLOW, tls)
    body = "x" * 2000
    peak = before
    deadline = time.monotonic() + max(20.0, form.seconds)
    while time.monotonic() < deadline:
        for number in range(100):
            head = f"<message type='chat' from='u1@corp.example/r' to='z{number}@{SLOW}' id='s{number}'>"
            stream.wire.send(f"{head}<body>{body}</body></message>".encode())
        await asyncio.sleep(0.2)
        peak = max(peak, world.gateway.resident_mib())
    await goes_on(world, "a partner reads 1 B/s")
    world.remarks.append(f"1 B/s: {len(streams)} streams, one after the other, memory +{peak - before:.1f} MiB")
    if len(streams) < 2:
        world.wrong.append("the partner that reads nothing was not cut")
    if peak - before > 64:
        world.wrong.append(f"memory grew by {peak - before:.0f} MiB")
    stream.wire.abort()
    server.close()
    for writer in streams:
        writer.transport.abort()


async def half_headers(world: World, form: Form) -> None:
    """Thousands of connections that send half a stream header: bounded memory, and a good peer still gets in."""
    count = 5000 if form.long else 500
    before, failed = world.gateway.resident_mib(), 0
    opened: list[asyncio.StreamWriter] = []
    for number in range(count):
        source = f"127.0.{number // 200 + 10}.{number % 200 + 1}"
        try:
            _, writer = await asyncio.open_connection("127.0.0.101", 5269, local_addr=(source, 0))
            writer.write(HEADER)
            opened.append(writer)
        except OSError:
            failed += 1
    grown = world.gateway.resident_mib() - before
    began = time.monotonic()
    good = await initiate("127.0.0.101", 5269, "partner.example", "corp.example", world.outside.client_tls())
    took = time.monotonic() - began
    good.wire.good_bye()
    await goes_on(world, f"{count} half headers are open")
    await world.until(lambda: world.gateway.descriptors() < count // 2, "end of the half headers", 60.0)
    text = f"{len(opened)} half headers ({failed} refused), +{grown:.1f} MiB"
    world.remarks.append(f"{text}, a good peer was in after {took:.1f} s")
    if grown > 64:
        world.wrong.append(f"half headers took {grown:.0f} MiB")
    for writer in opened:
        writer.transport.abort()


async def flapping(world: World, form: Form) -> None:
    """Both neighbours, and the gateway itself, end their streams in order and come back: nothing comes twice."""
    until = time.monotonic() + form.seconds * 2
    flaps = stops = 0
    while time.monotonic() < until or stops < form.times:
        await asyncio.sleep(world.dice.uniform(1.0, 2.0 if not form.long else 10.0))
        world.dice.choice((world.inside, world.outside)).depart()
        flaps += 1
        if not await world.links():
            return
        if flaps % 2:
            await asyncio.sleep(world.dice.uniform(0.5, 1.5))
            stops += 1
            if status := await world.gateway.stop():
                world.wrong.append(f"an orderly end under load gave {status}")
            await world.gateway.start()
            if not await world.links():
                return
    broken = sum(event.kind is Kind.UNCLEAN for event in world.events())
    world.remarks.append(f"{flaps} times a neighbour away and back, {stops} times the gateway")
    if broken:
        world.wrong.append(f"{broken} streams ended without a good-bye")


CASES = (
    Case("F6", "a peer hangs, resets, ends in the middle of a stanza", breaking),
    Case("F7", "a reader of 1 B/s", slow_reader, _with_slow_partner),
    Case("F8", "thousands of half stream headers", half_headers),
    Case("F9", "neighbours and gateway come and go in order", flapping, promises=Promises()),
)
