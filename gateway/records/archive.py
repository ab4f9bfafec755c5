"""The archive: a tap that keeps who has spoken with whom, and what was said, where the administrator wants that."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

from gateway.config import Config
from gateway.errors import LedgerError
from gateway.interfaces import Promise
from gateway.log import Log
from gateway.metrics import Metrics
from gateway.model.chain import Anchor
from gateway.model.envelope import Envelope, Side
from gateway.model.message import Message
from gateway.model.presence import Presence
from gateway.model.records import Record, RecordKind
from gateway.policy.archiving import NOTHING, ArchiveRule, ArchiveTerms, Mode, retention, terms
from gateway.policy.authorization import Facts
from gateway.policy.partners import Partner
from gateway.policy.verdict import Decision, Verdict
from gateway.policy.walls import Groups
from gateway.records.conversations import IDLE_SECONDS, Conversation, Conversations
from gateway.records.journal import Journal
from gateway.store.archive import PASSED, ArchiveStore, RecordRow, chained
from gateway.store.ledger import note_anchor
from gateway.store.sealing import Keys
from gateway.store.writer import Statement

log = Log("archive")

MOST_TERMS = 50_000
"""Pairs of addresses of which is remembered what is kept of them."""
ANCHOR_SECONDS = 3600.0
APART_SECONDS = 0.02
"""Seconds between commits while there is much to keep; a message that comes alone does not wait."""
END_SECONDS = 10.0
"""How often is looked which conversations are over."""
_DAY = 86_400.0
_WAY: Mapping[Side, str] = {Side.INTERNAL: "out", Side.EXTERNAL: "in"}


@frozen
class ArchiveRules:
    """Says what is kept, for how long, and when a conversation is over."""

    rules: tuple[ArchiveRule, ...]
    retention_days: int = 365
    idle_seconds: float = IDLE_SECONDS

    @property
    def critical(self) -> bool:
        """Says whether anything may be refused because it cannot be kept."""
        return any(rule.critical and rule.mode is not Mode.NONE for rule in self.rules)

    @property
    def any(self) -> bool:
        """Says whether anything is kept of anybody."""
        return any(rule.mode not in (None, Mode.NONE) for rule in self.rules)

    @property
    def days(self) -> tuple[int, int]:
        """Gives the shortest and the longest retention that any rule gives."""
        found = [self.retention_days, *(rule.retention_days for rule in self.rules if rule.retention_days is not None)]
        return min(found), max(found)


@frozen
class Surroundings:
    """Is what the archive asks the house about people."""

    facts_of: Callable[[Envelope], Facts]
    groups_of: Callable[[str], Groups]
    partner_of: Callable[[str], Partner | None] = lambda domain: None


class Archive:
    """Records messages, conversations and sign-ins: chained, texts sealed, one commit for many.

    `now` gives posix seconds. What is critical and cannot be recorded raises, and holds the message until it is on the
    disk; what is not is counted.
    """

    required = True

    def __init__(
        self,
        store: ArchiveStore,
        keys: Keys,
        rules: ArchiveRules,
        metrics: Metrics,
        reactor: Any,
        now: Callable[[], float],
    ) -> None:
        self.keys = keys
        self.store = store
        self._rules = rules
        self._metrics = metrics
        self._reactor = reactor
        self._now = now
        self._around: Surroundings | None = None
        self._terms: dict[tuple[str, str, Side], tuple[Facts, ArchiveTerms]] = {}
        self._conversations = Conversations(rules.idle_seconds)
        self._numbers: dict[Conversation, int] = {}
        """The open conversations of which the beginning is recorded."""
        self._number = store.newest_conversation()
        self._present: dict[str, set[str]] = {}
        """Who is signed in, and the contacts who are told so."""
        self._missed = 0
        self._shared: tuple[Promise, Promise] | None = None
        """The newest promise of the journal, and the one that stands for it with messages."""
        self._told: Mapping[str, Any] = {}
        self._shut = False
        self._anchored: tuple[Anchor, float] | None = None
        self._looked_at = 0.0
        self.journal: Journal[Record, RecordRow] = Journal("archive", store, self, reactor, APART_SECONDS)
        metrics.archive_up().set(1)

    def attach(self, around: Surroundings) -> None:
        """Says where facts and groups are looked up."""
        self._around = around

    @property
    def rules(self) -> ArchiveRules:
        """Gives what is kept."""
        return self._rules

    @property
    def head(self) -> Anchor:
        """Gives the newest record that is on the disk."""
        return self.journal.head

    @property
    def missed(self) -> int:
        """Counts the records that were lost since it was written last."""
        return self._missed

    @property
    def anchors(self) -> Path:
        """Gives the file beside which the anchors stand."""
        return self.store.place.path

    def take(self, rules: ArchiveRules, keys: Keys) -> None:
        """Takes other rules and keys into use: they count for the next message."""
        self._rules, self.keys = rules, keys
        self._conversations.idle_seconds = rules.idle_seconds
        self._terms.clear()

    def check(self) -> str | None:
        """Says why nothing is recorded, or None."""
        return self.journal.problem

    # -- the tap ---------------------------------------------------------------------------------------------------

    def record(self, received: Envelope, verdict: Verdict) -> Promise | None:
        """Takes what passes, or is refused; raises LedgerError for a message that must be and cannot be recorded."""
        content = received.content
        if isinstance(content, Message):
            return self._message(received, content, verdict)
        if isinstance(content, Presence) and received.side is Side.INTERNAL:
            self._presence(received.sender.bare, received.recipient.bare, content.document.available)
        return None

    def _message(self, received: Envelope, message: Message, verdict: Verdict) -> Promise | None:
        known = self._terms_of(received)
        if known.mode is Mode.NONE:
            return None
        if not message.has_text:
            newest = self.journal.newest if known.critical else None
            return self._alone(newest) if newest is not None else None
        try:
            promise = self._recorded(received, message, verdict, known.mode)
        except LedgerError:
            if known.critical and verdict.decision is Decision.DELIVER:
                raise
            return None
        return self._alone(promise) if known.critical and verdict.decision is Decision.DELIVER else None

    def _alone(self, promise: Promise) -> Promise:
        """Gives a promise that holds one envelope only, and is kept when the commit of many is."""
        shared = self._shared
        if shared is None or shared[0] is not promise:
            shared = self._shared = promise, Promise(alone=True)
            promise.then(shared[1].settle)
        return shared[1]

    def _recorded(self, received: Envelope, message: Message, verdict: Verdict, mode: Mode) -> Promise:
        """Adds a message, and the beginning of its conversation; of what is refused, only that it was."""
        now, side = self._now(), received.side
        if verdict.decision is not Decision.DELIVER:
            return self._refused(received, verdict, now)
        if self.journal.problem is not None:
            return self._add(Record(now, RecordKind.MESSAGE))  # which refuses it: it is no turn of any conversation
        turn = self._conversations.take(received, now)
        assert turn is not None  # it has a text
        for over in turn.over:
            self._end(over)
        number = self._numbers.get(turn.conversation) or self._begin(turn.conversation, received, verdict, mode, now)
        body = message if mode is Mode.CONTENT else None
        facts = _SENT[side]
        return self._add(Record(now, RecordKind.MESSAGE, facts, conversation=number, body=body))

    def _begin(self, begun: Conversation, received: Envelope, verdict: Verdict, mode: Mode, now: float) -> int:
        """Records that a conversation begins; the records that follow name the two by its number."""
        number = max(self._number + 1, int(now * 1_000_000))
        partner = self._facts(received).partner
        facts = {
            "by": _WAY[begun.begun_by],
            "mode": mode.value,
            "level": verdict.level,
            "partner": partner.name if partner is not None else "",
            "protocol": partner.via if partner is not None else "",
        }
        two = str(begun.person), str(begun.contact)
        self._add(Record(now, RecordKind.CONVERSATION, facts, *two, conversation=number))
        self._number = self._numbers[begun] = number
        return number

    def _refused(self, received: Envelope, verdict: Verdict, now: float) -> Promise:
        person, contact = _two(received)
        facts = {"direction": _WAY[received.side], "outcome": "refused", "rule": verdict.reason.value}
        return self._add(Record(now, RecordKind.MESSAGE, facts, person, contact))

    def _end(self, over: Conversation) -> None:
        number = self._numbers.pop(over, None)
        if number is None:
            return
        facts = {
            "began": round(over.started * 1000),
            "ended": round(over.last * 1000),
            **{_WAY[side]: count for side, count in over.said.items()},
        }
        self._quietly(Record(self._now(), RecordKind.END, facts, conversation=number))

    def _presence(self, person: str, contact: str, available: bool) -> None:
        """Takes note that a person comes or goes: of the first contact who is told, and of the last."""
        told = self._present.get(person)
        if available:
            if told is None:
                self._present[person] = {contact}
                self._signed(person, RecordKind.SIGN_IN)
            else:
                told.add(contact)
        elif told is not None:
            told.discard(contact)
            if not told:
                del self._present[person]
                self._signed(person, RecordKind.SIGN_OUT)

    def _signed(self, person: str, kind: RecordKind) -> None:
        groups = self._around.groups_of(person) if self._around is not None else None
        if terms(self._rules.rules, person, groups, None, None).mode is not Mode.NONE:
            self._quietly(Record(self._now(), kind, {}, person))

    def _terms_of(self, received: Envelope) -> ArchiveTerms:
        if self._around is None:
            return NOTHING
        key = received.sender.bare, received.recipient.bare, received.side
        facts = self._around.facts_of(received)
        known = self._terms.get(key)
        if known is not None and known[0] is facts:
            return known[1]
        person, _ = _two(received)
        found = NOTHING
        if facts.partner is not None and not facts.partner.house:  # who speaks with the gateway speaks with nobody
            found = terms(self._rules.rules, person, self._around.groups_of(person), facts.partner, received.side)
        if len(self._terms) >= MOST_TERMS:
            self._terms.clear()
        self._terms[key] = facts, found
        return found

    def _facts(self, received: Envelope) -> Facts:
        assert self._around is not None  # else no terms call for a record
        return self._around.facts_of(received)

    # -- the journal -------------------------------------------------------------------------------------------------

    def _add(self, record: Record, changes: tuple[Statement, ...] = ()) -> Promise:
        return self.journal.add(record, changes)

    def _quietly(self, record: Record) -> None:
        """Adds a record for which nothing waits."""
        try:
            self._add(record)
        except LedgerError as problem:
            log.debug("not recorded", detail=problem)

    def note(
        self,
        kind: RecordKind,
        told: Mapping[str, Any],
        about: str = "",
        to: str = "",
        changes: tuple[Statement, ...] = (),
    ) -> Promise:
        """Records what is done with the archive itself; raises LedgerError while nothing can be written."""
        return self._add(Record(self._now(), kind, told, about, to), changes)

    def begin(self, told: Mapping[str, Any]) -> Promise:
        """Records that the gateway started, or took another configuration."""
        self._told = told
        return self.note(RecordKind.START, told)

    def chained(self, entries: Sequence[Record], head: Anchor) -> tuple[list[RecordRow], Anchor]:
        """Gives the rows of records that follow a head, and the head after them."""
        return chained(entries, head, self.keys)

    def written(self, entries: Sequence[Record], first: int) -> None:
        """Takes note that records are on the disk."""
        self._metrics.archive_records("written").inc(len(entries))

    def failed(self, count: int) -> None:
        """Takes note that so many records are lost."""
        self._missed += count
        self._metrics.archive_records("failed").inc(count)

    def closed(self, problem: str) -> None:
        """Takes note that nothing is recorded: what is critical is refused, all else is lost and counted."""
        if not self._shut:
            log.error("the archive is not written", detail=LedgerError(problem))
        self._shut = True
        # Their beginnings may not be on the disk: each is begun once more.
        self._numbers.clear()
        self._metrics.archive_up().set(0)

    def opened(self) -> None:
        """Takes note that records are kept again, and records how many are missing."""
        self._shut = False
        self._metrics.archive_up().set(1)
        log.info("archive is written again", count=self.head.seq)
        missed, self._missed = self._missed, 0
        self._quietly(Record(self._now(), RecordKind.START, {**self._told, "missed": missed}))

    # -- what time brings --------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Looks once a second whether the disk still takes records, and now and then which conversations are over."""
        self._metrics.archive_lag().set(self.journal.lag)
        self.journal.tick()
        moment = self._reactor.seconds()
        if moment - self._looked_at >= END_SECONDS:
            self._looked_at = moment
            for over in self._conversations.ended(self._now()):
                self._end(over)
        if self._anchored is None or moment - self._anchored[1] >= ANCHOR_SECONDS:
            if self._anchored is None or self._anchored[0] != self.head:
                self.note_anchor()
            self._anchored = self.head, moment

    def note_anchor(self) -> None:
        """Notes the head of the chain, in a file and in the log: there it can be seen when it is cut."""
        log.info("archive anchor", count=self.head.seq, hash=self.head.link)
        try:
            note_anchor(self.anchors, self.head)
        except OSError as problem:
            log.warn("archive anchor not kept", detail=LedgerError(str(problem.strerror)))

    async def close(self) -> None:
        """Ends the conversations, writes what waits, and closes the store."""
        for over in self._conversations.close():
            self._end(over)
        await self.journal.finish()
        self.note_anchor()
        await self.store.close()

    def cutoff(self, person: str, contact: str) -> float | None:
        """Gives the moment (posix seconds) before which records of the two are due; None while it is not known."""
        around = self._around
        if around is None:
            return None
        partner = around.partner_of(contact.rpartition("@")[2])
        days = retention(self._rules.rules, person, around.groups_of(person), partner, self._rules.retention_days)
        return None if days is None else self._now() - days * _DAY

    def since(self, days: float) -> float:
        """Gives the moment so many days ago, in posix seconds."""
        return self._now() - days * _DAY


def rules_of(config: Config) -> ArchiveRules:
    """Gives what a configuration says about the archive."""
    told = config.archive
    return ArchiveRules(told.rules, told.retention_days, told.idle_minutes * 60.0)


_SENT: Mapping[Side, Mapping[str, Any]] = {Side.INTERNAL: PASSED[0], Side.EXTERNAL: PASSED[1]}


def _two(envelope: Envelope) -> tuple[str, str]:
    """Gives person and contact, bare."""
    sender, recipient = envelope.sender.bare, envelope.recipient.bare
    return (sender, recipient) if envelope.side is Side.INTERNAL else (recipient, sender)
