"""The house as its legs see it: takes every envelope in and sends it the right way."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gateway.inquiry import Inquiries
from gateway.interfaces import Leg
from gateway.log import Log
from gateway.metrics import Metrics
from gateway.model.address import Address
from gateway.model.envelope import Answer, Bounce, Envelope, Problem, Query, QueryKind, Side
from gateway.model.message import Message
from gateway.model.presence import OFFLINE, Field, Presence, PresenceDocument
from gateway.model.subscription import Subscription
from gateway.pairs import Pair, PairBook
from gateway.policy.verdict import Decision
from gateway.presence_book import PresenceBook, unavailable_from
from gateway.rates import Rates
from gateway.relay import Relay
from gateway.roster import Roster, States
from gateway.taps import Taps

log = Log("house")


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
    ) -> None:
        self.pairs = pairs
        self._legs = legs
        self._inside = inside
        self._metrics = metrics
        self._now = now
        self.rates = Rates(now)
        self.relay = Relay(pairs, legs, inside, taps, metrics)
        self.presence = PresenceBook(pairs, self._disclose)
        self.roster = Roster(self.relay, pairs, self.presence, states, now)
        self.inquiries = Inquiries(self.relay, self.presence, self._ask, now)

    def receive(self, envelope: Envelope) -> None:
        """Takes what came from a peer that proved the sender's domain."""
        pair = self.relay.pair_of(envelope)
        content = envelope.content
        if envelope.side is Side.EXTERNAL and not self._within_rate(envelope, pair):
            return
        if isinstance(content, Message):
            if envelope.side is Side.INTERNAL and envelope.sender.resource:
                pair.endpoint = envelope.sender
            self.relay.pass_on(envelope, pair)
        elif isinstance(content, Presence):
            self._presence(envelope, content, pair)
        elif isinstance(content, Subscription):
            self.roster.receive(envelope, content, pair)
        elif isinstance(content, Query):
            self.inquiries.receive(envelope, content, pair)
        elif isinstance(content, Answer):
            self.inquiries.answered(envelope, content, content.query.id)
        else:
            self._bounce(envelope, content, pair)

    def published(self, person: Address, values: Mapping[Field, Any]) -> None:
        """Takes published information that the inside server announces; None withdraws a field."""
        self.presence.publish(person.bare, values)

    def picture_changed(self, person: Address, sha1: str) -> None:
        """Takes note of the picture that a person has now ('' for none): another one means another card."""
        known = self.presence.published(person.bare).get(Field.PHOTO)
        if (known.sha1 if known else "") != sha1:
            self.inquiries.forget(person.bare)

    def reconsider(self, envelope: Envelope) -> Envelope | None:
        """Decides once more about an envelope that waited in a queue; None when nothing of it may leave now."""
        pair = self.relay.pair_of(envelope)
        if isinstance(envelope.content, Presence) and envelope.side is Side.INTERNAL:
            return self._present(envelope, pair)
        if isinstance(envelope.content, Answer | Bounce):
            return envelope
        verdict = self.relay.judge(envelope, pair)
        if verdict.decision is Decision.DELIVER and verdict.content is not None:
            return Envelope(envelope.sender, envelope.recipient, verdict.content, envelope.side)
        self.relay.record(envelope, pair, verdict)
        self.undeliverable(envelope, verdict.problem or Problem.SERVICE_UNAVAILABLE)
        return None

    def undeliverable(self, envelope: Envelope, problem: Problem) -> None:
        """Tells the sender of an envelope, if he waits for an answer, that it cannot be delivered."""
        pair = self.relay.pair_of(envelope)
        content = envelope.content
        if isinstance(content, Query) and envelope.side is Side.INTERNAL:
            self._metrics.bounced(pair.facts.partner, problem)
            bounce = Bounce("query", content.id, problem)
            back = Envelope(envelope.recipient, pair.person, bounce, Side.EXTERNAL)
            self.inquiries.answered(back, bounce, content.id)
            return
        if envelope.side is Side.INTERNAL:
            sender = pair.endpoint if pair.endpoint and isinstance(envelope.content, Message) else pair.person
            envelope = Envelope(sender, envelope.recipient, envelope.content, envelope.side)
        self.relay.refuse(envelope, problem)

    def link_restored(self, local: str, remote: str) -> None:
        """Tells each contact of a domain the present, and asks for his, since what was under way may be lost."""
        for pair in self.pairs:
            if pair.contact.domain == remote and pair.person.domain == local:
                self.roster.resume(pair)

    def link_lost(self, local: str, remote: str) -> None:
        """Tells our people that the contacts of a domain are gone, since nothing is heard of them any more."""
        for pair in self.pairs:
            if pair.heard and pair.contact.domain == remote and pair.person.domain == local:
                self._forget_heard(pair)

    def reveal_again(self, pairs: Iterable[Pair]) -> None:
        """Tells each contact at once what a change of the policy means for him."""
        for pair in pairs:
            pair.revoking_since = self._now()
            self.presence.tell(pair)

    def say_goodbye(self, pairs: Iterable[Pair]) -> None:
        """Tells both sides of each pair that the other is gone, so that nobody looks present once nothing is heard."""
        for pair in pairs:
            self._forget_heard(pair)
            if pair.last is not None and pair.last.available:
                pair.endpoints.clear()
                self.presence.tell_offline(pair)

    def _forget_heard(self, pair: Pair) -> None:
        for resource in sorted(pair.heard):
            gone = unavailable_from(pair, resource)
            self.relay.deliver(gone, pair, gone.content)
        pair.heard.clear()

    def _within_rate(self, envelope: Envelope, pair: Pair) -> bool:
        partner = pair.facts.partner
        if partner is None or self.rates.allow(partner, envelope):
            return True
        self._metrics.rate_limited(partner)
        self.relay.refuse(envelope, Problem.RESOURCE_CONSTRAINT)
        return False

    def _presence(self, envelope: Envelope, presence: Presence, pair: Pair) -> None:
        if envelope.side is Side.INTERNAL:
            if presence.document.available:
                self.roster.learn(pair)
            self.presence.note(pair, envelope.sender.resource, presence)
            if presence.document.available:
                self.inquiries.learn(pair)
        elif self.relay.pass_on(envelope, pair).decision is Decision.DELIVER:
            keep = pair.heard.add if presence.document.available else pair.heard.discard
            keep(envelope.sender.resource)

    def _bounce(self, envelope: Envelope, bounce: Bounce, pair: Pair) -> None:
        """An error about presence ends here; one about a question goes to its asker (RFC 6120 section 8.3.1)."""
        if bounce.of == "query":
            self.inquiries.answered(envelope, bounce, bounce.id)
        elif bounce.of == "message":
            self.relay.pass_on(envelope, pair)

    def _disclose(self, pair: Pair, presence: Presence) -> None:
        """Tells a contact what he may see, unless it is what he was last told."""
        envelope = Envelope(pair.alias, pair.contact, presence, Side.INTERNAL)
        verdict = self.relay.judge(envelope, pair)
        if not isinstance(verdict.content, Presence):
            return
        seen = verdict.content.document
        known = OFFLINE if pair.last is None and not pair.unsure else pair.last
        if seen == known:
            pair.revoking_since = None
            return
        if self.relay.record(envelope, pair, verdict).decision is not Decision.DELIVER:
            return
        changed = None if known is None else differing(known, seen)
        narrows = known is not None and not known.names <= seen.names
        if not narrows:
            pair.revoking_since = None
        pair.last, pair.unsure = seen, False
        if self.relay.deliver(envelope, pair, Presence(seen, changed=changed)):
            self._revoked(pair)

    def _present(self, envelope: Envelope, pair: Pair) -> Envelope | None:
        """Gives what there is to say now in place of presence that waited."""
        document = self.presence.presence_of(pair)
        verdict = self.relay.judge(Envelope(pair.alias, pair.contact, Presence(document), Side.INTERNAL), pair)
        if not isinstance(verdict.content, Presence):
            return None
        pair.last = verdict.content.document
        self._revoked(pair)
        return Envelope(envelope.sender, envelope.recipient, Presence(pair.last), Side.INTERNAL)

    def _revoked(self, pair: Pair) -> None:
        if pair.revoking_since is not None:
            self._metrics.revoked(self._now() - pair.revoking_since)
            pair.revoking_since = None

    async def _ask(self, person: Address, contact: Address, kind: QueryKind) -> PresenceDocument | None:
        return await self._legs[self._inside].ask(person, contact, kind)


def differing(before: PresenceDocument, after: PresenceDocument) -> frozenset[Field]:
    """Gives the fields that are in only one of two documents, or not the same in both."""
    return frozenset(name for name in (before.names | after.names) if before.get(name) != after.get(name))
