"""On which line of a TOML file each key stands; tomllib does not say."""

import re
from collections.abc import Iterator

from attrs import define, field

Step = str | int
"""A key, or the index of a table in an array of tables."""

TomlPath = tuple[Step, ...]
"""From the top of the file to a value: `("partner", 0, "ceiling")`."""

_KEY = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*""")
_TOKENS = re.compile(
    r'"""(?:[^\\]|\\.)*?"""|'
    + r"'''.*?'''|"
    + r'"(?:[^"\\\n]|\\.)*"|'
    + r"'[^'\n]*'|"
    + r"#[^\n]*|[\[\]{}\n]|[^\[\]{}\n\"'#]+",
    re.DOTALL,
)


@define
class Lines:
    """Finds the line of a path in one file that tomllib has accepted."""

    _found: dict[TomlPath, int] = field(factory=dict)
    _table: TomlPath = ()
    _counts: dict[TomlPath, int] = field(factory=dict)

    @classmethod
    def of(cls, text: str) -> "Lines":
        """Scans a file."""
        lines = cls()
        for number, statement in _statements(text):
            lines._take(number, statement)
        return lines

    def at(self, path: TomlPath) -> int:
        """Gives the line (from 1) of a path, or of the nearest thing around it that has one."""
        while path and path not in self._found:
            path = path[:-1]
        return self._found.get(path, 1)

    def has(self, path: TomlPath) -> bool:
        """Says whether a path stands in the file."""
        return path in self._found

    def _take(self, number: int, statement: str) -> None:
        if statement.startswith("[["):
            path = self._resolve(_keys(statement[2:]))
            index = self._counts[path] = self._counts.get(path, -1) + 1
            self._table = (*path, index)
            self._note(self._table, number)
        elif statement.startswith("["):
            self._table = self._resolve(_keys(statement[1:]))
            self._note(self._table, number)
        else:
            keys = _keys(statement)
            for end in range(1, len(keys) + 1):
                self._note((*self._table, *keys[:end]), number)

    def _resolve(self, keys: tuple[str, ...]) -> TomlPath:
        """Turns a header into a path: below an array of tables its last table is meant."""
        path: TomlPath = ()
        for key in keys[:-1]:
            path = (*path, key)
            if path in self._counts:
                path = (*path, self._counts[path])
        return (*path, keys[-1])

    def _note(self, path: TomlPath, number: int) -> None:
        self._found.setdefault(path, number)


def _keys(text: str) -> tuple[str, ...]:
    """Reads a dotted key at the start of a text."""
    keys: list[str] = []
    position = 0
    while found := _KEY.match(text, position):
        keys.append(next(part for part in found.groups() if part is not None))
        position = found.end()
        if text[position : position + 1] != ".":
            break
        position += 1
    return tuple(keys)


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Gives the line and the text of each header and each `key = value`, however many lines the value takes."""
    number, depth, start, statement = 1, 0, 1, ""
    for token in _TOKENS.findall(text):
        if token == "\n" and depth == 0:
            if statement.strip():
                yield start, statement.strip()
            statement, start = "", number + 1
        elif not token.startswith("#"):
            depth += (token in ("[", "{")) - (token in ("]", "}"))
            statement += token
        number += token.count("\n")
    if statement.strip():
        yield start, statement.strip()
