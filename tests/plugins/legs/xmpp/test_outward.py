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


ALICE, BOB = "alice@corp.example/x", "bob@partner.example"


def test_a_stanza_and_an_event_stand_one_after_the_other_with_their_addresses() -> None:
    writer = OutwardPresence()
    assert writer.count == 0
    text = writer.write(Presence(DOCUMENT, 0, frozenset({Field.SHOW, Field.ACTIVITY})), ALICE, BOB)
    assert text == (
        f"<presence from='{ALICE}' to='{BOB}'><show>dnd</show><status>Out of office</status></presence>"
        f"<message from='alice@corp.example' to='{BOB}' type='headline'>"
        "<event xmlns='http://jabber.org/protocol/pubsub#event'>"
        "<items node='http://jabber.org/protocol/activity'><item id='current'>"
        "<activity xmlns='http://jabber.org/protocol/activity'><working><in_a_meeting/></working>"
        "<text>Budget</text></activity></item></items></event></message>"
    )
    assert writer.count == 2
    two = writer.write(Presence(DOCUMENT, 0, frozenset({Field.MOOD, Field.LOCATION})), ALICE, BOB)
    assert two.count("</message><message ") == 1 and two.startswith("<message ") and two.endswith("</message>")


@pytest.mark.parametrize(
    ("changed", "count"),
    [
        (None, 4),
        (frozenset({Field.SHOW}), 1),
        (frozenset({Field.MOOD, Field.LOCATION}), 2),
        (frozenset({Field.TITLE}), 0),
    ],
)
def test_stanzas_are_counted_and_nothing_is_written_for_none(changed: frozenset[Field] | None, count: int) -> None:
    writer = OutwardPresence()
    text = writer.write(Presence(DOCUMENT, 0, changed), ALICE, BOB)
    assert writer.count == count == text.count("<presence ") + text.count("<message ")
    assert (text == "") is (count == 0)


@pytest.mark.parametrize(
    ("changed", "told"),
    [(None, True), (frozenset({Field.PHOTO}), True), (frozenset({Field.SHOW}), False)],
)
def test_that_a_picture_is_gone_is_told_when_it_has_changed_or_nothing_is_known(
    changed: frozenset[Field] | None, told: bool
) -> None:
    text = OutwardPresence().write(Presence(DOCUMENT, 0, changed), ALICE, BOB)
    assert ("<photo/>" in text) is told


def test_what_goes_to_many_is_made_once_and_what_is_another_presence_again() -> None:
    writer, presence = OutwardPresence(), Presence(DOCUMENT, 0, None)
    first = writer.write(presence, ALICE, BOB)
    made = writer._said
    second = writer.write(presence, ALICE, "carol@ally.example")
    assert writer._said is made and second == first.replace(BOB, "carol@ally.example")
    other = writer.write(Presence(PresenceDocument(), 0, frozenset({Field.AVAILABILITY})), ALICE, BOB)
    assert other == f"<presence from='{ALICE}' to='{BOB}' type='unavailable'/>"
