"""Dialback keys that peers bring: asked about at the authoritative server, over a connection of their own."""

import socket
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import ensureDeferred

from gateway.log import Log
from gateway.protocols.xmpp.dialback import Outcome
from gateway.protocols.xmpp.events import Authenticated, Verify, VerifyAnswer
from gateway.protocols.xmpp.initiating import InitiatingStream
from gateway.protocols.xmpp.receiving import ReceivingStream
from gateway.transport.connector import ConnectFailed, connect
from gateway.transport.resolver import LookupFailed, Target
from plugins.legs.xmpp.connection import Connection
from plugins.legs.xmpp.hosts import SideHost

log = Log("xmpp.dialback")


class Caller(Protocol):
    """Is the face on whose behalf is asked."""

    host: SideHost
    reactor: Any
    clock: Callable[[], float]

    def initiate(
        self, sock: socket.socket, local: str, remote: str, target: Target, verify: bool = False
    ) -> Connection:
        """Begins a stream on a connected socket."""

    def authenticated(self, connection: Connection, event: Authenticated) -> None:
        """Takes a proven pair into use."""


class Verifier:
    """Knows which connection waits for the answer about which key."""

    def __init__(self, face: Caller) -> None:
        self._face = face
        self._waiting: dict[tuple[str, str, str], Connection] = {}

    def verify(self, connection: Connection, event: Verify) -> None:
        """Has the authoritative server asked, never over the connection on which the key came (section 2.1.2)."""
        self._waiting[(event.local, event.remote, event.stream_id)] = connection
        ensureDeferred(self._verify(event))

    def answered(self, asking: Connection | None, event: VerifyAnswer) -> None:
        """Tells the stream on which a key came what the authoritative server said."""
        waiting = self._waiting.pop((event.local, event.remote, event.stream_id), None)
        if asking is not None:
            asking.settle("")
            asking.end()
        if waiting is None or not isinstance(waiting.stream, ReceivingStream):
            return
        stream = waiting.stream
        for happened in stream.verification_finished(event.local, event.remote, event.outcome, event.condition):
            if isinstance(happened, Authenticated):
                self._face.authenticated(waiting, happened)
        waiting.flush()

    def forget(self, connection: Connection) -> None:
        """Drops the keys of a connection that has ended."""
        for key in [key for key, waiting in self._waiting.items() if waiting is connection]:
            del self._waiting[key]

    async def _verify(self, event: Verify) -> None:
        try:
            for target in await self._face.host.targets(event.local, event.remote):
                if await self._asked(target, event):
                    return
            self._failed(event, "remote-connection-failed")
        except LookupFailed:
            self._failed(event, "remote-server-not-found")
        except Exception:  # noqa: BLE001 whoever brought the key must get an answer
            log.failure("verification failed")
            self._failed(event, "internal-server-error")

    async def _asked(self, target: Target, event: Verify) -> bool:
        try:
            sock, _, _ = await connect(self._face.reactor, [target])
        except ConnectFailed:
            return False
        asking = self._face.initiate(sock, event.local, event.remote, target, verify=True)
        if isinstance(asking.stream, InitiatingStream):
            asking.stream.ask_verification(event.stream_id, event.key, self._face.clock())
        asking.flush()
        return await asking.ready == ""

    def _failed(self, event: Verify, condition: str) -> None:
        self.answered(None, VerifyAnswer(event.local, event.remote, event.stream_id, Outcome.ERROR, condition))
