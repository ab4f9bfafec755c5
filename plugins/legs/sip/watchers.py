"""The watchers of one side: who is shown what of those for whom the gateway stands (RFC 8048 5.3, 6.2, 7.2)."""

from collections.abc import Callable
from typing import Any, Final

from attrs import define, field

from gateway.books.presence_book import most_reachable
from gateway.model.envelope import Content, Envelope
from gateway.model.presence import OFFLINE, Field, Presence, PresenceDocument
from gateway.model.subscription import Ask, Subscription
from gateway.protocols.sip.addressing import uri_text
from gateway.protocols.sip.dialogs import DialogKey
from gateway.protocols.sip.message import Request
from gateway.protocols.sip.subscribing import SubscriptionKey
from gateway.protocols.sip.user_agent import UserAgent
from gateway.protocols.sip.watching import NOTHING, Document, WatcherAsks, WatcherGone, WatchState
from plugins.legs.sip import ocs
from plugins.legs.sip.guarded import SipGuard
from plugins.legs.sip.naming import person

FETCH_SECONDS: Final = 2.0
"""How long the answer to a fetch waits for presence that has been asked for (RFC 8048 section 7.2)."""

Said = Callable[[str, str, Content], None]
"""Gives the house what a peer's person (the first URI) says to one of those for whom we stand."""


@define(eq=False)
class Watchers:
    """Shows each watcher what the house discloses to him."""

    house: Any
    agent: UserAgent
    clock: Callable[[], float]
    """Monotonic seconds."""
    now: Callable[[], float]
    """Posix seconds."""
    said: Said
    asks: Callable[[str, str, Content, Request], None]
    """The same of what a request asks for."""
    guard: SipGuard | None = None
    """Reads again what goes to partners; None on the inside."""
    _shown: dict[tuple[str, str], dict[str, Presence]] = field(factory=dict)
    """What each watcher was told of each presentity, by the presentity's resource."""
    _writer: ocs.Writer = field(factory=ocs.Writer)
    _fresh: set[DialogKey] = field(factory=set)
    """Watchers to whom nobody has been shown yet: they need not wait for their turn."""

    def __attrs_post_init__(self) -> None:
        self.agent.notifier.closed = self._closed

    def show(self, envelope: Envelope, presence: Presence) -> None:
        """Shows what is disclosed; what takes something away is told at once."""
        pair = (uri_text(envelope.sender.bare), uri_text(envelope.recipient.bare))
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
        for key in self.agent.notifier.subscriptions(*pair):
            first = after.available and (key in self._fresh or self.agent.notifier.fetches(key))
            if first:
                self._fresh.discard(key)
            self._say(key, pair, WatchState.ACTIVE, after, narrows or first)

    def decided(self, local: str, remote: str, ask: Ask) -> None:
        """Tells a watcher that he may see somebody (SUBSCRIBED), or that he may not."""
        for watch in self.agent.notifier.subscriptions(local, remote):
            if ask is Ask.SUBSCRIBED:
                self._tell(watch, (local, remote), WatchState.ACTIVE)
            else:
                closed = self.written(self.agent.notifier.accepts(watch), local, OFFLINE)
                self.agent.notifier.end(watch, "rejected", closed, self.clock())
                self._fresh.discard(watch)

    def asked(self, event: WatcherAsks) -> None:
        """Shows a watcher what is known; one whom nobody has approved yet waits, and the person is asked."""
        pair = (event.presentity, event.watcher)
        if event.package != "presence":
            return
        approved = self.house.watches(person(event.watcher), person(event.presentity))
        if self.guard is not None:
            self._shown_still(pair, self.guard.fields(pair))
        if event.first and not event.fetch:
            self._fresh.add(event.key)
        if event.fetch:
            self._fetched(event, pair, approved)
        elif not event.first:
            self._tell(event.key, pair, WatchState.ACTIVE if approved else WatchState.PENDING)
        elif approved:
            self._tell(event.key, pair, WatchState.ACTIVE)
            self.asks(event.watcher, event.presentity, Subscription(Ask.PROBE), event.request)
        else:
            self.agent.notifier.show(event.key, WatchState.PENDING, NOTHING, self.clock())
            self.asks(event.watcher, event.presentity, Subscription(Ask.SUBSCRIBE), event.request)

    def _fetched(self, event: WatcherAsks, pair: tuple[str, str], approved: bool) -> None:
        """Answers a fetch from what is shown; who may see the person waits a moment where nothing is."""
        self._tell(event.key, pair, WatchState.ACTIVE)
        if approved and pair not in self._shown:
            self.agent.notifier.postpone(event.key, self.clock() + FETCH_SECONDS)
            self.asks(event.watcher, event.presentity, Subscription(Ask.PROBE), event.request)

    def gone(self, event: WatcherGone) -> None:
        """Tells that a watcher has left (RFC 8048 section 5.3.3), unless his own presence is heard.

        Whom we watch ourselves says with his own notifications whether he is there: he may have closed a window only.
        """
        self._fresh.discard(event.key)
        watched = SubscriptionKey(event.presentity, event.watcher) in self.agent.subscriber
        if (
            event.package == "presence"
            and not watched
            and not self.agent.notifier.subscriptions(event.presentity, event.watcher)
        ):
            self.said(event.watcher, event.presentity, Presence(OFFLINE))

    def _shown_still(self, pair: tuple[str, str], fields: frozenset[Field]) -> None:
        """Forgets of what was shown what may not be shown any more: an entry may have ended a moment ago."""
        shown = self._shown.get(pair, {})
        for resource, presence in list(shown.items()):
            if not presence.document.names <= fields:
                shown[resource] = Presence(presence.document.only(fields), presence.priority)

    def written(self, accept: tuple[str, ...], entity: str, document: PresenceDocument) -> Document:
        """Gives what a watcher who reads these types is told of somebody."""
        return self._writer.write(accept, document, entity, self.now())

    def _closed(self, presentity: str, package: str, accept: tuple[str, ...]) -> Document:
        """Gives the last document of a subscription that is over: nobody is there (RFC 8048 section 5.3.3)."""
        return self.written(accept, presentity, OFFLINE) if package == "presence" else NOTHING

    def preview(self, pair: tuple[str, str], document: PresenceDocument) -> list[str]:
        """Gives what a watcher would be told, once for each kind of document that he reads; else as PIDF."""
        accepted = [self.agent.notifier.accepts(key) for key in self.agent.notifier.subscriptions(*pair)] or [()]
        written = (self.written(accept, pair[0], document).body.decode() for accept in accepted)
        return list(dict.fromkeys(written))

    def _tell(self, key: DialogKey, pair: tuple[str, str], state: WatchState) -> None:
        self._say(key, pair, state, self._document(pair))

    def _say(
        self, key: DialogKey, pair: tuple[str, str], state: WatchState, shown: PresenceDocument, at_once: bool = False
    ) -> None:
        accept = self.agent.notifier.accepts(key)
        document = self.written(accept, pair[0], shown)
        if self.guard is not None and not self.guard.passes(pair, document, shown):
            document = self.written(accept, pair[0], OFFLINE)
        self.agent.notifier.show(key, state, document, self.clock(), at_once=at_once)

    def _document(self, pair: tuple[str, str]) -> PresenceDocument:
        shown = self._shown.get(pair)
        return most_reachable(shown).document if shown else OFFLINE
