"""The notifier: accepts subscriptions and tells each watcher what its user shows him (RFC 6665 4.2, RFC 3856 6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from attrs import define, field, frozen

from gateway.protocols.sip.dialogs import Dialog, DialogKey, DialogRefused
from gateway.protocols.sip.faults import SipSyntaxError
from gateway.protocols.sip.headers import parse_content_type
from gateway.protocols.sip.message import Request
from gateway.protocols.sip.station import Station, bare, domain_of, speaks_for
from gateway.protocols.sip.timers import Alarms
from gateway.protocols.sip.transaction_events import ResponseReceived, TimedOut, TransportFailed
from gateway.protocols.sip.watching import NOTHING, Document, Watch, WatcherAsks, WatcherGone, WatchState

PRESENCE: Final = "presence"
PACKAGES: Final = {PRESENCE: ("application/pidf+xml",)}
"""The event packages, and the types of which a watcher must accept one; without Accept it is the first."""
MARK: Final = "text/xml+msrtc.pidf"
"""Nobody writes it; who names it reads the other types as Microsoft's clients do (reference/ocs.md 3.1)."""
OTHER_TYPES: Final = ("application/msrtc-event-categories+xml", MARK)
EXPIRES: Final = 3600
"""The default, and the longest that a subscription lasts, in seconds."""
MIN_EXPIRES: Final = 60
INTERVAL: Final = 5.0
"""Seconds between notifications to one watcher of one presentity (RFC 3856 section 6.10)."""
FAILED_INTERVAL: Final = 30.0
FAILURES: Final = 3
"""How often a NOTIFY may be lost with its connection before the subscription is."""
PER_PAIR: Final = 8
"""Subscriptions of one watcher to one presentity."""
LIMIT: Final = 100_000
PER_DOMAIN: Final = 40_000
"""Subscriptions of the watchers of one domain: no partner takes the room of all others (protocols.md L-05)."""
ENDING: Final = frozenset({404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604})
"""The statuses of a NOTIFY that end its subscription (RFC 6665 section 4.2.2, RFC 5057)."""

NotifierEvent = WatcherAsks | WatcherGone


@frozen
class _Told:
    """Owns a NOTIFY."""

    key: DialogKey


@define(eq=False)
class Notifier:
    """Keeps the subscriptions of watchers; whether and what they may see is decided by its user alone."""

    station: Station
    admit: Callable[[str, str, str], int]
    """Says with which status a new subscription (presentity, watcher, package) is answered: 200, 403, 404 ..."""
    packages: Mapping[str, tuple[str, ...]] = field(factory=lambda: {PRESENCE: PACKAGES[PRESENCE] + OTHER_TYPES})
    min_expires: int = MIN_EXPIRES
    max_expires: int = EXPIRES
    interval: float = INTERVAL
    limit: int = LIMIT
    per_domain: int = PER_DOMAIN
    closed: Callable[[str, str, tuple[str, ...]], Document] = lambda presentity, package, accept: NOTHING
    """Gives what a watcher is told of a presentity for the last time, when his subscription is over."""
    revision: int = field(init=False, default=0)
    """Grows when a subscription begins, is refreshed, is decided about or ends: then to_plain() is worth keeping.

    Our numbers grow with each NOTIFY and need not be kept for that: restore() goes on from the clock.
    """
    _watches: dict[DialogKey, Watch] = field(init=False, factory=dict)
    _pairs: dict[tuple[str, str, str], list[Watch]] = field(init=False, factory=dict)
    _paced: dict[tuple[str, str, str], float] = field(init=False, factory=dict)
    """When the latest round of notifications to a pair began."""
    _domains: Counter[str] = field(init=False, factory=Counter)
    """How many subscriptions the watchers of each domain have."""
    _alarms: Alarms[DialogKey] = field(init=False, factory=Alarms)
    _paces: Alarms[tuple[str, str, str]] = field(init=False, factory=Alarms)
    _events: list[NotifierEvent] = field(init=False, factory=list)

    def __len__(self) -> int:
        return len(self._watches)

    def subscriptions(self, presentity: str, watcher: str, package: str = PRESENCE) -> list[DialogKey]:
        """Gives the subscriptions of a watcher to a presentity."""
        return [watch.dialog.key for watch in self._pairs.get((presentity, watcher, package), ())]

    def fetches(self, key: DialogKey) -> bool:
        """Says whether a watcher wants to be told once, and has not been yet."""
        watch = self._watches.get(key)
        return watch is not None and watch.fetch

    def accepts(self, key: DialogKey) -> tuple[str, ...]:
        """Gives the media types that a watcher reads; none when he is gone."""
        watch = self._watches.get(key)
        return () if watch is None else watch.accept

    def subscribe_received(self, transaction: int, request: Request, now: float) -> list[NotifierEvent]:
        """Answers a SUBSCRIBE at once and tells who asks."""
        self._events = []
        try:
            event = request.event
        except SipSyntaxError:
            event = None
        if event is None or event[0].lower() not in self.packages:
            self.station.refuse(transaction, request, 489, now, Allow_Events=", ".join(self.packages))
        elif request.to.tag is None:
            self._begin(transaction, request, event[0].lower(), event[1].get("id", ""), now)
        else:
            self._continue(transaction, request, event[0].lower(), event[1].get("id", ""), now)
        return self._events

    def show(self, key: DialogKey, state: WatchState, document: Document, now: float, *, at_once: bool = False) -> bool:
        """Tells a watcher a state and a document, in `interval` seconds at the latest; the latest replaces what waits.

        What equals the latest told is not told again. `at_once` is for what takes something away. False: he is gone.
        """
        watch = self._watches.get(key)
        if watch is None:
            return False
        if not watch.fetch and watch.state is not state:
            watch.state = state
            self.revision += 1
        watch.document = document
        if watch.told == (watch.state, document) and not watch.forced:
            watch.due = None
        elif at_once:
            watch.due, watch.waiting = now, False
        elif watch.due is None:
            watch.due = self._turn(watch, now)
        self._alarms.set(key, watch.wake)
        return True

    def postpone(self, key: DialogKey, until: float) -> None:
        """Lets the answer to a fetch, or a first NOTIFY, wait for a document that has been asked for."""
        watch = self._watches.get(key)
        if watch is not None and watch.due is not None:
            watch.due = max(watch.due, until)
            self._alarms.set(key, watch.wake)

    def end(self, key: DialogKey, reason: str, document: Document, now: float, retry_after: int | None = None) -> bool:
        """Ends a subscription with a last NOTIFY at once; the reasons are those of RFC 6665 section 4.1.3."""
        watch = self._watches.get(key)
        if watch is None:
            return False
        watch.document, watch.retry_after = document, retry_after
        self._finish(watch, reason, now)
        return True

    def answered(self, event: ResponseReceived | TimedOut | TransportFailed, now: float) -> list[NotifierEvent]:
        """Takes what became of a NOTIFY."""
        self._events = []
        owner = event.owner
        watch = self._watches.get(owner.key) if isinstance(owner, _Told) else None
        if watch is None or (isinstance(event, ResponseReceived) and event.response.status < 200):
            return self._events
        watch.waiting = False
        if isinstance(event, TransportFailed):
            self._failed(watch, now)
        elif isinstance(event, TimedOut):
            self._forget(watch, "no answer")
        elif event.response.status in ENDING and "Retry-After" not in event.response.headers:
            self._forget(watch, str(event.response.status))
        else:
            watch.failures = 0
            if event.response.status < 300 and watch.dialog.refresh_target(event.response):
                self.revision += 1
        if watch.dialog.key in self._watches:
            self._alarms.set(watch.dialog.key, watch.wake)
        return self._events

    def tick(self, now: float) -> list[NotifierEvent]:
        """Sends the notifications whose time has come and ends what has expired."""
        self._events = []
        while (key := self._alarms.due(now)) is not None:
            watch = self._watches.get(key)
            if watch is None:
                continue
            if watch.expires_at <= now:
                self._expire(watch, now)
            elif watch.due is not None and watch.due <= now and not watch.waiting:
                self._notify(watch, now)
            if key in self._watches:
                self._alarms.set(key, watch.wake)
        while (pair := self._paces.due(now)) is not None:
            del self._paced[pair]
        return self._events

    def next_timer(self) -> float | None:
        """Gives when tick() wants to be called."""
        return self._alarms.next()

    def to_plain(self, now: float, posix: float) -> list[dict[str, object]]:
        """Gives all subscriptions to be kept over a restart."""
        return [watch.to_plain(now, posix) for watch in self._watches.values() if not watch.fetch]

    def restore(self, plain: Mapping[str, object], now: float, posix: float, cseq_floor: int) -> DialogKey | None:
        """Takes one subscription back; nothing is told before show() is called. None: it has expired, or no room.

        Raises KeyError, TypeError and ValueError for what to_plain did not write.
        """
        watch = Watch.from_plain(plain, now, posix, cseq_floor)
        if watch.expires_at <= now or self._full(watch.watcher):
            return None
        self._keep(watch)
        return watch.dialog.key

    def _begin(self, transaction: int, request: Request, package: str, event_id: str, now: float) -> None:
        """Answers a SUBSCRIBE outside of any dialog."""
        accept = _accepted(request, self.packages[package])
        presentity, watcher = bare(request.uri), bare(str(request.from_.uri))
        status = self._status(request, accept, (presentity, watcher, package))
        if status == 200:
            try:
                dialog = Dialog.as_called(request, self.station.token())
            except DialogRefused as refused:
                status = refused.status
        if status != 200:
            self._refuse(transaction, request, status, now)
            return
        dialog.remote_cseq = request.cseq.number
        watch = Watch(dialog, package, event_id, presentity, watcher, accept, now)
        watch.fetch = request.expires == 0
        self._keep(watch)
        self._accept(transaction, request, watch, now, first=True)

    def _continue(self, transaction: int, request: Request, package: str, event_id: str, now: float) -> None:
        """Answers a SUBSCRIBE inside a dialog (RFC 6665 section 4.2.1.4)."""
        watch = self._watches.get((request.call_id, request.to.tag or "", request.from_.tag or ""))
        if watch is None or (watch.package, watch.event_id) != (package, event_id):
            self.station.refuse(transaction, request, 481, now)
            return
        theirs = 0 if speaks_for(request, watch.watcher) else 403
        status = theirs or watch.dialog.refusal(request) or self._interval_fault(request) or 200
        if status != 200:
            self._refuse(transaction, request, status, now)
            return
        watch.dialog.refresh_target(request)
        if request.headers.all("Accept"):
            watch.accept = _accepted(request, self.packages[package]) or watch.accept
        self._accept(transaction, request, watch, now, first=False)

    def _status(self, request: Request, accept: tuple[str, ...], pair: tuple[str, str, str]) -> int:
        """Says with which status a new subscription is answered."""
        if not accept:
            return 406
        if fault := self._interval_fault(request):
            return fault
        status = self.admit(*pair)
        if status == 200 and (self._full(pair[1]) or len(self._pairs.get(pair, ())) >= PER_PAIR):
            return 500
        return status

    def _full(self, watcher: str) -> bool:
        return len(self._watches) >= self.limit or self._domains[domain_of(watcher)] >= self.per_domain

    def _interval_fault(self, request: Request) -> int:
        """Gives 423 for an interval that is too brief: below our minimum and below an hour (RFC 6665 4.2.1.1)."""
        asked = request.expires
        return 423 if asked is not None and 0 < asked < min(3600, self.min_expires) else 0

    def _refuse(self, transaction: int, request: Request, status: int, now: float) -> None:
        headers = {
            406: {"Accept": self.packages[PRESENCE][0] if PRESENCE in self.packages else ""},
            423: {"Min_Expires": str(self.min_expires)},
            500: {"Retry_After": "60"},
        }
        self.station.refuse(transaction, request, status, now, **headers.get(status, {}))

    def _accept(self, transaction: int, request: Request, watch: Watch, now: float, *, first: bool) -> None:
        """Sends the 200 and makes a NOTIFY due now, whatever was told when."""
        asked = self.max_expires if request.expires is None else min(request.expires, self.max_expires)
        made = self.station.accept(request, watch.dialog.local_tag)
        made.headers.set("Expires", str(asked))
        self.station.transactions.send_response(transaction, made, now)
        key = watch.dialog.key
        watch.expires_at = now + asked
        watch.due, watch.forced, watch.waiting = now, True, False
        self.revision += 1
        fetch = first and watch.fetch
        if asked == 0 and not fetch:
            self._leave(watch, now)
            self._events.append(self._gone(watch, "unsubscribed"))
            return
        if fetch:
            watch.state, watch.reason, watch.expires_at = WatchState.TERMINATED, "timeout", now + EXPIRES
        self._alarms.set(key, watch.wake)
        names = (watch.presentity, watch.watcher, watch.package, watch.accept)
        self._events.append(WatcherAsks(key, *names, asked, first, fetch, request))

    def _turn(self, watch: Watch, now: float) -> float:
        """Gives when a pair may be notified next; its subscriptions are notified in the same round."""
        began = self._paced.get(watch.pair)
        if began is None or now - began >= self.interval:
            return now
        return began + self.interval

    def _expire(self, watch: Watch, now: float) -> None:
        self._leave(watch, now)
        self._events.append(self._gone(watch, "timeout"))

    def _leave(self, watch: Watch, now: float) -> None:
        """Tells who was shown a document that nobody is there, and ends his subscription (RFC 8048 section 5.3.3)."""
        shown = watch.state is WatchState.ACTIVE
        watch.document = self.closed(watch.presentity, watch.package, watch.accept) if shown else NOTHING
        self._finish(watch, "timeout", now)

    def _finish(self, watch: Watch, reason: str, now: float) -> None:
        """Sends the last NOTIFY and forgets the subscription."""
        watch.state, watch.reason = WatchState.TERMINATED, reason
        self._notify(watch, now)
        self._drop(watch)

    def _notify(self, watch: Watch, now: float) -> None:
        watch.due, watch.forced = None, False
        if watch.told != (watch.state, watch.document) and self._turn(watch, now) <= now:
            self._paced[watch.pair] = now
            self._paces.set(watch.pair, now + self.interval)
        watch.told = (watch.state, watch.document)
        watch.waiting = True
        made = watch.dialog.request("NOTIFY", contact=self.station.contact_value())
        made.headers.add("Event", watch.event)
        made.headers.add("Subscription-State", watch.state_header(now))
        if watch.document.body:
            made.headers.add("Content-Type", watch.document.content_type)
            if watch.document.language:
                made.headers.add("Content-Language", watch.document.language)
            made.body = watch.document.body
        self.station.send_within(watch.dialog, made, now, _Told(watch.dialog.key))
        if watch.fetch:
            self._drop(watch)

    def _failed(self, watch: Watch, now: float) -> None:
        """Tries a NOTIFY again that was lost with its connection."""
        watch.failures += 1
        if watch.failures >= FAILURES:
            self._forget(watch, "no answer")
            return
        watch.forced = True
        watch.due = min(watch.due or float("inf"), now + FAILED_INTERVAL)

    def _keep(self, watch: Watch) -> None:
        self.revision += 1
        self._watches[watch.dialog.key] = watch
        self._pairs.setdefault(watch.pair, []).append(watch)
        self._domains[domain_of(watch.watcher)] += 1
        self._alarms.set(watch.dialog.key, watch.wake)

    def _drop(self, watch: Watch) -> None:
        if self._watches.pop(watch.dialog.key, None) is None:
            return
        self.revision += 1
        self._alarms.set(watch.dialog.key, None)
        self._domains[domain_of(watch.watcher)] -= 1
        kept = self._pairs[watch.pair]
        kept.remove(watch)
        if not kept:
            del self._pairs[watch.pair]

    def _forget(self, watch: Watch, reason: str) -> None:
        self._drop(watch)
        self._events.append(self._gone(watch, reason))

    def _gone(self, watch: Watch, reason: str) -> WatcherGone:
        return WatcherGone(watch.dialog.key, watch.presentity, watch.watcher, watch.package, reason)


def _accepted(request: Request, known: tuple[str, ...]) -> tuple[str, ...]:
    """Gives the types that both sides know, in our order; without Accept, or with a range, he reads the first."""
    asked = set()
    for value in request.headers.all("Accept"):
        try:
            asked.add(parse_content_type(value)[0])
        except SipSyntaxError:
            continue
    if "Accept" not in request.headers:
        return known[:1]
    first = known[:1] if {"*/*", known[0].partition("/")[0] + "/*"} & asked else ()
    found = tuple(each for each in known if each in asked or each in first)
    return () if found == (MARK,) else found
