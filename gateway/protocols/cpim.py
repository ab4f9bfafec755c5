"""Messages in the format that all IM protocols were to share (RFC 3862), with the headers of RFC 5438."""

import re
from collections.abc import Mapping
from typing import Final

from attrs import field, frozen

from gateway.model.presence import Texts
from gateway.protocols.datetimes import read_datetime, write_datetime
from gateway.protocols.ids import clean_id, clean_language
from gateway.protocols.texts import MAX_TEXTS
from gateway.protocols.xml_document import DocumentError

MEDIA_TYPE: Final = "message/cpim"
IMDN: Final = "urn:ietf:params:imdn"

MAX_HEADERS: Final = 64
MAX_HEADER_OCTETS: Final = 16 * 1024

DISPOSITIONS: Final = ("positive-delivery", "negative-delivery", "processing", "display")
"""What a sender can ask to be told about (RFC 5438 section 7.1.1.1)."""

_BLANK: Final = re.compile(rb"\r?\n\r?\n")
_HEADER: Final = re.compile(
    r"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}):((?:;[^ ;]{1,128}){0,8}) ?(.*)", re.ASCII | re.DOTALL
)
_ESCAPE: Final = re.compile(r"\\(u[0-9A-Fa-f]{4}|.|$)", re.DOTALL)
_SHORT: Final = {"b": "\b", "t": "\t", "n": "\n", "r": "\r"}
_LONG: Final = {value: f"\\{key}" for key, value in _SHORT.items()} | {"\\": "\\\\"}
_ADDRESS: Final = re.compile(r"<([^<>\s]{1,1024})>$")
_UNDERSTOOD: Final = frozenset({"From", "To", "cc", "DateTime", "Subject", "NS", "Require"})
_IMDN_UNDERSTOOD: Final = frozenset({"Message-ID", "Disposition-Notification"})
_KNOWN_MEDIA: Final = "content-"


@frozen
class CpimMessage:
    """Is a message and what its headers say; copies (`cc`) and extensions are not kept."""

    content_type: str
    content: bytes = field(repr=False)
    sender: str = field(default="", repr=False)
    """URI of the From header."""
    recipient: str = field(default="", repr=False)
    subjects: Texts = field(default=(), repr=False)
    sent: float | None = None
    """Posix seconds."""
    message_id: str = ""
    wanted: frozenset[str] = frozenset()
    """Members of DISPOSITIONS that the sender asks for."""
    notification: bool = False
    """The content is a notification (Content-Disposition), for which none may be asked."""
    content_encoding: str = ""


def read_cpim(body: bytes) -> CpimMessage:
    """Reads a `message/cpim`; MIME headers may follow without the empty line, as RFC 5438 prints them.

    Raises DocumentError when it is not one, or requires a header that is not understood here.
    """
    lines, rest = _block(body)
    outer, mime = _split(lines)
    if not mime:
        mime, rest = _block(rest)
    headers = [_header(one) for one in outer]
    spaces = {"imdn": IMDN} | dict(_space(value) for name, _, value in headers if name == "NS")
    named = [(_local(name, spaces), language, value) for name, language, value in headers]
    _check_required(named, spaces)
    wrapped = {name.lower(): value for name, _, value in map(_header, reversed(mime))}
    if "content-type" not in wrapped:
        raise DocumentError("no content type")
    return _message(named, wrapped, rest)


def write_cpim(message: CpimMessage) -> bytes:
    """Writes a `message/cpim`; a line break or any other control character in a header is escaped."""
    lines = [f"{name}: <{_uri(uri)}>" for name, uri in (("From", message.sender), ("To", message.recipient)) if uri]
    if message.sent is not None:
        lines.append(f"DateTime: {write_datetime(message.sent)}")
    for language, text in message.subjects:
        lines.append(f"Subject:{f';lang={language}' if clean_language(language) else ''} {_escape(text)}")
    wanted = "" if message.notification else ", ".join(one for one in DISPOSITIONS if one in message.wanted)
    if message.message_id or wanted:
        lines.append(f"NS: imdn <{IMDN}>")
    if message.message_id:
        lines.append(f"imdn.Message-ID: {_escape(message.message_id)}")
    if wanted:
        lines.append(f"imdn.Disposition-Notification: {wanted}")
    lines += ["", f"Content-Type: {_escape(message.content_type)}"]
    if message.notification:
        lines.append("Content-Disposition: notification")
    lines += [f"Content-Length: {len(message.content)}", "", ""]
    return "\r\n".join(lines).encode("utf-8", "replace") + message.content


def _block(body: bytes) -> tuple[list[str], bytes]:
    """Gives the lines before the first empty one, and the octets after it."""
    if body[:1] == b"\n" or body[:2] == b"\r\n":
        return [], body.partition(b"\n")[2]
    end = _BLANK.search(body, 0, MAX_HEADER_OCTETS)
    if end is None:
        raise DocumentError("no end of the headers")
    try:
        lines = body[: end.start()].decode("utf-8").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError:
        raise DocumentError("headers are not UTF-8") from None
    if len(lines) > MAX_HEADERS:
        raise DocumentError("too many headers")
    return lines, body[end.end() :]


def _split(lines: list[str]) -> tuple[list[str], list[str]]:
    """Parts the headers of the message from those of its content that follow without an empty line."""
    start = next((place for place, one in enumerate(lines) if one[:8].lower() == _KNOWN_MEDIA), len(lines))
    return lines[:start], lines[start:]


def _header(text: str) -> tuple[str, str, str]:
    """Gives name, language and value of a header line."""
    found = _HEADER.fullmatch(text)
    if found is None:
        raise DocumentError("not a header")
    parameters = found[2].split(";")
    language = next((one[5:] for one in parameters if one.startswith("lang=")), "")
    return found[1], clean_language(language), _unescape(found[3].strip())


def _space(value: str) -> tuple[str, str]:
    """Gives prefix and namespace of an NS header; without a prefix it is the default, '' (section 3.4)."""
    return value.partition("<")[0].strip(), _address(value)


def _local(name: str, spaces: Mapping[str, str]) -> str:
    """Gives a header's name with the prefix 'imdn.' when it is one of RFC 5438, whatever its own prefix."""
    prefix, dot, local = name.rpartition(".")
    if spaces.get(prefix) == IMDN and (dot or local in _IMDN_UNDERSTOOD):
        return "imdn." + local
    return name


def _check_required(headers: list[tuple[str, str, str]], spaces: Mapping[str, str]) -> None:
    for name, _, value in headers:
        for required in (one.strip() for one in value.split(",")) if name == "Require" else ():
            local = _local(required, spaces)
            if local not in _UNDERSTOOD and local.removeprefix("imdn.") not in _IMDN_UNDERSTOOD:
                raise DocumentError("a required header is not understood")


def _message(headers: list[tuple[str, str, str]], wrapped: Mapping[str, str], content: bytes) -> CpimMessage:
    first: dict[str, str] = {}
    subjects: Texts = ()
    for name, language, value in headers:
        first.setdefault(name, value)
        text = " ".join(value.split())
        if name == "Subject" and text and language not in dict(subjects) and len(subjects) < MAX_TEXTS:
            subjects = (*subjects, (language, text))
    asked = {one.split(";")[0].strip().lower() for one in first.get("imdn.Disposition-Notification", "").split(",")}
    notification = wrapped.get("content-disposition", "").split(";")[0].strip().lower() == "notification"
    return CpimMessage(
        wrapped["content-type"],
        content,
        sender=_address(first.get("From", "")),
        recipient=_address(first.get("To", "")),
        subjects=subjects,
        sent=read_datetime(first.get("DateTime", "")),
        message_id=clean_id(first.get("imdn.Message-ID")),
        wanted=frozenset() if notification else frozenset(asked & set(DISPOSITIONS)),
        notification=notification,
        content_encoding=wrapped.get("content-encoding", "") or _transfer(wrapped),
    )


def _transfer(wrapped: Mapping[str, str]) -> str:
    coding = wrapped.get("content-transfer-encoding", "").strip().lower()
    return "" if coding in ("", "7bit", "8bit", "binary") else coding


def _address(value: str) -> str:
    found = _ADDRESS.search(value.strip())
    return found[1] if found else ""


def _uri(uri: str) -> str:
    return "".join(one for one in uri if one.isprintable() and one not in "<> ")


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text

    def plain(found: re.Match[str]) -> str:
        word = found[1]
        return chr(int(word[1:], 16)) if len(word) == 5 else _SHORT.get(word, word)

    # Two escapes may stand for one character beyond U+FFFF; half of one stands for nothing.
    return _ESCAPE.sub(plain, text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _escape(text: str) -> str:
    return "".join(_LONG.get(one) or (f"\\u{ord(one):04x}" if one < " " or one == "\x7f" else one) for one in text)
