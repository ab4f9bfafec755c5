"""Presence as partners are told it: the stanza, and an event for each published item (XEP-0163)."""

from gateway.model.presence import Field, Presence
from gateway.protocols.xml_text import escape_attribute
from gateway.protocols.xmpp.stanzas.caps import caps_of
from gateway.protocols.xmpp.stanzas.presences import write_said
from gateway.protocols.xmpp.stanzas.published import write_event

IN_STANZA = frozenset(
    {
        Field.AVAILABILITY,
        Field.SHOW,
        Field.NOTE,
        Field.OUT_OF_OFFICE,
        Field.IDLE,
        Field.LAST_ACTIVE,
        Field.DISPLAY_NAME,
        Field.PHOTO,
        Field.CAPABILITIES,
        Field.DEVICE,
    }
)
"""Fields that a presence stanza itself carries; the other fields of presence go as PEP events."""
IN_EVENTS = (Field.ACTIVITY, Field.MOOD, Field.LOCATION)
_EVENT_OF = {name: name for name in IN_EVENTS} | dict.fromkeys(
    (Field.MEETING_SUBJECT, Field.MEETING_LOCATION), Field.ACTIVITY
)
"""Field to the one whose event says it: subject and place of a meeting are in the text of the activity."""
_EVENTS = frozenset(_EVENT_OF)
CARRIED = IN_STANZA | _EVENTS
"""Fields that are told without being asked for."""


class OutwardPresence:
    """Writes presence to partners; one that goes to many contacts is written once, all but the addresses."""

    __slots__ = ("_events", "_presence", "_said", "count")

    def __init__(self) -> None:
        self._presence: Presence | None = None
        self._said: str | None = None
        self._events: tuple[Field, ...] = ()
        self.count = 0
        """The stanzas that were written last."""

    def write(self, presence: Presence, sender: str, recipient: str) -> str:
        """Gives the stanza, and an event for each published item that has changed.

        When it is not known what he was told, what is not there is withdrawn: he may have been told it before a
        restart.
        """
        if presence is not self._presence:
            self._said, self._events = _stanza(presence), _changed_events(presence.changed)
            self._presence = presence
            self.count = len(self._events) + (self._said is not None)
        text = ""
        if self._said is not None:
            text = f"<presence from='{escape_attribute(sender)}' to='{escape_attribute(recipient)}'{self._said}"
        if self._events:
            bare = sender.partition("/")[0]
            text += "".join([write_event(name, presence.document, bare, recipient) for name in self._events])
        return text


def _stanza(presence: Presence) -> str | None:
    """Gives what follows the addresses; None when nothing has changed that a stanza carries."""
    document, changed = presence.document, presence.changed
    if changed is not None and IN_STANZA.isdisjoint(changed):
        return None
    able = document.get(Field.CAPABILITIES)
    caps = None if able is None else caps_of(able, document.get(Field.DEVICE))
    return write_said(document, caps=caps, photo_gone=changed is None or Field.PHOTO in changed)


def _changed_events(changed: frozenset[Field] | None) -> tuple[Field, ...]:
    if changed is None:
        return IN_EVENTS
    if _EVENTS.isdisjoint(changed):
        return ()
    moved = {_EVENT_OF[name] for name in changed & _EVENTS}
    return tuple([name for name in IN_EVENTS if name in moved])
