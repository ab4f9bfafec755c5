"""The echo: an address of ours that answers partners by itself, through the same policy as everybody's.

It stands where an inside server stands: what the policy lets in for it comes here, and what it says goes out as what
a person says. So the deny list, the contract, rates and taps hold for it as for anybody.
"""

import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, succeed

from gateway.federation.inner_leg import InnerLeg
from gateway.interfaces import House
from gateway.model.address import Address
from gateway.model.envelope import Bounce, Content, Envelope, Side
from gateway.model.message import Message, MessageKind
from gateway.model.presence import Field, Presence, PresenceDocument
from gateway.model.subscription import Ask, Subscription

NAME = "echo"
TEST_SECONDS = 10.0
"""How long an echo may take."""
MOST_PARTNERS = 4096
MOST_TESTS = 100
_THERE = PresenceDocument({Field.AVAILABILITY: True})
_ANSWERED = (MessageKind.CHAT, MessageKind.NORMAL)


class NoEcho(Exception):
    """Says why no echo came back."""


@define(eq=False)
class _Test:
    """Is one message of ours that waits for its echo."""

    contact: Address
    text: str
    begun: float
    answer: "Deferred[float]" = field(factory=Deferred)


class Echo(InnerLeg):
    """Answers messages with themselves and requests with presence; tries the echoes of partners."""

    name = NAME
    carries = frozenset(Field)

    def __init__(self, house: House, config: Any, reactor: Any) -> None:
        self._house = house
        self._config = config
        self._reactor = reactor
        self._answers: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """By domain: answers that it may still have, and when that was counted (seconds of the reactor)."""
        self._tests: dict[str, _Test] = {}
        self.heard: OrderedDict[str, float] = OrderedDict()
        """When a domain last had an answer (seconds of the reactor)."""

    # -- as a leg --------------------------------------------------------------------------------------------------

    def deliver(self, envelope: Envelope) -> bool:
        """Takes what the policy lets in, and answers in the reactor's next turn: the house is not done with it yet."""
        content = envelope.content
        if envelope.recipient.local == self._config.echo.name:
            if isinstance(content, Message | Subscription) and self._may_answer(envelope):
                self._reactor.callLater(0, self._answer, envelope)
        elif isinstance(content, Message):
            self._came_back(envelope.sender, content)
        elif isinstance(content, Bounce) and content.id in self._tests:
            self._end(content.id, NoEcho(f"the message came back: {content.problem.value}"))
        return True

    def prepare(self, config: Any) -> Callable[[], None]:
        """Takes the new configuration."""

        def take_into_use() -> None:
            self._config = config

        return take_into_use

    def stop(self) -> Awaitable[None]:
        """Gives up every test."""
        for number in list(self._tests):
            self._end(number, NoEcho("the gateway stops"))
        return succeed(None)

    # -- answering -------------------------------------------------------------------------------------------------

    def _may_answer(self, envelope: Envelope) -> bool:
        """Bounds the answers to one domain; what looks like an echo itself has none."""
        content, domain = envelope.content, envelope.sender.domain
        if isinstance(content, Message):
            plain = content.kind in _ANSWERED and content.bodies and not content.delayed_since
            if not plain or envelope.sender.local == self._config.echo.name:
                return False
        now, rate = self._reactor.seconds(), self._config.echo.per_minute
        left, then = self._answers.pop(domain, (rate, now))
        left = min(rate, left + (now - then) * rate / 60)
        self._answers[domain] = (left - 1 if left >= 1 else left, now)
        if len(self._answers) > MOST_PARTNERS:
            self._answers.popitem(last=False)
        return bool(left >= 1)

    def _answer(self, envelope: Envelope) -> None:
        content = envelope.content
        if isinstance(content, Message):
            self.heard[envelope.sender.domain] = self._reactor.seconds()
            self.heard.move_to_end(envelope.sender.domain)
            if len(self.heard) > MOST_PARTNERS:
                self.heard.popitem(last=False)
            text = Message(content.kind, f"echo-{secrets.token_hex(4)}", content.bodies, thread=content.thread)
            self._say(envelope, text, envelope.sender)
        elif isinstance(content, Subscription) and content.ask is Ask.UNSUBSCRIBE:
            self._say(envelope, Subscription(Ask.UNSUBSCRIBED), envelope.sender.bare)
        elif isinstance(content, Subscription) and content.ask in (Ask.SUBSCRIBE, Ask.PROBE):
            if content.ask is Ask.SUBSCRIBE:
                self._say(envelope, Subscription(Ask.SUBSCRIBED), envelope.sender.bare)
            self._say(envelope, Presence(_THERE), envelope.sender.bare)

    def _say(self, answered: Envelope, content: Content, to: Address) -> None:
        sender = answered.recipient.bare
        if isinstance(content, Presence | Message):
            sender = sender.at(NAME)
        self._house.receive(Envelope(sender, to, content, Side.INTERNAL))

    # -- trying the other side's -----------------------------------------------------------------------------------

    def try_out(self, domain: str) -> "Deferred[float]":
        """Writes to the echo of another gateway; gives the seconds until the answer, or fails with NoEcho."""
        name, number = self._config.echo.name, f"test-{secrets.token_hex(6)}"
        ours = self._config.gateway.domains[0]
        test = _Test(Address.of(name, domain), f"Federation test {number} of {ours}", self._reactor.seconds())
        if not name or len(self._tests) >= MOST_TESTS:
            test.answer.errback(NoEcho("no echo is configured here" if not name else "too many tests are under way"))
            return test.answer
        self._tests[number] = test
        late = self._reactor.callLater(TEST_SECONDS, self._end, number, NoEcho(f"no answer in {TEST_SECONDS:.0f} s"))
        test.answer.addBoth(_cancel, late)
        message = Message(MessageKind.CHAT, number, (("", test.text),))
        sender = Address.of(f"{name}-test", ours).at(NAME)
        self._house.receive(Envelope(sender, test.contact, message, Side.INTERNAL))
        return test.answer

    @property
    def address(self) -> str:
        """Gives the address of our echo at our first domain, '' when there is none."""
        name = self._config.echo.name
        return f"{name}@{self._config.gateway.domains[0]}" if name else ""

    def heard_ago(self, domain: str) -> float | None:
        """Gives the seconds since it last answered a domain; None when it never has."""
        then = self.heard.get(domain)
        return None if then is None else float(self._reactor.seconds() - then)

    def _came_back(self, sender: Address, message: Message) -> None:
        for number, test in list(self._tests.items()):
            if test.contact == sender.bare and any(text == test.text for _, text in message.bodies):
                self._end(number, self._reactor.seconds() - test.begun)

    def _end(self, number: str, outcome: float | NoEcho) -> None:
        test = self._tests.pop(number, None)
        if test is not None and not test.answer.called:
            if isinstance(outcome, NoEcho):
                test.answer.errback(outcome)
            else:
                test.answer.callback(outcome)


def _cancel(outcome: Any, late: Any) -> Any:
    if late.active():
        late.cancel()
    return outcome
