"""The bot as a leg: to our people it is a contact like any other, and everything passes the policy."""

import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from attrs import define, field
from twisted.internet.defer import ensureDeferred

from gateway.bot.catalogue import FALLBACK, load
from gateway.bot.dialogue import Dialogue
from gateway.bot.forms import answer
from gateway.federation.inner_leg import InnerLeg
from gateway.interfaces import House
from gateway.log import Log
from gateway.model.address import Address
from gateway.model.envelope import Answer, Content, Envelope, Query, QueryKind, Side
from gateway.model.form import Filled, Form
from gateway.model.message import Message, MessageKind
from gateway.model.presence import Field, Presence, PresenceDocument
from gateway.model.subscription import Ask, Subscription

log = Log("bot")

NAME = "bot"
RESOURCE = "gateway"
MOST_PEOPLE = 10_000
"""People whose conversation is remembered; the one who was silent longest is forgotten."""
MOST_WAITING = 5
"""Messages of one person that wait for an answer; what comes on top is answered with that."""
NOTICES_PER_HOUR = 10
"""Notices to one person of which he did not ask; after that he hears of no more until he asks."""
_CARD = PresenceDocument({Field.DISPLAY_NAME: "Gateway"})
_THERE = PresenceDocument({Field.AVAILABILITY: True})

Execute = Callable[[Sequence[str], Mapping[str, Any], Address], Awaitable[Any]]
"""Carries a command of the registry out for a person."""


@define(eq=False)
class _Person:
    """Is what the bot remembers of one person."""

    dialogue: Dialogue
    waiting: list[tuple[Envelope, str]] = field(factory=list)
    busy: bool = False
    notices: list[float] = field(factory=list)


class Bot(InnerLeg):
    """Answers our people, and tells them what they should know."""

    name = NAME
    carries: frozenset[Field] = frozenset()

    def __init__(
        self,
        house: House,
        address: Address,
        language: str,
        levels: Callable[[], Sequence[str]],
        execute: Execute,
        reactor: Any,
        now: Callable[[], float],
    ) -> None:
        self._house = house
        self.address = address
        self._language = language
        self._levels = levels
        self._execute = execute
        self._reactor = reactor
        self._now = now
        self._catalogues = load()
        self._people: OrderedDict[str, _Person] = OrderedDict()

    # -- as a leg --------------------------------------------------------------------------------------------------

    def deliver(self, envelope: Envelope) -> bool:
        """Takes what a person says, and answers in the reactor's next turn: the house is not done with it yet."""
        content = envelope.content
        if envelope.recipient.bare == self.address and isinstance(content, Message | Subscription | Query):
            self._reactor.callLater(0, self._take, envelope, content)
        return True

    def prepare(self, config: Any) -> Callable[[], None]:
        """Has nothing to read: another address counts after a restart."""
        return lambda: None

    # -- telling ---------------------------------------------------------------------------------------------------

    def tell(self, person: Address, sentence: str, **parts: Any) -> bool:
        """Tells a person something of which he did not ask, in his language; False when he has heard enough."""
        known = self._person(person)
        now = self._now()
        known.notices = [moment for moment in known.notices if now - moment < 3600.0]
        if len(known.notices) >= NOTICES_PER_HOUR:
            return False
        known.notices.append(now)
        text = known.dialogue.speak.say(sentence, **parts)
        self._say(person.bare, Message(MessageKind.CHAT, _fresh(), (("", text),)))
        return True

    def ask_about(self, person: Address, contact: Address, level: str, fields: Sequence[str], verified: bool) -> bool:
        """Asks a person about a contact who wants to see him."""
        speak = self._person(person).dialogue.speak
        shown = ", ".join(map(speak.field, fields)) or speak.say("nothing")
        doubt = "" if verified else speak.say("unverified")
        return self.tell(person, "request", contact=contact, unverified=doubt, level=speak.level(level), fields=shown)

    # -- answering -------------------------------------------------------------------------------------------------

    def _take(self, envelope: Envelope, content: Message | Subscription | Query) -> None:
        person = envelope.sender
        if isinstance(content, Subscription):
            self._subscribed(person.bare, content)
        elif isinstance(content, Query) and content.filled is not None:
            ensureDeferred(self._form(person, content, content.filled))
        elif isinstance(content, Query):
            document = _CARD if content.kind is QueryKind.CARD else None
            self._say(person, Answer(content, document))
        elif content.kind in (MessageKind.CHAT, MessageKind.NORMAL) and content.bodies:
            self._heard(envelope, content)

    async def _form(self, person: Address, query: Query, filled: Filled) -> None:
        dialogue = self._person(person).dialogue
        try:
            form = await answer(filled, dialogue.ask, dialogue.speak, self._levels())
        except Exception:  # noqa: BLE001 whoever asks gets an answer
            log.failure("form failed")
            form = Form(
                filled.name, filled.session, note=dialogue.speak.say("failed", problem="?"), done=True, failed=True
            )
        self._say(person, Answer(query, form))

    def _subscribed(self, person: Address, content: Subscription) -> None:
        if content.ask is Ask.SUBSCRIBE:
            self._say(person, Subscription(Ask.SUBSCRIBED))
        if content.ask in (Ask.SUBSCRIBE, Ask.PROBE):
            self._say(person, Presence(_THERE))
        if content.ask is Ask.UNSUBSCRIBE:
            self._say(person, Subscription(Ask.UNSUBSCRIBED))

    def _heard(self, envelope: Envelope, message: Message) -> None:
        known = self._person(envelope.sender)
        if len(known.waiting) >= MOST_WAITING:
            self._reply(envelope, known.dialogue.speak.say("too_many"))
            return
        known.waiting.append((envelope, message.bodies[0][1]))
        if not known.busy:
            known.busy = True
            ensureDeferred(self._answer_all(known))

    async def _answer_all(self, known: _Person) -> None:
        """Answers in the order of asking, one after the other."""
        while known.waiting:
            envelope, text = known.waiting[0]
            try:
                answer = await known.dialogue.reply(text)
            except Exception:  # noqa: BLE001 whoever asks gets an answer
                log.failure("answer failed")
                answer = known.dialogue.speak.say("failed", problem="?")
            del known.waiting[0]
            try:
                self._reply(envelope, answer)
            except Exception:  # noqa: BLE001 what comes next must be answered
                log.failure("answer not sent")
        known.busy = False

    def _reply(self, envelope: Envelope, text: str) -> None:
        thread = envelope.content.thread if isinstance(envelope.content, Message) else ""
        self._say(envelope.sender, Message(MessageKind.CHAT, _fresh(), (("", text),), thread=thread))

    def _say(self, to: Address, content: Content) -> None:
        bare = isinstance(content, Subscription | Answer)
        sender = self.address if bare else self.address.at(RESOURCE)
        self._house.receive(Envelope(sender, to, content, Side.EXTERNAL))

    def _person(self, address: Address) -> _Person:
        person = address.bare
        if person not in self._people:
            self._people[person] = _Person(self._dialogue(person))
            if len(self._people) > MOST_PEOPLE:
                self._people.popitem(last=False)
        self._people.move_to_end(person)
        return self._people[person]

    def _dialogue(self, person: Address) -> Dialogue:
        async def ask(words: str, arguments: Mapping[str, Any]) -> Any:
            return await self._execute(tuple(words.split()), arguments, person)

        language = self._language if self._language in self._catalogues else FALLBACK
        return Dialogue(ask, self._now, person.domain, self._levels, self._catalogues, language)


def _fresh() -> str:
    return f"bot-{secrets.token_hex(6)}"
