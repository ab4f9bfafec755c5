"""Collects what is said while a conversation goes on, so that the end of the process loses none of it."""

import secrets
from collections.abc import Callable
from typing import Any, Final

from attrs import define, field
from twisted.internet.defer import Deferred

from gateway.log import Log
from gateway.model.envelope import Bounce, Envelope, Side
from gateway.model.message import ChatState, Message
from gateway.model.presence import Presence
from gateway.policy.verdict import Decision, Verdict
from gateway.protocols.mail import Line
from gateway.records.conversations import Conversation, Conversations
from gateway.store.history import HistoryStore, Kept

log = Log("history")

MOST_TURNS: Final = 5_000
MOST_CHARACTERS: Final = 2_000_000
"""After so much a conversation is over although it goes on: what follows is another one."""
_OTHER: Final = {Side.INTERNAL: Side.EXTERNAL, Side.EXTERNAL: Side.INTERNAL}


@define(eq=False)
class _Open:
    """Is a conversation that goes on."""

    name: str
    count: int = 0
    characters: int = 0
    numbers: dict[tuple[Side, str], int] = field(factory=dict)
    """Of what was said, by side and the id that the sender gave it."""
    gone: set[Side] = field(factory=set)


@define(eq=False)
class Collector:
    """Writes each thing said to the store at once; `over` is told of each conversation that has ended."""

    store: HistoryStore
    tracker: Conversations
    now: Callable[[], float]
    over: Callable[[Kept], object]
    failed: Callable[[], object]
    """Is told of each thing that could not be written."""
    _open: dict[Conversation, _Open] = field(init=False, factory=dict)

    def __len__(self) -> int:
        return len(self._open)

    def resume(self, kept: Kept) -> None:
        """Goes on with a conversation that the end of the process has interrupted."""
        talk = Conversation(kept.person, kept.contact, kept.begun_by, kept.started, kept.thread, kept.last)
        known = self._open[talk] = _Open(kept.name)
        for number, side, said_as, size in self.store.numbers(kept.name):
            known.count, known.characters = number, known.characters + size
            if said_as:
                known.numbers[Side(side), said_as] = number
        self._end(self.tracker.resume(talk))

    def take(self, envelope: Envelope, verdict: Verdict, keeps: Callable[[], bool]) -> None:
        """Takes one decision; `keeps` says whether what is said between the two is kept."""
        content = envelope.content
        if isinstance(content, Message) and content.has_text:
            if verdict.decision is not Decision.DELIVER:
                self._fail(envelope, envelope.side, content.id)
            elif keeps():
                self._say(envelope, verdict.content if isinstance(verdict.content, Message) else content)
        elif isinstance(content, Bounce) and content.of == "message":
            self._fail(envelope, _OTHER[envelope.side], content.id)
        elif isinstance(content, Message) and content.chat_state is ChatState.GONE:
            self._go(envelope, True)
        elif isinstance(content, Presence):
            self._go(envelope, not content.document.available)

    def forget(self, names: list[str]) -> None:
        """Forgets conversations that go on: what is said next begins others."""
        for talk, known in list(self._open.items()):
            if known.name in names:
                self.tracker.over(talk)
                del self._open[talk]

    def tick(self) -> None:
        """Ends what has been silent long enough."""
        self._end(self.tracker.ended(self.now()))

    def _say(self, envelope: Envelope, message: Message) -> None:
        now = self.now()
        turn = self.tracker.take(envelope, now)
        if turn is None:
            return
        self._end(turn.over)
        talk = turn.conversation
        known = self._open.get(talk)
        if known is None:
            known = self._open[talk] = _Open(secrets.token_hex(16))
            begun = Kept(
                known.name, talk.person, talk.contact, talk.begun_by, talk.thread, talk.started, talk.last, None, 0
            )
            self._written(self.store.begin(begun))
        known.gone.discard(envelope.side)
        text = _text(message)
        replaced = known.numbers.get((envelope.side, message.replaces)) if message.replaces else None
        if replaced is not None:
            self._written(self.store.correct(known.name, replaced, text, now))
            return
        self._add(known, talk, envelope.side, message, text, now)

    def _add(self, known: _Open, talk: Conversation, side: Side, message: Message, text: str, now: float) -> None:
        at = min(message.delayed_since or now, now)
        corrected = now if message.replaces else None
        line = Line(at, side, text, encrypted=bool(message.encrypted), notice=message.notice)
        known.count += 1
        known.characters += len(text)
        if message.id:
            known.numbers[side, message.id] = known.count
        self._written(self.store.say(known.name, known.count, line, message.id, talk.thread))
        if corrected is not None:
            self._written(self.store.correct(known.name, known.count, text, now))
        if known.count >= MOST_TURNS or known.characters >= MOST_CHARACTERS:
            self.tracker.over(talk)
            self._end((talk,))

    def _fail(self, envelope: Envelope, side: Side, said_as: str) -> None:
        """Notes that something which `side` has said did not arrive."""
        for talk in self._of(envelope):
            known = self._open.get(talk)
            number = known.numbers.get((side, said_as)) if known is not None and said_as else None
            if known is not None and number is not None:
                self._written(self.store.fail(known.name, number))

    def _go(self, envelope: Envelope, gone: bool) -> None:
        """Takes note that a side has left the conversation, or is back; without either of them it is over."""
        for talk in self._of(envelope):
            known = self._open.get(talk)
            if known is None:
                continue
            (known.gone.add if gone else known.gone.discard)(envelope.side)
            if len(known.gone) == len(Side):
                self.tracker.over(talk)
                self._end((talk,))

    def _of(self, envelope: Envelope) -> list[Conversation]:
        person, contact = envelope.sender.bare, envelope.recipient.bare
        if envelope.side is Side.EXTERNAL:
            person, contact = contact, person
        return self.tracker.between(person, contact)

    def _end(self, talks: Any) -> None:
        for talk in talks:
            known = self._open.pop(talk, None)
            if known is None:
                continue
            ended = self.now()
            self._written(self.store.end(known.name, ended))
            self.over(
                Kept(
                    known.name,
                    talk.person,
                    talk.contact,
                    talk.begun_by,
                    talk.thread,
                    talk.started,
                    talk.last,
                    ended,
                    0,
                )
            )

    def _written(self, writing: "Deferred[None]") -> None:
        writing.addErrback(self._lost)

    def _lost(self, failure: Any) -> None:
        self.failed()
        log.failure("part of a conversation could not be kept", failure)


def _text(message: Message) -> str:
    """Gives what a person would read; of several languages the first."""
    title = message.subjects[0][1] if message.subjects else ""
    body = message.bodies[0][1] if message.bodies else ""
    return f"{title}\n{body}" if title and body else title or body
