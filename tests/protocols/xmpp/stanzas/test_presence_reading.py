"""Presence that repeats the one before is read once, and never when anything that counts differs."""

from attrs import evolve

from gateway.model.presence import Field, PresenceDocument
from gateway.protocols.element import Element
from gateway.protocols.xmpp.stanzas.presences import PresenceReading, ReadPresence, read_presence
from tests.protocols.xmpp.stanzas.parsing import NOW, parse

AWAY = parse("<presence from='a@corp.example' to='b@partner.example'><status>out</status></presence>")
SINCE = "<idle xmlns='urn:xmpp:idle:1' since='2026-11-23T10:00:00Z'/>"


def to(element: Element, **attributes: str) -> Element:
    """Gives the stanza to somebody else: other attributes, the same children."""
    return evolve(element, attributes={"from": "a@corp.example", "to": "c@partner.example", **attributes})


def document(read: object) -> PresenceDocument:
    assert isinstance(read, ReadPresence)
    return read.presence.document


def test_the_same_content_is_the_same_object_whoever_it_is_for() -> None:
    reading = PresenceReading()
    first = reading.read(AWAY, NOW)
    assert first == read_presence(AWAY, NOW)
    assert reading.read(to(AWAY), NOW + 5) is first


def test_equal_content_that_was_parsed_anew_is_read_anew() -> None:
    reading = PresenceReading()
    first = reading.read(AWAY, NOW)
    again = reading.read(parse("<presence><status>out</status></presence>"), NOW)
    assert again == first and again is not first


def test_another_type_or_language_says_something_else() -> None:
    reading = PresenceReading()
    reading.read(AWAY, NOW)
    assert document(reading.read(to(AWAY, type="unavailable"), NOW)).get(Field.AVAILABILITY) is None
    assert document(reading.read(to(AWAY, **{"xml:lang": "de"}), NOW))[Field.NOTE] == (("de", "out"),)
    assert document(reading.read(to(AWAY), NOW))[Field.NOTE] == (("", "out"),)
    assert not isinstance(reading.read(to(AWAY, type="error"), NOW), ReadPresence)


def test_a_time_that_was_to_come_is_believed_once_it_has_come() -> None:
    idle = parse(f"<presence>{SINCE}</presence>")
    since = document(read_presence(idle, float("inf")))[Field.LAST_ACTIVE]
    reading = PresenceReading()
    assert Field.IDLE not in document(reading.read(idle, since - 1))
    past = reading.read(to(idle), since)
    assert document(past)[Field.LAST_ACTIVE] == since
    assert reading.read(to(idle), since + 1) is past
    assert Field.IDLE not in document(reading.read(to(idle), since - 1))
