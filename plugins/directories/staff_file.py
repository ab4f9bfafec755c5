"""The text of a directory file, TOML or CSV, to entries: all of it, or every mistake with its line."""

import csv
import io
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import define, field

from gateway.config.lines import Lines
from gateway.errors import AddressError, GatewayError
from gateway.interfaces import Entry
from gateway.model.address import Address
from gateway.model.presence import Field
from gateway.protocols.directory_values import (
    ADDRESS_PARTS,
    ADDRESSES,
    PUBLISHED,
    NoValue,
    read_field,
    read_groups,
    read_picture,
    read_postal,
)

MAX_BYTES = 32 * 1024 * 1024
"""Bytes that the file may have."""
MAX_TOLD = 20
"""Mistakes that one message tells."""

Entries = Mapping[Address, Entry]
ReadPicture = Callable[[str], bytes]
"""Gives the bytes of a file that the directory names; raises OSError."""

_GROUPS = "groups"
_KNOWN = {name.value: name for name in PUBLISHED}
_COLUMNS = frozenset(
    {name.value for name in PUBLISHED - ADDRESSES}
    | {f"{name.value}.{part}" for name in ADDRESSES for part in ADDRESS_PARTS}
    | {_GROUPS}
)


class FileMistakes(GatewayError):
    """Says what is wrong in a directory file, one mistake a line; never a value that stands in it."""


@define
class _Reading:
    file: str
    domains: Collection[str]
    picture: ReadPicture
    entries: dict[Address, Entry] = field(factory=dict)
    mistakes: list[str] = field(factory=list)

    def refuse(self, line: int, why: str) -> None:
        self.mistakes.append(f"{self.file}:{line}: {why}")

    def finish(self) -> Entries:
        if self.mistakes:
            more = len(self.mistakes) - MAX_TOLD
            told = self.mistakes[:MAX_TOLD] + ([f"and {more} more"] if more > 0 else [])
            raise FileMistakes("\n".join(told))
        return self.entries

    def person(self, text: str, line: int) -> Address | None:
        try:
            person = Address.parse(text.strip())
        except AddressError:
            self.refuse(line, "this is no address")
            return None
        if not person.local or person.resource or person.domain not in self.domains:
            self.refuse(line, f"a person is name@{' or name@'.join(sorted(self.domains))}")
            return None
        if person in self.entries:
            self.refuse(line, "this person is there already")
            return None
        return person

    def take(self, person: Address, values: Mapping[str, list[str]], line_of: Callable[[str], int]) -> None:
        """Takes the texts of a person by column."""
        found: dict[Field, Any] = {}
        postal: dict[Field, dict[str, str]] = {}
        for column, texts in values.items():
            head, _, part = column.rpartition(".")
            if head in _KNOWN and _KNOWN[head] in ADDRESSES:
                postal.setdefault(_KNOWN[head], {})[part] = texts[0] if texts else ""
            elif column != _GROUPS:
                self._value(found, _KNOWN[column], texts, line_of(column))
        found |= {name: address for name, parts in postal.items() if (address := read_postal(parts)) is not None}
        self.entries[person] = Entry(found, read_groups(values.get(_GROUPS, ())))

    def _value(self, found: dict[Field, Any], name: Field, texts: list[str], line: int) -> None:
        try:
            value = self._picture(texts) if name is Field.PHOTO else read_field(name, texts)
        except NoValue as problem:
            self.refuse(line, f"{name.value} {problem}")
        except OSError as problem:
            self.refuse(line, f"{name.value} names a file that cannot be read: {problem.strerror}")
        else:
            if value is not None:
                found[name] = value

    def _picture(self, texts: list[str]) -> Any:
        named = next((text for text in texts if text.strip()), "")
        return read_picture(self.picture(named.strip())) if named else None


def read_file(path: Path, domains: Collection[str]) -> Entries:
    """Reads a .csv or .toml file; raises FileMistakes, when it cannot be read as well."""

    def picture(name: str) -> bytes:
        with open(path.parent / name, "rb") as file:
            return file.read(1024 * 1024)

    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as problem:
        raise FileMistakes(f"{path.name}: cannot be read: {problem.strerror}") from None
    if len(content) > MAX_BYTES:
        raise FileMistakes(f"{path.name}: has more than {MAX_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = content[: problem.start].count(b"\n") + 1
        raise FileMistakes(f"{path.name}:{line}: is not UTF-8") from None
    reader = read_csv if path.suffix == ".csv" else read_toml
    return reader(text, path.name, domains, picture)


def read_csv(text: str, file: str, domains: Collection[str], picture: ReadPicture) -> Entries:
    """Reads a table with a heading: `address`, fields, `groups`; several values of a field with ';' between them."""
    reading = _Reading(file, domains, picture)
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        heading = [name.strip() for name in next(rows, [])]
        if _check_heading(reading, heading):
            line = rows.line_num + 1
            for row in rows:
                _row(reading, heading, row, line)
                line = rows.line_num + 1
    except csv.Error as problem:
        reading.refuse(rows.line_num, str(problem))
    return reading.finish()


def _check_heading(reading: _Reading, heading: list[str]) -> bool:
    before = len(reading.mistakes)
    if "address" not in heading:
        reading.refuse(1, "the heading needs a column address")
    for name in heading:
        if name != "address" and name not in _COLUMNS:
            reading.refuse(1, f"unknown column {name[:64]!r}; there are {', '.join(sorted(_COLUMNS))}")
        if heading.count(name) > 1:
            reading.refuse(1, f"column {name} is there twice")
    return len(reading.mistakes) == before


def _row(reading: _Reading, heading: list[str], row: list[str], line: int) -> None:
    if not any(cell.strip() for cell in row):
        return
    if len(row) != len(heading):
        reading.refuse(line, f"has {len(row)} cells, the heading has {len(heading)}")
        return
    cells = dict(zip(heading, row, strict=True))
    person = reading.person(cells.pop("address"), line)
    if person is not None:
        single = {name: [cell] if "address." in name else cell.split(";") for name, cell in cells.items()}
        reading.take(person, single, lambda column: line)


def read_toml(text: str, file: str, domains: Collection[str], picture: ReadPicture) -> Entries:
    """Reads one table a person, `["alice@corp.example"]`, whose keys are fields and `groups`."""
    reading = _Reading(file, domains, picture)
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise FileMistakes(f"{file}: {problem}") from None
    except (ValueError, RecursionError):
        raise FileMistakes(f"{file}: is beyond all measure") from None
    lines = Lines.of(text)
    for name, table in tables.items():
        line = lines.at((name,))
        if not isinstance(table, dict):
            reading.refuse(line, 'a person is a table, ["name@domain"]')
            continue
        person = reading.person(name, line)
        if person is not None:
            _table(reading, person, table, lambda column, name=name: _line_of(lines, name, column))  # type: ignore[misc]
    return reading.finish()


def _table(reading: _Reading, person: Address, table: Mapping[str, Any], line_of: Callable[[str], int]) -> None:
    values: dict[str, list[str]] = {}
    for column, value in _flat(table):
        listed = value if isinstance(value, list) else [value]
        if column not in _COLUMNS:
            reading.refuse(line_of(column), f"unknown field {column[:64]!r}; there are {', '.join(sorted(_COLUMNS))}")
        elif not all(isinstance(one, str) for one in listed):
            reading.refuse(line_of(column), f"{column} must be a text in quotes, or a list of them")
        else:
            values[column] = listed
    reading.take(person, values, line_of)


def _flat(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Gives keys as columns: a table in a table, however written, is a name with a dot."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def _line_of(lines: Lines, person: str, column: str) -> int:
    """Finds the line of a key, written whole in quotes or with dots."""
    for path in ((person, column), (person, *column.split("."))):
        if lines.has(path):
            return lines.at(path)
    return lines.at((person, *column.split(".")))
