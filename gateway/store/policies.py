"""Configurations that were in force, by fingerprint, who put them there, and those that wait for a second word."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import asdict, define, frozen

from gateway.errors import StoreError

KEPT = 200
"""Steps of the history that are kept, and the configurations that they name."""
_NAME = re.compile(r"[0-9a-f]{4,64}")


@frozen
class Step:
    """Is one change of the configuration in force."""

    at: float
    """Posix seconds."""
    id: str
    """The SHA-256 of the files."""
    how: str
    """start, reload, apply, rollback, approve."""
    by: str = ""
    """The user of this machine, or '' where that is not known."""


@frozen
class Proposal:
    """Is a configuration that somebody proposed and nobody has approved yet."""

    id: str
    at: float
    by: str
    uid: int
    against: str
    """The fingerprint of the configuration that it would replace."""
    fingerprint: str
    how: str
    bundle: str
    told: Mapping[str, Any]
    """What the comparison said in short."""


@define
class PolicyShelf:
    """Keeps texts of configurations in a folder that nobody but the gateway may read; each file is written whole."""

    folder: Path

    def keep(self, step: Step, bundle: str) -> None:
        """Adds a step to the history, and the configuration that is in force since; raises StoreError."""
        steps = [*self.history(), step][-KEPT:]
        self._write(f"{step.id}.config", bundle)
        self._write("history.json", json.dumps([asdict(each) for each in steps]))
        known = {each.id for each in steps}
        for path in self.folder.glob("*.config"):
            if path.stem not in known:
                path.unlink(missing_ok=True)

    def history(self) -> list[Step]:
        """Gives the steps, oldest first; raises StoreError."""
        text = self._read("history.json")
        return [Step(**each) for each in json.loads(text)] if text else []

    def found(self, name: str) -> tuple[str, str]:
        """Gives the whole fingerprint and the bundle for the beginning of a fingerprint; raises StoreError."""
        matching = list(self.folder.glob(f"{name}*.config")) if _NAME.fullmatch(name) else []
        if len(matching) != 1:
            raise StoreError(f"{name!r} is {'several of' if matching else 'none of'} the configurations that are kept")
        return matching[0].stem, self._read(matching[0].name)

    def propose(self, proposal: Proposal) -> None:
        """Keeps a proposal."""
        self._write(f"{proposal.id}.proposal", json.dumps(asdict(proposal)))

    def proposals(self) -> list[Proposal]:
        """Gives what waits, oldest first."""
        texts = [self._read(path.name) for path in self.folder.glob("*.proposal")]
        return sorted((Proposal(**json.loads(text)) for text in texts if text), key=lambda each: each.at)

    def drop(self, proposal: Proposal) -> None:
        """Forgets a proposal."""
        (self.folder / f"{proposal.id}.proposal").unlink(missing_ok=True)

    def _read(self, name: str) -> str:
        try:
            return (self.folder / name).read_text("utf-8")
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as problem:
            raise StoreError(f"{self.folder / name} cannot be read: {problem}") from None

    def _write(self, name: str, text: str) -> None:
        path, other = self.folder / name, self.folder / f".{name}.new"
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(other, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            other.replace(path)
        except OSError as problem:
            raise StoreError(f"{path} cannot be written: {problem.strerror}") from None
