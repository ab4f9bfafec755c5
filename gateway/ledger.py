"""The disclosure ledger: a required tap that writes down, before it leaves, what is let go about whom and to whom."""

import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from gateway.errors import LedgerError
from gateway.interfaces import Promise
from gateway.log import Log
from gateway.metrics import Metrics
from gateway.model.chain import Anchor, canonical, digest, link, seal
from gateway.model.disclosure import Disclosure, Kind, Note, Outcome
from gateway.model.envelope import Answer, Bounce, Content, Envelope, Query, Side
from gateway.model.message import Message
from gateway.model.presence import Presence
from gateway.model.subscription import Subscription
from gateway.policy.authorization import Facts
from gateway.policy.verdict import Decision, Verdict
from gateway.store.database import Statement
from gateway.store.ledger import LedgerStore, Row, erasure, note_anchor, removal

log = Log("ledger")

BATCH = 500
"""Entries that go to the disk together at most: as many are chained in one turn of the reactor."""
MOST_WAITING = 20_000
"""Entries that may wait for the disk; beyond that nothing is recorded, and so nothing leaves."""
STALL_SECONDS = 5.0
"""How long the disk may take; what waits longer counts as not recorded."""
ANCHOR_SECONDS = 3600.0
PRUNE_SECONDS = 3600.0
RANGES = 500
"""Ranges of entries that one record of an erasure names."""
_DAY = 86_400.0

FactsOf = Callable[[Envelope], Facts]
Entry = Disclosure | Note


@define(eq=False)
class _Batch:
    """Is what goes to the disk in one commit."""

    changes: tuple[Statement, ...] = ()
    entries: list[Entry] = field(factory=list)
    promise: Promise = field(factory=Promise)
    sent_at: float | None = None


@frozen
class LedgerRules:
    """Says how long entries are kept, in days."""

    retention_days: float
    hold_days: float = 0.0
    """Younger entries keep their persons even when an erasure is asked for."""


class Ledger:
    """Records every decision about what would leave; content-free, chained, one commit for many.

    `now` gives posix seconds; the reactor's own seconds never step back.
    """

    required = True

    def __init__(
        self,
        store: LedgerStore,
        rules: LedgerRules,
        metrics: Metrics,
        reactor: Any,
        now: Callable[[], float],
    ) -> None:
        self.rules = rules
        self._store = store
        self._metrics = metrics
        self._reactor = reactor
        self._now = now
        self._facts_of: FactsOf | None = None
        self._epoch: Callable[[], int] = int
        self._head = store.head()
        self._batches: deque[_Batch] = deque()
        self._waiting = 0
        self._flight: _Batch | None = None
        self._called = False
        self._problem: str | None = None
        self._anchored: tuple[Anchor, float] | None = None
        self._prune_at = 0.0
        self._removing: Promise | None = None
        self._told: Mapping[str, Any] = {}
        self._number = self._head.seq + 1
        """The entry that names the configuration in force: a gateway that starts writes it first."""
        metrics.ledger_up().set(1)

    def attach(self, facts_of: FactsOf, epoch: Callable[[], int]) -> None:
        """Says where the facts about an envelope, and how often the policy has changed, are looked up."""
        self._facts_of = facts_of
        self._epoch = epoch

    @property
    def head(self) -> Anchor:
        """Gives the newest entry that is on the disk."""
        return self._head

    def check(self) -> str | None:
        """Says why nothing is recorded, and so nothing disclosed; or None."""
        return self._problem

    # -- the tap ---------------------------------------------------------------------------------------------------

    def record(self, received: Envelope, verdict: Verdict) -> Promise | None:
        """Takes what would leave for the outside; raises LedgerError while nothing can be written."""
        if received.side is not Side.INTERNAL:
            return None
        facts = self._facts_of(received) if self._facts_of is not None else None
        return self.add(_disclosure(received, verdict, self._now(), facts, f"{self._number}.{self._epoch()}"))

    def add(self, entry: Entry, changes: tuple[Statement, ...] = ()) -> Promise:
        """Takes one entry, and what changes together with it; raises LedgerError while nothing can be written."""
        if self._problem is None and self._waiting >= MOST_WAITING:
            self._close(f"{self._waiting} entries wait for the disk")
        if self._problem is not None:
            self._metrics.ledger_entries("failed").inc()
            raise LedgerError(f"the ledger cannot be written: {self._problem}")
        if changes or not self._batches or len(self._batches[-1].entries) >= BATCH or self._batches[-1].changes:
            self._batches.append(_Batch(changes))
        batch = self._batches[-1]
        batch.entries.append(entry)
        self._waiting += 1
        if not self._called and self._flight is None:
            self._called = True
            self._reactor.callLater(0, self._flush)
        return batch.promise

    def _flush(self) -> None:
        """Sends the next batch to the disk: all that came in since the last one."""
        self._called = False
        if self._flight is not None or not self._batches or self._problem is not None:
            return
        batch = self._flight = self._batches.popleft()
        batch.sent_at = self._reactor.seconds()
        rows, head = self._chained(batch.entries)
        written = self._store.append(rows, batch.changes)
        written.addCallbacks(self._written, self._failed, callbackArgs=(batch, head), errbackArgs=(batch,))
        written.addErrback(lambda failure: log.failure("what was recorded could not be let go", failure))

    def _chained(self, entries: Sequence[Entry]) -> tuple[list[Row], Anchor]:
        rows, head = [], self._head
        for entry in entries:
            row = chained(entry, head)
            head = Anchor(row[0], row[-1])
            rows.append(row)
        return rows, head

    def _written(self, _: object, batch: _Batch, head: Anchor) -> None:
        self._number = _begun(batch.entries, self._head.seq + 1) or self._number
        self._head, self._flight = head, None
        self._waiting -= len(batch.entries)
        self._metrics.ledger_entries("written").inc(len(batch.entries))
        if self._batches and self._problem is None:
            self._called = True
            self._reactor.callLater(0, self._flush)
        batch.promise.settle(True)

    def _failed(self, failure: Failure, batch: _Batch) -> None:
        self._flight = None
        self._waiting -= len(batch.entries)
        self._close(failure.getErrorMessage(), batch)

    def _close(self, problem: str, failed: _Batch | None = None) -> None:
        """Stops recording, and says of all that waits that it is not recorded."""
        if self._problem is None:
            log.error("nothing is disclosed while the ledger is not written", detail=LedgerError(problem))
        self._problem = problem
        self._metrics.ledger_up().set(0)
        batches, self._batches = [*([failed] if failed else []), *self._batches], deque()
        self._waiting = len(self._flight.entries) if self._flight is not None else 0
        for batch in batches:
            self._metrics.ledger_entries("failed").inc(len(batch.entries))
            batch.promise.settle(False)

    # -- what time brings --------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Looks once a second whether the disk still takes entries, or takes them again."""
        self._metrics.ledger_lag().set(self._lag())
        if self._flight is not None and self._lag() > STALL_SECONDS:
            self._close("the disk does not answer")
            self._flight.promise.settle(False)
        problem = self._store.check()
        if problem is not None:
            self._close(problem)
        elif self._problem is not None and self._flight is None:
            # A commit that failed may yet have been carried out: the disk knows.
            self._head = self._store.head()
            self._problem = None
            self._metrics.ledger_up().set(1)
            log.info("ledger is written again", count=self._head.seq)
            self.begin(self._told)
        self._note_anchor()
        self._prune_in_time()

    def _lag(self) -> float:
        sent_at = self._flight.sent_at if self._flight is not None else None
        return 0.0 if sent_at is None else max(0.0, self._reactor.seconds() - sent_at)

    def _note_anchor(self) -> None:
        """Notes the head of the chain now and then, in a file and in the log: there it can be seen when it is cut."""
        moment = self._reactor.seconds()
        if self._anchored is not None and moment - self._anchored[1] < ANCHOR_SECONDS:
            return
        if self._anchored is None or self._anchored[0] != self._head:
            self.note_anchor()
        self._anchored = self._head, moment

    def note_anchor(self) -> None:
        """Notes the head of the chain now."""
        log.info("ledger anchor", count=self._head.seq, hash=self._head.link)
        try:
            note_anchor(self._store.path, self._head)
        except OSError as problem:
            log.warn("ledger anchor not kept", detail=LedgerError(str(problem.strerror)))

    def _prune_in_time(self) -> None:
        moment = self._reactor.seconds()
        if moment >= self._prune_at and self._problem is None:
            self._prune_at = moment + (PRUNE_SECONDS if self.prune() is None else 1.0)

    def prune(self) -> Promise | None:
        """Removes some of what is older than the retention, and records that; None when nothing is worth it."""
        if self._removing is not None and self._removing.kept is None:
            return None
        through = self._store.older(self._now() - self.rules.retention_days * _DAY)
        if through is None:
            return None
        told = {"through": through.seq, "link": through.link, "removed": through.seq - self._store.start().seq}
        self._removing = self.add(Note(self._now(), Kind.PRUNE, told), removal(through))
        return self._removing

    def begin(self, told: Mapping[str, Any]) -> Promise:
        """Records that the gateway started, or took another configuration; the entry's number names the policy."""
        self._told = told
        return self.add(Note(self._now(), Kind.START, told))

    async def close(self) -> None:
        """Writes what waits, notes the end, and closes the store."""
        if self._problem is None and self._flight is None:
            self._flush()
        last = self._batches[-1] if self._batches else self._flight
        if last is not None:
            known: Deferred[bool] = Deferred()
            last.promise.then(known.callback)
            await known
        self.note_anchor()
        await self._store.close()

    def access(self, told: Mapping[str, Any], about: str = "", to: str = "") -> Promise:
        """Records that somebody reads the ledger, and by whom he searches."""
        return self.add(Note(self._now(), Kind.ACCESS, told, about, to))

    def erase(self, person: str) -> tuple[list[Promise], int, int]:
        """Empties the entries that name a person of their persons, as far as none is held; records that.

        Gives what promises it, how many entries that are, and how many are held.
        """
        hold = self.rules.hold_days
        ranges, held = self._store.entries_of(person, self._now() - hold * _DAY if hold else float("inf"))
        promises = []
        for first in range(0, len(ranges), RANGES):
            some = ranges[first : first + RANGES]
            told = {"entries": [list(each) for each in some], "held": held}
            promises.append(self.add(Note(self._now(), Kind.ERASE, told), erasure(some)))
        return promises, sum(last - first + 1 for first, last in ranges), held


def chained(entry: Entry, head: Anchor) -> Row:
    """Gives the row of an entry that follows a head."""
    seq = head.seq + 1
    about, to, salt, sealed = _persons(entry)
    made = entry.entry(seq, sealed)
    text = canonical(made)
    return seq, made["at"], about, to, salt, text, link(head.link, digest(text))


def _begun(entries: Sequence[Entry], first: int) -> int | None:
    """Gives the number of the newest entry that names a configuration, or None; `first` is the first one's."""
    found = [seq for seq, entry in enumerate(entries, first) if isinstance(entry, Note) and entry.kind is Kind.START]
    return found[-1] if found else None


def _persons(entry: Entry) -> tuple[str | None, str | None, str | None, str]:
    about, to = entry.about, entry.to
    if not (about or to):
        return None, None, None, ""
    salt = os.urandom(16).hex()
    return about, to, salt, seal(salt, about, to)


def _disclosure(envelope: Envelope, verdict: Verdict, now: float, facts: Facts | None, version: str) -> Disclosure:
    partner = facts.partner if facts is not None else None
    kind, what, size = _shape(envelope.content)
    return Disclosure(
        at=now,
        about=str(envelope.sender.bare),
        to=str(envelope.recipient.bare),
        kind=kind,
        outcome=_outcome(verdict, kind),
        rule=verdict.reason.value,
        level=verdict.level,
        by=_giver(facts),
        policy=version,
        partner=partner.name if partner is not None else "",
        protocol=partner.via if partner is not None else "",
        sent=verdict.sent,
        withheld={name: reason.value for name, reason in verdict.withheld.items()},
        what=what,
        size=size,
    )


def _outcome(verdict: Verdict, kind: Kind) -> Outcome:
    if verdict.decision is not Decision.DELIVER:
        return Outcome.REFUSED if verdict.decision is Decision.REFUSE else Outcome.IGNORED
    return Outcome.EMPTY if kind in (Kind.PRESENCE, Kind.ANSWER) and not verdict.sent else Outcome.SENT


def _giver(facts: Facts | None) -> str:
    entry = facts.assignment if facts is not None else None
    return "default" if entry is None else f"{entry.origin.value} {entry.member.kind.value}"


def _shape(content: Content) -> tuple[Kind, str, int]:
    """Gives the kind of what is on its way, a word of a closed set for it, and the bytes of its texts."""
    match content:
        case Presence():
            return Kind.PRESENCE, "", 0
        case Message():
            return Kind.MESSAGE, *_message(content)
        case Subscription():
            return Kind.SUBSCRIPTION, content.ask.value, 0
        case Query():
            return Kind.QUERY, content.kind.value, 0
        case Answer():
            return Kind.ANSWER, content.query.kind.value, 0
        case Bounce():
            return Kind.BOUNCE, "", 0


def _message(message: Message) -> tuple[str, int]:
    texts = [text for _, text in (*message.bodies, *message.subjects)] + [each.form for each in message.encrypted]
    if texts:
        return "encrypted" if message.encrypted else message.kind.value, sum(len(text.encode()) for text in texts)
    return "receipt" if message.receipt_for else "typing", 0
