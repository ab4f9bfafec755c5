"""Measures CPU seconds per 100,000 stanzas of S2S in -> S2S out, for the gateway and for plain servers, in one run.

`python -m tests.bench.hop --quick` needs root, two cores, and the Debian packages prosody, ejabberd, dnsmasq, iproute2.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path as Folder

from attrs import asdict, define, field, frozen

from tests.bench import report, sandbox
from tests.bench.gateway_streams import GatewayStreams
from tests.bench.gateway_under_test import NOT_DURABLE, GatewayUnderTest
from tests.bench.generator import Generator, Load, Measurement, Stalled, Subject
from tests.bench.legs import PlainLegs
from tests.bench.path import Path, StreamClosed
from tests.bench.pki import Credentials
from tests.bench.report import Row
from tests.bench.servers import PLAIN_SERVERS, Room, Server
from tests.bench.stanzas import CELLS, Cell
from tests.bench.streams import StreamRefused

SERVER_CORE, GENERATOR_CORE = 0, 1
WINDOW = PAIRS = 1000
"""A pair never has two stanzas in flight, so a queue that keeps only the newest presence loses none."""
SATURATION_SECONDS = 2.0
STANZAS_PER_SECOND = {"prosody": 8_000, "prosody-gen": 10_000, "ejabberd": 25_000, "gateway": 25_000}
"""A guess at each system's speed, from which the number of stanzas at saturation follows."""


@frozen
class Plan:
    """What is measured."""

    systems: list[str]
    cells: list[Cell]
    rates: list[float | None]
    repeat: int
    seconds: float
    tick: float

    def load_for(self, system: str, rate: float | None) -> Load:
        """Return the load of one run: a third of the measured time is warmed up first."""
        stanzas = int((rate or STANZAS_PER_SECOND[system]) * self.seconds)
        return Load(stanzas, max(PAIRS, stanzas // 3), rate, WINDOW, PAIRS, self.tick)


@define
class Bench:
    """Opens the legs of every system in turn and measures them."""

    plan: Plan
    openers: dict[str, Mapping[str, Callable[[], Path]]] = field(factory=dict)
    subjects: dict[str, Subject] = field(factory=dict)
    tended: list[GatewayStreams] = field(factory=list)
    rows: list[Row] = field(factory=list)
    failures: list[str] = field(factory=list)

    def add(self, server: Server, openers: Mapping[str, Callable[[], Path]]) -> None:
        """Take a started server into the round."""
        self.openers[server.name] = openers
        self.subjects[server.name] = Subject(server.pid, SERVER_CORE)

    def run(self) -> None:
        """Measure everything; the systems take turns within each cell, so that a slow phase hits all alike."""
        for repetition in range(self.plan.repeat):
            for rate in self.plan.rates:
                for cell in self.plan.cells:
                    for system in self.plan.systems:
                        self._measure(system, cell, rate, repetition)

    def _measure(self, system: str, cell: Cell, rate: float | None, repetition: int) -> None:
        for leg, opener in self.openers[system].items():
            try:
                figures = self._measure_leg(opener(), cell, self.plan.load_for(system, rate), self.subjects[system])
            except (Stalled, StreamClosed, StreamRefused, OSError) as failure:
                self.failures.append(f"{system}, leg {leg}, {cell.name} at {report.offered(rate)}: {failure!r}")
                sys.stderr.write(f"FAILED {self.failures[-1]}\n")
                continue
            self.rows.append(Row(system, cell.name, rate, repetition, leg, figures))
            sys.stderr.write(report.progress(self.rows[-1]) + "\n")
        for streams in self.tended:
            streams.tend()

    def _measure_leg(self, path: Path, cell: Cell, load: Load, subject: Subject) -> Measurement:
        try:
            return Generator(path, cell, load, subject).run()
        except (Stalled, StreamClosed):
            path.abandon()
            raise
        finally:
            path.close()


def _rate(word: str) -> float | None:
    return None if word == "saturation" else float(word)


def _plan(arguments: Sequence[str]) -> tuple[Plan, argparse.Namespace]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default="prosody,prosody-gen,ejabberd", help="plain servers, or empty")
    parser.add_argument("--gateway", action="store_true", help="measure the gateway of this checkout, too")
    parser.add_argument(
        "--durable", action="store_true", help="the gateway keeps messages on disk, as no plain server does"
    )
    parser.add_argument("--cells", default=",".join(CELLS))
    parser.add_argument("--rates", default="saturation,500,2000")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="measured seconds per leg (default 4)")
    parser.add_argument("--tick", type=float, default=0.001, help="seconds between writes; 0: every stanza alone")
    parser.add_argument("--nice", type=int, default=0, help="-15 keeps other users of the machine out of the figures")
    parser.add_argument("--json", type=Folder, help="write every measured leg to this file")
    parser.add_argument("--quick", action="store_true", help="one repetition of 1.5 s per leg")
    options = parser.parse_args(arguments)
    if options.quick:
        options.repeat, options.seconds = 1, 1.5
    systems = (["gateway"] if options.gateway else []) + [name for name in options.peers.split(",") if name]
    cells = [CELLS[name] for name in options.cells.split(",")]
    rates = [_rate(word) for word in options.rates.split(",")]
    return Plan(systems, cells, rates, options.repeat, options.seconds, options.tick), options


def _start_gateway(room: Room, cells: Sequence[Cell], durable: bool) -> tuple[GatewayUnderTest, GatewayStreams]:
    gateway = GatewayUnderTest(extra="" if durable else NOT_DURABLE)
    gateway.start(room, SERVER_CORE)
    streams = gateway.neighbours
    for fan in sorted({cell.fan for cell in cells if cell.kind == "presence"}):
        streams.prepare_subscriptions(PAIRS, fan)
    return gateway, streams


def _run(plan: Plan, room: Room, durable: bool) -> Bench:
    credentials = Credentials(room.authority.directory)
    bench = Bench(plan)
    for name in plan.systems:
        if name == "gateway":
            gateway, streams = _start_gateway(room, plan.cells, durable)
            bench.add(gateway, streams.openers())
            bench.tended.append(streams)
        else:
            server = PLAIN_SERVERS[name]
            server.start(room, SERVER_CORE)
            bench.add(server, PlainLegs(server.face, credentials).openers())
    os.sched_setaffinity(0, {GENERATOR_CORE})
    bench.run()
    return bench


def main(arguments: Sequence[str]) -> None:
    """Run the benchmark and print its tables; the exit status says whether everything could be measured."""
    plan, options = _plan(arguments)
    sandbox.enter("tests.bench.hop", arguments, ["dnsmasq"])
    os.setpriority(os.PRIO_PROCESS, 0, options.nice)
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder:
        room = Room.create(Folder(folder))
        try:
            bench = _run(plan, room, options.durable)
        finally:
            room.close()
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in bench.rows], indent=1))
    sys.stdout.write(report.tables(bench.rows) + "\n")
    if bench.failures:
        raise SystemExit("not measured:\n  " + "\n  ".join(bench.failures))


if __name__ == "__main__":
    main(sys.argv[1:])
