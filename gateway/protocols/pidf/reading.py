"""Reads presence documents as they come: valid or merely usable (RFC 3863, 4479, 4480, 4482, 8048)."""

from collections.abc import Iterable
from typing import Any, Final

from attrs import Factory, define, field, frozen

from gateway.model.presence import OFFLINE, Activity, Field, Place, PresenceDocument, Show, Texts
from gateway.protocols import rpid
from gateway.protocols.datetimes import read_datetime
from gateway.protocols.element import Element
from gateway.protocols.ids import clean_language
from gateway.protocols.pidf import names
from gateway.protocols.pidf.contacts import PHONE_FIELDS, is_web, read_mailto, read_tel
from gateway.protocols.pidf.priorities import read_priority
from gateway.protocols.pidf.writing import IDLE_STEP
from gateway.protocols.texts import MAX_LINE, MAX_TEXTS, line
from gateway.protocols.vocabulary import DEVICES
from gateway.protocols.xml_document import DocumentError, read_document

MAX_TUPLES: Final = 64
"""Tuples of one document that are taken."""
MAX_ENTRIES: Final = 8
"""Numbers, addresses and links of one kind that are taken."""

_MUST: Final = tuple(f"{{{ns}}}mustUnderstand" for ns in sorted(names.PIDF_SPACES))
_SHOWS: Final = {show.value: show for show in Show}
_REACHABILITY: Final = {Show.CHAT: 5, None: 4, Show.DND: 3, Show.AWAY: 2, Show.XA: 1}
_IM_SHOWS: Final = {"busy": Show.DND, "dnd": Show.DND, "away": Show.AWAY, "xa": Show.XA, "chat": Show.CHAT}
_FURTHEST: Final = 14 * 60


@frozen
class ReadTuple:
    """Is one way to reach the person; `id` names it within the document and nowhere else."""

    id: str = field(repr=False)
    document: PresenceDocument
    priority: int = 0
    """0..127 as RFC 8048 section 5.3 maps it."""
    contact: str = field(default="", repr=False)


@frozen
class ReadPidf:
    """Is what a presence document says: each tuple for itself, and all of them as one person."""

    entity: str = field(repr=False)
    """The URI as written, perhaps without a scheme; '' when there is none."""
    document: PresenceDocument
    """What the most reachable tuple says; OFFLINE or only a note when none is open."""
    tuples: tuple[ReadTuple, ...] = ()
    """The tuples with which one can talk: those of telephone numbers and e-mail addresses are fields."""


@define
class _Said:
    """Is what one person or tuple says by rich presence."""

    fields: dict[Field, Any] = Factory(dict)
    words: list[str] = Factory(list)
    activities: list[tuple[str, str, str]] = Factory(list)
    """Word, text, note of the first `<activities/>`."""
    idle: bool = False
    notes: Texts = ()


def read_pidf(body: bytes, now: float, *, language: str = "") -> ReadPidf:
    """Reads a presence document; `language` is that of texts without one (Content-Language), `now` in posix seconds.

    Raises DocumentError when it is no XML document that may be read, no presence document, or when it has a root that
    must be understood and is not.
    """
    root = read_document(body)
    if root.name != "presence" or root.ns not in names.PIDF_SPACES:
        raise DocumentError("not a presence document")
    if _must_go(root):
        raise DocumentError("an extension must be understood and is not")
    root_said = _said(root, now, language)
    person = _said_by_person(root, now, language)
    tuples = [child for child in root.elements() if child.name == "tuple" and child.ns in names.PIDF_SPACES]
    return _compose(root, root_said, person, tuples[:MAX_TUPLES], now, language)


def _compose(
    root: Element, root_said: _Said, person: _Said, tuples: list[Element], now: float, language: str
) -> ReadPidf:
    shared: dict[Field, Any] = {}
    talking: dict[str, ReadTuple] = {}
    reachable = False
    chats = []
    for element in tuples:
        if _add_contact(shared, element):
            reachable = reachable or _open(element)
        else:
            chats.append(element)
    for element in chats:
        found = _read_tuple(element, root_said, person, shared, now, language)
        talking.setdefault(found.id, found)
    best = max(talking.values(), key=_rank, default=None)
    if best is not None:
        document = best.document
    else:
        fields = {Field.AVAILABILITY: True, **root_said.fields, **person.fields, **shared}
        document = PresenceDocument(fields) if reachable else OFFLINE
    return ReadPidf(root.attributes.get("entity", "").strip()[:MAX_LINE], document, tuple(talking.values()))


def _rank(one: ReadTuple) -> tuple[int, int]:
    document = one.document
    return (_REACHABILITY[document.get(Field.SHOW)] if document.available else 0), one.priority


def _must_go(element: Element) -> bool:
    """Says that an element has a child that must be understood and is not; takes such elements out below it."""
    gone = False
    kept: list[Element | str] = []
    for child in element.children:
        if isinstance(child, str):
            kept.append(child)
            continue
        if child.ns not in names.UNDERSTOOD and any(child.attributes.get(key) in ("1", "true") for key in _MUST):
            gone = True
        if not _must_go(child):
            kept.append(child)
    element.children[:] = kept
    return gone


def _open(element: Element) -> bool:
    status = _child(element, "status", names.PIDF_SPACES)
    return status is not None and line(_child(status, "basic", names.PIDF_SPACES)).lower() == "open"


def _child(element: Element, name: str, spaces: frozenset[str]) -> Element | None:
    return next((one for one in element.elements() if one.name == name and one.ns in spaces), None)


def _add_contact(shared: dict[Field, Any], element: Element) -> bool:
    """Takes the number or address of a tuple that is only that, and says whether it is."""
    uri = line(_child(element, "contact", names.PIDF_SPACES))
    scheme = uri.partition(":")[0].lower()
    if scheme == "tel":
        name = PHONE_FIELDS.get(line(_child(element, "class", names.RPID_SPACES)).lower(), Field.PHONE_OTHER)
        text = read_tel(uri)
    elif scheme == "mailto":
        name, text = Field.EMAIL, read_mailto(uri)
    else:
        return False
    if _open(element):
        _add(shared, name, text)
    return True


def _add(fields: dict[Field, Any], name: Field, text: str) -> None:
    known = fields.get(name, ())
    if text and text not in known and len(known) < MAX_ENTRIES:
        fields[name] = (*known, text)


def _read_tuple(
    element: Element, root: _Said, person: _Said, shared: dict[Field, Any], now: float, language: str
) -> ReadTuple:
    status = _child(element, "status", names.PIDF_SPACES) or Element(names.PIDF, "status")
    own, inner = _said(element, now, language), _said(status, now, language)
    notes = own.notes or inner.notes or person.notes or root.notes
    fields: dict[Field, Any] = {Field.NOTE: notes} if notes else {}
    if _open(element):
        layers = (inner, own, person, root)
        fields = {Field.AVAILABILITY: True, **shared, **fields}
        for said in reversed(layers):
            fields.update(said.fields)
        shown = _shown(status)
        activity = next((_activity(said.activities, shown is not None) for said in layers if said.activities), None)
        show = shown or _implied(status, layers)
        device = line(_child(element, "class", names.RPID_SPACES)).lower()
        more = {Field.SHOW: show, Field.ACTIVITY: activity, Field.DEVICE: device if device in DEVICES else None}
        fields.update({name: value for name, value in more.items() if value is not None})
    contact = _child(element, "contact", names.PIDF_SPACES)
    priority = read_priority(contact.attributes.get("priority")) if contact is not None else 0
    tuple_id = element.attributes.get("id", "")[:MAX_LINE]
    return ReadTuple(tuple_id, PresenceDocument(fields), priority, line(contact))


def _shown(status: Element) -> Show | None:
    return _SHOWS.get(line(status.child("show", names.SHOW)))


def _implied(status: Element, layers: Iterable[_Said]) -> Show | None:
    """Gives the availability that follows from everything but `<show/>`; the most busy word counts."""
    extended = _IM_SHOWS.get(line(status.child("im", names.IM_STATUS)).lower())
    words = [word for said in layers for word in said.words]
    if extended is Show.DND:
        return extended
    show = rpid.show_of(words) or extended
    return Show.AWAY if show is None and any(said.idle for said in layers) else show


def _activity(said: list[tuple[str, str, str]], shown: bool) -> Activity | None:
    """Gives the activity of a list of words; beside a `<show/>`, 'away' says only what that says."""
    others = [rpid.other_activity(text, note) for word, text, note in said if word == "other"]
    exact = next((one for one in others if one is not None and one.general != "undefined"), None)
    if exact is not None:
        return exact
    words = (rpid.activity_of(word, note) for word, _, note in said if not (shown and word == "away"))
    found = next((one for one in words if one is not None), None)
    if found is not None:
        return found
    if others:
        return next((one for one in others if one is not None), Activity("undefined"))
    return None


def _said_by_person(root: Element, now: float, language: str) -> _Said:
    """Reads the person with the newest timestamp (RFC 4479 section 3.2)."""
    persons = [one for one in root.elements() if one.name == "person" and one.ns in names.MODEL_SPACES]
    newest = max(persons, key=lambda one: _time(_child(one, "timestamp", names.MODEL_SPACES)), default=None)
    return _said(newest, now, language) if newest is not None else _Said()


def _time(element: Element | None) -> float:
    moment = read_datetime(line(element))
    return -1.0 if moment is None else moment


def _said(container: Element, now: float, language: str) -> _Said:
    said = _Said()
    for child in container.elements():
        if child.ns in names.RPID_SPACES:
            if _current(child, now):
                _read_rich(said, child, now)
        elif child.name == "note" and child.ns in names.MODEL_SPACES:
            said.notes = _with_note(said.notes, child, language)
        elif child.ns in names.CIPID_SPACES:
            _read_card(said, child)
    return said


def _current(element: Element, now: float) -> bool:
    """Says whether an element holds now, by its `from` and `until` (RFC 4480 section 3.1)."""
    start, end = (read_datetime(element.attributes.get(name, "")) for name in ("from", "until"))
    return (start is None or start <= now) and (end is None or now < end)


def _with_note(notes: Texts, element: Element, language: str) -> Texts:
    text = element.text.strip()
    own = element.attributes.get("xml:lang")
    language = clean_language(language if own is None else own)
    if not text or len(notes) >= MAX_TEXTS or any(known == language for known, _ in notes):
        return notes
    return (*notes, (language, text))


def _read_card(said: _Said, child: Element) -> None:
    text = line(child)
    if child.name == "display-name" and text:
        said.fields.setdefault(Field.DISPLAY_NAME, text)
    elif child.name == "homepage" and is_web(text):
        _add(said.fields, Field.URL, text)


def _read_rich(said: _Said, child: Element, now: float) -> None:
    reader = _RICH.get(child.name)
    if reader is not None:
        reader(said, child, now)


def _words(element: Element) -> list[tuple[str, str, str]]:
    """Gives word, text and note of each word; in the old form the word is the text of `<activity/>`."""
    note = line(_child(element, "note", names.RPID_SPACES | names.MODEL_SPACES))
    words = [one for one in element.elements() if one.ns in names.RPID_SPACES and one.name != "note"]
    return [(line(one).lower() if one.name == "activity" else one.name, line(one), note) for one in words]


def _read_activities(said: _Said, element: Element, now: float) -> None:
    words = _words(element)
    said.words += [word for word, _, _ in words]
    if not said.activities and element.ns != names.DRAFT_STATUS:
        said.activities = words


def _read_mood(said: _Said, element: Element, now: float) -> None:
    for word, text, note in _words(element):
        mood = rpid.other_mood(text, note) if word == "other" else rpid.mood_of(word, note)
        if mood is not None:
            said.fields.setdefault(Field.MOOD, mood)
            return


def _read_place(said: _Said, element: Element, now: float) -> None:
    other = line(_child(element, "other", names.RPID_SPACES))
    words = [one.name.replace("-", " ") for one in element.elements() if one.ns not in names.UNDERSTOOD]
    note = line(_child(element, "note", names.RPID_SPACES))
    where = other or (words[0] if words else "") or note
    if where:
        said.fields.setdefault(Field.LOCATION, Place({"text": where}))


def _read_offset(said: _Said, element: Element, now: float) -> None:
    text = line(element)
    digits = text.lstrip("+-")
    if digits.isascii() and digits.isdigit() and len(text) - len(digits) < 2 and len(digits) < 5:
        minutes = int(digits)
        if minutes <= _FURTHEST:
            sign = "-" if text.startswith("-") and minutes else "+"
            said.fields.setdefault(Field.TIME_ZONE, f"{sign}{minutes // 60:02d}:{minutes % 60:02d}")


def _read_user_input(said: _Said, element: Element, now: float) -> None:
    idle = line(element).lower() == "idle"
    said.idle = said.idle or idle
    last = read_datetime(element.attributes.get("last-input", ""))
    if last is not None and last <= now:
        said.fields.setdefault(Field.LAST_ACTIVE, last)
    else:
        threshold = element.attributes.get("idle-threshold", "")
        seconds = int(threshold) if threshold.isascii() and threshold.isdigit() and len(threshold) < 11 else 0
        last = max(now - seconds, 0.0)
    if idle:
        said.fields.setdefault(Field.IDLE, last // IDLE_STEP * IDLE_STEP)


_RICH: Final = {
    "activities": _read_activities,
    "mood": _read_mood,
    "place-type": _read_place,
    "time-offset": _read_offset,
    "user-input": _read_user_input,
}
