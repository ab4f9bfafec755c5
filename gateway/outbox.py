"""Holds what waits for one domain pair until its link is up: bounded, newest presence wins, nothing lost in silence."""

from collections import deque
from collections.abc import Callable

from attrs import define, evolve, frozen

from gateway.model.envelope import Bounce, Envelope, Problem, Query
from gateway.model.message import Message
from gateway.model.presence import Presence
from gateway.model.subscription import Ask, Subscription

Transmit = Callable[[Envelope], None]


@frozen
class OutboxLimits:
    """Bounds one outbox."""

    stanzas: int = 1000
    seconds: float = 300.0


@define
class _Waiting:
    envelope: Envelope
    since: float


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
            self._transmit(envelope)
        elif isinstance(envelope.content, Presence):
            key = (envelope.sender.bare, envelope.recipient)
            waited = self._presence.pop(key, None)
            self.coalesced += waited is not None
            self._presence[key] = _Waiting(envelope, waited.since if waited else self._now())
        elif len(self._waiting) >= self._limits.stanzas:
            self._refused(envelope, Problem.RESOURCE_CONSTRAINT)
        else:
            self._waiting.append(_Waiting(envelope, self._now()))

    def opened(self, transmit: Transmit) -> None:
        """Takes a link into use; everything that waited is decided about once more and sent."""
        self._transmit = transmit
        waiting, self._waiting = self._waiting, deque()
        presence, self._presence = self._presence, {}
        for entry in (*waiting, *presence.values()):
            envelope = self._reconsider(entry.envelope)
            if envelope is not None:
                transmit(_stamped(envelope, entry.since, self._now()))

    def closed(self) -> None:
        """Goes back to keeping."""
        self._transmit = None

    def failed(self, problem: Problem) -> None:
        """Answers everything that waits except presence, which is sent when the link comes up."""
        waiting, self._waiting = self._waiting, deque()
        for entry in waiting:
            self._refused(entry.envelope, problem)

    def expire(self) -> None:
        """Answers what has waited too long."""
        while self._waiting and self._now() - self._waiting[0].since > self._limits.seconds:
            self._refused(self._waiting.popleft().envelope, Problem.REMOTE_SERVER_TIMEOUT)


def _stamped(envelope: Envelope, since: float, now: float) -> Envelope:
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
