"""Numbers that cost one addition, and the families that hold them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, Generic, TypeVar, overload

from attrs import define, field

from gateway.metrics.labels import CONFIGURED, OTHER, OURS

TIMES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Histogram bounds in seconds for what crosses a network."""


class Counter:
    """Is a number that only grows; the hot path writes `cell.value += 1`."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float = 0

    def inc(self, amount: float = 1) -> None:
        """Adds an amount that is not negative."""
        self.value += amount


class Gauge:
    """Is a number that goes up and down; with `read` set, it is asked for when somebody looks."""

    __slots__ = ("value", "read")

    def __init__(self) -> None:
        self.value: float = 0
        self.read: Callable[[], float] | None = None

    def set(self, value: float) -> None:
        """Replaces the number."""
        self.value = value

    def inc(self, amount: float = 1) -> None:
        """Adds an amount."""
        self.value += amount

    def dec(self, amount: float = 1) -> None:
        """Takes an amount away."""
        self.value -= amount


class Histogram:
    """Counts observations by size; the bounds are upper ends, in the unit of the metric's name."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...] = TIMES) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Counts one observation."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class Info:
    """Is a set of texts about the process itself that can only be replaced as a whole."""

    __slots__ = ("texts",)

    def __init__(self) -> None:
        self.texts: Mapping[str, str] = {}

    def set(self, **texts: str) -> None:
        """Replaces the texts."""
        self.texts = texts


Cell = TypeVar("Cell", Counter, Gauge, Histogram, Info)


@define(eq=False)
class Family(Generic[Cell]):
    """Holds the cells of one metric; calling it with the label values gives the cell, always the same one."""

    name: str
    text: str
    make: Callable[[], Cell]
    labels: Mapping[str, frozenset[str]]
    configured: Mapping[str, frozenset[str]]
    cells: dict[tuple[str, ...], Cell] = field(factory=dict, init=False)

    def __call__(self, *values: str | Enum | None) -> Cell:
        """Gives the cell of these label values; raises ValueError for a value that this code should not have chosen."""
        key = tuple(self._closed(*pair) for pair in zip(self.labels, values, strict=True))
        cell = self.cells.get(key)
        if cell is None:
            cell = self.cells[key] = self.make()
        return cell

    def _closed(self, label: str, value: str | Enum | None) -> str:
        text = value.value if isinstance(value, Enum) else value
        allowed = self.configured[label] if label in CONFIGURED else self.labels[label]
        if text in allowed:
            return str(text)
        if label in OURS:
            raise ValueError(f"{self.name} has no {label} {text!r}")
        return OTHER

    def forget(self) -> None:
        """Drops the cells of what is no longer configured."""
        for key in list(self.cells):
            if any(
                label in CONFIGURED and value != OTHER and value not in self.configured[label]
                for label, value in zip(self.labels, key, strict=True)
            ):
                del self.cells[key]


class Row(Generic[Cell]):
    """Is one row of the table: name, kind, help text, and labels with their closed sets."""

    def __init__(self, name: str, make: Callable[[], Cell], text: str, **labels: frozenset[str]) -> None:
        self.name = name
        self.make: Callable[[], Cell] = make
        self.text = text
        self.labels = labels

    def family(self, configured: Mapping[str, frozenset[str]]) -> Family[Cell]:
        """Makes an empty family of this metric."""
        return Family(self.name, self.text, self.make, self.labels, configured)

    @overload
    def __get__(self, holder: None, owner: type[object]) -> Row[Cell]: ...

    @overload
    def __get__(self, holder: Table, owner: type[object]) -> Family[Cell]: ...

    def __get__(self, holder: Table | None, owner: type[object]) -> Row[Cell] | Family[Cell]:
        return self if holder is None else holder.family(self)


class Table:
    """Holds the families of a table, whose rows are its class attributes."""

    def __init__(self, partners: Iterable[str] = (), domains: Iterable[str] = (), levels: Iterable[str] = ()) -> None:
        self._configured: dict[str, frozenset[str]] = {}
        self._families: dict[str, Family[Any]] = {}
        self.configure(partners, domains, levels)

    def configure(self, partners: Iterable[str], domains: Iterable[str] = (), levels: Iterable[str] = ()) -> None:
        """Says which partners, domains of ours and levels have series of their own; drops those of all others."""
        self._configured.update(partner=frozenset(partners), domain=frozenset(domains), level=frozenset(levels))
        for family in self._families.values():
            family.forget()

    def family(self, row: Row[Cell]) -> Family[Cell]:
        """Gives the family of a row."""
        if row.name not in self._families:
            self._families[row.name] = row.family(self._configured)
        return self._families[row.name]

    def families(self) -> Iterator[Family[Any]]:
        """Gives the families in the order of the table, also those that nobody has counted in yet."""
        for row in self.rows():
            yield self.family(row)

    @classmethod
    def rows(cls) -> Iterator[Row[Any]]:
        """Gives the rows of the table in its order."""
        return (row for kind in cls.__mro__ for row in vars(kind).values() if isinstance(row, Row))
