"""Published information: which field, from whom, since when."""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from attrs import field, frozen

from gateway.model.presence import Field


class Origin(Enum):
    """Says who published a field."""

    ADMINISTRATOR = "administrator"
    PERSON = "person"
    LEG = "leg"
    CALENDAR = "calendar"

    __hash__ = object.__hash__


@frozen
class Publication:
    """Is the value of one field, from one origin, since a time (posix seconds)."""

    value: Any = field(repr=False)
    """Its type is in `gateway.model.presence.VALUE_TYPES`."""
    origin: Origin
    since: float


Publications = Mapping[Field, Publication]
