"""What the statement says in each language: sentences of a catalogue, filled in from paragraphs."""

import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from importlib.resources import files
from typing import Any

from attrs import field, frozen

from gateway.bot.catalogue import Catalogue, load
from gateway.statement.paragraph import Paragraph

TEXTS = ("what", "collected", "use", "seen", "choice")
"""What is said of each feature, in this order, beside its title and its state."""


@frozen
class Wording:
    """Is one language."""

    language: str
    table: Mapping[str, Mapping[str, str]] = field(repr=False)
    names: Catalogue = field(repr=False)
    """What levels and fields are called."""

    def page(self, name: str, **parts: object) -> str:
        """Gives a sentence of the page itself."""
        return self.table["page"][name].format(**parts)

    def label(self, name: str) -> str:
        """Gives the heading of one of TEXTS."""
        return self.table["labels"][name]

    def title(self, paragraph: Paragraph) -> str:
        """Gives what a feature is called."""
        return self.table[paragraph.feature]["title"]

    def text(self, paragraph: Paragraph, name: str) -> str:
        """Gives one of TEXTS about a feature."""
        parts = {key: self._part(key, value) for key, value in paragraph.parts.items()}
        return self.table[paragraph.feature][name].format(**parts).strip()

    def state(self, paragraph: Paragraph) -> str:
        """Says whether a feature is on, whether that is locked, and for which partners it is not so."""
        states = self.table["states"]
        said = [states[f"{'locked_' if paragraph.locked else ''}{'on' if paragraph.on else 'off'}"]]
        others = 0
        for scope in paragraph.scopes:
            if not scope.partner or scope.person or scope.group:
                others += 1
                continue
            until = "" if scope.until is None else states["until"].format(moment=day(scope.until))
            said.append(states[f"partner_{'on' if scope.on else 'off'}"].format(partner=scope.partner, until=until))
        if others:
            said.append(states["exceptions"].format(count=others))
        return " ".join(said)

    def levels(self, paragraph: Paragraph) -> list[str]:
        """Gives a line for each level: what it sees."""
        return [
            self.table["presence"]["level"].format(level=self.names.level(name), fields=self._fields(fields))
            for name, fields in paragraph.parts.get("levels", {}).items()
        ]

    def word(self, name: str) -> str:
        """Gives what a closed word is called."""
        return self.table["words"].get(name, name)

    def _part(self, key: str, value: Any) -> object:
        if key == "level":
            return self.word(value) if value in self.table["words"] else self.names.level(value)
        if key == "locked":
            return self._fields(value)
        if key == "hidden":
            return self._fields(sorted({name for name, _ in value}))
        if isinstance(value, list):
            return ", ".join(map(self.word, value)) or self.word("nothing")
        if key in ("to", "collector", "address"):
            return value or self.word("nobody")
        return self.word(value) if isinstance(value, str) else value

    def _fields(self, names: list[str]) -> str:
        return ", ".join(map(self.names.field, names)) or self.word("nothing")


def wordings() -> Mapping[str, Wording]:
    """Gives every language by its tag."""
    called = load()
    folder = files("gateway.statement") / "catalogues"
    tables = {
        entry.name.removesuffix(".toml"): tomllib.loads(entry.read_text(encoding="utf-8"))
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    }
    return {language: Wording(language, table, called[language]) for language, table in sorted(tables.items())}


def fingerprint(known: Mapping[str, Wording]) -> str:
    """Gives a digest of all sentences: another wording is another revision."""
    digest = sha256()
    for language, wording in sorted(known.items()):
        digest.update(repr((language, sorted((k, sorted(v.items())) for k, v in wording.table.items()))).encode())
    return digest.hexdigest()[:16]


def day(posix: float) -> str:
    """Gives the day of a moment, in UTC."""
    return datetime.fromtimestamp(posix, UTC).strftime("%Y-%m-%d")
