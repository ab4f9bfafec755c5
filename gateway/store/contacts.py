"""Which level each person, or the administrator for everybody, has given to whom."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred

from gateway.model.address import Address
from gateway.policy.access_level import Assignment, Member, MemberKind, Origin
from gateway.store.database import Database, Statement

_INSERT = "INSERT OR REPLACE INTO assignment VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_NONE: Mapping[Member, Assignment] = {}
_DELETE = "DELETE FROM assignment WHERE owner = ? AND member_kind = ? AND member_value = ?"


@define(eq=False)
class AssignmentStore:
    """Keeps the assignments in memory and on disk.

    A change counts at once; its Deferred fires when it also outlives a crash. When the disk fails, the change stands
    until the end of the process.
    """

    _database: Database
    _by_owner: dict[str, dict[Member, Assignment]] = field(init=False, factory=dict, repr=False)
    _wide: dict[str, dict[Member, Assignment]] = field(init=False, factory=dict, repr=False)
    """Those of them that are not about one contact."""

    def __attrs_post_init__(self) -> None:
        for row in self._database.read("SELECT * FROM assignment"):
            self._keep(read_assignment(row))

    def all(self) -> tuple[Assignment, ...]:
        """Gives every assignment."""
        return tuple(entry for entries in self._by_owner.values() for entry in entries.values())

    def of(self, owner: str) -> Sequence[Assignment]:
        """Gives the assignments of one person (bare address), or with '' those that are made for everybody."""
        return tuple(self._by_owner.get(owner, _NONE).values())

    def about(self, owner: str, contact: Address) -> Iterable[Assignment]:
        """Gives those of them that may concern a contact: his own, and those about more than one."""
        named = self._by_owner.get(owner, _NONE).get(Member(MemberKind.CONTACT, contact.bare))
        wide = self._wide.get(owner, _NONE).values()
        return wide if named is None else (named, *wide)

    def set(self, assignment: Assignment) -> "Deferred[None]":
        """Makes an assignment, in place of the one that its owner had for the same member."""
        self._keep(assignment)
        return self._database.write(_INSERT, _row(assignment))

    def unset(self, owner: str, member: Member) -> "Deferred[None]":
        """Removes an assignment; it is no error when there is none."""
        self._forget(owner, member)
        return self._database.write(_DELETE, (owner, member.kind.value, member.value))

    def expired(self, now: float) -> tuple[Assignment, ...]:
        """Gives the assignments that have ended at `now` (posix seconds)."""
        return tuple(entry for entry in self.all() if entry.until is not None and entry.until <= now)

    def remove_expired(self, now: float) -> "Deferred[None]":
        """Removes the assignments that have ended at `now` (posix seconds)."""
        ended = self.expired(now)
        for entry in ended:
            self._forget(entry.owner, entry.member)
        return self._database.write_all(tuple(_deletion(entry) for entry in ended))

    def _keep(self, assignment: Assignment) -> None:
        for table in self._tables(assignment.member):
            table.setdefault(assignment.owner, {})[assignment.member] = assignment

    def _forget(self, owner: str, member: Member) -> None:
        for table in self._tables(member):
            mine = table.get(owner, {})
            mine.pop(member, None)
            if not mine:
                table.pop(owner, None)

    def _tables(self, member: Member) -> Iterable[dict[str, dict[Member, Assignment]]]:
        return (self._by_owner,) if member.kind is MemberKind.CONTACT else (self._by_owner, self._wide)


def _deletion(entry: Assignment) -> Statement:
    return _DELETE, (entry.owner, entry.member.kind.value, entry.member.value)


def _row(entry: Assignment) -> tuple[Any, ...]:
    kind, value = entry.member.kind.value, entry.member.value
    return str(entry.owner), kind, value, entry.level, entry.origin.value, entry.since, entry.until, int(entry.locked)


def read_assignment(row: tuple[Any, ...]) -> Assignment:
    """Gives the assignment that a row of the table holds."""
    owner, kind, value, level, origin, since, until, locked = row
    return Assignment(owner, Member(MemberKind(kind), value), level, Origin(origin), since, until, bool(locked))
