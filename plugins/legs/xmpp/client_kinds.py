"""What kinds of clients people use and what these can do: asked once for each kind (XEP-0115)."""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, evolve, field

from gateway.model.envelope import Envelope
from gateway.model.presence import Field, Presence
from gateway.protocols.xmpp.stanzas.caps import Caps, Disco, ver

MOST_KINDS = 2000
MOST_WAITING = 200
"""Presences that wait for one kind of client to be known."""

Ask = Callable[[Envelope, Callable[[Mapping[Field, Any], Disco | None], None]], None]
"""Asks the sender of an envelope what his client can do, and calls back."""


@define
class ClientKinds:
    """Adds to presence what is known of the client that announced itself in it."""

    ask: Ask
    receive: Callable[[Envelope], None]
    _known: dict[Caps, Mapping[Field, Any]] = field(factory=dict)
    _waiting: dict[Caps, dict[tuple[str, str], Envelope]] = field(factory=dict)
    _before: tuple[Presence, Mapping[Field, Any], Presence] | None = None
    """The last presence to which something was added, what that was, and the result: it goes to many contacts."""

    def completed(self, envelope: Envelope, presence: Presence, caps: Caps) -> Presence:
        """Gives the presence with what is known; asks when nothing is, and then has the presence received again."""
        known = self._known.get(caps)
        if known is not None:
            return self._with(presence, known) if known else presence
        waiting = self._waiting.get(caps)
        if waiting is not None:
            if len(waiting) < MOST_WAITING:
                waiting[(envelope.sender, envelope.recipient)] = envelope
        elif len(self._waiting) < MOST_WAITING:
            self._waiting[caps] = {(envelope.sender, envelope.recipient): envelope}
            self.ask(envelope, lambda fields, disco: self._answered(caps, fields, disco))
        return presence

    def overtaken(self, envelope: Envelope) -> None:
        """Forgets a presence that waits, because a newer one of the same endpoint has come."""
        if self._waiting:
            for waiting in self._waiting.values():
                waiting.pop((envelope.sender, envelope.recipient), None)

    def _with(self, presence: Presence, known: Mapping[Field, Any]) -> Presence:
        before = self._before
        if before is not None and before[0] is presence and before[1] is known:
            return before[2]
        completed = evolve(presence, document=presence.document.with_fields(known))
        self._before = (presence, known, completed)
        return completed

    def _answered(self, caps: Caps, fields: Mapping[Field, Any], disco: Disco | None) -> None:
        """Believes an answer whose hash is the one announced; anything else is kept as "can do nothing"."""
        true = disco is not None and caps.hash == "sha-1" and ver(disco) == caps.ver
        if len(self._known) >= MOST_KINDS:
            self._known.clear()
        self._known[caps] = fields if true else {}
        for envelope in self._waiting.pop(caps, {}).values():
            if isinstance(envelope.content, Presence) and self._known[caps]:
                self.receive(evolve(envelope, content=self._with(envelope.content, self._known[caps])))
