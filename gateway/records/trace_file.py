"""The file of the protocol log: one JSON line a signal, bounded in size and age, for the daemon's own user only."""

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from attrs import define, field

from gateway.errors import GatewayError
from gateway.log import Log

log = Log("trace")

NAME = "trace.log"
"""The name of the newest file in the state folder; the one before is `trace.log.1`."""
DAY = 86_400.0


@define(eq=False)
class TraceFile:
    """Writes lines; one that cannot be written is lost and counted, for a log must not stop the house."""

    path: Path
    file_bytes: int
    files: int
    keep_days: int
    now: Callable[[], float] = time.time
    lost: int = field(init=False, default=0)
    _open: IO[bytes] | None = field(init=False, default=None)
    _size: int = field(init=False, default=0)

    def write(self, line: str) -> None:
        """Writes one line; it is on its way to the disk with the next `flush`."""
        octets = line.encode("ascii", "replace") + b"\n"
        try:
            if self._open is None or self._size + len(octets) > self.file_bytes:
                self._begin()
            assert self._open is not None
            self._open.write(octets)
            self._size += len(octets)
        except OSError as problem:
            self._lose(problem)

    def flush(self) -> None:
        """Hands to the system what was written."""
        if self._open is not None:
            try:
                self._open.flush()
            except OSError as problem:
                self._lose(problem)

    def prune(self) -> None:
        """Removes what is too old or too much."""
        oldest = self.now() - self.keep_days * DAY
        for place in self.path.parent.glob(f"{self.path.name}*"):
            number = place.name.removeprefix(self.path.name).removeprefix(".")
            surplus = number.isascii() and number.isdigit() and int(number) >= self.files
            with suppress(OSError):
                if surplus or place.stat().st_mtime < oldest:
                    if place == self.path:
                        self.close()
                    place.unlink()

    def about(self, address: str) -> list[dict[str, Any]]:
        """Gives every line that names somebody (bare address), the oldest file first; raises OSError."""
        self.flush()
        return [line for place in self._places() for line in _lines(place) if _names(line, address)]

    def forget(self, address: str) -> int:
        """Takes every line out that names somebody, and gives how many; raises OSError."""
        self.close()
        taken = 0
        for place in self._places():
            lines = _lines(place)
            left = [line for line in lines if not _names(line, address)]
            if len(left) < len(lines):
                taken += len(lines) - len(left)
                kept = place.stat()
                fresh = place.with_name("trace.new")
                descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
                with os.fdopen(descriptor, "w", encoding="ascii") as file:
                    file.writelines(json.dumps(line, separators=(",", ":")) + "\n" for line in left)
                os.utime(fresh, (kept.st_mtime, kept.st_mtime))
                fresh.replace(place)
        return taken

    def _places(self) -> list[Path]:
        return [place for number in range(self.files - 1, -1, -1) if (place := self._numbered(number)).exists()]

    def close(self) -> None:
        """Closes the file."""
        if self._open is not None:
            with suppress(OSError):
                self._open.close()
            self._open = None

    def _begin(self) -> None:
        """Opens the file; a full one steps back first, and the oldest goes."""
        self.close()
        full = self.path.exists() and self.path.stat().st_size >= self.file_bytes - 1024
        if full:
            for number in range(self.files - 1, 0, -1):
                before = self._numbered(number - 1)
                if before.exists():
                    before.replace(self._numbered(number))
            with suppress(FileNotFoundError):
                self.path.unlink()
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self.path, flags, 0o600)
        os.fchmod(descriptor, 0o600)
        self._open = os.fdopen(descriptor, "ab")
        self._size = self.path.stat().st_size
        if full:
            self.prune()

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}") if number else self.path

    def _lose(self, problem: OSError) -> None:
        self.close()
        if not self.lost:
            log.error("trace not written", detail=GatewayError(f"{self.path}: {problem.strerror}"))
        self.lost += 1


def _lines(place: Path) -> list[dict[str, Any]]:
    """Gives what can be read: the last line may have been cut off."""
    found = []
    for line in place.read_text(encoding="ascii", errors="replace").splitlines():
        with suppress(ValueError):
            found.append(json.loads(line))
    return found


def _names(line: dict[str, Any], address: str) -> bool:
    return address in (line.get("from"), line.get("to"))
