"""F5, F10, F12, F14, F15, F16: names, certificates, clocks, wires, bounds of the system, and the policy itself."""

import asyncio
import datetime
import os
import resource
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from tests.faults.case import Case, Form
from tests.faults.disk import goes_on, taken_again
from tests.faults.gateway_process import Terms
from tests.faults.history import Kind
from tests.faults.peers import break_off
from tests.faults.world import World

NAMES = "127.0.0.53"
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
MOST_THREADS = 40
NFT = "/usr/sbin/nft"
_RIGHT = (
    "srv-host=_xmpp-server._tcp.partner.example,xmpp.partner.example,5269,0,5",
    "address=/xmpp.partner.example/127.0.0.202",
)
_RUNNING: "dict[Path, subprocess.Popen[bytes]]" = {}
"""The resolver of each run, by its folder; it ends with the sandbox."""


def _by_name(folder: Path) -> Terms:
    terms = Terms(outside=f'dns = ["{NAMES}"]')
    terms.partners["partner.example"] = ""
    _resolve(folder, *_RIGHT)
    return terms


def _resolve(folder: Path, *records: str) -> None:
    """Starts a resolver that knows these records and nothing else, in the place of the one that runs."""
    if folder in _RUNNING:
        _RUNNING[folder].kill()
        _RUNNING[folder].wait()
    lines = ["no-resolv", "no-hosts", "bind-interfaces", "keep-in-foreground", "user=root", f"listen-address={NAMES}"]
    lines += [f"pid-file={folder}/dns.pid", "local=/#/", "local-ttl=1", *records]
    (folder / "dns.conf").write_text("\n".join(lines) + "\n")
    _RUNNING[folder] = subprocess.Popen(["dnsmasq", "-C", str(folder / "dns.conf")])


async def names(world: World, form: Form) -> None:
    """The resolver hangs, then says that the partner does not exist, then is back; the stream is broken meanwhile."""
    for how in ("hangs", "denies"):
        if how == "denies":
            _resolve(world.folder)
        else:
            os.kill(_RUNNING[world.folder].pid, signal.SIGSTOP)
        await asyncio.sleep(2.0)
        break_off(world.outside, "reset")
        await asyncio.sleep(form.seconds)
        threads = len(os.listdir(f"/proc/{world.gateway.pid}/task"))
        world.remarks.append(f"DNS {how}: {threads} threads")
        if threads > MOST_THREADS:
            world.wrong.append(f"{threads} threads while DNS {how}")
        _resolve(world.folder, *_RIGHT)
        await world.until(lambda: bool(world.outside.ins), f"stream to the partner after DNS {how}")
        await world.links()


async def certificates(world: World, form: Form) -> None:
    """Ours is exchanged under load: no stream ends. The partner's has expired: no stream; a new one: all arrives."""
    await asyncio.sleep(1.0)
    before = len([event for event in world.events() if event.kind is Kind.UNCLEAN])
    streams = list(world.outside.ins), world.outside.out
    for _ in range(form.times):
        world.authority.issue("corp.example")
        await world.gateway.ask("reload")
        await asyncio.sleep(1.0)
    after = len([event for event in world.events() if event.kind is Kind.UNCLEAN])
    if after != before or (list(world.outside.ins), world.outside.out) != streams:
        world.wrong.append("a stream ended because our certificate was exchanged")
    await goes_on(world, "certificates were exchanged")
    good = {name: (world.folder / "pki" / f"partner.example.{name}").read_bytes() for name in ("pem", "crt", "key")}
    ends = expire(world, 3.0)
    break_off(world.outside, "reset")
    await world.until(lambda: bool(world.outside.ins), "stream with a certificate that ends soon", 30.0)
    await asyncio.sleep(max(0.0, ends - time.time()))
    await world.until(lambda: not world.outside.ins, "end of the stream whose certificate has expired", 90.0)
    late = time.time() - ends
    await asyncio.sleep(form.seconds)
    if world.outside.ins:
        world.wrong.append("a stream was set up with a certificate that has expired")
    for name, octets in good.items():
        (world.folder / "pki" / f"partner.example.{name}").write_bytes(octets)
    world.remarks.append(f"{form.times} exchanges without a drop; cut {late:.0f} s after the end of the partner's")
    await world.until(lambda: bool(world.outside.ins), "stream with the new certificate")


def expire(world: World, seconds: float) -> float:
    """Gives the partner a certificate that ends soon; gives when, in POSIX seconds (whole ones, as X.509 has them)."""
    end = datetime.datetime.now(datetime.UTC).replace(microsecond=0) + datetime.timedelta(seconds=seconds)
    world.authority.issue("partner.example", ends=end)
    return end.timestamp()


def _false_clock(folder: Path) -> Terms:
    (folder / "clock").write_text("+0\n")
    return Terms(
        environment={
            "LD_PRELOAD": FAKETIME,
            "FAKETIME_TIMESTAMP_FILE": str(folder / "clock"),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
    )


async def clock(world: World, form: Form) -> None:
    """Wall time jumps by two hours, forth and back, and trembles: no stream ends, nothing stands still."""
    streams = list(world.inside.ins), world.inside.out, list(world.outside.ins), world.outside.out
    for step in ("+7200", "+0", "-7200", "+1", "-1", "+0") if form.long else ("+7200", "-7200", "+0"):
        (world.folder / "clock").write_text(step + "\n")
        await asyncio.sleep(max(2.5, form.seconds / 2))
        await goes_on(world, f"the clock stands at {step} s")
        await taken_again(world, f"a step to {step} s")
    if (list(world.inside.ins), world.inside.out, list(world.outside.ins), world.outside.out) != streams:
        world.wrong.append("a step of the clock ended a stream")
    bounced = [event for event in world.events() if event.kind is Kind.BOUNCED]
    if bounced:
        world.wrong.append(f"{len(bounced)} messages came back, e.g. {bounced[0].name}: {bounced[0].detail}")


async def bad_wire(world: World, form: Form) -> None:
    """One packet in a hundred, then one in twenty, is lost: slower, but nothing is given up for dead."""
    rules = "add table inet loss; add chain inet loss in { type filter hook input priority 0; }; "
    for percent in (1, 5):
        lose = f"add rule inet loss in tcp dport 5269 numgen random mod 100 < {percent} drop; "
        lose += f"add rule inet loss in tcp sport 5269 numgen random mod 100 < {percent} drop"
        subprocess.run([NFT, rules + lose], check=True)
        try:
            await asyncio.sleep(form.seconds)
            await goes_on(world, f"{percent} % are lost")
            await taken_again(world, f"{percent} % of loss")
        finally:
            subprocess.run([NFT, "delete table inet loss"], check=True)
    await world.links()


async def few_resources(world: World, form: Form) -> None:
    """As many connections as there are descriptors, and more: no wild spin, and all is well when they are gone."""
    used = world.gateway.descriptors()
    _, most = resource.prlimit(world.gateway.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(world.gateway.pid, resource.RLIMIT_NOFILE, (used + 40, most))
    opened: list[asyncio.StreamWriter] = []
    for number in range(200):
        with suppress(OSError):
            source = (f"127.0.40.{number + 1}", 0)
            opened.append((await asyncio.open_connection("127.0.0.101", 5269, local_addr=source))[1])
    await asyncio.sleep(form.seconds)
    await goes_on(world, "no descriptor is left")
    for writer in opened:
        writer.transport.abort()
    resource.prlimit(world.gateway.pid, resource.RLIMIT_NOFILE, (most, most))
    await world.until(lambda: world.gateway.descriptors() < used + 30, "end of the surplus connections", 60.0)
    await taken_again(world, "descriptors ran out")
    began = time.monotonic()
    break_off(world.outside, "reset")
    if await world.links():
        took = time.monotonic() - began
        world.remarks.append(f"{len(opened)} connections on 40 descriptors; a new stream {took:.1f} s after")


async def levels(world: World, form: Form) -> None:
    """Levels go down and up without pause, while streams break and the process is killed."""
    wanted = 10_000 if form.long else 300
    done = 0
    times: list[float] = []
    while done < wanted:
        number = world.dice.randrange(world.people)
        narrow = world.person(number) not in world.narrow
        began = time.monotonic()
        if await world.set_level(number, narrow=narrow) and narrow:
            times.append(time.monotonic() - began)
        done += 1
        if done % 100 == 50:
            break_off(world.outside, "reset")
        if done % 200 == 199:
            await world.gateway.kill()
            await world.gateway.start()
            await world.links()
    times.sort()
    middle, most = times[len(times) // 2] * 1e3, times[len(times) * 99 // 100] * 1e3
    world.remarks.append(f"{done} changes; p50 {middle:.0f} ms, p99 {most:.0f} ms until confirmed")


CASES = (
    Case("F5", "DNS hangs, denies, is back", names, _by_name, programs=("dnsmasq",)),
    Case("F10", "certificates exchanged under load, and expired", certificates),
    Case("F12", "the clock jumps two hours forth and back", clock, _false_clock, programs=("faketime",)),
    Case("F14", "packets are lost", bad_wire, programs=("nft",)),
    Case("F15", "no descriptors are left", few_resources),
    Case("F16", "levels change without pause while streams break and the process is killed", levels),
)
