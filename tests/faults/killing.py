"""F1 and F2: the process ends, or its disk fails, at any moment."""

import asyncio

from tests.faults.case import Case, Form
from tests.faults.world import World

CALLS = ("fdatasync", "pwrite64", "write")
INJECTIONS = ("signal=KILL", "error=EIO", "error=ENOSPC")


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
    """The n-th call of one kind, counted from the start, kills the process or fails from then on for some calls."""
    for turn in range(form.times * 2):
        call = world.dice.choice(CALLS[:2] if turn % 2 else CALLS)
        injection = "signal=KILL" if turn % 2 == 0 else world.dice.choice(INJECTIONS[1:])
        first = world.dice.randrange(1, 200 if form.long else 40)
        when = f"{first}" if injection == "signal=KILL" else f"{first}..{first + 20}"
        await world.gateway.kill()
        wanted = f"{call}:{injection}:when={when}"
        world.gateway.terms.before = ("strace", "-f", "-qq", "-o", "/dev/null", "--seccomp-bpf", "-e", f"trace={call}")
        world.gateway.terms.before += ("-e", f"inject={wanted}")
        await _under_tracer(world, form, wanted)
        world.gateway.terms.before = ()
        if world.gateway.running:
            await world.gateway.kill()
        await world.gateway.start()
        if not await world.links():
            return


async def _under_tracer(world: World, form: Form, wanted: str) -> None:
    try:
        await world.gateway.start()
    except RuntimeError:
        world.remarks.append(f"{wanted}: ended before it listened")
        return
    ended = await world.gateway.ended(form.seconds)
    world.remarks.append(f"{wanted}: {'ended' if ended else 'went on'}")
    if not ended and "error=" in wanted:
        await world.links()


CASES = (
    Case("F1", "kill -9 at random moments", kill_at_random),
    Case(
        "F2", "killed, EIO and ENOSPC at the n-th call to the disk or the network", kill_at_call, programs=("strace",)
    ),
)
