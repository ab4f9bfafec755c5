"""Questions about people: those from outside are answered here, those from inside are carried out and back."""

from collections.abc import Awaitable, Callable
from secrets import token_hex

from attrs import define, evolve, frozen
from twisted.internet.defer import Deferred, ensureDeferred

from gateway.books.pairs import Pair
from gateway.books.presence_book import PresenceBook
from gateway.log import Log
from gateway.model.address import Address
from gateway.model.envelope import Answer, Bounce, Envelope, Problem, Query, QueryKind, Side
from gateway.model.presence import Field, PresenceDocument
from gateway.policy.published_info import ASKED, strip
from gateway.policy.verdict import Decision
from gateway.relay import Relay

log = Log("inquiry")

CARD_SECONDS = 600.0
"""How long a card that the inside server gave is trusted."""
MISSING_SECONDS = 60.0
"""How long it is believed that the inside server gives none."""
KEEP_SECONDS = 3600.0
"""How long after the last answer a card still counts, when the inside server gives no other or nobody asks."""
WAIT_SECONDS = 30.0
MOST_WAITING = 10_000
MOST_CARDS = 10_000

_FROM_CARD = frozenset({QueryKind.CARD, QueryKind.PICTURE, QueryKind.TIME, QueryKind.NAME})

Ask = Callable[[Address, Address, QueryKind], Awaitable[PresenceDocument | None]]


@frozen
class _Asked:
    envelope: Envelope
    since: float


@define(eq=False)
class _Card:
    """Is what is known about fetching one person's card."""

    due: float = 0.0
    """When the inside server is asked again."""
    taken: float = 0.0
    fields: frozenset[Field] = frozenset()
    """What the last card brought."""
    picture: str | None = None
    """SHA-1 of the picture that was announced last."""
    waiting: "list[Deferred[None]] | None" = None
    """Who waits for the answer that is under way; None when none is."""
    outdated: bool = False
    """Whether another card was announced while the answer was under way."""

    def changed(self) -> None:
        """Is asked for again next time, also when the answer that is under way comes only now."""
        self.due, self.outdated = 0.0, self.waiting is not None


class Inquiries:
    """Answers contacts from what is published and permitted; never forwards their question."""

    def __init__(self, relay: Relay, presence: PresenceBook, ask: Ask, now: Callable[[], float]) -> None:
        self._relay = relay
        self._presence = presence
        self._ask = ask
        self._now = now
        self._cards: dict[str, _Card] = {}
        self._prune_at = now() + CARD_SECONDS
        self._asked: dict[str, _Asked] = {}

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
            self._relay.deliver(back, self._relay.pair_of(back), reply)

    def learn(self, pair: Pair) -> None:
        """Fetches a person's card ahead of any question, once in a while, in the name of a contact who may see him."""
        card = self._cards.get(pair.person)
        if card is not None and (card.waiting is not None or self._now() < card.due):
            return
        if not self._relay.enforced(pair.facts).blocked:
            ensureDeferred(self._fetch(pair))

    def picture_changed(self, person: str, sha1: str) -> None:
        """Asks the inside server again next time, because another picture means another card; once for a picture."""
        card = self._cards.get(person)
        if card is not None and card.picture != sha1:
            card.picture = sha1
            card.changed()

    def card_changed(self, person: str) -> None:
        """Asks the inside server again next time, because part of a card was announced, and a card may say more."""
        card = self._cards.get(person)
        if card is not None:
            card.changed()

    def expire(self) -> None:
        """Answers inside askers who have waited too long; forgets cards that nobody needs."""
        if self._now() >= self._prune_at:
            self._prune_at = self._now() + CARD_SECONDS
            self._prune()
        late = [number for number, asked in self._asked.items() if self._now() - asked.since > WAIT_SECONDS]
        for number in late:
            self._relay.refuse(self._asked.pop(number).envelope, Problem.REMOTE_SERVER_TIMEOUT)

    def _carry_out(self, envelope: Envelope, query: Query, pair: Pair) -> None:
        if len(self._asked) >= MOST_WAITING:
            self._relay.refuse(envelope, Problem.RESOURCE_CONSTRAINT)
            return
        number = f"q{token_hex(8)}"  # one that counts would tell each partner how much is asked of others
        carried = evolve(envelope, content=evolve(query, id=number))
        self._asked[number] = _Asked(envelope, self._now())
        verdict = self._relay.decide(carried, pair)
        if verdict.decision is Decision.DELIVER:
            self._relay.deliver(carried, pair, carried.content)
        else:
            del self._asked[number]
            self._relay.refuse(envelope, verdict.problem or Problem.SERVICE_UNAVAILABLE)

    def _wants_card(self, query: Query, pair: Pair) -> bool:
        """Says whether the inside server must be asked first.

        Whoever asks: if the blocked got their refusal sooner than those who ask about nobody, the time would tell.
        """
        return query.kind in _FROM_CARD and self._stale(pair)

    def _stale(self, pair: Pair) -> bool:
        card = self._cards.get(pair.person)
        return card is None or card.waiting is not None or self._now() >= card.due

    async def _fetch_and_answer(self, envelope: Envelope, query: Query, pair: Pair) -> None:
        await self._fetch(pair)
        try:
            self._answer(envelope, query, pair)
        except Exception:  # noqa: BLE001 whoever asks gets an answer
            log.failure("answer failed")
            self._relay.refuse(envelope, Problem.SERVICE_UNAVAILABLE)

    async def _fetch(self, pair: Pair) -> None:
        """Has a card fetched, or waits for the answer that is under way."""
        card = self._card(pair.person)
        if card.waiting is not None:
            answered: Deferred[None] = Deferred()
            card.waiting.append(answered)
            await answered
            return
        card.waiting = []
        try:
            found = await self._ask(pair.person, pair.contact, QueryKind.CARD)
            self._take(pair.person, card, found)
        except Exception:  # noqa: BLE001 a question must be answered whatever the inside server does
            log.failure("card not fetched")
            card.due = self._now() + MISSING_SECONDS
        waiting, card.waiting = card.waiting, None
        if card.outdated:
            card.due, card.outdated = 0.0, False
        for answered in waiting:
            answered.callback(None)

    def _card(self, person: str) -> _Card:
        if person not in self._cards and len(self._cards) >= MOST_CARDS:
            self._cards = {name: card for name, card in self._cards.items() if card.fields or card.waiting is not None}
        return self._cards.setdefault(person, _Card())

    def _prune(self) -> None:
        now = self._now()
        for person, card in list(self._cards.items()):
            if now - card.due < KEEP_SECONDS or card.waiting is not None:
                continue
            if not any(pair.endpoints for pair in self._relay.pairs.of_person(person)):
                del self._cards[person]
                self._presence.publish(person, dict.fromkeys(card.fields))

    def _take(self, person: str, card: _Card, found: PresenceDocument | None) -> None:
        """Publishes a card; a field is withdrawn only if a card brought it, for events may say more than a card can.

        Without an answer the last card counts for a while: the inside server may only be slow.
        """
        now = self._now()
        card.due = now + (MISSING_SECONDS if found is None else CARD_SECONDS)
        if found is None and now - card.taken < KEEP_SECONDS:
            return
        fields = PresenceDocument() if found is None else found
        gone = dict.fromkeys(card.fields - fields.names)
        card.taken, card.fields = now, fields.names
        self._presence.publish(person, {**gone, **{name: fields[name] for name in fields}})

    def _answer(self, envelope: Envelope, query: Query, pair: Pair) -> None:
        # What nobody asked for is not in the answer, and must not be in the record of it either.
        answer = Answer(query, strip(self._presence.everything_of(pair), ASKED[query.kind]))
        self._relay.pass_on(Envelope(envelope.recipient, envelope.sender, answer, Side.INTERNAL), pair)
