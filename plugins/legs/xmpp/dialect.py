"""Stanzas of each side into envelopes for the house, and envelopes into stanzas for each side."""

from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred

from gateway.guarding import OutputGuard
from gateway.interfaces import UNTRACED, Promise, Trace
from gateway.model.address import Address
from gateway.model.envelope import Answer, Bounce, Content, Envelope, Problem, Query, QueryKind, Side
from gateway.model.form import Form
from gateway.model.message import Message
from gateway.model.presence import Field, Presence, PresenceDocument
from gateway.model.subscription import Subscription
from gateway.protocols.element import Element
from gateway.protocols.xmpp.stanzas.answers import write_answer, write_domain_answer, write_form, write_offer
from gateway.protocols.xmpp.stanzas.caps import CAPS_FOR_CONTACTS, DISCO_FOR_CONTACTS, Disco, Identity
from gateway.protocols.xmpp.stanzas.errors import Malformed, bounce_of, write_bounce, write_malformed
from gateway.protocols.xmpp.stanzas.messages import read_message, write_message
from gateway.protocols.xmpp.stanzas.namespaces import DISCO_INFO, DISCO_ITEMS
from gateway.protocols.xmpp.stanzas.presences import PresenceReading, ReadPresence, write_presence, write_subscription
from gateway.protocols.xmpp.stanzas.published import PublishedEvent
from gateway.protocols.xmpp.stanzas.queries import Result, read_query, write_query
from plugins.legs.xmpp.client_kinds import ClientKinds
from plugins.legs.xmpp.guarded import StanzaGuard
from plugins.legs.xmpp.noting import heard, refused, said
from plugins.legs.xmpp.outward import OutwardPresence

GATEWAY_DISCO = Disco(
    (Identity("gateway", "xmpp"), Identity("server", "im")), ("http://jabber.org/protocol/disco#info", "urn:xmpp:ping")
)
"""What the gateway says of its own domains, on both sides (XEP-0030)."""

COMMAND_LABEL = "Access for a contact"
ASK_SECONDS = 10.0
MOST_ASKED = 1000

Send = Callable[[str, str, str], None]
"""Sends a stanza's text from one domain to another: (local domain, remote domain, text)."""


class Dialect:
    """Reads what one side says; `say` sends an answer that needs no policy back to that side."""

    side: Side

    def __init__(self, house: Any, now: Callable[[], float], say: Send, metrics: Any) -> None:
        self.house = house
        self.now = now
        self.say = say
        self.metrics = metrics
        self._reading = PresenceReading()
        self.ponged: Callable[[str, str, str], None] = _nobody_asked
        """Is told of the answer to a ping of ours: the local domain, the remote one, and the ping's id."""
        self.trace: Trace = UNTRACED
        self.shown: Callable[[Address], str] = str
        """Gives an address of the other side as this side knows it."""

    def take(self, sender: Address, recipient: Address, element: Element) -> Promise | None:
        """Takes one stanza between two addresses that the stream has proven; a promise when it is not yet safe here."""
        if self.trace.on:
            self.trace.note(heard, self.side, sender, recipient, element)
        name = element.name
        if name == "message":
            return self._message(sender, recipient, element)
        if name == "presence":
            self._presence(sender, recipient, element)
        else:
            self._iq(sender, recipient, element)
        return None

    def count(self, content: Content) -> int:
        """Gives how many stanzas `write` has just made of something."""
        return 1

    def written(self, envelope: Envelope, sender: str, recipient: str) -> str:
        """Gives the stanzas that carry an envelope to this side, now that they leave; '' where there are none."""
        text = self.write(envelope, sender, recipient)
        if text and self.trace.on:
            self.trace.note(said, self.side, envelope, sender, recipient)
        return text

    def write(self, envelope: Envelope, sender: str, recipient: str) -> str:
        """Gives the stanzas that carry an envelope to this side."""
        raise NotImplementedError

    def refuse(self, sender: str, recipient: str, element: Element, problem: Problem) -> None:
        """Answers a stanza that cannot be taken at all."""
        if self.trace.on:
            self.trace.note(refused, self.side, sender, recipient, problem)
        bounce = bounce_of(element, problem)
        if bounce is not None:
            self._back(sender, recipient, write_bounce(bounce, recipient, sender))

    def _message(self, sender: Address, recipient: Address, element: Element) -> Promise | None:
        content = read_message(element, self.now())
        if isinstance(content, PublishedEvent):
            self._published(sender, content)
        elif recipient.local:
            promise: Promise | None = self.house.receive(Envelope(sender, recipient, content, self.side))
            return promise
        else:
            self.refuse(sender, recipient, element, Problem.SERVICE_UNAVAILABLE)
        return None

    def _presence(self, sender: Address, recipient: Address, element: Element) -> None:
        content = self._reading.read(element, self.now())
        if isinstance(content, Malformed):
            self._back(sender, recipient, write_malformed(content, self.shown(recipient), sender))
            return
        if not recipient.local or not sender.local:
            return
        if isinstance(content, ReadPresence):
            self.house.receive(self._present(Envelope(sender, recipient, content.presence, self.side), content))
        else:
            self.house.receive(Envelope(sender, recipient, content, self.side))

    def _iq(self, sender: Address, recipient: Address, element: Element) -> None:
        content = read_query(element, self.now())
        if isinstance(content, Malformed):
            self._back(sender, recipient, write_malformed(content, self.shown(recipient), sender))
        elif isinstance(content, Query):
            if recipient.local:
                self._question(sender, recipient, content)
            else:
                text = write_domain_answer(content, GATEWAY_DISCO, (), recipient, sender)
                self._back(sender, recipient, text)
        elif not self._answered(sender, recipient, content):
            self._answer(sender, recipient, content)

    def _back(self, sender: str, recipient: str, text: str) -> None:
        self.say(recipient, sender, text)

    def _published(self, sender: Address, event: PublishedEvent) -> None:
        """What an outside contact publishes does not cross (PEP is never relayed)."""

    def _present(self, envelope: Envelope, content: ReadPresence) -> Envelope:
        """Takes what stands beside the document."""
        return envelope

    def _question(self, sender: Address, recipient: Address, query: Query) -> None:
        self.house.receive(Envelope(sender, recipient, query, self.side))

    def _answered(self, sender: Address, recipient: Address, content: Result | Bounce) -> bool:
        """Says whether an answer was for the leg itself; its own pings go from domain to domain."""
        if not recipient.local:
            self.ponged(recipient.domain, sender.domain, content.id)
        return not recipient.local

    def _answer(self, sender: Address, recipient: Address, content: Result | Bounce) -> None:
        if isinstance(content, Result):
            query = Query(content.kind, content.id)
            answer: Answer | Bounce = Answer(query, PresenceDocument(content.fields))
        else:
            answer = content
        if recipient.local and sender.local:
            self.house.receive(Envelope(sender, recipient, answer, self.side))


class OutsideDialect(Dialect):
    """Reads partners; writes what people inside let them see."""

    side = Side.EXTERNAL

    def __init__(self, house: Any, now: Callable[[], float], say: Send, metrics: Any) -> None:
        super().__init__(house, now, say, metrics)
        self._presence_out = OutwardPresence()
        self._stanzas = 1
        self._guard = StanzaGuard(house, OutputGuard("xmpp", metrics))

    def write(self, envelope: Envelope, sender: str, recipient: str) -> str:
        """Gives the stanzas that carry an envelope to a partner, if the guard lets them; '' for nothing to say."""
        text = self.unguarded(envelope, sender, recipient)
        if not text:
            return ""
        passed = self._guard.passed(envelope, text, sender, recipient)
        whole = passed is text and isinstance(envelope.content, Presence)
        self._stanzas = self._presence_out.count if whole else 1
        return passed

    def may_say(self, text: str, local: str, remote: str) -> bool:
        """Says whether an answer that needs no policy may go to a partner."""
        return self._guard.says(text, local, remote)

    def unguarded(self, envelope: Envelope, sender: str, recipient: str) -> str:
        """Gives the stanzas as the guard gets them."""
        content = envelope.content
        if isinstance(content, Message):
            return write_message(content, sender, recipient)
        if isinstance(content, Presence):
            return self._presence_out.write(content, sender, recipient)
        return _write_other(content, sender, recipient, self.now())

    def count(self, content: Content) -> int:
        """Gives how many stanzas `write` has just made of something."""
        return self._stanzas


class InsideDialect(Dialect):
    """Reads the organisation's own server; writes what contacts say to people."""

    side = Side.INTERNAL

    def __init__(self, house: Any, now: Callable[[], float], say: Send, metrics: Any, reactor: Any) -> None:
        super().__init__(house, now, say, metrics)
        self._reactor = reactor
        self.bot: Address | None = None
        """The contact that offers a command."""
        self._numbers = count(1)
        self._asked: dict[str, tuple[str, Deferred[Result | None]]] = {}
        self._kinds = ClientKinds(self._ask_kind, house.receive)

    def write(self, envelope: Envelope, sender: str, recipient: str) -> str:
        """Gives the stanzas that carry an envelope to the inside server."""
        content = envelope.content
        if isinstance(content, Message):
            return write_message(content, sender, recipient)
        if isinstance(content, Presence):
            caps = CAPS_FOR_CONTACTS if content.document.available else None
            return write_presence(content.document, sender, recipient, caps=caps, priority=content.priority)
        return _write_other(content, sender, recipient, self.now())

    def unguarded(self, envelope: Envelope, sender: str, recipient: str) -> str:
        """Gives the same: no guard stands before the inside."""
        return self.write(envelope, sender, recipient)

    def ask(self, person: Address, contact: Address, kind: QueryKind) -> "Deferred[PresenceDocument | None]":
        """Asks the inside server about a person in a contact's name; None when nothing comes in time."""
        asking = self._send_question(person.bare, contact.bare, kind)
        return asking.addCallback(lambda found: PresenceDocument(found.fields) if found else None)

    def _send_question(self, asked: Address, asker: Address, kind: QueryKind) -> "Deferred[Result | None]":
        answer: Deferred[Result | None] = Deferred()
        if len(self._asked) >= MOST_ASKED:
            answer.callback(None)
            return answer
        number = f"ask{next(self._numbers)}"
        self._asked[number] = (asked, answer)
        late = self._reactor.callLater(ASK_SECONDS, self._settle, number, None)
        answer.addBoth(_cancelling(late))
        self.say(asker, asked, write_query(kind, number, self.shown(asker), asked))
        return answer

    def _answered(self, sender: Address, recipient: Address, content: Result | Bounce) -> bool:
        asked = self._asked.get(content.id)
        if asked is None or asked[0] != sender:
            return super()._answered(sender, recipient, content)
        self._settle(content.id, content if isinstance(content, Result) else None)
        return True

    def _settle(self, number: str, result: Result | None) -> None:
        asked = self._asked.pop(number, None)
        if asked is not None:
            asked[1].callback(result)

    def _published(self, sender: Address, event: PublishedEvent) -> None:
        if sender.local:
            self.house.published(sender, event.fields)
            if event.photo_hash:
                self.house.picture_changed(sender, event.photo_hash)

    def _present(self, envelope: Envelope, content: ReadPresence) -> Envelope:
        if content.photo_hash is not None:
            self.house.picture_changed(envelope.sender, content.photo_hash)
        self._kinds.overtaken(envelope)
        if content.caps is None:
            return envelope
        presence = self._kinds.completed(envelope, content.presence, content.caps)
        return envelope if presence is content.presence else evolve(envelope, content=presence)

    def _ask_kind(self, envelope: Envelope, answered: Callable[[Mapping[Field, Any], Disco | None], None]) -> None:
        """Asks a person's client what it can do, in the name of the contact whom it told of itself."""
        asking = self._send_question(envelope.sender, envelope.recipient.bare, QueryKind.CAPABILITIES)
        asking.addCallback(lambda found: answered(found.fields, found.disco) if found else answered({}, None))

    def _question(self, sender: Address, recipient: Address, query: Query) -> None:
        """Answers for a contact's client itself; only questions about what a contact publishes go on."""
        asked = query.form
        if recipient.bare == self.bot and getattr(asked, "ns", "") in (DISCO_INFO, DISCO_ITEMS):
            self._back(sender, recipient, write_offer(query, self.shown(recipient), sender, COMMAND_LABEL))
        elif query.kind in (QueryKind.CAPABILITIES, QueryKind.PING):
            seen = PresenceDocument({Field.AVAILABILITY: True})
            text = write_answer(query, seen, self.shown(recipient), sender, self.now(), disco=DISCO_FOR_CONTACTS)
            self._back(sender, recipient, text)
        else:
            super()._question(sender, recipient, query)


def _nobody_asked(local: str, remote: str, number: str) -> None:
    """Is where the answer to a ping goes while no face has asked to be told."""


def _write_other(content: Any, sender: str, recipient: str, now: float) -> str:
    if isinstance(content, Subscription):
        return write_subscription(content, sender, recipient)
    if isinstance(content, Bounce):
        return write_bounce(content, sender, recipient)
    if isinstance(content, Query):
        return write_query(content.kind, content.id, sender, recipient.partition("/")[0])
    if isinstance(content, Answer) and isinstance(content.document, Form):
        return write_form(content.query, content.document, sender, recipient)
    if isinstance(content, Answer):
        document = content.document if isinstance(content.document, PresenceDocument) else None
        return write_answer(content.query, document, sender, recipient, now)
    raise TypeError(f"no stanza carries {type(content).__name__}")


def _cancelling(call: Any) -> Callable[[Any], Any]:
    def cancel(result: Any) -> Any:
        if call.active():
            call.cancel()
        return result

    return cancel
