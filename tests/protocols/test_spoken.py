"""What is said where several fields share a place: only what the document has, and in which order."""

import pytest

from gateway.model.presence import Activity, Field, PresenceDocument
from gateway.protocols.spoken import spoken_activity, spoken_note

MEETING = Activity("working", "in_a_meeting")
OWN, REPLY = (("", "back at two"),), (("", "away"),)


@pytest.mark.parametrize(
    ("fields", "spoken"),
    [
        ({}, None),
        ({Field.ACTIVITY: MEETING}, MEETING),
        ({Field.MEETING_SUBJECT: "Budget"}, Activity("undefined", "", "Budget")),
        ({Field.MEETING_SUBJECT: "Budget", Field.MEETING_LOCATION: "3"}, Activity("undefined", "", "Budget, 3")),
        ({Field.ACTIVITY: MEETING, Field.MEETING_LOCATION: "3"}, Activity("working", "in_a_meeting", "3")),
        (
            {Field.ACTIVITY: Activity("working", "", "hush"), Field.MEETING_SUBJECT: "Budget"},
            Activity("working", "", "hush, Budget"),
        ),
    ],
)
def test_a_meeting_is_in_the_text_of_the_activity(fields: dict[Field, object], spoken: Activity | None) -> None:
    assert spoken_activity(PresenceDocument(fields)) == spoken


@pytest.mark.parametrize(
    ("fields", "spoken"),
    [
        ({}, ()),
        ({Field.NOTE: OWN, Field.OUT_OF_OFFICE: REPLY}, OWN),
        ({Field.OUT_OF_OFFICE: REPLY}, REPLY),
        ({Field.NOTE: (), Field.OUT_OF_OFFICE: REPLY}, REPLY),
    ],
)
def test_the_own_note_counts_before_that_of_the_automatic_reply(fields: dict[Field, object], spoken: object) -> None:
    assert spoken_note(PresenceDocument(fields)) == spoken
