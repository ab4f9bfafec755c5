"""Requests and responses (RFC 3261 section 7)."""

from attrs import define, field

from gateway.protocols.sip.faults import SipSyntaxError
from gateway.protocols.sip.headers import (
    MAX_DELTA_SECONDS,
    CSeq,
    Headers,
    NameAddr,
    Via,
    parse_content_type,
    parse_token_params,
    split_list,
    whole_number,
)
from gateway.protocols.sip.names import reason_phrase


class _Fields:
    """Gives typed views of the headers; each raises SipSyntaxError when the value, or a mandatory header, is not there.

    The views of a message that came from a reader do not raise, except `event`.
    """

    __slots__ = ()

    headers: Headers

    def _needed(self, name: str) -> str:
        value = self.headers.get(name)
        if value is None:
            raise SipSyntaxError(f"no {name}")
        return value

    @property
    def call_id(self) -> str:
        """Gives the Call-ID."""
        return self._needed("call-id")

    @property
    def cseq(self) -> CSeq:
        """Gives the CSeq."""
        return self.headers.view("cseq", CSeq.parse)

    @property
    def from_(self) -> NameAddr:
        """Gives From."""
        return self.headers.view("from", NameAddr.parse)

    @property
    def to(self) -> NameAddr:
        """Gives To."""
        return self.headers.view("to", NameAddr.parse)

    @property
    def vias(self) -> list[Via]:
        """Gives every Via, the topmost first."""
        return [Via.parse(value) for value in self.headers.all("via")]

    @property
    def top_via(self) -> Via:
        """Gives the topmost Via."""
        return self.headers.view("via", _top_via)

    @property
    def contact(self) -> NameAddr | None:
        """Gives the first Contact; None when there is none or it is `*`."""
        values = self.headers.all("contact")
        return NameAddr.parse(values[0]) if values and values[0] != "*" else None

    @property
    def expires(self) -> int | None:
        """Gives Expires in seconds, at most 2**32-1; None when there is none or it is no number."""
        value = self.headers.get("expires")
        if value is None or not (value.isascii() and value.isdigit()):
            return None
        number = whole_number(value, MAX_DELTA_SECONDS)
        return MAX_DELTA_SECONDS if number is None else number

    @property
    def event(self) -> tuple[str, dict[str, str]] | None:
        """Gives the event package and its parameters (RFC 6665 section 8.2.1)."""
        value = self.headers.get("event")
        return None if value is None else parse_token_params(value)

    @property
    def content_type(self) -> tuple[str, dict[str, str]] | None:
        """Gives the media type of the body in lower case, and its parameters."""
        value = self.headers.get("content-type")
        return None if value is None else parse_content_type(value)


@define(repr=False)
class Request(_Fields):
    """Is a request; `uri` is the Request-URI as it stood on the line."""

    method: str
    uri: str
    headers: Headers = field(factory=Headers)
    body: bytes = b""

    @property
    def max_forwards(self) -> int | None:
        """Gives Max-Forwards, None when there is none (RFC 3261 section 20.22)."""
        value = self.headers.get("max-forwards")
        return None if value is None else whole_number(value, 255)

    def came_from(self, address: str, port: int) -> None:
        """Writes into the topmost Via where the request came from (RFC 3261 section 18.2.1, RFC 3581 section 4).

        What the Via says of it already is overwritten: only we have seen the packet. Raises SipSyntaxError.
        """
        via = self.top_via
        asked = via.parameter("rport") is not None
        if not asked and via.host == address and via.parameter("received") is None:
            return
        marked = via.marked("received", address)
        if asked:
            marked = marked.marked("rport", str(port))
        self.headers.set_first("Via", str(marked), marked)

    @property
    def answer_port(self) -> int:
        """Gives the port that a response by datagram goes to (RFC 3261 section 18.2.2, RFC 3581 section 4)."""
        via = self.top_via
        port = via.parameter("rport") or ""
        return int(port) if port.isdecimal() else via.port or 5060

    def reply(self, status: int, reason: str | None = None, *, to_tag: str | None = None) -> "Response":
        """Builds the response to this request, the tag put on To unless it has one (RFC 3261 section 8.2.6).

        Works for the request of a Malformed as well: what it copies is copied as it came.
        """
        fields = [("via", "Via", value) for value in self.headers.all("via")]
        fields += [(name.lower(), name, self._needed(name)) for name in ("From", "To", "Call-ID", "CSeq")]
        if to_tag is not None and self._wants_tag():
            fields[-3] = ("to", "To", f"{self._needed('To')};tag={to_tag}")
        headers = Headers.made_of(fields)
        timestamp = self.headers.get("timestamp")
        if status == 100 and timestamp is not None:
            headers.add("Timestamp", timestamp)
        return Response(status, reason_phrase(status) if reason is None else reason, headers)

    def _wants_tag(self) -> bool:
        try:
            return self.to.tag is None
        except SipSyntaxError:  # no place to put it
            return False

    def __repr__(self) -> str:
        return f"<Request {self.method} {len(self.headers)} headers, {len(self.body)} bytes>"


@define(repr=False)
class Response(_Fields):
    """Is a response."""

    status: int
    reason: str
    headers: Headers = field(factory=Headers)
    body: bytes = b""

    @property
    def final(self) -> bool:
        """Tells whether no other response to the request follows."""
        return self.status >= 200

    def __repr__(self) -> str:
        return f"<Response {self.status} {len(self.headers)} headers, {len(self.body)} bytes>"


Message = Request | Response


def _top_via(value: str) -> Via:
    values = split_list(value)
    if not values:
        raise SipSyntaxError("no via")
    return Via.parse(values[0])
