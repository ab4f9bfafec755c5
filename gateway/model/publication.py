"""Published information: which field, from whom, since when."""

from enum import Enum


class Origin(Enum):
    """Says who published a field."""

    ADMINISTRATOR = "administrator"
    PERSON = "person"
    LEG = "leg"
    CALENDAR = "calendar"

    __hash__ = object.__hash__
