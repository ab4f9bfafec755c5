"""Calls the servers of a side: one after the other, again and again, ever more rarely."""

import random
import socket
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from twisted.internet.defer import ensureDeferred

from gateway.errors import GatewayError
from gateway.log import Log
from gateway.model.address import ascii_domain
from gateway.model.envelope import Problem
from gateway.protocols.xmpp.dialback import DialbackSecret
from gateway.protocols.xmpp.initiating import InitiatingStream
from gateway.protocols.xmpp.limits import Limits
from gateway.transport.certificate import PeerCertificate
from gateway.transport.connector import ConnectFailed, connect
from gateway.transport.dane import endorsed
from gateway.transport.resolver import LookupFailed, NotFound, ServiceNotOffered, Target
from plugins.legs.xmpp.connection import Connection
from plugins.legs.xmpp.lane import Lane
from plugins.legs.xmpp.mourning import Mourning
from plugins.legs.xmpp.tally import Tally

log = Log("xmpp")

MOST_REDIRECTS = 2
DEAD_FAILURES = 3
"""Attempts in a row after which, and after `queue_seconds`, a domain counts as dead: messages to it are refused."""
ALPN = ("xmpp-server",)
NOT_FOUND = Problem.REMOTE_SERVER_NOT_FOUND


class Calling(Protocol):
    """Is the face for which is called."""

    name: str
    host: Any
    reactor: Any
    clock: Callable[[], float]
    now: Callable[[], float]
    stopping: bool
    limits: Any
    stanza_limits: Limits
    secret: DialbackSecret
    tally: Tally
    mourning: Mourning

    def joined(self, sock: socket.socket, stream: Any) -> Connection:
        """Joins a stream to a connected socket."""


class Caller:
    """Opens the connections of a face."""

    def __init__(self, face: Calling) -> None:
        self._face = face

    def call(self, lane: Lane) -> None:
        """Begins to connect, unless that is under way, or it is too early to try again."""
        face = self._face
        if not (lane.connecting or lane.retry or lane.connection or face.stopping):
            lane.connecting = True
            ensureDeferred(self._call(lane))

    async def _call(self, lane: Lane) -> None:
        face = self._face
        problem, for_good = Problem.REMOTE_SERVER_TIMEOUT, False
        try:
            targets = await face.host.targets(lane.local, lane.remote)
            redirects = MOST_REDIRECTS
            lane.problem = "no address is known"
            while targets:
                lane.problem, other_host = await self._try(lane, targets.pop(0))
                if not lane.problem:
                    lane.connecting = False
                    return
                if other_host and redirects:
                    redirects -= 1
                    targets = await face.host.elsewhere(lane.remote, other_host) + targets
        except LookupFailed as failure:
            lane.problem, problem = str(failure), NOT_FOUND
            for_good = isinstance(failure, NotFound | ServiceNotOffered)
        except Exception:  # noqa: BLE001 whatever happened, the lane must not stay in the state of connecting
            log.failure("call failed")
            lane.problem = "an error in the gateway"
        lane.connecting = False
        self._failed(lane, problem, for_good)

    async def _try(self, lane: Lane, target: Target) -> tuple[str, str]:
        """Connects to one target; gives '' when the pair is authenticated there, else why not, and where to go then."""
        face = self._face
        try:
            sock, _, _ = await connect(face.reactor, [target], face.limits.connect_seconds)
        except ConnectFailed as failure:
            return str(failure), ""
        if lane.connection is not None or face.stopping:
            sock.close()
            return "", ""
        connection = self.initiate(sock, lane.local, lane.remote, target)
        return await connection.ready, connection.other_host

    def initiate(
        self, sock: socket.socket, local: str, remote: str, target: Target, verify: bool = False
    ) -> Connection:
        """Begins a stream on a socket that is connected to the target; its `ready` tells the outcome."""
        face = self._face
        make = partial(
            InitiatingStream,
            host=face.host,
            secret=face.secret,
            local=local,
            remote=remote,
            verify_only=verify,
            limits_after=face.stanza_limits,
        )
        connection = face.joined(sock, make(now=face.clock()))
        if target.associations:

            def judge(certificate: PeerCertificate | None) -> PeerCertificate:
                return endorsed(certificate, target.associations, remote, target.host, face.now())

            connection.judge = judge
        if target.direct_tls:
            connection.stream.take_output()
            connection.start_tls(face.host.client(local, remote), False, ascii_domain(remote), ALPN)
        else:
            connection.flush()
        return connection

    def _failed(self, lane: Lane, problem: Problem, for_good: bool) -> None:
        face = self._face
        lane.failures += 1
        now = face.clock()
        lane.failed_at = now if lane.failed_at is None else lane.failed_at
        lane.outbox.dead = lane.failures >= DEAD_FAILURES and now - lane.failed_at >= face.limits.queue_seconds
        seconds = lane.delay(face.limits.retry_seconds, face.limits.retry_max_seconds, random.random())
        log.warn("link failed", side=face.name, domain=lane.local, peer=lane.remote, detail=GatewayError(lane.problem))
        face.tally.failed(lane, problem)
        lane.retry = face.reactor.callLater(seconds, self._again, lane)
        lane.outbox.failed(problem, for_good)
        if lane.failures == 1:
            face.mourning.broke(lane)

    def _again(self, lane: Lane) -> None:
        lane.retry = None
        if lane.wanted:
            self.call(lane)
