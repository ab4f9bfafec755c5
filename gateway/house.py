"""The house as its legs see it: takes every envelope in and sends it the right way."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from attrs import evolve
from twisted.internet.defer import Deferred

from gateway.books.inquiry import Inquiries
from gateway.books.own_levels import OwnLevels
from gateway.books.pairs import Pair, PairBook
from gateway.books.presence_book import IN_PRESENCE, PresenceBook
from gateway.books.roster import Roster, States
from gateway.books.telling import Telling
from gateway.federation.rates import Rates
from gateway.guarding import Entitled, entitled
from gateway.interfaces import Leg, Meeting, Promise
from gateway.log import Log
from gateway.metrics import Metrics
from gateway.model.address import Address
from gateway.model.envelope import Answer, Bounce, Envelope, Problem, Query, QueryKind, Side
from gateway.model.message import Message
from gateway.model.presence import Field, Presence, PresenceDocument
from gateway.model.subscription import INBOUND, Ask, Subscription
from gateway.policy.access_level import Member
from gateway.policy.partners import Modality
from gateway.policy.published_info import PRESENCE_FIELDS
from gateway.policy.verdict import Decision, Reason, Verdict
from gateway.relay import ECHO, Relay
from gateway.taps import Taps

log = Log("house")

AT_ONCE = 500
"""Pairs that are told of a link that is back in one turn of the reactor."""
PAUSE_SECONDS = 0.02
MOST_HEARD = 50
"""Resources of one contact that one person is told of."""
_DROPPED = {Problem.RESOURCE_CONSTRAINT: Reason.QUEUE_FULL, Problem.POLICY_VIOLATION: Reason.SIZE}


class Doubts(Protocol):
    """Is where it is kept which contacts may believe more than they may see, by bare addresses."""

    def all(self) -> Iterable[tuple[Address, Address]]:
        """Gives every person and contact."""

    def add(self, person: Address, contact: Address) -> object:
        """Keeps a pair; may give a Deferred that fails when that does not last."""

    def remove(self, person: Address, contact: Address) -> object:
        """Forgets a pair; may give a Deferred as well."""


class House:
    """Ties the relay to the books: presence, subscriptions, questions."""

    def __init__(
        self,
        pairs: PairBook,
        states: States,
        legs: Mapping[str, Leg],
        inside: str,
        taps: Taps,
        metrics: Metrics,
        now: Callable[[], float],
        most_subscriptions: int = 100_000,
        own_levels: OwnLevels | None = None,
    ) -> None:
        self.pairs = pairs
        self._legs = legs
        self._inside = inside
        self._metrics = metrics
        self._now = now
        self._own_levels = own_levels
        self.rates = Rates(now)
        self.on_meeting: list[Callable[[Meeting], None]] = []
        """Who is told of each connection on which a partner has proven itself."""
        self._closed = False
        self.later: Callable[..., object] | None = None
        """Calls after some seconds (`reactor.callLater`); None: everything is done at once."""
        self.on_directory_change: Callable[[Address | None], object] = lambda person: None
        self.relay = Relay(pairs, legs, inside, taps, metrics, self._unkept)
        self._telling = Telling(self.relay, taps, lambda pair: self.presence.presence_of(pair), metrics, now)
        self.presence = PresenceBook(pairs, self._telling.disclose, self._carried)
        self.roster = Roster(self.relay, pairs, self.presence, states, now, most_subscriptions)
        self.inquiries = Inquiries(self.relay, self.presence, self._ask, now)

    def receive(self, envelope: Envelope) -> Promise | None:
        """Takes what came from a peer that proved the sender's domain.

        Gives a promise when it is not in safe hands yet; if that is broken, the sender has been told.
        """
        if self._closed:
            return None
        spool = self.relay.spool
        if spool is not None and spool.resting:
            spool.wake(envelope.sender.domain)
        pair = self.relay.pair_of(envelope)
        content = envelope.content
        if envelope.side is Side.EXTERNAL and not self._within_rate(envelope, pair):
            return None
        if isinstance(content, Message):
            if envelope.side is Side.INTERNAL and envelope.sender.resource:
                pair.endpoint = envelope.sender
            if content.notice and envelope.side is Side.INTERNAL:
                # Only a gateway gives notice: a client that says so is not believed.
                envelope = evolve(envelope, content=evolve(content, notice=False))
            verdict, safe = self.relay.carry(envelope, pair)
            passed = verdict.decision is Decision.DELIVER
            if passed and pair.facts.partner and pair.facts.partner.counts_words:
                self.pairs.spoken(pair, envelope.side)
            return safe
        if isinstance(content, Presence):
            self._presence(envelope, content, pair)
        elif isinstance(content, Subscription):
            self.roster.receive(envelope, content, pair)
        elif isinstance(content, Query):
            self.inquiries.receive(envelope, content, pair)
        elif isinstance(content, Answer):
            self.inquiries.answered(envelope, content, content.query.id)
        else:
            return self._bounce(envelope, content, pair)
        return None

    def published(self, person: Address, values: Mapping[Field, Any]) -> None:
        """Takes published information that the inside server announces; None withdraws a field."""
        self.presence.publish(person.bare, values)
        # also when nothing of it is new here: the card itself may say more than its announcement
        if not PRESENCE_FIELDS.issuperset(values):
            self.inquiries.card_changed(person.bare)

    def directory_changed(self, person: Address | None) -> None:
        """Says that what a directory would answer about a person, or about anybody, has changed."""
        self.on_directory_change(person)

    def picture_changed(self, person: Address, sha1: str) -> None:
        """Takes note of the picture that a person has now ('' for none): another one means another card."""
        known = self.presence.picture(person.bare)
        if (known.sha1 if known else "") == sha1:
            return
        self.inquiries.picture_changed(person.bare, sha1)
        if not sha1:
            self.presence.publish(person.bare, {Field.PHOTO: None})

    def levels_given(self, person: Address, levels: Mapping[Member, str]) -> None:
        """Takes all the levels that a person has given at the inside server; tells every contact concerned at once."""
        if self._own_levels is not None and self._own_levels.take(person.bare, levels):
            self.facts_changed(self.pairs.of_person(person.bare))

    def reconsider(self, envelope: Envelope) -> Envelope | None:
        """Decides once more about an envelope that waited in a queue; None when nothing of it may leave now."""
        pair = self.relay.pair_of(envelope)
        if isinstance(envelope.content, Presence) and envelope.side is Side.INTERNAL:
            return self._telling.present(envelope, pair)
        inward = envelope.side is Side.EXTERNAL
        if isinstance(envelope.content, Bounce) or (inward and isinstance(envelope.content, Answer)):
            return envelope
        verdict = self.relay.judge(envelope, pair)
        if verdict.decision is Decision.DELIVER and verdict.content is not None:
            return evolve(envelope, content=verdict.content)
        self.relay.record(envelope, pair, verdict)
        self.undeliverable(envelope, verdict.problem or Problem.SERVICE_UNAVAILABLE)
        return None

    def delivered(self, envelope: Envelope) -> Promise | None:
        """Takes note that the other side has confirmed an envelope; the promise is kept once the disk knows that."""
        if envelope.ticket is not None and self.relay.spool is not None:
            return self.relay.spool.delivered(envelope.ticket)
        return None

    def postponed(self, envelope: Envelope) -> None:
        """Takes back an envelope that could not be delivered now: it comes again."""
        if envelope.ticket is not None and self.relay.spool is not None:
            self.relay.spool.postponed(envelope.ticket)

    def undeliverable(self, envelope: Envelope, problem: Problem) -> None:
        """Tells the sender of an envelope, if he waits for an answer, that it cannot be delivered."""
        spool = self.relay.spool
        if envelope.ticket is not None and spool is not None and not spool.done(envelope.ticket):
            return  # it has come to its end before
        pair = self.relay.pair_of(envelope)
        content = envelope.content
        if self.relay.notices is not None and self.relay.notices.failed(envelope, pair):
            return
        self._metrics.queue_dropped(_name(pair), _DROPPED.get(problem, Reason.LINK_DOWN)).inc()
        if isinstance(content, Subscription) and envelope.side is Side.EXTERNAL:
            self.roster.undelivered(content, pair)
        if isinstance(content, Query) and envelope.side is Side.INTERNAL:
            self._metrics.bounced(pair.facts.partner, problem)
            bounce = Bounce("query", content.id, problem)
            back = Envelope(envelope.recipient, pair.person, bounce, Side.EXTERNAL)
            self.inquiries.answered(back, bounce, content.id)
            return
        if envelope.side is Side.INTERNAL:
            sender = pair.endpoint if pair.endpoint and isinstance(envelope.content, Message) else pair.person
            told = envelope.ticket.sender if envelope.ticket is not None else None
            envelope = evolve(envelope, sender=told or sender)
        self.relay.refuse(envelope, problem)

    def met(self, meeting: Meeting) -> None:
        """Tells who wants to know that a partner is connected, and how."""
        for tell in self.on_meeting:
            tell(meeting)

    def keep_doubts(self, doubts: Doubts) -> None:
        """Has kept over a crash which contacts may believe more than they may see; tells those of before at once."""

        def doubted(pair: Pair, doubt: bool) -> None:
            kept = (doubts.add if doubt else doubts.remove)(pair.person, pair.contact)
            if isinstance(kept, Deferred):
                kept.addErrback(lambda failure: log.failure("a doubt could not be kept", failure))

        self._telling.doubted = doubted
        for person, contact in doubts.all():
            pair = self.pairs.of(person, contact)
            if pair.facts.partner is None:
                doubts.remove(person, contact)
            else:
                pair.unsure = pair.doubted = True
                self.presence.tell(pair)

    def link_restored(self, local: str, remote: str, complete: bool = False, *, ask: bool = True) -> None:
        """Tells each contact of a domain the present, and asks for his, since what was under way may be lost.

        When it is the inside server that is back, it is asked who is there. `local` is '' for all domains at once.
        With `complete` the other side is known to have heard everything before: only what has changed since is told.
        Without `ask` it is not asked: it may not be heard yet.
        """

        def resume(pair: Pair) -> None:
            if pair.contact.domain == remote and pair.person.domain == local:
                self.roster.resume(pair, not complete, ask=ask)
            elif ask and pair.person.domain == remote and local in ("", pair.contact.domain):
                self.roster.ask_again(pair)

        self._one_by_one(iter(self.pairs), resume)

    def _one_by_one(self, pairs: Iterator[Pair], act: Callable[[Pair], None]) -> None:
        """Does something for many pairs, some at a time, so that everybody else gets his turn in between."""
        for place, pair in enumerate(pairs, 1):
            act(pair)
            if place == AT_ONCE and self.later is not None:
                self.later(PAUSE_SECONDS, self._one_by_one, pairs, act)
                return

    def link_lost(self, local: str, remote: str) -> None:
        """Tells our people that the contacts of a domain are gone, since nothing is heard of them any more.

        When it is the inside server of which nothing is heard, the contacts are told that our people are gone.
        """
        for pair in self.pairs:
            if pair.contact.domain == remote and pair.person.domain == local:
                self.roster.forget_heard(pair)
            elif pair.endpoints and pair.person.domain == remote and local in ("", pair.contact.domain):
                pair.endpoints.clear()
                self.presence.tell(pair)

    def knows(self, one: Address, other: Address) -> bool:
        """Says whether two addresses, in any order, are one of our people and a contact of a partner."""
        return self._pair(one, other).facts.partner is not None

    def watches(self, watcher: Address, presentity: Address) -> bool:
        """Says whether one of the two, of whom either is one of our people, is subscribed to the other."""
        pair = self._pair(watcher, presentity)
        state = pair.facts.subscription
        return state.person_watches if watcher.bare == pair.person else state.contact_watches

    def asks(self, watcher: Address, presentity: Address) -> bool:
        """Says whether he is subscribed, or has asked and waits."""
        pair = self._pair(watcher, presentity)
        state = pair.facts.subscription
        if watcher.bare == pair.person:
            return state.person_watches or state.answer_waits
        return state.contact_watches or state.request_waits

    def entitled(self, person: Address, contact: Address, answers: bool) -> Entitled:
        """Says what may be sent to a contact about, and from, one of our people; `answers` when he has asked."""
        pair = self.pairs.of(person, contact)
        return entitled(pair.facts, pair.permission, self.relay.enforced(pair.facts), answers)

    def _pair(self, one: Address, other: Address) -> Pair:
        ours = one.domain in self.pairs.rules.domains
        return self.pairs.of(one, other) if ours else self.pairs.of(other, one)

    def _carried(self, pair: Pair) -> frozenset[Field]:
        partner = pair.facts.partner
        return self._legs[partner.via].carries if partner and partner.via in self._legs else IN_PRESENCE

    def tick(self) -> None:
        """Does what time brings: ends grants and waiting, and tells what could not be recorded; once a second."""
        self.inquiries.expire()
        self.reveal_again(self.pairs.ended())
        self.roster.say_again()
        for pair in self._telling.unrecorded():
            self.presence.tell(pair)

    def facts_changed(self, pairs: Sequence[Pair]) -> None:
        """Looks the facts of pairs up again, and tells each contact what that means for him."""
        self.pairs.epoch += 1
        for pair in pairs:
            self.pairs.refresh(pair)
        self.reveal_again(pairs)

    def reveal_again(self, pairs: Iterable[Pair]) -> None:
        """Tells each contact at once what a change of the policy means for him."""
        for pair in pairs:
            pair.revoking_since = pair.revoking_since or self._now()
            facts = self.relay.enforced(pair.facts)
            if pair.heard and (facts.barrier or Modality.PRESENCE not in facts.modalities):
                self.roster.forget_heard(pair)
            self.presence.tell(pair)

    def say_goodbye(self, pairs: Iterable[Pair]) -> None:
        """Tells both sides of each pair that the other is gone, so that nobody looks present once nothing is heard."""
        for pair in pairs:
            self.roster.forget_heard(pair)
            pair.endpoints.clear()
            if pair.unsure or (pair.last is not None and pair.last.available):
                self.presence.tell_offline(pair)

    def close(self) -> None:
        """Says good-bye to everybody, and takes nothing any more."""
        self.say_goodbye(self.pairs)
        self._telling.close()
        self._closed = True

    def _within_rate(self, envelope: Envelope, pair: Pair) -> bool:
        """Says whether a partner may ask for this person now; what takes back something that stands always may."""
        partner, watches = pair.facts.partner, self.relay.watches
        if partner is None:
            return True
        if not self.rates.allow(partner, envelope, watches.suspicious(partner)):
            if _ends_something(envelope, pair):
                return True
            self._metrics.rate_limited(partner)
            self.relay.refuse(envelope, Problem.RESOURCE_CONSTRAINT)
            return False
        if pair.person in self.pairs.rules.apart or watches.admits(partner, pair):
            return True
        self._metrics.rate_limited(partner, "people")
        self.relay.record(envelope, pair, Verdict(Decision.REFUSE, Reason.HARVEST, pair.facts.level.name))
        self.relay.refuse(envelope, Problem.SERVICE_UNAVAILABLE)
        return False

    def _presence(self, envelope: Envelope, presence: Presence, pair: Pair) -> None:
        if envelope.side is Side.INTERNAL:
            if presence.document.available:
                self.roster.learn(pair)
            self.presence.note(pair, envelope.sender.resource, presence)
            if presence.document.available:
                self.inquiries.learn(pair)
        else:
            self._heard(envelope, presence, pair)

    def _heard(self, envelope: Envelope, presence: Presence, pair: Pair) -> None:
        resource, available = envelope.sender.resource, presence.document.available
        if available and resource not in pair.heard and len(pair.heard) >= MOST_HEARD:
            self._metrics.rate_limited(pair.facts.partner, "table")
        elif not (available or resource):
            self.roster.forget_heard(pair)
        elif self.relay.pass_on(envelope, pair).decision is Decision.DELIVER:
            (pair.heard.add if available else pair.heard.discard)(resource)

    def _bounce(self, envelope: Envelope, bounce: Bounce, pair: Pair) -> Promise | None:
        """An error about presence ends here; one about a question goes to its asker (RFC 6120 section 8.3.1)."""
        if bounce.of == "query":
            self.inquiries.answered(envelope, bounce, bounce.id)
        elif bounce.of == "message" and not (self.relay.notices and self.relay.notices.failed(envelope, pair)):
            return self.relay.carry(envelope, pair)[1]
        return None

    def _unkept(self, envelope: Envelope, pair: Pair) -> None:
        """Takes back what a required tap took and could not keep: it has not left."""
        if isinstance(envelope.content, Subscription) and envelope.content.ask is Ask.SUBSCRIBED:
            self.roster.say_later(pair)
        else:
            self.undeliverable(envelope, Problem.RESOURCE_CONSTRAINT)

    async def _ask(self, person: Address, contact: Address, kind: QueryKind) -> PresenceDocument | None:
        inside = ECHO if person in self.pairs.rules.apart else self._inside
        return await self._legs[inside].ask(person, contact, kind)


def _ends_something(envelope: Envelope, pair: Pair) -> bool:
    """Says whether an envelope takes something back that stands: losing that would leave it standing for ever."""
    content = envelope.content
    if isinstance(content, Presence):
        return not content.document.available and envelope.sender.resource in pair.heard
    if isinstance(content, Subscription) and content.ask in (Ask.SUBSCRIBED, Ask.UNSUBSCRIBE, Ask.UNSUBSCRIBED):
        state = pair.facts.subscription
        return INBOUND[state, content.ask].state is not state
    return False


def _name(pair: Pair) -> str | None:
    return pair.facts.partner.name if pair.facts.partner else None
