"""The presence document: published information about a presentity, field by field."""

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Any

from attrs import field, frozen

from gateway.model.sealed import sealed


class Field(Enum):
    """Names every piece of published information that can cross; what has no name here cannot leave."""

    AVAILABILITY = "availability"
    SHOW = "show"
    ACTIVITY = "activity"
    NOTE = "note"
    IDLE = "idle"
    LAST_ACTIVE = "last_active"
    DEVICE = "device"
    CAPABILITIES = "capabilities"
    DISPLAY_NAME = "display_name"
    EMAIL = "email"
    TITLE = "title"
    COMPANY = "company"
    DEPARTMENT = "department"
    OFFICE = "office"
    PHONE_WORK = "phone.work"
    PHONE_MOBILE = "phone.mobile"
    PHONE_HOME = "phone.home"
    PHONE_OTHER = "phone.other"
    ADDRESS_WORK = "address.work"
    ADDRESS_HOME = "address.home"
    URL = "url"
    PHOTO = "photo"
    LOCATION = "location"
    TIME_ZONE = "time_zone"
    MOOD = "mood"
    FREE_BUSY = "free_busy"
    MEETING_SUBJECT = "meeting.subject"
    MEETING_LOCATION = "meeting.location"
    OUT_OF_OFFICE = "out_of_office"
    WORKING_HOURS = "working_hours"

    __hash__ = object.__hash__


class Show(Enum):
    """Qualifies availability (RFC 6121 section 4.7.2.1)."""

    CHAT = "chat"
    AWAY = "away"
    XA = "xa"
    DND = "dnd"

    __hash__ = object.__hash__


Texts = tuple[tuple[str, str], ...]
"""A text in one or more languages: (language tag or '', text) pairs; the first is the default."""


@frozen
class Activity:
    """Says what a person is doing: a general word, a more specific one, a text (XEP-0108, RFC 4480)."""

    general: str = field(repr=False)
    specific: str = field(default="", repr=False)
    text: str = field(default="", repr=False)


@frozen
class Mood:
    """Says how a person feels: one word of the vocabulary and a text (XEP-0107, RFC 4480)."""

    value: str = field(repr=False)
    text: str = field(default="", repr=False)


def _copied(parts: Mapping[str, str]) -> Mapping[str, str]:
    return dict(parts)


@frozen
class Place:
    """Says where a person is, in words; never in coordinates (XEP-0080 civil elements)."""

    parts: Mapping[str, str] = field(repr=False, converter=_copied, hash=False)
    """Element name ('building', 'room', 'locality', ...) to its text."""


@frozen
class PostalAddress:
    """Is a postal address."""

    street: str = field(default="", repr=False)
    locality: str = field(default="", repr=False)
    region: str = field(default="", repr=False)
    postal_code: str = field(default="", repr=False)
    country: str = field(default="", repr=False)


@frozen
class Photo:
    """Is a picture: its media type, its bytes and their SHA-1 in hexadecimal (XEP-0084, XEP-0153)."""

    media_type: str
    content: bytes = field(repr=False)
    sha1: str = field(repr=False)


class Slot(Enum):
    """Says what a calendar knows of a quarter of an hour (RFC 5545 section 3.2.9)."""

    FREE = "free"
    TENTATIVE = "tentative"
    BUSY = "busy"
    OUT_OF_OFFICE = "out_of_office"

    __hash__ = object.__hash__


SLOT_SECONDS = 900
"""Seconds of one slot of free and busy times."""


@frozen
class FreeBusy:
    """Says when a person is free: one slot after the other from `start`, posix seconds at a full quarter of an hour."""

    start: int = field(repr=False)
    slots: tuple[Slot, ...] = field(repr=False)


@frozen
class WorkingHours:
    """Says on which days (0 is Monday) and between which minutes of the day a person works."""

    days: tuple[int, ...] = field(repr=False)
    start: int = field(repr=False)
    """Minutes since midnight."""
    end: int = field(repr=False)
    zone: str = field(default="", repr=False)
    """Offset from UTC, '+01:00', or ''."""


VALUE_TYPES: Mapping[Field, str] = {
    Field.AVAILABILITY: "True; a document without it says 'unavailable'",
    Field.SHOW: "Show; absent means plainly available",
    Field.ACTIVITY: "Activity",
    Field.NOTE: "Texts",
    Field.IDLE: "float: posix seconds since when, coarsened to a quarter of an hour",
    Field.LAST_ACTIVE: "float: posix seconds of the last activity",
    Field.DEVICE: "str: kind of device ('phone', 'pc', 'web', ...), never its name",
    Field.CAPABILITIES: "frozenset[str]: what the person's clients can do, from a closed list",
    Field.DISPLAY_NAME: "str",
    Field.EMAIL: "tuple[str, ...]",
    Field.TITLE: "str",
    Field.COMPANY: "str",
    Field.DEPARTMENT: "str",
    Field.OFFICE: "str",
    Field.PHONE_WORK: "tuple[str, ...]",
    Field.PHONE_MOBILE: "tuple[str, ...]",
    Field.PHONE_HOME: "tuple[str, ...]",
    Field.PHONE_OTHER: "tuple[str, ...]",
    Field.ADDRESS_WORK: "PostalAddress",
    Field.ADDRESS_HOME: "PostalAddress",
    Field.URL: "tuple[str, ...]",
    Field.PHOTO: "Photo",
    Field.LOCATION: "Place",
    Field.TIME_ZONE: "str: offset from UTC, '+01:00'",
    Field.MOOD: "Mood",
    Field.FREE_BUSY: "FreeBusy",
    Field.MEETING_SUBJECT: "str: of the meeting that is now",
    Field.MEETING_LOCATION: "str: of the meeting that is now",
    Field.OUT_OF_OFFICE: "Texts: the note of the automatic reply; there only while it is on",
    Field.WORKING_HOURS: "WorkingHours",
}

FIELD_ORDER: Mapping[Field, int] = {name: place for place, name in enumerate(Field)}


class PresenceDocument:
    """Is what is published about one presentity: field to value, immutable; its repr shows names only."""

    __slots__ = ("_fields", "_hash", "_names")

    def __init__(self, fields: Mapping[Field, Any] | Iterable[tuple[Field, Any]] = ()) -> None:
        self._fields: dict[Field, Any] = dict(fields)
        self._hash: int | None = None
        self._names: frozenset[Field] | None = None

    def __getitem__(self, name: Field) -> Any:
        return self._fields[name]

    def get(self, name: Field) -> Any:
        """Gives the value of a field (its type is in VALUE_TYPES), or None when it is not published."""
        return self._fields.get(name)

    def __contains__(self, name: object) -> bool:
        return name in self._fields

    def __iter__(self) -> Iterator[Field]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PresenceDocument) and self._fields == other._fields

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(self.names)
        return self._hash

    def __repr__(self) -> str:
        return f"PresenceDocument({', '.join(sorted(name.value for name in self._fields))})"

    @property
    def available(self) -> bool:
        """Says whether the presentity can be reached now."""
        return Field.AVAILABILITY in self._fields

    @property
    def names(self) -> frozenset[Field]:
        """Gives the names of the published fields."""
        if self._names is None:
            self._names = frozenset(self._fields)
        return self._names

    def differing(self, other: "PresenceDocument") -> frozenset[Field]:
        """Gives the fields that are in only one of two documents, or not the same in both."""
        ours, theirs = self._fields, other._fields
        known = theirs.get
        found = [name for name, value in ours.items() if known(name) != value]
        if len(theirs) > len(ours) or not self.names >= other.names:
            found += other.names - self.names
        return frozenset(found)

    def only(self, permitted: frozenset[Field]) -> "PresenceDocument":
        """Gives a document of those fields that are permitted; no other value is ever looked at."""
        fields = self._fields
        return PresenceDocument({name: fields[name] for name in fields if name in permitted})

    def with_fields(self, fields: Mapping[Field, Any]) -> "PresenceDocument":
        """Gives a document in which these fields are added or replaced."""
        return PresenceDocument({**self._fields, **fields})


OFFLINE = PresenceDocument()
"""Is what the blocked, the unentitled and the watchers of nobody see: nothing."""


@sealed
class Presence:
    """Carries one presence document; `priority` chooses among several endpoints (RFC 6121 section 4.7.2.3)."""

    document: PresenceDocument
    priority: int = 0
    changed: frozenset[Field] | None = None
    """Fields that differ from what the recipient was last told; None when that is not known."""
