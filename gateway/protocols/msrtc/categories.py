"""What one watcher is told: `application/msrtc-event-categories+xml`, both ways (reference/ocs.md 3.3)."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from attrs import field, frozen

from gateway.model.presence import OFFLINE, Field, PresenceDocument, Texts
from gateway.protocols.datetimes import read_datetime, write_datetime
from gateway.protocols.element import Element
from gateway.protocols.msrtc import names, states
from gateway.protocols.msrtc.calendar import write_free_busy, write_working_hours
from gateway.protocols.msrtc.parts import kind_of_state, read_part
from gateway.protocols.pidf.contacts import write_tel
from gateway.protocols.pidf.writing import place_text
from gateway.protocols.texts import MAX_LINE, tag
from gateway.protocols.xml_document import DocumentError, read_document
from gateway.protocols.xml_text import escape_attribute, escape_text

LOSSES: Final[Mapping[Field, str]] = {
    Field.CAPABILITIES: "services name media, not what a chat client can do",
    Field.MOOD: "there is no category for it",
    Field.PHOTO: "a link to an inside server",
    Field.TIME_ZONE: "the sign of timeZoneBias is not certain (reference/ocs.md 2.8 strips it)",
    Field.URL: "a SharePoint site: inside hosts",
}
"""Fields that categories do not say here, and why; a note in several languages is told in its first."""

CARRIED: Final = frozenset(Field) - frozenset(LOSSES)
"""Fields that categories say."""

_DEVICES: Final = {"pc": "computer", "console": "computer", "web": "web"} | dict.fromkeys(
    ("phone", "handheld", "tablet", "sms"), "mobile"
)
_PHONES: Final = {
    Field.PHONE_WORK: "work",
    Field.PHONE_MOBILE: "mobile",
    Field.PHONE_HOME: "home",
    Field.PHONE_OTHER: "other",
}
_ADDRESSES: Final = {Field.ADDRESS_WORK: "work", Field.ADDRESS_HOME: "home"}
_CARD: Final = {
    Field.TITLE: "title",
    Field.COMPANY: "company",
    Field.DEPARTMENT: "department",
    Field.OFFICE: "office",
}
_MEETING: Final = {Field.MEETING_SUBJECT: "meetingSubject", Field.MEETING_LOCATION: "meetingLocation"}
_BEST_STATES: Final = ("aggregateState", "userState", "")


@frozen
class CategoryInstance:
    """Is one published instance of a category: the fields in it, none when it is empty."""

    name: str
    instance: str | None
    """None stands for every instance of the category."""
    fields: Mapping[Field, Any] = field(repr=False)
    kind: str = ""
    """For a state which one it is, as 'aggregateState'."""
    published: float | None = None
    deleted: bool = False


@frozen
class ReadCategories:
    """Is a document of categories: what changed about one person."""

    uri: str = field(repr=False)
    instances: tuple[CategoryInstance, ...]


Held = Mapping[tuple[str, str], CategoryInstance]
"""What is known about a person: (category, instance) to the instance."""


def read_categories(body: bytes, now: float) -> ReadCategories:
    """Reads a document of categories; raises DocumentError when it is none."""
    root = read_document(body)
    if (root.ns, root.name) != (names.CATEGORIES, "categories"):
        raise DocumentError("not categories")
    found = (one for one in root.elements() if one.name == "category" and one.ns == names.CATEGORIES)
    return ReadCategories(
        root.attributes.get("uri", "").strip()[:MAX_LINE], tuple(_instance(one, now) for one in found)
    )


def merge(held: Held, read: ReadCategories) -> dict[tuple[str, str], CategoryInstance]:
    """Gives what is known after a document: its instances replace those of the same number, or take them away."""
    known = dict(held)
    for one in read.instances:
        if one.instance is None:
            known = {key: kept for key, kept in known.items() if key[0] != one.name}
        elif one.deleted:
            known.pop((one.name, one.instance), None)
        if not one.deleted:
            known[one.name, one.instance or "0"] = one
    return known


def compose(held: Held) -> PresenceDocument:
    """Gives the document of everything that is known: the aggregate state, the newest note, all cards together."""
    fields: dict[Field, Any] = {}
    for one in held.values():
        if one.name == "contactCard":
            _join(fields, one.fields)
    notes = [one for one in held.values() if one.name == "note" and one.fields]
    # The person's own is instance 0 (reference/ocs.md 2.5): it counts where no time tells the newer.
    newest = max(notes, key=lambda one: (one.published or 0.0, one.instance == "0"), default=None)
    note = dict(newest.fields) if newest is not None else {}
    state = next((one for kind in _BEST_STATES for one in _states(held, kind)), None)
    if state is None or Field.AVAILABILITY not in state.fields:
        return PresenceDocument(note) if note else OFFLINE
    return PresenceDocument({**fields, **note, **state.fields})


def write_categories(document: PresenceDocument, uri: str, *, dnd_is_busy: bool = True) -> bytes:
    """Writes the categories that a document has, and takes the others away, so that nothing old stays.

    A document that is not available is the number of Offline and no more, whatever is in it. No time is told but
    LAST_ACTIVE, no container, no endpoint; `userProperties` and the other private categories are never written.
    """
    shown = document if document.available else OFFLINE
    times, hours = shown.get(Field.FREE_BUSY), shown.get(Field.WORKING_HOURS)
    inside = "".join(_card(shown))
    card = f"<contactCard xmlns='{names.CONTACT_CARD}'>{inside}</contactCard>" if inside else ""
    out = _category("state", "1", _state(shown, dnd_is_busy))
    out += _instances(
        "note",
        ("1", _note("OOF", shown.get(Field.OUT_OF_OFFICE))),
        ("0", _note("personal", shown.get(Field.NOTE))),
    )
    out += _category("contactCard", "0", card)
    out += _instances(
        "calendarData",
        ("0", write_working_hours(hours) if hours is not None else ""),
        ("1", write_free_busy(times) if times is not None else ""),
    )
    start = f"<categories xmlns='{names.CATEGORIES}' uri='{escape_attribute(uri, replace_illegal=True)}'>"
    return f"{start}{out}</categories>".encode()


def _instance(element: Element, now: float) -> CategoryInstance:
    said = element.attributes
    content = next(element.elements(), None)
    name = said.get("name", "")[:MAX_LINE]
    instance = said.get("instance")
    kind = kind_of_state(content) if content is not None and name == "state" else ""
    published = read_datetime(said.get("publishTime", "").rstrip("Z") + "Z")
    fields = read_part(name, content, now)
    return CategoryInstance(name, instance and instance[:MAX_LINE], fields, kind, published, content is None)


def _states(held: Held, kind: str) -> Iterator[CategoryInstance]:
    return (one for one in held.values() if one.name == "state" and (one.kind == kind or not kind))


def _join(fields: dict[Field, Any], more: Mapping[Field, Any]) -> None:
    """Adds the fields of another card: lists are joined, of all else the first counts."""
    for name, value in more.items():
        if isinstance(value, tuple):
            fields[name] = tuple(dict.fromkeys((*fields.get(name, ()), *value)))
        else:
            fields.setdefault(name, value)


def _instances(name: str, *instances: tuple[str, str]) -> str:
    """Writes several instances of a category, the empty ones first: SIPE takes any empty note for the end of all."""
    ordered = sorted(instances, key=lambda one: bool(one[1]))
    return "".join(_category(name, instance, content) for instance, content in ordered)


def _category(name: str, instance: str, content: str) -> str:
    start = f"<category name='{name}' instance='{instance}'"
    return f"{start}>{content}</category>" if content else f"{start}/>"


def _state(document: PresenceDocument, dnd_is_busy: bool) -> str:
    number = states.number_of(document, dnd_is_busy=dnd_is_busy)
    last = document.get(Field.LAST_ACTIVE)
    active = f" lastActive='{write_datetime(last)}'" if last is not None else ""
    out = f"<state xmlns='{names.STATE}' xmlns:xsi='{names.SCHEMA_INSTANCE}' xsi:type='aggregateState'{active}>"
    out += tag("availability", str(number))
    activity = document.get(Field.ACTIVITY)
    if activity is not None:
        out += _activity(states.token_of(activity, number), states.spoken(activity))
    elif Field.OUT_OF_OFFICE in document and states.shows("out-of-office", number):
        out += _activity("out-of-office", "")
    for name, element in _MEETING.items():
        if document.get(name):
            out += tag(element, document[name])
    place = document.get(Field.LOCATION)
    where = place_text(place) if place is not None else ""
    if where:
        out += tag("endpointLocation", where)
    device = _DEVICES.get(document.get(Field.DEVICE) or "")
    return out + (tag("device", device) if device else "") + "</state>"


def _activity(name: str, text: str) -> str:
    if not name:
        shown = escape_text(text, replace_illegal=True)
        return f"<activity><custom LCID='1033'>{shown}</custom></activity>"
    token = states.TOKENS[name]
    most = f" maxAvailability='{token.most}'" if token.most is not None else ""
    return f"<activity token='{name}' minAvailability='{token.least}'{most}/>"


def _note(kind: str, texts: Texts | None) -> str:
    if not texts:
        return ""
    body = f"<body type='{kind}' uri=''>{escape_text(texts[0][1], replace_illegal=True)}</body>"
    return f"<note xmlns='{names.NOTE}'>{body}</note>"


def _card(document: PresenceDocument) -> Iterator[str]:
    name = document.get(Field.DISPLAY_NAME)
    identity = f"<name>{tag('displayName', name)}</name>" if name else ""
    identity += "".join(tag("email", one) for one in document.get(Field.EMAIL) or ())
    if identity:
        yield f"<identity>{identity}</identity>"
    yield from (tag(word, document[one]) for one, word in _CARD.items() if document.get(one))
    for one, word in _PHONES.items():
        for number in document.get(one) or ():
            uri = write_tel(number, "")
            yield f"<phone type='{word}'>{tag('uri', uri) if uri else ''}{tag('displayString', number)}</phone>"
    for one, word in _ADDRESSES.items():
        postal = document.get(one)
        if postal is not None:
            parts = (postal.street, postal.locality, postal.region, postal.postal_code, postal.country)
            known = zip(("street", "city", "state", "zipcode", "countryCode"), parts, strict=True)
            yield f"<address type='{word}'>{''.join(tag(part, text) for part, text in known if text)}</address>"
