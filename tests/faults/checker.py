"""Judges histories of both ends: what was lost, came twice, out of order, too old, or should not have come at all."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from enum import StrEnum

from attrs import define, field, frozen

from plugins.legs.xmpp.confirming import WINDOW
from tests.faults.history import Event, Kind

Pair = tuple[str, str]


class Fault(StrEnum):
    """What may be wrong with a history (reference: RFC 6120 section 10.1 for the order)."""

    LOST = "lost"
    TWICE = "twice"
    RENAMED = "renamed"
    REORDERED = "reordered"
    STALE = "stale"
    OLDER = "older"
    LEAKED = "leaked"
    LATE = "late"
    INVENTED = "invented"
    VACUOUS = "vacuous"


@frozen
class Violation:
    """One thing that was promised otherwise."""

    fault: Fault
    text: str


@frozen
class Terms:
    """What is promised."""

    window: int = WINDOW
    """Messages that may come twice for each unclean end of a stream."""
    revocation_seconds: float = 10.0
    """After a level is lowered, until nothing of what it withholds may arrive; bytes on their way included."""
    durable: bool = True
    """The gateway confirms what it has accepted: a history in which it never did proves nothing."""
    converges: bool = True
    """The load ended and everything had time to arrive."""


@define
class _Told:
    """One message and its ends."""

    sent: Event | None = None
    accepted: bool = False
    bounced: int = 0
    delivered: list[Event] = field(factory=list)


@define
class _Access:
    """When a contact saw less: spans from `NARROWED` to the next `WIDENING`, which may be open."""

    spans: list[tuple[float, float]] = field(factory=list)
    narrow: bool | None = None
    """None between a question and its answer: either may hold."""

    def take(self, event: Event) -> None:
        """Takes note of a change."""
        if event.kind is Kind.NARROWED and self.narrow is not True:
            self.spans.append((event.at, float("inf")))
            self.narrow = True
        elif event.kind is Kind.WIDENING and self.narrow is True:
            self.spans[-1] = (self.spans[-1][0], event.at)
            self.narrow = None
        elif event.kind is Kind.WIDENED:
            self.narrow = False
        elif event.kind is Kind.NARROWING and self.narrow is False:
            self.narrow = None

    def span(self, at: float) -> tuple[float, float] | None:
        """Gives the span that holds a moment."""
        index = bisect_right(self.spans, (at, float("inf"))) - 1
        if index >= 0 and self.spans[index][0] <= at < self.spans[index][1]:
            return self.spans[index]
        return None


def check(events: Sequence[Event], terms: Terms) -> list[Violation]:
    """Gives every violation in a history that is in the order of time; O(n log n)."""
    messages = _messages(events)
    found = [*_conservation(messages, terms), *_repetitions(messages, events, terms), *_order(messages)]
    found += [*_presence(events, terms)]
    found += [
        Violation(Fault.LEAKED, f"at {event.side}: {event.detail}") for event in events if event.kind is Kind.CANARY
    ]
    return found


def summary(events: Iterable[Event]) -> dict[str, int]:
    """Counts the events of each kind."""
    return dict(sorted(Counter(event.kind.value for event in events).items()))


def _messages(events: Iterable[Event]) -> dict[str, _Told]:
    told: dict[str, _Told] = defaultdict(_Told)
    for event in events:
        if event.kind is Kind.SENT:
            told[event.name].sent = event
        elif event.kind is Kind.ACCEPTED:
            told[event.name].accepted = True
        elif event.kind is Kind.BOUNCED:
            told[event.name].bounced += 1
        elif event.kind is Kind.DELIVERED:
            told[event.name].delivered.append(event)
    return told


def _conservation(messages: dict[str, _Told], terms: Terms) -> list[Violation]:
    found = []
    if terms.durable and not any(told.accepted for told in messages.values()):
        found.append(Violation(Fault.VACUOUS, "no message was ever accepted"))
    if not any(told.delivered for told in messages.values()):
        found.append(Violation(Fault.VACUOUS, "no message was ever delivered"))
    for name, told in messages.items():
        if told.sent is None:
            found.append(Violation(Fault.INVENTED, f"{name} was never sent"))
        elif terms.converges and told.accepted and not told.delivered and not told.bounced:
            found.append(
                Violation(Fault.LOST, f"{name} of {told.sent.who} to {told.sent.whom}, sent at {told.sent.at:.3f}")
            )
    return found


def _repetitions(messages: dict[str, _Told], events: Iterable[Event], terms: Terms) -> list[Violation]:
    allowed = Counter(event.side for event in events if event.kind is Kind.UNCLEAN)
    twice: dict[str, list[str]] = defaultdict(list)
    found = []
    for name, told in messages.items():
        ends = len(told.delivered) + told.bounced
        if ends > 1:
            twice[told.delivered[0].side if told.delivered else "?"] += [name] * (ends - 1)
        if len({event.detail for event in told.delivered}) > 1:
            found.append(Violation(Fault.RENAMED, f"{name} came under several ids"))
    for side, names in twice.items():
        if len(names) > terms.window * allowed[side]:
            text = f"{len(names)} at {side} with {allowed[side]} broken streams, e.g. {', '.join(names[:5])}"
            found.append(Violation(Fault.TWICE, text))
    return found


def _order(messages: dict[str, _Told]) -> list[Violation]:
    firsts: dict[Pair, list[Event]] = defaultdict(list)
    for told in messages.values():
        if told.delivered:
            first = min(told.delivered, key=lambda event: event.at)
            firsts[first.who, first.whom].append(first)
    found = []
    for pair, events in firsts.items():
        newest = 0
        for event in sorted(events, key=lambda event: event.at):
            if event.number < newest:
                found.append(Violation(Fault.REORDERED, f"{event.name} of {pair} after number {newest}"))
            newest = max(newest, event.number)
    return found


@define
class _Watch:
    """What one contact is told of one person."""

    access: _Access = field(factory=_Access)
    said: dict[int, Event] = field(factory=dict)
    last_said: Event | None = None
    last_seen: Event | None = None
    newest: int = 0


def _presence(events: Iterable[Event], terms: Terms) -> list[Violation]:
    watches: dict[Pair, _Watch] = defaultdict(_Watch)
    found = []
    for event in events:
        watch = watches[event.who, event.whom]
        if event.kind is Kind.SAID:
            watch.said[event.number] = watch.last_said = event
        elif event.kind is Kind.SEEN:
            found += _shown(watch, event, terms)
        else:
            watch.access.take(event)
    if terms.converges:
        found += [stale for pair, watch in watches.items() for stale in _stale(pair, watch)]
    return found


def _shown(watch: _Watch, seen: Event, terms: Terms) -> list[Violation]:
    watch.last_seen = seen
    if not seen.number:
        return []
    found = []
    text = f"number {seen.number} of {seen.who} at {seen.whom}"
    if seen.number < watch.newest:
        found.append(Violation(Fault.OLDER, f"{text} after {watch.newest}"))
    watch.newest = max(watch.newest, seen.number)
    said = watch.said.get(seen.number)
    span = watch.access.span(seen.at)
    if said is None:
        found.append(Violation(Fault.INVENTED, f"{text} was never said"))
    elif span is not None and said.at > span[0]:
        found.append(Violation(Fault.LEAKED, f"{text} was said {said.at - span[0]:.3f} s after the level was lowered"))
    elif span is not None and seen.at > span[0] + terms.revocation_seconds:
        found.append(Violation(Fault.LATE, f"{text} came {seen.at - span[0]:.1f} s after the level was lowered"))
    return found


def _stale(pair: Pair, watch: _Watch) -> list[Violation]:
    said, seen = watch.last_said, watch.last_seen
    if said is None:
        return []
    if seen is None:
        return [Violation(Fault.STALE, f"{pair} was never shown")]
    right = seen.detail == said.detail
    if watch.access.narrow is not None:
        right = right and seen.number == (0 if watch.access.narrow else said.number)
    if right:
        return []
    shown = f"{seen.detail!r} number {seen.number}"
    return [Violation(Fault.STALE, f"{pair}: {shown} is shown, {said.detail!r} number {said.number} was said last")]
