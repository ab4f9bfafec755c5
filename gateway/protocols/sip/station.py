"""What each role of the user agent stands on: transactions, ways, tokens, our Contact and our mark."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from attrs import frozen

from gateway.protocols.sip.dialogs import MAX_FORWARDS, Dialog
from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.transaction_events import Flow
from gateway.protocols.sip.transactions import TransactionLayer
from gateway.protocols.sip.uri import SipUri

HOP: Final = "X-Gateway-Hop"
"""The header by which a gateway knows its own requests: `id;hops=n`, `n` gateways may still follow."""
HOPS: Final = 4
ABSTRACT: Final = frozenset({"im", "pres"})
"""Schemes that name a person and no protocol (RFC 3859, RFC 3860)."""
HOPS_READ: Final = 8
"""Marks of one request that are carried on."""
MEDIUM: Final = 0.5
"""A jitter that is neither early nor late, for tests and first values."""


@frozen(eq=False)
class Station:
    """Lets the roles of one user agent build and send requests in which nothing of the inside is copied."""

    transactions: TransactionLayer
    token: Callable[[], str]
    """Makes unguessable text of letters and digits for tags and Call-IDs, which bear no host."""
    contact: str
    """The URI of the gateway itself, as in `sip:gw.corp.example:5061;transport=tls`."""
    way: Callable[[str, str, str], Flow]
    """Gives the flow for requests from a domain of this side's people to a peer's; then the URI of the next hop."""
    jitter: Callable[[], float] = lambda: MEDIUM
    """Gives a number from 0 to less than 1."""
    mark: str = ""
    """The opaque id of this gateway in X-Gateway-Hop; empty for none."""

    def request(
        self, method: str, sender: str, recipient: str, *, hops: int = HOPS, forwards: int | None = None
    ) -> Request:
        """Builds a request outside of any dialog; both are SIP URIs without parameters.

        `forwards` is what is left of Max-Forwards when the request carries on another (RFC 7332 section 4).
        """
        made = Request(method, recipient)
        headers = made.headers
        headers.add("Max-Forwards", str(MAX_FORWARDS))
        headers.add("From", f"<{sender}>;tag={self.token()}")
        headers.add("To", f"<{recipient}>")
        headers.add("Call-ID", self.token())
        headers.add("CSeq", f"1 {method}")
        self.put_mark(made, hops, forwards)
        return made

    def put_mark(self, request: Request, hops: int, forwards: int | None = None) -> None:
        """Lets gateways know a request again that carries something on (protocols.md L-01, L-02)."""
        if forwards is not None:
            request.headers.set("Max-Forwards", str(forwards))
        if self.mark:
            request.headers.add(HOP, f"{self.mark};hops={hops}")

    def send(self, request: Request, remote_uri: str, now: float, owner: object) -> int:
        """Sends a request towards the domain of an address, and gives its transaction."""
        flow = self.way(request.from_.uri.host, domain_of(remote_uri), request.uri)
        return self.transactions.send_request(request, flow, now, owner)

    def send_within(self, dialog: Dialog, request: Request, now: float, owner: object) -> int:
        """Sends a request of a dialog, and gives its transaction."""
        return self.transactions.send_request(request, self.flow_of(dialog), now, owner, dialog)

    def flow_of(self, dialog: Dialog) -> Flow:
        """Gives the flow for the requests of a dialog."""
        return self.way(domain_of(dialog.local_uri), domain_of(dialog.remote_uri), dialog.next_hop)

    def contact_value(self) -> str:
        """Gives our Contact header."""
        return f"<{self.contact}>"

    def reply(self, request: Request, status: int, reason: str | None = None, *, to_tag: str | None = None) -> Response:
        """Builds a response with a To tag where one is due, 100 excepted."""
        if status > 100 and to_tag is None and request.to.tag is None:
            to_tag = self.token()
        return request.reply(status, reason, to_tag=to_tag)

    def accept(self, request: Request, local_tag: str) -> Response:
        """Builds the 200 that begins or continues a dialog: routes kept, our Contact (RFC 3261 section 12.1.1)."""
        made = request.reply(200, to_tag=local_tag)
        for route in request.headers.all("Record-Route"):
            made.headers.add("Record-Route", route)
        made.headers.add("Contact", self.contact_value())
        return made

    def refuse(self, transaction: int, request: Request, status: int, now: float, **headers: str) -> None:
        """Answers with a status and further headers, whose names have underscores for hyphens."""
        made = self.reply(request, status)
        for name, value in headers.items():
            made.headers.set(name.replace("_", "-"), value)
        self.transactions.send_response(transaction, made, now)


def domain_of(uri: str) -> str:
    """Gives the domain of a SIP URI, in lower case."""
    return SipUri.parse(uri).host.lower()


def hop_fault(request: Request, mark: str) -> bool:
    """Says whether a request bears our own mark or may pass no further gateway (protocols.md L-02)."""
    for value in request.headers.all(HOP):
        name, _, rest = value.partition(";")
        hops = rest.strip().removeprefix("hops=")
        if (mark and name.strip().startswith(mark)) or (hops.isdecimal() and int(hops[:9]) == 0):
            return True
    return False


def hops_of(request: Request) -> list[tuple[str, int]]:
    """Gives the marks of the gateways that a request has passed, and how many each lets follow."""
    found = []
    for value in request.headers.all(HOP)[:HOPS_READ]:
        name, _, rest = value.partition(";")
        left = rest.strip().removeprefix("hops=")
        if name.strip() and left.isdecimal() and len(left) < 4:
            found.append((name.strip()[:64], int(left)))
    return found


def forwards_left(request: Request) -> int:
    """Gives Max-Forwards for a request that carries this one on; without one it begins anew (RFC 7332 section 4)."""
    had = request.max_forwards
    return MAX_FORWARDS if had is None else max(had - 1, 0)


def bare(uri: str) -> str:
    """Gives scheme, user and host of a URI: what names a person; raises SipSyntaxError.

    `im` and `pres` name the same people in SIP (RFC 3428 section 5, RFC 3856 section 5), who speak it as `sip`.
    """
    parsed = SipUri.parse(uri)
    scheme = "sip" if parsed.scheme in ABSTRACT else parsed.scheme
    return str(SipUri(scheme, parsed.user, parsed.host)) if parsed.host else str(parsed)


def speaks_for(request: Request, remote_uri: str) -> bool:
    """Says whether a request of a dialog comes from the domain that the dialog is with."""
    return request.from_.uri.host == domain_of(remote_uri)
