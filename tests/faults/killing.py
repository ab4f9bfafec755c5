"""F1 and F2: the process ends, or its disk fails, at any moment."""

import asyncio
import itertools
from pathlib import Path

from attrs import frozen

from tests.faults.case import Case, Form
from tests.faults.disk import refused, taken_again
from tests.faults.world import World

FAILURES = 5
"""Calls in a row that fail; the gateway tries again once a second."""
PATIENCE_SECONDS = 40.0


@frozen
class _Injection:
    """What happens at the n-th call of a kind; `files` of the state are meant, or everything when there are none."""

    call: str
    what: str
    files: tuple[str, ...] = ()

    @property
    def kills(self) -> bool:
        """Says whether the process ends by it."""
        return self.what.startswith("signal")

    def before(self, state: Path, trace: Path, first: int) -> tuple[str, ...]:
        """Gives the command that stands before the gateway's own."""
        when = f"{first}" if self.kills else f"{first}..{first + FAILURES - 1}"
        paths = tuple(word for name in self.files for word in ("-P", str(state / name)))
        wanted = f"inject={self.call}:{self.what}:when={when}"
        return ("strace", "-f", "-qq", "-o", str(trace), *paths, "-e", f"trace={self.call}", "-e", wanted)


SPOOL = ("spool.db", "spool.db-wal")
STATE = ("state.db", "state.db-wal")
INJECTIONS = (
    _Injection("pwrite64", "signal=KILL", SPOOL),
    _Injection("fdatasync", "error=EIO", SPOOL),
    _Injection("fdatasync", "signal=KILL", SPOOL),
    _Injection("pwrite64", "error=ENOSPC", SPOOL),
    _Injection("write", "signal=KILL"),
    _Injection("pwrite64", "error=EIO", SPOOL),
    _Injection("fdatasync", "signal=KILL", STATE),
    _Injection("fdatasync", "error=ENOSPC", SPOOL),
)
"""By turns: death, and a disk that fails for a while."""


async def kill_at_random(world: World, form: Form) -> None:
    """kill -9 again and again; the next start follows at once."""
    starts = []
    for _ in range(form.kills):
        await asyncio.sleep(world.dice.uniform(0.05, 2.0))
        await world.gateway.kill()
        starts.append(await world.gateway.start())
        if not await world.links():
            return
    world.remarks.append(
        f"{form.kills} kills; start to listening: {max(starts):.1f} s at most, {min(starts):.1f} s at least"
    )


async def kill_at_call(world: World, form: Form) -> None:
    """The n-th call kills the process, or some from it on fail: then all goes on without a restart."""
    turns = form.times * 4 if not form.long else 200
    for turn, injection in zip(range(turns), itertools.cycle(INJECTIONS), strict=False):
        # every number has its turn in the long form, and a part of them by chance in the others
        first = 1 + turn if form.long else 1 + world.dice.randrange(30)
        trace = world.folder / f"trace-{turn}"
        await world.gateway.kill()
        world.gateway.terms.before = injection.before(world.gateway.state, trace, first)
        await _injected(world, injection, first, trace)
        world.gateway.terms.before = ()
        await world.gateway.kill()
        trace.unlink(missing_ok=True)
        await world.gateway.start()
        if not await world.links():
            return


async def _injected(world: World, injection: _Injection, first: int, trace: Path) -> None:
    what = f"{injection.call} {first} of {injection.files or 'all'}: {injection.what}"
    at = len(world.inside.history.events)
    try:
        await world.gateway.start()
    except RuntimeError:
        if not injection.kills and first > FAILURES:
            world.wrong.append(f"{what}: it did not start")
        world.remarks.append(f"{what}: ended before it listened")
        return
    if injection.kills:
        ended = await world.gateway.ended(PATIENCE_SECONDS)
        world.remarks.append(f"{what}: {'ended' if ended else 'went on'}")
        if not ended:
            world.wrong.append(f"{what}: never came to that call")
        return
    await world.until(lambda: _count(trace) >= FAILURES, f"{FAILURES} failures of {what}", PATIENCE_SECONDS)
    found = refused(world, at)
    await taken_again(world, what)
    world.remarks.append(f"{what}: refused {dict(found)}, recovered")
    if set(found) - {"resource-constraint"} or not (found or first < FAILURES):
        world.wrong.append(f"{what}: messages were not refused with resource-constraint but {dict(found)}")
    if not world.gateway.running:
        world.wrong.append(f"{what}: the gateway ended")


def _count(trace: Path) -> int:
    return trace.read_text(errors="replace").count("(INJECTED)") if trace.exists() else 0


CASES = (
    Case("F1", "kill -9 at random moments", kill_at_random),
    Case(
        "F2", "killed, EIO and ENOSPC at the n-th call to the disk or the network", kill_at_call, programs=("strace",)
    ),
)
