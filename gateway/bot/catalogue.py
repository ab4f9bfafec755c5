"""What the bot says and understands, one catalogue a language."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from string import Formatter

from attrs import field, frozen

FALLBACK = "en"


@frozen
class Catalogue:
    """Is one language: what it calls things, the sentences, and the words that it understands."""

    language: str
    says: Mapping[str, str] = field(repr=False)
    levels: Mapping[str, str] = field(repr=False)
    fields: Mapping[str, str] = field(repr=False)
    reasons: Mapping[str, str] = field(repr=False)
    words: Mapping[str, tuple[str, ...]] = field(repr=False)
    times: Mapping[str, str] = field(repr=False)
    """Its words for days and spans of time, in English."""

    def say(self, sentence: str, **parts: object) -> str:
        """Gives a sentence with its parts filled in."""
        return self.says[sentence].format(**parts)

    def level(self, name: str) -> str:
        """Gives what a level is called; one of the administrator's own by its own name."""
        return self.levels.get(name, name)

    def field(self, name: str) -> str:
        """Gives what a field or feature is called."""
        return self.fields.get(name, name)

    def reason(self, name: str) -> str:
        """Gives a reason in words."""
        return self.reasons.get(name, name)


def load() -> Mapping[str, Catalogue]:
    """Gives every catalogue by its language tag; the sentences that one does not have are English."""
    folder = files("gateway.bot") / "catalogues"
    tables = {
        entry.name.removesuffix(".toml"): tomllib.loads(entry.read_text(encoding="utf-8"))
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    }
    return {language: _catalogue(language, table, tables[FALLBACK]) for language, table in sorted(tables.items())}


def _catalogue(
    language: str, table: Mapping[str, Mapping[str, object]], english: Mapping[str, Mapping[str, object]]
) -> Catalogue:
    def both(part: str) -> dict[str, str]:
        return {name: str(text) for name, text in {**english[part], **table.get(part, {})}.items()}

    words = {
        name: (*_listed(table.get("words", {}).get(name)), *_listed(known)) for name, known in english["words"].items()
    }
    return Catalogue(language, both("says"), both("levels"), both("fields"), both("reasons"), words, both("times"))


def _listed(value: object) -> tuple[str, ...]:
    return tuple(str(word) for word in value) if isinstance(value, list) else ()


def parts_of(sentence: str) -> frozenset[str]:
    """Gives the names that a sentence fills in."""
    return frozenset(name for _, name, _, _ in Formatter().parse(sentence) if name)
