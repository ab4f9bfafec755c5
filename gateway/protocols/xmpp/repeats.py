"""Finds presence that says again, for another recipient, what the presence before it said.

A server tells each of a person's contacts the same, one after the other: only the start tags differ, in the values of
their attributes. Such a repetition need not be parsed. This is no XML reader: whether the presence before was a whole
stanza, the reader that parsed it knows.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

END: Final = b"</presence>"
_LONGEST_HEAD: Final = 1024
"""Bytes of a start tag that is looked at; far below any limit on a stanza or an attribute."""
# One kind of quote only, so that quotes delimit values and nothing else; ASCII without references and white space
# other than blanks, so that a value is what is written (XML 1.0 section 3.3.3).
_SINGLE: Final = re.compile(rb"<presence [ !#-%'-;=?-~]*")
_DOUBLE: Final = re.compile(rb"<presence [ -%(-;=?-~]*")


class Repeat(NamedTuple):
    """Is one presence of a piece of a stream whose content is, byte for byte, that of the presence right before it."""

    model: int
    """Where the presence before it begins, counted in bytes from the start of the piece."""
    start: int
    end: int
    values: list[str]
    """The values of its attributes in the order in which they are written; the names are those of the one before."""


def repeats(piece: bytes) -> list[Repeat]:
    """Gives the presences of a piece that only repeat the one before, in their order."""
    found: list[Repeat] = []
    start = before = 0
    head = content = b""
    model: list[str] = []
    for part in piece.split(END)[:-1]:
        end = start + len(part) + len(END)
        own_head, _, own_content = part.partition(b">")
        if own_content and own_content == content:
            model, own = model or _attributes(head), _attributes(own_head)
            if own and own[::2] == model[::2]:
                found.append(Repeat(before, start, end, own[1::2]))
            model = own
        elif model:
            model = []
        before, head, content = start, own_head, own_content
        start = end
    return found


def _attributes(head: bytes) -> list[str]:
    """Gives what stands between the quotes of a start tag, names and values in turn; nothing unless it is plain."""
    if len(head) <= _LONGEST_HEAD:
        if _SINGLE.fullmatch(head):
            return head.decode("ascii").split("'")
        if _DOUBLE.fullmatch(head):
            return head.decode("ascii").split('"')
    return []
