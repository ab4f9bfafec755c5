"""Turns TOML tables into the classes of `sections`, and collects every problem with its line."""

import types
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin

import attrs
from attrs import define, field

from gateway.config import archiving, directories, federation, informing, settings
from gateway.config.lines import Lines, TomlPath
from gateway.config.values import READERS, Place, Refused, Secret, nearest

_Section = TypeVar("_Section")

_MOST = 2**53
_READERS: Mapping[Any, Any] = {
    **READERS,
    **archiving.READERS,
    **directories.READERS,
    **federation.READERS,
    **informing.READERS,
    **settings.READERS,
}

_SIMPLE: Mapping[Any, tuple[tuple[type, ...], str]] = {
    str: ((str,), "a text in quotes"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    bool: ((bool,), "true or false"),
}


@define(eq=False)
class Reading:
    """Is the reading of one file."""

    name: str
    """As it stands in messages: `gateway.toml` or `conf.d/ally.toml`."""
    lines: Lines
    place: Place
    problems: list[tuple[str, int, str]] = field(factory=list)
    """(file, line, text); shared by all files of one configuration."""

    def refuse(self, path: TomlPath, why: str) -> None:
        """Notes a problem at a path."""
        self.problems.append((self.name, self.lines.at(path), why))

    def section(self, kind: type[_Section], table: object, path: TomlPath) -> _Section | None:
        """Reads one table; None when it is no table or something that must be there is missing."""
        title = title_of(path, table)
        if not isinstance(table, dict):
            self.refuse(path, f"{title} must be a table")
            return None
        settings = {setting.name: setting for setting in attrs.fields(kind)}  # type: ignore[arg-type]
        for key in table:
            if key not in settings:
                self.refuse((*path, key), f'unknown key "{key}" in {title}{_suggested(key, settings)}')
        missing = [name for name, setting in settings.items() if setting.default is attrs.NOTHING and name not in table]
        for name in missing:
            self.refuse(path, f"{title} needs {name}: {sentence_of(settings[name])}")
        values, refused = self._values(settings, table, path, title)
        if missing or any(settings[name].default is attrs.NOTHING for name in refused):
            return None
        return kind(**values)

    def _values(
        self, settings: Mapping[str, Any], table: Mapping[str, Any], path: TomlPath, title: str
    ) -> tuple[dict[str, Any], list[str]]:
        values: dict[str, Any] = {}
        refused: list[str] = []
        for name in (name for name in settings if name in table):
            try:
                values[name] = self._setting(settings[name], table[name], (*path, name))
            except Refused as problem:
                refused.append(name)
                shown = (
                    "" if Secret in (settings[name].type, *get_args(settings[name].type)) else f" = {toml(table[name])}"
                )
                label = f"[{name}]" if title == "the file" else f"{title} {name}"
                self.refuse((*path, name), f"{label}{shown}: {problem}")
        return values, refused

    def _setting(self, setting: Any, value: object, path: TomlPath) -> Any:
        found = self.value(setting.type, value, path)
        least = setting.metadata.get("least")
        if least is not None and found < least:
            raise Refused(f"must be at least {least}")
        return found

    def value(self, kind: Any, value: object, path: TomlPath) -> Any:
        """Reads one value of a kind; raises Refused."""
        if kind in _READERS:
            return _READERS[kind](value, self.place)
        if kind in _SIMPLE:
            return _simple(kind, value)
        if kind is Path:
            return self.place.path(_simple(str, value))
        if get_origin(kind) in (Union, types.UnionType):
            return self._one_of([part for part in get_args(kind) if part is not type(None)], value, path)
        if get_origin(kind) in (tuple, frozenset):
            return self._list(get_origin(kind), get_args(kind)[0], value, path)
        if get_origin(kind) is Mapping:
            return self._tables(get_args(kind)[1], value, path)
        if isinstance(kind, type) and issubclass(kind, Enum):
            return _choice(kind, value)
        return self._nested(kind, value, path)

    def _one_of(self, kinds: list[Any], value: object, path: TomlPath) -> Any:
        """Reads one of several kinds of table, which the key `kind` tells apart; of a single kind, just that."""
        if len(kinds) == 1:
            return self.value(kinds[0], value, path)
        chosen = value.get("kind") if isinstance(value, dict) else None
        by_name = {kind.KIND: kind for kind in kinds}
        if isinstance(chosen, str) and chosen in by_name:
            return self._nested(by_name[chosen], value, path)
        if not isinstance(value, dict):
            raise Refused("must be a table")
        meant = f'. Did you mean "{found}"?' if chosen and (found := nearest(str(chosen), by_name)) else ""
        self.refuse((*path, "kind"), f"{title_of(path, value)} needs kind = {' or '.join(map(toml, by_name))}{meant}")
        return None

    def _list(self, shape: type, kind: Any, value: object, path: TomlPath) -> Any:
        if not isinstance(value, list):
            raise Refused("must be a list in brackets")
        if _is_table(kind):
            found = (self.value(kind, table, (*path, index)) for index, table in enumerate(value))
            return shape([entry for entry in found if entry is not None])
        items = [self._item(kind, item, path) for item in value]
        return shape(items)

    def _item(self, kind: Any, item: object, path: TomlPath) -> Any:
        try:
            return self.value(kind, item, path)
        except Refused as problem:
            raise Refused(f"{toml(item)}: {problem}") from None

    def _tables(self, kind: Any, value: object, path: TomlPath) -> Any:
        if not isinstance(value, dict):
            raise Refused("must be a table")
        found = {name: self.section(kind, table, (*path, name)) for name, table in value.items()}
        return {name: entry for name, entry in found.items() if entry is not None}

    def _nested(self, kind: Any, value: object, path: TomlPath) -> Any:
        if not isinstance(value, dict):
            raise Refused("must be a table")
        return self.section(kind, value, path)


def title_of(path: TomlPath, table: object = None) -> str:
    """Names a table as it stands in the file: `[levels.vip]`, `[[partner]] partner.example`."""
    if not path:
        named = table.get("domain") if isinstance(table, dict) else None
        return f"partner {named}" if isinstance(named, str) else "the file"
    name = ".".join(step for step in path if isinstance(step, str))
    if not isinstance(path[-1], int):
        return f"[{name}]"
    known = table if isinstance(table, dict) else {}
    label = known.get("domain", known.get("contact", known.get("name")))
    return f"[[{name}]] {label}" if isinstance(label, str) else f"[[{name}]] number {path[-1] + 1}"


def sentence_of(setting: Any) -> str:
    """Gives the sentence that explains a setting."""
    return str(setting.metadata.get("sentence", setting.name))


def toml(value: object, width: int = 60) -> str:
    """Writes a value as it could stand in the file, at most `width` characters of it."""
    if isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, str):
        text = '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    elif isinstance(value, list):
        text = "[" + ", ".join(map(toml, value)) + "]"
    elif isinstance(value, dict):
        text = "{ ... }"
    else:
        text = str(value)
    return text if len(text) <= width else text[: width - 3] + "..."


def _is_table(kind: Any) -> bool:
    """Says whether a kind of value is written as a table of its own."""
    return kind not in _READERS and any(attrs.has(one) for one in (kind, *get_args(kind)))


def _simple(kind: Any, value: object) -> Any:
    accepted, description = _SIMPLE[kind]
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise Refused(f"must be {description}")
    if kind in (int, float) and not -_MOST < value < _MOST:  # type: ignore[operator]
        raise Refused("is out of range")
    return kind(value)


def _choice(kind: type[Enum], value: object) -> Enum:
    known = [str(member.value) for member in kind]
    if value in known:
        return kind(value)
    if len(known) > 6:
        raise Refused("is not known", nearest(str(value), known))
    raise Refused(f"must be one of {', '.join(known)}", nearest(str(value), known))


def _suggested(key: str, known: Mapping[str, Any]) -> str:
    meant = nearest(key, known)
    return f'. Did you mean "{meant}"?' if meant else ""
