"""Contacts' presence, published at our own server for what that server composes itself (RFC 3903)."""

from collections.abc import Callable
from typing import Final

from attrs import define, field

from gateway.books.presence_book import most_reachable
from gateway.model.envelope import Envelope
from gateway.model.presence import Presence
from gateway.protocols.sip.addressing import uri_text
from gateway.protocols.sip.publisher import Publisher
from gateway.protocols.sip.watching import Document
from plugins.legs.sip.ocs import write_document

REFUSED_SECONDS: Final = 3600.0
"""How long a contact whom the server refused is not published."""


@define(eq=False)
class Publications:
    """Publishes the contacts of whom any of our people is told something.

    What one of our people is told may be more than a contact shows to another: who publishes has decided that all may
    see it whom the server lets.
    """

    publisher: Publisher
    clock: Callable[[], float]
    """Monotonic seconds."""
    now: Callable[[], float]
    """Posix seconds."""
    _shown: dict[str, dict[tuple[str, str], Presence]] = field(init=False, factory=dict)
    """What is shown of each contact, by person and resource."""
    _refused: dict[str, float] = field(init=False, factory=dict)

    def refused(self, contact: str) -> None:
        """Takes note that the server does not take a contact's presence: it is not offered for a while."""
        self._refused[contact] = self.clock()

    def show(self, envelope: Envelope, presence: Presence) -> None:
        """Publishes what has changed; a contact who is not there for anybody is taken away."""
        contact, towards = uri_text(envelope.sender.bare), uri_text(envelope.recipient.bare)
        shown = self._shown.setdefault(contact, {})
        if presence.document.available:
            shown[(towards, envelope.sender.resource)] = presence
        elif envelope.sender.resource:
            shown.pop((towards, envelope.sender.resource), None)
        else:
            for key in [key for key in shown if key[0] == towards]:
                del shown[key]
        if not shown:
            del self._shown[contact]
            self.publisher.remove(contact, self.clock())
            return
        if self.clock() - self._refused.get(contact, -REFUSED_SECONDS) < REFUSED_SECONDS:
            return
        best = most_reachable({"\0".join(key): one for key, one in shown.items()})
        document: Document = write_document((), best.document, contact, self.now())
        self.publisher.publish(contact, document, self.clock(), towards=towards)
