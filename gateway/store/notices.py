"""Who was told that what is said between him and one of our people is kept."""

from attrs import define, field
from twisted.internet.defer import Deferred

from gateway.policy.notices import NOTHING, Keeping, Kept
from gateway.store.database import Database

_SET = "INSERT OR REPLACE INTO notice VALUES (?, ?, ?, ?)"
_UNSET = "DELETE FROM notice WHERE person = ? AND contact = ?"


@define(eq=False)
class NoticeStore:
    """Keeps in memory and on disk what each contact was told about each person (bare addresses)."""

    _database: Database
    _told: dict[tuple[str, str], Kept] = field(init=False, factory=dict, repr=False)

    def __attrs_post_init__(self) -> None:
        for person, contact, kept in self._database.read("SELECT person, contact, kept FROM notice"):
            self._told[person, contact] = frozenset(map(Keeping, kept.split()))

    def __len__(self) -> int:
        return len(self._told)

    def told(self, person: str, contact: str) -> Kept:
        """Gives what a contact knows to be kept."""
        return self._told.get((person, contact), NOTHING)

    def count(self, person: str) -> int:
        """Gives how many contacts know that something is kept of what they say to a person."""
        return sum(known == person for known, _ in self._told)

    def about(self, address: str) -> list[tuple[str, str, Kept]]:
        """Gives person, contact and what the contact knows, where the address is either."""
        return [(*pair, kept) for pair, kept in self._told.items() if address in pair]

    def tell(self, person: str, contact: str, kept: Kept, now: float) -> "Deferred[None]":
        """Notes that a contact knows what is kept now; the Deferred fires when that is on disk."""
        if not kept:
            self._told.pop((person, contact), None)
            return self._database.write(_UNSET, (person, contact))
        self._told[person, contact] = kept
        named = " ".join(sorted(each.value for each in kept))
        return self._database.write(_SET, (person, contact, named, now))
