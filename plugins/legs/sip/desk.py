"""What happens on one side of the SIP leg into envelopes, and envelopes into what SIP does (RFC 7247, 7572, 8048)."""

from collections.abc import Mapping
from typing import Any

from gateway.errors import AddressError
from gateway.log import Log
from gateway.model.address import Address
from gateway.model.envelope import Bounce, Content, Envelope, Problem, Query, Side
from gateway.model.message import ChatState, Message, MessageKind
from gateway.model.presence import OFFLINE, Presence, PresenceDocument
from gateway.model.subscription import Ask, Subscription
from gateway.presence_book import most_reachable
from gateway.protocols.sip.addressing import Untranslatable, address_of, uri_of
from gateway.protocols.sip.dialogs import DialogKey
from gateway.protocols.sip.faults import SipSyntaxError
from gateway.protocols.sip.pager import Refused, Undelivered
from gateway.protocols.sip.problems import problem_of, status_of
from gateway.protocols.sip.session import InfoReceived, Letter, SessionEnded
from gateway.protocols.sip.subscribing import Active, SubscriptionKey, Terminated
from gateway.protocols.sip.uri import SipUri
from gateway.protocols.sip.user_agent import MessageReceived, UserAgent, UserAgentEvent
from gateway.protocols.sip.watching import NOTHING, Document, WatcherAsks, WatcherGone, WatchState
from plugins.legs.sip import letters, ocs
from plugins.legs.sip.heard import Heard

log = Log("sip")

OURSELVES = frozenset({"unsubscribed", "fetched"})
"""Reasons for the end of a subscription that we have wanted ourselves."""
REFUSALS = frozenset({"rejected", "403", "603"})
"""Reasons with which one of our own people refuses; any other would tell the contact who does not exist."""


class SipDesk:
    """Is one side: `side` is where its envelopes come from; `local` people are those for whom the gateway stands."""

    def __init__(self, side: Side, house: Any, agent: UserAgent, reactor: Any, now: Any, prefers_sessions: Any) -> None:
        self._side = side
        self._house = house
        self._agent = agent
        self._reactor = reactor
        self._now = now
        self._prefers_sessions = prefers_sessions
        self._shown: dict[tuple[str, str], dict[str, Presence]] = {}
        """What each watcher was told of each presentity, by the presentity's resource."""
        self._heard = Heard(now)
        self._containers = ocs.Containers(now)
        agent.subscriber.accept = ocs.ACCEPTED
        agent.takes_benotify = side is Side.INTERNAL
        self._fresh: set[DialogKey] = set()
        """Watchers to whom nobody has been shown yet: they need not wait for their turn."""
        self._waiting_for: str | None = None
        """The id of the message that is being decided about."""
        self._refusal: Problem | None = None

    # -- to this side ----------------------------------------------------------------------------------------------

    def deliver(self, envelope: Envelope) -> bool:
        """Carries an envelope to a peer of this side."""
        content = envelope.content
        try:
            if isinstance(content, Message):
                self._send(envelope, content)
            elif isinstance(content, Presence):
                self._show(envelope, content)
            elif isinstance(content, Subscription):
                self._ask(envelope, content)
            elif isinstance(content, Bounce):
                if content.of == "message" and content.id == self._waiting_for:
                    self._refusal = content.problem
            elif isinstance(content, Query):
                self._house.undeliverable(envelope, Problem.SERVICE_UNAVAILABLE)
        except AddressError:
            self._house.undeliverable(envelope, Problem.JID_MALFORMED)
        return True

    def preview(self, envelope: Envelope) -> str:
        """Gives the presence document or the text that would be sent."""
        content = envelope.content
        if isinstance(content, Presence):
            return self._written((), str(uri_of(envelope.sender.bare)), content.document).body.decode()
        return ""

    def _send(self, envelope: Envelope, message: Message) -> None:
        """Sends a message in a session when there is one or the peer wants one, else alone (RFC 3428)."""
        local, remote = str(uri_of(envelope.sender.bare)), str(uri_of(envelope.recipient.bare))
        now = self._reactor.seconds()
        in_session = self._agent.sessions.is_open(local, remote) or self._prefers_sessions(envelope.recipient.domain)
        if message.chat_state is ChatState.GONE and not message.has_text:
            self._happened_all(self._agent.sessions.end(local, remote, now))
            return
        bodies = letters.write(message, envelope.sender, envelope.recipient, self._now())
        if message.has_text and not bodies:
            self._house.undeliverable(envelope, Problem.NOT_ACCEPTABLE)
        for written in bodies:
            try:
                if in_session and (message.has_text or self._agent.sessions.is_open(local, remote)):
                    letter = Letter(written.document, envelope, fields=written.fields)
                    self._agent.sessions.send(local, remote, letter, now)
                elif message.has_text or message.receipt_for:
                    self._agent.pager.send(local, remote, written.document, envelope, now, fields=written.fields)
            except Refused as refused:
                too_large = "large" in str(refused)
                problem = Problem.POLICY_VIOLATION if too_large else Problem.RESOURCE_CONSTRAINT
                self._house.undeliverable(envelope, problem)

    def _show(self, envelope: Envelope, presence: Presence) -> None:
        pair = (str(uri_of(envelope.sender.bare)), str(uri_of(envelope.recipient.bare)))
        shown = self._shown.setdefault(pair, {})
        before = self._document(pair)
        if presence.document.available:
            shown[envelope.sender.resource] = presence
        elif envelope.sender.resource:
            shown.pop(envelope.sender.resource, None)
        else:
            shown.clear()
        after = self._document(pair)
        if not shown:
            del self._shown[pair]
        narrows = not before.names <= after.names
        for key in self._agent.notifier.subscriptions(*pair):
            first = after.available and key in self._fresh
            if first:
                self._fresh.discard(key)
            self._tell(key, pair, WatchState.ACTIVE, narrows or first)

    def _tell(self, key: DialogKey, pair: tuple[str, str], state: WatchState, at_once: bool = False) -> None:
        document = self._written(self._agent.notifier.accepts(key), pair[0], self._document(pair))
        self._agent.notifier.show(key, state, document, self._reactor.seconds(), at_once=at_once)

    def _document(self, pair: tuple[str, str]) -> PresenceDocument:
        shown = self._shown.get(pair)
        return most_reachable(shown).document if shown else OFFLINE

    def _written(self, accept: tuple[str, ...], entity: str, document: PresenceDocument) -> Document:
        return ocs.write_document(accept, document, entity, self._now())

    def _ask(self, envelope: Envelope, request: Subscription) -> None:
        local, remote = str(uri_of(envelope.sender.bare)), str(uri_of(envelope.recipient.bare))
        now = self._reactor.seconds()
        key = SubscriptionKey(local, remote)
        if request.ask is Ask.SUBSCRIBE:
            self._agent.subscriber.subscribe(key, now)
        elif request.ask is Ask.UNSUBSCRIBE:
            self._happened_all(self._agent.subscriber.unsubscribe(key, now))
        elif request.ask is Ask.PROBE:
            if not self._say_again(key):
                self._agent.subscriber.subscribe(key, now)
        else:
            for watch in self._agent.notifier.subscriptions(local, remote):
                if request.ask is Ask.SUBSCRIBED:
                    self._tell(watch, (local, remote), WatchState.ACTIVE)
                else:
                    closed = self._written(self._agent.notifier.accepts(watch), local, OFFLINE)
                    self._agent.notifier.end(watch, "rejected", closed, now)
                    self._fresh.discard(watch)

    # -- from this side --------------------------------------------------------------------------------------------

    def happened(self, event: UserAgentEvent) -> None:
        """Takes one event of the user agent."""
        if isinstance(event, MessageReceived):
            self._message(event)
        elif isinstance(event, WatcherAsks):
            self._watched(event)
        elif isinstance(event, WatcherGone):
            self._fresh.discard(event.key)
        elif isinstance(event, Active):
            self._active(event)
        elif isinstance(event, Terminated):
            self._terminated(event)
        elif isinstance(event, Undelivered):
            self._undelivered(event)
        elif isinstance(event, InfoReceived):
            typing = letters.read_typing(event.content_type, event.body, self._now())
            if typing is not None:
                self._receive(event.remote, event.local, typing)
        elif isinstance(event, SessionEnded) and event.reason == "bye":
            self._receive(event.remote, event.local, Message(MessageKind.CHAT, chat_state=ChatState.GONE))

    def watcher(self, presentity: str, watcher: str) -> int:
        """Gives the status with which a new subscription is answered: the blocked are admitted and shown nothing."""
        return 200 if self._knows(presentity, watcher) else 403

    def session(self, local: str, remote: str) -> int:
        """Gives the status with which an IM session is answered; each message in it is decided about."""
        return 200 if self._knows(local, remote) else 403

    def wanted(self, key: SubscriptionKey) -> bool:
        """Says whether somebody is still to be told, before a subscription of ours is refreshed (RFC 8048 8.1)."""
        if key.package == ocs.ROAMING_SELF:
            return self._containers.wanted(key)
        try:
            return bool(self._house.asks(_address(key.watcher), _address(key.presentity)))
        except AddressError:
            return False

    def _knows(self, local: str, remote: str) -> bool:
        try:
            return bool(self._house.knows(_address(local), _address(remote)))
        except AddressError:
            return False

    def _happened_all(self, events: Any) -> None:
        for event in events:
            self.happened(event)

    def _receive(self, remote: str, local: str, content: Content, resource: str = "") -> None:
        """Gives the house what a peer's person says to one of those for whom we stand."""
        sender = _address(remote)
        self._house.receive(Envelope(sender.at(resource) if resource else sender, _address(local), content, self._side))

    def _message(self, event: MessageReceived) -> None:
        """Answers when the house has decided: 200 in a session, 202 alone, or what the refusal means.

        To the outside a refusal for which nobody may know the reason looks like any message to somebody who is away
        or does not exist: of those we hear after our answer only (RFC 5025 polite-block).
        """
        number = f"s{event.transaction}"
        now = self._reactor.seconds()
        encoding, language, subject = (
            event.request.headers.get(name) or "" for name in ("Content-Encoding", "Content-Language", "Subject")
        )
        message = letters.read(
            event.content_type, encoding, event.body, number, event.in_session, self._now(), language, subject
        )
        if isinstance(message, int):
            self._agent.answer(event.transaction, message, now)
            return
        self._waiting_for, self._refusal = message.id or number, None
        try:
            self._receive(event.sender, event.recipient, message)
            refusal = self._refusal
        except Untranslatable as problem:
            self._agent.answer(event.transaction, problem.status, now)
            return
        except (AddressError, SipSyntaxError):
            self._agent.answer(event.transaction, 404, now)
            return
        finally:
            self._waiting_for = self._refusal = None
        accepted = 200 if event.in_session else 202
        hidden = self._side is Side.EXTERNAL and refusal is Problem.SERVICE_UNAVAILABLE
        status = accepted if refusal is None or hidden else status_of(refusal)
        self._agent.answer(event.transaction, status, now)

    def _watched(self, event: WatcherAsks) -> None:
        """Shows a watcher what is known; one whom nobody has approved yet waits, and the person is asked."""
        pair = (event.presentity, event.watcher)
        if event.package != "presence":
            return
        approved = self._house.watches(_address(event.watcher), _address(event.presentity))
        if event.first and not event.fetch:
            self._fresh.add(event.key)
        if event.fetch:
            self._tell(event.key, pair, WatchState.ACTIVE)
        elif not event.first:
            self._tell(event.key, pair, WatchState.ACTIVE if approved else WatchState.PENDING)
        elif approved:
            self._tell(event.key, pair, WatchState.ACTIVE)
            self._receive(event.watcher, event.presentity, Subscription(Ask.PROBE))
        else:
            self._agent.notifier.show(event.key, WatchState.PENDING, NOTHING, self._reactor.seconds())
            self._receive(event.watcher, event.presentity, Subscription(Ask.SUBSCRIBE))

    def _active(self, event: Active) -> None:
        """Takes a document: the first one says yes to the request (RFC 8048 section 4.2)."""
        key = event.key
        kind = event.content_type.partition(";")[0].strip().lower() if event.body else ""
        if key.package == ocs.ROAMING_SELF:
            self._levels(key, event.body)
            return
        self._receive(key.presentity, key.watcher, Subscription(Ask.SUBSCRIBED))
        if kind not in ocs.ACCEPTED["presence"]:
            self._gone(key)
            return
        changes = self._heard.changes(key, kind, event.body)
        if self._side is Side.INTERNAL:  # before presence, which would be told without it
            self._house.published(_address(key.presentity), self._heard.card(key))
        for resource, presence in changes:
            self._receive(key.presentity, key.watcher, presence, resource)
        if self._side is Side.INTERNAL:
            asked = self._containers.shown(key) if kind != ocs.PIDF else None
            if asked is not None:
                self._agent.subscriber.subscribe(asked, self._reactor.seconds())

    def _levels(self, key: SubscriptionKey, body: bytes) -> None:
        """Gives the house the levels that a person has given by putting contacts into containers."""
        given = self._containers.take(key, body)
        if given is not None:
            self._house.levels_given(_address(key.presentity), given)

    def _terminated(self, event: Terminated) -> None:
        if event.key.package == ocs.ROAMING_SELF:
            self._containers.ended(event.key)
            return
        self._gone(event.key)
        refused = event.reason in REFUSALS if self._side is Side.INTERNAL else event.reason not in OURSELVES
        if event.permanently and refused:
            self._receive(event.key.presentity, event.key.watcher, Subscription(Ask.UNSUBSCRIBED))

    def _gone(self, key: SubscriptionKey) -> None:
        self._containers.gone(key)
        for resource in self._heard.forget(key):
            self._receive(key.presentity, key.watcher, Presence(OFFLINE), resource)

    def _say_again(self, key: SubscriptionKey) -> bool:
        known = self._heard.known(key)
        for resource, presence in known.items():
            self._receive(key.presentity, key.watcher, presence, resource)
        return bool(known)

    def _undelivered(self, event: Undelivered) -> None:
        envelope = event.handle
        if isinstance(envelope, Envelope) and isinstance(envelope.content, Message) and envelope.content.has_text:
            self._house.undeliverable(envelope, problem_of(event.status))

    # -- over a restart --------------------------------------------------------------------------------------------

    def to_plain(self) -> list[dict[str, object]]:
        """Gives the subscriptions of watchers, to be kept over a restart."""
        return self._agent.notifier.to_plain(self._reactor.seconds(), self._now())

    def restore(self, plain: list[Mapping[str, object]]) -> None:
        """Takes them back; each is told the present as soon as the house discloses it."""
        for entry in plain:
            try:
                self._agent.notifier.restore(entry, self._reactor.seconds(), self._now(), int(self._now()))
            except (KeyError, TypeError, ValueError, SipSyntaxError):
                log.warn("subscription not restored")


def _address(uri: str) -> Address:
    try:
        return address_of(SipUri.parse(uri)).bare
    except SipSyntaxError as problem:
        raise AddressError(str(problem)) from None
