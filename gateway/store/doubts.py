"""Contacts who may believe more than they may see: whom a restart must not forget to tell."""

from attrs import define, field
from twisted.internet.defer import Deferred

from gateway.model.address import Address
from gateway.store.database import Database

_INSERT = "INSERT OR REPLACE INTO doubt VALUES (?, ?)"
_DELETE = "DELETE FROM doubt WHERE person = ? AND contact = ?"


@define(eq=False)
class DoubtStore:
    """Keeps pairs, by bare addresses, of whom a contact could not be told yet what was taken from him."""

    _database: Database
    _pairs: set[tuple[str, str]] = field(init=False, factory=set, repr=False)

    def __attrs_post_init__(self) -> None:
        self._pairs.update((person, contact) for person, contact in self._database.read("SELECT * FROM doubt"))

    def __len__(self) -> int:
        return len(self._pairs)

    def all(self) -> list[tuple[Address, Address]]:
        """Gives every person and contact."""
        return [(Address.parse(person), Address.parse(contact)) for person, contact in sorted(self._pairs)]

    def add(self, person: Address, contact: Address) -> "Deferred[None] | None":
        """Takes a pair; the Deferred fires when it outlives a crash. Gives None when it is there already."""
        if (person, contact) in self._pairs:
            return None
        self._pairs.add((person, contact))
        return self._database.write(_INSERT, (person, contact))

    def remove(self, person: Address, contact: Address) -> "Deferred[None] | None":
        """Forgets a pair; gives None when it is not there."""
        if (person, contact) not in self._pairs:
            return None
        self._pairs.discard((person, contact))
        return self._database.write(_DELETE, (person, contact))
