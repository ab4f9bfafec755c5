"""Somebody with an account on a demo server: what he publishes, whom he watches, what he has been told."""

import time
from collections.abc import Callable
from itertools import count
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred

from gateway.model.address import Address
from gateway.model.envelope import Bounce, Problem, Query, QueryKind
from gateway.model.message import ChatState, Message, MessageKind
from gateway.model.presence import OFFLINE, Field, PresenceDocument
from gateway.model.subscription import Ask, Subscription
from gateway.protocols.element import Element
from gateway.protocols.xmpp.stanzas.answers import write_answer
from gateway.protocols.xmpp.stanzas.errors import Malformed, write_malformed
from gateway.protocols.xmpp.stanzas.messages import read_message, write_message
from gateway.protocols.xmpp.stanzas.presences import ReadPresence, read_presence, write_presence, write_subscription
from gateway.protocols.xmpp.stanzas.published import PublishedEvent, write_event
from gateway.protocols.xmpp.stanzas.queries import Result, read_query, write_query

EVENTS = (Field.ACTIVITY, Field.MOOD, Field.LOCATION)
"""Fields that a client publishes as personal events (XEP-0163); the others are in the presence stanza or the card."""
IN_STANZA = frozenset({Field.AVAILABILITY, Field.SHOW, Field.NOTE, Field.IDLE, Field.LAST_ACTIVE, Field.DISPLAY_NAME})
RESOURCE = "desk"

Send = Callable[[str, Address, str], None]
"""Sends a stanza: (sender, recipient, text)."""


@frozen
class Heard:
    """Is a message that somebody has got."""

    sender: Address
    message: Message


@define
class View:
    """Is what one person sees of another: the last presence stanza, and the events."""

    presence: PresenceDocument = OFFLINE
    events: dict[Field, Any] = field(factory=dict)
    at: float = 0.0
    """Monotonic seconds of the last news."""

    @property
    def fields(self) -> PresenceDocument:
        """Gives everything that is seen."""
        return self.presence.with_fields(self.events)


@define(eq=False)
class Person:
    """Is a person with one client; his server does for him what RFC 6121 has servers do."""

    address: Address
    _send: Send
    present: PresenceDocument = OFFLINE
    """What he publishes of the moment."""
    card: PresenceDocument = OFFLINE
    """What stands on his card (XEP-0054)."""
    welcoming: bool = False
    """Whether he agrees to everybody who asks to see him."""
    watchers: set[Address] = field(factory=set)
    watching: set[Address] = field(factory=set)
    requests: set[Address] = field(factory=set)
    """Who has asked to see him and waits."""
    views: dict[Address, View] = field(factory=dict)
    inbox: list[Heard] = field(factory=list)
    bounces: list[Bounce] = field(factory=list)
    refusals: list[str] = field(factory=list)
    """Why his server could not reach the other one at all."""
    _asked: dict[str, "Deferred[PresenceDocument | Problem]"] = field(factory=dict)
    _numbers: Any = field(factory=lambda: count(1))

    @property
    def here(self) -> Address:
        """Gives his full address."""
        return self.address.at(RESOURCE)

    def sees(self, other: Address) -> PresenceDocument:
        """Gives what he sees of somebody: nothing at all when that one looks offline."""
        view = self.views.get(other.bare)
        return view.fields if view else OFFLINE

    # -- what he does ---------------------------------------------------------------------------------------------

    def subscribe(self, other: Address) -> None:
        """Asks to see somebody."""
        self._request(Ask.SUBSCRIBE, other)

    def approve(self, other: Address) -> None:
        """Agrees to be seen, and shows himself."""
        self.requests.discard(other.bare)
        self.watchers.add(other.bare)
        self._request(Ask.SUBSCRIBED, other)
        self._show_to(other.bare)

    def refuse(self, other: Address) -> None:
        """Does not agree to be seen, or no longer."""
        self.requests.discard(other.bare)
        self.watchers.discard(other.bare)
        self._request(Ask.UNSUBSCRIBED, other)

    def unsubscribe(self, other: Address) -> None:
        """Wants to see somebody no longer."""
        self.watching.discard(other.bare)
        self._request(Ask.UNSUBSCRIBE, other)

    def publish(self, document: PresenceDocument) -> None:
        """Publishes a presence document in place of the last one; OFFLINE says good-bye."""
        before, self.present = self.present, document
        changed = [name for name in EVENTS if before.get(name) != document.get(name)]
        for watcher in sorted(self.watchers):
            if _stanza_part(before) != _stanza_part(document):
                self._send(self.here, watcher, write_presence(document, self.here, watcher))
            for name in changed:
                self._send(self.address, watcher, write_event(name, document, self.address, watcher))

    def say(self, other: Address, text: str, *, receipt: bool = False, state: ChatState | None = None) -> str:
        """Writes to somebody, and gives the message's id."""
        number = self._number()
        bodies = (("", text),) if text else ()
        message = Message(MessageKind.CHAT, number, bodies, chat_state=state, receipt_wanted=receipt)
        self.send(other, message)
        return number

    def send(self, other: Address, message: Message) -> None:
        """Sends a message as it is."""
        self._send(self.here, other, write_message(message, self.here, other))

    def ask(self, other: Address, kind: QueryKind = QueryKind.CARD) -> "Deferred[PresenceDocument | Problem]":
        """Asks what somebody publishes; fires with what is told, or with why nothing is."""
        number, answer = self._number(), Deferred[PresenceDocument | Problem]()
        self._asked[number] = answer
        self._send(self.here, other, write_query(kind, number, self.here, other.bare))
        return answer

    def refused(self, reason: str) -> None:
        """Hears from his server that something he sent cannot be brought to the other one."""
        self.refusals.append(reason)

    # -- what happens to him --------------------------------------------------------------------------------------

    def take(self, sender: Address, element: Element) -> None:
        """Takes a stanza that is for him."""
        if element.name == "presence":
            self._presence(sender, element)
        elif element.name == "message":
            self._message(sender, element)
        else:
            self._iq(sender, element)

    def _presence(self, sender: Address, element: Element) -> None:
        content = read_presence(element, time.time())
        if isinstance(content, ReadPresence):
            self._news(sender).presence = _seen(content)
        elif isinstance(content, Subscription):
            self._on_request(sender.bare, content.ask)
        elif isinstance(content, Bounce):
            self.bounces.append(content)

    def _message(self, sender: Address, element: Element) -> None:
        content = read_message(element, time.time())
        if isinstance(content, Message):
            self.inbox.append(Heard(sender, content))
        elif isinstance(content, Bounce):
            self.bounces.append(content)
        elif isinstance(content, PublishedEvent):
            events = self._news(sender).events
            for name, value in content.fields.items():
                if value is None:
                    events.pop(name, None)
                else:
                    events[name] = value

    def _iq(self, sender: Address, element: Element) -> None:
        content = read_query(element, time.time())
        if isinstance(content, Query):
            self._send(self.address, sender, write_answer(content, self.card, self.address, sender, time.time()))
        elif isinstance(content, Malformed):
            self._send(self.address, sender, write_malformed(content, self.address, sender))
        elif (waiting := self._asked.pop(content.id, None)) is not None:
            waiting.callback(PresenceDocument(content.fields) if isinstance(content, Result) else content.problem)

    def _on_request(self, sender: Address, ask: Ask) -> None:
        """Keeps the roster as his server would (RFC 6121 section 3)."""
        if ask is Ask.PROBE:
            if sender in self.watchers:
                self._show_to(sender)
            else:
                self._request(Ask.UNSUBSCRIBED, sender)
        elif ask is Ask.SUBSCRIBE:
            if self.welcoming or sender in self.watchers:
                self.approve(sender)
            else:
                self.requests.add(sender)
        elif ask is Ask.SUBSCRIBED:
            self.watching.add(sender)
        elif ask is Ask.UNSUBSCRIBED:
            self.watching.discard(sender)
            self.views.pop(sender, None)
        else:
            self.watchers.discard(sender)

    def _show_to(self, watcher: Address) -> None:
        self._send(self.here, watcher, write_presence(self.present, self.here, watcher))
        for name in EVENTS:
            if name in self.present:
                self._send(self.address, watcher, write_event(name, self.present, self.address, watcher))

    def _news(self, sender: Address) -> View:
        view = self.views.setdefault(sender.bare, View())
        view.at = time.monotonic()
        return view

    def _request(self, ask: Ask, other: Address) -> None:
        self._send(self.address, other, write_subscription(Subscription(ask), self.address, other.bare))

    def _number(self) -> str:
        return f"{self.address.local}{next(self._numbers)}"


def _stanza_part(document: PresenceDocument) -> PresenceDocument:
    return PresenceDocument({name: document[name] for name in document if name in IN_STANZA})


def _seen(content: ReadPresence) -> PresenceDocument:
    document = content.presence.document
    if not document.available:
        return OFFLINE
    return document.with_fields({Field.PHOTO: content.photo_hash}) if content.photo_hash else document
