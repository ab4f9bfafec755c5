"""What happens on one side of the SIP leg into envelopes, and envelopes into what SIP does (RFC 7247, 7572, 8048)."""

from collections.abc import Callable, Mapping
from typing import Any

from gateway.errors import AddressError
from gateway.guarding import OutputGuard
from gateway.log import Log
from gateway.model.envelope import Bounce, Content, Envelope, Problem, Query, Side
from gateway.model.message import Message
from gateway.model.presence import OFFLINE, Presence
from gateway.model.subscription import Ask, Subscription
from gateway.protocols import winfo
from gateway.protocols.sip.addressing import uri_text
from gateway.protocols.sip.faults import SipSyntaxError
from gateway.protocols.sip.message import Request
from gateway.protocols.sip.pager import Delivered, Undelivered
from gateway.protocols.sip.publisher import PublishRefused
from gateway.protocols.sip.subscribing import Active, Pending, SubscriptionKey, Terminated
from gateway.protocols.sip.user_agent import UserAgent, UserAgentEvent
from gateway.protocols.sip.watching import WatcherAsks, WatcherGone
from plugins.legs.sip import ocs
from plugins.legs.sip.conversations import Conversations
from plugins.legs.sip.guarded import SipGuard
from plugins.legs.sip.heard import Heard
from plugins.legs.sip.marks import verified
from plugins.legs.sip.naming import person
from plugins.legs.sip.post import Post
from plugins.legs.sip.publishing import Publications
from plugins.legs.sip.reach import Probe
from plugins.legs.sip.terms import Terms, usual
from plugins.legs.sip.waiting import WINFO, Waiting, Word
from plugins.legs.sip.watchers import Watchers

log = Log("sip")

REFRESH_SECONDS = 5.0
"""Within how long all subscriptions to a server that is back are refreshed, none at the same time as another."""
OURSELVES = frozenset({"unsubscribed", "fetched"})
"""Reasons for the end of a subscription that we have wanted ourselves."""
REFUSALS = frozenset({"rejected", "403", "603"})
"""Reasons with which one of our own people refuses; any other would tell the contact who does not exist."""


class SipDesk:
    """Is one side: `side` is where its envelopes come from; `local` people are those for whom the gateway stands."""

    def __init__(
        self,
        side: Side,
        house: Any,
        agent: UserAgent,
        reactor: Any,
        now: Any,
        prefers_sessions: Any,
        *,
        terms: Callable[[str], Terms] = usual,
        secret: bytes = b"",
        publishes: bool = False,
        guard: OutputGuard | None = None,
    ) -> None:
        self._side = side
        self._house = house
        self._agent = agent
        self._reactor = reactor
        self._now = now
        self.probed: Callable[[Probe, Delivered | Undelivered], None] = lambda probe, outcome: None
        """Takes the end of an OPTIONS."""
        self._heard = Heard(now)
        self._containers = ocs.Containers(now)
        conversations = Conversations(secret, side is Side.EXTERNAL, now)
        checked = SipGuard(house, guard) if guard is not None else None
        self._post = Post(side, house, agent, reactor.seconds, now, prefers_sessions, terms, conversations, checked)
        self._terms = terms
        self._watchers = Watchers(house, agent, reactor.seconds, now, self._receive, self._asks, checked)
        self._waiting = Waiting(now)
        self._publications = Publications(agent.publisher, reactor.seconds, now) if publishes else None
        agent.subscriber.accept = {**ocs.ACCEPTED, WINFO: (winfo.MEDIA_TYPE,)}
        agent.takes_benotify = side is Side.INTERNAL
        if side is Side.INTERNAL:  # all watchers there are of our own domain
            agent.notifier.per_domain = agent.notifier.limit

    # -- to this side ----------------------------------------------------------------------------------------------

    def deliver(self, envelope: Envelope) -> bool:
        """Carries an envelope to a peer of this side."""
        content = envelope.content
        try:
            if isinstance(content, Message):
                self._post.send(envelope, content)
            elif isinstance(content, Presence):
                self._watchers.show(envelope, content)
                if self._publications is not None:
                    self._publications.show(envelope, content)
            elif isinstance(content, Subscription):
                self._ask(envelope, content)
            elif isinstance(content, Bounce):
                self._post.bounced(envelope, content)
                if envelope.ticket is not None:
                    self._house.delivered(envelope)
            elif isinstance(content, Query):
                self._house.undeliverable(envelope, Problem.SERVICE_UNAVAILABLE)
        except AddressError:
            self._house.undeliverable(envelope, Problem.JID_MALFORMED)
        return True

    def preview(self, envelope: Envelope) -> str:
        """Gives the presence document or the text that would be sent."""
        content = envelope.content
        if isinstance(content, Presence):
            pair = (uri_text(envelope.sender.bare), uri_text(envelope.recipient.bare))
            return "\n".join(self._watchers.preview(pair, content.document))
        return ""

    def _ask(self, envelope: Envelope, request: Subscription) -> None:
        local, remote = uri_text(envelope.sender.bare), uri_text(envelope.recipient.bare)
        now = self._reactor.seconds()
        key = SubscriptionKey(local, remote)
        if request.ask is Ask.SUBSCRIBE:
            self._agent.subscriber.subscribe(key, now)
        elif request.ask is Ask.UNSUBSCRIBE:
            self._happened_all(self._agent.subscriber.unsubscribe(key, now))
        elif request.ask is Ask.PROBE:
            self._probe(key, now)
        else:
            self._watchers.decided(local, remote, request.ask)

    def _probe(self, key: SubscriptionKey, now: float) -> None:
        """Answers a probe from what is heard; else asks: for as long as the house says that he is subscribed, or once.

        Whoever is subscribed has a server that probes when he comes, and the house probes after a restart: for both the
        subscription at the peer must live on. A probe of anybody else is one question (RFC 8048 section 7.1).
        """
        if not self._say_again(key):
            expires = {} if self._subscribed(key) else {"expires": 0}
            self._agent.subscriber.subscribe(key, now, **expires)

    # -- from this side --------------------------------------------------------------------------------------------

    def happened(self, event: UserAgentEvent) -> None:
        """Takes one event of the user agent."""
        if isinstance(event, WatcherAsks):
            self._watchers.asked(event)
        elif isinstance(event, WatcherGone):
            self._watchers.gone(event)
        elif isinstance(event, Active):
            self._active(event)
        elif isinstance(event, Pending):
            self._pending(event.key)
        elif isinstance(event, PublishRefused) and self._publications is not None:
            log.warn("publication refused", domain=person(event.person).domain)
            self._publications.refused(event.person)
        elif isinstance(event, Terminated):
            self._terminated(event)
        elif isinstance(event, Delivered | Undelivered) and isinstance(event.handle, Probe):
            self.probed(event.handle, event)
        else:
            self._post.happened(event)

    def on_word(self, call: Callable[[], None]) -> None:
        """Has somebody told when something is said that no read has brought about."""
        self._post.spoken = call

    def lost(self, domain: str) -> None:
        """Forgets what people of a domain have shown: nothing is heard of them any more."""
        self._heard.forget_domain(domain)

    def back(self, domain: str) -> None:
        """Asks again for all that is shown by people of a domain: its server may have lost our subscriptions."""
        for key in self._agent.subscriber:
            if person(key.presentity).domain == domain:
                self._agent.subscriber.refresh(key, self._reactor.seconds(), REFRESH_SECONDS)

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
        if key.package == WINFO:
            return self._waiting.wanted(key)
        try:
            return bool(self._house.asks(person(key.watcher), person(key.presentity)))
        except AddressError:
            return False

    def _subscribed(self, key: SubscriptionKey) -> bool:
        return bool(self._house.watches(person(key.watcher), person(key.presentity)))

    def _knows(self, local: str, remote: str) -> bool:
        try:
            return bool(self._house.knows(person(local), person(remote)))
        except AddressError:
            return False

    def _happened_all(self, events: Any) -> None:
        for event in events:
            self.happened(event)

    def _receive(self, remote: str, local: str, content: Content, resource: str = "") -> None:
        """Gives the house what a peer's person says to one of those for whom we stand."""
        sender = person(remote)
        self._house.receive(Envelope(sender.at(resource) if resource else sender, person(local), content, self._side))

    def _asks(self, remote: str, local: str, content: Content, request: Request) -> None:
        """Gives the house what a request asks for, with what its server says about the sender."""
        sender = person(remote)
        mark = verified(request, self._terms(sender.domain).through_edge)
        self._house.receive(Envelope(sender, person(local), content, self._side, mark))

    def _active(self, event: Active) -> None:
        """Takes a document: the first one of a subscription says yes to the request (RFC 8048 section 4.2)."""
        key = event.key
        kind = event.content_type.partition(";")[0].strip().lower() if event.body else ""
        if key.package == ocs.ROAMING_SELF:
            self._levels(key, event.body)
            return
        if key.package == WINFO:
            self._watchers_told(key, event.body)
            return
        self._decided(key)
        if not event.fetched and not self._subscribed(key):
            self._receive(key.presentity, key.watcher, Subscription(Ask.SUBSCRIBED))
        if kind not in ocs.ACCEPTED["presence"]:
            self._gone(key)
            return
        changes = self._heard.changes(key, kind, event.body, event.language)
        if self._side is Side.INTERNAL:  # before presence, which would be told without it
            self._house.published(person(key.presentity), self._heard.card(key))
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
            self._house.levels_given(person(key.presentity), given)

    def _pending(self, key: SubscriptionKey) -> None:
        """Asks our own server who waits for a person's answer, as long as a contact does (RFC 3857)."""
        if self._side is Side.INTERNAL and key.package == "presence":
            asked = self._waiting.waits(key)
            if asked is not None:
                self._agent.subscriber.subscribe(asked, self._reactor.seconds())

    def _decided(self, key: SubscriptionKey) -> None:
        idle = self._waiting.answered(key)
        if idle is not None:
            self._happened_all(self._agent.subscriber.unsubscribe(idle, self._reactor.seconds()))

    def _watchers_told(self, key: SubscriptionKey, body: bytes) -> None:
        """Takes what a person has decided about contacts who wait; any other watcher is none of ours."""
        now = self._reactor.seconds()
        words = self._waiting.take(key, body) if body else []
        if words is None:
            self._agent.subscriber.refresh(key, now)
        for contact, word in words or ():
            asked = SubscriptionKey(contact, key.presentity)
            if not self._knows(key.presentity, contact) or self._subscribed(asked) or not self.wanted(asked):
                continue
            if word is Word.REJECTED:
                self._receive(key.presentity, contact, Subscription(Ask.UNSUBSCRIBED))
                self._decided(asked)
                continue
            if word is Word.APPROVED:
                self._receive(key.presentity, contact, Subscription(Ask.SUBSCRIBED))
                self._decided(asked)
            self._agent.subscriber.subscribe(asked, now)  # what the server has given up is asked for again

    def _terminated(self, event: Terminated) -> None:
        if event.key.package == ocs.ROAMING_SELF:
            self._containers.ended(event.key)
            return
        if event.key.package == WINFO:
            self._waiting.ended(event.key, event.permanently)
            return
        if event.permanently or event.reason == "unsubscribed":
            self._decided(event.key)
        if event.reason == "fetched":
            self._fetched(event.key)
            return
        self._gone(event.key)
        refused = event.reason in REFUSALS if self._side is Side.INTERNAL else event.reason not in OURSELVES
        if event.permanently and refused:
            self._receive(event.key.presentity, event.key.watcher, Subscription(Ask.UNSUBSCRIBED))

    def _fetched(self, key: SubscriptionKey) -> None:
        """Forgets what a fetch has told, unless the house has learned from it that he is subscribed: then he stays."""
        if self._subscribed(key):
            self._agent.subscriber.subscribe(key, self._reactor.seconds())
        else:
            self._heard.forget(key)

    def _gone(self, key: SubscriptionKey) -> None:
        self._containers.gone(key)
        for resource in self._heard.forget(key):
            self._receive(key.presentity, key.watcher, Presence(OFFLINE), resource)

    def _say_again(self, key: SubscriptionKey) -> bool:
        known = self._heard.known(key)
        for resource, presence in known.items():
            self._receive(key.presentity, key.watcher, presence, resource)
        return bool(known)

    # -- over a restart --------------------------------------------------------------------------------------------

    @property
    def revision(self) -> int:
        """Gives a number that grows when to_plain() is worth keeping."""
        return self._agent.notifier.revision

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
