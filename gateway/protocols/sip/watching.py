"""One subscription of a watcher, seen by the notifier (RFC 6665 section 4.2)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from attrs import define, field, frozen

from gateway.protocols.sip.dialogs import Dialog, DialogKey
from gateway.protocols.sip.message import Request


class WatchState(Enum):
    """Names the states of Subscription-State (RFC 6665 section 4.1.3)."""

    PENDING = "pending"
    ACTIVE = "active"
    TERMINATED = "terminated"


@frozen
class Document:
    """Is what a NOTIFY carries; an empty body has no type."""

    content_type: str = ""
    body: bytes = field(default=b"", repr=False)
    language: str = ""
    """The language of all that a person has written in it (Content-Language)."""


NOTHING = Document()


@frozen
class WatcherAsks:
    """A watcher has subscribed, refreshed or fetched, and is accepted: a NOTIFY follows at the next tick.

    What show() is told before that is in it. `accept` are the media types that the watcher reads.
    """

    key: DialogKey
    presentity: str
    watcher: str
    package: str
    accept: tuple[str, ...]
    expires: int
    first: bool
    fetch: bool
    request: Request = field(repr=False)


@frozen
class WatcherGone:
    """A subscription is over: `timeout`, `unsubscribed`, `481`, `no answer`, or the status that a NOTIFY got."""

    key: DialogKey
    presentity: str
    watcher: str
    package: str
    reason: str


@define(eq=False)
class Watch:
    """Is one subscription: its dialog, its state, and what is to be told."""

    dialog: Dialog
    package: str
    event_id: str
    presentity: str
    watcher: str
    accept: tuple[str, ...]
    expires_at: float
    state: WatchState = WatchState.PENDING
    document: Document = field(default=NOTHING, repr=False)
    told: tuple[WatchState, Document] | None = field(default=None, repr=False)
    """What the latest NOTIFY said."""
    due: float | None = None
    """When a NOTIFY wants to be sent."""
    forced: bool = False
    """A NOTIFY follows even when nothing has changed: to each SUBSCRIBE."""
    waiting: bool = False
    """A NOTIFY has no answer yet; the next waits for it, so that they cannot overtake each other."""
    failures: int = 0
    fetch: bool = False
    reason: str = ""
    """Why it is terminated."""
    retry_after: int | None = None

    @property
    def pair(self) -> tuple[str, str, str]:
        """Gives what the rate of notifications is limited for."""
        return self.presentity, self.watcher, self.package

    @property
    def wake(self) -> float:
        """Gives when this subscription wants to be looked at."""
        return self.expires_at if self.due is None or self.waiting else min(self.due, self.expires_at)

    @property
    def event(self) -> str:
        """Gives the Event header."""
        return f"{self.package};id={self.event_id}" if self.event_id else self.package

    def state_header(self, now: float) -> str:
        """Gives the Subscription-State header."""
        if self.state is not WatchState.TERMINATED:
            return f"{self.state.value};expires={max(0, int(self.expires_at - now))}"
        later = "" if self.retry_after is None else f";retry-after={self.retry_after}"
        return f"terminated;reason={self.reason}{later}"

    def to_plain(self, now: float, posix: float) -> dict[str, object]:
        """Gives what must be kept over a restart: no document, and the end in seconds since 1970."""
        return {
            "dialog": self.dialog.to_plain(),
            "package": self.package,
            "event_id": self.event_id,
            "presentity": self.presentity,
            "watcher": self.watcher,
            "accept": list(self.accept),
            "expires_at": posix + self.expires_at - now,
            "state": self.state.value,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, object], now: float, posix: float, cseq_floor: int) -> Watch:
        """Builds a subscription from what to_plain gave; raises KeyError, TypeError and ValueError."""
        dialog, accept, expires_at = plain["dialog"], plain["accept"], plain["expires_at"]
        if not isinstance(dialog, dict) or not isinstance(accept, list) or not isinstance(expires_at, int | float):
            raise TypeError("these are no plain values of a subscription")
        return cls(
            dialog=Dialog.from_plain(dialog, cseq_floor),
            package=str(plain["package"]),
            event_id=str(plain["event_id"]),
            presentity=str(plain["presentity"]),
            watcher=str(plain["watcher"]),
            accept=tuple(str(each) for each in accept),
            expires_at=now + expires_at - posix,
            state=WatchState(plain["state"]),
        )
