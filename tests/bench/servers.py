"""A plain Prosody and a plain ejabberd as measuring sticks: configuration, and start on one core."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from attrs import define, field, frozen

from tests.bench.pki import Authority
from tests.bench.procfs import descendant
from tests.bench.streams import StreamRefused, open_component

S2S_PORT = 5269
COMPONENT_PORT = 5347
SECRET = "secret"
NAMESERVER = "127.0.0.53"
SINK = "127.0.0.200"
"""Where every name below load.example resolves to: the generator's own listener."""
START_SECONDS = 40.0

ERLANG_ONE_CORE = "+S 1:1 +SDcpu 1:1 +SDio 1 +A 1 +sbwt none +sbwtdcpu none +sbwtdio none"
"""One scheduler and no busy waiting, so that CPU time means work."""

PROSODY_CONFIG = """
run_as_root = true
pidfile = "{home}/prosody.pid"
data_path = "{home}/data"
certificates = "{home}/certs"
interfaces = {{ "{address}" }}
local_interfaces = {{ "{address}" }}
component_interfaces = {{ "{address}" }}
component_ports = {{ 5347 }}
admin_socket = "{home}/prosody.sock"
log = {{ warn = "{home}/prosody.log" }}
modules_enabled = {{ "roster", "saslauth", "tls", "dialback", "disco", "ping", "presence", "message", "iq", "posix" }}
modules_disabled = {{ "s2s_bidi" }}
authentication = "internal_plain"
storage = "internal"
s2s_require_encryption = true
s2s_secure_auth = true
ssl = {{ cafile = "{trust}"; capath = "/nonexistent" }}
use_ipv6 = false
network_settings = {{ nagle = false }}
{garbage_collection}
VirtualHost "{domain}"
Component "a.{domain}"
  component_secret = "{secret}"
Component "b.{domain}"
  component_secret = "{secret}"
"""

EJABBERD_CONFIG = """
loglevel: warning
log_rotate_count: 0
hosts: ["{domain}"]
certfiles: ["{home}/{domain}.pem"]
ca_file: "{home}/ca.crt"
s2s_use_starttls: required
s2s_zlib: false
s2s_max_retry_delay: 1
max_fsm_queue: 1000000
shaper_rules: {{s2s_shaper: none, component_shaper: none}}
listen:
  - {{port: 5269, ip: "{address}", module: ejabberd_s2s_in, max_stanza_size: 524288}}
  - port: 5347
    ip: "{address}"
    module: ejabberd_service
    access: all
    shaper: component_shaper
    global_routes: false
    hosts: {{"a.{domain}": {{password: "{secret}"}}, "b.{domain}": {{password: "{secret}"}}}}
modules: {{mod_disco: {{}}, mod_ping: {{}}, mod_roster: {{}}, mod_s2s_dialback: {{}}}}
"""

EJABBERDCTL_CONFIG = """
ERLANG_NODE=ejabberd@{address}
ERL_DIST_PORT=5210
INET_DIST_INTERFACE={address}
EJABBERD_PID_PATH={home}/ejabberd.pid
ERL_OPTIONS="-env ERL_CRASH_DUMP_BYTES 0 {one_core}"
"""

ERLANG_RESOLVER = '{lookup, ["file", "native"]}.\n{file, resolv, "/etc/resolv.conf"}.\n'
"""ejabberd asks through the C library whatever else is written here, so the sandbox has its own /etc/resolv.conf."""


class Server(Protocol):
    """Something that is started on one core, measured by its process id, and stopped."""

    @property
    def name(self) -> str:
        """Return its name in the result."""

    def start(self, room: "Room", core: int) -> None:
        """Write the configuration and return when streams are accepted; TimeoutError when that takes too long."""

    @property
    def pid(self) -> int:
        """Return the process whose CPU time and memory count."""


@define
class Room:
    """The folder and the processes of one benchmark run."""

    folder: Path
    authority: Authority
    started: list[subprocess.Popen[bytes]] = field(factory=list)

    @classmethod
    def create(cls, folder: Path) -> "Room":
        """Prepare the authority, the certificate of the generator, and the name service of the sandbox."""
        folder.chmod(0o755)
        authority = Authority.create(folder / "pki")
        authority.issue("load.example")
        room = cls(folder, authority)
        resolver = folder / "resolv.conf"
        resolver.write_text(f"nameserver {NAMESERVER}\n")
        subprocess.run(["mount", "--bind", resolver, "/etc/resolv.conf"], check=True)
        options = ["--no-resolv", "--no-hosts", "--bind-interfaces", "--keep-in-foreground", "--user=root"]
        names = [f"--listen-address={NAMESERVER}", f"--address=/load.example/{SINK}", "--local=/load.example/"]
        room.spawn(["dnsmasq", "--conf-file=/dev/null", *options, *names], "dnsmasq")
        return room

    def home(self, name: str) -> Path:
        """Make and return the folder of one server."""
        home = self.folder / name
        home.mkdir()
        return home

    def spawn(self, command: Sequence[str], name: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a process of its own group with its output in NAME.out."""
        with (self.folder / f"{name}.out").open("wb") as out:
            process = subprocess.Popen(
                command, stdout=out, stderr=out, start_new_session=True, env={**os.environ, **environment}
            )
        self.started.append(process)
        return process

    def close(self) -> None:
        """End every process that was started here, and wait for it."""
        for process in reversed(self.started):
            try:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait(10)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                process.kill()


def await_component(address: str, domain: str, process: subprocess.Popen[bytes], out: Path) -> None:
    """Return when component a.DOMAIN can connect; RuntimeError when the process ended, TimeoutError when too late."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{domain} did not start: {out.read_text(errors='replace')[-500:]}")
        try:
            open_component(address, COMPONENT_PORT, f"a.{domain}", SECRET).sock.close()
            return
        except (OSError, StreamRefused):
            time.sleep(0.2)
    raise TimeoutError(f"{domain} at {address} accepts no component after {START_SECONDS} s")


@frozen
class Face:
    """Where a plain server listens and which domain it serves."""

    name: str
    address: str
    domain: str


@define
class Prosody:
    """Prosody with Nagle off, with the stock or the generational garbage collector."""

    face: Face
    garbage_collection: str = ""
    process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """Return the name of this system in the result."""
        return self.face.name

    @property
    def pid(self) -> int:
        """Return the process id of the Lua interpreter."""
        return _running(self.process).pid

    def start(self, room: Room, core: int) -> None:
        """Start pinned to `core` and wait for its component port."""
        home = room.home(self.name)
        room.authority.issue(self.face.domain)
        (home / "data").mkdir()
        (home / "certs").mkdir()
        for part in ("", "a.", "b."):
            for suffix in ("crt", "key"):
                source = room.authority.directory / f"{self.face.domain}.{suffix}"
                shutil.copy(source, home / "certs" / f"{part}{self.face.domain}.{suffix}")
        face = {"address": self.face.address, "domain": self.face.domain, "secret": SECRET}
        paths = {"home": home, "trust": room.authority.trust}
        text = PROSODY_CONFIG.format(**face, **paths, garbage_collection=self.garbage_collection)
        (home / "prosody.cfg.lua").write_text(text)
        command = ["taskset", "-c", str(core), "prosody", "-F", "--config", str(home / "prosody.cfg.lua")]
        self.process = room.spawn(command, self.name)
        await_component(self.face.address, self.face.domain, self.process, room.folder / f"{self.name}.out")


@define
class Ejabberd:
    """ejabberd with one scheduler and without busy waiting."""

    face: Face
    process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """Return the name of this system in the result."""
        return self.face.name

    @property
    def pid(self) -> int:
        """Return the process id of the Erlang machine; ProcessLookupError when it is gone."""
        if (found := descendant(_running(self.process).pid, "beam.smp")) is None:
            raise ProcessLookupError("beam.smp")
        return found

    def start(self, room: Room, core: int) -> None:
        """Start pinned to `core` and wait for its component port."""
        home = room.home(self.name)
        self._write_configuration(room, home)
        shutil.chown(home, "ejabberd", "ejabberd")
        for part in (*home.rglob("*"),):
            shutil.chown(part, "ejabberd", "ejabberd")
        command = ["taskset", "-c", str(core), "ejabberdctl", "--config-dir", str(home)]
        command += ["--ctl-config", str(home / "ejabberdctl.cfg"), "--config", str(home / "ejabberd.yml")]
        command += ["--logs", str(home / "log"), "--spool", str(home / "spool"), "foreground"]
        self.process = room.spawn(command, self.name)
        await_component(self.face.address, self.face.domain, self.process, room.folder / f"{self.name}.out")

    def _write_configuration(self, room: Room, home: Path) -> None:
        shutil.copy(room.authority.issue(self.face.domain), home)
        shutil.copy(room.authority.trust, home)
        (home / "log").mkdir()
        (home / "spool").mkdir()
        values = {"home": home, "address": self.face.address, "domain": self.face.domain, "secret": SECRET}
        values |= {"one_core": ERLANG_ONE_CORE}
        (home / "ejabberd.yml").write_text(EJABBERD_CONFIG.format(**values))
        (home / "ejabberdctl.cfg").write_text(EJABBERDCTL_CONFIG.format(**values))
        (home / "inetrc").write_text(ERLANG_RESOLVER)


def _running(process: subprocess.Popen[bytes] | None) -> subprocess.Popen[bytes]:
    if process is None or process.poll() is not None:
        raise ProcessLookupError("the server is not running")
    return process


PLAIN_SERVERS: dict[str, Prosody | Ejabberd] = {
    "prosody": Prosody(Face("prosody", "127.0.0.10", "pstock.example")),
    "prosody-gen": Prosody(Face("prosody-gen", "127.0.0.12", "pgen.example"), 'gc = { mode = "generational" }'),
    "ejabberd": Ejabberd(Face("ejabberd", "127.0.0.11", "ejab.example")),
}
