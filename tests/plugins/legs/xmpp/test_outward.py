"""Which parts of a change go on the wire to a partner: the stanza, an event, or nothing at all."""

import pytest

from gateway.books.presence_book import IN_PRESENCE
from gateway.model.presence import Activity, Field, FreeBusy, Presence, PresenceDocument, Show, Slot
from plugins.legs.xmpp.outward import CARRIED, OutwardPresence

DOCUMENT = PresenceDocument(
    {
        Field.AVAILABILITY: True,
        Field.SHOW: Show.DND,
        Field.ACTIVITY: Activity("working", "in_a_meeting"),
        Field.MEETING_SUBJECT: "Budget",
        Field.OUT_OF_OFFICE: (("", "Out of office"),),
        Field.FREE_BUSY: FreeBusy(0, (Slot.BUSY,)),
    }
)


def written(*changed: Field) -> tuple[int, int]:
    """Gives how many stanzas of presence and how many events go for a change."""
    presence = Presence(DOCUMENT, 0, frozenset(changed))
    text = OutwardPresence().write(presence, "alice@corp.example/x", "bob@partner.example")
    return text.count("<presence "), text.count("<message ")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ((Field.MEETING_SUBJECT,), (0, 1)),
        ((Field.MEETING_LOCATION, Field.MEETING_SUBJECT, Field.ACTIVITY), (0, 1)),
        ((Field.SHOW, Field.ACTIVITY), (1, 1)),
        ((Field.OUT_OF_OFFICE,), (1, 0)),
        ((Field.FREE_BUSY,), (0, 0)),
        ((Field.FREE_BUSY, Field.WORKING_HOURS, Field.TITLE, Field.PHONE_HOME), (0, 0)),
    ],
)
def test_what_a_change_puts_on_the_wire(changed: tuple[Field, ...], told: tuple[int, int]) -> None:
    assert written(*changed) == told


def test_what_the_leg_carries_is_presence_but_for_busy_times() -> None:
    assert IN_PRESENCE - {Field.FREE_BUSY} == CARRIED
