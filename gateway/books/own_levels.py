"""The levels that people have given at their own server, kept beside what the administrator has decided."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from attrs import frozen
from twisted.internet.defer import maybeDeferred
from twisted.python.failure import Failure

from gateway.log import Log
from gateway.model.address import Address
from gateway.policy.access_level import Assignment, Member, Origin

log = Log("levels")


class Store(Protocol):
    """Is where the assignments of people are kept."""

    def of(self, owner: str) -> Sequence[Assignment]:
        """Gives the assignments of one person."""

    def set(self, assignment: Assignment) -> Awaitable[None]:
        """Makes an assignment."""

    def unset(self, owner: str, member: Member) -> Awaitable[None]:
        """Removes one."""


@frozen
class OwnLevels:
    """Makes a person's entries those that the inside server tells; what an administrator has entered stays."""

    store: Store
    now: Callable[[], float]
    """Posix seconds."""

    def take(self, person: Address, levels: Mapping[Member, str]) -> bool:
        """Takes all the levels that a person (bare address) has given; says whether anything changes by that."""
        known = {entry.member: entry for entry in self.store.of(person)}
        own = {member: entry for member, entry in known.items() if entry.origin is Origin.CLIENT}
        entered = known.keys() - own.keys()
        changed = False
        for member, level in levels.items():
            if member not in entered and (member not in own or own[member].level != level):
                _keep(self.store.set, Assignment(person, member, level, Origin.CLIENT, self.now()))
                changed = True
        for member in own.keys() - levels.keys():
            _keep(self.store.unset, person, member)
            changed = True
        return changed


def _keep(write: Callable[..., Any], *what: object) -> None:
    """Writes without waiting: the change counts at once, and the server tells it again after a start."""
    maybeDeferred(write, *what).addErrback(_not_kept)


def _not_kept(failure: Failure) -> None:
    log.failure("level not on disk", failure)
