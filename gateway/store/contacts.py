"""Which level each person, or the administrator for everybody, has given to whom."""

from collections.abc import Sequence
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred

from gateway.policy.access_level import Assignment, Member, MemberKind, Origin
from gateway.store.database import Database, Statement

_INSERT = "INSERT OR REPLACE INTO assignment VALUES (?, ?, ?, ?, ?, ?, ?)"
_DELETE = "DELETE FROM assignment WHERE owner = ? AND member_kind = ? AND member_value = ?"


@define(eq=False)
class AssignmentStore:
    """Keeps the assignments in memory and on disk.

    A change counts at once; its Deferred fires when it also outlives a crash. When the disk fails, the change stands
    until the end of the process.
    """

    _database: Database
    _by_owner: dict[str, tuple[Assignment, ...]] = field(init=False, factory=dict, repr=False)

    def __attrs_post_init__(self) -> None:
        for row in self._database.read("SELECT * FROM assignment"):
            self._keep(_assignment(row))

    def all(self) -> tuple[Assignment, ...]:
        """Gives every assignment."""
        return tuple(entry for entries in self._by_owner.values() for entry in entries)

    def of(self, owner: str) -> Sequence[Assignment]:
        """Gives the assignments of one person (bare address), or with '' those that are made for everybody."""
        return self._by_owner.get(owner, ())

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
        others = self._others(assignment.owner, assignment.member)
        self._by_owner[assignment.owner] = (*others, assignment)

    def _forget(self, owner: str, member: Member) -> None:
        others = self._others(owner, member)
        if others:
            self._by_owner[owner] = others
        else:
            self._by_owner.pop(owner, None)

    def _others(self, owner: str, member: Member) -> tuple[Assignment, ...]:
        return tuple(entry for entry in self._by_owner.get(owner, ()) if entry.member != member)


def _deletion(entry: Assignment) -> Statement:
    return _DELETE, (entry.owner, entry.member.kind.value, entry.member.value)


def _row(entry: Assignment) -> tuple[Any, ...]:
    kind, value = entry.member.kind.value, entry.member.value
    return str(entry.owner), kind, value, entry.level, entry.origin.value, entry.since, entry.until


def _assignment(row: tuple[Any, ...]) -> Assignment:
    owner, kind, value, level, origin, since, until = row
    return Assignment(owner, Member(MemberKind(kind), value), level, Origin(origin), since, until)
