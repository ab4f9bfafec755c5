"""Questions about a person or about the gateway itself: iq stanzas (RFC 6120 section 8.2.3) to queries."""

from collections.abc import Mapping
from typing import Any, Final

from attrs import field, frozen

from gateway.model.envelope import Bounce, Query, QueryKind
from gateway.model.presence import Field
from gateway.protocols.datetimes import read_offset
from gateway.protocols.element import Element
from gateway.protocols.ids import clean_id
from gateway.protocols.texts import line
from gateway.protocols.vocabulary import DEVICES
from gateway.protocols.xml_text import escape_attribute
from gateway.protocols.xmpp.stanzas import namespaces as ns
from gateway.protocols.xmpp.stanzas.caps import Disco, read_disco
from gateway.protocols.xmpp.stanzas.card import read_card
from gateway.protocols.xmpp.stanzas.clients import CAPABILITY_FEATURES
from gateway.protocols.xmpp.stanzas.commands import read_command
from gateway.protocols.xmpp.stanzas.errors import Malformed, read_bounce
from gateway.protocols.xmpp.stanzas.published import NODES

MAX_SECONDS: Final = 10 * 365 * 86_400
"""Seconds of inactivity that are believed."""

_FEATURE_WORDS: Final = {feature: word for word, feature in CAPABILITY_FEATURES.items()}


@frozen
class Question:
    """Is the way in which an iq asks: its payload's expanded name, and the pubsub or disco node and item."""

    ns: str
    name: str
    node: str = ""
    item: str = ""
    sets: bool = False


@frozen
class Result:
    """Is a peer's answer: the fields that the model knows, PING and OTHER have none."""

    id: str
    kind: QueryKind
    fields: Mapping[Field, Any] = field(factory=dict, repr=False)
    disco: Disco | None = field(default=None, repr=False)
    """What the peer says that it can do, whole, so that a hash can be verified (XEP-0115 section 5.4)."""


NOT_UNDERSTOOD: Final = Question("", "")
"""Is the form of a query whose payload nobody here knows."""

_PLAIN: Final = {
    (ns.VCARD_TEMP, "vCard"): QueryKind.CARD,
    (ns.VCARD4, "vcard"): QueryKind.CARD,
    (ns.LAST, "query"): QueryKind.LAST_ACTIVITY,
    (ns.TIME, "time"): QueryKind.TIME,
    (ns.DISCO_INFO, "query"): QueryKind.CAPABILITIES,
    (ns.PING, "ping"): QueryKind.PING,
    (ns.DISCO_ITEMS, "query"): QueryKind.OTHER,
    (ns.VERSION, "query"): QueryKind.OTHER,
}
_BY_NODE: Final = {
    ns.VCARD4_NODE: QueryKind.CARD,
    ns.AVATAR_METADATA: QueryKind.PICTURE,
    ns.AVATAR_CONTENT: QueryKind.PICTURE,
    ns.MOOD: QueryKind.MOOD,
    ns.ACTIVITY: QueryKind.ACTIVITY,
    ns.LOCATION: QueryKind.LOCATION,
    ns.NICK: QueryKind.NAME,
}
_ASKED: Final = {
    QueryKind.CARD: Question(ns.VCARD_TEMP, "vCard"),
    QueryKind.LAST_ACTIVITY: Question(ns.LAST, "query"),
    QueryKind.TIME: Question(ns.TIME, "time"),
    QueryKind.CAPABILITIES: Question(ns.DISCO_INFO, "query"),
    QueryKind.PICTURE: Question(ns.PUBSUB, "pubsub", ns.AVATAR_CONTENT),
    QueryKind.MOOD: Question(ns.PUBSUB, "pubsub", ns.MOOD),
    QueryKind.ACTIVITY: Question(ns.PUBSUB, "pubsub", ns.ACTIVITY),
    QueryKind.LOCATION: Question(ns.PUBSUB, "pubsub", ns.LOCATION),
    QueryKind.NAME: Question(ns.PUBSUB, "pubsub", ns.NICK),
    QueryKind.PING: Question(ns.PING, "ping"),
}
"""Kind of query to the gateway's own way of asking it."""


def read_query(element: Element, now: float) -> Query | Result | Bounce | Malformed:
    """Reads an iq stanza; a set asks for nothing that crosses and is OTHER (RFC 6120 section 8.2.3).

    A get or set without an id or without exactly one child is Malformed; a result of nothing is a Result of OTHER.
    """
    kind = element.attributes.get("type")
    stanza_id = clean_id(element.attributes.get("id"))
    if kind == "error":
        return read_bounce(element)
    payloads = list(element.elements())
    if kind == "result":
        return _read_result(stanza_id, payloads[0], now) if payloads else Result(stanza_id, QueryKind.OTHER)
    if kind not in ("get", "set") or len(payloads) != 1 or not stanza_id:
        return Malformed("query", stanza_id)
    if kind == "set" and (payloads[0].ns, payloads[0].name) == (ns.COMMANDS, "command"):
        question = Question(ns.COMMANDS, "command", sets=True)
        return Query(QueryKind.FORM, stanza_id, question, read_command(payloads[0]))
    asked, question = _classify(payloads[0], kind == "set")
    return Query(asked, stanza_id, question)


def question_of(kind: QueryKind) -> Question:
    """Gives the commonest way to ask for something; raises KeyError for OTHER."""
    return _ASKED[kind]


def write_query(kind: QueryKind, id: str, sender: str, recipient: str, item: str = "") -> str:  # noqa: A002
    """Writes the question of that kind; `item` names the picture. Raises KeyError for OTHER."""
    question = _ASKED[kind]
    start = (
        f"<iq type='get' id='{escape_attribute(id)}' from='{escape_attribute(sender)}'"
        f" to='{escape_attribute(recipient)}'>"
    )
    if not question.node:
        return f"{start}<{question.name} xmlns='{question.ns}'/></iq>"
    wanted = f"<item id='{escape_attribute(item)}'/>" if item else ""
    return f"{start}<pubsub xmlns='{ns.PUBSUB}'><items node='{question.node}'>{wanted}</items></pubsub></iq>"


def _classify(payload: Element, sets: bool) -> tuple[QueryKind, Question]:
    place = (payload.ns, payload.name)
    if sets:
        return QueryKind.OTHER, Question(*place, sets=True) if place in _PLAIN else NOT_UNDERSTOOD
    if place in _PLAIN:
        return _PLAIN[place], Question(*place, node=clean_id(payload.attributes.get("node")))
    items = payload.child("items") if place == (ns.PUBSUB, "pubsub") else None
    node = clean_id(items.attributes.get("node")) if items is not None else ""
    if items is None or node not in _BY_NODE:
        return QueryKind.OTHER, NOT_UNDERSTOOD
    item = items.child("item")
    wanted = clean_id(item.attributes.get("id")) if item is not None else ""
    return _BY_NODE[node], Question(ns.PUBSUB, "pubsub", node, wanted)


def _read_result(stanza_id: str, payload: Element, now: float) -> Result:
    kind, question = _classify(payload, sets=False)
    disco = read_disco(payload) if kind is QueryKind.CAPABILITIES else None
    return Result(stanza_id, kind, _result_fields(payload, question, now), disco)


def _result_fields(payload: Element, question: Question, now: float) -> Mapping[Field, Any]:
    place = (question.ns, question.name)
    if question.node in NODES and place == (ns.PUBSUB, "pubsub"):
        items = payload.child("items")
        item = items.child("item") if items is not None else None
        content = next(item.elements(), None) if item is not None else None
        return NODES[question.node].read(content) if content is not None else {}
    if place in ((ns.VCARD_TEMP, "vCard"), (ns.VCARD4, "vcard")):
        card = read_card(payload)
        return {name: card[name] for name in card}
    if place == (ns.LAST, "query"):
        return _last(payload, now)
    if place == (ns.TIME, "time"):
        zone = read_offset(line(payload.child("tzo")))
        return {Field.TIME_ZONE: zone} if zone is not None else {}
    return _capabilities(payload) if place == (ns.DISCO_INFO, "query") else {}


def _last(payload: Element, now: float) -> Mapping[Field, Any]:
    seconds = payload.attributes.get("seconds", "")
    if not (seconds.isascii() and seconds.isdigit()) or len(seconds) > 9 or int(seconds) > min(MAX_SECONDS, now):
        return {}
    return {Field.LAST_ACTIVE: float(int(now) - int(seconds))}


def _capabilities(payload: Element) -> Mapping[Field, Any]:
    disco = read_disco(payload)
    known = frozenset(_FEATURE_WORDS[feature] for feature in disco.features if feature in _FEATURE_WORDS)
    devices = [one.type for one in disco.identities if one.category == "client" and one.type in DEVICES]
    fields: dict[Field, Any] = {Field.CAPABILITIES: known}
    if devices:
        fields[Field.DEVICE] = devices[0]
    return fields
