"""Reads an XML stream from a peer that is not trusted, in chunks of any size (RFC 6120 sections 4 and 11).

Neither expat's buffers nor its tokeniser bound what a peer may send, and expat 2.5 scans an unfinished tag again
from its start at every chunk. So the reader counts bytes itself, and holds a long unfinished tag back until its end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pyexpat import ExpatError, ParserCreate, XMLParserType
from typing import Final

from attrs import define, field, frozen

from gateway.protocols.element import Element
from gateway.protocols.xmpp import names
from gateway.protocols.xmpp.limits import Limits
from gateway.protocols.xmpp.prolog import Prolog, TagScanner
from gateway.protocols.xmpp.repeats import END, Repeat, repeats

_MARKED: Final = re.compile(rb"<(?=[!?])")
_CDATA: Final = b"<![CDATA["
_END_OF_REFERENCE: Final = re.compile(rb"[^\w#.:\-\x80-\xff]")
_HOLD_FROM: Final = 1024
_MOST_INTERNED: Final = 512
_MOST_NAMES: Final = 4096
_LONGEST_CACHED_NAME: Final = 128
_NAMES: Final[dict[str, tuple[str, str]]] = {}
# attributes of ordinary stanzas need no second look; fewer than any limit on their number
_PLAIN: Final = frozenset({"from", "to", "id", "type", "node", "ver", "hash", "var", "code", "stamp", "by", "since"})
_STREAM: Final = names.STREAMS + " stream"
# expat's error numbers are part of its ABI; pyexpat.errors offers them only by message
_CONDITIONS: Final = {
    1: "resource-constraint",
    11: "restricted-xml",  # undefined entity
    27: "bad-namespace-prefix",
    38: "bad-namespace-prefix",
    39: "bad-namespace-prefix",
    40: "bad-namespace-prefix",
    43: "restricted-xml",  # entity amplification
}


class XmlFault(Exception):
    """The peer sent what cannot be read; condition is the RFC 6120 section 4.9.3 stream error to answer with.

    events holds what was complete before the fault in the same chunk; the text never quotes the peer.
    """

    def __init__(self, condition: str, text: str = "") -> None:
        super().__init__(condition, text)
        self.condition = condition
        self.text = text
        self.events: list[StreamOpened | Element | StreamEnded] = []


@frozen
class StreamOpened:
    """The peer's stream header has been read."""

    ns: str
    name: str
    attributes: dict[str, str] = field(repr=False)
    namespaces: dict[str, str] = field(repr=False)
    """Prefix to namespace as declared in the header; the default namespace has the prefix ""."""


@frozen
class StreamEnded:
    """The peer's closing stream tag has been read."""


@define(eq=False)
class Reader:
    """Turns the bytes of one XML stream into its header, its first-level elements and its end.

    The same bytes give the same result in whatever chunks they come; only a fault inside a tag longer than 1 KiB
    may be found later when it comes in small chunks, at the latest when the tag ends or reaches the limit.
    """

    limits: Limits
    _events: list[StreamOpened | Element | StreamEnded] = field(init=False, factory=list)
    _prolog: Prolog | None = field(init=False, default=None)
    _header: bytes = field(init=False, default=b"")
    _parser: XMLParserType | None = field(init=False, default=None)
    _intern: dict[str, str] = field(init=False, factory=dict)
    _stack: list[list[Element | str]] = field(init=False, factory=list)
    _fault: XmlFault | None = field(init=False, default=None)
    _ended: bool = field(init=False, default=False)
    _fed: int = field(init=False, default=0)
    _mark: int = field(init=False, default=0)
    """Where the open stanza begins, or else where the next one may begin; like _fed an index into expat's input."""
    _began: int = field(init=False, default=0)
    """Where the last stanza began that expat has seen."""
    _tail: bytearray = field(init=False, factory=bytearray)
    """The unfinished token at the end of what expat has been given."""
    _held: bytearray | None = field(init=False, default=None)
    _scanner: TagScanner | None = field(init=False, default=None)
    _ragged: bool = field(init=False, default=False)
    """Text of the open stanza came in several pieces."""
    _long: bool = field(init=False, default=False)
    """What expat has of this chunk and the open stanza has room for an attribute beyond the limit."""
    _declared: int = field(init=False, default=0)
    """Namespace declarations of the open stanza so far."""
    _limit: Callable[[Limits], None] | None = field(init=False, default=None)

    def feed(self, chunk: bytes) -> list[StreamOpened | Element | StreamEnded]:
        """Returns what these bytes complete; raises XmlFault, and from then on the same fault for every chunk."""
        if self._fault is not None:
            raise XmlFault(self._fault.condition, self._fault.text)
        if self._ended:
            return []
        try:
            if self._parser is None:
                chunk = self._begin(chunk)
            if chunk:
                if b"<!" in chunk or b"<?" in chunk:
                    self._feed_marked(chunk)
                else:
                    self._feed_unmarked(chunk)
        except (XmlFault, ExpatError, ValueError) as error:
            if not self._ended:
                raise self._failed(error) from None
        if self._ended:
            self._drop()
        elif len(self._intern) > _MOST_INTERNED:
            self._intern.clear()
        events = self._events.copy()
        self._events.clear()
        return events

    def set_limits(self, limits: Limits) -> None:
        """Reads with other limits from here on, in the middle of a stanza even."""
        self.limits = limits
        if self._limit is not None:
            self._limit(limits)

    def hibernate(self) -> bool:
        """Frees the parser of an idle stream until its next byte; returns False inside a stanza or its first tag."""
        if self._parser is None or self._stack or self._tail or self._held is not None:
            return False
        self._drop()
        return True

    def _failed(self, error: Exception) -> XmlFault:
        if isinstance(error, ExpatError) and self._parser is not None:
            try:  # text before the error still waits in pyexpat's buffer, and may itself be a fault
                self._parser.CharacterDataHandler = None
            except XmlFault as earlier:
                error = earlier
        if isinstance(error, XmlFault):
            fault = error
        elif isinstance(error, ExpatError):
            fault = XmlFault(_CONDITIONS.get(error.code, "not-well-formed"), "XML is not well-formed")
        else:
            fault = XmlFault("not-well-formed", "XML is not well-formed")
        self._fault = XmlFault(fault.condition, fault.text)
        fault.events = self._events.copy()
        self._events.clear()
        self._drop()
        return fault

    def _drop(self) -> None:
        parser = self._parser
        if parser is not None:  # its callbacks refer to it and to this reader: undo the circle
            parser.StartElementHandler = parser.EndElementHandler = parser.CharacterDataHandler = None
            parser.StartNamespaceDeclHandler = parser.CommentHandler = parser.ProcessingInstructionHandler = None
            parser.StartDoctypeDeclHandler = None
        self._parser = self._limit = None
        self._intern = {}
        self._stack.clear()

    def _begin(self, chunk: bytes) -> bytes:
        """Collects the stream header, gives it to a new parser whole, and returns what follows it."""
        if not self._header:
            if self._prolog is None:
                self._prolog = Prolog(self.limits.stanza_bytes)
            found = self._prolog.feed(chunk)
            if isinstance(found, str):
                raise XmlFault(found, "unacceptable beginning of the stream")
            if found is None:
                return b""
            self._header, chunk = found
            self._prolog = None
            self._open_parser()
        else:
            self._open_parser()
            self._events.clear()
        return chunk

    def _open_parser(self) -> None:
        self._intern = {}
        parser = self._parser = ParserCreate("UTF-8", " ", self._intern)
        parser.buffer_text = True
        if hasattr(parser, "SetReparseDeferralEnabled"):  # otherwise a tag cut in two waits for the bytes after it
            parser.SetReparseDeferralEnabled(False)
        self._limit = _attach(self, parser)
        parser.Parse(self._header, False)
        self._fed = self._mark = len(self._header)

    def _feed_marked(self, chunk: bytes) -> None:
        """Cuts before each ! and ? that follow a <, so that expat never sees a comment or an instruction whole."""
        start = 0
        for found in _MARKED.finditer(chunk):
            self._feed_unmarked(chunk[start : found.end()])
            start = found.end()
        self._feed_unmarked(chunk[start:])

    def _feed_unmarked(self, piece: bytes) -> None:
        if self._tail:
            if self._tail[0] == 0x3C and len(self._tail) < len(_CDATA):
                _check_opening(bytes(self._tail + piece[: len(_CDATA)]))
            held = self._hold(piece)
            if held is None:
                return
            piece = held
        most = self.limits.stanza_bytes
        while True:
            room = self._mark + most - self._fed
            if len(piece) <= room:
                found = repeats(piece) if END in piece else ()
                if found:
                    self._parse_but(piece, found)
                else:
                    self._parse(piece)
                return
            self._parse(piece[:room])
            if self._fed - self._mark >= most:
                raise XmlFault("policy-violation", "stanza too big")
            piece = piece[room:]

    def _parse(self, piece: bytes) -> None:
        parser = self._parser
        if parser is None or self._ended:
            return
        self._fed += len(piece)
        self._long = self._fed - self._mark > self.limits.token_chars
        parser.Parse(piece, False)
        waiting = self._fed - parser.CurrentByteIndex
        self._began = self._mark
        if not self._stack:
            self._mark = self._fed - waiting
        if waiting > len(piece):
            self._tail += piece
        elif waiting or self._tail:
            self._tail = bytearray(piece[len(piece) - waiting :])

    def _parse_but(self, piece: bytes, found: Iterable[Repeat]) -> None:
        """Parses a piece without the presences that repeat the one before them: these get what that one holds."""
        done = 0
        model: Element | None = None
        for repeat in found:
            if model is None or repeat.start > done:
                self._parse(piece[done : repeat.start])
                done = repeat.start
                model = self._whole(repeat.start - repeat.model, len(repeat.values))
            if model is not None:
                attributes = dict(zip(model.attributes, repeat.values, strict=True))
                self._events.append(Element(model.ns, model.name, attributes, model.children))
                done = repeat.end
        if done < len(piece):
            self._parse(piece[done:])

    def _whole(self, size: int, attributes: int) -> Element | None:
        """Gives the last stanza if it is exactly the last so many bytes and has so many attributes, no declarations."""
        if self._stack or self._ended or self._mark != self._fed or self._began != self._fed - size:
            return None
        last = self._events[-1] if self._events else None
        return last if isinstance(last, Element) and len(last.attributes) == attributes else None

    def _hold(self, piece: bytes) -> bytes | None:
        """Keeps the pieces of a long unfinished tag or reference back; returns what to parse now, or None."""
        held = self._held
        if held is None:
            if len(self._tail) < _HOLD_FROM:
                return piece
            held = self._held = bytearray()
            self._scanner = TagScanner() if self._tail[0] == 0x3C else None
            if self._scanner is not None:
                self._scanner.find_end(bytes(self._tail[1:]))
        room = self._mark + self.limits.stanza_bytes - self._fed - len(held)
        if self._scanner is not None:
            complete = self._scanner.find_end(piece) >= 0
        else:
            complete = _END_OF_REFERENCE.search(piece) is not None
        held += piece
        if not complete and len(piece) < room:
            return None
        self._held = None
        return bytes(held)


def _attach(reader: Reader, parser: XMLParserType) -> Callable[[Limits], None]:
    """Gives the parser its callbacks: closures, because every microsecond of a stanza is spent in them.

    Returns the way to change their limits.
    """
    most_elements, most_depth = reader.limits.elements, reader.limits.depth
    stack, emit, known = reader._stack, reader._events.append, _NAMES
    push, pop, all_plain = stack.append, stack.pop, _PLAIN.issuperset
    kids: list[Element | str] = []
    count = 0

    def start(key: str, attributes: dict[str, str]) -> None:
        nonlocal kids, count
        pair = known.get(key) or _learn(key, reader.limits)
        if attributes and not all_plain(attributes):
            attributes = _qualified(attributes, reader.limits)
        depth = len(stack)
        if not depth:
            reader._mark = parser.CurrentByteIndex
        count += 1
        if count > most_elements or depth >= most_depth:
            raise XmlFault("policy-violation", "too many elements or levels in a stanza")
        children: list[Element | str] = []
        kids.append(Element(pair[0], pair[1], attributes, children))
        push(kids)
        kids = children

    def end(key: str) -> None:
        nonlocal kids, count
        if not stack:
            reader._ended = True
            emit(StreamEnded())
            return
        kids = pop()
        if not stack:
            stanza = kids.pop()
            count = reader._declared = 0
            if reader._ragged or (reader._long and may_be_long(stanza)):
                _tidy(stanza, reader.limits.token_chars)
                reader._ragged = False
            emit(stanza)  # type: ignore[arg-type]

    def may_be_long(stanza: Element | str) -> bool:
        # many stanzas may share one long chunk: this one must have room for such an attribute before its end tag
        room = parser.CurrentByteIndex - reader._mark > reader.limits.token_chars
        return room or isinstance(stanza, str) or not stanza.children

    def text(piece: str) -> None:
        if not stack:
            if piece.strip(" \t\r\n"):
                # the condition that expat's own error would give when the text goes wrong in the same chunk
                raise XmlFault("not-well-formed", "text between stanzas")
        elif kids and kids[-1].__class__ is str:
            reader._ragged = True
            _append_text(kids, piece)
        else:
            kids.append(piece)

    def limit(changed: Limits) -> None:
        nonlocal most_elements, most_depth
        most_elements, most_depth = changed.elements, changed.depth

    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    _attach_rare(reader, parser, start)
    return limit


def _attach_rare(reader: Reader, parser: XMLParserType, start: Callable[[str, dict[str, str]], None]) -> None:
    """Gives the parser the callbacks for the stream header, for namespace declarations and for what is refused."""
    declarations: dict[str, str] = {}

    def open_stream(key: str, attributes: dict[str, str]) -> None:
        reader._declared = 0
        ns, _, name = key.rpartition(" ")
        attributes = _qualified(attributes, reader.limits)
        if any(len(value) > reader.limits.token_chars for value in attributes.values()):
            raise XmlFault("policy-violation", "attribute value too long")
        reader._events.append(StreamOpened(ns, name, attributes, declarations))
        parser.StartElementHandler = start

    def declare(prefix: str | None, ns: str | None) -> None:
        reader._declared += 1
        if reader._declared > reader.limits.declarations:
            raise XmlFault("policy-violation", "too many namespace declarations")
        if parser.StartElementHandler is open_stream:
            declarations[prefix or ""] = ns or ""

    parser.StartElementHandler = open_stream
    parser.StartNamespaceDeclHandler = declare
    parser.CommentHandler = parser.ProcessingInstructionHandler = parser.StartDoctypeDeclHandler = _refuse


def _refuse(*_: object) -> None:
    raise XmlFault("restricted-xml", "comment, processing instruction or document type")


def _check_opening(opening: bytes) -> None:
    """Refuses "<!" and "<?" unless a CDATA section may come of it."""
    if opening[1:2] == b"?" or (opening[1:2] == b"!" and not _CDATA.startswith(opening[: len(_CDATA)])):
        _refuse()


def _learn(key: str, limits: Limits) -> tuple[str, str]:
    """Returns namespace and local name of a name as expat gives it, and remembers them; refuses a nested stream."""
    if key == _STREAM:
        raise XmlFault("bad-format", "stream inside a stream")
    if len(key) > limits.name_chars:
        raise XmlFault("policy-violation", "name too long")
    ns, _, name = key.rpartition(" ")
    if len(key) <= _LONGEST_CACHED_NAME:
        if len(_NAMES) >= _MOST_NAMES:
            _NAMES.clear()
        _NAMES[key] = (ns, name)
    return ns, name


def _qualified(attributes: dict[str, str], limits: Limits) -> dict[str, str]:
    """Returns the attributes under the keys that Element uses."""
    if len(attributes) > limits.attributes:
        raise XmlFault("policy-violation", "too many attributes")
    qualified = {}
    for key, value in attributes.items():
        if len(key) > limits.name_chars:
            raise XmlFault("policy-violation", "name too long")
        if " " in key:
            ns, _, name = key.rpartition(" ")
            key = "xml:" + name if ns == names.XML else "{" + ns + "}" + name
        qualified[key] = value
    return qualified


def _append_text(kids: list[Element | str], piece: str) -> None:
    """Appends to text in geometrically shrinking pieces, so that a text in tiny chunks costs n log n."""
    kids.append(piece)
    while len(kids) > 1:
        before, last = kids[-2:]
        if not isinstance(before, str) or not isinstance(last, str) or len(before) >= 2 * len(last):
            return
        kids[-2:] = [before + last]


def _tidy(element: Element | str, most: int) -> None:
    """Joins the pieces of each text and refuses an attribute value that is too long."""
    waiting = [element]
    while waiting:
        visited = waiting.pop()
        if isinstance(visited, str):
            continue
        if any(len(value) > most for value in visited.attributes.values()):
            raise XmlFault("policy-violation", "attribute value too long")
        joined: list[Element | str] = []
        run: list[str] = []
        for child in [*visited.children, None]:
            if isinstance(child, str):
                run.append(child)
                continue
            if run:
                joined.append("".join(run))
                run = []
            if child is not None:
                joined.append(child)
                waiting.append(child)
        visited.children[:] = joined
