"""The revisions of the statement: each is kept, with its date and the digest of what it says."""

import json
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from gateway.errors import CommandError
from gateway.log import Log
from gateway.offices.reporting import kept
from gateway.statement.paragraph import Paragraph

log = Log("statement")

FOLDER = "statement"
"""The folder of the revisions in the state folder: a file each."""


@frozen
class Revision:
    """Is one revision: what held from a moment on."""

    number: int
    made: float
    """Posix seconds."""
    wording: str
    """The digest of all sentences in all languages."""
    paragraphs: tuple[Paragraph, ...]

    @property
    def digest(self) -> str:
        """Gives the SHA-256 of what it says; the number and the date do not count."""
        said = {"wording": self.wording, "paragraphs": [each.plain() for each in self.paragraphs]}
        return sha256(json.dumps(said, sort_keys=True).encode("utf-8")).hexdigest()

    def plain(self) -> dict[str, Any]:
        """Gives it as JSON can hold it."""
        return {
            "revision": self.number,
            "made": self.made,
            "wording": self.wording,
            "digest": self.digest,
            "paragraphs": [each.plain() for each in self.paragraphs],
        }

    @classmethod
    def read(cls, plain: dict[str, Any]) -> "Revision":
        """Reads what `plain` gave."""
        paragraphs = tuple(Paragraph.read(each) for each in plain["paragraphs"])
        return cls(plain["revision"], plain["made"], plain["wording"], paragraphs)


@define(eq=False)
class Revisions:
    """Is the folder of all revisions."""

    folder: Path
    newest: Revision | None = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number in sorted(self._numbers(), reverse=True):
            try:
                self.newest = self.of(number)
                return
            except CommandError as problem:
                log.warn("revision not readable", detail=problem)

    def take(self, paragraphs: Iterable[Paragraph], wording: str, now: float) -> Revision | None:
        """Keeps what holds now as a new revision if it says something else; gives the one before, or None.

        Raises StoreError when it cannot be written.
        """
        before = self.newest
        number = max(self._numbers(), default=0) + 1
        drawn = Revision(number, now, wording, _normal(paragraphs))
        if before is not None and before.digest == drawn.digest:
            return None
        kept(self._path(number), json.dumps(drawn.plain(), indent=1, sort_keys=True) + "\n")
        self.newest = drawn
        return before

    def of(self, number: int) -> Revision:
        """Gives a revision; raises CommandError when there is none, or somebody has changed it."""
        try:
            plain = json.loads(self._path(number).read_text(encoding="utf-8"))
            found = Revision.read(plain)
        except FileNotFoundError:
            raise CommandError(
                f"there is no revision {number}; the newest is {max(self._numbers(), default=0)}"
            ) from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise CommandError(f"revision {number} cannot be read") from None
        if plain.get("digest") != found.digest:
            raise CommandError(f"revision {number} is not what was kept: its digest differs")
        return found

    def _numbers(self) -> list[int]:
        names = (place.stem for place in self.folder.glob("*.json"))
        return [int(name) for name in names if name.isascii() and name.isdigit()]

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06}.json"


def _normal(paragraphs: Iterable[Paragraph]) -> tuple[Paragraph, ...]:
    """Gives paragraphs as they are read again: JSON knows no tuples."""
    return tuple(Paragraph.read(json.loads(json.dumps(each.plain()))) for each in paragraphs)
