"""What every request must pass before a role of the user agent sees it (RFC 3261 section 8.2, RFC 5922 section 7.3)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from attrs import field, frozen

from gateway.protocols.sip.headers import whole_number
from gateway.protocols.sip.message import Request
from gateway.protocols.sip.station import ABSTRACT, hop_fault
from gateway.protocols.sip.uri import SipUri
from gateway.protocols.sip.validation import MAX_BREADTH

METHODS: Final = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "MESSAGE", "INFO", "UPDATE", "SUBSCRIBE", "NOTIFY")
"""What we answer."""
ALLOW: Final = ", ".join(METHODS)
KNOWN: Final = frozenset({*METHODS, "REGISTER", "PRACK", "PUBLISH", "REFER"})
"""What we recognise; anything else gets 501."""
NAMED: Final = frozenset({"MESSAGE", "SUBSCRIBE"})
"""The methods whose Request-URI may name a person without a protocol: `im:`, `pres:` (RFC 3428, RFC 3856)."""
INSIDE_ONLY: Final = frozenset({"BYE", "INFO", "UPDATE", "NOTIFY"})
"""The methods that exist inside a dialog only."""

FILE_OFFER: Final = "text/x-msmsgsinvite"
"""The type of an invitation to send a file: Microsoft's own servers answer 606 when they filter it."""


@frozen
class Objection:
    """Is the answer to a request that is not let in."""

    status: int
    headers: dict[str, str] = field(factory=dict)


def certified(request: Request, domains: Collection[str] | None) -> bool:
    """Says whether the connection may speak for the domain in From; None is for a connection of our own inside.

    P-Asserted-Identity and all other P- headers are never read (protocols.md S-21).
    """
    sender = request.from_.uri
    if sender.scheme not in ("sip", "sips", *ABSTRACT) or not sender.host:
        return False
    return domains is None or sender.host in domains


def objection(request: Request, mark: str) -> Objection | None:
    """Gives what stands against a request, in the order of RFC 3261 section 8.2, if anything does."""
    if request.method != "OPTIONS" and request.max_forwards == 0:
        return Objection(483)
    if breadth_of(request) == 0:
        return Objection(440)
    if hop_fault(request, mark):
        return Objection(482)
    if request.method not in METHODS:
        return Objection(405 if request.method in KNOWN else 501, {"Allow": ALLOW})
    scheme = SipUri.parse(request.uri).scheme
    if scheme != "sip" and not (scheme in ABSTRACT and request.method in NAMED):
        return Objection(416)
    if wanted := request.headers.all("Require"):
        return Objection(420, {"Unsupported": ", ".join(wanted[:20])})
    if request.to.tag is None and request.method in INSIDE_ONLY:
        return Objection(481)
    return None


def breadth_of(request: Request) -> int | None:
    """Gives Max-Breadth: on how many branches a request may be at once; None when it does not say (RFC 5393 5.3)."""
    value = request.headers.get("Max-Breadth")
    return None if value is None else whole_number(value, MAX_BREADTH)


def body_objection(request: Request, types: tuple[str, ...]) -> Objection | None:
    """Gives what stands against the body of a MESSAGE (RFC 3428 section 7, RFC 3261 section 8.2.3)."""
    encoding = (request.headers.get("Content-Encoding") or "identity").lower()
    if encoding != "identity":
        return Objection(415, {"Accept-Encoding": "identity"})
    kind = request.content_type
    if kind is not None and kind[0] == FILE_OFFER:
        return Objection(606)
    shown = (request.headers.get("Content-Disposition") or "render").partition(";")[0].strip().lower()
    if request.body and (kind is None or kind[0] not in types or shown != "render"):
        return Objection(415, {"Accept": ", ".join(types)})
    return None
