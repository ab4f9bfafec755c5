"""What the disclosure ledger costs per presence: the house in one process, with and without one.

`python -m tests.bench.ledger [presences]`; CPU is of the whole process, the thread that writes included.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import deferLater

from gateway.metrics import Metrics
from gateway.model.address import Address
from gateway.model.envelope import Envelope, Side
from gateway.model.presence import Show
from gateway.records.ledger import Ledger, LedgerRules
from gateway.store.ledger import LedgerStore
from tests.stage import DESK, Stage, here

WATCHERS = 4000
"Enough that nobody is told twice before the disk has answered once."
CHUNK = 20
"""Presences that one turn of the reactor brings, as one read of a busy link does."""
SHOWN = (here(note=(("", "in a meeting"),), show=Show.DND), here(note=(("", "back"),), show=Show.AWAY))


async def run(presences: int, ledger: Ledger | None, alone: bool = False) -> tuple[float, float, list[float]]:
    """Gives CPU seconds and seconds in all, and the seconds that chunks took until they left.

    With `alone` each chunk waits until the one before has left, else they come as fast as they can be taken.
    """
    stage = Stage(level="team", taps=[ledger] if ledger else [])
    contacts = [Address.parse(f"c{number}@partner.example") for number in range(WATCHERS)]
    for contact in contacts:
        stage.befriend(contact)
    if ledger is not None:
        ledger.attach(lambda envelope: stage.house.relay.pair_of(envelope).facts, lambda: 1)
    await _drained(ledger)
    stage.outside.taken()
    begun, used, waits, left = time.perf_counter(), time.process_time(), list[float](), 0
    for number in range(presences):
        contact = contacts[number % WATCHERS]
        shown = SHOWN[number // WATCHERS % 2]
        stage.house.receive(Envelope(DESK, contact, shown, Side.INTERNAL))
        if number % CHUNK == CHUNK - 1:
            since = time.perf_counter()
            full = ledger is not None and ledger.journal.waiting > WATCHERS // 2
            await (_drained(ledger) if alone or full else deferLater(reactor, 0))
            waits.append(time.perf_counter() - since)
            left += len(stage.outside.taken())
    await _drained(ledger)
    left += len(stage.outside.taken())
    assert left == presences, f"{left} of {presences} have left"
    return time.process_time() - used, time.perf_counter() - begun, waits


async def _drained(ledger: Ledger | None) -> None:
    """Waits until all that was recorded is on the disk and has left; one turn of the reactor without a ledger."""
    if ledger is None:
        await deferLater(reactor, 0)
        return
    done: Deferred[bool] = Deferred()
    newest = ledger.journal.newest
    if newest is not None:
        newest.then(done.callback)
        await done


async def main(presences: int) -> None:
    """Prints both, and the difference."""
    without, _, _ = await run(presences, None)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        ledger = Ledger(LedgerStore(path, reactor), LedgerRules(365), Metrics(), reactor, time.time)
        used, seconds, _ = await run(presences, ledger)
        _, _, waits = await run(presences // 10, ledger, alone=True)
        entries = ledger.head.seq
        await ledger.close()
        size = path.stat().st_size / entries
    late = sorted(waits)[-len(waits) // 100]
    lines = (
        f"without a ledger: {without / presences * 1e6:6.1f} us CPU per presence",
        f"with a ledger:    {used / presences * 1e6:6.1f} us CPU per presence, {size:.0f} bytes per entry",
        f"                  {presences / seconds:,.0f} presences a second, {CHUNK} to a turn",
        f"                  {CHUNK} alone leave in {median(waits) * 1e3:.1f} ms (median), {late * 1e3:.1f} ms (99 %)",
    )
    sys.stdout.write("\n".join(lines) + "\n")


def start(call: Callable[[], Any]) -> None:
    """Runs a coroutine in the reactor, and ends with it."""

    def ended(outcome: Any) -> None:
        sys.stderr.write("" if outcome is None else outcome.getTraceback())
        reactor.stop()  # type: ignore[attr-defined]

    reactor.callWhenRunning(lambda: ensureDeferred(call()).addBoth(ended))  # type: ignore[attr-defined]
    reactor.run()  # type: ignore[attr-defined]


if __name__ == "__main__":
    start(lambda: main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000))
