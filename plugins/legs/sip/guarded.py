"""The output guard on the way to SIP peers outside: documents once for all who may see the same, and messages."""

from functools import partial
from typing import Any, Final

from attrs import define, field

from gateway.guarding import OutputGuard
from gateway.model.envelope import Envelope
from gateway.model.presence import Field, PresenceDocument
from gateway.protocols.guard.sip import check_document, check_letter
from gateway.protocols.sip.watching import Document
from plugins.legs.sip.letters import Written
from plugins.legs.sip.naming import person

MOST_PASSED: Final = 256
"""Documents that are known to have passed."""


@define(eq=False)
class SipGuard:
    """Says whether what was written may go to a watcher or to the recipient of a message."""

    _house: Any
    _guard: OutputGuard
    _passed: set[tuple[Document, str, frozenset[Field], frozenset[str]]] = field(init=False, factory=set)

    def fields(self, pair: tuple[str, str]) -> frozenset[Field]:
        """Gives what a watcher (the second URI) may see of somebody now."""
        found: frozenset[Field] = self._house.entitled(person(pair[0]), person(pair[1]), False).fields
        return found

    def passes(self, pair: tuple[str, str], written: Document, shown: PresenceDocument) -> bool:
        """Says whether a document about somebody (the first URI), written from `shown`, may go to a watcher."""
        may = self._house.entitled(person(pair[0]), person(pair[1]), False)
        key = (written, pair[0], shown.names, may.words)
        if key in self._passed:
            return True
        check = partial(check_document, written.content_type, written.body, pair[0])
        if not self._guard.passes(may, check, shown):
            return False
        if len(self._passed) >= MOST_PASSED:
            self._passed.clear()
        self._passed.add(key)
        return True

    def passes_letter(self, envelope: Envelope, written: Written) -> bool:
        """Says whether a message may go to its recipient."""
        may = self._house.entitled(envelope.sender, envelope.recipient, False)
        return self._guard.passes(may, partial(check_letter, written.document.content_type, written.fields))
