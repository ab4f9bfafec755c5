"""Reads one whole XML document from a peer that is not trusted."""

from collections.abc import Callable
from pyexpat import ExpatError, ParserCreate
from typing import Final

from attrs import define, field, frozen

from gateway.protocols.element import Element

XML: Final = "http://www.w3.org/XML/1998/namespace"
_BUFFER: Final = 32 * 1024


class DocumentError(ValueError):
    """A document cannot be read; `reason` says why and never quotes the peer."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@frozen
class DocumentLimits:
    """Bounds on one document; exceeding one is a DocumentError."""

    octets: int = 256 * 1024
    """Octets of the whole document."""
    elements: int = 4096
    depth: int = 24
    """Levels of elements, the root being the first."""
    attributes: int = 32
    """Attributes of one element, namespace declarations not counted."""
    declarations: int = 256
    """Namespace declarations in the document."""
    name_chars: int = 512
    """Characters of one name, its namespace included."""


LIMITS: Final = DocumentLimits()


@define
class PlacedElement(Element):
    """An element that knows in which line of its document it begins, the first being 1."""

    line: int = 0


def line_of(element: Element) -> int:
    """Gives the line of an element, or 0 when the reader did not keep it."""
    return element.line if isinstance(element, PlacedElement) else 0


def read_document(body: bytes, limits: DocumentLimits = LIMITS, *, placed: bool = False) -> Element:
    """Gives the root of an XML document in UTF-8 (or UTF-16 with its mark); comments are dropped.

    Raises DocumentError for what is not well-formed, too big, or holds a document type, an entity of its own or a
    processing instruction. Costs time linear in the octets. With `placed`, the elements know their lines.
    """
    if len(body) > limits.octets:
        raise DocumentError("document too big")
    tree = _Tree(limits)
    # The encoding given here overrides the declared one: only a byte order mark can change it.
    parser = ParserCreate("UTF-8", " ")
    parser.buffer_text = True
    parser.buffer_size = _BUFFER
    if placed:
        tree.line = lambda: parser.CurrentLineNumber
    parser.StartElementHandler = tree.start
    parser.EndElementHandler = tree.end
    parser.CharacterDataHandler = tree.text
    parser.StartNamespaceDeclHandler = tree.declare
    parser.StartDoctypeDeclHandler = parser.ProcessingInstructionHandler = _refuse
    try:
        parser.Parse(body, True)
    except ExpatError:
        raise DocumentError("not well-formed") from None
    except (ValueError, LookupError, UnicodeError) as error:
        raise error if isinstance(error, DocumentError) else DocumentError("not readable") from None
    finally:  # the parser refers to the tree's methods and they to what they hold: undo the circle
        parser.StartElementHandler = parser.EndElementHandler = parser.CharacterDataHandler = None
        parser.StartNamespaceDeclHandler = parser.StartDoctypeDeclHandler = parser.ProcessingInstructionHandler = None
    if tree.root is None:
        raise DocumentError("empty")
    return tree.root


@define(eq=False)
class _Tree:
    """Collects the elements of one document and counts them."""

    limits: DocumentLimits
    root: Element | None = None
    _open: list[Element] = field(factory=list)
    _pieces: list[str] = field(factory=list)
    _count: int = 0
    _declared: int = 0
    line: Callable[[], int] | None = None

    def start(self, key: str, attributes: dict[str, str]) -> None:
        limits = self.limits
        self._count += 1
        if self._count > limits.elements or len(self._open) >= limits.depth or len(attributes) > limits.attributes:
            raise DocumentError("too many elements, levels or attributes")
        ns, name = self._name(key)
        said = {self._attribute(one): value for one, value in attributes.items()}
        element = Element(ns, name, said) if self.line is None else PlacedElement(ns, name, said, line=self.line())
        if self._open:
            self._flush()
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def end(self, key: str) -> None:
        self._flush()
        self._open.pop()

    def text(self, piece: str) -> None:
        self._pieces.append(piece)

    def declare(self, prefix: str | None, ns: str | None) -> None:
        self._declared += 1
        if self._declared > self.limits.declarations:
            raise DocumentError("too many namespace declarations")

    def _flush(self) -> None:
        if self._pieces:
            self._open[-1].children.append("".join(self._pieces))
            self._pieces.clear()

    def _name(self, key: str) -> tuple[str, str]:
        if len(key) > self.limits.name_chars:
            raise DocumentError("name too long")
        ns, _, name = key.rpartition(" ")
        return ns, name

    def _attribute(self, key: str) -> str:
        ns, name = self._name(key)
        if not ns:
            return name
        return f"xml:{name}" if ns == XML else f"{{{ns}}}{name}"


def _refuse(*_: object) -> None:
    raise DocumentError("document type or processing instruction")
