"""One server stream of a scripted peer, over asyncio: STARTTLS, EXTERNAL, stanzas, XEP-0198 (RFC 6120)."""

import asyncio
import base64
import os
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from xml.etree.ElementTree import Element, ParseError, XMLPullParser

from attrs import define, field

from tests.bench.streams import NS_SASL, NS_TLS, StreamRefused, stream_header

SM = "urn:xmpp:sm:3"
FEATURES = "{http://etherx.jabber.org/streams}features"
SETUP_SECONDS = 20.0


@define(eq=False)
class Wire:
    """Bytes to elements and back; `tapped` sees every byte that arrives after the streams are secured."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    tapped: Callable[[bytes], object] = lambda octets: None
    said_good_bye: bool = False
    header: Element | None = None
    _parser: "XMLPullParser[Element]" = field(factory=lambda: XMLPullParser(["start", "end"]))
    _depth: int = 0
    _ready: deque[Element] = field(factory=deque)

    def begin(self) -> None:
        """Expects a new stream from here on."""
        self._parser, self._depth, self.header = XMLPullParser(["start", "end"]), 0, None
        self._ready.clear()

    async def secure(self, tls: ssl.SSLContext, name: str | None = None) -> None:
        """Makes it a TLS connection; as a client when `name` is the server's."""
        await self.writer.start_tls(tls, server_hostname=name)
        self.begin()

    def send(self, octets: bytes) -> None:
        """Hands bytes to the socket."""
        self.writer.write(octets)

    async def elements(self) -> list[Element]:
        """Gives what the next read brings, perhaps nothing yet; raises StreamRefused at the end of the stream."""
        if not self._ready:
            await self._read()
        got = list(self._ready)
        self._ready.clear()
        return got

    async def next(self, *tags: str) -> Element:
        """Waits for one element during the set-up; StreamRefused when another comes."""
        while not self._ready:
            await self._read()
        element = self._ready.popleft()
        if tags and element.tag not in tags:
            raise StreamRefused(f"{element.tag} came where {tags} was awaited")
        return element

    async def greeting(self) -> Element:
        """Waits for the header of the stream."""
        while self.header is None:
            await self._read()
        return self.header

    async def _read(self) -> None:
        try:
            octets = await self.reader.read(262144)
        except OSError as lost:
            raise StreamRefused(repr(lost)) from lost
        if not octets:
            raise StreamRefused("closed")
        self.tapped(octets)
        self._parse(octets)

    def _parse(self, octets: bytes) -> None:
        try:
            self._parser.feed(octets)
            for event, element in self._parser.read_events():  # type: ignore[misc]  # pairs, with these events
                assert isinstance(element, Element)
                if event == "start":
                    self._depth += 1
                    if self._depth == 1:
                        self.header = element
                    continue
                self._depth -= 1
                if self._depth == 1:
                    self._ready.append(element)
                    if self.header is not None:
                        self.header.clear()
                elif self._depth == 0:
                    self.said_good_bye = True
        except ParseError as problem:
            raise StreamRefused(f"not well-formed: {problem}") from problem

    @property
    def lost(self) -> bool:
        """Says whether the connection has ended or is ending; a transport of TLS that has lost its own says no more."""
        return self.writer.is_closing() or self.writer.get_extra_info("socket") is None

    def abort(self) -> None:
        """Ends the connection at once; what is not sent is lost."""
        self.writer.transport.abort()

    def good_bye(self) -> None:
        """Ends the stream in order."""
        self.writer.write(b"</stream:stream>")
        self.writer.close()


@define(eq=False)
class Established:
    """A stream that is ready for stanzas: who speaks (`there`) to whom (`here`), and whether stanzas are counted."""

    wire: Wire
    here: str
    there: str
    counts: bool
    heard: int = 0
    left: bool = False
    """We have ended our side: what still comes is not taken, and not counted."""

    def leave(self) -> None:
        """Ends our side in order: our last word says what we have (XEP-0198 section 4)."""
        self.left = True
        if self.counts:
            self.wire.send(f"<a xmlns='{SM}' h='{self.heard}'/>".encode())
        self.wire.send(b"</stream:stream>")

    def taken(self, element: Element) -> bytes:
        """Counts a stanza, and gives what is to be answered to anything else of XEP-0198."""
        if element.tag == f"{{{SM}}}r":
            return f"<a xmlns='{SM}' h='{self.heard}'/>".encode()
        if element.tag == f"{{{SM}}}enable":
            self.heard = 0
            return f"<enabled xmlns='{SM}'/>".encode()
        if element.tag.rpartition("}")[2] in ("message", "presence", "iq"):
            self.heard += 1
        return b""


async def within(steps: Awaitable[Established], wire: Wire) -> Established:
    """Waits for a set-up, at most SETUP_SECONDS; ends the connection when it fails."""
    try:
        return await asyncio.wait_for(steps, SETUP_SECONDS)
    except (OSError, StreamRefused, TimeoutError, ssl.SSLError):
        wire.abort()
        raise


async def initiate(
    address: str, port: int, here: str, there: str, tls: ssl.SSLContext, *, counts: bool = True
) -> Established:
    """Opens a stream from `here` to `there` (XEP-0178); OSError, TimeoutError or StreamRefused when it cannot be."""
    reader, writer = await asyncio.wait_for(asyncio.open_connection(address, port), SETUP_SECONDS)
    wire = Wire(reader, writer)
    return await within(_initiated(wire, here, there, tls, counts=counts), wire)


async def _initiated(wire: Wire, here: str, there: str, tls: ssl.SSLContext, *, counts: bool) -> Established:
    hello = stream_header(here, there)
    wire.send(hello)
    await wire.next(FEATURES)
    wire.send(f"<starttls xmlns='{NS_TLS}'/>".encode())
    await wire.next(f"{{{NS_TLS}}}proceed")
    await wire.secure(tls, there)
    wire.send(hello)
    await wire.next(FEATURES)
    identity = base64.b64encode(here.encode()).decode()
    wire.send(f"<auth xmlns='{NS_SASL}' mechanism='EXTERNAL'>{identity}</auth>".encode())
    await wire.next(f"{{{NS_SASL}}}success")
    wire.begin()
    wire.send(hello)
    offered = (await wire.next(FEATURES)).find(f"{{{SM}}}sm") is not None
    if offered and counts:
        wire.send(f"<enable xmlns='{SM}'/>".encode())
        await wire.next(f"{{{SM}}}enabled")
    return Established(wire, here, there, offered and counts)


async def accept(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tls: Callable[[str], ssl.SSLContext], *, counts: bool
) -> Established:
    """Answers a server that opens a stream to us."""
    wire = Wire(reader, writer)
    return await within(_accepted(wire, tls, counts=counts), wire)


async def _accepted(wire: Wire, tls: Callable[[str], ssl.SSLContext], *, counts: bool) -> Established:
    here, there = await _greet(wire, f"<starttls xmlns='{NS_TLS}'><required/></starttls>")
    await wire.next(f"{{{NS_TLS}}}starttls")
    wire.send(f"<proceed xmlns='{NS_TLS}'/>".encode())
    await wire.secure(tls(here))
    await _greet(wire, f"<mechanisms xmlns='{NS_SASL}'><mechanism>EXTERNAL</mechanism></mechanisms>")
    await wire.next(f"{{{NS_SASL}}}auth")
    wire.send(f"<success xmlns='{NS_SASL}'/>".encode())
    wire.begin()
    await _greet(wire, f"<sm xmlns='{SM}'/>" if counts else "")
    return Established(wire, here, there, counts)


async def _greet(wire: Wire, features: str) -> tuple[str, str]:
    header = await wire.greeting()
    here, there = header.get("to", ""), header.get("from", "")
    wire.send(
        stream_header(here, there, os.urandom(8).hex()) + f"<stream:features>{features}</stream:features>".encode()
    )
    return here, there
