"""Pings: whether a silent link is alive, and how long an answer takes (XEP-0199)."""

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from gateway.model.envelope import QueryKind
from gateway.protocols.xmpp.stanzas.queries import write_query
from plugins.legs.xmpp.connection import Connection
from plugins.legs.xmpp.lane import Lane

Pair = tuple[str, str]


class Speaker(Protocol):
    """Is the face whose links are felt."""

    clock: Callable[[], float]

    def say(self, local: str, remote: str, text: str) -> None:
        """Sends a stanza from one domain to another."""


class Pulse:
    """Pings the remote domains of silent links; a peer that never answers is not judged by that."""

    def __init__(self, face: Speaker, limits: Any, metrics: Any) -> None:
        self._face = face
        self._limits = limits
        self._metrics = metrics
        self._waiting: dict[Pair, list[Deferred[None]]] = {}

    def feel(self, lane: Lane, connection: Connection, now: float) -> None:
        """Pings a link that has been silent for long; ends one that used to answer and does not any more."""
        silent = now - max(connection.heard_at, connection.used_at)
        if lane.pinged_at is not None and now - lane.pinged_at > self._limits.ping_timeout_seconds:
            lane.pinged_at = None
            if lane.answers_pings:
                connection.reason = "no answer to a ping"
                connection.link.abort(connection.reason)
        elif lane.pinged_at is None and silent >= self._limits.ping_seconds:
            lane.pinged_at = now
            used = connection.used_at
            self._face.say(lane.local, lane.remote, ping_of(lane.local, lane.remote))
            connection.used_at = used

    def ping(self, local: str, remote: str) -> "Deferred[None]":
        """Pings a domain and fires when it answers; connects first if need be."""
        waiting: Deferred[None] = Deferred()
        self._waiting.setdefault((local, remote), []).append(waiting)
        self._face.say(local, remote, ping_of(local, remote))
        return waiting

    def ponged(self, local: str, remote: str, lane: Lane | None) -> None:
        """Takes note that a domain has answered a ping, whatever it answered."""
        for waiting in self._waiting.pop((local, remote), []):
            if not waiting.called:
                waiting.callback(None)
        if lane is not None and lane.pinged_at is not None:
            self._metrics.probe_rtt(lane.partner).set(self._face.clock() - lane.pinged_at)
            lane.answers_pings, lane.pinged_at = True, None
            if lane.connection is not None:
                lane.connection.heard_at = self._face.clock()


def ping_of(local: str, remote: str) -> str:
    """Writes a ping from one domain to another (XEP-0199)."""
    return write_query(QueryKind.PING, "ping", local, remote)
