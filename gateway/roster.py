"""Subscriptions between people and contacts: RFC 6121's nine states, kept over restarts."""

from collections.abc import Callable
from typing import Protocol

from gateway.model.address import Address
from gateway.model.envelope import Envelope, Side
from gateway.model.subscription import INBOUND, OUTBOUND, Ask, State, Subscription
from gateway.pairs import Pair, PairBook
from gateway.policy.partners import Strangers
from gateway.policy.verdict import Decision
from gateway.presence_book import PresenceBook
from gateway.relay import Relay

LEARNING_SECONDS = 30.0
"""How long an answer to a probe that the gateway passed on proves a subscription that it did not know."""


class States(Protocol):
    """Is where the states are kept."""

    def set(self, person: Address, contact: Address, state: State) -> object:
        """Keeps the state of two bare addresses."""


class Roster:
    """Moves the subscription of a pair from state to state, and answers what the table answers by itself."""

    def __init__(
        self, relay: Relay, pairs: PairBook, presence: PresenceBook, states: States, now: Callable[[], float]
    ) -> None:
        self._relay = relay
        self._pairs = pairs
        self._presence = presence
        self._states = states
        self._now = now
        self._probed: dict[tuple[str, str], float] = {}

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
        self._enter(pair, State.BOTH if pair.facts.subscription.person_watches else State.FROM)

    def rebuild(self, pair: Pair) -> None:
        """Asks both sides, after a restart, for the presence that the subscription of a pair entitles to."""
        state = pair.facts.subscription
        if state.contact_watches:
            pair.unsure = True
            self._ask_inside(pair)
        if state.person_watches:
            self._ask_outside(pair)

    def resume(self, pair: Pair) -> None:
        """Tells a contact the present again and asks for his, after a link had broken."""
        if pair.facts.subscription.contact_watches:
            self.tell_all(pair)
        if pair.facts.subscription.person_watches:
            self._ask_outside(pair)

    def _from_person(self, envelope: Envelope, request: Subscription, pair: Pair) -> None:
        verdict = self._relay.decide(envelope, pair)
        if verdict.decision is not Decision.DELIVER:
            if verdict.problem is not None:
                self._relay.refuse(envelope, verdict.problem)
            return
        if request.ask is Ask.PROBE:
            self._relay.deliver(envelope, pair, request)
            return
        before = pair.facts.subscription
        step = OUTBOUND[before, request.ask]
        self._enter(pair, step.state)
        if before.contact_watches and not step.state.contact_watches:
            self._withdraw(pair)
        if step.passes:
            self._relay.deliver(envelope, pair, request)

    def _from_contact(self, envelope: Envelope, request: Subscription, pair: Pair) -> None:
        if self._relay.decide(envelope, pair).decision is not Decision.DELIVER:
            return
        before = pair.facts.subscription
        step = INBOUND[before, request.ask]
        self._enter(pair, step.state)
        if step.passes:
            self._relay.deliver(envelope, pair, request)
        if step.reply is not None:
            self._say(pair, step.reply)
        if before.contact_watches and not step.state.contact_watches:
            pair.endpoints.clear()
            pair.last = None
        if request.ask is Ask.SUBSCRIBE:
            self._welcome(pair, step.reply is not None)

    def _welcome(self, pair: Pair, known: bool) -> None:
        """Accepts at once where the partner's contract says so; tells who is subscribed what there is to tell."""
        partner = pair.facts.partner
        if partner and partner.strangers is Strangers.ACCEPT and pair.facts.subscription.request_waits:
            self._enter(pair, OUTBOUND[pair.facts.subscription, Ask.SUBSCRIBED].state)
            self._say(pair, Ask.SUBSCRIBED)
            known = True
        if known:
            self.tell_all(pair)

    def tell_all(self, pair: Pair) -> None:
        """Tells a subscribed contact the present from the beginning, as an answer to a probe does."""
        pair.last, pair.unsure = None, True
        self._presence.tell(pair)

    def _probe(self, envelope: Envelope, pair: Pair) -> None:
        """Answers a subscribed contact from what is known, and asks inside when nothing is; others hear nothing."""
        if self._relay.decide(envelope, pair).decision is not Decision.DELIVER or pair.facts.blocked_by_name:
            if pair.facts.subscription.contact_watches:
                self.tell_all(pair)
            return
        if pair.facts.subscription.contact_watches and pair.endpoints:
            self.tell_all(pair)
        else:
            self._ask_inside(pair)

    def _ask_inside(self, pair: Pair) -> None:
        if len(self._probed) > 10_000:
            self._probed.clear()
        self._probed[(pair.person, pair.contact)] = self._now()
        probe = Envelope(pair.contact, pair.person, Subscription(Ask.PROBE), Side.EXTERNAL)
        self._relay.deliver(probe, pair, probe.content)

    def _ask_outside(self, pair: Pair) -> None:
        self._relay.pass_on(Envelope(pair.person, pair.contact, Subscription(Ask.PROBE), Side.INTERNAL), pair)

    def _withdraw(self, pair: Pair) -> None:
        pair.endpoints.clear()
        self._presence.tell_offline(pair)
        pair.last = None

    def _enter(self, pair: Pair, state: State) -> None:
        if state is not pair.facts.subscription:
            self._states.set(pair.person, pair.contact, state)
            self._pairs.refresh(pair)

    def _say(self, pair: Pair, ask: Ask) -> None:
        answer = Envelope(pair.person, pair.contact, Subscription(ask), Side.INTERNAL)
        self._relay.deliver(answer, pair, answer.content)
