"""Asks the directories about each of our people whom somebody outside may see, and again when that is due."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import define, field
from twisted.internet.defer import ensureDeferred

from gateway.errors import GatewayError
from gateway.interfaces import Directory, Entry
from gateway.log import Log
from gateway.metrics import Metrics
from gateway.model.address import Address
from gateway.model.presence import Field
from gateway.model.publication import Origin

log = Log("directories")

AGAIN_SECONDS = 60.0
"""After a failure, when a directory is asked again about the same person."""
MOST_AT_ONCE = 8
"""Questions to one directory that are under way at the same time; the others wait their turn."""
NEVER = float("inf")

Say = Callable[[str, str, Origin, Mapping[Field, Any]], object]
"""Takes a person, the directory's name, its origin and all that it says of the person."""
Regrouped = Callable[[str], object]
"""Takes a person of whom other groups are known now."""


@define
class _Asked:
    """Is what one directory has said of one person."""

    groups: frozenset[str] | None = None
    """None until it has answered for the first time."""
    due: float = NEVER
    """Posix seconds at which the directory is asked again."""
    under_way: bool = False
    again: bool = False


@define
class _Row:
    """Is one directory, and the people it is asked about."""

    directory: Directory
    asked: dict[str, _Asked] = field(factory=dict)
    waiting: dict[str, None] = field(factory=dict)
    """People whose turn has not come, in the order of asking."""
    busy: int = 0
    next_due: float = NEVER


class Directories:
    """Keeps what the directories say in step with them; one that fails is believed as it last spoke."""

    def __init__(
        self,
        directories: Iterable[Directory],
        say: Say,
        regrouped: Regrouped,
        metrics: Metrics,
        now: Callable[[], float],
    ) -> None:
        self._rows = [_Row(directory) for directory in directories]
        self._say = say
        self._regrouped = regrouped
        self._metrics = metrics
        self._now = now

    def meet(self, person: Address) -> None:
        """Asks about a person (bare address) of whom nothing was asked yet."""
        for row in self._rows:
            if person not in row.asked:
                row.asked[person] = _Asked()
                self._ask(row, person)

    def groups(self, person: str) -> frozenset[str] | None:
        """Gives the groups that the administrator's directories put a person in; None while one has yet to answer.

        A calendar says nothing of groups, and one that fails keeps nobody waiting.
        """
        found: frozenset[str] = frozenset()
        for row in self._rows:
            if row.directory.origin is not Origin.ADMINISTRATOR:
                continue
            asked = row.asked.get(person)
            if asked is None or asked.groups is None:
                return None
            found |= asked.groups
        return found

    def changed(self, person: Address | None) -> None:
        """Asks again about a person, or (None) about everybody."""
        for row in self._rows:
            for each in list(row.asked) if person is None else [person.bare]:
                if each in row.asked:
                    self._ask(row, each)

    def tick(self) -> None:
        """Asks again what is due."""
        now = self._now()
        for row in self._rows:
            if row.next_due <= now:
                row.next_due = min((asked.due for asked in row.asked.values() if asked.due > now), default=NEVER)
                for person in [person for person, asked in row.asked.items() if asked.due <= now]:
                    self._ask(row, person)

    def forget(self, person: str) -> None:
        """Forgets somebody whom nobody outside watches any more."""
        for row in self._rows:
            row.waiting.pop(person, None)
            asked = row.asked.pop(person, None)
            if asked is not None and asked.groups is not None:
                self._say(person, row.directory.name, row.directory.origin, {})

    def _ask(self, row: _Row, person: str) -> None:
        asked = row.asked[person]
        if asked.under_way:
            asked.again = True
        elif row.busy >= MOST_AT_ONCE:
            row.waiting[person] = None
        else:
            row.busy += 1
            asked.under_way, asked.due = True, NEVER
            ensureDeferred(self._look_up(row, person, asked))

    async def _look_up(self, row: _Row, person: str, asked: _Asked) -> None:
        directory = row.directory
        try:
            entry = await directory.look_up(Address.parse(person))
            self._take(row, person, asked, entry or Entry({}))
        except GatewayError as problem:
            log.warn("directory not asked", directory=directory.name, detail=problem)
            self._failed(row, asked)
        except Exception:  # noqa: BLE001 a directory is a plugin: whatever it raises must not stop the others
            log.failure("directory failed", directory=directory.name)
            self._failed(row, asked)
        row.busy -= 1
        asked.under_way = False
        if asked.again and person in row.asked:
            asked.again = False
            self._ask(row, person)
        while row.waiting and row.busy < MOST_AT_ONCE:
            self._ask(row, _first(row.waiting))

    def _failed(self, row: _Row, asked: _Asked) -> None:
        self._metrics.directory_failures().inc()
        _due(row, asked, self._now() + AGAIN_SECONDS)

    def _take(self, row: _Row, person: str, asked: _Asked, entry: Entry) -> None:
        if entry.ends is not None:
            _due(row, asked, max(entry.ends, self._now() + 1.0))
        if row.asked.get(person) is not asked:
            return
        before, asked.groups = asked.groups, entry.groups
        if before != entry.groups:
            self._regrouped(person)
        self._say(person, row.directory.name, row.directory.origin, entry.values)


def _due(row: _Row, asked: _Asked, moment: float) -> None:
    asked.due = moment
    row.next_due = min(row.next_due, moment)


def _first(waiting: dict[str, None]) -> str:
    person = next(iter(waiting))
    del waiting[person]
    return person
