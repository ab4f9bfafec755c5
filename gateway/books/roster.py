"""Subscriptions between people and contacts: RFC 6121's nine states, kept over restarts."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Protocol

from twisted.internet.defer import Deferred

from gateway.books.pairs import Pair, PairBook
from gateway.books.presence_book import PresenceBook, unavailable_from
from gateway.log import Log
from gateway.model.address import Address
from gateway.model.envelope import Envelope, Problem, Side
from gateway.model.subscription import INBOUND, OUTBOUND, Ask, State, Subscription
from gateway.policy.partners import Strangers
from gateway.policy.verdict import Decision, Reason, Verdict
from gateway.relay import Relay

log = Log("roster")

_LIKE_BLOCKED = frozenset({Reason.BLOCKED, Reason.NOT_FEDERATED, Reason.NOT_ALLOWED_PERSON})
LEARNING_SECONDS = 30.0
"""How long an answer to a probe that the gateway passed on proves a subscription that it did not know."""


class States(Protocol):
    """Is where the states are kept."""

    def set(self, person: Address, contact: Address, state: State) -> object:
        """Keeps the state of two bare addresses; may give a Deferred that fails when it does not last."""

    def all(self) -> Iterable[tuple[Address, Address, State]]:
        """Goes through (person, contact, state) of every pair."""

    def agreed(self, person: Address, contact: Address) -> bool:
        """Says whether the person's own server agrees that the contact is subscribed, as far as we know."""

    def set_agreed(self, person: Address, contact: Address, agreed: bool) -> object:
        """Keeps whether it agrees, as long as the contact is subscribed; may give a Deferred as `set` does."""


class Roster:
    """Moves the subscription of a pair from state to state, and answers what the table answers by itself."""

    def __init__(
        self,
        relay: Relay,
        pairs: PairBook,
        presence: PresenceBook,
        states: States,
        now: Callable[[], float],
        most: int = 100_000,
    ) -> None:
        self._relay = relay
        self._pairs = pairs
        self._presence = presence
        self._states = states
        self._now = now
        self._most = most
        self._kept = Counter(contact.domain for _, contact, state in states.all() if state is not State.NONE)
        self._probed: dict[tuple[str, str], float] = {}
        self.on_request: Callable[[Pair], object] = lambda pair: None
        """Is told when a contact begins to wait for an answer."""
        self._unsaid: set[Pair] = set()

    def receive(self, envelope: Envelope, request: Subscription, pair: Pair) -> None:
        """Takes one subscription request or probe from either side."""
        if envelope.side is Side.INTERNAL:
            self._from_person(envelope, request, pair)
        elif request.ask is Ask.PROBE:
            self._probe(envelope, pair)
        else:
            self._from_contact(envelope, request, pair)

    def learn(self, pair: Pair) -> None:
        """Concludes from presence that answers a probe that the contact is subscribed, although nobody told us."""
        asked = self._probed.pop((pair.person, pair.contact), None)
        if asked is None or self._now() - asked > LEARNING_SECONDS or pair.facts.subscription.contact_watches:
            return
        asking = INBOUND[pair.facts.subscription, Ask.SUBSCRIBE].state
        self._enter(pair, OUTBOUND[asking, Ask.SUBSCRIBED].state)

    def rebuild(self, pair: Pair) -> None:
        """Asks both sides, after a restart, for the presence that the subscription of a pair entitles to."""
        state = pair.facts.subscription
        if state.contact_watches:
            pair.unsure = True
            self._ask_inside(pair)
        if state.person_watches:
            self._ask_outside(pair)

    def resume(self, pair: Pair, again: bool = True, *, ask: bool = True) -> None:
        """Tells a contact the present, `again` if he may have missed something, and asks for his, after a break."""
        if pair.facts.subscription.contact_watches and (again or pair.unsure):
            pair.last, pair.unsure = None, True
            self.tell_all(pair)
        if ask and pair.facts.subscription.person_watches:
            self._ask_outside(pair)

    def ask_again(self, pair: Pair) -> None:
        """Asks the inside server whether a watched person is there, after it was away."""
        if pair.facts.subscription.contact_watches:
            self._ask_inside(pair)

    def undelivered(self, request: Subscription, pair: Pair) -> None:
        """Takes back a contact's request that did not reach the person, so that he can ask once more."""
        if request.ask is Ask.SUBSCRIBE and pair.facts.subscription.request_waits:
            self._enter(pair, INBOUND[pair.facts.subscription, Ask.UNSUBSCRIBE].state)

    def say_later(self, pair: Pair) -> None:
        """Keeps in mind that a contact has not been told that he is subscribed, since no tap could record it."""
        self._unsaid.add(pair)

    def say_again(self) -> None:
        """Tells contacts that they are subscribed who could not be told before, as far as they still are."""
        unsaid, self._unsaid = self._unsaid, set()
        for pair in unsaid:
            if pair.facts.subscription.contact_watches and pair.facts.partner is not None:
                self._say(pair, Ask.SUBSCRIBED)

    def forget_heard(self, pair: Pair) -> None:
        """Tells a person that every resource of a contact of which he knows is gone."""
        for resource in sorted(pair.heard):
            gone = unavailable_from(pair, resource)
            self._relay.deliver(gone, pair, gone.content)
        pair.heard.clear()

    def _from_person(self, envelope: Envelope, request: Subscription, pair: Pair) -> None:
        verdict = self._relay.decide(envelope, pair)
        unrecorded = verdict.reason is Reason.TAP_FAILED and request.ask is Ask.SUBSCRIBED
        if verdict.decision is not Decision.DELIVER and not unrecorded:
            if verdict.problem is not None:
                self._relay.refuse(envelope, verdict.problem)
            return
        before = pair.facts.subscription
        if request.ask is Ask.PROBE:
            if not before.person_watches:
                # Only the server of somebody who is subscribed probes (RFC 6121 section 4.3.1).
                asking = OUTBOUND[before, Ask.SUBSCRIBE].state
                self._enter(pair, INBOUND[asking, Ask.SUBSCRIBED].state)
            self._relay.deliver(envelope, pair, request)
            return
        step = OUTBOUND[before, request.ask]
        self._enter(pair, step.state)
        self._part(pair, before)
        if request.ask is Ask.SUBSCRIBED and not self._states.agreed(pair.person, pair.contact):
            self._agree(pair, True)
            self._ask_inside(pair)
        if unrecorded:
            # No error answers an acceptance, and nobody repeats it.
            self.say_later(pair)
        elif step.passes:
            self._relay.deliver(envelope, pair, request)

    def _from_contact(self, envelope: Envelope, request: Subscription, pair: Pair) -> None:
        verdict = self._relay.decide(envelope, pair)
        if verdict.decision is not Decision.DELIVER:
            if verdict.reason in _LIKE_BLOCKED and request.ask is Ask.SUBSCRIBE:
                self._snub(pair)
            return
        if pair.snubbed:
            pair.snubbed = False
            if request.ask is Ask.UNSUBSCRIBE:
                self._say(pair, Ask.UNSUBSCRIBED)
                return
        before = pair.facts.subscription
        if before is State.NONE and request.ask is Ask.SUBSCRIBE and not self._room(pair):
            self._relay.refuse(envelope, Problem.RESOURCE_CONSTRAINT)
            return
        step = INBOUND[before, request.ask]
        self._enter(pair, step.state)
        if step.passes:
            self._relay.deliver(envelope, pair, request)
        self._part(pair, before)
        if step.reply is not None:
            self._say(pair, step.reply)
        if request.ask is Ask.SUBSCRIBE:
            self._welcome(pair, step.reply is not None)
            if pair.facts.subscription.request_waits and not before.request_waits:
                pair.asked_at, pair.verified = self._now(), envelope.verified
                self._ask_person(pair)

    def _ask_person(self, pair: Pair) -> None:
        try:
            self.on_request(pair)
        except Exception:  # noqa: BLE001 who asks must not learn that the person could not be told of it
            log.failure("a person could not be told of a request")

    def _welcome(self, pair: Pair, known: bool) -> None:
        """Accepts at once where the partner's contract says so; tells who is subscribed what there is to tell."""
        partner = pair.facts.partner
        if partner and partner.strangers is Strangers.ACCEPT and pair.facts.subscription.request_waits:
            self._promise(pair)
            known = True
        if known:
            self.tell_all(pair)

    def accept(self, pair: Pair) -> None:
        """Answers a contact's request that waits with yes, and tells him the present.

        What there is to tell comes when the person's own server, which is asked as well, sends it: it does so once the
        person has said yes there too (RFC 6121 section 3.1.5), and nobody else can say that.
        """
        self._promise(pair)
        self.tell_all(pair)

    def _promise(self, pair: Pair) -> None:
        """Tells a contact that he is subscribed before the person's own server has agreed."""
        self._enter(pair, OUTBOUND[pair.facts.subscription, Ask.SUBSCRIBED].state)
        self._agree(pair, False)
        self._say(pair, Ask.SUBSCRIBED)

    def _agree(self, pair: Pair, agreed: bool) -> None:
        kept = self._states.set_agreed(pair.person, pair.contact, agreed)
        if isinstance(kept, Deferred):
            kept.addErrback(lambda failure: log.failure("subscription not kept", failure))

    def turn_down(self, pair: Pair) -> None:
        """Answers a contact's request that waits with no, and takes it back from the person's own server."""
        self._enter(pair, OUTBOUND[pair.facts.subscription, Ask.UNSUBSCRIBED].state)
        self._say(pair, Ask.UNSUBSCRIBED)
        back = Envelope(pair.contact, pair.person, Subscription(Ask.UNSUBSCRIBE), Side.EXTERNAL)
        self._relay.deliver(back, pair, back.content)

    def _snub(self, pair: Pair) -> None:
        """Treats a blocked contact's request as anybody's, but tells nobody inside of it.

        Where everybody is accepted at once, he is too (RFC 5025 polite-block); where the person is asked, he may wait,
        and withdraw what he asked.
        """
        partner = pair.facts.partner
        if partner is None:
            return
        state = pair.facts.subscription
        pair.snubbed = not state.request_waits and (partner.strangers is Strangers.ASK or state.person_watches)
        if partner.strangers is Strangers.ACCEPT and self._room(pair):
            pair.snubbed = False
            self._enter(pair, INBOUND[pair.facts.subscription, Ask.SUBSCRIBE].state)
            self._promise(pair)
            self.tell_all(pair)

    def _room(self, pair: Pair) -> bool:
        """Says whether one subscription more with this partner may be kept."""
        partner = pair.facts.partner
        return partner is not None and sum(self._kept[domain] for domain in partner.domains) < self._most

    def tell_all(self, pair: Pair) -> None:
        """Tells a subscribed contact the present from the beginning, as an answer to a probe does."""
        self._presence.tell(pair, again=True)

    def _probe(self, envelope: Envelope, pair: Pair) -> None:
        """Answers a subscribed contact from what is known, and asks inside when nothing is; others hear nothing.

        The inside server's "unsubscribed" would deny a request that waits: that of such a contact is not asked.
        """
        passes = self._relay.decide(envelope, pair).decision is Decision.DELIVER
        state = pair.facts.subscription
        if state.contact_watches:
            self.tell_all(pair)
        if passes and not (pair.endpoints or pair.facts.blocked_by_name or state.request_waits):
            self._ask_inside(pair)

    def _ask_inside(self, pair: Pair) -> None:
        """Asks the person's own server whether he is there.

        A server that has not agreed that the contact is subscribed answers a probe with "unsubscribed" (RFC 6121
        section 4.3.2), which would end what he was told. It is asked to agree instead: it says so at once when the
        person has said yes meanwhile, and shows nobody a request that it has shown before (3.1.3, appendix A.3.1).
        """
        if not self._states.agreed(pair.person, pair.contact):
            request = Envelope(pair.contact, pair.person, Subscription(Ask.SUBSCRIBE), Side.EXTERNAL)
            if not pair.facts.blocked_by_name and self._relay.judge(request, pair).decision is Decision.DELIVER:
                self._relay.deliver(request, pair, request.content)
            return
        if len(self._probed) > 10_000:
            self._probed.clear()
        self._probed[(pair.person, pair.contact)] = self._now()
        probe = Envelope(pair.contact, pair.person, Subscription(Ask.PROBE), Side.EXTERNAL)
        self._relay.deliver(probe, pair, probe.content)

    def _ask_outside(self, pair: Pair) -> None:
        self._relay.pass_on(Envelope(pair.person, pair.contact, Subscription(Ask.PROBE), Side.INTERNAL), pair)

    def _part(self, pair: Pair, before: State) -> None:
        """Tells each side that the other is gone, as far as it has just lost the right to know more."""
        after = pair.facts.subscription
        if before.person_watches and not after.person_watches:
            self.forget_heard(pair)
        if before.contact_watches and not after.contact_watches:
            pair.endpoints.clear()
            self._presence.tell_offline(pair)
            if not any(other.facts.subscription.contact_watches for other in self._pairs.of_person(pair.person)):
                self._presence.forget_events(pair.person)

    def _enter(self, pair: Pair, state: State) -> None:
        before = pair.facts.subscription
        if state is before:
            return
        self._kept[pair.contact.domain] += (state is not State.NONE) - (before is not State.NONE)
        kept = self._states.set(pair.person, pair.contact, state)
        if isinstance(kept, Deferred):
            kept.addErrback(lambda failure: log.failure("subscription not kept", failure))
        self._pairs.refresh(pair)

    def _say(self, pair: Pair, ask: Ask) -> None:
        answer = Envelope(pair.person, pair.contact, Subscription(ask), Side.INTERNAL)
        verdict = Verdict(Decision.DELIVER, Reason.ALLOWED, pair.facts.level.name, answer.content)
        if self._relay.record(answer, pair, verdict).decision is Decision.DELIVER:
            self._relay.deliver(answer, pair, answer.content)
        else:
            self.say_later(pair)
