"""A real PostgreSQL server on a socket of its own, which a test may stop, kill and starve."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from attrs import define, field

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
SMALL = 2 * 1024 * 1024
"""Bytes of a file at most, for a server that is to find no room."""
WAIT = 30.0


def missing() -> str:
    """Says why there is no server, or ''."""
    return "" if PROGRAMS else "PostgreSQL is not installed: python -m tests.install_peers"


@define(eq=False)
class Server:
    """Is one server with a fresh folder; it runs as the user postgres when the tests run as root."""

    folder: Path = field(factory=lambda: Path(tempfile.mkdtemp(prefix="gwpg-")))
    _process: "subprocess.Popen[bytes] | None" = field(init=False, default=None)

    @property
    def address(self) -> str:
        """Gives what libpq connects to."""
        return f"host={self.folder} user=gateway dbname=postgres"

    def make(self) -> None:
        """Makes the folder of a new server."""
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        made = [str(PROGRAMS[-1] / "initdb"), "-D", str(self.folder / "data"), "-U", "gateway", "--auth=trust"]
        subprocess.run([*self._as_user(), *made, "--wal-segsize=1", "--no-sync"], check=True, capture_output=True)

    def start(self, small: bool = False) -> None:
        """Starts it, and waits until it answers; a small one finds no room for more than 2 MB in a table."""
        limit = ["prlimit", f"--fsize={SMALL}"] if small else []
        settings = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={self.folder}"]
        postgres = [str(PROGRAMS[-1] / "postgres"), "-D", str(self.folder / "data"), *settings]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen([*limit, *self._as_user(), *postgres], stdout=log, stderr=log)
        end = time.monotonic() + WAIT
        while self._asks("pg_isready", "-h", str(self.folder)):
            assert time.monotonic() < end and self._process.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.05)

    def stop(self, mode: str = "fast") -> None:
        """Stops it: fast, or immediate, as a crash would."""
        if self._process is not None:
            subprocess.run(
                [*self._as_user(), str(PROGRAMS[-1] / "pg_ctl"), "stop", "-D", str(self.folder / "data"), "-m", mode],
                check=True,
                capture_output=True,
            )
            self._process.wait(WAIT)
            self._process = None

    def remove(self) -> None:
        """Stops it and removes its folder."""
        self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _asks(self, program: str, *arguments: str) -> int:
        return subprocess.run([str(PROGRAMS[-1] / program), *arguments], capture_output=True, check=False).returncode

    def _as_user(self) -> list[str]:
        user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        return user if os.geteuid() == 0 else []
