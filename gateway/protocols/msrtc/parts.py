"""The content of single categories, to fields: state, note, contactCard; nothing else is looked at."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from gateway.model.presence import Activity, Field, Place, PostalAddress
from gateway.protocols.datetimes import read_datetime
from gateway.protocols.element import Element
from gateway.protocols.msrtc import names
from gateway.protocols.msrtc.states import activity_of_token, fields_of_number
from gateway.protocols.pidf.contacts import MAX_NUMBER, read_tel
from gateway.protocols.texts import line

Fields = dict[Field, Any]

MAX_ENTRIES: Final = 8
IDLE_STEP: Final = 900
_TYPE: Final = f"{{{names.SCHEMA_INSTANCE}}}type"
_DEVICES: Final = {"computer": "pc", "deskphone": "phone", "mobile": "phone", "web": "web"}
_PHONES: Final = {
    "work": Field.PHONE_WORK,
    "mobile": Field.PHONE_MOBILE,
    "home": Field.PHONE_HOME,
}
_CARD: Final = {
    "title": Field.TITLE,
    "company": Field.COMPANY,
    "department": Field.DEPARTMENT,
    "office": Field.OFFICE,
}
_ADDRESS: Final = ("street", "city", "state", "zipcode", "countryCode")


def kind_of_state(state: Element) -> str:
    """Gives the kind of a state without its prefix: 'aggregateState', 'userState', ..."""
    return state.attributes.get(_TYPE, "").rpartition(":")[2]


def read_part(category: str, element: Element | None, now: float) -> Mapping[Field, Any]:
    """Gives the fields in the content of a category; an empty one, and every category not named here, has none."""
    reader = _READERS.get(category)
    return reader(element, now) if reader is not None and element is not None else {}


def whole(text: str | None) -> int | None:
    """Gives a number without a sign, or None."""
    text = text.strip() if text is not None else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _child(element: Element, name: str) -> Element | None:
    """Gives the first child of that name in whatever namespace: documents of several releases differ in it."""
    return next((one for one in element.elements() if one.name == name), None)


def _state(state: Element, now: float) -> Fields:
    number = whole(line(_child(state, "availability")))
    fields: Fields = dict(fields_of_number(number)) if number is not None else {}
    if number is None or not fields:
        return {}
    activity = _child(state, "activity")
    doing = _activity(activity, number) if activity is not None else None
    if doing is not None:
        fields[Field.ACTIVITY] = doing
    _set(fields, Field.MEETING_SUBJECT, line(_child(state, "meetingSubject")))
    _set(fields, Field.MEETING_LOCATION, line(_child(state, "meetingLocation")))
    device = _DEVICES.get(line(_child(state, "device")))
    if device is not None:
        fields[Field.DEVICE] = device
    where = line(_child(state, "endpointLocation"))
    if where and where != "none":
        fields[Field.LOCATION] = Place({"text": where})
    last = read_datetime(state.attributes.get("lastActive", ""))
    if last is not None and last <= now:
        fields[Field.LAST_ACTIVE] = last
        fields[Field.IDLE] = last // IDLE_STEP * IDLE_STEP
    return fields


def _activity(element: Element, number: int) -> Activity | None:
    least = whole(element.attributes.get("minAvailability")) or 0
    most = whole(element.attributes.get("maxAvailability"))
    custom = line(_child(element, "custom"))
    if custom:
        fits = least <= number and (most is None or number <= most)
        return Activity("undefined", "", custom) if fits else None
    return activity_of_token(element.attributes.get("token", ""), number, least, most)


def _note(note: Element, now: float) -> Fields:
    body = _child(note, "body")
    text = body.text.strip() if body is not None else ""
    return {Field.NOTE: (("", text),)} if text else {}


def _contact_card(card: Element, now: float) -> Fields:
    fields: Fields = {}
    for child in card.elements():
        if child.name == "identity":
            _identity(fields, child)
        elif child.name in _CARD:
            _set(fields, _CARD[child.name], line(child))
        elif child.name == "phone":
            _phone(fields, child)
        elif child.name == "address":
            _address(fields, child)
    return fields


def _identity(fields: Fields, identity: Element) -> None:
    name = _child(identity, "name")
    if name is not None:
        _set(fields, Field.DISPLAY_NAME, line(_child(name, "displayName")))
    for child in identity.elements():
        if child.name == "email" and "@" in line(child):
            _add(fields, Field.EMAIL, line(child))


def _phone(fields: Fields, phone: Element) -> None:
    name = _PHONES.get(phone.attributes.get("type", ""), Field.PHONE_OTHER)
    uri = line(_child(phone, "uri"))
    number = read_tel(uri) if uri.lower().startswith("tel:") else ""
    _add(fields, name, number or line(_child(phone, "displayString"))[:MAX_NUMBER])


def _address(fields: Fields, address: Element) -> None:
    # An address that does not say which it is counts as home: fewer may see that.
    name = Field.ADDRESS_WORK if address.attributes.get("type") == "work" else Field.ADDRESS_HOME
    parts = [line(_child(address, one)) for one in _ADDRESS]
    if any(parts):
        fields.setdefault(name, PostalAddress(*parts))


def _set(fields: Fields, name: Field, text: str) -> None:
    if text:
        fields.setdefault(name, text)


def _add(fields: Fields, name: Field, text: str) -> None:
    known = fields.get(name, ())
    if text and text not in known and len(known) < MAX_ENTRIES:
        fields[name] = (*known, text)


_READERS: Final[Mapping[str, Callable[[Element, float], Fields]]] = {
    "state": _state,
    "note": _note,
    "contactCard": _contact_card,
}
