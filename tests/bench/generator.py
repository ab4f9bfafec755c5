"""The load: one thread that keeps stanzas in flight along a path, counts arrivals and reads the server's CPU time."""

import gc
import select
import time

from attrs import define, field, frozen

from tests.bench.arithmetic import others_share, per_100k, percentile
from tests.bench.path import Line, Path
from tests.bench.procfs import core_busy_seconds, cpu_nanoseconds
from tests.bench.stanzas import STAMPED, Cell, Supply

BATCH = 50


@frozen
class Load:
    """How much is sent: `window` stanzas always in flight, or `rate` stanzas/s in slices of `tick` seconds."""

    count: int
    warm: int
    rate: float | None
    window: int
    pairs: int
    tick: float = 0.001


@frozen
class Subject:
    """The process under test and the core it is pinned to."""

    pid: int
    core: int


@frozen
class Measurement:
    """What one run of one leg gave; times in the unit of their name."""

    cpu_seconds_per_100k: float
    stanzas_per_second: float
    utilization: float
    p50_ms: float
    p99_ms: float
    generator_seconds_per_100k: float
    others_on_core: float
    errors: int


class Stalled(Exception):
    """Nothing arrived for a while although stanzas were in flight."""


@frozen
class _Snapshot:
    wall: float
    subject_ns: int
    core_seconds: float
    generator_seconds: float
    arrived: int


@define
class Generator:
    """Drives one measurement along one path."""

    path: Path
    cell: Cell
    load: Load
    subject: Subject
    silence_seconds: float = 6.0
    sent: int = 0
    arrived: int = 0
    errors: int = 0
    last_error: bytes = b""
    delays_ns: list[int] = field(factory=list)
    began: float = 0.0
    last_arrival: float = 0.0
    supply: Supply = field(init=False)
    start: _Snapshot | None = None

    def __attrs_post_init__(self) -> None:
        self.supply = Supply.of(self.cell, self.load.pairs, self.path.sender_domain, self.path.receiver_domain)

    def run(self) -> Measurement:
        """Send warm + count stanzas, wait for them, return the figures after the warm-up; Stalled on loss."""
        total = self.load.warm + self.load.count
        gc.collect()
        gc.disable()
        self.began = self.last_arrival = time.monotonic()
        try:
            while self.arrived < total:
                self._check_start()
                self.path.admit()
                self._produce(total)
                self._wait(total)
        finally:
            gc.enable()
        return self._result()

    def _check_start(self) -> None:
        if self.start is None and self.arrived >= self.load.warm:
            self.start = self._snapshot()
        if time.monotonic() - self.last_arrival > self.silence_seconds:
            raise Stalled(f"sent {self.sent}, arrived {self.arrived}, errors {self.errors}: {self.last_error!r}")

    def _due(self, total: int) -> int:
        if self.load.rate:
            allowed = int((time.monotonic() - self.began) * self.load.rate) - self.sent
        else:
            allowed = self.load.window - (self.sent - self.arrived)
            if allowed < BATCH and total - self.sent > allowed:
                return 0
        return min(allowed, BATCH, total - self.sent)

    def _produce(self, total: int) -> None:
        if not self.path.sender.unsent and (due := self._due(total)) > 0:
            self.path.sender.send(self.supply.render(self.sent, due, time.monotonic_ns()))
            self.sent += due

    def _pause(self, total: int) -> float:
        if self.load.rate:
            until_next = (self.sent + 1) / self.load.rate - (time.monotonic() - self.began)
            return max(0.0, max(until_next, self.load.tick) if self.sent < total else self.load.tick)
        return 0.0 if not self.path.sender.unsent and self._due(total) > 0 else 0.5

    def _wait(self, total: int) -> None:
        lines = self.path.lines
        blocked = [line for line in lines if line.unsent]
        readable, writable, _ = select.select(lines, blocked, [], self._pause(total))
        for line in writable:
            line.flush()
        for line in readable:
            self._take(line)

    def _take(self, line: Line) -> None:
        for chunk in line.read():
            line.reply(chunk)
            if line.counted:
                self._count(line, chunk)
            elif b"error" in chunk:
                self.errors += chunk.count(b"type='error'") + chunk.count(b'type="error"')
                self.last_error = chunk[-400:]

    def _count(self, line: Line, chunk: bytes) -> None:
        now = time.monotonic_ns()
        self.arrived += line.count(chunk, self.cell.end_tag)
        self.last_arrival = now / 1e9
        if self.start is not None:
            self.delays_ns += [now - int(stamp) for stamp in STAMPED.findall(chunk)]

    def _snapshot(self) -> _Snapshot:
        return _Snapshot(
            time.monotonic(),
            cpu_nanoseconds(self.subject.pid),
            core_busy_seconds(self.subject.core),
            time.process_time(),
            self.arrived,
        )

    def _result(self) -> Measurement:
        end, start = self._snapshot(), self.start
        if start is None:
            raise Stalled("the warm-up took everything")
        wall, done, cpu_ns = end.wall - start.wall, end.arrived - start.arrived, end.subject_ns - start.subject_ns
        delays = sorted(self.delays_ns)
        return Measurement(
            cpu_seconds_per_100k=per_100k(cpu_ns, done),
            stanzas_per_second=done / wall,
            utilization=cpu_ns / 1e9 / wall,
            p50_ms=percentile(delays, 0.5) / 1e6,
            p99_ms=percentile(delays, 0.99) / 1e6,
            generator_seconds_per_100k=per_100k(int((end.generator_seconds - start.generator_seconds) * 1e9), done),
            others_on_core=others_share(end.core_seconds - start.core_seconds, cpu_ns / 1e9, wall),
            errors=self.errors,
        )
