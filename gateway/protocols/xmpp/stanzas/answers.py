"""Answers to questions, built from the document that the asker may see; all refusals are the same bytes."""

from collections.abc import Callable
from typing import Final

from gateway.model.envelope import Bounce, Problem, Query
from gateway.model.form import ACCESS, Form
from gateway.model.presence import Field, PresenceDocument
from gateway.protocols.datetimes import write_datetime
from gateway.protocols.xml_text import escape_attribute
from gateway.protocols.xmpp.stanzas import namespaces as ns
from gateway.protocols.xmpp.stanzas.caps import Disco, Identity, disco_of, write_disco
from gateway.protocols.xmpp.stanzas.card import write_vcard4, write_vcard_temp
from gateway.protocols.xmpp.stanzas.commands import COMMAND_LIST, COMMAND_NODE, write_command
from gateway.protocols.xmpp.stanzas.errors import write_bounce
from gateway.protocols.xmpp.stanzas.published import NODES, write_items
from gateway.protocols.xmpp.stanzas.queries import Question


def write_answer(
    query: Query,
    document: PresenceDocument | None,
    sender: str,
    recipient: str,
    now: float,
    *,
    disco: Disco | None = None,
) -> str:
    """Writes the answer about a person from what the asker may see of him.

    Whatever the document does not hold, or no document at all, gives the same refusal (XEP-0030 section 8,
    XEP-0012 section 4). `disco` replaces what disco#info says, for contacts with capabilities of our own.
    """
    question = query.form
    payload = ""
    if document is not None and isinstance(question, Question) and not question.sets:
        if question.ns == ns.PUBSUB and question.node in NODES:
            payload = write_items(NODES[question.node], document, question.item)
        elif question.ns == ns.DISCO_INFO:
            payload = _disco(document, question.node, "/" in sender, disco)
        else:
            writer = _WRITERS.get((question.ns, question.name))
            payload = writer(document, now) if writer is not None else ""
    return _result(query, payload, sender, recipient) if payload else write_refusal(query, sender, recipient)


def write_form(query: Query, form: Form, sender: str, recipient: str) -> str:
    """Writes the answer to a command (XEP-0050)."""
    return _result(query, write_command(form), sender, recipient)


def write_offer(query: Query, sender: str, recipient: str, label: str) -> str:
    """Writes what a contact with one command says of itself and of that: disco#info, disco#items; else the refusal."""
    question = query.form
    if not isinstance(question, Question) or question.sets:
        return write_refusal(query, sender, recipient)
    if question.ns == ns.DISCO_INFO and question.node in ("", ns.COMMANDS, ACCESS):
        disco = COMMAND_NODE if question.node == ACCESS else COMMAND_LIST
        return _result(query, write_disco(disco, question.node), sender, recipient)
    if question.ns == ns.DISCO_ITEMS and question.node in ("", ns.COMMANDS):
        item = f"<item jid='{escape_attribute(sender)}' node='{ACCESS}' name='{escape_attribute(label)}'/>"
        listed = f"<query xmlns='{ns.DISCO_ITEMS}' node='{ns.COMMANDS}'>{item}</query>"
        empty = f"<query xmlns='{ns.DISCO_ITEMS}'/>"
        return _result(query, listed if question.node else empty, sender, recipient)
    return write_refusal(query, sender, recipient)


def write_refusal(query: Query, sender: str, recipient: str) -> str:
    """Writes the one refusal: service-unavailable, whatever was asked and whoever was asked about."""
    return write_bounce(Bounce("query", query.id, Problem.SERVICE_UNAVAILABLE), sender, recipient)


def write_domain_answer(query: Query, disco: Disco, items: tuple[str, ...], sender: str, recipient: str) -> str:
    """Writes what the gateway's own domain says of itself: disco#info, disco#items, ping; else the refusal."""
    question = query.form
    payload: str | None = None
    if isinstance(question, Question) and not question.sets and not question.node:
        if question.ns == ns.DISCO_INFO:
            payload = write_disco(disco)
        elif question.ns == ns.DISCO_ITEMS:
            shown = "".join(f"<item jid='{escape_attribute(item)}'/>" for item in items)
            payload = f"<query xmlns='{ns.DISCO_ITEMS}'>{shown}</query>"
        elif question.ns == ns.PING:
            payload = ""
    return write_refusal(query, sender, recipient) if payload is None else _result(query, payload, sender, recipient)


def write_empty_result(query: Query, sender: str, recipient: str) -> str:
    """Writes a result without content, for a set that the gateway's own domain has carried out."""
    return _result(query, "", sender, recipient)


def _result(query: Query, payload: str, sender: str, recipient: str) -> str:
    start = (
        f"<iq type='result' id='{escape_attribute(query.id)}' from='{escape_attribute(sender)}'"
        f" to='{escape_attribute(recipient)}'"
    )
    return f"{start}>{payload}</iq>" if payload else f"{start}/>"


def _disco(document: PresenceDocument, node: str, at_endpoint: bool, disco: Disco | None) -> str:
    if disco is not None:
        return write_disco(disco, node) if document.available else ""
    if Field.CAPABILITIES not in document:
        return ""
    if not at_endpoint:
        return write_disco(Disco((Identity("account", "registered"),), (ns.DISCO_INFO,)), node)
    return write_disco(disco_of(document[Field.CAPABILITIES], document.get(Field.DEVICE)), node)


def _vcard_temp(document: PresenceDocument, now: float) -> str:
    return write_vcard_temp(document)


def _vcard4(document: PresenceDocument, now: float) -> str:
    return write_vcard4(document)


def _last(document: PresenceDocument, now: float) -> str:
    since = document.get(Field.LAST_ACTIVE)
    return "" if since is None else f"<query xmlns='{ns.LAST}' seconds='{max(0, int(now - since))}'/>"


def _time(document: PresenceDocument, now: float) -> str:
    zone = document.get(Field.TIME_ZONE)
    if not zone:
        return ""
    return f"<time xmlns='{ns.TIME}'><tzo>{escape_attribute(zone)}</tzo><utc>{write_datetime(now)}</utc></time>"


_WRITERS: Final[dict[tuple[str, str], Callable[[PresenceDocument, float], str]]] = {
    (ns.VCARD_TEMP, "vCard"): _vcard_temp,
    (ns.VCARD4, "vcard"): _vcard4,
    (ns.LAST, "query"): _last,
    (ns.TIME, "time"): _time,
}
