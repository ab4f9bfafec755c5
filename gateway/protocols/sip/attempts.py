"""What is done when a request has failed: the next server, the place it is redirected to, the password asked for."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Final, Protocol

from attrs import define

from gateway.protocols.sip.client_transaction import ClientTransaction
from gateway.protocols.sip.digest import Digest
from gateway.protocols.sip.faults import SipSyntaxError
from gateway.protocols.sip.headers import NameAddr
from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.subscribing import seconds_in
from gateway.protocols.sip.transaction_events import Flow, ResponseReceived, TimedOut, TransportFailed
from gateway.protocols.sip.uri import SipUri

REDIRECTS: Final = 3
"""How often one request is redirected."""
TRIES: Final = 6
"""How many transactions one request may take in all."""
PATIENCE: Final = 64.0
"""Seconds after which no other server is tried."""
_MOVED: Final = frozenset({301, 302})


class Failure(Enum):
    """Says how a server has failed."""

    UNREACHABLE = "unreachable"
    SILENT = "silent"
    OVERLOADED = "overloaded"


class Ways(Protocol):
    """Knows other ways than the one that was taken."""

    def other(
        self, failed: Flow, peers: tuple[str, str], tried: Sequence[Flow], failure: Failure, since: float, seconds: int
    ) -> Flow | None:
        """Gives the flow to the next server of the same peer (RFC 3263 section 4.3), or None.

        `peers` are the domains of the sender and of the recipient; `since` is when the request went on the failed flow;
        `seconds` is how long the server wants to be left alone.
        """

    def moved(self, flow: Flow, local: str, former: SipUri, target: SipUri) -> Flow | None:
        """Gives the flow to where a server on a flow says that somebody is, None where it must not say so."""


@define(eq=False)
class Attempts:
    """Lets one request of a role's be several transactions (RFC 3261 sections 8.1.3.3 to 8.1.3.5, RFC 3263 4.3)."""

    ways: Ways
    digest: Digest | None = None
    """For our own server alone: a partner is never told a password."""

    def prepare(self, request: Request) -> None:
        """Answers beforehand what was asked before."""
        if self.digest is not None:
            self.digest.put(request)

    def again(
        self, asked: ClientTransaction, event: ResponseReceived | TimedOut | TransportFailed, now: float
    ) -> Flow | None:
        """Changes the request for one more try and gives the flow for it, or None."""
        if len(asked.trail.flows) >= TRIES:
            return None
        if isinstance(event, TransportFailed):
            return self._elsewhere(asked, Failure.UNREACHABLE, now)
        if isinstance(event, TimedOut):
            return self._elsewhere(asked, Failure.SILENT, now)
        status = event.response.status
        if status == 503:
            return self._elsewhere(asked, Failure.OVERLOADED, now, seconds_in(event.response, "Retry-After"))
        if status in (401, 407):
            return self._authenticated(asked, event.response)
        return self._redirected(asked, event.response) if status in _MOVED else None

    def _elsewhere(self, asked: ClientTransaction, failure: Failure, now: float, seconds: int = 0) -> Flow | None:
        """Gives the next server; in a dialog only for one that is not reached, since the others do not know it."""
        trail = asked.trail
        if now - trail.since > PATIENCE or (trail.dialog is not None and failure is not Failure.UNREACHABLE):
            return None
        request = asked.request
        peers = (request.from_.uri.host, request.to.uri.host)
        return self.ways.other(asked.flow, peers, trail.flows, failure, asked.started, seconds)

    def _authenticated(self, asked: ClientTransaction, response: Response) -> Flow | None:
        if self.digest is None or not self.digest.challenged(asked.request, response, asked.trail.challenges):
            return None
        asked.trail.challenges += 1
        _renumber(asked)
        return asked.flow

    def _redirected(self, asked: ClientTransaction, response: Response) -> Flow | None:
        """Follows the Contact that is preferred, of those that may be followed; a dialog is not redirected."""
        request, trail = asked.request, asked.trail
        if trail.dialog is not None or trail.redirects >= REDIRECTS:
            return None
        former = SipUri.parse(request.uri)
        for target in _contacts(response):
            if str(target) == request.uri:
                continue
            flow = self.ways.moved(asked.flow, request.from_.uri.host, former, target)
            if flow is not None:
                request.uri = str(target)
                trail.redirects += 1
                _renumber(asked)
                self.prepare(request)
                return flow
        return None


def _renumber(asked: ClientTransaction) -> None:
    """Gives a request the next number, in its dialog if it has one (RFC 3261 section 22.2)."""
    request, dialog = asked.request, asked.trail.dialog
    number = request.cseq.number + 1
    if dialog is not None:
        number = dialog.local_cseq = max(dialog.local_cseq + 1, number)
    request.headers.set("CSeq", f"{number} {request.method}")


def _contacts(response: Response) -> list[SipUri]:
    """Gives the `sip` URIs of Contact without headers, the preferred first (RFC 3261 section 20.10)."""
    found: list[tuple[float, SipUri]] = []
    for value in response.headers.all("Contact"):
        try:
            contact = NameAddr.parse(value)
        except SipSyntaxError:
            continue
        if contact.uri.scheme == "sip" and not contact.uri.has_headers and contact.uri.user:
            found.append((_preference(contact), contact.uri))
    return [uri for _, uri in sorted(found, key=lambda each: -each[0])]


def _preference(contact: NameAddr) -> float:
    try:
        return float(contact.parameter("q") or 1.0)
    except ValueError:
        return 0.0
