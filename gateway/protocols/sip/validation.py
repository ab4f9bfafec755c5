"""What must hold of a message before anybody looks at it (RFC 3261 sections 8.1.1, 8.2 and 20)."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Final

from attrs import frozen

from gateway.protocols.sip.faults import SipSyntaxError
from gateway.protocols.sip.headers import CSeq, NameAddr, Via, parse_content_type, split_list, whole_number
from gateway.protocols.sip.message import Message, Request
from gateway.protocols.sip.names import VERSION, WRITTEN
from gateway.protocols.sip.uri import SipUri

MAX_FORWARDS: Final = 255
MAX_BREADTH: Final = 2**31 - 1
_CACHED_LENGTH: Final = 300


@frozen
class Problem:
    """Is what is wrong with a message, and the status that says so; the text quotes nothing that was received."""

    status: int
    text: str


def check(message: Message) -> Problem | None:
    """Gives the first thing that is wrong with the headers or the Request-URI, or None."""
    seen = set()
    for key, _, value in message.headers.fields():
        kept = _REMEMBERED.get(key)
        if kept is not None and len(value) <= _CACHED_LENGTH:
            fine = kept(value)
        elif key in _VALUES:
            fine = _holds(_VALUES[key], value)
        else:
            continue
        if not fine:
            return Problem(400, f"{WRITTEN[key]} is malformed")
        seen.add(key)
    if not seen >= _NEEDED:
        return Problem(400, f"{WRITTEN[min(_NEEDED - seen)]} is missing")
    return _check_request(message) if isinstance(message, Request) else None


def repliable(request: Request) -> bool:
    """Tells whether a response can be built: every Via can be read, and all that it copies is there, without NUL."""
    if request.method == "ACK":  # RFC 3261 section 17.2.1: never answered
        return False
    headers = request.headers
    vias = headers.all("via")
    copied = [headers.get(name) for name in ("from", "to", "call-id", "cseq")]
    everything = "".join(value for _, value in headers)
    return bool(vias) and all(_holds(Via.parse, via) for via in vias) and all(copied) and "\0" not in everything


def _check_request(request: Request) -> Problem | None:
    if request.cseq.method != request.method:
        return Problem(400, "CSeq has another method")
    if not _holds(_no_headers, request.uri):
        return Problem(400, "the Request-URI is malformed")
    return None


def _holds(test: Callable[[str], object], value: str) -> bool:
    try:
        return bool(test(value))
    except SipSyntaxError:
        return False


def _no_headers(uri: str) -> bool:
    return not SipUri.parse(uri).has_headers


def _vias(value: str) -> bool:
    if value and "," not in value:
        return Via.parse(value).protocol == VERSION
    return bool(value) and all(Via.parse(each).protocol == VERSION for each in split_list(value))


def _call_id(value: str) -> bool:
    return bool(value) and not (" " in value or "\t" in value or "," in value or ";" in value)


def _contacts(value: str) -> bool:
    return value == "*" or all(NameAddr.parse(each) for each in split_list(value))


def _routes(value: str) -> bool:
    return all("<" in each and NameAddr.parse(each) for each in split_list(value))


def _max_forwards(value: str) -> bool:
    return whole_number(value, MAX_FORWARDS) is not None


def _max_breadth(value: str) -> bool:
    return whole_number(value, MAX_BREADTH) is not None


_NEEDED: Final = frozenset({"via", "from", "to", "call-id", "cseq"})
_VALUES: Final[dict[str, Callable[[str], object]]] = {
    "via": _vias,
    "from": NameAddr.parse,
    "to": NameAddr.parse,
    "call-id": _call_id,
    "cseq": CSeq.parse,
    "contact": _contacts,
    "route": _routes,
    "record-route": _routes,
    "content-type": parse_content_type,
    "max-forwards": _max_forwards,
    "max-breadth": _max_breadth,
}


def _remembered(test: Callable[[str], object]) -> Callable[[str], bool]:
    return lru_cache(2048)(partial(_holds, test))


# the values that come again and again: within a dialog, or with every message of a peer
_REMEMBERED: Final = {
    key: _remembered(_VALUES[key])
    for key in ("to", "cseq", "contact", "route", "record-route", "content-type", "max-forwards")
}
