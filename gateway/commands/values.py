"""A published value in words, for the person whose it is and for who may see it anyway."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from attrs import asdict

from gateway.model.presence import Field, FreeBusy, Photo, Place, WorkingHours

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MOMENTS = frozenset({Field.IDLE, Field.LAST_ACTIVE})
_TEXTS = frozenset({Field.NOTE, Field.OUT_OF_OFFICE})


def in_words(name: Field, value: Any) -> str:
    """Gives a value of a field as one line of text."""
    if name in _MOMENTS:
        return _moment(value)
    if name in _TEXTS:
        return "; ".join(f"{language}: {text}" if language else text for language, text in value)
    if isinstance(value, Photo):
        return f"{value.media_type}, {len(value.content)} bytes"
    if isinstance(value, FreeBusy):
        return f"{len(value.slots)} quarters of an hour from {_moment(value.start)}"
    if isinstance(value, WorkingHours):
        hours = "-".join(f"{minutes // 60:02}:{minutes % 60:02}" for minutes in (value.start, value.end))
        return f"{', '.join(_DAYS[day] for day in value.days)} {hours} {value.zone}".rstrip()
    return _plain(value)


def _plain(value: Any) -> str:
    if value is True:
        return "yes"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, Place):
        return _plain(value.parts)
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {text}" for name, text in value.items() if text)
    if isinstance(value, tuple | frozenset):
        return ", ".join(sorted(map(str, value)) if isinstance(value, frozenset) else map(str, value))
    if hasattr(type(value), "__attrs_attrs__"):
        return ", ".join(str(part) for part in asdict(value).values() if part)
    return str(value)


def _moment(posix: float) -> str:
    return datetime.fromtimestamp(posix, UTC).strftime("%Y-%m-%d %H:%M")
