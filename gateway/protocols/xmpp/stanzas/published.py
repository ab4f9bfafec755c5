"""Published events of a person: personal eventing (XEP-0163), read and written per field."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from attrs import field, frozen

from gateway.model.presence import Activity, Field, Mood, Photo, Place, PresenceDocument
from gateway.protocols.element import Element
from gateway.protocols.spoken import spoken_activity
from gateway.protocols.texts import line, tag
from gateway.protocols.vocabulary import GENERAL_ACTIVITIES, MOODS, PLACE_PARTS, SPECIFIC_ACTIVITIES
from gateway.protocols.xml_text import escape_attribute
from gateway.protocols.xmpp.stanzas import namespaces as ns
from gateway.protocols.xmpp.stanzas.card import CARD_FIELDS, read_card, write_vcard4
from gateway.protocols.xmpp.stanzas.photos import MAX_PHOTO, MEDIA_TYPES, read_photo, write_photo

_ITEM: Final = "current"
_HEX: Final = frozenset("0123456789abcdef")


@frozen
class PublishedEvent:
    """Says what a person has published or withdrawn (a field with the value None); other fields stay as they were.

    A picture comes as `photo_hash` only: SHA-1 in hexadecimal of what the leg may ask for (XEP-0084 section 4.2).
    """

    fields: Mapping[Field, Any] = field(factory=dict, repr=False)
    photo_hash: str = ""


@frozen
class Node:
    """Is one kind of published item: the fields it speaks of, and its payload both ways."""

    name: str
    fields: frozenset[Field]
    read: Callable[[Element], Mapping[Field, Any]]
    write: Callable[[PresenceDocument], str]
    """Gives the payload, or '' when the document has nothing for it."""
    empty: str
    """Is the payload that withdraws."""


def read_event(event: Element) -> PublishedEvent:
    """Reads a `<event/>` of pubsub; what is retracted, purged, deleted or empty has the value None."""
    for child in event.elements():
        node = NODES.get(child.attributes.get("node", "")) if child.ns == ns.PUBSUB_EVENT else None
        if node is None:
            continue
        if child.name == "items":
            return _read_items(node, child)
        if child.name in ("purge", "delete"):
            return PublishedEvent(dict.fromkeys(node.fields))
    return PublishedEvent()


def read_items(items: Element) -> PublishedEvent:
    """Reads the `<items/>` of an event or of a result (XEP-0060 section 6.5)."""
    node = NODES.get(items.attributes.get("node", ""))
    return PublishedEvent() if node is None else _read_items(node, items)


def write_event(name: Field, document: PresenceDocument, sender: str, recipient: str) -> str:
    """Writes the event that publishes a field as the document has it, or that withdraws it when it has not.

    Raises KeyError when the field has no node of its own.
    """
    node = NODE_OF[name]
    payload = node.write(document) or node.empty
    return (
        f"<message from='{escape_attribute(sender)}' to='{escape_attribute(recipient)}' type='headline'>"
        f"<event xmlns='{ns.PUBSUB_EVENT}'><items node='{node.name}'>"
        f"<item id='{item_id(node, document)}'>{payload}</item></items></event></message>"
    )


def write_items(node: Node, document: PresenceDocument, wanted: str = "") -> str:
    """Writes the answer to an items query, or '' when the document has nothing for it or the wanted item is another."""
    payload = node.write(document)
    found = item_id(node, document)
    if not payload or (wanted and wanted != found):
        return ""
    return f"<pubsub xmlns='{ns.PUBSUB}'><items node='{node.name}'><item id='{found}'>{payload}</item></items></pubsub>"


def item_id(node: Node, document: PresenceDocument) -> str:
    """Gives the id of a node's only item: the picture's SHA-1 for pictures (XEP-0084), else always the same."""
    photo = document.get(Field.PHOTO) if node.fields == _PHOTO_FIELDS else None
    return photo.sha1 if isinstance(photo, Photo) else _ITEM


def _read_items(node: Node, items: Element) -> PublishedEvent:
    payload: Element | None = None
    said = False
    for item in items.elements():
        if item.ns == items.ns and item.name == "item":
            payload, said = next(item.elements(), None), True
        elif item.ns == items.ns and item.name == "retract":
            payload, said = None, True
    if not said:
        return PublishedEvent()
    found: Mapping[Field, Any] = node.read(payload) if payload is not None else {}
    photo_hash = _read_hash(payload) if payload is not None and node.name == ns.AVATAR_METADATA else ""
    # A metadata item says that there is a picture, not which: the value waits until the leg has asked for it.
    silent = node.fields if photo_hash else ()
    return PublishedEvent({name: found.get(name) for name in node.fields if name not in silent}, photo_hash)


def _read_hash(metadata: Element) -> str:
    """Gives the id of the first picture that could be taken, or ''."""
    for one in metadata.elements():
        sha1, size, kind = (one.attributes.get(name, "") for name in ("id", "bytes", "type"))
        small = size.isascii() and size.isdigit() and len(size) < 9 and int(size) <= MAX_PHOTO
        if one.ns == ns.AVATAR_METADATA and one.name == "info" and small and kind in MEDIA_TYPES:
            lowered = sha1.lower()
            if len(lowered) == 40 and _HEX.issuperset(lowered):
                return lowered
    return ""


def _read_activity(payload: Element) -> Mapping[Field, Any]:
    if (payload.ns, payload.name) != (ns.ACTIVITY, "activity"):
        return {}
    for child in payload.elements():
        if child.ns == ns.ACTIVITY and child.name in GENERAL_ACTIVITIES:
            words = (one.name for one in child.elements() if one.ns == ns.ACTIVITY and one.name in SPECIFIC_ACTIVITIES)
            return {Field.ACTIVITY: Activity(child.name, next(words, ""), line(payload.child("text")))}
    return {}


def _write_activity(document: PresenceDocument) -> str:
    activity = spoken_activity(document)
    if activity is None:
        return ""
    general = activity.general if activity.general in GENERAL_ACTIVITIES else "undefined"
    specific = f"<{activity.specific}/>" if activity.specific in SPECIFIC_ACTIVITIES else ""
    word = f"<{general}>{specific}</{general}>" if specific else f"<{general}/>"
    text = tag("text", activity.text) if activity.text else ""
    return f"<activity xmlns='{ns.ACTIVITY}'>{word}{text}</activity>"


def _read_mood(payload: Element) -> Mapping[Field, Any]:
    if (payload.ns, payload.name) != (ns.MOOD, "mood"):
        return {}
    for child in payload.elements():
        if child.ns == ns.MOOD and child.name in MOODS:
            return {Field.MOOD: Mood(child.name, line(payload.child("text")))}
    return {}


def _write_mood(document: PresenceDocument) -> str:
    mood = document.get(Field.MOOD)
    if mood is None:
        return ""
    word = mood.value if mood.value in MOODS else "undefined"
    text = tag("text", mood.text) if mood.text else ""
    return f"<mood xmlns='{ns.MOOD}'><{word}/>{text}</mood>"


def _read_place(payload: Element) -> Mapping[Field, Any]:
    if (payload.ns, payload.name) != (ns.LOCATION, "geoloc"):
        return {}
    parts = {part: text for part in PLACE_PARTS if (text := line(payload.child(part)))}
    return {Field.LOCATION: Place(parts)} if parts else {}


def _write_place(document: PresenceDocument) -> str:
    place = document.get(Field.LOCATION)
    inside = "".join(tag(part, place.parts[part]) for part in PLACE_PARTS if place.parts.get(part)) if place else ""
    return f"<geoloc xmlns='{ns.LOCATION}'>{inside}</geoloc>" if inside else ""


def _read_nick(payload: Element) -> Mapping[Field, Any]:
    name = line(payload) if (payload.ns, payload.name) == (ns.NICK, "nick") else ""
    return {Field.DISPLAY_NAME: name} if name else {}


def _write_nick(document: PresenceDocument) -> str:
    name = document.get(Field.DISPLAY_NAME)
    return tag("nick", name, ns.NICK) if name else ""


def _empty(name: str, namespace: str) -> str:
    return f"<{name} xmlns='{namespace}'/>"


def _read_nothing(payload: Element) -> Mapping[Field, Any]:
    return {}


def _write_metadata(document: PresenceDocument) -> str:
    photo = document.get(Field.PHOTO)
    if photo is None:
        return ""
    return (
        f"<metadata xmlns='{ns.AVATAR_METADATA}'>"
        f"<info bytes='{len(photo.content)}' id='{photo.sha1}' type='{escape_attribute(photo.media_type)}'/></metadata>"
    )


def _read_picture(payload: Element) -> Mapping[Field, Any]:
    photo = read_photo(payload.text) if (payload.ns, payload.name) == (ns.AVATAR_CONTENT, "data") else None
    return {Field.PHOTO: photo} if photo is not None else {}


def _write_picture(document: PresenceDocument) -> str:
    photo = document.get(Field.PHOTO)
    return tag("data", write_photo(photo), ns.AVATAR_CONTENT) if photo is not None else ""


def _read_vcard4(payload: Element) -> Mapping[Field, Any]:
    if (payload.ns, payload.name) != (ns.VCARD4, "vcard"):
        return {}
    card = read_card(payload)
    return {name: card[name] for name in card}


_PHOTO_FIELDS: Final = frozenset({Field.PHOTO})
# A card without a picture or a name does not take away those that their own nodes published.
_CARD_FIELDS: Final = CARD_FIELDS - {Field.PHOTO, Field.DISPLAY_NAME}
_NODES: Final = (
    Node(ns.ACTIVITY, frozenset({Field.ACTIVITY}), _read_activity, _write_activity, _empty("activity", ns.ACTIVITY)),
    Node(ns.MOOD, frozenset({Field.MOOD}), _read_mood, _write_mood, _empty("mood", ns.MOOD)),
    Node(ns.LOCATION, frozenset({Field.LOCATION}), _read_place, _write_place, _empty("geoloc", ns.LOCATION)),
    Node(ns.NICK, frozenset({Field.DISPLAY_NAME}), _read_nick, _write_nick, _empty("nick", ns.NICK)),
    Node(ns.AVATAR_METADATA, _PHOTO_FIELDS, _read_nothing, _write_metadata, _empty("metadata", ns.AVATAR_METADATA)),
    Node(ns.AVATAR_CONTENT, _PHOTO_FIELDS, _read_picture, _write_picture, _empty("data", ns.AVATAR_CONTENT)),
    Node(ns.VCARD4_NODE, _CARD_FIELDS, _read_vcard4, write_vcard4, _empty("vcard", ns.VCARD4)),
)
NODES: Final[Mapping[str, Node]] = {node.name: node for node in _NODES}
"""Node name to its kind."""

NODE_OF: Final[Mapping[Field, Node]] = {
    Field.ACTIVITY: NODES[ns.ACTIVITY],
    Field.MOOD: NODES[ns.MOOD],
    Field.LOCATION: NODES[ns.LOCATION],
    Field.DISPLAY_NAME: NODES[ns.NICK],
    Field.PHOTO: NODES[ns.AVATAR_METADATA],
}
"""Field to the node whose event publishes or withdraws it."""
