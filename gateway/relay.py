"""The way of one envelope: look up, authorize, record, deliver."""

from collections.abc import Callable, Mapping
from functools import partial

from attrs import evolve

from gateway.books.pairs import Pair, PairBook
from gateway.federation.watches import Watches
from gateway.interfaces import Leg, Promise
from gateway.log import Log
from gateway.metrics import Metrics
from gateway.model.address import Address
from gateway.model.envelope import Answer, Bounce, Content, Envelope, Problem, Query, Side
from gateway.model.message import Message
from gateway.model.presence import Presence
from gateway.model.subscription import Ask, Subscription
from gateway.policy.authorization import Facts, authorize
from gateway.policy.observing import observed, overlooked, unbound
from gateway.policy.partners import Partner
from gateway.policy.verdict import Decision, Reason, Verdict
from gateway.queues.outbox import bounce_for
from gateway.queues.spool import Spool, lasting
from gateway.records.notices import Notices
from gateway.taps import Taps

log = Log("relay")

ECHO = "echo"
"""The name of the leg that answers for our addresses that are no people."""

_REFUSED = Verdict(Decision.REFUSE, Reason.POLICY_ERROR, "", problem=Problem.SERVICE_UNAVAILABLE)
_UNRECORDED = Verdict(Decision.REFUSE, Reason.TAP_FAILED, "", problem=Problem.RESOURCE_CONSTRAINT)


class Relay:
    """Carries every envelope from its leg to its leg; it knows no protocol and decides nothing itself."""

    def __init__(
        self,
        pairs: PairBook,
        legs: Mapping[str, Leg],
        inside: str,
        taps: Taps,
        metrics: Metrics,
        unkept: Callable[[Envelope, Pair], None],
    ) -> None:
        self.pairs = pairs
        self._legs = legs
        self._inside = inside
        self._taps = taps
        self._metrics = metrics
        self._unkept = unkept
        self.watches = Watches(pairs.now)
        self.spool: Spool | None = None
        """Keeps messages until they have come to their end; without one they are handed over at once."""
        self.notices: Notices | None = None
        """Tells contacts that what is said is kept; None where nothing can be."""
        self.observing = False
        """Whether what levels, ceilings, locks, settings and walls keep back goes to configured partners after all."""

    def observes(self, facts: Facts) -> bool:
        """Says whether a contact is told more than the policy decides, because the gateway only observes."""
        return self.enforced(facts) is not facts

    def enforced(self, facts: Facts) -> Facts:
        """Gives what of the facts is enforced: all of them, or what an observing gateway leaves."""
        return unbound(facts) if self.observing else facts

    def pair_of(self, envelope: Envelope) -> Pair:
        """Gives the pair that an envelope passes between."""
        if envelope.side is Side.INTERNAL:
            return self.pairs.of(envelope.sender, envelope.recipient)
        return self.pairs.of(envelope.recipient, envelope.sender)

    def judge(self, envelope: Envelope, pair: Pair) -> Verdict:
        """Asks the policy; whatever fails there refuses."""
        try:
            verdict = authorize(envelope, pair.facts, pair.permission)
            return observed(envelope, pair.facts, verdict) if self.observing else verdict
        except Exception:  # noqa: BLE001 an error in the policy is a refusal, never a way through
            log.failure("policy failed")
            self._metrics.errors().inc()
            return _REFUSED

    def record(self, envelope: Envelope, pair: Pair, verdict: Verdict) -> Verdict:
        """Shows a verdict to the taps and counts it; refuses when a required tap cannot record it."""
        if not self._taps.record(envelope, verdict) and not takes_back(envelope):
            verdict = _UNRECORDED
        meant = verdict.instead_of or verdict
        self._metrics.decided(envelope, pair.facts.partner, meant)
        if meant is not verdict:
            for reason in overlooked(verdict).values():
                self._metrics.observed(reason).inc()
        self.watches.judged(envelope, pair.facts.partner, meant)
        return verdict

    def decide(self, envelope: Envelope, pair: Pair) -> Verdict:
        """Judges and records."""
        return self.record(envelope, pair, self.judge(envelope, pair))

    def pass_on(self, envelope: Envelope, pair: Pair) -> Verdict:
        """Decides about one envelope and does what the verdict says."""
        return self.carry(envelope, pair)[0]

    def carry(self, envelope: Envelope, pair: Pair) -> tuple[Verdict, Promise | None]:
        """Decides about one envelope and does what the verdict says; a promise when it is not in safe hands yet.

        A contact is told before what he says is kept.
        """
        verdict = self.judge(envelope, pair)
        if self.notices is not None and isinstance(verdict.content, Message):
            told = self.notices.before(envelope, pair, verdict.content)
            verdict = verdict if told else _UNRECORDED
        verdict = self.record(envelope, pair, verdict)
        if verdict.decision is Decision.DELIVER and verdict.content is not None:
            return verdict, self.deliver(envelope, pair, verdict.content)
        if verdict.decision is Decision.REFUSE and verdict.problem is not None:
            return verdict, self._refuse_in_time(envelope, pair, verdict.problem)
        return verdict, None

    def _refuse_in_time(self, envelope: Envelope, pair: Pair, problem: Problem) -> Promise | None:
        """Refuses; a contact's message after the commit that it would have waited for, since the time tells as well."""
        inward = envelope.side is Side.EXTERNAL and problem is Problem.SERVICE_UNAVAILABLE
        if not (inward and self.spool is not None and lasting(envelope) and self._leg(None, pair.person).confirms):
            self.refuse(envelope, problem)
            return None
        safe = self.spool.accept(envelope, envelope, _name(pair), decoy=True)
        if safe is None:
            self.refuse(envelope, Problem.RESOURCE_CONSTRAINT)
        else:
            safe.then(lambda kept: self.refuse(envelope, problem) if kept else None)
        return safe

    def deliver(self, envelope: Envelope, pair: Pair, content: Content) -> Promise | None:
        """Hands over what the policy built, once the required taps have kept what was recorded of it.

        Gives a promise when it is not in safe hands yet; if that is broken, the sender has been told.
        """
        if not self._taps.hold(envelope) or takes_back(envelope):
            return self.hand_over(envelope, pair, content)
        safe = Promise()
        self._taps.when_lasting(partial(self._settled, envelope, pair, content, pair.facts, safe), envelope)
        return safe

    def _settled(
        self, envelope: Envelope, pair: Pair, content: Content, facts: Facts, safe: Promise, kept: bool
    ) -> None:
        """Delivers what is recorded for good; a fault in that is an end as well, for which somebody may wait."""
        try:
            self._released(envelope, pair, content, facts, safe, kept)
        except Exception:  # noqa: BLE001 one bad envelope hurts one envelope, whose sender is told
            log.failure("what was recorded could not be handed on")
            self._metrics.errors().inc()
            try:
                self.refuse(envelope, Problem.INTERNAL_SERVER_ERROR)
            finally:
                safe.settle(False)

    def _released(
        self, envelope: Envelope, pair: Pair, content: Content, facts: Facts, safe: Promise, kept: bool
    ) -> None:
        """Delivers what is recorded for good; decides anew when something has changed meanwhile."""
        follows: Promise | None = None
        # What was hidden when it was decided stays hidden, whatever has been allowed since: it may hold no longer.
        if content is not envelope.content:
            envelope = evolve(envelope, content=content)
        if not kept:
            self._unkept(envelope, pair)
        elif pair.facts is facts or self.judge(envelope, pair).content == content:
            follows = self.hand_over(envelope, pair, content)
        else:
            verdict = self.decide(envelope, pair)
            kept = verdict.decision is Decision.DELIVER
            if kept and verdict.content is not None:
                follows = self.deliver(envelope, pair, verdict.content)
            elif verdict.problem is not None:
                self._unkept(envelope, pair)
        if follows is None:
            safe.settle(kept)
        else:
            follows.then(safe.settle)

    def hand_over(self, envelope: Envelope, pair: Pair, content: Content) -> Promise | None:
        """Addresses what the policy built as the other side knows the two; the leg gets it, or the spool first."""
        outgoing = readdressed(envelope, pair, content)
        if self.spool is None or not lasting(outgoing) or not self._leg_of(outgoing, pair).confirms:
            self.send(outgoing, pair)
            return None
        safe = self.spool.accept(outgoing, envelope, _name(pair), pair)
        if safe is None:
            self.refuse(envelope, Problem.RESOURCE_CONSTRAINT)
        return safe

    def send(self, outgoing: Envelope, pair: Pair) -> bool:
        """Hands the leg an envelope that bears the names by which the other side knows the two."""
        return self._leg_of(outgoing, pair).deliver(outgoing)

    def resend(self, outgoing: Envelope) -> bool:
        """Hands the leg an envelope that the spool has kept."""
        return self.send(outgoing, self.pair_of(outgoing))

    def _leg_of(self, outgoing: Envelope, pair: Pair) -> Leg:
        return self._leg(pair.facts.partner if outgoing.side is Side.INTERNAL else None, pair.person)

    def _leg(self, partner: Partner | None, person: Address) -> Leg:
        """Gives the leg to a partner; without one that to a person, who may be no person but the echo."""
        if partner is not None:
            return self._legs[partner.via]
        return self._legs[ECHO if person in self.pairs.rules.apart else self._inside]

    def refuse(self, envelope: Envelope, problem: Problem) -> None:
        """Tells the sender that his envelope does not pass, if he waits for an answer.

        The answer to what the spool has taken over is kept there in its place.
        """
        if isinstance(envelope.content, Query) and envelope.side is Side.EXTERNAL:
            answer: Content | None = Answer(envelope.content, None)
        else:
            answer = bounce_for(envelope, problem)
        if answer is None or (self.notices is not None and self.notices.failed(envelope, self.pair_of(envelope))):
            return
        other = Side.EXTERNAL if envelope.side is Side.INTERNAL else Side.INTERNAL
        pair = self.pair_of(envelope)
        partner = pair.facts.partner
        self._metrics.bounced(partner, problem)
        back = Envelope(_refuser(envelope, answer), envelope.sender, answer, other)
        leg = self._leg(partner if other is Side.INTERNAL else None, pair.person)
        kept = envelope.ticket is not None and self.spool is not None and leg.confirms
        if not (kept and self.spool is not None and self.spool.accept(back, back, _name(pair), forced=True)):
            leg.deliver(back)


def _name(pair: Pair) -> str:
    return pair.facts.partner.name if pair.facts.partner else ""


def takes_back(envelope: Envelope) -> bool:
    """Says whether a person ends a subscription: that tells nothing, and must not wait or be lost."""
    content = envelope.content
    ends = isinstance(content, Subscription) and content.ask in (Ask.UNSUBSCRIBE, Ask.UNSUBSCRIBED)
    return ends and envelope.side is Side.INTERNAL


def _refuser(envelope: Envelope, answer: Content) -> Address:
    """Gives the address that an error comes from; to the outside always the bare one, however far the envelope came.

    What waited in a queue bears the resource of the person's client; and an error that came from one address when we
    refuse and from another when the inside server does would tell the two apart. Answers come from who was asked.
    """
    if envelope.side is Side.INTERNAL or isinstance(answer, Answer):
        return envelope.recipient
    return envelope.recipient.bare


def readdressed(envelope: Envelope, pair: Pair, content: Content) -> Envelope:
    """Replaces the person's resource by the partner's token on the way out, and the reverse on the way in."""
    if envelope.side is Side.INTERNAL:
        return Envelope(
            _outward_name(envelope, pair, content), _contact_name(envelope, content), content, Side.INTERNAL
        )
    if isinstance(content, Subscription | Presence):
        recipient: Address = pair.person
    elif isinstance(content, Answer) or (isinstance(content, Bounce) and content.of == "query"):
        recipient = envelope.recipient
    else:
        recipient = pair.endpoint if pair.endpoint and envelope.recipient.resource == pair.token else pair.person
    sender = pair.contact if isinstance(content, Subscription) else envelope.sender
    return Envelope(sender, recipient, content, Side.EXTERNAL, envelope.verified)


def _outward_name(envelope: Envelope, pair: Pair, content: Content) -> Address:
    if isinstance(content, Answer):
        return envelope.sender  # the address that was asked: any other would tell who is known here
    return pair.alias if isinstance(content, Message | Presence | Query) else pair.person


def _contact_name(envelope: Envelope, content: Content) -> Address:
    return envelope.recipient.bare if isinstance(content, Subscription | Presence) else envelope.recipient
