"""What the archive costs the whole gateway, beside one without: `python -m tests.bench.archive_hop`, as root.

One gateway process at a time over real TLS, as tests.bench.hop has it: as it is by default (with the spool), the same
with an archive that keeps every text critically, and, to see what the spool itself is, without both. They take turns.
"""

import argparse
import base64
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path as Folder
from statistics import median

from attrs import define, field

from tests.bench import report, sandbox
from tests.bench.gateway_under_test import NOT_DURABLE, GatewayUnderTest
from tests.bench.generator import Generator, Load, Measurement, Stalled, Subject
from tests.bench.hop import GENERATOR_CORE, PAIRS, SERVER_CORE, WINDOW
from tests.bench.path import StreamClosed
from tests.bench.report import Row
from tests.bench.servers import Room
from tests.bench.stanzas import CELLS
from tests.bench.streams import StreamRefused

KEY = base64.b64encode(bytes(32)).decode()
SYSTEMS = {
    "default": "",
    "archive": f'[archive]\non = true\nmode = "content"\ncritical = true\nkey = "{KEY}"\n',
    "bare": NOT_DURABLE,
}
"""The tables that are added to the configuration."""
TARGET = 0.20
"""The archive costs at most this share more CPU per message than none."""
AT_SATURATION = 6_000
"""Messages that are measured there, whatever the time."""


@define
class Turns:
    """Measures each system at each rate, one after the other, in a round."""

    room: Room
    systems: Sequence[str]
    rates: Sequence[float | None]
    seconds: float
    rows: list[Row] = field(factory=list)
    failures: list[str] = field(factory=list)

    def round(self, number: int) -> None:
        """Starts every system once and measures all rates on it; every second round the other way round."""
        for system in self.systems if number % 2 == 0 else tuple(reversed(self.systems)):
            gateway = GatewayUnderTest(name=f"{system}-{number}", extra=SYSTEMS[system])
            gateway.start(self.room, SERVER_CORE)
            try:
                gateway.neighbours.prepare_subscriptions(PAIRS)
                # Each contact is told once that what is said is kept: those messages are no part of what is measured.
                self._measured(gateway, Load(PAIRS, PAIRS, 1000.0, WINDOW, PAIRS))
                for rate in self.rates:
                    self._measure(gateway, system, rate, number)
            finally:
                gateway.neighbours.close()
                assert gateway.process is not None
                gateway.process.terminate()
                gateway.process.wait(20)

    def _measure(self, gateway: GatewayUnderTest, system: str, rate: float | None, number: int) -> None:
        count = int(rate * self.seconds) if rate else AT_SATURATION
        try:
            figures = self._measured(gateway, Load(count, max(PAIRS, count // 3), rate, WINDOW, PAIRS))
        except (Stalled, StreamClosed, StreamRefused, OSError) as failure:
            self.failures.append(f"{system} at {report.offered(rate)}: {failure!r}")
            return
        self.rows.append(Row(system, "message-200", rate, number, "hop", figures))
        sys.stderr.write(report.progress(self.rows[-1]) + "\n")

    def _measured(self, gateway: GatewayUnderTest, load: Load) -> Measurement:
        path = gateway.neighbours.hop()
        return Generator(path, CELLS["message-200"], load, Subject(gateway.pid, SERVER_CORE)).run()


def told(rows: Sequence[Row]) -> str:
    """Gives the cost of each system at each rate, and beside each other as the median of the rounds."""
    lines = []
    for rate in dict.fromkeys(row.rate for row in rows):
        cost = {(row.system, row.repetition): row.figures for row in rows if row.rate == rate}
        for system in dict.fromkeys(system for system, _ in cost):
            figures = [found for (name, _), found in cost.items() if name == system]
            each = median(one.cpu_seconds_per_100k for one in figures) * 10
            pace = median(one.stanzas_per_second for one in figures)
            late = median(one.p99_ms for one in figures)
            line = f"{report.offered(rate):>10} {system:<8} {each:7.1f} us CPU, {pace:6.0f}/s, p99 {late:6.1f} ms"
            shares = [
                found.cpu_seconds_per_100k / cost["default", number].cpu_seconds_per_100k - 1
                for (name, number), found in cost.items()
                if name == system and ("default", number) in cost
            ]
            if system == "archive" and shares:
                share = median(shares)
                line += f"   {share:+.0%} of none ({'met' if share <= TARGET else 'MISSED'}, target {TARGET:.0%})"
            lines.append(line)
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> None:
    """Runs the rounds and prints the table; the exit status says whether everything could be measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", default="500,2000,saturation")
    parser.add_argument("--systems", default="default,archive,bare")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="measured seconds at a rate (default 3)")
    parser.add_argument("--nice", type=int, default=0)
    options = parser.parse_args(arguments)
    sandbox.enter("tests.bench.archive_hop", arguments, ["dnsmasq"])
    os.setpriority(os.PRIO_PROCESS, 0, options.nice)
    rates = [None if word == "saturation" else float(word) for word in options.rates.split(",")]
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder:
        room = Room.create(Folder(folder))
        try:
            turns = Turns(room, options.systems.split(","), rates, options.seconds)
            os.sched_setaffinity(0, {GENERATOR_CORE})
            for number in range(options.rounds):
                turns.round(number)
        finally:
            room.close()
    sys.stdout.write(told(turns.rows) + "\n")
    if turns.failures:
        raise SystemExit("not measured:\n  " + "\n  ".join(turns.failures))


if __name__ == "__main__":
    main(sys.argv[1:])
