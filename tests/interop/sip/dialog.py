"""What the scripted user agent stands on: dialogs (RFC 3261 12), its sockets, and its voice towards the test."""

import asyncio
import json
import sys
import time
from base64 import b64encode
from collections.abc import Callable
from typing import Any, Self

from attrs import define, evolve, field

from .wire import Framer, SipMessage, fresh, parameter, uri_of

Receive = Callable[[bytes, str, Callable[[bytes], None]], None]


class _Tell:
    """Tells the test one message."""

    @staticmethod
    def written(raw: bytes) -> str:
        """A message as it stands in a JSON line."""
        return b64encode(raw).decode()

    def __call__(self, raw: bytes, *, sent: bool, peer: str, again: bool = False) -> None:
        said = {"wire": self.written(raw), "sent": sent, "at": time.time(), "peer": peer, "again": again}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()


tell = _Tell()


@define
class Dialog:
    """One dialog as one side sees it; From and To with their tags."""

    call_id: str
    local: str
    remote: str
    cseq: int
    target: str
    routes: list[str] = field(factory=list)
    alive: bool = True
    """Whether it has not ended; a test may still speak in one that has."""

    @classmethod
    def new(cls, local: str, remote: str) -> Self:
        """What a request outside of any dialog begins with."""
        return cls(fresh(), f"<{local}>;tag={fresh()}", f"<{remote}>", 0, remote)

    @classmethod
    def taken(cls, got: SipMessage, tag: str) -> Self:
        """The dialog that accepting this request made (RFC 3261 12.1.1)."""
        return cls(
            got.call_id, f"{got['to']};tag={tag}", got["from"], 0, uri_of(got["contact"]), got.all("record-route")
        )

    def opened(self, got: SipMessage) -> "Dialog":
        """The dialog after a 2xx to a request that opens or refreshes it (RFC 3261 12.1.2)."""
        routes = self.routes if parameter(self.remote, "tag") else got.all("record-route")[::-1]
        return evolve(self, remote=got["to"], target=uri_of(got["contact"]) or self.target, routes=routes)


@define
class _Datagrams(asyncio.DatagramProtocol):
    receive: Receive
    sendto: Callable[[bytes, tuple[str, int]], None] = field(init=False)

    def connection_made(self, transport: Any) -> None:
        """Keep what sends."""
        self.sendto = transport.sendto

    def datagram_received(self, raw: bytes, addr: tuple[str, int]) -> None:
        """Hand one datagram on, unless it only keeps a binding alive."""
        if raw.strip():
            self.receive(raw, f"udp:{addr[0]}:{addr[1]}", lambda answer: self.sendto(answer, addr))


@define
class Links:
    """UDP and TCP at one address; requests go to the registrar over one of the two."""

    aor: str
    address: str
    port: int
    registrar: str
    transport: str
    _receive: Receive = field(init=False)
    _datagrams: _Datagrams = field(init=False)
    _stream: asyncio.StreamWriter | None = field(init=False, default=None)

    @property
    def contact(self) -> str:
        """The URI under which it is reached."""
        user = self.aor.removeprefix("sip:").partition("@")[0]
        return f"sip:{user}@{self.address}:{self.port};transport={self.transport}"

    async def open(self, receive: Receive) -> None:
        """Listen."""
        self._receive = receive
        here, loop = (self.address, self.port), asyncio.get_running_loop()
        _, self._datagrams = await loop.create_datagram_endpoint(lambda: _Datagrams(receive), local_addr=here)
        await asyncio.start_server(self._serve, *here)

    async def send(self, raw: bytes) -> None:
        """Send to the registrar."""
        tell(raw, sent=True, peer=f"{self.transport}:{self.registrar}")
        host, _, port = self.registrar.partition(":")
        if self.transport == "udp":
            self._datagrams.sendto(raw, (host, int(port)))
            return
        if self._stream is None or self._stream.is_closing():
            reader, self._stream = await asyncio.open_connection(host, int(port), local_addr=(self.address, 0))
            asyncio.get_running_loop().create_task(self._serve(reader, self._stream))
        self._stream.write(raw)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        framer, where = Framer(), writer.get_extra_info("peername")
        try:
            while chunk := await reader.read(65536):
                for raw in framer.feed(chunk):
                    self._receive(raw, f"tcp:{where[0]}:{where[1]}", writer.write)
        finally:
            writer.close()
