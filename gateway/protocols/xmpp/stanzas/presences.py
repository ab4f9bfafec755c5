"""Presence stanzas (RFC 6121 sections 3 and 4), read in one pass and written as text."""

import re
from collections.abc import Callable
from typing import Any, Final

from attrs import field

from gateway.model.envelope import Bounce
from gateway.model.presence import OFFLINE, Field, Presence, PresenceDocument, Show
from gateway.model.sealed import sealed
from gateway.model.subscription import Ask, Subscription
from gateway.protocols.datetimes import read_datetime, write_datetime
from gateway.protocols.element import Element
from gateway.protocols.ids import clean_id, clean_language
from gateway.protocols.texts import line, tag, text_of, with_text, write_texts
from gateway.protocols.xml_text import escape_attribute
from gateway.protocols.xmpp import names
from gateway.protocols.xmpp.stanzas import namespaces as ns
from gateway.protocols.xmpp.stanzas.caps import Caps, read_caps, write_caps
from gateway.protocols.xmpp.stanzas.errors import Malformed, read_bounce

IDLE_STEP: Final = 900
"""Seconds to which IDLE is coarsened."""


@sealed
class ReadPresence:
    """Is what a presence stanza says, and beside the document what only the leg that read it may use."""

    presence: Presence
    photo_hash: str | None = None
    """SHA-1 of the picture in hexadecimal, '' for "has none", None when nothing is said (XEP-0153)."""
    caps: Caps | None = None
    since: float | None = field(default=None, eq=False)
    """Posix seconds of the last activity as it says; the document has it only when it is past."""


_Found = dict[str, Any]
_Reader = Callable[[Element, _Found, str], None]

# Looking a member up in its enum costs as much as a dictionary look-up: once is enough.
_AVAILABILITY: Final = Field.AVAILABILITY
_SHOW: Final = Field.SHOW
_NOTE: Final = Field.NOTE
_OUT_OF_OFFICE: Final = Field.OUT_OF_OFFICE
_IDLE: Final = Field.IDLE
_LAST_ACTIVE: Final = Field.LAST_ACTIVE
_DISPLAY_NAME: Final = Field.DISPLAY_NAME
_PHOTO: Final = Field.PHOTO
_ASKS: Final = {ask.value: ask for ask in Ask}
_SHOWS: Final = {show.value: show for show in Show}
_SHOW_FORMS: Final = {show: f"<show>{show.value}</show>" for show in Show}
_PRIORITY: Final = re.compile(r"\s*[+-]?[0-9]{1,3}\s*", re.ASCII)
_PRIORITIES: Final = {str(number): number for number in range(-128, 128)}
_SHA1: Final = re.compile(r"[0-9a-f]{40}")
_PHOTO_GONE: Final = f"<x xmlns='{ns.VCARD_UPDATE}'><photo/></x>"


def read_presence(element: Element, now: float, lang: str = "") -> ReadPresence | Subscription | Bounce | Malformed:
    """Reads a presence stanza; `lang` is the stream's language, `now` bounds idle times (RFC 6121 section 4.7).

    An unavailable presence keeps a note and nothing else; a type that is unknown is Malformed.
    """
    attributes = element.attributes
    kind = attributes.get("type")
    if kind is not None and kind != "unavailable":
        return _other(element, kind)
    language = attributes.get("xml:lang")
    if language is not None:
        lang = clean_language(language)
    found: _Found = {}
    readers = _READERS.get(element.ns, {})
    for child in element.children:
        if child.__class__ is not str:
            reader = readers.get((child.ns, child.name))  # type: ignore[union-attr]
            if reader is not None:
                reader(child, found, lang)  # type: ignore[arg-type]
    if kind is not None:
        note = found.get("note")
        return ReadPresence(Presence(PresenceDocument({_NOTE: note}) if note else OFFLINE))
    document = PresenceDocument(_fields(found, now))
    said = found.get
    return ReadPresence(Presence(document, said("priority", 0)), said("photo_hash"), said("caps"), said("since"))


class PresenceReading:
    """Reads presence as `read_presence` does; what only repeats the one before is not read again.

    The reader gives stanzas that differ in nothing but their attributes the same children, which nobody changes.
    """

    __slots__ = ("_children", "_content", "_lang")

    def __init__(self) -> None:
        self._children: object = None
        self._lang: str | None = None
        self._content: ReadPresence | None = None

    def read(self, element: Element, now: float) -> ReadPresence | Subscription | Bounce | Malformed:
        """Reads a presence stanza; gives the very same object for one that says the same."""
        attributes = element.attributes
        if "type" in attributes:
            return read_presence(element, now)
        content = self._content
        if (
            element.children is self._children
            and content is not None
            and attributes.get("xml:lang") == self._lang
            and (content.since is None or (content.since <= now) == (_LAST_ACTIVE in content.presence.document))
        ):
            return content
        read = read_presence(element, now)
        if isinstance(read, ReadPresence):
            self._children, self._lang, self._content = element.children, attributes.get("xml:lang"), read
        return read


def write_presence(
    document: PresenceDocument,
    sender: str,
    recipient: str,
    *,
    id: str = "",  # noqa: A002
    caps: Caps | None = None,
    priority: int = 0,
    photo_gone: bool = False,
) -> str:
    """Writes a presence stanza from what the document holds; without availability it says 'unavailable' and no more.

    `photo_gone` tells that there is no picture any longer, when the document has none (XEP-0153 section 3).
    """
    out = f"<presence from='{escape_attribute(sender)}' to='{escape_attribute(recipient)}'"
    if id:
        out += f" id='{escape_attribute(clean_id(id))}'" if clean_id(id) else ""
    return out + write_said(document, caps=caps, priority=priority, photo_gone=photo_gone)


def write_said(
    document: PresenceDocument, *, caps: Caps | None = None, priority: int = 0, photo_gone: bool = False
) -> str:
    """Writes what follows the addresses in a presence stanza: what it says to whomever it goes."""
    if _AVAILABILITY not in document:
        return " type='unavailable'/>"
    inside = _write_fields(document, priority)
    if photo_gone and _PHOTO not in document:
        inside += _PHOTO_GONE
    if caps is not None:
        inside += write_caps(caps)
    return f">{inside}</presence>" if inside else "/>"


def write_subscription(subscription: Subscription, sender: str, recipient: str) -> str:
    """Writes a subscription request or a probe between bare addresses (RFC 6121 section 3.1.1)."""
    shown_id = f" id='{escape_attribute(clean_id(subscription.id))}'" if clean_id(subscription.id) else ""
    return (
        f"<presence from='{escape_attribute(sender.partition('/')[0])}'"
        f" to='{escape_attribute(recipient.partition('/')[0])}'{shown_id} type='{subscription.ask.value}'/>"
    )


def coarse_idle(since: float) -> float:
    """Gives posix seconds rounded down to a quarter of an hour."""
    return since // IDLE_STEP * IDLE_STEP


def _other(element: Element, kind: str) -> Subscription | Bounce | Malformed:
    if kind == "error":
        return read_bounce(element)
    ask = _ASKS.get(kind)
    stanza_id = clean_id(element.attributes.get("id"))
    return Malformed("presence", stanza_id) if ask is None else Subscription(ask, stanza_id)


def _fields(found: _Found, now: float) -> dict[Field, Any]:
    fields: dict[Field, Any] = {_AVAILABILITY: True}
    show = found.get("show")
    if show is not None:
        fields[_SHOW] = show
    note = found.get("note")
    if note:
        fields[_NOTE] = note
    since = found.get("since")
    if since is not None and since <= now:
        fields[_IDLE] = coarse_idle(since)
        fields[_LAST_ACTIVE] = since
    name = found.get("name")
    if name:
        fields[_DISPLAY_NAME] = name
    return fields


def _write_fields(document: PresenceDocument, priority: int) -> str:
    out = ""
    field = document.get
    show = field(_SHOW)
    if show is not None:
        out = _SHOW_FORMS[show]
    note = field(_NOTE) or field(_OUT_OF_OFFICE)
    if note:
        out += write_texts("status", note)
    if priority:
        out += f"<priority>{priority}</priority>"
    since = field(_LAST_ACTIVE)
    if since is None:
        since = field(_IDLE)
    if since is not None:
        out += f"<idle xmlns='{ns.IDLE}' since='{write_datetime(since)}'/>"
    photo = field(_PHOTO)
    if photo is not None:
        out += f"<x xmlns='{ns.VCARD_UPDATE}'><photo>{photo.sha1}</photo></x>"
    name = field(_DISPLAY_NAME)
    if name:
        out += tag("nick", name, ns.NICK)
    return out


def _show(child: Element, found: _Found, lang: str) -> None:
    show = _SHOWS.get(text_of(child).strip())
    if show is not None:
        found.setdefault("show", show)


def _status(child: Element, found: _Found, lang: str) -> None:
    found["note"] = with_text(found.get("note", ()), child, lang)


def _priority(child: Element, found: _Found, lang: str) -> None:
    text = text_of(child)
    known = _PRIORITIES.get(text)
    if known is not None:
        found.setdefault("priority", known)
    elif _PRIORITY.fullmatch(text) and -128 <= int(text) <= 127:
        found.setdefault("priority", int(text))


def _idle(child: Element, found: _Found, lang: str) -> None:
    found.setdefault("since", read_datetime(child.attributes.get("since", "")))


def _nick(child: Element, found: _Found, lang: str) -> None:
    found.setdefault("name", line(child))


def _photo(child: Element, found: _Found, lang: str) -> None:
    photo = child.child("photo")
    if photo is not None:
        text = text_of(photo).strip().lower()
        if not text or _SHA1.fullmatch(text):
            found.setdefault("photo_hash", text)


def _caps(child: Element, found: _Found, lang: str) -> None:
    found.setdefault("caps", read_caps(child))


_READERS: Final[dict[str, dict[tuple[str, str], _Reader]]] = {
    stanza_ns: {
        (stanza_ns, "show"): _show,
        (stanza_ns, "status"): _status,
        (stanza_ns, "priority"): _priority,
        (ns.IDLE, "idle"): _idle,
        (ns.NICK, "nick"): _nick,
        (ns.VCARD_UPDATE, "x"): _photo,
        (ns.CAPS, "c"): _caps,
    }
    for stanza_ns in names.CONTENT
}
