"""The gateway as a process that is killed, stopped, started under a tracer or a false clock, and asked."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import define, field

from gateway.errors import CommandError, NotRunning
from gateway.web.control_client import ask
from tests.bench.procfs import resident_kib

START = "import sys; from gateway.cli import main; sys.exit(main())"
READY_SECONDS = 60.0

CONFIG = """
[gateway]
user = "root"
domains = ["corp.example"]
state = "{state}"
log = "warn"

[tls]
certificate = "{pki}/corp.example.crt"
key = "{pki}/corp.example.key"
ca = "{pki}/ca.crt"

[inside]
kind = "xmpp-server"
connect = "127.0.0.201:5269"
listen = ["127.0.0.100:5269"]
ca = "{pki}/ca.crt"

[outside.xmpp]
listen = ["127.0.0.101:5269"]
{outside}

[limits]
{limits}

[metrics]
listen = "127.0.0.1:8920"

[defaults]
level = "team"
"""

PARTNER = """
[[partner]]
domain = "{domain}"
addresses = "any"
{route}

[partner.rates]
stanzas_per_second = 100000
subscriptions_per_minute = 1000000
"""


@define
class Terms:
    """What differs between the configurations of the cases; `limits` are texts in TOML."""

    limits: dict[str, object] = field(
        factory=lambda: {
            "retry_seconds": 0.2,
            "retry_max_seconds": 1.0,
            "ping_seconds": 2.0,
            "ping_timeout_seconds": 3.0,
            "stall_seconds": 5.0,
            "presence_seconds": 600.0,
            "queue_seconds": 600.0,
            "connections_per_address": 100,
        }
    )
    outside: str = ""
    partners: dict[str, str] = field(factory=lambda: {"partner.example": 'route = "127.0.0.202:5269"'})
    more: str = ""
    before: tuple[str, ...] = ()
    """What stands before the command, e.g. a tracer."""
    environment: dict[str, str] = field(factory=dict)

    def text(self, state: Path, pki: Path) -> str:
        """Gives the configuration."""
        limits = "\n".join(f"{name} = {value}" for name, value in self.limits.items())
        text = CONFIG.format(state=state, pki=pki, outside=self.outside, limits=limits)
        return (
            text
            + "".join(PARTNER.format(domain=name, route=route) for name, route in self.partners.items())
            + self.more
        )


@define(eq=False)
class GatewayProcess:
    """`gateway run` with a configuration of its own."""

    folder: Path
    pki: Path
    terms: Terms
    state: Path
    process: asyncio.subprocess.Process | None = None
    starts: int = 0
    _traced: bool = False

    @property
    def control(self) -> Path:
        """Gives the path of the control socket."""
        return self.state / "control.sock"

    @property
    def log(self) -> Path:
        """Gives the file with everything that it wrote."""
        return self.folder / "gateway.log"

    @property
    def pid(self) -> int:
        """Gives the process id of the daemon, below a tracer as well."""
        assert self.process is not None
        if not self._traced:
            return self.process.pid
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0]) if children else self.process.pid

    @property
    def running(self) -> bool:
        """Says whether it has not ended."""
        return self.process is not None and self.process.returncode is None

    def write(self) -> None:
        """Writes the configuration."""
        (self.folder / "gateway.toml").write_text(self.terms.text(self.state, self.pki))

    async def start(self) -> float:
        """Starts it and waits until its doors are open; gives the seconds that took. RuntimeError when it ends."""
        self.write()
        self.state.mkdir(mode=0o700, exist_ok=True)
        self.control.unlink(missing_ok=True)
        command = [
            *self.terms.before,
            sys.executable,
            "-c",
            START,
            "run",
            "--config",
            str(self.folder / "gateway.toml"),
        ]
        began = time.monotonic()
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *command, stdout=log, stderr=log, env={**os.environ, **self.terms.environment}
            )
        self.starts += 1
        self._traced = bool(self.terms.before)
        while not self.control.is_socket():
            if not self.running:
                raise RuntimeError(f"the gateway ended:\n{self.tail()}")
            if time.monotonic() - began > READY_SECONDS:
                raise RuntimeError(f"the gateway has no control socket after {READY_SECONDS} s:\n{self.tail()}")
            await asyncio.sleep(0.02)
        return time.monotonic() - began

    def signal(self, number: signal.Signals) -> None:
        """Sends the daemon a signal."""
        os.kill(self.pid, number)

    async def kill(self) -> None:
        """Ends it as a power cut ends a process."""
        assert self.process is not None
        if self.running:
            self.signal(signal.SIGKILL)
        await self.process.wait()

    async def ended(self, seconds: float) -> bool:
        """Waits until it has ended by itself; says whether it has."""
        assert self.process is not None
        try:
            await asyncio.wait_for(self.process.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def stop(self) -> int:
        """Asks it to end; gives its status."""
        assert self.process is not None
        if self.running:
            self.signal(signal.SIGTERM)
        if not await self.ended(30.0):
            await self.kill()
        return self.process.returncode or 0

    async def ask(self, *words: str, **arguments: Any) -> Any:
        """Has a command carried out; raises CommandError or NotRunning."""
        return await asyncio.to_thread(ask, self.control, words, arguments, 60.0)

    async def try_ask(self, *words: str, **arguments: Any) -> bool:
        """Has a command carried out; False when it was refused or nobody answered."""
        try:
            await self.ask(*words, **arguments)
        except (CommandError, NotRunning, OSError, TimeoutError):
            return False
        return True

    async def metrics(self) -> Mapping[str, float]:
        """Gives every series with its value."""
        reader, writer = await asyncio.open_connection("127.0.0.1", 8920)
        writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
        page = (await asyncio.wait_for(reader.read(-1), 20.0)).decode()
        writer.close()
        lines = (line.rpartition(" ") for line in page.splitlines() if line.startswith("gateway_"))
        return {name: float(value) for name, _, value in lines}

    def resident_mib(self) -> float:
        """Gives its resident memory."""
        return resident_kib(self.pid) / 1024

    def descriptors(self) -> int:
        """Counts its open files."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def tail(self, lines: int = 25) -> str:
        """Gives the last lines that it wrote."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
