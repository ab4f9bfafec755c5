"""The beginning of an XML stream up to the end of its header, read without an XML parser.

A document type or a byte order mark is so refused before any parser sees it.
"""

import re
from typing import Final

from attrs import define, field

_IN_TAG: Final = re.compile(rb"[>'\"]")
_SPACE: Final = b" \t\r\n"
_DECLARATION: Final = re.compile(
    rb"<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?P<q>['\"])1\.[0-9]+(?P=q)"
    rb"(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?P<r>['\"])(?P<encoding>[A-Za-z][A-Za-z0-9._\-]*)(?P=r))?"
    rb"(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?P<s>['\"])(?:yes|no)(?P=s))?[ \t\r\n]*"
)
_LONGEST_DECLARATION: Final = 256


@define
class TagScanner:
    """Finds the > that ends a tag, whatever its attribute values hold, in linear time over any chunks."""

    _quote: bytes = field(init=False, default=b"")

    def find_end(self, piece: bytes, start: int = 0) -> int:
        """Returns the index after the tag's last byte, or -1 when the tag goes on beyond this piece."""
        while True:
            if self._quote:
                start = piece.find(self._quote, start) + 1
                if not start:
                    return -1
                self._quote = b""
            found = _IN_TAG.search(piece, start)
            if found is None:
                return -1
            start = found.end()
            if found[0] == b">":
                return start
            self._quote = found[0]


@define
class Prolog:
    """Collects a stream header of at most so many bytes; XML declaration and whitespace before it are dropped."""

    most_bytes: int
    _collected: bytearray = field(init=False, factory=bytearray)
    _in_header: bool = field(init=False, default=False)
    _declared: bool = field(init=False, default=False)
    _scanned: int = field(init=False, default=0)
    _scanner: TagScanner = field(init=False, factory=TagScanner)

    def feed(self, chunk: bytes) -> tuple[bytes, bytes] | str | None:
        """Returns the header and the bytes after it, the name of a stream error, or None while incomplete."""
        collected = self._collected
        collected += chunk
        if not self._in_header:
            fault = self._skip()
            if fault is not None or not self._in_header:
                return fault
        seen = bytes(collected[self._scanned : self.most_bytes])
        end = self._scanner.find_end(seen)
        if end >= 0:
            end += self._scanned
            return bytes(collected[:end]), bytes(collected[end:])
        self._scanned += len(seen)
        return "policy-violation" if self._scanned >= self.most_bytes else None

    def _skip(self) -> str | None:
        """Drops what may stand before the header; notes when the header has begun."""
        collected = self._collected
        while True:
            if not self._declared:
                fault = _mark_of_encoding(bytes(collected[:4]))
                if fault is not None:
                    return fault
            if collected[:1] and collected[0] in _SPACE:
                self._declared = True  # an XML declaration stands at the very beginning or nowhere
                stripped = collected.lstrip(_SPACE)
                del collected[: len(collected) - len(stripped)]
            if not collected:
                return None
            if collected[0] != 0x3C:
                return "not-well-formed"
            if len(collected) == 1:
                return None
            if collected[1] == 0x21:
                return "restricted-xml"
            if collected[1] != 0x3F:
                self._in_header = True
                return None
            if self._declared:
                return "restricted-xml"
            end = collected.find(b"?>", 0, _LONGEST_DECLARATION)
            if end < 0:
                return "restricted-xml" if len(collected) >= _LONGEST_DECLARATION else None
            fault = _judge_declaration(bytes(collected[:end]))
            if fault is not None:
                return fault
            self._declared = True
            del collected[: end + 2]


def _mark_of_encoding(beginning: bytes) -> str | None:
    """Returns unsupported-encoding for a byte order mark or a UTF-16 or UTF-32 beginning."""
    if beginning[:1] in (b"\xef", b"\xfe", b"\xff", b"\x00") or beginning[1:2] == b"\x00":
        return "unsupported-encoding"
    return None


def _judge_declaration(declaration: bytes) -> str | None:
    found = _DECLARATION.fullmatch(declaration)
    if found is None:
        return "not-well-formed" if re.match(rb"<\?xml[ \t\r\n]", declaration) else "restricted-xml"
    encoding = found["encoding"]
    return None if encoding is None or encoding.lower() == b"utf-8" else "unsupported-encoding"
