"""The gateway of this checkout as one more server under test, with its two neighbours played by the generator."""

import subprocess
import sys
import time
from pathlib import Path

from attrs import define, field

from tests.bench.gateway_streams import NEIGHBOURHOOD, GatewayStreams
from tests.bench.pki import Credentials
from tests.bench.servers import START_SECONDS, Room

IDLE_STREAMS_AT_MOST = 2000

CONFIG = """
[gateway]
user = "root"
domains = ["corp.example"]
state = "{home}/state"
log = "warn"

[tls]
certificate = "{pki}/corp.example.crt"
key = "{pki}/corp.example.key"
ca = "{pki}/ca.crt"

[inside]
kind = "xmpp-server"
connect = "{around.corp.address}:{around.corp.port}"
listen = ["{around.inside_face.address}:{around.inside_face.port}"]
ca = "{pki}/ca.crt"

[outside.xmpp]
listen = ["{around.outside_face.address}:{around.outside_face.port}"]

[limits]
connections_per_address = {idle_streams}
connections = {idle_streams}

[metrics]
listen = "127.0.0.1:8920"

[[assignment]]
contact = "partner.example"
level = "team"

[[partner]]
domain = "partner.example"
route = "{around.partner.address}:{around.partner.port}"

[partner.rates]
stanzas_per_second = 100000
subscriptions_per_minute = 100000
"""

NOT_DURABLE = "[spool]\non = false\n"
"""What is added to it so that messages pass through memory only, as in the plain servers."""

IDLE_PARTNER = """
[[partner]]
domain = "d{number}.load.example"
"""


@define
class GatewayUnderTest:
    """`gateway run` on one core, between the corp.example and the partner.example that GatewayStreams plays."""

    idle_partners: int = 0
    name: str = "gateway"
    extra: str = ""
    """Further tables of its configuration."""
    process: "subprocess.Popen[bytes] | None" = None
    streams: GatewayStreams | None = field(default=None, repr=False)

    @property
    def pid(self) -> int:
        """Return the process id of the daemon; ProcessLookupError when it is not running."""
        if self.process is None or self.process.poll() is not None:
            raise ProcessLookupError("the gateway is not running")
        return self.process.pid

    def start(self, room: Room, core: int) -> None:
        """Start pinned to `core`; RuntimeError when it ends, TimeoutError when its control socket does not appear."""
        home = room.home(self.name)
        state = home / "state"
        state.mkdir(mode=0o700)
        for domain in (NEIGHBOURHOOD.corp.domain, NEIGHBOURHOOD.partner.domain):
            room.authority.issue(domain)
        self._write_configuration(home, room)
        # Its own inside authority vouches for the gateway towards corp.example's server.
        credentials = Credentials(room.authority.directory, (state / "inside-ca" / "ca.crt",))
        self.streams = GatewayStreams(NEIGHBOURHOOD, credentials)
        start = "import sys; from gateway.cli import main; sys.exit(main())"
        command = ["taskset", "-c", str(core), sys.executable, "-c", start, "run"]
        command += ["--config", str(home / "gateway.toml")]
        self.process = room.spawn(command, self.name)
        self._await(state / "control.sock", room.folder / f"{self.name}.out")

    @property
    def neighbours(self) -> GatewayStreams:
        """Return the two servers around it; ProcessLookupError before the start."""
        if self.streams is None:
            raise ProcessLookupError("the gateway was not started")
        return self.streams

    def _write_configuration(self, home: Path, room: Room) -> None:
        pki, most = room.authority.directory, max(self.idle_partners, IDLE_STREAMS_AT_MOST) + 100
        text = CONFIG.format(home=home, pki=pki, around=NEIGHBOURHOOD, idle_streams=most)
        text += "".join(IDLE_PARTNER.format(number=number) for number in range(self.idle_partners))
        text += self.extra
        (home / "gateway.toml").write_text(text)

    def _await(self, socket: Path, out: Path) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not socket.is_socket():
            if self.process is None or self.process.poll() is not None:
                raise RuntimeError(f"the gateway did not start: {out.read_text(errors='replace')[-2000:]}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"the gateway has no control socket after {START_SECONDS} s")
            time.sleep(0.1)
