"""`python -m tests.faults.sweep [--kills N] [--seed N]`: spool, disk and queue alone, killed again and again.

A child starts at once and is killed at the n-th byte that it writes to a file (RLIMIT_FSIZE: also in the middle of a
page), or at a moment that chance decides. Each takes over what the one before has left; the last is let finish.
"""

import argparse
import os
import random
import resource
import select
import signal
import sqlite3
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from attrs import define, field

from gateway.config import SpoolTerms
from gateway.metrics import Metrics
from gateway.model.address import Address
from gateway.model.envelope import Envelope, Problem, Side, Ticket
from gateway.model.message import Message
from gateway.queues.outbox import Outbox, OutboxLimits
from gateway.queues.spool import Spool
from gateway.store.spool import SpoolStore
from tests.faults.checker import Fault, Terms, Violation, check, summary
from tests.faults.history import Event, Kind

WHO, WHOM, SIDE = Address.parse("u1@corp.example"), Address.parse("v1@partner.example"), "partner.example"
WINDOW = 64
AT_ONCE = 4
STEP_BYTES = 3557
"""Between two places of death: no multiple of a page, so that pages are torn."""
LEAST_BYTES = 128 * 1024
"""The database itself is smaller."""
MOST_BYTES = 1024 * 1024
"""SQLite begins to write from the start of its log again when it has 4 MiB."""
LATEST_SECONDS = 0.4
"""When chance decides: the child has opened its doors by then and works."""


@define(eq=False)
class _Child:
    """Takes messages over and hands them on as fast as it can, and writes down each step before it goes on."""

    folder: Path
    out: int
    first: int
    takes: bool
    spool: Spool = field(init=False)
    outbox: Outbox = field(init=False)
    reactor: Any = field(init=False)

    def run(self) -> None:
        """Works until it is killed, or, when it takes nothing, until all is delivered."""
        from twisted.internet import reactor

        self.reactor = reactor
        store = SpoolStore(self.folder / "spool.db", self.reactor)
        self.spool = Spool(store, SpoolTerms(), Metrics([SIDE]), self.reactor, time.time)
        limits = OutboxLimits(10**6, 3600.0, 10**9)
        self.outbox = Outbox(limits, lambda envelope: envelope, self._refused, time.time, self._delivered)
        self.spool.deliver = self.outbox.put
        self.outbox.opened(self._transmit, WINDOW)
        self.reactor.callWhenRunning(self.spool.begin)
        self.reactor.callLater(0, self._take if self.takes else self._wait)
        self.reactor.run(installSignalHandlers=False)

    def say(self, kind: Kind, number: int, identity: str = "") -> None:
        """Tells the parent what has happened, in one write."""
        os.write(self.out, f"{time.monotonic()} {kind.value} {number} {identity}\n".encode())

    def _take(self) -> None:
        for number in range(self.first, self.first + AT_ONCE):
            message = Message(id=f"m{number}", bodies=(("", f"text {number} " + "x" * (number % 700)),))
            envelope = Envelope(WHO, WHOM, message, Side.INTERNAL)
            self.say(Kind.SENT, number)
            promise = self.spool.accept(envelope, envelope, SIDE)
            if promise is not None:
                promise.then(partial(self._accepted, number))
        self.first += AT_ONCE
        self.reactor.callLater(0.001, self._take)

    def _accepted(self, number: int, kept: bool) -> None:
        if kept:
            self.say(Kind.ACCEPTED, number)

    def _wait(self) -> None:
        if len(self.spool):
            self.reactor.callLater(0.01, self._wait)
        else:
            self.reactor.stop()

    def _transmit(self, envelope: Envelope) -> None:
        assert isinstance(envelope.content, Message)
        self.say(Kind.DELIVERED, int(envelope.content.id[1:]), envelope.content.id)
        self.reactor.callLater(0.002, self.outbox.confirmed, 1)

    def _delivered(self, envelope: Envelope) -> Any:
        return self.spool.delivered(envelope.ticket) if isinstance(envelope.ticket, Ticket) else None

    def _refused(self, envelope: Envelope, problem: Problem) -> None:
        assert isinstance(envelope.content, Message)
        self.say(Kind.BOUNCED, int(envelope.content.id[1:]), problem.value)
        if envelope.ticket is not None:
            self.spool.done(envelope.ticket)


@define
class Sweep:
    """Many deaths, and what was told before each."""

    folder: Path
    seed: int
    events: list[Event] = field(factory=list)
    deaths: int = 0
    dice: random.Random = field(init=False)
    rest_seconds: ClassVar[float] = 60.0
    """How long the last one may take."""

    def __attrs_post_init__(self) -> None:
        self.dice = random.Random(self.seed)

    def run(self, kills: int) -> list[Violation]:
        """Kills so often, lets the last one finish, and gives what is wrong with the whole history."""
        for turn in range(kills):
            if turn % 3 == 2:
                self._one(_unbounded, self.dice.uniform(0.0, LATEST_SECONDS))
            else:
                bound = max(self._written(), LEAST_BYTES) + self.dice.randrange(1, 10) * STEP_BYTES
                self._one(partial(_bounded, bound), self.rest_seconds)
        status = self._one(_unbounded, self.rest_seconds, takes=False)
        wrong = check(self.events, Terms(window=WINDOW))
        if status:
            wrong.append(Violation(Fault.LOST, f"the last child could not deliver the rest: {status}"))
        return wrong

    def _written(self) -> int:
        """Gives where the next child goes on to write; one in so many of them finds the file emptied."""
        path = self.folder / "spool.db"
        log = path.with_name("spool.db-wal")
        if log.exists() and log.stat().st_size > MOST_BYTES:
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return log.stat().st_size if log.exists() else 0

    def _one(self, bound: Callable[[], None], seconds: float, *, takes: bool = True) -> int:
        """Starts a child, waits for its death or brings it about; gives its status."""
        first = max((event.number for event in self.events), default=0) + 1
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            _live(_Child(self.folder, writer, first, takes), bound)
        os.close(writer)
        self.events += _told(reader, child, seconds)
        os.close(reader)
        _, status = os.waitpid(child, 0)
        if takes:
            self.deaths += 1
            self.events.append(Event(time.monotonic(), SIDE, Kind.UNCLEAN))
        return status


def _unbounded() -> None:
    """Lets this process write what it wants."""


def _bounded(most: int) -> None:
    """Has this process killed by the write that reaches so many bytes of a file."""
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


def _live(child: _Child, bound: Callable[[], None]) -> None:
    """Is the life of a child; it never returns."""
    status = 1
    try:
        bound()
        child.run()
        status = 0
    except BaseException:  # noqa: BLE001 whatever it is, this process must not go on as its parent
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(status)


def _told(reader: int, child: int, seconds: float) -> Iterator[Event]:
    """Gives what a child tells until it is dead; after so many seconds it is killed."""
    ends, pending = time.monotonic() + seconds, b""
    while True:
        if not select.select([reader], [], [], max(0.0, min(3600.0, ends - time.monotonic())))[0]:
            os.kill(child, signal.SIGKILL)
            ends = float("inf")
            continue
        octets = os.read(reader, 65536)
        if not octets:
            return
        *lines, pending = (pending + octets).split(b"\n")
        for line in lines:
            at, kind, number, identity = line.decode().split(" ")
            name = f"m{number}"
            yield Event(float(at), SIDE, Kind(kind), WHO, WHOM, name, int(number), identity)


def main(arguments: Sequence[str]) -> int:
    """Kills so often as is asked for and prints what came of it; status 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=95)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="gateway-sweep-") as folder:
        sweep, began = Sweep(Path(folder), options.seed), time.monotonic()
        wrong = sweep.run(options.kills)
    lines = [f"WRONG {violation.fault}: {violation.text}" for violation in wrong[:20]]
    lines.append(
        f"--seed {options.seed}: {sweep.deaths} kills in {time.monotonic() - began:.0f} s {summary(sweep.events)}"
    )
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
