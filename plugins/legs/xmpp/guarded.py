"""The output guard before the streams to partners: each stanza is read again, presence to many contacts once."""

from functools import partial
from typing import Any

from gateway.guarding import NOBODY, Entitled, OutputGuard
from gateway.model.envelope import Answer, Envelope, Problem
from gateway.model.message import Message
from gateway.model.presence import Presence, PresenceDocument
from gateway.protocols.guard.xmpp import check_stanzas
from gateway.protocols.xml_text import escape_attribute
from gateway.protocols.xmpp.stanzas.answers import write_refusal


class StanzaGuard:
    """Lets stanzas pass, or gives what goes in their place: nothing that tells anything."""

    __slots__ = ("_guard", "_house", "_may", "_presence", "_text")

    def __init__(self, house: Any, guard: OutputGuard) -> None:
        self._house = house
        self._guard = guard
        self._presence: Presence | None = None
        self._may: Entitled | None = None
        self._text = ("", "", "")
        """What was read last of presence, and the addresses in it: the same to another contact is not read again."""

    def passed(self, envelope: Envelope, text: str, sender: str, recipient: str) -> str:
        """Gives the text, or what is sent instead when it holds what the recipient may not see."""
        content = envelope.content
        answers = isinstance(content, Answer)
        may = self._house.entitled(envelope.sender, envelope.recipient, answers)
        if content is self._presence and may is self._may and self._same(text, sender, recipient):
            return text
        document = content.document if isinstance(content, Presence | Answer) else None
        shown = document if isinstance(document, PresenceDocument) else None
        if not self._guard.passes(may, partial(check_stanzas, text, sender, recipient), shown):
            return self._instead(envelope, sender, recipient)
        if isinstance(content, Presence):
            self._presence, self._may, self._text = content, may, (text, sender, recipient)
        return text

    def says(self, text: str, sender: str, recipient: str) -> bool:
        """Says whether an answer that needs no policy tells nothing about anybody."""
        return self._guard.passes(NOBODY, partial(check_stanzas, text, sender, recipient))

    def _same(self, text: str, sender: str, recipient: str) -> bool:
        """Says whether a text is the one that was read last but for its addresses; in doubt it is not."""
        known, known_sender, known_recipient = self._text
        if sender == known_sender:
            return text.replace(_to(recipient), _to(known_recipient)) == known
        return False

    def _instead(self, envelope: Envelope, sender: str, recipient: str) -> str:
        content = envelope.content
        if isinstance(content, Presence):
            return (
                f"<presence from='{escape_attribute(sender)}' to='{escape_attribute(recipient)}' type='unavailable'/>"
            )
        if isinstance(content, Answer):
            return write_refusal(content.query, sender, recipient)
        if isinstance(content, Message):
            self._house.undeliverable(envelope, Problem.POLICY_VIOLATION)
        return ""


def _to(recipient: str) -> str:
    return f" to='{escape_attribute(recipient)}'"
