"""Media types with their parameters, and bodies in several parts (RFC 2045, RFC 2046), bounded."""

import binascii
import re
from collections.abc import Mapping
from typing import Final

from attrs import Factory, field, frozen

from gateway.protocols.xml_document import DocumentError

MAX_PARTS: Final = 16
MAX_PART_HEADERS: Final = 8 * 1024
"""Octets of the headers of one part."""

_TYPE: Final = re.compile(r"\s*([A-Za-z0-9!#$&^_.+\-]{1,127})/([A-Za-z0-9!#$&^_.+\-]{1,127})\s*(?=;|$)", re.ASCII)
_PARAMETER: Final = re.compile(
    r';\s*([A-Za-z0-9!#$&^_.+\-*]{1,64})=(?:"((?:[^"\\]|\\.){0,2048})"|([^\s;"]{0,2048}))\s*(?=;|$)', re.ASCII
)
_BLANK: Final = re.compile(rb"\r?\n\r?\n|\A\r?\n")
_HEADER: Final = re.compile(r"(?m)^([!-9;-~]{1,128}):[ \t]*([^\r\n]*(?:\r?\n[ \t][^\r\n]*){0,16})", re.ASCII)


@frozen
class ContentType:
    """Is a media type in lower case and its parameters, whose names are in lower case."""

    media_type: str
    parameters: Mapping[str, str] = field(default=Factory(dict), repr=False)


@frozen
class Part:
    """Is one part of a body in several."""

    content_type: str
    content: bytes = field(repr=False)


def read_content_type(text: str) -> ContentType:
    """Reads a Content-Type header; what is none is 'application/octet-stream', a parameter that is none is dropped."""
    found = _TYPE.match(text)
    if found is None:
        return ContentType("application/octet-stream")
    parameters: dict[str, str] = {}
    position = found.end()
    while (one := _PARAMETER.match(text, position)) is not None:
        quoted = re.sub(r"\\(.)", r"\1", one[2]) if one[2] is not None else one[3]
        parameters.setdefault(one[1].lower(), quoted)
        position = one.end()
    return ContentType(f"{found[1]}/{found[2]}".lower(), parameters)


def read_parts(body: bytes, boundary: str) -> list[Part]:
    """Gives the parts of a multipart body; raises DocumentError when it has none or too many."""
    if not 0 < len(boundary) <= 70 or not boundary.isascii():
        raise DocumentError("no boundary")
    line = re.compile(rb"(?:\A|\r?\n)--" + re.escape(boundary.encode()) + rb"(--)?[ \t]{0,8}(?=\r?\n|\Z)")
    marks = []
    for mark in line.finditer(body):
        marks.append(mark)
        if mark[1] or len(marks) > MAX_PARTS:
            break
    if not marks or len(marks) > MAX_PARTS:
        raise DocumentError("no parts, or too many")
    ends = [mark.start() for mark in marks[1:]] + [len(body)]
    parts = [_part(body[mark.end() : end]) for mark, end in zip(marks, ends, strict=True) if not mark[1]]
    if not parts:
        raise DocumentError("no parts")
    return parts


def decoded(content: bytes, coding: str) -> bytes:
    """Undoes a Content-Transfer-Encoding; raises DocumentError for one that is unknown or broken."""
    coding = coding.strip().lower()
    try:
        if coding == "base64":
            return binascii.a2b_base64(content)
        if coding == "quoted-printable":
            return binascii.a2b_qp(content)
    except (binascii.Error, ValueError):
        raise DocumentError("broken encoding") from None
    if coding not in ("", "7bit", "8bit", "binary"):
        raise DocumentError("unknown encoding")
    return content


def _part(octets: bytes) -> Part:
    octets = octets.removeprefix(b"\r").removeprefix(b"\n")
    end = _BLANK.search(octets, 0, MAX_PART_HEADERS)
    if end is None:
        raise DocumentError("a part without an end of its headers")
    headers = {one[1].lower(): one[2] for one in _HEADER.finditer(octets[: end.start()].decode("utf-8", "replace"))}
    content = decoded(octets[end.end() :], headers.get("content-transfer-encoding", ""))
    return Part(headers.get("content-type", "text/plain"), content)
