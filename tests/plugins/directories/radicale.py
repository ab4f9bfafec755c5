"""A real Radicale for one test module: HTTPS, people with passwords, their calendars."""

import base64
import os
import shutil
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from attrs import define, field

from tests.interop.pki import Pki

from .ports import free_port

_CONF = """\
[server]
hosts = 127.0.0.1:{port}
ssl = True
certificate = {chain}
key = {key}
[auth]
type = htpasswd
htpasswd_filename = {folder}/users
htpasswd_encryption = plain
delay = 0
[rights]
type = from_file
file = {folder}/rights
[storage]
filesystem_folder = {folder}/collections
[web]
type = none
"""
_RIGHTS = """\
[reader]
user: gateway
collection: .*
permissions: Rr
[owner]
user: .+
collection: {user}(/.*)?
permissions: RrWw
"""


@define
class Radicale:
    """Runs radicale on loopback; `gateway` may read everything, everybody his own."""

    folder: Path
    pki: Pki
    port: int = field(factory=free_port)
    _running: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"https://localhost:{self.port}"

    def start(self) -> None:
        """Starts it and waits until it answers."""
        leaf = self.pki.special("radicale", "DNS:localhost")
        text = _CONF.format(port=self.port, chain=leaf.chain, key=leaf.key, folder=self.folder)
        (self.folder / "config").write_text(text, "utf-8")
        (self.folder / "rights").write_text(_RIGHTS, "utf-8")
        (self.folder / "users").write_text(
            "".join(f"{name}:{name}-pw\n" for name in ("gateway", "alice", "dave")), "utf-8"
        )
        program = shutil.which("radicale", path=f"{os.environ.get('PATH', '')}:/usr/bin")
        assert program is not None
        with (self.folder / "log").open("ab") as log:
            self._running = subprocess.Popen(
                [program, "--config", str(self.folder / "config")], stdout=log, stderr=log, start_new_session=True
            )
        end = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert self._running.poll() is None and time.monotonic() < end, (self.folder / "log").read_text()
                time.sleep(0.1)

    def stop(self) -> None:
        """Ends it."""
        if self._running is not None:
            self._running.terminate()
            self._running.wait(10)
            self._running = None

    def put(self, user: str, path: str, text: str, method: str = "PUT") -> None:
        """Writes below a person's collection, as he."""
        secret = base64.b64encode(f"{user}:{user}-pw".encode()).decode()
        headers = {"Authorization": f"Basic {secret}", "Content-Type": "text/calendar; charset=utf-8"}
        body = text.replace("\n", "\r\n").encode() or None
        request = urllib.request.Request(f"{self.url}/{user}/{path}", body, headers, method=method)
        trust = ssl.create_default_context(cafile=str(self.pki.ca))
        with urllib.request.urlopen(request, timeout=10, context=trust) as answer:
            assert answer.status < 300
