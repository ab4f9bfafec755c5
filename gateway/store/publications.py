"""What people publish themselves, and what they have switched on or off."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred

from gateway.model.presence import Field
from gateway.model.publication import Origin, Publication, Publications
from gateway.policy.settings import Subject, subject
from gateway.store.database import Database

PHONES = frozenset({Field.PHONE_WORK, Field.PHONE_MOBILE, Field.PHONE_HOME, Field.PHONE_OTHER})
OWN_FIELDS = PHONES | {Field.NOTE}
"""Fields that a person may publish himself, beside what his client and his card say."""

_PUBLISH = "INSERT OR REPLACE INTO publication VALUES (?, ?, ?, ?)"
_WITHDRAW = "DELETE FROM publication WHERE person = ? AND field = ?"
_SET = "INSERT OR REPLACE INTO setting VALUES (?, ?, ?, ?)"
_UNSET = "DELETE FROM setting WHERE person = ? AND subject = ?"


@define(eq=False)
class OwnWords:
    """Keeps the word of each person (bare address) in memory and on disk; a Deferred fires when it is on disk."""

    _database: Database
    _published: dict[str, dict[Field, Publication]] = field(init=False, factory=dict, repr=False)
    _settings: dict[str, dict[Subject, bool]] = field(init=False, factory=dict, repr=False)

    def __attrs_post_init__(self) -> None:
        for person, name, value, since in self._database.read("SELECT person, field, value, since FROM publication"):
            said = Publication(_read(Field(name), json.loads(value)), Origin.PERSON, since)
            self._published.setdefault(person, {})[Field(name)] = said
        for person, name, is_on in self._database.read("SELECT person, subject, is_on FROM setting"):
            self._settings.setdefault(person, {})[subject(name)] = bool(is_on)

    def published(self, person: str) -> Publications:
        """Gives what a person publishes himself."""
        return self._published.get(person, {})

    def all_published(self) -> Iterator[tuple[str, Publications]]:
        """Goes through everybody who publishes something himself."""
        yield from self._published.items()

    def settings(self, person: str) -> Mapping[Subject, bool]:
        """Gives what a person has switched on or off."""
        return self._settings.get(person, {})

    def publish(self, person: str, name: Field, value: Any, now: float) -> "Deferred[None]":
        """Keeps a value of one of OWN_FIELDS, or with None withdraws it."""
        mine = self._published.setdefault(person, {})
        if value is None:
            mine.pop(name, None)
            if not mine:
                del self._published[person]
            return self._database.write(_WITHDRAW, (person, name.value))
        mine[name] = Publication(value, Origin.PERSON, now)
        return self._database.write(_PUBLISH, (person, name.value, json.dumps(value), now))

    def switch(self, person: str, about: Subject, on: bool | None, now: float) -> "Deferred[None]":
        """Switches a field or feature on or off; with None leaves it to the others again."""
        mine = self._settings.setdefault(person, {})
        if on is None:
            mine.pop(about, None)
            if not mine:
                del self._settings[person]
            return self._database.write(_UNSET, (person, about.value))
        mine[about] = on
        return self._database.write(_SET, (person, about.value, int(on), now))

    def forget(self, person: str) -> "Deferred[None]":
        """Forgets all that a person has said."""
        self._published.pop(person, None)
        self._settings.pop(person, None)
        return self._database.write_all(
            (
                ("DELETE FROM publication WHERE person = ?", (person,)),
                ("DELETE FROM setting WHERE person = ?", (person,)),
            )
        )


def _read(name: Field, value: Any) -> Any:
    """Gives a value its type again: phones are texts, a note is pairs of language and text."""
    return tuple(value) if name in PHONES else tuple((language, text) for language, text in value)
