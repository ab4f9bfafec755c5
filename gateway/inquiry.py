"""Questions about people: those from outside are answered here, those from inside are carried out and back."""

from collections.abc import Awaitable, Callable
from itertools import count

from attrs import evolve, frozen
from twisted.internet.defer import ensureDeferred

from gateway.log import Log
from gateway.model.address import Address
from gateway.model.envelope import Answer, Bounce, Envelope, Problem, Query, QueryKind, Side
from gateway.model.presence import Field, PresenceDocument
from gateway.pairs import Pair
from gateway.policy.published_info import ASKED, PRESENCE_FIELDS, strip
from gateway.policy.verdict import Decision
from gateway.presence_book import PresenceBook
from gateway.relay import Relay

log = Log("inquiry")

CARD_SECONDS = 600.0
"""How long a card that the inside server gave is trusted."""
WAIT_SECONDS = 30.0
MOST_WAITING = 10_000

_FROM_CARD = frozenset({QueryKind.CARD, QueryKind.PICTURE, QueryKind.TIME, QueryKind.NAME})

Ask = Callable[[Address, Address, QueryKind], Awaitable[PresenceDocument | None]]


@frozen
class _Asked:
    envelope: Envelope
    since: float


class Inquiries:
    """Answers contacts from what is published and permitted; never forwards their question."""

    def __init__(self, relay: Relay, presence: PresenceBook, ask: Ask, now: Callable[[], float]) -> None:
        self._relay = relay
        self._presence = presence
        self._ask = ask
        self._now = now
        self._fetched: dict[str, float] = {}
        self._from_cards: dict[str, frozenset[Field]] = {}
        self._asked: dict[str, _Asked] = {}
        self._number = count(1)

    def receive(self, envelope: Envelope, query: Query, pair: Pair) -> None:
        """Takes one question from either side."""
        if envelope.side is Side.INTERNAL:
            self._carry_out(envelope, query, pair)
            return
        verdict = self._relay.decide(envelope, pair)
        if verdict.decision is not Decision.DELIVER:
            self._relay.refuse(envelope, Problem.SERVICE_UNAVAILABLE)
        elif self._wants_card(query, pair):
            ensureDeferred(self._fetch_and_answer(envelope, query, pair))
        else:
            self._answer(envelope, query, pair)

    def answered(self, envelope: Envelope, content: Answer | Bounce, number: str) -> None:
        """Takes an answer from outside to a question that was carried out; an answer to nothing is dropped."""
        asked = self._asked.get(number)
        if asked is None or asked.envelope.recipient.bare != envelope.sender.bare:
            return
        del self._asked[number]
        original = asked.envelope.content
        if isinstance(original, Query):
            if isinstance(content, Answer):
                reply: Answer | Bounce = Answer(original, content.document)
            else:
                reply = evolve(content, id=original.id)
            back = Envelope(asked.envelope.recipient, asked.envelope.sender, reply, Side.EXTERNAL)
            self._send_in(back, asked.envelope.sender)

    def learn(self, pair: Pair) -> None:
        """Fetches a person's card ahead of any question, once in a while, in the name of a contact who may see him."""
        if self._stale(pair) and not pair.facts.blocked:
            self._fetched[pair.person] = self._now()
            ensureDeferred(self._fetch(pair))

    def forget(self, person: str) -> None:
        """Asks the inside server again next time, because the person's card has changed."""
        self._fetched.pop(person, None)

    def expire(self) -> None:
        """Answers inside askers who have waited too long."""
        late = [number for number, asked in self._asked.items() if self._now() - asked.since > WAIT_SECONDS]
        for number in late:
            self._relay.refuse(self._asked.pop(number).envelope, Problem.REMOTE_SERVER_TIMEOUT)

    def _carry_out(self, envelope: Envelope, query: Query, pair: Pair) -> None:
        if len(self._asked) >= MOST_WAITING:
            self._relay.refuse(envelope, Problem.RESOURCE_CONSTRAINT)
            return
        number = f"q{next(self._number)}"
        carried = evolve(envelope, content=evolve(query, id=number))
        self._asked[number] = _Asked(envelope, self._now())
        verdict = self._relay.decide(carried, pair)
        if verdict.decision is Decision.DELIVER:
            self._relay.deliver(carried, pair, carried.content)
        else:
            del self._asked[number]
            self._relay.refuse(envelope, verdict.problem or Problem.SERVICE_UNAVAILABLE)

    def _send_in(self, envelope: Envelope, asker: Address) -> None:
        pair = self._relay.pair_of(envelope)
        self._relay.deliver(envelope, pair, envelope.content)

    def _wants_card(self, query: Query, pair: Pair) -> bool:
        """Says whether the inside server must be asked: never for a contact who may not see what it would say."""
        card_fields = frozenset(Field) - PRESENCE_FIELDS
        if query.kind not in _FROM_CARD or pair.permission.fields.isdisjoint(card_fields):
            return False
        return self._stale(pair)

    def _stale(self, pair: Pair) -> bool:
        return self._now() - self._fetched.get(pair.person, 0.0) >= CARD_SECONDS

    async def _fetch_and_answer(self, envelope: Envelope, query: Query, pair: Pair) -> None:
        await self._fetch(pair)
        self._answer(envelope, query, pair)

    async def _fetch(self, pair: Pair) -> None:
        try:
            card = await self._ask(pair.person, pair.contact, QueryKind.CARD)
        except Exception:  # noqa: BLE001 a question must be answered whatever the inside server does
            log.failure("card not fetched")
            card = None
        if card is not None:
            self._take(pair.person, card)

    def _take(self, person: str, card: PresenceDocument) -> None:
        """Publishes a card; a field is withdrawn only if a card brought it, for events may say more than a card can."""
        if len(self._fetched) > MOST_WAITING:
            self._fetched.clear()
        self._fetched[person] = self._now()
        gone = dict.fromkeys(self._from_cards.get(person, frozenset()) - card.names)
        self._from_cards[person] = card.names
        self._presence.publish(person, {**gone, **{name: card[name] for name in card}})

    def _answer(self, envelope: Envelope, query: Query, pair: Pair) -> None:
        # What nobody asked for is not in the answer, and must not be in the record of it either.
        answer = Answer(query, strip(self._presence.everything_of(pair), ASKED[query.kind]))
        self._relay.pass_on(Envelope(envelope.recipient, envelope.sender, answer, Side.INTERNAL), pair)
