"""The first line and the headers of a message, taken apart (RFC 3261 sections 7.1 to 7.3)."""

import re
from typing import Final

from attrs import define, field, frozen

from gateway.protocols.sip.headers import TOKEN, USUAL_NAMES, Headers, header_key, known_name, whole_number
from gateway.protocols.sip.message import Message, Request, Response
from gateway.protocols.sip.names import SINGLE, WRITTEN
from gateway.protocols.sip.validation import Problem

_FOLD: Final = re.compile(rb"\r\n[ \t]+")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_CONTROLS: Final = bytes({*range(0x20), 0x7F} - set(b"\t\r\n"))
_ESCAPED: Final = re.compile(r"\\[\x00-\x7f]")
_REQUEST_LINE: Final = re.compile(rf"({TOKEN.pattern}) ([!-~]+) ([!-~]+)")
_STATUS_LINE: Final = re.compile(r"(?i:SIP/2\.0) ([1-6][0-9]{2}) (.*)", re.DOTALL)
_VERSION: Final = re.compile(r"SIP/[0-9]+\.[0-9]+", re.IGNORECASE)


@frozen
class Limits:
    """Bounds on one message, in bytes unless it says otherwise."""

    start_line: int = 2 * 1024
    """Of the first line; a longer one is answered with 414."""
    head_bytes: int = 32 * 1024
    """Of the first line and all headers."""
    headers: int = 128
    """Header lines, number."""
    body_bytes: int = 64 * 1024
    """Of the body; more is answered with 513."""
    lenient: bool = False
    """Accepts white space before the colon and escaped control characters, as RFC 3261 section 25 does.

    Both have been ways to smuggle a header past another reader, and no client that we know sends them.
    """


@define
class Head:
    """Is all of a message but its body; `problem` is the first thing that is wrong with it."""

    message: Message
    length: int | None = None
    """What Content-Length says, None when it is missing or cannot be believed."""
    length_said: bool = False
    """Whether there was a Content-Length at all."""
    unsafe: str | None = None
    """Why another reader might see other messages here: a stream ends."""
    problem: Problem | None = None
    fields: list[tuple[str, str, str]] = field(factory=list)
    """Key, name and value of each header but Content-Length."""

    def wrong(self, text: str, status: int = 400) -> None:
        """Notes a problem unless an earlier one is known."""
        if self.problem is None:
            self.problem = Problem(status, text)


def read_head(octets: bytes, limits: Limits) -> Head:
    """Takes the bytes in front of the empty line apart; never raises, what is wrong is noted in the head."""
    first, lines = _lines(octets)
    head = _first_line(first or "", limits)
    if first is None:
        head.wrong("the first line is not UTF-8")
    head.unsafe = _unsafe(octets, limits)
    if head.unsafe:
        head.wrong(head.unsafe)
        return head
    fields, usual = head.fields, USUAL_NAMES.get
    for line in lines:
        name, colon, value = (line or "").partition(":")
        known = usual(name)
        if known is None or not colon or known[0] == "content-length":
            _take(head, line, limits)
        else:
            fields.append((known[0], known[1], value.strip(" \t")))
    head.message.headers = Headers.made_of(fields)
    if len(octets.translate(None, _CONTROLS)) != len(octets):
        _look_for_controls(head, limits)
    keys = [key for key, _, _ in fields]
    if len(set(keys)) != len(keys) and any(keys.count(key) > 1 for key in SINGLE.intersection(keys)):
        head.wrong("a header stands twice that stands once")
    return head


def _unsafe(octets: bytes, limits: Limits) -> str | None:
    ends = octets.count(b"\r\n")
    if octets.count(b"\r") != ends or octets.count(b"\n") != ends:
        return "a bare CR or LF in a header"
    if ends > limits.headers:
        return "too many headers"
    return "headers are too long" if len(octets) > limits.head_bytes else None


def _look_for_controls(head: Head, limits: Limits) -> None:
    values = "\n".join([value for _, _, value in head.fields])
    if _CONTROL.search(values) and not (limits.lenient and not _CONTROL.search(_ESCAPED.sub("", values))):
        head.wrong("a control character in a header")


def _lines(octets: bytes) -> tuple[str | None, list[str | None]]:
    if b"\r\n " in octets or b"\r\n\t" in octets:
        start, _, rest = octets.partition(b"\r\n")
        # a first header that begins with a blank continues nothing: it stays a line, and is no header
        octets = start + b"\r\n" + rest[:1] + _FOLD.sub(b" ", rest[1:])
    lines: list[str | None] = []
    try:
        lines += octets.decode().split("\r\n")
    except UnicodeDecodeError:
        lines += [_text(line) for line in octets.split(b"\r\n")]
    return lines[0], lines[1:]


def _text(octets: bytes) -> str | None:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return None


def _first_line(line: str, limits: Limits) -> Head:
    if line[:4].upper() == "SIP/":
        return _status_line(line)
    found = _REQUEST_LINE.fullmatch(line)
    if len(line) > limits.start_line or found is None:
        method = TOKEN.match(line)
        head = Head(Request(method[0] if method else "", ""))
        if len(line) > limits.start_line:
            head.wrong("the first line is too long", 414)
        head.wrong("the first line is malformed")
        return head
    head = Head(Request(found[1], found[2]))
    if found[3].upper() != "SIP/2.0":
        other = _VERSION.fullmatch(found[3])
        head.wrong("another version of SIP" if other else "the first line is malformed", 505 if other else 400)
    return head


def _status_line(line: str) -> Head:
    found = _STATUS_LINE.fullmatch(line)
    if found is None or _CONTROL.search(found[2]):
        head = Head(Response(0, ""))
        head.wrong("the first line is malformed")
        return head
    return Head(Response(int(found[1]), found[2]))


def _take(head: Head, line: str | None, limits: Limits) -> None:
    if line is None:
        head.wrong("a header is not UTF-8")
        return
    name, colon, value = line.partition(":")
    known = (known_name(name) if colon else None) or _unusual(head, name if colon else "", limits)
    if known is None:
        return
    key, written = known
    if key == "content-length":
        _take_length(head, value.strip(" \t"))
    else:
        head.fields.append((key, written, value.strip(" \t")))


def _unusual(head: Head, name: str, limits: Limits) -> tuple[str, str] | None:
    """Gives key and name, or notes why this is no header; with a blank before the colon it is read, for the reply."""
    stripped = name.rstrip(" \t")
    if not TOKEN.fullmatch(stripped):
        head.wrong("a line is not a header")
        return None
    key = header_key(stripped)
    if stripped != name and not limits.lenient:
        head.wrong("white space before the colon")
        if key == "content-length":
            head.unsafe = "white space after Content-Length"
            return None
    return key, WRITTEN.get(key, stripped)


def _take_length(head: Head, value: str) -> None:
    length = whole_number(value, 2**31)
    if head.length_said:
        head.wrong("Content-Length stands twice")
        if length != head.length:
            head.length = None
            head.unsafe = "two values of Content-Length"
        return
    head.length, head.length_said = length, True
    if length is None:
        head.wrong("Content-Length is not a number")
        head.unsafe = "Content-Length is not a number"
