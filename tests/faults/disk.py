"""F3 and F4: no room, no permission, no turn on the disk."""

import asyncio
import sqlite3
import subprocess
from collections import Counter
from contextlib import closing
from pathlib import Path

from tests.faults.case import Case, Form
from tests.faults.gateway_process import Terms
from tests.faults.history import Kind
from tests.faults.world import World

ROOM_MIB = 160
"""Of the state's own file system; 64 MiB of them must be free for a message to be taken."""


def _own_disk(folder: Path) -> Terms:
    """Puts the state on a small file system of its own, which ends with the sandbox."""
    state = folder / "state"
    state.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM_MIB}m,mode=0700", "faults", str(state)], check=True)
    return Terms()


def refused(world: World, since: int) -> Counter[str]:
    """Counts by condition what senders inside were refused, from an event of their history on."""
    events = world.inside.history.events[since:]
    return Counter(event.detail for event in events if event.kind is Kind.BOUNCED)


def seen(world: World) -> int:
    """Counts the presence that contacts were shown."""
    return sum(event.kind is Kind.SEEN for event in world.outside.history.events)


async def goes_on(world: World, what: str) -> None:
    """Demands that presence still reaches contacts."""
    before = seen(world)
    await world.until(lambda: seen(world) > before + 50, f"presence while {what}", 30.0)


async def taken_again(world: World, what: str) -> None:
    """Demands that messages are accepted again."""
    before = sum(event.kind is Kind.ACCEPTED for event in world.inside.history.events)
    at = len(world.inside.history.events)

    def accepted() -> bool:
        return sum(event.kind is Kind.ACCEPTED for event in world.inside.history.events) > before + 20

    if await world.until(accepted, f"message accepted after {what}", 60.0):
        await asyncio.sleep(2.0)
        late = refused(world, at)
        world.remarks.append(f"after {what} messages are taken again ({sum(late.values())} still refused)")


async def _refuses_aloud(world: World, what: str, form: Form) -> None:
    at = len(world.inside.history.events)
    await goes_on(world, what)
    await asyncio.sleep(form.seconds)
    found = refused(world, at)
    world.remarks.append(f"{what}: refused {dict(found)}, presence went on")
    if not found or set(found) - {"resource-constraint"}:
        world.wrong.append(f"{what}: messages were not refused with resource-constraint but {dict(found)}")


async def no_room(world: World, form: Form) -> None:
    """The disk is filled, emptied, made unwritable and writable again: refusals aloud, presence, recovery."""
    state = world.gateway.state
    for _ in range(max(1, form.times // 3)):
        await asyncio.sleep(1.0)
        filler = state / "filler"
        await asyncio.to_thread(filler.write_bytes, b"\0" * (ROOM_MIB - 40) * 1024 * 1024)
        await _refuses_aloud(world, "disk full", form)
        filler.unlink()
        await taken_again(world, "disk full")
        remounted = subprocess.run(["mount", "-o", "remount,ro", str(state)], check=False, capture_output=True)
        if remounted.returncode:  # open files forbid it: then the last byte is what is missing
            world.remarks.append("read-only: the kernel refuses while files are open; every byte taken instead")
            await asyncio.to_thread(_fill, filler)
        await _refuses_aloud(world, "nothing can be written", form)
        subprocess.run(["mount", "-o", "remount,rw", str(state)], check=False, capture_output=True)
        filler.unlink(missing_ok=True)
        await taken_again(world, "nothing could be written")


def _fill(path: Path) -> None:
    try:
        with path.open("wb", buffering=0) as file:
            while file.write(b"\0" * 4096):
                pass
    except OSError:
        return


async def locked(world: World, form: Form) -> None:
    """Another process holds the databases' write locks for longer than anybody waits."""
    for turn in range(max(1, form.times // 3)):
        await asyncio.sleep(1.0)
        name = ("spool.db", "state.db")[turn % 2]
        before = seen(world)
        with closing(sqlite3.connect(world.gateway.state / name, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await goes_on(world, f"{name} is locked")
            await asyncio.sleep(form.seconds * 2)
            other.execute("ROLLBACK")
        world.remarks.append(f"{name} locked: {seen(world) - before} presences went on")
        await taken_again(world, f"{name} was locked")


CASES = (
    Case("F3", "disk full, disk that cannot be written", no_room, _own_disk),
    Case("F4", "the database is locked by another process", locked),
)
