"""The disclosure ledger: a required tap that writes down, before it leaves, what is let go about whom and to whom."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import frozen

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
from gateway.policy.observing import overlooked
from gateway.policy.verdict import Decision, Verdict
from gateway.records.journal import Journal
from gateway.store.database import Statement
from gateway.store.ledger import LedgerStore, Row, erasure, note_anchor, removal

log = Log("ledger")

ANCHOR_SECONDS = 3600.0
PRUNE_SECONDS = 3600.0
RANGES = 500
"""Ranges of entries that one record of an erasure names."""
_DAY = 86_400.0

FactsOf = Callable[[Envelope], Facts]
Entry = Disclosure | Note


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
        self.journal: Journal[Entry, Row] = Journal("ledger", store, self, reactor)
        self._shut = False
        self._anchored: tuple[Anchor, float] | None = None
        self._prune_at = 0.0
        self._removing: Promise | None = None
        self._told: Mapping[str, Any] = {}
        self._number = self.head.seq + 1
        """The entry that names the configuration in force: a gateway that starts writes it first."""
        metrics.ledger_up().set(1)

    def attach(self, facts_of: FactsOf, epoch: Callable[[], int]) -> None:
        """Says where the facts about an envelope, and how often the policy has changed, are looked up."""
        self._facts_of = facts_of
        self._epoch = epoch

    @property
    def policy(self) -> str:
        """Gives the name by which entries call the policy in force."""
        return f"{self._number}.{self._epoch()}"

    @property
    def head(self) -> Anchor:
        """Gives the newest entry that is on the disk."""
        return self.journal.head

    def check(self) -> str | None:
        """Says why nothing is recorded, and so nothing disclosed; or None."""
        return self.journal.problem

    # -- the tap ---------------------------------------------------------------------------------------------------

    def record(self, received: Envelope, verdict: Verdict) -> Promise | None:
        """Takes what would leave for the outside; raises LedgerError while nothing can be written."""
        if received.side is not Side.INTERNAL:
            return None
        facts = self._facts_of(received) if self._facts_of is not None else None
        if facts is not None and facts.partner is not None and facts.partner.house:
            return None  # what somebody says to the gateway itself leaves nothing
        return self.add(_disclosure(received, verdict, self._now(), facts, self.policy))

    def add(self, entry: Entry, changes: tuple[Statement, ...] = ()) -> Promise:
        """Takes one entry, and what changes together with it; raises LedgerError while nothing can be written."""
        return self.journal.add(entry, changes)

    def chained(self, entries: Sequence[Entry], head: Anchor) -> tuple[list[Row], Anchor]:
        """Gives the rows of entries that follow a head, and the head after them."""
        rows: list[Row] = []
        for entry in entries:
            row = chained(entry, head)
            head = Anchor(row[0], row[-1])
            rows.append(row)
        return rows, head

    def written(self, entries: Sequence[Entry], first: int) -> None:
        """Takes note that entries are on the disk."""
        self._number = _begun(entries, first) or self._number
        self._metrics.ledger_entries("written").inc(len(entries))

    def failed(self, count: int) -> None:
        """Takes note that so many entries are not recorded."""
        self._metrics.ledger_entries("failed").inc(count)

    def closed(self, problem: str) -> None:
        """Takes note that nothing is recorded, and so nothing disclosed."""
        if not self._shut:
            log.error("nothing is disclosed while the ledger is not written", detail=LedgerError(problem))
        self._shut = True
        self._metrics.ledger_up().set(0)

    def opened(self) -> None:
        """Takes note that entries are recorded again: begins with the configuration in force."""
        self._shut = False
        self._metrics.ledger_up().set(1)
        log.info("ledger is written again", count=self.head.seq)
        self.begin(self._told)

    # -- what time brings --------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Looks once a second whether the disk still takes entries, or takes them again."""
        self._metrics.ledger_lag().set(self.journal.lag)
        self.journal.tick()
        self._note_anchor()
        self._prune_in_time()

    def _note_anchor(self) -> None:
        """Notes the head of the chain now and then, in a file and in the log: there it can be seen when it is cut."""
        moment = self._reactor.seconds()
        if self._anchored is not None and moment - self._anchored[1] < ANCHOR_SECONDS:
            return
        if self._anchored is None or self._anchored[0] != self.head:
            self.note_anchor()
        self._anchored = self.head, moment

    def note_anchor(self) -> None:
        """Notes the head of the chain now."""
        log.info("ledger anchor", count=self.head.seq, hash=self.head.link)
        try:
            note_anchor(self._store.path, self.head)
        except OSError as problem:
            log.warn("ledger anchor not kept", detail=LedgerError(str(problem.strerror)))

    def _prune_in_time(self) -> None:
        moment = self._reactor.seconds()
        if moment >= self._prune_at and self.journal.problem is None:
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
        await self.journal.finish()
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
        observed={name: reason.value for name, reason in overlooked(verdict).items()},
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
    if message.notice:
        return "notice", sum(len(text.encode()) for text in texts)
    if texts:
        return "encrypted" if message.encrypted else message.kind.value, sum(len(text.encode()) for text in texts)
    return "receipt" if message.receipt_for else "typing", 0
