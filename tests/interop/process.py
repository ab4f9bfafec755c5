"""A process of the lab: its log file, its end, its second start."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from attrs import define, field


class LabError(Exception):
    """Says what in the lab did not come up, with the end of its log."""


def _group_lives(group: int) -> bool:
    """Whether a process of the group still runs; one that waits to be reaped by init does not."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # proc(5): pid (comm) state ppid pgrp …; comm may hold anything
            state, _, its_group = path.read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group and state not in "ZX":
                return True
    return False


@define
class Process:
    """One program with its output in `output`; a session of its own, so that a signal reaches all of it."""

    name: str
    argv: list[str]
    output: Path
    environment: Mapping[str, str] = field(factory=dict)
    folder: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    _popen: "subprocess.Popen[bytes] | None" = field(init=False, default=None)

    def start(self) -> None:
        """Start it; does not wait until it serves."""
        if self.running():
            raise LabError(f"{self.name} runs already")
        with self.output.open("ab") as output:
            self._popen = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The id of the process; raises LabError before the first start."""
        if self._popen is None:
            raise LabError(f"{self.name} was never started")
        return self._popen.pid

    def running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._popen is not None and self._popen.poll() is None

    @property
    def exit_code(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return None if self._popen is None else self._popen.poll()

    def stop(self, timeout: float = 5.0) -> int | None:
        """Ask it and what it started to end, insist after `timeout` seconds; the exit status."""
        self._end(self.stop_signal, timeout)
        if self._alive():
            self.kill()
        return self.exit_code

    def kill(self) -> None:
        """End it and what it started at once, without a chance to tidy up."""
        self._end(signal.SIGKILL, 2.0)

    def _end(self, number: signal.Signals, timeout: float) -> None:
        if not self._alive():
            return
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)
        deadline = time.monotonic() + timeout
        while self._alive() and time.monotonic() < deadline:
            time.sleep(0.01)

    def _alive(self) -> bool:
        """Whether anything of its session is left: ejabberd goes on after the script that started it has ended."""
        if self._popen is None:
            return False
        return self._popen.poll() is None or _group_lives(self._popen.pid)

    def text(self) -> str:
        """Everything it wrote."""
        return self.output.read_text(errors="replace") if self.output.exists() else ""

    def await_ready(self, ready: Callable[[], bool], timeout: float) -> None:
        """Wait until `ready()`, at most `timeout` seconds; raises LabError, at once when the process ends."""
        deadline = time.monotonic() + timeout
        while not ready():
            if not self.running():
                raise LabError(f"{self.name} ended with {self.exit_code}:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise LabError(f"{self.name} is not ready after {timeout} s:\n{self.tail()}")
            time.sleep(0.05)

    def tail(self, lines: int = 30) -> str:
        """The last lines it wrote."""
        return "\n".join(self.text().splitlines()[-lines:])
