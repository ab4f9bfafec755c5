"""The PUBLISH client: keeps one document per person at a presence server (RFC 3903 section 4)."""

from __future__ import annotations

from typing import Final

from attrs import define, field, frozen

from gateway.protocols.sip.message import Response
from gateway.protocols.sip.station import Station
from gateway.protocols.sip.subscribing import refresh_after, retry_after, seconds_in
from gateway.protocols.sip.timers import Alarms
from gateway.protocols.sip.transaction_events import ResponseReceived, TimedOut, TransportFailed
from gateway.protocols.sip.watching import NOTHING, Document

EXPIRES: Final = 3600
LIMIT: Final = 100_000
GIVING_UP: Final = frozenset({403, 404, 405, 410, 415, 416, 420, 489, 501, 603, 604})
"""The statuses after which this document is not published again."""


@frozen
class Published:
    """The server holds this person's latest document, or none any more."""

    person: str


@frozen
class PublishRefused:
    """The server will not hold it; it was refused with this status."""

    person: str
    status: int


PublisherEvent = Published | PublishRefused


@define(eq=False)
class _Publication:
    """Is what is published for one person."""

    person: str
    towards: str = ""
    document: Document = field(default=NOTHING, repr=False)
    expires: int = EXPIRES
    etag: str = ""
    changed: bool = True
    """The server does not have this document yet."""
    leave: bool = False
    serial: int = 0
    """The request that waits for an answer, 0 for none: there is one at a time (RFC 3903 section 4)."""
    failures: int = 0


@frozen
class _Asked:
    person: str


@define(eq=False)
class Publisher:
    """Publishes for persons; refreshes, restarts after 412, and tries again later when a server fails."""

    station: Station
    package: str = "presence"
    limit: int = LIMIT
    _all: dict[str, _Publication] = field(init=False, factory=dict)
    _alarms: Alarms[str] = field(init=False, factory=Alarms)

    def __len__(self) -> int:
        return len(self._all)

    def publish(
        self, person: str, document: Document, now: float, expires: int = EXPIRES, *, towards: str = ""
    ) -> bool:
        """Publishes a document for a SIP URI in place of the one before; False when there is no room.

        `towards` is a URI of the server's domain where that is not the person's own.
        """
        known = self._all.get(person)
        if known is None:
            if len(self._all) >= self.limit:
                return False
            known = self._all[person] = _Publication(person, towards or person, expires=expires)
        elif known.document == document and not known.leave:
            return True
        known.document, known.changed, known.leave = document, True, False
        if not known.serial:
            self._send(known, now)
        return True

    def remove(self, person: str, now: float) -> None:
        """Takes the document of a person away."""
        known = self._all.get(person)
        if known is None:
            return
        known.leave = True
        if known.serial:
            return
        if known.etag:
            self._send(known, now)
        else:
            self._forget(known)

    def answered(self, event: ResponseReceived | TimedOut | TransportFailed, now: float) -> list[PublisherEvent]:
        """Takes what became of a PUBLISH."""
        owner = event.owner
        known = self._all.get(owner.person) if isinstance(owner, _Asked) else None
        if known is None or known.serial != event.transaction:
            return []
        if not isinstance(event, ResponseReceived):
            known.serial = 0
            self._later(known, None, now)
            return []
        response = event.response
        if response.status < 200:
            return []
        known.serial = 0
        return self._accepted(known, response, now) if response.status < 300 else self._refused(known, response, now)

    def tick(self, now: float) -> list[PublisherEvent]:
        """Refreshes and tries again."""
        while (person := self._alarms.due(now)) is not None:
            known = self._all.get(person)
            if known is not None and not known.serial:
                self._send(known, now)
        return []

    def next_timer(self) -> float | None:
        """Gives when tick() wants to be called."""
        return self._alarms.next()

    def _send(self, known: _Publication, now: float) -> None:
        """Sends what the state asks for: initial, modify, refresh or remove (RFC 3903 table 1)."""
        made = self.station.request("PUBLISH", known.person, known.person)
        made.headers.add("Event", self.package)
        made.headers.add("Expires", "0" if known.leave else str(known.expires))
        if known.etag:
            made.headers.add("SIP-If-Match", known.etag)
        if not known.leave and (known.changed or not known.etag):
            made.headers.add("Content-Type", known.document.content_type)
            made.body = known.document.body
            known.changed = False
        self._alarms.set(known.person, None)
        known.serial = self.station.send(made, known.towards, now, _Asked(known.person))

    def _accepted(self, known: _Publication, response: Response, now: float) -> list[PublisherEvent]:
        """Takes a 2xx with the new tag; every success changes the tag (RFC 3903 section 4.1)."""
        known.failures = 0
        known.etag = response.headers.get("SIP-ETag") or ""
        granted = known.expires if response.expires is None else response.expires
        if known.leave:
            if granted and known.etag:
                self._send(known, now)
                return []
            self._forget(known)
        elif known.changed:
            self._send(known, now)
            return []
        else:
            self._alarms.set(known.person, now + max(1.0, refresh_after(granted, self.station.jitter())))
        return [Published(known.person)]

    def _refused(self, known: _Publication, response: Response, now: float) -> list[PublisherEvent]:
        status = response.status
        longer = seconds_in(response, "Min-Expires")
        if known.leave:
            self._forget(known)
            return [Published(known.person)]
        if status == 412 and known.etag:
            known.etag = ""
            self._send(known, now)
        elif status == 423 and known.expires < longer <= 86_400:
            known.expires, known.changed = longer, True
            self._send(known, now)
        elif status in GIVING_UP:
            self._forget(known)
            return [PublishRefused(known.person, status)]
        else:
            self._later(known, seconds_in(response, "Retry-After"), now)
        return []

    def _later(self, known: _Publication, asked: int | None, now: float) -> None:
        """Tries again with the whole document: nobody knows what the server has."""
        if known.leave:
            self._forget(known)
            return
        known.changed = True
        self._alarms.set(known.person, now + retry_after(known.failures, asked, self.station.jitter()))
        known.failures += 1

    def _forget(self, known: _Publication) -> None:
        self._alarms.set(known.person, None)
        self._all.pop(known.person, None)
