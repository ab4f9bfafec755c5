"""Holds what waits for one domain pair until its link is up: bounded, newest presence wins, nothing lost in silence."""

from collections import deque
from collections.abc import Callable

from attrs import define, evolve, frozen

from gateway.interfaces import Promise
from gateway.log import Log
from gateway.model.envelope import Answer, Bounce, Envelope, Problem, Query, Side, Ticket
from gateway.model.message import Message
from gateway.model.presence import OFFLINE, Presence
from gateway.model.subscription import Ask, Subscription
from gateway.queues.outbox_entries import expired, stamped, weight

log = Log("outbox")

Transmit = Callable[[Envelope], None]
"""Hands an envelope to a link; raises LinkClosed, Choked or Unsendable when that cannot be."""

_LASTING = frozenset({Ask.SUBSCRIBED, Ask.UNSUBSCRIBE, Ask.UNSUBSCRIBED})
"""What no error answers and nobody repeats: lost, it would leave the two sides of a subscription apart for ever."""


class LinkClosed(Exception):
    """The link that was in use carries nothing any more; what was to go is kept."""


class Choked(Exception):
    """The link takes nothing until its peer has read some of what waits there; what was to go is kept."""


class Unsendable(Exception):
    """The peer will never take this; its sender is to be told."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.value)
        self.problem = problem


@frozen
class OutboxLimits:
    """Bounds one outbox."""

    stanzas: int = 1000
    seconds: float = 300.0
    bytes: int = 4 * 1024 * 1024
    spool_seconds: float = 3600.0
    """How long what is kept in the spool may wait."""


@define
class _Waiting:
    envelope: Envelope
    since: float
    weight: int


class Outbox:
    """Is the queue of one (local domain, remote domain) pair; order is kept within a pair of people.

    What waits goes in this order: what takes something back, messages of the spool, other messages and words of
    subscriptions, presence, questions. `reconsider` decides once more about what waited; `refused` takes the answer for
    the sender of what cannot go; `delivered` hears of messages of the spool that the peer has confirmed.
    """

    def __init__(
        self,
        limits: OutboxLimits,
        reconsider: Callable[[Envelope], Envelope | None],
        refused: Callable[[Envelope, Problem], None],
        now: Callable[[], float],
        delivered: Callable[[Envelope], Promise | None] = lambda envelope: None,
    ) -> None:
        self._limits = limits
        self._delivered = delivered
        self._reconsider = reconsider
        self._refused = refused
        self._now = now
        self._transmit: Transmit | None = None
        self._window = 0
        self._choked = False
        self.dead = False
        """The other side has been out of reach for so long that new messages are refused."""
        self._first: dict[tuple[str, str], _Waiting] = {}
        """Presence that takes something back."""
        self._lasting: deque[_Waiting] = deque()
        """Messages of the spool, which bounds them itself."""
        self._sent: deque[_Waiting] = deque()
        """Messages of the spool that are on the link and not confirmed; the link's end brings them back."""
        self._settling = 0
        """Confirmed ones of which the disk does not know that yet: after a crash they would go once more."""
        self._waiting: deque[_Waiting] = deque()
        self._questions: deque[_Waiting] = deque()
        self._presence: dict[tuple[str, str], _Waiting] = {}
        self.coalesced = 0
        self.bytes = 0
        """About how much what waits takes."""

    def __len__(self) -> int:
        return sum(map(len, (self._first, self._lasting, self._waiting, self._presence, self._questions)))

    @property
    def unconfirmed(self) -> int:
        """Counts the messages on the link that the peer has not confirmed."""
        return len(self._sent)

    @property
    def is_open(self) -> bool:
        """Says whether a link is up."""
        return self._transmit is not None

    @property
    def oldest(self) -> float:
        """Gives the seconds that the oldest entry has waited."""
        queues = (self._lasting, self._waiting, self._questions, self._first.values(), self._presence.values())
        times = [next(iter(queue)).since for queue in queues if queue]
        return self._now() - min(times) if times else 0.0

    def put(self, envelope: Envelope) -> None:
        """Sends an envelope now, or keeps it; the oldest presence of a pair gives way to the newest."""
        if envelope.ticket is not None:
            self._put_lasting(envelope, envelope.ticket)
            return
        if self._transmit is not None and not self._choked:
            try:
                self._transmit(envelope)
                return
            except LinkClosed:
                self._transmit = None
            except Choked:
                self._choked = True
            except Unsendable as problem:
                self._refused(envelope, problem.problem)
                return
        if isinstance(envelope.content, Presence):
            self._keep_presence(envelope, envelope.content)
        elif len(self._waiting) + len(self._questions) >= self._limits.stanzas or self._too_much(weight(envelope)):
            self._refused(envelope, Problem.RESOURCE_CONSTRAINT)
        else:
            queue = self._questions if isinstance(envelope.content, Query | Answer) else self._waiting
            queue.append(self._weighed(envelope, self._now()))

    def _put_lasting(self, envelope: Envelope, ticket: Ticket) -> None:
        if self.dead and self._transmit is None:
            self._refused(envelope, Problem.REMOTE_SERVER_TIMEOUT)
            return
        entry = self._weighed(envelope, ticket.since)
        if self._lasting or not self._may_send_lasting():
            self._lasting.append(entry)
        else:
            self._bring_out(entry, envelope)

    def _may_send_lasting(self) -> bool:
        return (
            self._transmit is not None
            and not self._choked
            and not (self._window and len(self._sent) + self._settling >= self._window)
        )

    def _bring_out(self, entry: _Waiting, envelope: Envelope) -> None:
        """Puts a message of the spool on the link, or back to the front."""
        if self._window:
            self._sent.append(entry)  # before it is said: the answer may be at hand
        else:
            self.bytes -= entry.weight
        try:
            if self._transmit is not None:
                self._transmit(envelope)
        except (LinkClosed, Choked) as why:
            if not self._window:
                self.bytes += entry.weight
            if not self._window or self._unsaid(entry):
                self._lasting.appendleft(entry)
            self._stop(why)
        except Unsendable as problem:
            if self._window:
                if not self._unsaid(entry):
                    self._lasting.remove(entry)
                self._took(entry)
            self._refused(envelope, problem.problem)

    def _unsaid(self, entry: _Waiting) -> bool:
        """Takes back that an entry is on the link; False when the end of the link has put it to the front already."""
        if not self._sent or self._sent[-1] is not entry:
            return False
        self._sent.pop()
        return True

    def opened(self, transmit: Transmit, window: int = 0) -> None:
        """Takes a link into use; everything that waited is decided about once more and sent.

        With a `window`, at most so many messages of the spool are on the link before the peer has confirmed them.
        """
        self._transmit, self._window, self._choked, self.dead = transmit, window, False, False
        self._empty()

    def drained(self) -> None:
        """Goes on, since the link takes something again."""
        if self._choked:
            self._choked = False
            self._empty()

    def _empty(self) -> None:
        while self._transmit is not None and not self._choked:
            if self._first:
                self._send(self._took(self._first.pop(next(iter(self._first)))))
            elif self._lasting and self._may_send_lasting():
                self._send_lasting(self._lasting.popleft())
            elif self._waiting:
                self._send(self._took(self._waiting.popleft()))
            elif self._presence:
                self._send(self._took(self._presence.pop(next(iter(self._presence)))))
            elif self._questions:
                self._send(self._took(self._questions.popleft()))
            else:
                return

    def confirmed(self, count: int) -> None:
        """Takes note that the peer has the oldest so many of the messages on the link, and sends more."""
        known: Promise | None = None
        number = min(count, len(self._sent))
        for _ in range(number):
            entry = self._took(self._sent.popleft())
            known = self._delivered(entry.envelope) or known
        if known is not None and known.kept is None:
            self._settling += number
            known.then(lambda kept: self._settled(number))
        self._go_on()

    def _settled(self, number: int) -> None:
        self._settling -= number
        self._go_on()

    def _go_on(self) -> None:
        while self._lasting and self._may_send_lasting():
            self._send_lasting(self._lasting.popleft())

    def closed(self) -> None:
        """Goes back to keeping; what the peer has not confirmed goes once more."""
        self._transmit = None
        while self._sent:
            self._lasting.appendleft(self._sent.pop())

    def failed(self, problem: Problem, for_good: bool = False) -> None:
        """Answers everything that waits, except presence and the words of a subscription: these go when they can.

        Messages of the spool go on waiting, unless nobody is there who could ever get them (`for_good`).
        """
        self._give_up(lambda entry: True, problem)
        if for_good:
            self._give_up_lasting(lambda entry: True, problem)

    def expire(self) -> None:
        """Answers what has waited too long."""
        start = self._now() - self._limits.seconds
        if any(queue and queue[0].since < start for queue in (self._waiting, self._questions)):
            self._give_up(lambda entry: entry.since < start, Problem.REMOTE_SERVER_TIMEOUT)
        start = self._now() - self._limits.spool_seconds
        if self._lasting and min(entry.since for entry in self._lasting) < start:
            self._give_up_lasting(lambda entry: entry.since < start, Problem.REMOTE_SERVER_TIMEOUT)

    def clear(self, problem: Problem) -> None:
        """Forgets everything, because the other side is no partner any more; who waits is answered."""
        self._presence.clear()
        self._first.clear()
        waiting = [*self._sent, *self._lasting, *self._waiting, *self._questions]
        for queue in (self._sent, self._lasting, self._waiting, self._questions):
            queue.clear()
        self.bytes = 0
        for entry in waiting:
            self._refused(entry.envelope, problem)

    def _send(self, entry: _Waiting) -> None:
        """Sends one entry; a fault in it hurts nothing behind it."""
        try:
            envelope = self._decided(entry)
            if envelope is not None and self._transmit is not None:
                self._transmit(stamped(envelope, entry.since, self._now()))
        except (LinkClosed, Choked) as why:
            self._stop(why)
            self._put_back(entry)
        except Unsendable as problem:
            self._refused(entry.envelope, problem.problem)
        except Exception:  # noqa: BLE001 one bad envelope hurts one envelope
            log.failure("sending what waited failed")

    def _send_lasting(self, entry: _Waiting) -> None:
        try:
            envelope = self._decided(entry)
            if envelope is None:
                self._took(entry)
            else:
                self._bring_out(entry, stamped(envelope, entry.since, self._now()))
        except Exception:  # noqa: BLE001 one bad envelope hurts one envelope, whose sender is told
            log.failure("sending what waited failed")
            self._took(entry)
            self._refused(entry.envelope, Problem.INTERNAL_SERVER_ERROR)

    def _decided(self, entry: _Waiting) -> Envelope | None:
        """Gives what of an entry may go now."""
        if expired(entry.envelope, self._now()):
            self._refused(entry.envelope, Problem.REMOTE_SERVER_TIMEOUT)
            return None
        return self._reconsider(entry.envelope)

    def _stop(self, why: LinkClosed | Choked) -> None:
        if isinstance(why, Choked):
            self._choked = True
        else:
            self.closed()

    def _put_back(self, entry: _Waiting) -> None:
        self.bytes += entry.weight
        content = entry.envelope.content
        if isinstance(content, Presence):
            self._queue_of(entry.envelope, content).setdefault((entry.envelope.sender, entry.envelope.recipient), entry)
        elif isinstance(content, Query | Answer):
            self._questions.appendleft(entry)
        else:
            self._waiting.appendleft(entry)

    def _weighed(self, envelope: Envelope, since: float) -> _Waiting:
        entry = _Waiting(envelope, since, weight(envelope))
        self.bytes += entry.weight
        return entry

    def _queue_of(self, envelope: Envelope, presence: Presence) -> dict[tuple[str, str], _Waiting]:
        urgent = envelope.first or (envelope.side is Side.EXTERNAL and not presence.document.available)
        return self._first if urgent else self._presence

    def _keep_presence(self, envelope: Envelope, presence: Presence) -> None:
        """Keeps the newest presence of a pair; what was to take something back goes on doing so."""
        key = (envelope.sender, envelope.recipient)
        first = self._first.pop(key, None)
        waited = first or self._presence.pop(key, None)
        if waited is not None:
            self._took(waited)
            self.coalesced += 1
        queue = self._queue_of(envelope, presence)
        if envelope.side is Side.INTERNAL:
            # What there is to say is looked up when it is said: only that something is to be said must be kept.
            envelope = evolve(envelope, content=Presence(OFFLINE))
            queue = self._first if first is not None else queue
        elif presence.document.available and self._too_much(weight(envelope)):
            return
        queue[key] = self._weighed(envelope, waited.since if waited else self._now())

    def _too_much(self, size: int) -> bool:
        return self.bytes + size > self._limits.bytes

    def _took(self, entry: _Waiting) -> _Waiting:
        self.bytes -= entry.weight
        return entry

    def _give_up(self, late: Callable[[_Waiting], bool], problem: Problem) -> None:
        waiting, self._waiting = self._waiting, deque()
        questions, self._questions = self._questions, deque()
        for entry in waiting:
            content = entry.envelope.content
            if late(entry) and not (isinstance(content, Subscription) and content.ask in _LASTING):
                self._refused(self._took(entry).envelope, problem)
            else:
                self._waiting.append(entry)
        for entry in questions:
            if late(entry):
                self._refused(self._took(entry).envelope, problem)
            else:
                self._questions.append(entry)

    def _give_up_lasting(self, late: Callable[[_Waiting], bool], problem: Problem) -> None:
        waiting, self._lasting = self._lasting, deque()
        for entry in waiting:
            if late(entry):
                self._refused(self._took(entry).envelope, problem)
            else:
                self._lasting.append(entry)


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
