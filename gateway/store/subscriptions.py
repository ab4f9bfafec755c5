"""The subscription between each inside person and each outside contact (RFC 6121 section 3)."""

from collections.abc import Iterator

from attrs import define, field
from twisted.internet.defer import Deferred

from gateway.model.address import Address
from gateway.model.subscription import State
from gateway.store.database import Database

_INSERT = "INSERT OR REPLACE INTO subscription (person, contact, state, agreed) VALUES (?, ?, ?, ?)"
_READ = "SELECT person, contact, state, agreed FROM subscription"
_DELETE = "DELETE FROM subscription WHERE person = ? AND contact = ?"


@define(eq=False)
class SubscriptionStore:
    """Keeps the subscriptions in memory and on disk, by bare addresses; a pair without an entry is in state NONE.

    A change counts at once; its Deferred fires when it also outlives a crash.
    """

    _database: Database
    _contacts: dict[Address, dict[Address, State]] = field(init=False, factory=dict, repr=False)
    _ahead: set[tuple[Address, Address]] = field(init=False, factory=set, repr=False)
    """Pairs of which the person's own server has not agreed yet to what the contact was told."""

    def __attrs_post_init__(self) -> None:
        for person, contact, state, agreed in self._database.read(_READ):
            self._contacts.setdefault(Address.parse(person), {})[Address.parse(contact)] = State(state)
            if not agreed:
                self._ahead.add((Address.parse(person), Address.parse(contact)))

    def __len__(self) -> int:
        return sum(map(len, self._contacts.values()))

    def state(self, person: Address, contact: Address) -> State:
        """Gives the state of one pair (bare addresses)."""
        return self._contacts.get(person, {}).get(contact, State.NONE)

    def set(self, person: Address, contact: Address, state: State) -> "Deferred[None] | None":
        """Changes the state of one pair; gives None when it has this state already."""
        person, contact = person.bare, contact.bare
        if self.state(person, contact) is state:
            return None
        if not state.contact_watches:
            self._ahead.discard((person, contact))
        if state is State.NONE:
            self._forget(person, contact)
            return self._database.write(_DELETE, (person, contact))
        self._contacts.setdefault(person, {})[contact] = state
        return self._write(person, contact, state)

    def agreed(self, person: Address, contact: Address) -> bool:
        """Says whether the person's own server is known to agree that the contact is subscribed, or nobody said so."""
        return (person, contact) not in self._ahead

    def set_agreed(self, person: Address, contact: Address, agreed: bool) -> "Deferred[None] | None":
        """Keeps whether it agrees, as long as the contact is subscribed; gives None when nothing changes."""
        person, contact = person.bare, contact.bare
        state = self.state(person, contact)
        if self.agreed(person, contact) is agreed or not state.contact_watches:
            return None
        (self._ahead.discard if agreed else self._ahead.add)((person, contact))
        return self._write(person, contact, state)

    def watchers_of(self, person: Address) -> tuple[Address, ...]:
        """Gives the contacts that are subscribed to a person."""
        return tuple(contact for contact, state in self.contacts_of(person) if state.contact_watches)

    def contacts_of(self, person: Address) -> tuple[tuple[Address, State], ...]:
        """Gives every contact of a person, with its state."""
        return tuple(self._contacts.get(person, {}).items())

    def all(self) -> Iterator[tuple[Address, Address, State]]:
        """Goes through (person, contact, state) of every pair; ends with RuntimeError when one changes meanwhile."""
        for person, contacts in self._contacts.items():
            for contact, state in contacts.items():
                yield person, contact, state

    def _write(self, person: Address, contact: Address, state: State) -> "Deferred[None]":
        return self._database.write(_INSERT, (person, contact, state.value, int(self.agreed(person, contact))))

    def _forget(self, person: Address, contact: Address) -> None:
        contacts = self._contacts.get(person, {})
        contacts.pop(contact, None)
        if not contacts:
            self._contacts.pop(person, None)
