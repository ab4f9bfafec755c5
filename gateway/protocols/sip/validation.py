"""What must hold of a message before anybody looks at it (RFC 3261 sections 8.1.1, 8.2 and 20)."""

from collections.abc import Callable
from typing import Final

from attrs import frozen

from gateway.protocols.sip.faults import SipSyntaxError
from gateway.protocols.sip.headers import NameAddr, Via, parse_content_type, whole_number
from gateway.protocols.sip.message import Message, Request
from gateway.protocols.sip.names import VERSION
from gateway.protocols.sip.uri import SipUri

MAX_FORWARDS: Final = 255


@frozen
class Problem:
    """Is what is wrong with a message, and the status that says so; the text quotes nothing that was received."""

    status: int
    text: str


def check(message: Message) -> Problem | None:
    """Gives the first thing that is wrong with the headers or the Request-URI, or None."""
    for what, test in _ALWAYS:
        if not _holds(test, message):
            return Problem(400, f"{what} is missing or malformed")
    if isinstance(message, Request):
        for what, test in _IN_REQUESTS:
            if not _holds(test, message):
                return Problem(400, f"{what} is malformed")
    return None


def repliable(request: Request) -> bool:
    """Tells whether a response can be built: the topmost Via can be read, and all that it copies is there."""
    if request.method == "ACK":  # RFC 3261 section 17.2.1: never answered
        return False
    copied = [request.headers.get(name) for name in ("from", "to", "call-id", "cseq")]
    return (
        all(copied) and _holds(_readable_vias, request) and "\0" not in "".join(value for _, value in request.headers)
    )


def _holds(test: Callable[[Message], object], message: Message) -> bool:
    try:
        return bool(test(message))
    except SipSyntaxError:
        return False


def _vias(message: Message) -> bool:
    values = message.headers.all("via")
    return bool(values) and all(Via.parse(value).protocol == VERSION for value in values)


def _readable_vias(message: Message) -> bool:
    return bool(message.vias)


def _call_id(message: Message) -> bool:
    value = message.call_id
    return bool(value) and not any(sign in value for sign in " \t,;")


def _contacts(message: Message) -> bool:
    values = message.headers.all("contact")
    return values == ["*"] or all(NameAddr.parse(value) for value in values)


def _routes(message: Message) -> bool:
    headers = message.headers
    values = headers.all("route") + headers.all("record-route")
    return all("<" in value and NameAddr.parse(value) for value in values)


def _content_type(message: Message) -> bool:
    value = message.headers.get("content-type")
    return value is None or bool(parse_content_type(value))


def _max_forwards(message: Message) -> bool:
    value = message.headers.get("max-forwards")
    return value is None or whole_number(value, MAX_FORWARDS) is not None


def _method(message: Message) -> bool:
    return isinstance(message, Request) and message.cseq.method == message.method


def _request_uri(message: Message) -> bool:
    return isinstance(message, Request) and not SipUri.parse(message.uri).has_headers


_Test = tuple[str, Callable[[Message], object]]
_ALWAYS: Final[tuple[_Test, ...]] = (
    ("Via", _vias),
    ("From", lambda message: message.from_),
    ("To", lambda message: message.to),
    ("Call-ID", _call_id),
    ("CSeq", lambda message: message.cseq),
    ("Contact", _contacts),
    ("Route or Record-Route", _routes),
    ("Content-Type", _content_type),
)
_IN_REQUESTS: Final[tuple[_Test, ...]] = (
    ("the method in CSeq", _method),
    ("the Request-URI", _request_uri),
    ("Max-Forwards", _max_forwards),
)
