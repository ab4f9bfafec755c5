"""Asks for the events of some days, and reads the answer (RFC 4791 section 7.8, RFC 4918 section 14.16)."""

from datetime import UTC, datetime
from typing import Final

from gateway.protocols.calendars.reading import CalendarError
from gateway.protocols.xml_document import DocumentError, DocumentLimits, read_document

DAV: Final = "DAV:"
CALDAV: Final = "urn:ietf:params:xml:ns:caldav"
LIMITS: Final = DocumentLimits(octets=8 * 1024 * 1024, elements=100_000)


def write_query(begin: float, end: float) -> bytes:
    """Writes the body of the REPORT that asks for events between two moments, posix seconds."""
    span = f"<C:time-range start='{_stamp(begin)}' end='{_stamp(end)}'/>"
    events = f"<C:comp-filter name='VEVENT'>{span}</C:comp-filter>"
    return (
        f"<?xml version='1.0' encoding='utf-8'?><C:calendar-query xmlns='{DAV}' xmlns:C='{CALDAV}'>"
        "<prop><C:calendar-data/></prop>"
        f"<C:filter><C:comp-filter name='VCALENDAR'>{events}</C:comp-filter></C:filter></C:calendar-query>"
    ).encode()


def read_answer(body: bytes) -> list[bytes]:
    """Gives the calendars in a multistatus; raises CalendarError."""
    try:
        root = read_document(body, LIMITS)
    except DocumentError as problem:
        raise CalendarError(f"answers with what cannot be read: {problem}") from None
    if (root.ns, root.name) != (DAV, "multistatus"):
        raise CalendarError("does not answer as a CalDAV server")
    found: list[bytes] = []
    for response in root.elements():
        for propstat in response.elements():
            prop = propstat.child("prop") if (propstat.ns, propstat.name) == (DAV, "propstat") else None
            calendar = prop.child("calendar-data", CALDAV) if prop is not None else None
            if calendar is not None and calendar.text.strip():
                found.append(calendar.text.encode())
    return found


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y%m%dT%H%M%SZ")
