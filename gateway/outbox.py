"""Holds what waits for one domain pair until its link is up: bounded, newest presence wins, nothing lost in silence."""

from collections import deque
from collections.abc import Callable

from attrs import define, evolve, frozen

from gateway.log import Log
from gateway.model.envelope import Bounce, Envelope, Problem, Query, Side
from gateway.model.message import Message
from gateway.model.presence import OFFLINE, Field, Presence
from gateway.model.subscription import Ask, Subscription

log = Log("outbox")

Transmit = Callable[[Envelope], None]
"""Hands an envelope to a link; raises LinkClosed when that link carries nothing any more."""

STANZA_BYTES = 256
"""What a stanza weighs beside its texts."""
_LASTING = frozenset({Ask.SUBSCRIBED, Ask.UNSUBSCRIBE, Ask.UNSUBSCRIBED})
"""What no error answers and nobody repeats: lost, it would leave the two sides of a subscription apart for ever."""


class LinkClosed(Exception):
    """The link that was in use carries nothing any more; what was to go is kept."""


@frozen
class OutboxLimits:
    """Bounds one outbox."""

    stanzas: int = 1000
    seconds: float = 300.0
    bytes: int = 4 * 1024 * 1024


@define
class _Waiting:
    envelope: Envelope
    since: float
    weight: int


class Outbox:
    """Is the queue of one (local domain, remote domain) pair; order is kept within a pair of people.

    `reconsider` decides once more about what waited; `refused` takes the answer for the sender of what cannot go.
    """

    def __init__(
        self,
        limits: OutboxLimits,
        reconsider: Callable[[Envelope], Envelope | None],
        refused: Callable[[Envelope, Problem], None],
        now: Callable[[], float],
    ) -> None:
        self._limits = limits
        self._reconsider = reconsider
        self._refused = refused
        self._now = now
        self._transmit: Transmit | None = None
        self._waiting: deque[_Waiting] = deque()
        self._presence: dict[tuple[str, str], _Waiting] = {}
        self.coalesced = 0
        self.bytes = 0
        """About how much what waits takes."""

    def __len__(self) -> int:
        return len(self._waiting) + len(self._presence)

    @property
    def is_open(self) -> bool:
        """Says whether a link is up."""
        return self._transmit is not None

    @property
    def oldest(self) -> float:
        """Gives the seconds that the oldest entry has waited."""
        times = [entry.since for entry in (*list(self._waiting)[:1], *list(self._presence.values())[:1])]
        return self._now() - min(times) if times else 0.0

    def put(self, envelope: Envelope) -> None:
        """Sends an envelope now, or keeps it; the oldest presence of a pair gives way to the newest."""
        if self._transmit is not None:
            try:
                self._transmit(envelope)
                return
            except LinkClosed:
                self._transmit = None
        if isinstance(envelope.content, Presence):
            self._keep_presence(envelope, envelope.content)
        elif len(self._waiting) >= self._limits.stanzas or self._too_much(weight(envelope)):
            self._refused(envelope, Problem.RESOURCE_CONSTRAINT)
        else:
            self._keep(_Waiting(envelope, self._now(), weight(envelope)))

    def opened(self, transmit: Transmit) -> None:
        """Takes a link into use; everything that waited is decided about once more and sent, presence last."""
        self._transmit = transmit
        while self._transmit is not None and self._waiting:
            self._send(self._took(self._waiting.popleft()))
        while self._transmit is not None and self._presence:
            key = next(iter(self._presence))
            self._send(self._took(self._presence.pop(key)))

    def closed(self) -> None:
        """Goes back to keeping."""
        self._transmit = None

    def failed(self, problem: Problem) -> None:
        """Answers everything that waits, except presence and the words of a subscription: these go when they can."""
        self._give_up(lambda entry: True, problem)

    def expire(self) -> None:
        """Answers what has waited too long."""
        start = self._now() - self._limits.seconds
        if self._waiting and self._waiting[0].since < start:
            self._give_up(lambda entry: entry.since < start, Problem.REMOTE_SERVER_TIMEOUT)

    def clear(self, problem: Problem) -> None:
        """Forgets everything, because the other side is no partner any more; who waits is answered."""
        self._presence.clear()
        waiting, self._waiting, self.bytes = self._waiting, deque(), 0
        for entry in waiting:
            self._refused(entry.envelope, problem)

    def _send(self, entry: _Waiting) -> None:
        """Sends one entry; a fault in it hurts nothing behind it."""
        try:
            if _expired(entry.envelope, self._now()):
                self._refused(entry.envelope, Problem.REMOTE_SERVER_TIMEOUT)
                return
            envelope = self._reconsider(entry.envelope)
            if envelope is not None and self._transmit is not None:
                self._transmit(stamped(envelope, entry.since, self._now()))
        except LinkClosed:
            self._transmit = None
            self._put_back(entry)
        except Exception:  # noqa: BLE001 one bad envelope hurts one envelope
            log.failure("sending what waited failed")

    def _put_back(self, entry: _Waiting) -> None:
        self.bytes += entry.weight
        if isinstance(entry.envelope.content, Presence):
            self._presence.setdefault((entry.envelope.sender, entry.envelope.recipient), entry)
        else:
            self._waiting.appendleft(entry)

    def _keep(self, entry: _Waiting) -> None:
        self.bytes += entry.weight
        self._waiting.append(entry)

    def _keep_presence(self, envelope: Envelope, presence: Presence) -> None:
        key = (envelope.sender, envelope.recipient)
        waited = self._presence.pop(key, None)
        if waited is not None:
            self._took(waited)
            self.coalesced += 1
        if envelope.side is Side.INTERNAL:
            # What there is to say is looked up when it is said: only that something is to be said must be kept.
            envelope = evolve(envelope, content=Presence(OFFLINE))
        elif presence.document.available and self._too_much(weight(envelope)):
            return
        size = weight(envelope)
        self.bytes += size
        self._presence[key] = _Waiting(envelope, waited.since if waited else self._now(), size)

    def _too_much(self, size: int) -> bool:
        return self.bytes + size > self._limits.bytes

    def _took(self, entry: _Waiting) -> _Waiting:
        self.bytes -= entry.weight
        return entry

    def _give_up(self, late: Callable[[_Waiting], bool], problem: Problem) -> None:
        waiting, self._waiting = self._waiting, deque()
        for entry in waiting:
            content = entry.envelope.content
            if late(entry) and not (isinstance(content, Subscription) and content.ask in _LASTING):
                self._refused(self._took(entry).envelope, problem)
            else:
                self._waiting.append(entry)


def weight(envelope: Envelope) -> int:
    """Gives about how many bytes an envelope takes while it waits."""
    content = envelope.content
    if isinstance(content, Message):
        texts = (*(text for _, text in (*content.bodies, *content.subjects)), content.thread, content.id)
        return STANZA_BYTES + sum(map(len, texts)) + sum(len(payload.form) for payload in content.encrypted)
    if isinstance(content, Presence):
        return STANZA_BYTES + sum(len(text) for _, text in content.document.get(Field.NOTE) or ())
    return STANZA_BYTES


def _expired(envelope: Envelope, now: float) -> bool:
    """Says whether the sender does not want his message delivered any more (RFC 3428 section 7)."""
    message = envelope.content
    return isinstance(message, Message) and message.expires_at is not None and message.expires_at < now


def stamped(envelope: Envelope, since: float, now: float) -> Envelope:
    """Says on a message that waited more than a few seconds since when it did (XEP-0203)."""
    message = envelope.content
    if not isinstance(message, Message) or message.delayed_since is not None or now - since < 3:
        return envelope
    return evolve(envelope, content=evolve(message, delayed_since=since))


def bounce_for(envelope: Envelope, problem: Problem) -> Bounce | None:
    """Gives the answer that the sender of an envelope is owed, or None when nobody waits for one."""
    content = envelope.content
    if isinstance(content, Message):
        return Bounce("message", content.id, problem)
    if isinstance(content, Query):
        return Bounce("query", content.id, problem)
    if isinstance(content, Subscription) and content.ask is Ask.SUBSCRIBE:
        return Bounce("presence", content.id, problem)
    return None
