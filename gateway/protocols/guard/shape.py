"""What a document may hold: a table of elements, read from text; and the check of a document against it."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from attrs import define, field
from lxml import etree

Needed = frozenset[str]
"""Names of fields of which one at least must be permitted; none needed when empty."""
Kind = Callable[[str], Needed | None]
"""Gives what a value needs beside what its element needs; None when it does not fit its place."""
FREE: Final[Needed] = frozenset()
Node = Any
"""An element as lxml has it, which brings no types along."""

_XML: Final = "{http://www.w3.org/XML/1998/namespace}"
_LINE: Final = re.compile(r"( *)([^ ]+)((?: [@#][^ ]+)*)(?: : (.+))?")
_PARSER: Final = etree.XMLParser(
    resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_blank_text=False
)


class Difference(Exception):
    """Says where bytes hold something that may not leave; the place is in the table's words, never in the bytes'."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.place = place


@define(eq=False)
class Shape:
    """Says what one element may hold, and what must be permitted for it to be there."""

    place: str
    needs: Needed = FREE
    withdraws: bool = False
    """Whether it needs nothing when it is empty, because that says that there is nothing."""
    attributes: dict[str, Kind] = field(factory=dict)
    text: Kind | None = None
    """What its text may be; None: no text but blanks."""
    children: dict[str, "Shape"] = field(factory=dict)


def read_table(table: str, prefixes: Mapping[str, str], kinds: Mapping[str, Kind]) -> dict[str, Shape]:
    """Reads a table: one element a line, its children beneath it.

    `name? @attribute=kind #kind : fields`: `?` marks an element that withdraws when it is empty, `#` the kind of its
    text, after the colon stand the fields of which one must be permitted. A name without prefix is in its parent's
    namespace; `*` stands for every name there. At the top, `name[type]` is that element with that `type`. Raises
    ValueError for a line that is none, KeyError for a prefix or kind that is not given.
    """
    tops: dict[str, Shape] = {}
    open_: list[tuple[str, Shape]] = []
    for line in filter(str.strip, table.splitlines()):
        found = _LINE.fullmatch(line)
        if found is None:
            raise ValueError(f"not a line of a guard's table: {line.strip()}")
        depth = len(found[1]) // 2
        del open_[depth:]
        name = found[2].removesuffix("?")
        space, key = _expanded(name, prefixes, open_[-1][0] if open_ else "")
        above = f"{open_[-1][1].place}/" if open_ else ""
        shape = Shape(above + name, frozenset((found[4] or "").split()), found[2].endswith("?"))
        for said in found[3].split():
            _take(shape, said, kinds)
        (open_[-1][1].children if open_ else tops)[key] = shape
        open_.append((space, shape))
    return tops


def _take(shape: Shape, said: str, kinds: Mapping[str, Kind]) -> None:
    if said[0] == "#":
        shape.text = kinds[said[1:]]
    else:
        name, _, kind = said[1:].partition("=")
        key = _XML + name[4:] if name.startswith("xml:") else name
        prefix, colon, local = name.partition(":")
        if colon and prefix == "xsi":
            key = "{http://www.w3.org/2001/XMLSchema-instance}" + local
        shape.attributes[key] = kinds[kind or "any"]


def _expanded(name: str, prefixes: Mapping[str, str], inherited: str) -> tuple[str, str]:
    prefix, colon, local = name.rpartition(":")
    space = prefixes[prefix] if colon else inherited or prefixes[""]
    return space, f"{{{space}}}{local}"


def parse(octets: bytes, place: str) -> Node:
    """Gives the root of a document; raises Difference for what is not plain XML."""
    try:
        root = etree.fromstring(octets, _PARSER)
    except (etree.XMLSyntaxError, ValueError):
        raise Difference(f"{place}: not well-formed") from None
    if root.getroottree().docinfo.doctype:
        raise Difference(f"{place}: a document type")
    return root


def check(element: Node, shape: Shape, allowed: frozenset[str]) -> None:
    """Raises Difference when an element holds what its shape does not know, or what is not allowed."""
    text, children = element.text, element[:]
    needs = shape.needs
    if needs and needs.isdisjoint(allowed) and not (shape.withdraws and not text and not children):
        raise Difference(shape.place)
    for name, value in element.items():
        kind = shape.attributes.get(name)
        if kind is None:
            raise Difference(f"{shape.place}/@?")
        needed = kind(value)
        if needed is None or (needed and needed.isdisjoint(allowed)):
            raise Difference(f"{shape.place}/@{name.rpartition('}')[2]}")
    if text:
        _check_text(text, shape, allowed)
    for child in children:
        if child.tail and not child.tail.isspace():
            raise Difference(f"{shape.place}/text")
        check(child, shape_of(child, shape), allowed)


def _check_text(text: str, shape: Shape, allowed: frozenset[str]) -> None:
    if shape.text is None:
        if not text.isspace():
            raise Difference(f"{shape.place}/text")
        return
    needed = shape.text(text)
    if needed is None or (needed and needed.isdisjoint(allowed)):
        raise Difference(f"{shape.place}/text")


def shape_of(child: Node, parent: Shape) -> Shape:
    """Gives the shape of an element in another; raises Difference when it may not stand there."""
    tag = child.tag
    found = None
    if isinstance(tag, str):  # comments, processing instructions and entities have none
        found = parent.children.get(tag) or parent.children.get(tag.partition("}")[0] + "}*")
    if found is None:
        raise Difference(f"{parent.place}/?")
    return found


def places(shapes: Mapping[str, Shape]) -> Iterator[Shape]:
    """Gives every row of a table."""
    for shape in shapes.values():
        yield shape
        yield from places(shape.children)


def any_text(value: str) -> Needed | None:
    """Takes every value: whether it may be there is for the element to say."""
    return FREE


def matching(pattern: str) -> Kind:
    """Takes what a pattern matches as a whole."""
    compiled = re.compile(pattern, re.ASCII)
    return lambda value: FREE if compiled.fullmatch(value) else None


def one_of(**needed: str) -> Kind:
    """Takes the words that are named (an underscore stands for a hyphen), each with the fields that it needs."""
    known = {word.replace("_", "-"): frozenset(fields.split()) for word, fields in needed.items()}
    return known.get


KINDS: Final[Mapping[str, Kind]] = {
    "any": any_text,
    "language": matching(r"[A-Za-z0-9-]{1,64}"),
    "number": matching(r"-?[0-9]{1,10}"),
    "time": matching(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"),
    "word": matching(r"[A-Za-z0-9_.:+-]{1,64}"),
    "hash": matching(r"[0-9a-f]{40}"),
    "base64": matching(r"[A-Za-z0-9+/=\s]*"),
}
"""The kinds of values that every table may name."""
