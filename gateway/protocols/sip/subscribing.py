"""One subscription of ours, and what answers and reasons mean for it (RFC 6665 sections 4.1 and 4.4, RFC 8048 5)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from typing import Final

from attrs import define, field, frozen

from gateway.protocols.sip.dialogs import Dialog
from gateway.protocols.sip.headers import parse_token_params
from gateway.protocols.sip.message import Request, Response

RETRY: Final = 30.0
"""Seconds before the first attempt after a failure; doubled each time."""
RETRY_MAX: Final = 1800.0
ENDING: Final = frozenset({404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604})
"""The statuses of a refresh that end the subscription; after others it lives to its end (RFC 6665 section 4.1.2.2)."""
PERMANENT: Final = frozenset({403, 404, 405, 406, 410, 415, 416, 420, 489, 501, 603, 604, 606})
"""The statuses after which asking again is of no use (RFC 8048 sections 5.2.1 and 7)."""


class Retry(Enum):
    """Says what follows the end of a subscription."""

    NOW = "now"
    LATER = "later"
    NEVER = "never"


REASONS: Final = {
    "deactivated": Retry.NOW,
    "probation": Retry.LATER,
    "rejected": Retry.NEVER,
    "timeout": Retry.NOW,
    "giveup": Retry.LATER,
    "noresource": Retry.NEVER,
    "invariant": Retry.NEVER,
}
"""What each reason of `terminated` asks for (RFC 6665 section 4.1.3); none or another: later."""


class Phase(Enum):
    """Names where a subscription of ours stands."""

    ASKING = "asking"
    """SUBSCRIBE is sent, no NOTIFY has come."""
    LIVE = "live"
    LEAVING = "leaving"
    """Expires 0 is sent, the last NOTIFY is awaited."""
    RESTING = "resting"
    """It is asked again at `retry_at`."""


@frozen
class SubscriptionKey:
    """Names one subscription: there is at most one live dialog for each."""

    watcher: str
    presentity: str
    package: str = "presence"


@frozen
class Pending:
    """The presentity has not decided yet."""

    key: SubscriptionKey


@frozen
class Active:
    """The presentity shows a document; an empty one means that nothing is known."""

    key: SubscriptionKey
    content_type: str
    body: bytes = field(repr=False)
    fetched: bool = False
    """It answers a fetch: nothing follows, and nothing was agreed to (RFC 8048 section 7.1)."""
    language: str = ""
    """Content-Language as it came."""


@frozen
class Terminated:
    """The subscription is over: for good, or until it is asked again by itself.

    `reason` is that of the NOTIFY, the status of a SUBSCRIBE, `no answer`, `unsubscribed`, or `fetched`.
    """

    key: SubscriptionKey
    permanently: bool
    reason: str


SubscriberEvent = Pending | Active | Terminated


@define(eq=False)
class Subscribed:
    """Is one subscription of ours."""

    key: SubscriptionKey
    expires: int
    """Seconds that are asked for; 0 for a fetch."""
    phase: Phase = Phase.ASKING
    request: Request | None = field(default=None, repr=False)
    """The SUBSCRIBE that began, or begins, the dialog."""
    dialog: Dialog | None = None
    leave: bool = False
    """It ends as soon as it can."""
    granted: int = 0
    """Seconds that were granted latest."""
    expires_at: float = 0.0
    refresh_at: float | None = None
    notify_by: float | None = None
    """Timer N: a NOTIFY must have come by then."""
    retry_at: float | None = None
    failures: int = 0
    refreshing: bool = False

    @property
    def wake(self) -> float | None:
        """Gives when it wants to be looked at."""
        times = [self.refresh_at, self.notify_by, self.retry_at, self.expires_at if self.phase is Phase.LIVE else None]
        return min((when for when in times if when is not None), default=None)

    @property
    def call(self) -> tuple[str, str]:
        """Gives Call-ID and our tag: what a NOTIFY is matched by (RFC 6665 section 4.1.2.4)."""
        if self.dialog is not None:
            return self.dialog.call_id, self.dialog.local_tag
        return (self.request.call_id, self.request.from_.tag or "") if self.request is not None else ("", "")

    def rest(self, when: float) -> None:
        """Drops the dialog and asks again at that time."""
        self.phase, self.retry_at = Phase.RESTING, when
        self.dialog = self.request = self.refresh_at = self.notify_by = None
        self.refreshing = False

    def to_plain(self, now: float, posix: float) -> dict[str, object]:
        """Gives what must be kept over a restart; times in seconds since 1970."""
        live = self.dialog is not None and self.phase is Phase.LIVE
        return {
            "watcher": self.key.watcher,
            "presentity": self.key.presentity,
            "package": self.key.package,
            "expires": self.expires,
            "dialog": self.dialog.to_plain() if live and self.dialog is not None else None,
            "granted": self.granted,
            "expires_at": posix + self.expires_at - now,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, object], now: float, posix: float, cseq_floor: int) -> Subscribed:
        """Builds a subscription from what to_plain gave; raises KeyError, TypeError and ValueError."""
        expires, granted, expires_at, dialog = (plain[name] for name in ("expires", "granted", "expires_at", "dialog"))
        if not isinstance(expires, int) or not isinstance(granted, int) or not isinstance(expires_at, int | float):
            raise TypeError("these are no plain values of a subscription")
        key = SubscriptionKey(str(plain["watcher"]), str(plain["presentity"]), str(plain["package"]))
        made = cls(key, expires, granted=granted, expires_at=now + expires_at - posix)
        if isinstance(dialog, dict):
            made.dialog = Dialog.from_plain(dialog, cseq_floor)
        return made


@frozen
class SubscriptionState:
    """Is the Subscription-State of a NOTIFY (RFC 6665 section 8.2.3)."""

    state: str
    expires: int | None = None
    reason: str = ""
    retry_after: int | None = None

    @classmethod
    def parse(cls, text: str) -> SubscriptionState:
        """Reads the header; raises SipSyntaxError."""
        return _state_cached(text) if len(text) <= _CACHED_LENGTH else cls._read(text)

    @classmethod
    def _read(cls, text: str) -> SubscriptionState:
        state, parameters = parse_token_params(text)
        numbers = {name: int(text[:9]) for name, text in parameters.items() if text.isascii() and text.isdigit()}
        return cls(
            state.lower(), numbers.get("expires"), parameters.get("reason", "").lower(), numbers.get("retry-after")
        )


_CACHED_LENGTH: Final = 100
_state_cached = lru_cache(1024)(SubscriptionState._read)


def refresh_after(seconds: int, jitter: float) -> float:
    """Gives when to refresh: after half of the time or a minute before its end, up to a tenth earlier."""
    return max(seconds * 0.5, seconds - 60.0) * (1.0 - 0.1 * jitter)


def retry_after(failures: int, asked: int | None, jitter: float) -> float:
    """Gives the seconds to the next attempt: what the peer asks for if that is longer, doubled with each failure."""
    own = min(RETRY * 2.0 ** min(failures, 10), RETRY_MAX) * (0.75 + 0.5 * jitter)
    return max(own, float(min(asked or 0, 86400)))


def seconds_in(response: Response | None, name: str) -> int:
    """Gives a header that is a number of seconds, 0 when it is not there."""
    value = "" if response is None else (response.headers.get(name) or "")
    digits = value.partition(";")[0].partition("(")[0].strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else 0
