"""Message stanzas (RFC 6121 section 5), read in one pass and written as text."""

from collections.abc import Callable
from typing import Any, Final

from attrs import fields

from gateway.model.envelope import Bounce
from gateway.model.message import ChatState, Hop, Message, MessageKind
from gateway.protocols.datetimes import read_datetime, write_datetime
from gateway.protocols.element import Element
from gateway.protocols.ids import clean_id, clean_language
from gateway.protocols.texts import tag, text_of, with_text, write_texts
from gateway.protocols.xml_text import escape_attribute
from gateway.protocols.xmpp import names
from gateway.protocols.xmpp.stanzas import namespaces as ns
from gateway.protocols.xmpp.stanzas.encrypted import ENCRYPTED, MAX_PAYLOADS, read_encrypted, write_encrypted
from gateway.protocols.xmpp.stanzas.errors import read_bounce
from gateway.protocols.xmpp.stanzas.published import PublishedEvent, read_event

Draft = list[Any]
"""The fields of the message that is being read, in the model's order after kind and id, and last an event."""
_Reader = Callable[[Element, Draft, str], None]

_KINDS: Final = {kind.value: kind for kind in MessageKind}
_STATES: Final = {state.value: state for state in ChatState}
_TYPES: Final = {kind: "" if kind is MessageKind.NORMAL else f" type='{kind.value}'" for kind in MessageKind}
_STATE_FORMS: Final = {state: f"<{state.value} xmlns='{ns.CHAT_STATES}'/>" for state in ChatState}
_NORMAL: Final = MessageKind.NORMAL
_FIELDS: Final = [one.name for one in fields(Message)[2:]]
_NOTHING: Final[Draft] = [*(one.default for one in fields(Message)[2:]), None]
_BODIES, _SUBJECTS, _THREAD, _STATE, _WANTED, _RECEIPT, _REPLACES, _SINCE, _ENCRYPTED, _HOPS = map(
    _FIELDS.index,
    (
        "bodies",
        "subjects",
        "thread",
        "chat_state",
        "receipt_wanted",
        "receipt_for",
        "replaces",
        "delayed_since",
        "encrypted",
        "hops",
    ),
)
_NOTICE: Final = _FIELDS.index("notice")
_NO_REST: Final = (False, "", "", None, (), (), False)
MOST_HOPS: Final = 8
"""Marks of gateways that are carried on."""


def read_message(element: Element, now: float, lang: str = "") -> Message | Bounce | PublishedEvent:
    """Reads a message stanza; `lang` is the stream's language, `now` bounds delay stamps (RFC 6121 section 5.2).

    A type that is unknown is 'normal'. An error becomes a Bounce, a PEP event a PublishedEvent (XEP-0163).
    """
    attributes = element.attributes
    kind = attributes.get("type")
    if kind == "error":
        return read_bounce(element)
    language = attributes.get("xml:lang")
    if language is not None:
        lang = clean_language(language)
    draft = _NOTHING.copy()
    readers = _READERS.get(element.ns, _EXTENSIONS)
    for child in element.children:
        if child.__class__ is not str:
            reader = readers.get((child.ns, child.name))  # type: ignore[union-attr]
            if reader is not None:
                reader(child, draft, lang)  # type: ignore[arg-type]
    event = draft.pop()
    if event is not None and kind != "chat" and kind != "groupchat":
        return read_event(event)
    if draft[_SINCE] is not None:
        draft[_SINCE] = min(draft[_SINCE], float(int(now)))
    return Message(_KINDS.get(kind, _NORMAL), clean_id(attributes.get("id")), *draft)  # type: ignore[arg-type]


def write_message(message: Message, sender: str, recipient: str) -> str:
    """Writes a message stanza in the stream's own namespace, from the fields of the model alone."""
    stanza_id = clean_id(message.id)
    out = f"<message from='{escape_attribute(sender)}' to='{escape_attribute(recipient)}'{_TYPES[message.kind]}" + (
        f" id='{escape_attribute(stanza_id)}'>" if stanza_id else ">"
    )
    if message.subjects:
        out += write_texts("subject", message.subjects)
    if message.bodies:
        out += write_texts("body", message.bodies)
    if message.thread:
        out += tag("thread", message.thread)
    if message.chat_state is not None:
        out += _STATE_FORMS[message.chat_state]
    rest = (
        message.receipt_wanted,
        message.receipt_for,
        message.replaces,
        message.delayed_since,
        message.encrypted,
        message.hops,
        message.notice,
    )
    if rest != _NO_REST:
        out += _write_rest(message)
    return out + "</message>"


def _write_rest(message: Message) -> str:
    out = f"<request xmlns='{ns.RECEIPTS}'/>" if message.receipt_wanted else ""
    if message.receipt_for:
        out += f"<received xmlns='{ns.RECEIPTS}' id='{escape_attribute(message.receipt_for, replace_illegal=True)}'/>"
    if message.replaces:
        out += f"<replace xmlns='{ns.CORRECTION}' id='{escape_attribute(message.replaces, replace_illegal=True)}'/>"
    if message.delayed_since is not None:
        out += f"<delay xmlns='{ns.DELAY}' stamp='{write_datetime(message.delayed_since)}'/>"
    for hop in message.hops[:MOST_HOPS]:
        mark = escape_attribute(hop.mark, replace_illegal=True)
        out += f"<gw xmlns='{ns.GATEWAY_HOP}' id='{mark}' hops='{max(0, hop.left)}'/>"
    if message.notice:
        out += f"<disclosure xmlns='{ns.GATEWAY_DISCLOSURE}'/>"
    return out + write_encrypted(message.encrypted)


def _body(child: Element, draft: Draft, lang: str) -> None:
    draft[_BODIES] = with_text(draft[_BODIES], child, lang)


def _subject(child: Element, draft: Draft, lang: str) -> None:
    draft[_SUBJECTS] = with_text(draft[_SUBJECTS], child, lang)


def _thread(child: Element, draft: Draft, lang: str) -> None:
    draft[_THREAD] = draft[_THREAD] or clean_id(text_of(child))


def _chat_state(child: Element, draft: Draft, lang: str) -> None:
    draft[_STATE] = _STATES[child.name]


def _request(child: Element, draft: Draft, lang: str) -> None:
    draft[_WANTED] = True


def _received(child: Element, draft: Draft, lang: str) -> None:
    draft[_RECEIPT] = clean_id(child.attributes.get("id"))


def _replace(child: Element, draft: Draft, lang: str) -> None:
    draft[_REPLACES] = clean_id(child.attributes.get("id"))


def _delay(child: Element, draft: Draft, lang: str) -> None:
    if draft[_SINCE] is None:
        draft[_SINCE] = read_datetime(child.attributes.get("stamp", ""))


def _encrypted(child: Element, draft: Draft, lang: str) -> None:
    payload = read_encrypted(child) if len(draft[_ENCRYPTED]) < MAX_PAYLOADS else None
    if payload is not None:
        draft[_ENCRYPTED] = (*draft[_ENCRYPTED], payload)


def _hop(child: Element, draft: Draft, lang: str) -> None:
    mark, left = clean_id(child.attributes.get("id")), child.attributes.get("hops", "")
    if mark and left.isascii() and left.isdigit() and len(left) < 4 and len(draft[_HOPS]) < MOST_HOPS:
        draft[_HOPS] = (*draft[_HOPS], Hop(mark, int(left)))


def _notice(child: Element, draft: Draft, lang: str) -> None:
    draft[_NOTICE] = True


def _event(child: Element, draft: Draft, lang: str) -> None:
    draft[-1] = draft[-1] or child


_EXTENSIONS: Final[dict[tuple[str, str], _Reader]] = {
    **{(ns.CHAT_STATES, state): _chat_state for state in _STATES},
    **dict.fromkeys(ENCRYPTED, _encrypted),
    (ns.RECEIPTS, "request"): _request,
    (ns.RECEIPTS, "received"): _received,
    (ns.CORRECTION, "replace"): _replace,
    (ns.DELAY, "delay"): _delay,
    (ns.PUBSUB_EVENT, "event"): _event,
    (ns.GATEWAY_HOP, "gw"): _hop,
    (ns.GATEWAY_DISCLOSURE, "disclosure"): _notice,
}
_READERS: Final = {
    stanza_ns: {
        (stanza_ns, "body"): _body,
        (stanza_ns, "subject"): _subject,
        (stanza_ns, "thread"): _thread,
        **_EXTENSIONS,
    }
    for stanza_ns in names.CONTENT
}
