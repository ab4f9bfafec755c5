"""F11: a peer that wants new keys again and again: renegotiation (TLS 1.2), key updates (TLS 1.3)."""

import asyncio
import contextlib
import time

from tests.faults.case import Case, Form
from tests.faults.disk import goes_on, taken_again
from tests.faults.world import World

CLIENT = (
    "openssl",
    "s_client",
    "-connect",
    "127.0.0.101:5269",
    "-starttls",
    "xmpp-server",
    "-xmpphost",
    "corp.example",
)
FLOODERS = 4
PAUSE_SECONDS = 0.002
"""Between two commands: the client reads one at a time."""
LIMIT_SECONDS = 40.0
"""Nobody stays longer without having proven himself: the gateway gives 10 s."""
MOST_LAG_SECONDS = 0.5


async def _client(*more: str) -> asyncio.subprocess.Process:
    pipe, both = asyncio.subprocess.PIPE, asyncio.subprocess.STDOUT
    return await asyncio.create_subprocess_exec(*CLIENT, *more, stdin=pipe, stdout=pipe, stderr=both)


async def _commands(client: asyncio.subprocess.Process, letter: str, seconds: float) -> int:
    """Types a command of the client's until it ends; gives how often."""
    assert client.stdin is not None
    typed, ends = 0, time.monotonic() + seconds
    with contextlib.suppress(OSError):
        while client.returncode is None and time.monotonic() < ends:
            client.stdin.write(f"{letter}\n".encode())
            await client.stdin.drain()
            typed += 1
            await asyncio.sleep(PAUSE_SECONDS)
    return typed


async def _output(client: asyncio.subprocess.Process) -> str:
    """Gives what the client has said; one that does not end is ended."""
    assert client.stdout is not None
    try:
        return (await asyncio.wait_for(client.stdout.read(), LIMIT_SECONDS)).decode(errors="replace")
    except TimeoutError:
        return "still there"
    finally:
        if client.returncode is None:
            client.kill()
        await client.wait()


async def new_keys(world: World, form: Form) -> None:
    """Renegotiation is refused; a flood of key updates ends with the time for a proof, and hurts nobody meanwhile."""
    await asyncio.sleep(1.0)
    client = await _client("-tls1_2")
    await asyncio.sleep(1.0)
    await _commands(client, "R", 0.1)
    said = await _output(client)
    if "RENEGOTIATING" not in said or "no renegotiation" not in said:
        world.wrong.append(f"renegotiation was not refused: {said[-300:]}")
    for _ in range(form.times):
        began = time.monotonic()
        clients = [await _client("-tls1_3") for _ in range(FLOODERS)]
        flood = [asyncio.ensure_future(_commands(each, "K", LIMIT_SECONDS)) for each in clients]
        outputs = [asyncio.ensure_future(_output(each)) for each in clients]
        await goes_on(world, "keys are updated")
        await taken_again(world, "a flood of key updates")
        lag = (await world.gateway.metrics()).get("gateway_reactor_lag_seconds", 0.0)
        said = "".join(await asyncio.gather(*outputs))
        typed, took = sum(await asyncio.gather(*flood)), time.monotonic() - began
        world.remarks.append(
            f"{typed} key updates by {FLOODERS}, cut after {took:.0f} s; timer late by {1e3 * lag:.0f} ms"
        )
        if "still there" in said or said.count("KEYUPDATE") < 100:
            world.wrong.append(
                f"a flood of key updates was not cut after {took:.0f} s, or was none ({typed}): {said[-300:]}"
            )
        if lag > MOST_LAG_SECONDS:
            world.wrong.append(f"key updates held everything up by {lag:.1f} s")


CASES = (Case("F11", "renegotiation and a flood of key updates", new_keys, programs=("openssl",)),)
