"""Dialogs: who speaks with whom, by which way and in which order (RFC 3261 section 12)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import define, field

from gateway.protocols.sip.faults import SipSyntaxError
from gateway.protocols.sip.headers import Headers, NameAddr
from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.uri import SipUri

MAX_FORWARDS: Final = 70
ROUTES: Final = 16
"""The most Record-Route values that a dialog is made with."""
_CSEQ_MAX: Final = 2**31 - 1
_TARGET_REFRESH: Final = frozenset({"INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY"})

DialogKey = tuple[str, str, str]
"""Call-ID, our tag, the peer's tag."""


class DialogRefused(ValueError):
    """Says with which status a message cannot begin a dialog or be part of one."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@define(eq=False)
class Dialog:
    """Is one dialog, from our end."""

    call_id: str
    local_tag: str
    remote_tag: str
    local_uri: str
    """Our user's address, as in From of what we send."""
    remote_uri: str
    remote_target: str = field(repr=False)
    """Where requests go: the peer's Contact."""
    route_set: tuple[str, ...] = field(default=(), repr=False)
    local_cseq: int = 0
    """The number of our latest request; 0 when there was none."""
    remote_cseq: int | None = None
    _contact_said: str | None = field(init=False, default=None, repr=False)
    """The Contact that `remote_target` was taken from last, as it was written."""

    @classmethod
    def as_caller(cls, request: Request, response: Response) -> Dialog:
        """Begins a dialog from our request and a response that has a To tag; raises DialogRefused."""
        return cls(
            call_id=request.call_id,
            local_tag=request.from_.tag or "",
            remote_tag=_tag(response.to),
            local_uri=str(request.from_.uri),
            remote_uri=str(request.to.uri),
            remote_target=_contact(response),
            route_set=tuple(reversed(_record_route(response))),
            local_cseq=request.cseq.number,
        )

    @classmethod
    def as_called(cls, request: Request, local_tag: str) -> Dialog:
        """Begins a dialog from a peer's request, with our tag; raises DialogRefused.

        A NOTIFY begins one as well, when it answers our SUBSCRIBE (RFC 6665 section 4.4.1).
        """
        return cls(
            call_id=request.call_id,
            local_tag=local_tag,
            remote_tag=_tag(request.from_),
            local_uri=str(request.to.uri),
            remote_uri=str(request.from_.uri),
            remote_target=_contact(request),
            route_set=tuple(_record_route(request)),
            remote_cseq=request.cseq.number,
        )

    @property
    def key(self) -> DialogKey:
        """Gives the identity of the dialog (RFC 3261 section 12)."""
        return self.call_id, self.local_tag, self.remote_tag

    @property
    def next_hop(self) -> str:
        """Gives the URI that the next request is sent to: the first route, or the peer's Contact."""
        return str(NameAddr.parse(self.route_set[0]).uri) if self.route_set else self.remote_target

    def request(self, method: str, *, contact: str | None = None, cseq: int | None = None) -> Request:
        """Builds the next request; `cseq` is given for ACK, which takes the number of its INVITE (12.2.1.1)."""
        if cseq is None:
            self.local_cseq = cseq = self.local_cseq + 1
        uri, routes = self._way()
        fields = [
            ("max-forwards", "Max-Forwards", str(MAX_FORWARDS)),
            ("from", "From", f"<{self.local_uri}>;tag={self.local_tag}"),
            ("to", "To", f"<{self.remote_uri}>" + (f";tag={self.remote_tag}" if self.remote_tag else "")),
            ("call-id", "Call-ID", self.call_id),
            ("cseq", "CSeq", f"{cseq} {method}"),
        ]
        fields += [("route", "Route", route) for route in routes]
        if contact is not None:
            fields.append(("contact", "Contact", contact))
        return Request(method, uri, Headers.made_of(fields))

    def refusal(self, request: Request) -> int | None:
        """Takes the number of a peer's request and says with which status it is out of order (12.2.2)."""
        number = request.cseq.number
        if request.method in ("ACK", "CANCEL"):
            return None
        if self.remote_cseq is not None and number <= self.remote_cseq:
            return 500
        self.remote_cseq = number
        return None

    def refresh_target(self, message: Request | Response) -> bool:
        """Takes a new Contact from a target refresh request or its 2xx, and says whether it is another than before.

        What cannot be a target is passed over.
        """
        said = message.headers.get("contact")
        if said is None or said == self._contact_said or message.cseq.method not in _TARGET_REFRESH:
            return False
        before = self.remote_target
        try:
            self.remote_target, self._contact_said = _contact(message), said
        except DialogRefused:
            return False
        return self.remote_target != before

    def to_plain(self) -> dict[str, object]:
        """Gives what must be kept to continue the dialog after a restart."""
        return {
            "call_id": self.call_id,
            "local_tag": self.local_tag,
            "remote_tag": self.remote_tag,
            "local_uri": self.local_uri,
            "remote_uri": self.remote_uri,
            "remote_target": self.remote_target,
            "route_set": list(self.route_set),
            "local_cseq": self.local_cseq,
            "remote_cseq": self.remote_cseq,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, object], cseq_floor: int = 0) -> Dialog:
        """Builds a dialog from what to_plain gave; raises KeyError, TypeError and ValueError.

        Our numbers continue above `cseq_floor`: with one taken from the clock, a number need not be kept each time it
        grows (RFC 3261 section 12.2.1.1 allows such numbers, and a receiver takes gaps).
        """
        routes, local, remote = plain["route_set"], plain["local_cseq"], plain["remote_cseq"]
        if not isinstance(routes, list) or not isinstance(local, int) or not isinstance(remote, int | None):
            raise TypeError("these are no plain values of a dialog")
        texts = {name: _text(plain[name]) for name in _TEXTS}
        for uri in ("local_uri", "remote_uri", "remote_target"):
            SipUri.parse(texts[uri])
        return cls(
            **texts,
            route_set=tuple(_text(route) for route in routes),
            local_cseq=min(max(local, cseq_floor), _CSEQ_MAX - 1),
            remote_cseq=remote,
        )

    def _way(self) -> tuple[str, list[str]]:
        """Gives Request-URI and Route; a first router that is strict becomes the Request-URI (12.2.1.1)."""
        if not self.route_set:
            return self.remote_target, []
        first = NameAddr.parse(self.route_set[0]).uri
        if first.parameter("lr") is not None:
            return self.remote_target, list(self.route_set)
        return str(first), [*self.route_set[1:], f"<{self.remote_target}>"]


_TEXTS: Final = ("call_id", "local_tag", "remote_tag", "local_uri", "remote_uri", "remote_target")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("these are no plain values of a dialog")
    return value


def _tag(party: NameAddr) -> str:
    if not party.tag:
        raise DialogRefused(400, "a dialog needs a tag of either side")
    return party.tag


def _contact(message: Request | Response) -> str:
    contact = message.contact
    if contact is None or contact.uri.scheme not in ("sip", "sips"):
        raise DialogRefused(400, "a dialog needs a Contact that is a SIP URI")
    return str(contact.uri)


def _record_route(message: Request | Response) -> list[str]:
    routes = message.headers.all("Record-Route")
    if len(routes) > ROUTES:
        raise DialogRefused(400, "too many routes")
    try:
        return [f"<{NameAddr.parse(route).uri}>" for route in routes]
    except SipSyntaxError:
        raise DialogRefused(400, "a route is not an address") from None
