"""Messages as bytes (RFC 3261 section 7)."""

import re
from typing import Final

from gateway.protocols.sip.faults import SipSyntaxError
from gateway.protocols.sip.headers import TOKEN
from gateway.protocols.sip.message import Message, Request
from gateway.protocols.sip.names import VERSION, WRITTEN

_USUAL: Final = frozenset(WRITTEN.values())
_NOT_IN_URI: Final = re.compile(r"[^!-~]")


def serialise(message: Message) -> bytes:
    """Writes a message, Content-Length always last and exact; raises SipSyntaxError for what would break the framing.

    A header value with CR, LF or NUL, a name that is no token, a method, Request-URI, status or reason phrase that does
    not fit its place are refused.
    """
    lines = [_request_line(message) if isinstance(message, Request) else _status_line(message.status, message.reason)]
    for _, name, value in message.headers.fields():
        if name == "Content-Length":
            continue
        if name not in _USUAL and not TOKEN.fullmatch(name):
            raise SipSyntaxError("a header name that is no token")
        lines.append(f"{name}: {value}")
    text = "\r\n".join(lines)
    breaks = len(lines) - 1
    if text.count("\r") != breaks or text.count("\n") != breaks or "\0" in text:
        raise SipSyntaxError("a line break or NUL in a header or the first line")
    try:
        return b"%b\r\nContent-Length: %d\r\n\r\n%b" % (text.encode(), len(message.body), message.body)
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
