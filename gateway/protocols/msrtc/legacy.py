"""Presence of Live Communications Server 2005: `text/xml+msrtc.pidf`, read only (reference/ocs.md 3.3)."""

from typing import Any, Final

from gateway.model.presence import OFFLINE, Activity, Field, PresenceDocument, Show
from gateway.protocols.element import Element
from gateway.protocols.msrtc import names
from gateway.protocols.msrtc.parts import MAX_ENTRIES, whole
from gateway.protocols.pidf.contacts import MAX_NUMBER
from gateway.protocols.texts import line
from gateway.protocols.xml_document import DocumentError, read_document

_SHOWS: Final = {
    100: Show.AWAY,
    150: Show.AWAY,
    200: Show.AWAY,
    300: Show.AWAY,
    500: Show.DND,
    600: Show.DND,
    700: Show.AWAY,
}
_ACTIVITIES: Final = {150: Activity("eating", "having_lunch"), 500: Activity("talking", "on_the_phone")}
_PHONES: Final = {"work": Field.PHONE_WORK, "mobile": Field.PHONE_MOBILE, "home": Field.PHONE_HOME}


def read_legacy(body: bytes) -> PresenceDocument:
    """Reads a `<presentity/>`; raises DocumentError when it is none."""
    root = read_document(body)
    if (root.ns, root.name) != (names.LEGACY, "presentity"):
        raise DocumentError("not a presentity")
    user = root.child("userInfo")
    note = line(user.child("note")) if user is not None else ""
    fields: dict[Field, Any] = {Field.NOTE: (("", note),)} if note else {}
    if not _number(root, "availability"):
        return PresenceDocument(fields) if fields else OFFLINE
    fields[Field.AVAILABILITY] = True
    doing = _number(root, "activity")
    if doing in _SHOWS:
        fields[Field.SHOW] = _SHOWS[doing]
    if doing in _ACTIVITIES:
        fields[Field.ACTIVITY] = _ACTIVITIES[doing]
    _read_person(fields, root)
    return PresenceDocument(fields)


def _number(root: Element, name: str) -> int:
    child = root.child(name)
    return (whole(child.attributes.get("aggregate")) if child is not None else None) or 0


def _read_person(fields: dict[Field, Any], root: Element) -> None:
    for child in root.elements():
        said = child.attributes
        if child.name == "displayName" and said.get("displayName", "").strip():
            fields.setdefault(Field.DISPLAY_NAME, " ".join(said["displayName"].split()))
        elif child.name == "email" and "@" in said.get("email", ""):
            fields.setdefault(Field.EMAIL, (said["email"].strip(),))
        elif child.name == "phoneNumber":
            name = _PHONES.get(said.get("label", "").lower(), Field.PHONE_OTHER)
            number, known = said.get("number", "").strip()[:MAX_NUMBER], fields.get(name, ())
            if number and number not in known and len(known) < MAX_ENTRIES:
                fields[name] = (*known, number)
