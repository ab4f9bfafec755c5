"""A SIP desk between XMPP stanzas and SIP messages, with a house that lets everything through and writes it down."""

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.task import Clock

from gateway.model.address import Address
from gateway.model.envelope import Bounce, Envelope, Problem, Side
from gateway.model.message import Message
from gateway.model.presence import Presence
from gateway.model.subscription import Subscription
from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.reader import StreamReader
from gateway.protocols.sip.station import Station
from gateway.protocols.sip.subscribing import SubscriptionKey
from gateway.protocols.sip.transactions import TransactionLayer
from gateway.protocols.sip.user_agent import UserAgent
from gateway.protocols.sip.writer import serialise
from gateway.protocols.xmpp.stanzas.messages import read_message, write_message
from gateway.protocols.xmpp.stanzas.presences import ReadPresence, read_presence, write_presence, write_subscription
from plugins.legs.sip.desk import SipDesk
from plugins.legs.sip.terms import Terms
from tests.protocols.sip.talk import counting
from tests.protocols.xmpp.stanzas.parsing import parse

NOW = 1_795_000_000.0
"""Posix seconds of the first second."""
FLOW = "tls:example.net"
ROMEO, JULIET = "sip:romeo@example.net", "sip:juliet@example.com"


@define
class OpenHouse:
    """Stands where the house stands: permits all, delivers nothing by itself, remembers what it was told."""

    received: list[Envelope] = field(factory=list)
    failed: list[Problem] = field(factory=list)
    known: bool = True
    approved: bool = False
    wanted: bool = True
    refusal: Problem | None = None
    """Answers each message at once with this problem."""
    desk: Any = None

    def receive(self, envelope: Envelope) -> None:
        self.received.append(envelope)
        if self.refusal is not None and isinstance(envelope.content, Message):
            bounce = Bounce("message", envelope.content.id, self.refusal)
            self.desk.deliver(Envelope(envelope.recipient, envelope.sender, bounce, Side.INTERNAL))

    def undeliverable(self, envelope: Envelope, problem: Problem) -> None:
        self.failed.append(problem)

    def knows(self, one: Address, other: Address) -> bool:
        return self.known

    def watches(self, watcher: Address, presentity: Address) -> bool:
        return self.approved

    def asks(self, watcher: Address, presentity: Address) -> bool:
        return self.wanted

    def published(self, person: Address, values: Any) -> None:
        """Nobody asks what romeo publishes."""


@define
class Bridge:
    """Is the XMPP to SIP gateway of example.com, as RFC 7572 and RFC 8048 draw it; romeo's server is example.net.

    With `home` and `peer` exchanged it is romeo's, and juliet's server speaks SIP.
    """

    house: OpenHouse = field(factory=OpenHouse)
    clock: Clock = field(factory=Clock)
    sessions: bool = False
    languages: tuple[str, ...] = ()
    literal: bool = False
    mark: str = ""
    home: str = "example.com"
    peer: str = "example.net"
    host: str = "x2s.example.com:5061"
    """Stands in our Via."""
    over: str = "TLS"
    tokens: Callable[[], str] = field(factory=counting)
    """Makes tags and Call-IDs."""
    branches: Callable[[], str] = field(factory=counting)
    agent: UserAgent = field(init=False)
    desk: SipDesk = field(init=False)
    asked: list[Request] = field(factory=list)
    """Requests of ours."""
    answered: list[Response] = field(factory=list)
    """Responses of ours."""

    def __attrs_post_init__(self) -> None:
        transactions = TransactionLayer(self.branches, self.host, lambda flow: self.over)
        ours = f"sip:{self.host.partition(':')[0]}:5061;transport=tls"
        station = Station(transactions, self.tokens, ours, lambda local, domain, hop: FLOW, mark=self.mark)
        self.agent = UserAgent(station, self)
        self.desk = SipDesk(
            Side.EXTERNAL,
            self.house,
            self.agent,
            self.clock,
            lambda: NOW + self.clock.seconds(),
            self._in_sessions,
            terms=lambda domain: Terms(self.literal, self.languages),
        )
        self.house.desk = self.desk

    def _in_sessions(self, domain: object) -> bool:
        return self.sessions

    # -- what the user agent asks --

    def serves(self, domain: str) -> bool:
        return domain == self.home

    def watcher(self, presentity: str, watcher: str, package: str) -> int:
        return self.desk.watcher(presentity, watcher)

    def session(self, local: str, remote: str) -> int:
        return self.desk.session(local, remote)

    def wanted(self, key: SubscriptionKey) -> bool:
        return self.desk.wanted(key)

    # -- both ways --

    def stanza(self, text: str) -> list[Request]:
        """Carries a stanza of juliet's server to SIP and gives the requests that go out."""
        element = parse(text)
        content: Any = (read_message if element.name == "message" else read_presence)(element, NOW)
        if isinstance(content, ReadPresence):
            content = content.presence
        sender, recipient = (Address.parse(element.attributes[name]) for name in ("from", "to"))
        before = len(self.asked)
        self.desk.deliver(Envelope(sender, recipient, content, Side.INTERNAL))
        self.settle()
        return self.asked[before:]

    def hear(self, text: str) -> list[str]:
        """Takes bytes of romeo's server and gives the stanzas that come of them."""
        (message,) = StreamReader().feed(text.replace("\n", "\r\n").encode())
        assert isinstance(message, Request | Response), message
        return self.take(message)

    def take(self, message: Request | Response) -> list[str]:
        """Takes a message of romeo's server and gives the stanzas that come of it."""
        before = len(self.house.received)
        for event in self.agent.received(message, FLOW, {self.peer}, self.clock.seconds()):
            self.desk.happened(event)
        self.settle()
        return [stanza_of(envelope) for envelope in self.house.received[before:]]

    def reply(self, request: Request, status: int, **fields: str) -> list[str]:
        """Lets romeo's server answer a request of ours, and gives the stanzas that come of it."""
        made = request.reply(status, to_tag="ffd2")
        for name, value in fields.items():
            made.headers.set(name.replace("_", "-"), value)
        return self.take(made)

    def wait(self, seconds: float) -> list[Request]:
        """Lets time pass and gives the requests that go out."""
        before = len(self.asked)
        self.clock.advance(seconds)
        self.settle()
        return self.asked[before:]

    def settle(self) -> None:
        while True:
            events = self.agent.tick(self.clock.seconds())
            sends = self.agent.take_output()
            for send in sends:
                kept: Any = self.asked if isinstance(send.message, Request) else self.answered
                kept.append(send.message)
                assert serialise(send.message)
            for event in events:
                self.desk.happened(event)
            if not events and not sends:
                return


def stanza_of(envelope: Envelope) -> str:
    """Writes an envelope as the XMPP leg does."""
    sender, recipient, content = str(envelope.sender), str(envelope.recipient), envelope.content
    if isinstance(content, Message):
        return write_message(content, sender, recipient)
    if isinstance(content, Presence):
        return write_presence(content.document, sender, recipient, priority=content.priority)
    assert isinstance(content, Subscription)
    return write_subscription(content, sender, recipient)


def named(message: Request | Response, *names: str) -> dict[str, str | None]:
    """Gives some headers of a message."""
    return {name: message.headers.get(name) for name in names}
