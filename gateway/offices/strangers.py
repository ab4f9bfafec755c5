"""Contacts who ask to see somebody and wait for an answer: who they are, and how they are answered."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from gateway.books.pairs import Pair
from gateway.commands.operations import LevelChanged, RequestAnswered, RequestListed
from gateway.errors import CommandError
from gateway.house import House
from gateway.model.address import Address
from gateway.policy.access_level import BLOCKED, Origin


class SetLevel(Protocol):
    """Gives a level as `Administration.levels_set` does."""

    def __call__(
        self, owner: str, contact: str, level: str, until: str | None, *, origin: Origin
    ) -> Awaitable[LevelChanged]:
        """Gives it at once, and answers when it is on disk."""


class Strangers:
    """Answers the commands about requests; a person answers his own, an administrator anybody's."""

    def __init__(self, house: House, set_level: SetLevel, now: Callable[[], float]) -> None:
        self._doors = house
        self._set_level = set_level
        self._hour = now

    def requests_list(self, owner: str | None) -> list[RequestListed]:
        """Lists who waits for an answer, the longest first."""
        pairs = self._doors.pairs.of_person(owner) if owner else self._doors.pairs
        waiting = [pair for pair in pairs if pair.facts.subscription.request_waits]
        return [_shown(pair) for pair in sorted(waiting, key=lambda pair: (pair.asked_at or 0.0, pair.contact))]

    async def requests_accept(
        self, owner: str, contact: str, level: str | None, until: str | None, origin: Origin = Origin.ADMINISTRATOR
    ) -> RequestAnswered:
        """Lets a contact see a person, at a level that is given first, so that he never sees more than that."""
        pair = self._waiting(owner, contact)
        if level == BLOCKED:
            raise CommandError("whoever is accepted cannot be blocked; refuse him, or block him")
        if level is not None:
            await self._set_level(owner, contact, level, until, origin=origin)
        self._doors.roster.accept(pair)
        return {"owner": owner, "contact": contact, "level": pair.facts.level.name, "accepted": True}

    async def requests_refuse(self, owner: str, contact: str) -> RequestAnswered:
        """Tells a contact that he may not see a person, and not why."""
        pair = self._waiting(owner, contact)
        self._doors.roster.turn_down(pair)
        return {"owner": owner, "contact": contact, "level": pair.facts.level.name, "accepted": False}

    def _waiting(self, owner: str, contact: str) -> Pair:
        pair = self._doors.pairs.of(Address.parse(owner), Address.parse(contact))
        if not pair.facts.subscription.request_waits:
            raise CommandError(f"{contact} does not wait for an answer of {owner}")
        return pair


def _shown(pair: Pair) -> Any:
    return {
        "owner": str(pair.person),
        "contact": str(pair.contact),
        "since": pair.asked_at,
        "level": pair.facts.level.name,
        "verified": pair.verified is not False,
    }
