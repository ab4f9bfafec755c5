"""Published information as files and directories write it: texts to the values of fields, cleaned and bounded."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, Final

from gateway.model.presence import Field, Photo, PostalAddress, WorkingHours
from gateway.protocols.datetimes import read_offset
from gateway.protocols.pidf.contacts import MAX_NUMBER, is_web
from gateway.protocols.texts import MAX_LINE
from gateway.protocols.xmpp.stanzas.photos import MAX_PHOTO, media_type_of

MAX_ENTRIES: Final = 8
"""Telephone numbers, addresses and links of one kind that are taken."""
MAX_GROUPS: Final = 1000
MAX_GROUP: Final = 256

LISTS: Final = frozenset(
    {Field.EMAIL, Field.URL, Field.PHONE_WORK, Field.PHONE_MOBILE, Field.PHONE_HOME, Field.PHONE_OTHER}
)
"""Fields with several values."""
LINES: Final = frozenset(
    {Field.DISPLAY_NAME, Field.TITLE, Field.COMPANY, Field.DEPARTMENT, Field.OFFICE, Field.TIME_ZONE}
)
"""Fields of one line of text."""
ADDRESSES: Final = frozenset({Field.ADDRESS_WORK, Field.ADDRESS_HOME})
ADDRESS_PARTS: Final = ("street", "locality", "region", "postal_code", "country")

PUBLISHED: Final = LISTS | LINES | ADDRESSES | {Field.PHOTO, Field.WORKING_HOURS}
"""Fields that an administrator can publish: none of them tells about the present."""

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS: Final = re.compile(
    r"(?P<days>[a-z ,\-]+?) +(?P<from>\d{1,2}:\d\d) *- *(?P<to>\d{1,2}:\d\d)(?: +(?P<zone>\S+))?", re.ASCII
)


class NoValue(ValueError):
    """Says why texts are no value of a field; never the texts themselves."""


def one_line(text: str, limit: int = MAX_LINE) -> str:
    """Gives a text as one line: no control characters, no runs of spaces, bounded."""
    kept = "".join(" " if one.isspace() else one for one in text[: limit * 4] if _printable(one))
    return " ".join(kept.split())[:limit].rstrip()


def read_field(name: Field, texts: Iterable[str]) -> Any:
    """Gives the value of a field, or None when the texts are empty; raises NoValue."""
    lines = [line for line in map(one_line, texts) if line]
    if not lines:
        return None
    if name in LISTS:
        return _read_list(name, lines)
    if name is Field.WORKING_HOURS:
        return read_hours(lines[0])
    if name is Field.TIME_ZONE:
        zone = read_offset(lines[0])
        if zone is None:
            raise NoValue("is no offset like +01:00")
        return zone
    if name not in LINES:
        raise NoValue("is not a text")
    return lines[0]


def read_postal(parts: Mapping[str, str]) -> PostalAddress | None:
    """Gives an address of its parts (ADDRESS_PARTS), or None when all are empty; raises NoValue for another part."""
    unknown = sorted(parts.keys() - set(ADDRESS_PARTS))
    if unknown:
        raise NoValue(f"has no part {unknown[0]}; there are {', '.join(ADDRESS_PARTS)}")
    address = PostalAddress(**{name: one_line(text) for name, text in parts.items()})
    return address if address != PostalAddress() else None


def read_picture(content: bytes) -> Photo:
    """Gives a picture; raises NoValue when it is too large, or not PNG, JPEG, GIF or WebP."""
    if len(content) > MAX_PHOTO:
        raise NoValue(f"has more than {MAX_PHOTO} bytes")
    media_type = media_type_of(content)
    if media_type is None:
        raise NoValue("is no picture that crosses: PNG, JPEG, GIF, WebP")
    return Photo(media_type, content, hashlib.sha1(content, usedforsecurity=False).hexdigest())


def read_groups(names: Iterable[str]) -> frozenset[str]:
    """Gives the names of groups, bounded."""
    found = (one_line(name, MAX_GROUP) for name in names)
    return frozenset([name for name in found if name][:MAX_GROUPS])


def read_hours(text: str) -> WorkingHours:
    """Reads 'Mon-Fri 08:00-17:00 +01:00', the offset being optional; raises NoValue."""
    found = _HOURS.fullmatch(text.lower())
    days = _read_days(found["days"]) if found else ()
    if found is None or not days:
        raise NoValue("is not like Mon-Fri 08:00-17:00 +01:00")
    start, end = _minutes(found["from"]), _minutes(found["to"])
    if not start < end:
        raise NoValue("ends before it begins")
    zone = read_offset(found["zone"].upper()) if found["zone"] else ""
    if zone is None:
        raise NoValue("has no offset like +01:00 at its end")
    return WorkingHours(days, start, end, zone)


def _read_list(name: Field, lines: list[str]) -> tuple[str, ...]:
    if name is Field.EMAIL and not all("@" in line for line in lines):
        raise NoValue("is no e-mail address")
    if name is Field.URL and not all(is_web(line) for line in lines):
        raise NoValue("is no http or https address")
    limit = MAX_LINE if name in (Field.EMAIL, Field.URL) else MAX_NUMBER
    if any(len(line) > limit for line in lines):
        raise NoValue(f"has more than {limit} characters")
    return tuple(dict.fromkeys(lines))[:MAX_ENTRIES]


def _read_days(text: str) -> tuple[int, ...]:
    days: set[int] = set()
    for part in text.replace(" ", "").split(","):
        first, _, last = part.partition("-")
        if first not in _DAYS or (last or first) not in _DAYS:
            return ()
        begin, end = _DAYS.index(first), _DAYS.index(last or first)
        days.update(day % 7 for day in range(begin, end + 1 if end >= begin else end + 8))
    return tuple(sorted(days))


def _minutes(text: str) -> int:
    hours, minutes = (int(part) for part in text.split(":"))
    if minutes > 59 or hours * 60 + minutes > 1440:
        raise NoValue("has no such time of day")
    return hours * 60 + minutes


def _printable(one: str) -> bool:
    return one.isspace() or unicodedata.category(one) not in ("Cc", "Cs", "Cn", "Co")
