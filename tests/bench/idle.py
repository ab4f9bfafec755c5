"""Measures the resident memory that one idle S2S stream (TLS, EXTERNAL) from a domain of its own costs a server.

`python -m tests.bench.idle --server gateway` (or prosody, ejabberd) starts it in a sandbox; `--gateway-pid PID
--address A --port P --domain corp.example --credentials FOLDER` measures a process that runs already (FOLDER: ca.crt
and load.example.pem).
"""

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path as Folder

from attrs import frozen

from tests.bench import sandbox
from tests.bench.gateway_streams import NEIGHBOURHOOD, Endpoint
from tests.bench.gateway_under_test import GatewayUnderTest
from tests.bench.pki import Credentials
from tests.bench.procfs import cpu_nanoseconds, resident_kib
from tests.bench.servers import PLAIN_SERVERS, S2S_PORT, Room, Server
from tests.bench.streams import OpenStream, open_s2s

SETTLE_SECONDS = 3.0
WARMING_STREAMS = 20
"""Opened before counting begins: a server allocates what all streams share with the first ones."""
TARGET_KIB = 40.0


@frozen
class Idle:
    """What N idle streams cost a process."""

    streams: int
    before_kib: int
    half_kib: int
    after_kib: int
    setup_ms: float
    idle_ms_per_second: float

    @property
    def kib_per_stream(self) -> float:
        """Return the resident memory per stream after the warming ones."""
        return (self.after_kib - self.before_kib) / self.streams

    @property
    def kib_per_further_stream(self) -> float:
        """Return the resident memory per stream of the second half alone."""
        return (self.after_kib - self.half_kib) / (self.streams - self.streams // 2)

    def sentence(self, name: str) -> str:
        """Return the result in one line."""
        return (
            f"{name}: {self.streams} idle streams, {self.kib_per_stream:.1f} KiB each "
            f"({self.kib_per_further_stream:.1f} in the second half), {self.before_kib / 1024:.1f} -> "
            f"{self.after_kib / 1024:.1f} MiB, {self.setup_ms:.2f} ms CPU per set-up, "
            f"{self.idle_ms_per_second:.2f} ms CPU/s idle"
        )

    def verdict(self) -> str:
        """Return whether the gateway's target is met."""
        return f"; target {TARGET_KIB:.0f} KiB: {'ok' if self.kib_per_stream <= TARGET_KIB else 'MISSED'}"


def measure(pid: int, face: Endpoint, credentials: Credentials, streams: int) -> Idle:
    """Open `streams` idle streams from dN.load.example to `face` and read what they cost the process `pid`."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    kept = _open(face, credentials, range(streams, streams + WARMING_STREAMS))
    time.sleep(SETTLE_SECONDS)
    before, cpu_before = resident_kib(pid), cpu_nanoseconds(pid)
    kept += _open(face, credentials, range(streams // 2))
    half = resident_kib(pid)
    kept += _open(face, credentials, range(streams // 2, streams))
    cpu_after = cpu_nanoseconds(pid)
    time.sleep(SETTLE_SECONDS)
    idle_ms = (cpu_nanoseconds(pid) - cpu_after) / 1e6 / SETTLE_SECONDS
    after = resident_kib(pid)
    for stream in kept:
        stream.sock.close()
    return Idle(streams, before, half, after, (cpu_after - cpu_before) / 1e6 / streams, idle_ms)


def _open(face: Endpoint, credentials: Credentials, numbers: range) -> list[OpenStream]:
    tls = credentials.tls("load.example", server=False)
    opened = [
        open_s2s(face.address, face.port, f"d{number}.load.example", face.domain, credentials, tls)
        for number in numbers
    ]
    time.sleep(1.0)
    return opened


def _start(room: Room, name: str, streams: int) -> tuple[Server, Endpoint]:
    if name == "gateway":
        gateway = GatewayUnderTest(idle_partners=streams + WARMING_STREAMS)
        gateway.start(room, 0)
        return gateway, NEIGHBOURHOOD.outside_face
    server = PLAIN_SERVERS[name]
    server.start(room, 0)
    return server, Endpoint(server.face.address, S2S_PORT, server.face.domain)


def _measure_started(name: str, streams: int) -> Idle:
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder:
        room = Room.create(Folder(folder))
        try:
            server, face = _start(room, name, streams)
            os.sched_setaffinity(0, {1})
            return measure(server.pid, face, Credentials(room.authority.directory), streams)
        finally:
            room.close()


def main(arguments: Sequence[str]) -> None:
    """Measure one server and print one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", choices=["gateway", *PLAIN_SERVERS], help="start it in a sandbox")
    parser.add_argument("--gateway-pid", type=int)
    parser.add_argument("--address", default="127.0.0.101")
    parser.add_argument("--port", type=int, default=S2S_PORT)
    parser.add_argument("--domain", default="corp.example")
    parser.add_argument("--credentials", type=Folder)
    parser.add_argument("--streams", type=int, default=500)
    options = parser.parse_args(arguments)
    if options.server:
        sandbox.enter("tests.bench.idle", arguments, ["dnsmasq"])
        result = _measure_started(options.server, options.streams)
    elif options.gateway_pid and options.credentials:
        face = Endpoint(options.address, options.port, options.domain)
        result = measure(options.gateway_pid, face, Credentials(options.credentials), options.streams)
    else:
        parser.error("either --server, or --gateway-pid with --credentials")
    name = options.server or "gateway"
    sys.stdout.write(result.sentence(name) + (result.verdict() if name == "gateway" else "") + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
