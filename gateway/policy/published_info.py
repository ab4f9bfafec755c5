"""THE TABLE: which field is seen at which level; and the only function that strips."""

from collections.abc import Mapping

from gateway.model.envelope import QueryKind
from gateway.model.presence import Field, PresenceDocument

STANDARD_LEVELS: Mapping[str, int] = {"blocked": 32000, "public": 100, "company": 200, "team": 300, "personal": 400}
"""The five levels of Office Communicator 2007 and the numbers of their containers."""

_ROWS = """
availability   public company team personal
show           public company team personal
activity              company team personal
note                  company team personal
idle                  company team personal
last_active           company team personal
device                company team personal
capabilities          company team personal
display_name   public company team personal
email          public company team personal
title          public company team personal
company        public company team personal
department            company team personal
office                company team personal
phone.work            company team personal
phone.mobile                  team personal
phone.home                         personal
phone.other                        personal
address.work          company team personal
address.home                       personal
url                   company team personal
photo                 company team personal
location                      team personal
time_zone             company team personal
mood                               personal
free_busy             company team personal
meeting.subject               team
meeting.location              team
out_of_office         company team personal
working_hours         company team personal
"""

TABLE: Mapping[Field, frozenset[str]] = {
    Field(name): frozenset(levels) for name, *levels in (row.split() for row in _ROWS.strip().splitlines())
}
"""A field is seen at the levels of its row and at no other; a field without a row is seen by nobody."""

PRESENCE_FIELDS = frozenset(
    {
        Field.AVAILABILITY,
        Field.SHOW,
        Field.ACTIVITY,
        Field.NOTE,
        Field.IDLE,
        Field.LAST_ACTIVE,
        Field.DEVICE,
        Field.CAPABILITIES,
        Field.LOCATION,
        Field.MOOD,
        Field.FREE_BUSY,
        Field.MEETING_SUBJECT,
        Field.MEETING_LOCATION,
        Field.OUT_OF_OFFICE,
    }
)
"""Fields that tell what the person is doing now: only a subscribed contact is entitled to them (RFC 6121 section 4)."""


ASKED: Mapping[QueryKind, frozenset[Field]] = {
    QueryKind.CARD: frozenset(Field) - PRESENCE_FIELDS - {Field.WORKING_HOURS},
    QueryKind.LAST_ACTIVITY: frozenset({Field.LAST_ACTIVE}),
    QueryKind.TIME: frozenset({Field.TIME_ZONE}),
    QueryKind.CAPABILITIES: frozenset({Field.CAPABILITIES, Field.DEVICE}),
    QueryKind.PICTURE: frozenset({Field.PHOTO}),
    QueryKind.MOOD: frozenset({Field.MOOD}),
    QueryKind.ACTIVITY: frozenset({Field.ACTIVITY, Field.MEETING_SUBJECT, Field.MEETING_LOCATION}),
    QueryKind.LOCATION: frozenset({Field.LOCATION}),
    QueryKind.NAME: frozenset({Field.DISPLAY_NAME}),
    QueryKind.PING: frozenset(),
    QueryKind.FORM: frozenset(),
    QueryKind.OTHER: frozenset(),
}
"""Fields that an answer to each kind of question holds: what was not asked for is no part of it."""


def fields_of(level: str) -> frozenset[Field]:
    """Gives the fields that a standard level sees; an unknown level sees nothing."""
    return frozenset(name for name, levels in TABLE.items() if level in levels)


def strip(document: PresenceDocument, permitted: frozenset[Field]) -> PresenceDocument:
    """Builds a document from those fields of another that are permitted; no other value is ever looked at."""
    return document.only(permitted)
