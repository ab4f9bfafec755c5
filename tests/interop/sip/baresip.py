"""baresip as a real SIP client: no screen, no sound, moved through its control socket."""

import json
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from attrs import define, field

from ..dns import View
from ..namespace import Namespace
from ..process import LabError, Process

if TYPE_CHECKING:
    from ..lab import Lab

_CONTROL = 4444
_CONSOLE = 5555
_SAID = re.compile(r"(sip:[^\s:]+[^\s]*): \"(.*?)\"\r?\n", re.DOTALL)
_COLOUR = re.compile(r"\x1b?\[[;\d]*m")
_MODULES = (
    *("module g711.so", "module cons.so", "module_tmp uuid.so", "module_tmp account.so"),
    *(f"module_app {name}.so" for name in ("contact", "presence", "menu", "ctrl_tcp")),
)
_SETTINGS = """poll_method epoll
sip_listen {address}:5060
audio_player auloop,nil
audio_source auloop,nil
audio_alert auloop,nil
module_path /usr/lib/baresip/modules
ctrl_tcp_listen {address}:{control}
cons_listen {address}:{console}
"""


@define
class Baresip:
    """One baresip with one account, which it publishes presence for, and contacts, which it watches."""

    aor: str
    address: str
    namespace: Namespace
    process: Process
    events: list[dict[str, Any]] = field(init=False, factory=list)
    """What its control socket told, e.g. {"event": True, "type": "REGISTER_OK", …}."""
    _answers: list[str] = field(init=False, factory=list)
    _changed: threading.Condition = field(init=False, factory=threading.Condition)
    _control: socket.socket = field(init=False)
    _console: socket.socket = field(init=False)
    _shown: str = field(init=False, default="")

    def start(self, timeout: float = 5.0) -> None:
        """Start it and wait until it is registered; raises LabError."""
        self.process.start()
        self.process.await_ready(lambda: self.namespace.answers(self.address, _CONTROL), timeout)
        self._control = self._listen(_CONTROL, self._read)
        # a message is shown on a console, and nowhere else
        self._console = self._listen(_CONSOLE, self._watch)
        self.process.await_ready(lambda: "200 OK" in self.log, timeout)

    @property
    def log(self) -> str:
        """What it wrote on its screen."""
        return _COLOUR.sub("", self.process.text())

    def command(self, name: str, parameters: str = "", timeout: float = 5.0) -> str:
        """Do what its menu calls `name`; what it answered, without colours; raises LabError without an answer."""
        order = json.dumps({"command": name, "params": parameters, "token": "lab"}).encode()
        with self._changed:
            self._answers.clear()
            self._control.sendall(b"%d:%s," % (len(order), order))
            if not self._changed.wait_for(lambda: self._answers, timeout):
                raise LabError(f"{self.aor}: {name} had no answer:\n{self.process.tail()}")
            return _COLOUR.sub("", self._answers[0])

    def message(self, text: str) -> None:
        """Send a message to the current contact, the first one unless told otherwise."""
        self.command("message", text)

    def online(self, yes: bool = True) -> None:
        """Publish that it is there, or not."""
        self.command("presence_online" if yes else "presence_offline")

    def seen(self) -> dict[str, str]:
        """The presence of its contacts as it shows it: address to Online, Offline, Busy or Unknown."""
        found = re.findall(r"(Online|Offline|Busy|Unknown).*?<(sip:[^>;]+)", self.command("contacts"))
        return {address: status for status, address in found}

    def wait_to_see(self, address: str, status: str, timeout: float = 5.0) -> None:
        """Wait until a contact is shown so; raises AssertionError."""
        deadline = time.monotonic() + timeout
        while (seen := self.seen().get(address)) != status:
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.aor} shows {address} as {seen}, not {status}:\n{self.log[-2000:]}")
            time.sleep(0.05)

    def received(self) -> list[tuple[str, str]]:
        """Messages: sender and text."""
        return _SAID.findall(self._shown)

    def wait_for_message(self, text: str, timeout: float = 5.0) -> str:
        """Wait for a message with this text; its sender; raises AssertionError."""
        with self._changed:
            if self._changed.wait_for(lambda: any(told == text for _, told in self.received()), timeout):
                return next(sender for sender, told in self.received() if told == text)
        raise AssertionError(f"{self.aor} received {self.received()}, not {text!r}")

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()

    def _listen(self, port: int, reads: Callable[[socket.socket], None]) -> socket.socket:
        connection = self.namespace.connect(self.address, port)
        connection.settimeout(None)
        threading.Thread(target=reads, args=(connection,), name=f"lab baresip {self.aor}", daemon=True).start()
        return connection

    def _watch(self, console: socket.socket) -> None:
        while chunk := console.recv(65536):
            with self._changed:
                self._shown += _COLOUR.sub("", chunk.decode(errors="replace"))
                self._changed.notify_all()

    def _read(self, control: socket.socket) -> None:
        waiting = b""
        while chunk := control.recv(65536):
            waiting += chunk
            while (found := re.match(rb"(\d+):", waiting)) and len(waiting) > found.end() + int(found[1]):
                end = found.end() + int(found[1])
                self._take(json.loads(waiting[found.end() : end].decode(errors="replace"), strict=False))
                waiting = waiting[end + 1 :]

    def _take(self, said: dict[str, Any]) -> None:
        with self._changed:
            if said.get("response"):
                self._answers.append(str(said.get("data", "")))
            else:
                self.events.append(said)
            self._changed.notify_all()


def baresip(lab: "Lab", aor: str, *contacts: str, address: str = "") -> Baresip:
    """A running, registered baresip of "alice@corp.example" that watches `contacts`."""
    address = address or lab.free_address()
    server = lab.servers[aor.partition("@")[2]]
    server.await_ready()
    _add_interface(lab.namespace)
    folder = lab.folder / f"baresip-{address}"
    folder.mkdir()
    settings = _SETTINGS.format(address=address, control=_CONTROL, console=_CONSOLE)
    (folder / "config").write_text(settings + "\n".join(_MODULES) + "\n")
    outbound = f'outbound="sip:{server.address}:5060;transport=udp"'
    (folder / "accounts").write_text(f"<sip:{aor}>;regint=600;pubint=600;{outbound};auth_pass=x;answermode=manual\n")
    _write_contacts(folder / "contacts", contacts)
    argv = lab.namespace.command(lab.dns.resolv_conf(View.DIRECT), "baresip", "-f", str(folder))
    process = Process(f"baresip {aor}", argv, folder / "baresip.log", folder=folder)
    client = lab.join(Baresip(aor, address, lab.namespace, process))
    client.start()
    return client


def _add_interface(namespace: Namespace) -> None:
    """Give the namespace an interface that is not loopback: baresip takes no other for a network."""
    ours = ["ip", "-n", namespace.name]
    if subprocess.run([*ours, "link", "show", "wire0"], capture_output=True, check=False).returncode == 0:
        return
    for words in (
        ["link", "add", "wire0", "type", "veth", "peer", "name", "wire1"],
        ["address", "add", "192.0.2.1/32", "dev", "wire0"],
        ["link", "set", "wire1", "up"],
        ["link", "set", "wire0", "up"],
    ):
        subprocess.run([*ours, *words], check=True)


def _write_contacts(path: Any, contacts: Sequence[str]) -> None:
    lines = (f'"{contact.partition("@")[0]}" <sip:{contact}>;presence=p2p\n' for contact in contacts)
    path.write_text("".join(lines))
