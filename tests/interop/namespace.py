"""A network namespace of the lab's own: its own loopback, its own ports, its own resolver."""

import ctypes
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from attrs import define

_CLONE_NEWNET = 0x40000000  # setns(2)
_PREFIX = "xlab"
_RUN = Path("/run/netns")
_numbers = itertools.count()
_libc = ctypes.CDLL(None, use_errno=True)


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def _setns(descriptor: int) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def _orphaned(name: str) -> bool:
    owner = name.split("-")[1]
    return owner.isdigit() and not Path("/proc", owner).exists()


def remove_orphans() -> None:
    """Remove namespaces and folders of test runs that were killed before they could do it themselves."""
    for path in _RUN.glob(f"{_PREFIX}-*-*"):
        if _orphaned(path.name):
            # a second run may sweep at the same moment
            with suppress(OSError):
                Namespace(path.name).remove()
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}-*-*"):
        if _orphaned(folder.name):
            shutil.rmtree(folder, ignore_errors=True)


@define
class Namespace:
    """One network namespace with its loopback up."""

    name: str

    @classmethod
    def create(cls) -> "Namespace":
        """Make a namespace whose name holds the id of this process."""
        made = cls(f"{_PREFIX}-{os.getpid()}-{next(_numbers)}")
        _ip("netns", "add", made.name)
        try:
            _ip("-n", made.name, "link", "set", "lo", "up")
        except OSError:
            made.remove()
            raise
        return made

    def remove(self) -> None:
        """End every process that still runs inside, then delete the namespace."""
        for _ in range(50):
            inside = self.pids()
            if not inside:
                break
            for pid in inside:
                _kill(pid)
            time.sleep(0.02)
        _ip("netns", "delete", self.name)

    def pids(self) -> list[int]:
        """The processes inside."""
        return [int(pid) for pid in _ip("netns", "pids", self.name).split()]

    def command(self, resolv_conf: Path, *argv: str) -> list[str]:
        """A command line that becomes `argv` inside, with `resolv_conf` as /etc/resolv.conf, under the same pid."""
        # ip netns exec has already given the process a mount namespace of its own
        script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        return ["ip", "netns", "exec", self.name, "sh", "-c", script, str(resolv_conf), *argv]

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Put the calling thread inside; sockets made there stay there."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        inside = os.open(_RUN / self.name, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(inside)
            try:
                yield
            finally:
                _setns(home)
        finally:
            os.close(inside)
            os.close(home)

    def connect(self, address: str, port: int, timeout: float = 5.0) -> socket.socket:
        """A TCP connection to a peer inside; `timeout` in seconds; raises OSError."""
        with self.entered():
            return socket.create_connection((address, port), timeout)

    def listen(self, address: str, port: int) -> socket.socket:
        """A TCP socket that listens inside."""
        with self.entered():
            return socket.create_server((address, port))

    def answers(self, address: str, port: int) -> bool:
        """Whether something listens there."""
        try:
            self.connect(address, port, 1.0).close()
        except OSError:
            return False
        return True


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
