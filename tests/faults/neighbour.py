"""A scripted server beside the gateway: it listens and calls, answers what a server answers, and notes what it sees."""

import asyncio
import re
import ssl
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any
from xml.etree.ElementTree import Element

from attrs import define, field

from tests.bench.pki import Credentials
from tests.bench.streams import StreamRefused
from tests.faults.history import History, Kind
from tests.faults.wire import SM, Established, accept, initiate

NS = "{jabber:server}"
CALL_AGAIN_SECONDS = 0.3
NOTE = re.compile(r"^n(\d+) ")
REFUSAL = "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
MOST_UNSENT = 1_000_000
"""Bytes that wait for the gateway, beyond which nothing more is handed to it."""


def bare(address: str) -> str:
    """Gives an address without its resource."""
    return address.partition("/")[0]


def reply(iq: Element) -> bytes:
    """Gives the answer to a question: pings and disco (XEP-0199, XEP-0030) are answered, all else is refused."""
    if iq.get("type") not in ("get", "set"):
        return b""
    head = f"from='{iq.get('to', '')}' to='{iq.get('from', '')}' id='{iq.get('id', '')}'"
    asked = iq[0].tag if len(iq) else ""
    if asked == "{urn:xmpp:ping}ping":
        return f"<iq type='result' {head}/>".encode()
    if asked == "{http://jabber.org/protocol/disco#info}query":
        told = "<identity category='server' type='im'/><feature var='urn:xmpp:ping'/>"
        return f"<iq type='result' {head}><query xmlns='http://jabber.org/protocol/disco#info'>{told}</query></iq>".encode()
    return f"<iq type='error' {head}><error type='cancel'>{REFUSAL}</error></iq>".encode()


@define(eq=False)
class Place:
    """Where a neighbour listens, and where the gateway stands for the world as it sees it."""

    address: str
    face: str
    port: int = 5269


@define(eq=False)
class Neighbour:
    """One server with one domain; `current` gives the presence of one of its people for a contact, as a stanza."""

    domain: str
    beyond: str
    """The domain that it reaches through the gateway."""
    place: Place
    credentials: Credentials
    history: History
    canary: bytes = b""
    """What must never arrive here."""
    counts: bool = True
    current: Callable[[str, str], bytes] = lambda person, contact: b""
    out: Established | None = None
    ins: list[Established] = field(factory=list)
    ask_seconds: float = 0.1
    deaf: bool = False
    """Answers nothing and reads nothing, as a machine that hangs."""
    accepts: bool = True
    """Lets the gateway set up streams to it."""
    calls: bool = True
    """Keeps a stream to the gateway."""
    refusals: int = 0
    _unconfirmed: deque[tuple[int, str]] = field(factory=deque)
    _asked: set[tuple[str, str]] = field(factory=set)
    """Who was asked about while there was no stream to answer on, and by whom: a server keeps its answers."""
    _sent: int = 0
    _tail: bytes = b""
    _tasks: set["asyncio.Task[None]"] = field(factory=set)
    _server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listens and begins to call."""
        self._server = await asyncio.start_server(self._incoming, self.place.address, self.place.port, limit=2**18)
        self._do(self._keep_calling())
        self._do(self._keep_asking())

    async def close(self) -> None:
        """Ends everything."""
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        for stream in [*self.ins, *([self.out] if self.out else [])]:
            stream.wire.abort()
        self.history.close()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- towards the gateway -----------------------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """Says whether it can hand something to the gateway now."""
        return self.out is not None and self.out.wire.writer.transport.get_write_buffer_size() < MOST_UNSENT

    def send(self, stanzas: bytes, count: int = 1) -> bool:
        """Hands stanzas to the gateway; False when there is no stream."""
        if self.out is None:
            return False
        self.out.wire.send(stanzas)
        self._sent += count
        return True

    def message(self, sender: str, recipient: str, number: int) -> bool:
        """Sends a numbered message."""
        name = f"m{number}-{sender}"
        stanza = f"<message type='chat' from='{sender}/r' to='{recipient}' id='{name}'><body>{name}</body></message>"
        if not self.ready:
            return False
        self.history.note(Kind.SENT, sender, recipient, name, number)
        self.send(stanza.encode())
        self._unconfirmed.append((self._sent, name))
        return True

    async def _keep_calling(self) -> None:
        while True:
            if not self.calls:
                await asyncio.sleep(CALL_AGAIN_SECONDS)
                continue
            try:
                tls = self.client_tls()
                stream = await initiate(self.place.face, 5269, self.domain, self.beyond, tls, counts=self.counts)
            except (OSError, StreamRefused, TimeoutError):
                self.refusals += 1
                await asyncio.sleep(CALL_AGAIN_SECONDS)
                continue
            self._unconfirmed.clear()
            self._sent = 0
            self.out = stream
            asked, self._asked = self._asked, set()
            for person, contact in sorted(asked):
                self._show(person, contact)
            try:
                await self._listen(stream)
            finally:
                self.out = None

    def client_tls(self) -> ssl.SSLContext:
        """Gives the settings for a call; whom we reach is not what is tested here."""
        settings = self.credentials.tls(self.domain, server=False)
        settings.verify_mode = ssl.CERT_NONE
        return settings

    def server_tls(self, domain: str) -> ssl.SSLContext:
        """Gives the settings for being called."""
        settings = self.credentials.tls(domain or self.domain, server=True)
        settings.verify_mode = ssl.CERT_NONE
        return settings

    async def _keep_asking(self) -> None:
        while True:
            await asyncio.sleep(self.ask_seconds)
            for stream in [*self.ins, *([self.out] if self.out else [])]:
                if stream.wire.lost:
                    stream.wire.reader.feed_eof()  # asyncio forgets to say so when TLS was started on the stream
            if self.out is not None and self.out.counts and self._unconfirmed:
                self.out.wire.send(f"<r xmlns='{SM}'/>".encode())

    # -- from the gateway --------------------------------------------------------------------------------------------

    def depart(self) -> None:
        """Ends every stream in order, as a server that is stopped."""
        if self.out is not None:
            self.out.leave()
            self.out = None
        for stream in self.ins:
            if not stream.left:
                stream.leave()

    async def _incoming(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.accepts:
            writer.transport.abort()
            return
        try:
            stream = await accept(reader, writer, self.server_tls, counts=self.counts)
        except (OSError, StreamRefused, TimeoutError):
            self.refusals += 1
            return
        self.ins.append(stream)
        stream.wire.tapped = self._tap
        try:
            await self._listen(stream)
        finally:
            self.ins.remove(stream)
            if not stream.wire.said_good_bye:
                self.history.note(Kind.UNCLEAN)

    async def _listen(self, stream: Established) -> None:
        with suppress(StreamRefused):
            while True:
                while self.deaf:
                    await asyncio.sleep(0.05)
                answers = b"".join([self._take(stream, element) for element in await stream.wire.elements()])
                if answers and not (stream.left or stream.wire.writer.is_closing()):
                    stream.wire.send(answers)
                if stream.wire.said_good_bye:
                    if stream.left:
                        stream.wire.writer.close()
                    else:
                        stream.wire.good_bye()
                    return
        stream.wire.abort()

    def _tap(self, octets: bytes) -> None:
        if not self.canary:
            return
        text = self._tail + octets
        if self.canary in text:
            at = text.index(self.canary)
            self.history.note(Kind.CANARY, detail=text[max(0, at - 80) : at + 60].decode(errors="replace"))
        self._tail = text[-len(self.canary) + 1 :]

    def _take(self, stream: Established, element: Element) -> bytes:
        """Notes an element and gives the bytes to be said on the same stream."""
        if element.tag == f"{{{SM}}}a":
            self._confirmed(int(element.get("h", "0")))
            return b""
        if stream.left:
            return b""
        answer = stream.taken(element)
        if element.tag == f"{NS}message":
            self._message(element)
        elif element.tag == f"{NS}presence":
            self._presence(element)
        elif element.tag == f"{NS}iq" and (answered := reply(element)):
            self.send(answered)
        return answer

    def _confirmed(self, count: int) -> None:
        while self._unconfirmed and self._unconfirmed[0][0] <= count:
            self.history.note(Kind.ACCEPTED, name=self._unconfirmed.popleft()[1])

    def _message(self, element: Element) -> None:
        sender, recipient, identity = bare(element.get("from", "")), bare(element.get("to", "")), element.get("id", "")
        if element.get("type") == "error":
            error = element.find(f"{NS}error")
            condition = error[0].tag.rpartition("}")[2] if error is not None and len(error) else ""
            self.history.note(Kind.BOUNCED, recipient, sender, identity, 0, condition)
            return
        text = element.findtext(f"{NS}body", "")
        if not text:
            return  # an event that tells what changed (XEP-0163)
        number = int(text[1:].partition("-")[0]) if text.startswith("m") else 0
        self.history.note(Kind.DELIVERED, sender, recipient, text, number, identity)

    def _show(self, person: str, contact: str) -> None:
        """Answers a probe (RFC 6121 section 4.3.2)."""
        stanza = self.current(person, contact)
        if stanza and not self.send(stanza):
            self._asked.add((person, contact))

    def _presence(self, element: Element) -> None:
        sender, recipient = bare(element.get("from", "")), bare(element.get("to", ""))
        kind = element.get("type", "")
        if kind == "probe":
            self._show(recipient, sender)
        elif kind == "subscribe":
            self.send(f"<presence type='subscribed' from='{recipient}' to='{sender}'/>".encode())
        elif kind in ("", "unavailable"):
            found = NOTE.match(element.findtext(f"{NS}status", ""))
            show = "unavailable" if kind else element.findtext(f"{NS}show", "")
            self.history.note(Kind.SEEN, sender, recipient, "", int(found[1]) if found else 0, show)
