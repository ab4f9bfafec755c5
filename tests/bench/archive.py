"""What the archive costs per message: the house in one process, without one, and with texts kept critically.

`python -m tests.bench.archive [messages] [rate]`; CPU is of the whole process, the thread that writes included. What
sockets and TLS cost is not in it: `tests.bench.archive_hop` measures the whole gateway.
"""

import base64
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from gateway.metrics import Metrics
from gateway.model.address import Address
from gateway.model.envelope import Envelope, Side
from gateway.model.message import Message, MessageKind
from gateway.policy.archiving import ArchiveRule, Mode
from gateway.records.archive import Archive, ArchiveRules, Surroundings
from gateway.store.archive import ArchiveStore, Place
from gateway.store.sealing import Keys
from tests.bench.ledger import start
from tests.stage import DESK, Stage

CONTACTS = 500
CHUNK = 20
"""Messages that one turn of the reactor brings, as one read of a busy link does."""
TEXT = "The meeting is at three, in the room above the hall. " * 4


async def run(messages: int, archive: Archive | None, rate: float = 0.0) -> tuple[float, float, float]:
    """Gives CPU seconds, seconds in all, and the longest that a chunk took until it left."""
    stage = Stage(taps=[archive] if archive else [])
    contacts = [Address.parse(f"c{number}@partner.example") for number in range(CONTACTS)]
    for contact in contacts:
        stage.befriend(contact)
    if archive is not None:
        facts = lambda envelope: stage.house.relay.pair_of(envelope).facts  # noqa: E731
        archive.attach(Surroundings(facts, lambda person: frozenset()))
    begun, used, left, longest = time.perf_counter(), time.process_time(), 0, 0.0
    for number in range(messages):
        message = Message(MessageKind.CHAT, f"m{number}", bodies=(("", TEXT),))
        stage.house.receive(Envelope(DESK, contacts[number // 5 % CONTACTS], message, Side.INTERNAL))
        if number % CHUNK == CHUNK - 1:
            since = time.perf_counter()
            due = begun + (number + 1) / rate if rate else 0.0
            if archive is not None and archive.journal.waiting > 2_000:
                await _drained(archive)
            await deferLater(reactor, max(0.0, due - time.perf_counter()))
            longest = max(longest, time.perf_counter() - max(since, due))
            left += len(stage.outside.taken())
    await _drained(archive)
    left += len(stage.outside.taken())
    assert left == messages, f"{left} of {messages} have left"
    return time.process_time() - used, time.perf_counter() - begun, longest


async def _drained(archive: Archive | None) -> None:
    newest = archive.journal.newest if archive is not None else None
    if newest is not None:
        done: Deferred[bool] = Deferred()
        newest.then(done.callback)
        await done


def opened(place: Place) -> Archive:
    """Opens an archive that keeps every text, critically."""
    keys = Keys.parse(base64.b64encode(bytes(32)).decode())
    rules = ArchiveRules((ArchiveRule(Mode.CONTENT, critical=True),))
    return Archive(ArchiveStore(place, reactor), keys, rules, Metrics(), reactor, time.time)


async def main(messages: int, rate: float, address: str) -> None:
    """Prints the cost."""
    without, _, _ = await run(messages, None)
    with TemporaryDirectory() as folder:
        archive = opened(Place(Path(folder) / "archive.db", address))
        used, seconds, _ = await run(messages, archive)
        paced, lasted, longest = await run(messages, archive, rate)
        records = archive.head.seq
        await archive.close()
        size = Path(folder, "archive.db").stat().st_size / records if not address else 0
    cost = (used - without) / messages * 1e6
    at_rate = paced / messages * 1e6
    told = [
        f"without an archive: {without / messages * 1e6:6.1f} us CPU per message",
        f"with an archive:    {used / messages * 1e6:6.1f} us CPU per message, {cost:.1f} more,"
        f" {size:.0f} bytes a record",
        f"                    {messages / seconds:,.0f} messages a second, {CHUNK} to a turn,"
        " each on the disk before it left",
        f"at {rate:,.0f}/s:         {messages / lasted:,.0f} messages a second, {at_rate:.1f} us CPU each,"
        f" longest turn {longest * 1e3:.0f} ms",
    ]
    sys.stdout.write("\n".join(told) + "\n")


def chosen(words: list[str]) -> Any:
    """Gives the measurement that the command line asks for."""
    messages = int(words[1]) if len(words) > 1 else 20_000
    rate = float(words[2]) if len(words) > 2 else 2_000.0
    return main(messages, rate, words[3] if len(words) > 3 else "")


if __name__ == "__main__":
    start(lambda: chosen(sys.argv))
