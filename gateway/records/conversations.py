"""Conversations: who with whom, since when, how much was said, and when it was over; pure, envelopes and time in."""

from collections import OrderedDict

from attrs import define, field

from gateway.model.address import Address
from gateway.model.envelope import Envelope, Side
from gateway.model.message import Message
from gateway.model.sealed import sealed

IDLE_SECONDS = 1800.0
"""Silence after which a conversation is over."""
LONGEST_SECONDS = 86_400.0
"""After which a conversation is over although it goes on: what follows is another one."""
MOST = 100_000
"""Conversations that are open at a time; one more ends the one that has been silent longest."""

MOST_OF_PAIR = 20
"""Conversations of the same two that are open at a time: each thread that one of them names begins another."""


@define(eq=False)
class Conversation:
    """Is one conversation between one of our people and a contact, both bare; times are posix seconds."""

    person: Address
    contact: Address
    begun_by: Side
    started: float
    thread: str = field(default="", repr=False)
    """The name that the clients give it, once one of them has."""
    last: float = 0.0
    """When something was said last."""
    said: dict[Side, int] = field(init=False, factory=lambda: {Side.INTERNAL: 0, Side.EXTERNAL: 0})
    """Messages by the side from which they came."""


@sealed
class Turn:
    """Is one message in its conversation, and the conversations that are over because of it."""

    conversation: Conversation
    first: bool
    """Whether the conversation begins with it."""
    over: tuple[Conversation, ...] = ()


@define(eq=False)
class Conversations:
    """Knows the open conversations; a message with a thread of its own belongs to a conversation of its own.

    Without a thread it belongs to the one in which the two have spoken last, and the first thread that is named in a
    conversation is its own. `take` every message that passes, call `ended` now and then.
    """

    idle_seconds: float = IDLE_SECONDS
    longest_seconds: float = LONGEST_SECONDS
    most: int = MOST
    _open: "OrderedDict[Conversation, None]" = field(init=False, factory=OrderedDict)
    """The one that has been silent longest stands first."""
    _of_pair: dict[tuple[str, str], list[Conversation]] = field(init=False, factory=dict)
    """The one in which something was said last stands last."""

    def __len__(self) -> int:
        return len(self._open)

    def take(self, envelope: Envelope, now: float) -> Turn | None:
        """Takes one envelope that passes at `now` (posix seconds); None when it is no message that a person reads."""
        message = envelope.content
        if not isinstance(message, Message) or not message.has_text:
            return None
        person, contact = envelope.sender.bare, envelope.recipient.bare
        if envelope.side is Side.EXTERNAL:
            person, contact = contact, person
        known = self._of_pair.get((person, contact))
        found = _meant(known, message.thread) if known else None
        over: tuple[Conversation, ...] = ()
        if found is not None and self._is_over(found, now):
            self._forget(found)
            over, found = (found,), None
        first = found is None
        if found is None:
            over += (*self._room(), *self._room_between(person, contact))
            found = Conversation(person, contact, envelope.side, now)
        self._speak(found, envelope.side, message.thread, now)
        return Turn(found, first, over)

    def ended(self, now: float) -> list[Conversation]:
        """Gives, and forgets, the conversations that are over at `now`, the one that ended first in front."""
        found = []
        while self._open:
            oldest = next(iter(self._open))
            if now - oldest.last < self.idle_seconds:
                break
            self._forget(oldest)
            found.append(oldest)
        return found

    def resume(self, conversation: Conversation) -> tuple[Conversation, ...]:
        """Goes on with a conversation of an earlier run, where what is open knows its own time; gives what is over."""
        over = self._room()
        self._enter(conversation)
        return over

    def between(self, person: Address, contact: Address) -> list[Conversation]:
        """Gives the open conversations of two bare addresses, the one in which they have spoken last at the end."""
        return list(self._of_pair.get((person, contact), ()))

    def over(self, conversation: Conversation) -> None:
        """Forgets one that is over before it has fallen silent."""
        if conversation in self._open:
            self._forget(conversation)

    def close(self) -> list[Conversation]:
        """Gives, and forgets, all that are open."""
        found = list(self._open)
        self._open.clear()
        self._of_pair.clear()
        return found

    def _speak(self, conversation: Conversation, side: Side, thread: str, now: float) -> None:
        conversation.said[side] += 1
        conversation.last = now
        conversation.thread = conversation.thread or thread
        self._enter(conversation)

    def _enter(self, conversation: Conversation) -> None:
        self._open[conversation] = None
        self._open.move_to_end(conversation)
        of_pair = self._of_pair.setdefault((conversation.person, conversation.contact), [])
        if not of_pair or of_pair[-1] is not conversation:
            if conversation in of_pair:
                of_pair.remove(conversation)
            of_pair.append(conversation)

    def _is_over(self, conversation: Conversation, now: float) -> bool:
        return now - conversation.last >= self.idle_seconds or now - conversation.started >= self.longest_seconds

    def _room(self) -> tuple[Conversation, ...]:
        if len(self._open) < self.most:
            return ()
        oldest = next(iter(self._open))
        self._forget(oldest)
        return (oldest,)

    def _room_between(self, person: Address, contact: Address) -> tuple[Conversation, ...]:
        """Ends the one in which the two have been silent longest, when they have too many."""
        known = self._of_pair.get((person, contact), [])
        if len(known) < MOST_OF_PAIR:
            return ()
        oldest = known[0]
        self._forget(oldest)
        return (oldest,)

    def _forget(self, conversation: Conversation) -> None:
        del self._open[conversation]
        key = (conversation.person, conversation.contact)
        left = [each for each in self._of_pair[key] if each is not conversation]
        if left:
            self._of_pair[key] = left
        else:
            del self._of_pair[key]


def _meant(known: list[Conversation], thread: str) -> Conversation | None:
    """Gives the conversation that a message with this thread belongs to, of those that two people have open."""
    if not thread:
        return known[-1]
    same = next((each for each in reversed(known) if each.thread == thread), None)
    return same or next((each for each in reversed(known) if not each.thread), None)
