"""The bodies that the lab's SIP clients send: presence documents, typing notices."""

from xml.sax.saxutils import escape, quoteattr

PIDF = "application/pidf+xml"
COMPOSING = "application/im-iscomposing+xml"
KEYBOARD = "application/xml"


def pidf(
    entity: str,
    basic: str = "open",
    *,
    note: str = "",
    activity: str = "",
    person_note: str = "",
    mood: str = "",
    place: str = "",
    extra: str = "",
) -> str:
    """A presence document (RFC 3863) with a person (RFC 4479, 4480); `extra` is markup inside the person."""
    person = "".join(
        f"<rpid:{name}><rpid:{value}/></rpid:{name}>"
        for name, value in (("activities", activity), ("mood", mood), ("place-type", place))
        if value
    )
    person += extra + (f"<dm:note>{escape(person_note)}</dm:note>" if person_note else "")
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<presence xmlns="urn:ietf:params:xml:ns:pidf"'
        ' xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid"'
        f' xmlns:c="urn:ietf:params:xml:ns:pidf:cipid" entity={quoteattr(entity)}>'
        f'<tuple id="t1"><status><basic>{basic}</basic></status><contact priority="0.8">{escape(entity)}</contact>'
        + (f"<note>{escape(note)}</note>" if note else "")
        + "</tuple>"
        + (f'<dm:person id="p1">{person}</dm:person>' if person else "")
        + "</presence>"
    )


def composing(*, active: bool = True, refresh: int = 60) -> str:
    """A typing notice (RFC 3994); `refresh` in seconds."""
    state = "active" if active else "idle"
    return (
        '<?xml version="1.0" encoding="UTF-8"?><isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing">'
        f"<state>{state}</state><contenttype>text/plain</contenttype><refresh>{refresh}</refresh></isComposing>"
    )


def keyboard(*, active: bool = True) -> str:
    """A typing notice as Communicator's clients put it in INFO (MS-SIP)."""
    return f'<KeyboardActivity><status status="{"type" if active else "idle"}"/></KeyboardActivity>'
