"""Writes presence documents: built from the fields that the document holds, valid by the schemas of the RFCs."""

import re
from collections.abc import Iterator
from typing import Final

from gateway.model.presence import SLOT_SECONDS, Field, Place, PresenceDocument, Show
from gateway.protocols.datetimes import write_datetime
from gateway.protocols.pidf import names
from gateway.protocols.pidf.contacts import PHONE_CLASSES, is_web, write_mailto, write_tel
from gateway.protocols.pidf.priorities import write_priority
from gateway.protocols.pidf.timed import write_timed
from gateway.protocols.rpid import WORD_OF_SHOW, write_activity, write_mood
from gateway.protocols.spoken import spoken_activity, spoken_note
from gateway.protocols.texts import tag, write_texts
from gateway.protocols.vocabulary import DEVICES, PLACE_PARTS
from gateway.protocols.xml_text import escape_attribute, escape_text

IDLE_STEP: Final = 900
"""Seconds to which an idle time without a timestamp is rounded."""

_HEAD: Final = "<?xml version='1.0' encoding='UTF-8'?>\n"
_ID: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,127}", re.ASCII)
_DRAFT_WORDS: Final = {Show.DND: "busy", Show.AWAY: "away", Show.XA: "away"}


def write_pidf(
    document: PresenceDocument,
    entity: str,
    *,
    tuple_id: str,
    now: float,
    contact: str | None = None,
    priority: int = -1,
    for_microsoft: bool = False,
) -> bytes:
    """Writes what a document holds, or `closed_pidf` when it is not available (RFC 3863, 4479, 4480, 4482, 8048).

    `tuple_id` is opaque and an XML name of ASCII letters, digits, '_', '.' and '-' (else ValueError); other ids are
    made from it. `priority` 0..127 goes to the contact, a negative one does not. `for_microsoft` adds activities and
    the display name where Microsoft's clients look for them. A timestamp is written for LAST_ACTIVE only.
    """
    if not document.available:
        return closed_pidf(entity, tuple_id)
    _check(tuple_id)
    tuples = _presence_tuple(document, tuple_id, now, contact, priority, for_microsoft)
    for number, extra in enumerate(_contact_tuples(document, _domain(entity)), 1):
        tuples += f"<tuple id='{tuple_id}-{number}'><status><basic>open</basic></status>{extra}</tuple>"
    inside = "".join(_person(document, now))
    person = f"<dm:person id='{tuple_id}-p'>{inside}</dm:person>" if inside else ""
    name = document.get(Field.DISPLAY_NAME)
    if for_microsoft and name:
        person += tag("ci:display-name", name)
    return _presence(entity, tuples + person)


def closed_pidf(entity: str, tuple_id: str) -> bytes:
    """Writes what the blocked, the unentitled and the watchers of somebody offline or unknown get: one closed tuple."""
    _check(tuple_id)
    return _presence(entity, f"<tuple id='{tuple_id}'><status><basic>closed</basic></status></tuple>")


def place_text(place: Place) -> str:
    """Gives a place as one line, its parts in the order of XEP-0080."""
    return ", ".join(place.parts[part] for part in PLACE_PARTS if place.parts.get(part))


def _check(tuple_id: str) -> None:
    if not _ID.fullmatch(tuple_id):
        raise ValueError("a tuple's id is no XML name")


def _domain(entity: str) -> str:
    domain = entity.rpartition("@")[2].partition(";")[0]
    return domain if domain != entity else ""


def _presence(entity: str, inside: str) -> bytes:
    declared = "".join(f" xmlns:{one}='{ns}'" for one, ns in names.PREFIXES.items() if f"<{one}:" in inside)
    start = f"<presence xmlns='{names.PIDF}'{declared} entity='{escape_attribute(entity, replace_illegal=True)}'>"
    return f"{_HEAD}{start}{inside}</presence>".encode()


def _presence_tuple(
    document: PresenceDocument, tuple_id: str, now: float, contact: str | None, priority: int, for_microsoft: bool
) -> str:
    out = f"<tuple id='{tuple_id}'><status><basic>open</basic>"
    show = document.get(Field.SHOW)
    if show is not None:
        out += tag("show", show.value, names.SHOW)
        if for_microsoft and show in _DRAFT_WORDS:
            out += f"<activities xmlns='{names.DRAFT_STATUS}'>{tag('activity', _DRAFT_WORDS[show])}</activities>"
    out += "</status>"
    device = document.get(Field.DEVICE)
    if device in DEVICES:
        out += tag("rpid:class", device)
    times = document.get(Field.FREE_BUSY)
    if times is not None:
        out += write_timed(times, now)
    if contact:
        rank = write_priority(priority)
        shown = f" priority='{rank}'" if rank is not None else ""
        out += f"<contact{shown}>{escape_text(contact, replace_illegal=True)}</contact>"
    return out + write_texts("note", spoken_note(document)) + "</tuple>"


def _contact_tuples(document: PresenceDocument, domain: str) -> Iterator[str]:
    """Yields what follows the status in the tuples of telephone numbers and e-mail addresses."""
    for name, word in PHONE_CLASSES.items():
        for number in document.get(name) or ():
            uri = write_tel(number, domain)
            if uri:
                yield tag("rpid:class", word) + tag("contact", uri)
    for address in document.get(Field.EMAIL) or ():
        uri = write_mailto(address)
        if uri:
            yield tag("contact", uri)


def _person(document: PresenceDocument, now: float) -> Iterator[str]:
    yield _activities(document)
    mood = document.get(Field.MOOD)
    if mood is not None:
        yield _worded("rpid:mood", [write_mood(mood)])
    place = document.get(Field.LOCATION)
    where = place_text(place) if place is not None else ""
    if where:
        yield f"<rpid:place-type>{tag('rpid:other', where)}</rpid:place-type>"
    zone = document.get(Field.TIME_ZONE)
    if zone:
        yield tag("rpid:time-offset", str(_minutes(zone)))
    yield _user_input(document, now)
    name = document.get(Field.DISPLAY_NAME)
    if name:
        yield tag("ci:display-name", name)
    yield from (tag("ci:homepage", url) for url in document.get(Field.URL) or () if is_web(url))
    yield write_texts("dm:note", spoken_note(document))


def _activities(document: PresenceDocument) -> str:
    show, activity = document.get(Field.SHOW), spoken_activity(document)
    said = [(WORD_OF_SHOW[show], "", "")] if show in WORD_OF_SHOW else []
    if activity is not None:
        written = write_activity(activity)
        # 'unknown' cannot stand beside another word (RFC 4480 section 5); an empty 'other' says as little
        said.append(("other", "", written[2]) if said and written[0] == "unknown" else written)
    return _worded("rpid:activities", said) if said else ""


def _worded(name: str, said: list[tuple[str, str, str]]) -> str:
    """Writes activities or a mood: notes first, then the words."""
    notes = "".join(tag("rpid:note", note) for _, _, note in said if note)
    return f"<{name}>{notes}{''.join(tag(f'rpid:{word}', text) for word, text, _ in said)}</{name}>"


def _minutes(zone: str) -> int:
    minutes = int(zone[1:3]) * 60 + int(zone[4:6])
    return -minutes if zone[0] == "-" else minutes


def _user_input(document: PresenceDocument, now: float) -> str:
    """Writes the last input when LAST_ACTIVE is there, else at least how many quarters of an hour one is idle."""
    last, idle = document.get(Field.LAST_ACTIVE), idleness(document, now)
    if last is not None:
        return f"<rpid:user-input last-input='{write_datetime(last)}'>{'idle' if idle else 'active'}</rpid:user-input>"
    if idle is None:
        return ""
    shown = f" idle-threshold='{idle}'" if idle else ""
    return f"<rpid:user-input{shown}>idle</rpid:user-input>"


def age(document: PresenceDocument, now: float) -> tuple[int | None, int | None]:
    """Gives all in which what is written depends on the time: two times with the same are written alike."""
    quarter = int(now) // SLOT_SECONDS if Field.FREE_BUSY in document else None
    return idleness(document, now), quarter


def idleness(document: PresenceDocument, now: float) -> int | None:
    """Gives how idle somebody is: with LAST_ACTIVE 1 for idle, 0 for active; else seconds in steps of IDLE_STEP."""
    idle, last = document.get(Field.IDLE), document.get(Field.LAST_ACTIVE)
    if last is not None:
        return int(idle is not None or now - last >= IDLE_STEP)
    return None if idle is None else int(max(now - idle, 0) // IDLE_STEP * IDLE_STEP)
