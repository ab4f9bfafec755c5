"""Messages as bytes (RFC 3261 section 7)."""

import re
from typing import Final

from gateway.protocols.sip.faults import SipSyntaxError
from gateway.protocols.sip.headers import TOKEN
from gateway.protocols.sip.message import Message, Request
from gateway.protocols.sip.names import VERSION

_BREAKS: Final = re.compile(r"[\r\n\x00]")
_NOT_IN_URI: Final = re.compile(r"[^!-~]")


def serialise(message: Message) -> bytes:
    """Writes a message, Content-Length always last and exact; raises SipSyntaxError for what would break the framing.

    A header value with CR, LF or NUL, a name that is no token, a method, Request-URI, status or reason phrase that does
    not fit its place are refused.
    """
    lines = [_request_line(message) if isinstance(message, Request) else _status_line(message.status, message.reason)]
    for name, value in message.headers:
        if name == "Content-Length":
            continue
        if not TOKEN.fullmatch(name):
            raise SipSyntaxError("a header name that is no token")
        lines.append(f"{name}: {value}")
    if _BREAKS.search("".join(lines)):
        raise SipSyntaxError("a line break or NUL in a header or the first line")
    lines.append(f"Content-Length: {len(message.body)}\r\n\r\n")
    try:
        return "\r\n".join(lines).encode() + message.body
    except UnicodeEncodeError:
        raise SipSyntaxError("a lone surrogate in a header or the first line") from None


def _request_line(request: Request) -> str:
    if not TOKEN.fullmatch(request.method):
        raise SipSyntaxError("a method that is no token")
    if not request.uri or _NOT_IN_URI.search(request.uri):
        raise SipSyntaxError("a Request-URI with blanks, control or non-ASCII characters")
    return f"{request.method} {request.uri} {VERSION}"


def _status_line(status: int, reason: str) -> str:
    if not 100 <= status <= 699:
        raise SipSyntaxError("a status is 100 to 699")
    return f"{VERSION} {status} {reason}"
