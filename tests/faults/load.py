"""`python -m tests.faults.load messages|links|handshakes|subscriptions|soak`: what one gateway carries on this machine.

messages: --rate per second, for --seconds. links: idle TLS streams of --count domains. handshakes: streams set up and
ended, by two processes, for --seconds. subscriptions: --count pairs shown again after a restart. soak: the usual load
for --hours; the slope of memory after the first tenth.
"""

import argparse
import asyncio
import multiprocessing
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from statistics import linear_regression
from typing import Any

from tests.bench import idle, sandbox
from tests.bench.arithmetic import percentile
from tests.bench.pki import Credentials
from tests.bench.procfs import cpu_nanoseconds
from tests.bench.streams import StreamRefused, open_s2s
from tests.faults.__main__ import say
from tests.faults.gateway_process import Terms
from tests.faults.history import Kind
from tests.faults.world import Rates, World

CALLERS = 2
"""Processes that call."""
TURNS = 12
"""Streams that each sets up at the same time."""


async def lag(world: World) -> float:
    """Gives how late the gateway's one-second timer fired last, in milliseconds."""
    return 1e3 * (await world.gateway.metrics()).get("gateway_reactor_lag_seconds", float("nan"))


async def messages(folder: Path, options: argparse.Namespace) -> None:
    """Measures the time from a message to its confirmation, which asks for a commit, and to its delivery."""
    world = World(folder, 1, Terms(), Rates(options.rate, 0.0, 0.0), ask_seconds=0.005)
    await world.open()
    began, cpu, lags = time.monotonic(), cpu_nanoseconds(world.gateway.pid), []
    while time.monotonic() < began + options.seconds:
        await asyncio.sleep(1.0)
        lags.append(await lag(world))
    passed, used = time.monotonic() - began, (cpu_nanoseconds(world.gateway.pid) - cpu) / 1e9
    await world.settle()
    events = [event for event in world.events() if event.at >= began]
    sent = {event.name: event.at for event in events if event.kind is Kind.SENT}
    for kind in (Kind.ACCEPTED, Kind.DELIVERED):
        times = sorted(int(1e6 * (e.at - sent[e.name])) for e in events if e.kind is kind and e.name in sent)
        p50, p99 = percentile(times, 0.5) / 1e3, percentile(times, 0.99) / 1e3
        say(f"{kind}: {len(times)} of {len(sent)} ({len(sent) / passed:.0f}/s), p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    say(f"gateway: {100 * used / passed:.0f} % of a core, timer late by {max(lags):.1f} ms at most")
    say(str(await world.close()))


async def subscriptions(folder: Path, options: argparse.Namespace) -> None:
    """Measures how long it takes after a restart until every contact has been shown his person again."""
    world = World(folder, 1, Terms(), Rates(0.0, 0.0, 0.0), people=options.count)
    world.patience = 1800.0
    before = 0.0
    await world.inside.open()
    await world.outside.open()
    await world.gateway.start()
    await world.links()
    before = world.gateway.resident_mib()
    await world.befriend()
    full = world.gateway.resident_mib()
    say(f"{options.count} pairs: {1024 * (full - before) / options.count:.2f} KiB each")
    await world.gateway.kill()
    mark = time.monotonic()
    await world.gateway.start()
    seen: set[str] = set()
    at = len(world.outside.history.events)
    while len(seen) < options.count and time.monotonic() < mark + 1800:
        await asyncio.sleep(0.2)
        fresh, at = world.outside.history.events[at:], len(world.outside.history.events)
        seen |= {event.who for event in fresh if event.kind is Kind.SEEN and event.at > mark}
    took, rss = time.monotonic() - mark, world.gateway.resident_mib()
    say(
        f"{len(seen)} shown again {took:.1f} s after the start, {rss:.0f} MiB, "
        f"{(rss - before) * 1024 / options.count:.2f} KiB each"
    )
    say(str(await world.close()))


async def soak(folder: Path, options: argparse.Namespace) -> None:
    """Measures the slope of the memory under the usual load."""
    world = World(folder, 1, Terms(), Rates(), remembers=False)
    await world.open()
    began, samples = time.monotonic(), []
    while (passed := time.monotonic() - began) < options.hours * 3600:
        await asyncio.sleep(5.0)
        samples.append((passed / 3600, world.gateway.resident_mib(), world.gateway.descriptors()))
    settled = samples[len(samples) // 10 :]
    slope = linear_regression([sample[0] for sample in settled], [sample[1] for sample in settled]).slope
    files = {sample[2] for sample in settled}
    first, last = settled[0][1], settled[-1][1]
    text = f"{options.hours:g} h: {slope:+.2f} MiB/h, {first:.1f} -> {last:.1f} MiB"
    say(f"{text}, {min(files)} to {max(files)} files")
    errors = [line for line in world.gateway.log.read_text().splitlines() if '"critical"' in line]
    say(f"{len(errors)} unhandled errors; {await world.close()}")


def _call_in_turns(credentials: Credentials, seconds: float, done: Any) -> None:
    turns = [threading.Thread(target=_call, args=(credentials, seconds, done)) for _ in range(TURNS)]
    for turn in turns:
        turn.start()
    for turn in turns:
        turn.join()  # a process whose first thread ends does not hand on what the others still put into the queue


def _call(credentials: Credentials, seconds: float, done: Any) -> None:
    tls, count = credentials.tls("partner.example", server=False), 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            open_s2s("127.0.0.101", 5269, "partner.example", "corp.example", credentials, tls).sock.close()
            count += 1
        except (OSError, StreamRefused):
            continue
    done.put(count)


async def handshakes(folder: Path, options: argparse.Namespace) -> None:
    """Counts the streams that are set up whole (TLS on both sides with certificates, EXTERNAL) per second."""
    world = World(folder, 1, Terms(), Rates(0.0, 0.0, 0.0), people=1)
    await world.open()
    done: Any = multiprocessing.Queue()
    credentials = Credentials(folder / "pki", (folder / "state" / "inside-ca" / "ca.crt",))
    began, cpu = time.monotonic(), cpu_nanoseconds(world.gateway.pid)
    callers = [
        multiprocessing.Process(target=_call_in_turns, args=(credentials, options.seconds, done))
        for _ in range(CALLERS)
    ]
    for caller in callers:
        caller.start()
    counts = [await asyncio.to_thread(done.get) for _ in range(CALLERS * TURNS)]
    passed, used = time.monotonic() - began, (cpu_nanoseconds(world.gateway.pid) - cpu) / 1e9
    say(f"{sum(counts) / passed:.0f} streams/s, {1e3 * used / max(1, sum(counts)):.2f} ms of CPU each")
    await world.close()


WORKS: Mapping[str, Callable[[Path, argparse.Namespace], Coroutine[Any, Any, None]]] = {
    work.__name__: work for work in (messages, subscriptions, soak, handshakes)
}


def main(arguments: Sequence[str]) -> None:
    """Measures one thing and prints it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=[*WORKS, "links"])
    parser.add_argument("--rate", type=float, default=500.0)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--hours", type=float, default=8.0)
    options = parser.parse_args(arguments)
    if options.what == "links":
        idle.main(["--server", "gateway", "--streams", str(options.count)])
        return
    sandbox.enter("tests.faults.load", arguments, [])
    with tempfile.TemporaryDirectory(prefix="gateway-load-") as folder:
        asyncio.run(WORKS[options.what](Path(folder), options))


if __name__ == "__main__":
    main(sys.argv[1:])
