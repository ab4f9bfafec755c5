"""What the XMPP leg notes for the protocol log: kinds of stanzas and what became of streams, never what they hold."""

import re
from typing import Any

from gateway.model.address import Address
from gateway.model.envelope import Answer, Bounce, Envelope, Problem, Query, Side
from gateway.model.message import Message
from gateway.model.presence import Presence
from gateway.model.subscription import Subscription
from gateway.protocols.element import Element
from gateway.records.signalling import About, Mark, Route, Signal, Way, Wire, Word, party, word_of

_TAG = re.compile(r"<(message|presence|iq)\b[^>]*>")
_TYPED = re.compile(r"\btype=['\"]([a-z]{1,12})['\"]")


def heard(side: Side, sender: Address, recipient: Address, element: Element) -> Signal:
    """Gives the signal of a stanza that came."""
    attributes = element.attributes
    return Signal(
        wire=Wire.XMPP,
        side=side,
        way=Way.IN,
        word=_word(element.name, attributes.get("type", "")),
        sender=sender,
        recipient=recipient,
        mark=Mark.of(attributes["id"]) if attributes.get("id") else None,
    )


def refused(side: Side, sender: str, recipient: str, problem: Problem) -> Signal:
    """Gives the signal of a stanza that could not be taken."""
    return Signal(
        wire=Wire.XMPP,
        side=side,
        way=Way.IN,
        word=Word.MALFORMED,
        problem=problem,
        sender=party(sender),
        recipient=party(recipient),
    )


def said(side: Side, envelope: Envelope, sender: str, recipient: str) -> Signal:
    """Gives the signal of an envelope that is written as stanzas towards a side."""
    content = envelope.content
    return Signal(
        wire=Wire.XMPP,
        side=side,
        way=Way.OUT,
        word=_kind(content),
        sender=party(sender),
        recipient=party(recipient),
        about=About(type(content).__name__.lower()),
        problem=content.problem if isinstance(content, Bounce) else None,
        fields=content.document.names if isinstance(content, Presence) else frozenset(),
        mark=_mark(content),
    )


def answered(side: Side, local: str, remote: str, text: str) -> Signal:
    """Gives the signal of an answer of our own; its kind is read off the first tag that we have written."""
    found = _TAG.match(text)
    typed = _TYPED.search(found[0]) if found else None
    word = _word(found[1], typed[1] if typed else "") if found else Word.OTHER
    return Signal(wire=Wire.XMPP, side=side, way=Way.OUT, word=word, sender=party(local), recipient=party(remote))


def stream(side: Side, word: Word, local: str, remote: str, link: Any = None, problem: Problem | None = None) -> Signal:
    """Gives the signal of what became of a stream between two domains."""
    return Signal(
        wire=Wire.XMPP,
        side=side,
        way=Way.HERE,
        word=word,
        route=Route.to(getattr(link, "peer", None), getattr(link, "secure", False)) if link is not None else None,
        problem=problem,
        sender=party(local),
        recipient=party(remote),
    )


def _word(name: str, kind: str) -> Word:
    """Gives the word for a stanza's name and type; that of a message says nothing but that it is an error."""
    if name == "message":
        return Word.ERROR if kind == "error" else Word.EVENT if kind == "headline" else Word.MESSAGE
    return word_of(kind) if kind else word_of(name)


def _kind(content: object) -> Word:
    if isinstance(content, Subscription):
        return word_of(content.ask.value)
    if isinstance(content, Presence):
        return Word.PRESENCE if content.document.available else Word.UNAVAILABLE
    if isinstance(content, Message):
        return Word.MESSAGE
    if isinstance(content, Bounce):
        return Word.ERROR
    if isinstance(content, Query):
        return Word.GET
    return Word.ERROR if isinstance(content, Answer) and content.document is None else Word.RESULT


def _mark(content: object) -> Mark | None:
    said_id = getattr(content.query if isinstance(content, Answer) else content, "id", "")
    return Mark.of(said_id) if said_id else None
