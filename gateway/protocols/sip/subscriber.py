"""The subscriber: asks for presence, keeps the subscription alive, and tells what comes (RFC 6665 4.1, RFC 3856)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from attrs import define, field, frozen

from gateway.protocols.sip.dialogs import Dialog, DialogRefused
from gateway.protocols.sip.faults import SipSyntaxError
from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.station import Station, speaks_for
from gateway.protocols.sip.subscribing import (
    ENDING,
    PERMANENT,
    REASONS,
    Active,
    Pending,
    Phase,
    Retry,
    Subscribed,
    SubscriberEvent,
    SubscriptionKey,
    SubscriptionState,
    Terminated,
    refresh_after,
    retry_after,
    seconds_in,
)
from gateway.protocols.sip.timers import TRANSACTION, Alarms
from gateway.protocols.sip.transaction_events import ResponseReceived, TimedOut, TransportFailed

PIDF: Final = "application/pidf+xml"
EXPIRES: Final = 3600
LIMIT: Final = 100_000
MIN_EXPIRES_MAX: Final = 86_400
"""The longest Min-Expires that is obeyed, in seconds."""
SOONEST: Final = 5
"""Seconds between the end of a dialog and a new one, however welcome that is."""


@frozen
class _Asked:
    """Owns a SUBSCRIBE."""

    key: SubscriptionKey
    call: tuple[str, str]


@define(eq=False)
class Subscriber:
    """Keeps our subscriptions; what ended for a while is asked again by itself, with back-off."""

    station: Station
    wanted: Callable[[SubscriptionKey], bool] = lambda key: True
    """Says before each refresh whether there is still somebody to be told (RFC 8048 section 8.1)."""
    accept: Mapping[str, tuple[str, ...]] = field(factory=lambda: {"presence": (PIDF,)})
    limit: int = LIMIT
    _all: dict[SubscriptionKey, Subscribed] = field(init=False, factory=dict)
    _calls: dict[tuple[str, str], SubscriptionKey] = field(init=False, factory=dict)
    _alarms: Alarms[SubscriptionKey] = field(init=False, factory=Alarms)
    _events: list[SubscriberEvent] = field(init=False, factory=list)

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, key: SubscriptionKey) -> bool:
        return key in self._all

    def subscribe(self, key: SubscriptionKey, now: float, expires: int = EXPIRES) -> bool:
        """Asks for notifications, or once with `expires` 0; False when there is no room.

        Asking again for what is alive changes nothing; what rests is asked for now.
        """
        known = self._all.get(key)
        if known is not None:
            known.leave = False
            known.expires = known.expires or expires
            if known.phase is Phase.RESTING:
                self._ask(known, now)
            return True
        if len(self._all) >= self.limit:
            return False
        self._all[key] = made = Subscribed(key, expires)
        self._ask(made, now)
        return True

    def unsubscribe(self, key: SubscriptionKey, now: float) -> list[SubscriberEvent]:
        """Ends a subscription; Terminated follows, at once when there is no dialog to end."""
        self._events = []
        known = self._all.get(key)
        if known is not None:
            known.leave = True
            if known.phase is Phase.RESTING:
                self._end(known, permanently=False, reason="unsubscribed")
            elif known.phase is Phase.LIVE and not known.refreshing:
                self._leave(known, now)
        return self._events

    def refresh(self, key: SubscriptionKey, now: float, within: float = 0.0) -> None:
        """Lets a live subscription be refreshed within so many seconds: its dialog may be gone, or a change missed."""
        known = self._all.get(key)
        if known is not None and known.phase is Phase.LIVE and not known.refreshing:
            known.refresh_at = min(known.refresh_at or known.expires_at, now + within * self.station.jitter())
            self._arm(known)

    def __iter__(self) -> Iterator[SubscriptionKey]:
        return iter(list(self._all))

    def notify_received(self, transaction: int | None, request: Request, now: float) -> list[SubscriberEvent]:
        """Answers a NOTIFY and tells what it says; BENOTIFY has no transaction and gets no answer."""
        self._events = []
        known = self._all.get(self._calls.get((request.call_id, request.to.tag or ""), _NOBODY))
        status = 481 if known is None else self._fault(known, request)
        if known is None or status:
            headers = {"Accept": ", ".join(self._types(known))} if known is not None and status == 415 else {}
            if transaction is not None:
                self.station.refuse(transaction, request, status, now, **headers)
            return self._events
        if transaction is not None:
            self.station.transactions.send_response(transaction, request.reply(200), now)
        self._take(known, request, SubscriptionState.parse(request.headers.get("Subscription-State") or ""), now)
        return self._events

    def answered(self, event: ResponseReceived | TimedOut | TransportFailed, now: float) -> list[SubscriberEvent]:
        """Takes what became of a SUBSCRIBE."""
        self._events = []
        owner = event.owner
        known = self._all.get(owner.key) if isinstance(owner, _Asked) else None
        if known is None or not isinstance(owner, _Asked) or known.call != owner.call:
            return self._events
        if not isinstance(event, ResponseReceived):
            self._refused(known, None, now)
        elif event.response.status >= 300:
            self._refused(known, event.response, now)
        elif event.response.status >= 200:
            self._granted(known, event.response, now)
        return self._events

    def tick(self, now: float) -> list[SubscriberEvent]:
        """Refreshes, asks again, and ends what has had no NOTIFY."""
        self._events = []
        while (key := self._alarms.due(now)) is not None:
            known = self._all.get(key)
            if known is not None:
                self._tick(known, now)
                self._arm(known)
        return self._events

    def next_timer(self) -> float | None:
        """Gives when tick() wants to be called."""
        return self._alarms.next()

    def to_plain(self, now: float, posix: float) -> list[dict[str, object]]:
        """Gives all subscriptions to be kept over a restart, without fetches and those that are ending."""
        return [each.to_plain(now, posix) for each in self._all.values() if each.expires and not each.leave]

    def restore(self, plain: Mapping[str, object], now: float, posix: float, cseq_floor: int) -> SubscriptionKey:
        """Takes one subscription back: what is alive is refreshed soon, anything else asked for again, staggered.

        Raises KeyError, TypeError and ValueError for what to_plain did not write.
        """
        made = Subscribed.from_plain(plain, now, posix, cseq_floor)
        soon = now + 60.0 * self.station.jitter()
        if made.dialog is None or made.expires_at <= soon:
            made.rest(soon)
        else:
            made.phase, made.refresh_at = Phase.LIVE, soon
            self._calls[made.call] = made.key
        self._all[made.key] = made
        self._arm(made)
        return made.key

    def _types(self, known: Subscribed) -> tuple[str, ...]:
        return self.accept.get(known.key.package, (PIDF,))

    def _ask(self, known: Subscribed, now: float) -> None:
        """Sends the SUBSCRIBE of a new dialog."""
        made = self.station.request("SUBSCRIBE", known.key.watcher, known.key.presentity)
        made.headers.add("Contact", self.station.contact_value())
        known.phase, known.request, known.dialog = Phase.ASKING, made, None
        known.retry_at = known.refresh_at = None
        self._calls[known.call] = known.key
        self._finish(known, made, known.expires)
        known.notify_by = now + TRANSACTION
        self.station.send(made, known.key.presentity, now, _Asked(known.key, known.call))
        self._arm(known)

    def _again(self, known: Subscribed, expires: int, now: float) -> None:
        """Sends a SUBSCRIBE inside the dialog."""
        if known.dialog is None:
            return
        made = known.dialog.request("SUBSCRIBE", contact=self.station.contact_value())
        self._finish(known, made, expires)
        known.refreshing, known.refresh_at, known.notify_by = True, None, now + TRANSACTION
        self.station.send_within(known.dialog, made, now, _Asked(known.key, known.call))
        self._arm(known)

    def _finish(self, known: Subscribed, made: Request, expires: int) -> None:
        made.headers.add("Event", known.key.package)
        made.headers.add("Accept", ", ".join(self._types(known)))
        made.headers.add("Expires", str(expires))

    def _leave(self, known: Subscribed, now: float) -> None:
        known.phase = Phase.LEAVING
        self._again(known, 0, now)

    def _fault(self, known: Subscribed, request: Request) -> int:
        """Says with which status a NOTIFY is refused, 0 for none; the first one makes the dialog."""
        dialog, tag = known.dialog, request.from_.tag or ""
        if not speaks_for(request, known.key.presentity):
            return 403
        try:
            event, state = request.event, request.headers.get("Subscription-State")
            if event is None or state is None or event[0].lower() != known.key.package:
                return 489 if event is None or state is not None else 400
            SubscriptionState.parse(state)
            kind = request.content_type
            if dialog is None:
                dialog = Dialog.as_called(request, known.call[1])
        except DialogRefused as refused:
            return refused.status
        except SipSyntaxError:
            return 400
        if dialog.remote_tag != tag:
            return 481  # a fork: one dialog is enough (RFC 6665 section 4.4.1)
        if request.body and (kind is None or kind[0] not in self._types(known)):
            return 415
        if known.dialog is not None:
            return dialog.refusal(request) or 0
        if known.request is not None:
            dialog.local_uri, dialog.remote_uri = known.key.watcher, known.key.presentity
            dialog.local_cseq = known.request.cseq.number
        known.dialog = dialog
        return 0

    def _take(self, known: Subscribed, request: Request, state: SubscriptionState, now: float) -> None:
        if known.dialog is not None:
            known.dialog.refresh_target(request)
        if state.state != "terminated":
            if known.phase is not Phase.LEAVING:
                self._alive(known, state, now)
            if known.leave:
                return
            if state.state == "pending":
                self._events.append(Pending(known.key))
            else:
                self._show(known, request)
            return
        if known.expires == 0 or known.leave:
            if request.body and not known.leave:
                self._show(known, request)
            self._end(known, permanently=False, reason="unsubscribed" if known.leave else "fetched")
            return
        retry = REASONS.get(state.reason, Retry.LATER)
        if retry is Retry.NEVER:
            self._end(known, permanently=True, reason=state.reason)
        else:
            failures = known.failures - 3 if retry is Retry.NOW else known.failures
            seconds = retry_after(failures, state.retry_after, self.station.jitter())
            self._rest(known, state.reason or "terminated", now + seconds)

    def _show(self, known: Subscribed, request: Request) -> None:
        kind = request.content_type
        kind_said = kind[0] if kind is not None and request.body else ""
        language = request.headers.get("content-language") or ""
        self._events.append(Active(known.key, kind_said, request.body, known.expires == 0, language))

    def _alive(self, known: Subscribed, state: SubscriptionState, now: float) -> None:
        """Takes the time that is left, which a NOTIFY says with authority (RFC 6665 section 4.1.3)."""
        began = known.phase is not Phase.LIVE
        known.phase, known.notify_by = Phase.LIVE, None
        if began or state.expires is not None:
            left = known.granted if state.expires is None else state.expires
            self._lives(known, left or known.expires, now)
        known.failures = 0
        if known.leave:
            self._leave(known, now)
        self._arm(known)

    def _lives(self, known: Subscribed, seconds: int, now: float) -> None:
        """Sets the end, and the refresh unless the end is what was known already."""
        ends = now + seconds
        if known.refresh_at is None or abs(ends - known.expires_at) > 2.0:
            known.refresh_at = now + refresh_after(seconds, self.station.jitter())
        known.expires_at, known.granted = ends, seconds

    def _granted(self, known: Subscribed, response: Response, now: float) -> None:
        """Takes a 2xx; before the first NOTIFY it says nothing but how long (RFC 6665 section 4.1.2.1)."""
        known.granted = known.expires if response.expires is None else response.expires
        known.refreshing = False
        if known.dialog is not None and known.phase is Phase.LIVE:
            known.dialog.refresh_target(response)
            self._lives(known, known.granted or known.expires, now)
            if known.leave:
                self._leave(known, now)
        self._arm(known)

    def _refused(self, known: Subscribed, response: Response | None, now: float) -> None:
        """Takes a final response other than 2xx, or None when there was none."""
        status = 0 if response is None else response.status
        reason = str(status) if status else "no answer"
        later = seconds_in(response, "Retry-After")
        known.refreshing = False
        if known.leave or known.expires == 0:
            self._end(known, permanently=status in PERMANENT and not known.leave, reason=reason)
        elif status == 423 and (longer := seconds_in(response, "Min-Expires")) and longer > known.expires:
            known.expires = min(longer, MIN_EXPIRES_MAX)
            self._again(known, known.expires, now) if known.phase is Phase.LIVE else self._ask_anew(known, now)
        elif status in PERMANENT:
            self._end(known, permanently=True, reason=reason)
        elif known.phase is Phase.LIVE and status not in ENDING:
            known.notify_by = None
            known.refresh_at = now + retry_after(known.failures, later, self.station.jitter())
            known.failures += 1
            self._arm(known)
        elif known.phase is Phase.LIVE:
            self._rest(known, reason, now + (later or SOONEST))
        else:
            self._rest(known, reason, now + retry_after(known.failures, later, self.station.jitter()))

    def _ask_anew(self, known: Subscribed, now: float) -> None:
        self._calls.pop(known.call, None)
        self._ask(known, now)

    def _tick(self, known: Subscribed, now: float) -> None:
        if known.retry_at is not None and now >= known.retry_at:
            if self.wanted(known.key):
                self._ask(known, now)
            else:
                self._end(known, permanently=False, reason="unsubscribed")
        elif known.notify_by is not None and now >= known.notify_by:
            self._silent(known, "no answer", now)
        elif known.phase is Phase.LIVE and now >= known.expires_at:
            self._silent(known, "timeout", now)
        elif known.refresh_at is not None and now >= known.refresh_at:
            known.refresh_at = None
            if self.wanted(known.key):
                self._again(known, known.expires, now)

    def _silent(self, known: Subscribed, reason: str, now: float) -> None:
        """Gives a dialog up that is silent or over: asks again, later each time."""
        if known.leave or known.expires == 0 or not self.wanted(known.key):
            self._end(known, permanently=False, reason="unsubscribed" if known.leave else reason)
        else:
            self._rest(known, reason, now + retry_after(known.failures, None, self.station.jitter()))

    def _rest(self, known: Subscribed, reason: str, when: float) -> None:
        self._calls.pop(known.call, None)
        known.failures += 1
        known.rest(when)
        self._arm(known)
        self._events.append(Terminated(known.key, False, reason))

    def _end(self, known: Subscribed, *, permanently: bool, reason: str) -> None:
        self._calls.pop(known.call, None)
        self._all.pop(known.key, None)
        self._alarms.set(known.key, None)
        self._events.append(Terminated(known.key, permanently, reason))

    def _arm(self, known: Subscribed) -> None:
        if known.key in self._all:
            self._alarms.set(known.key, known.wake)


_NOBODY: Final = SubscriptionKey("", "", "")
