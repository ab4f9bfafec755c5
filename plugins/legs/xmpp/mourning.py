"""Makes up for what a broken stream may have taken with it: it is told again, asked for again, or given up."""

from typing import Any, Final, Protocol

from plugins.legs.xmpp.connection import Connection
from plugins.legs.xmpp.lane import Lane
from plugins.legs.xmpp.pulse import ping_of

HEAR_SECONDS: Final = 2.0
"""How long a peer may take to open a stream, after it was pinged, before it is asked for presence all the same."""
UNCHANGED_SECONDS: Final = 30.0
"""How long a peer who had confirmed everything may be away without being told everything again."""


class Speaker(Protocol):
    """Is the face whose streams these are."""

    house: Any
    reactor: Any
    limits: Any

    def say(self, local: str, remote: str, text: str) -> None:
        """Sends a stanza from one domain to another."""

    def call(self, lane: Lane) -> None:
        """Connects to a lane's domain again."""


class Mourning:
    """Knows for each lane whether a stream broke, and in which direction.

    A peer answers on a stream of its own (RFC 6120 section 10.1), which may have broken without its knowledge: what it
    says there is lost. So presence is asked for when a stream of the peer is up that is younger than the break; a ping
    makes the peer open one.
    """

    def __init__(self, face: Speaker) -> None:
        self._face = face

    def opened(self, lane: Lane) -> None:
        """Tells what may be lost, now that the way out is up again, and sees to it that presence is asked for."""
        if lane.mourning is not None and lane.mourning.active():
            lane.mourning.cancel()
        lane.mourning = None
        if lane.broken:
            lane.broken = False
            complete = lane.lost_at is not None and self._face.reactor.seconds() - lane.lost_at < UNCHANGED_SECONDS
            self._face.house.link_restored(lane.local, lane.remote, complete, ask=False)
            self._ask(lane)

    def heard(self, lane: Lane, connection: Connection) -> None:
        """Takes note of a stream on which the peer speaks."""
        lane.heard_on.add(connection)
        if lane.asking is None and not lane.unheard:
            return
        if lane.connection is None:
            lane.broken = True
        else:
            self._asked(lane)

    def broke(self, lane: Lane) -> None:
        """Asks for what went with a stream of the peer; calls again if it was ours, and gives up after a while."""
        if lane.connection is not None:
            self._ask(lane)
            return
        lane.broken = True
        if lane.mourning is None:
            seconds = self._face.limits.presence_seconds
            lane.mourning = self._face.reactor.callLater(seconds, self._mourned, lane)
            self._face.call(lane)

    def _mourned(self, lane: Lane) -> None:
        lane.mourning = None
        if lane.connection is None:
            self._face.house.link_lost(lane.local, lane.remote)

    def _ask(self, lane: Lane) -> None:
        if any(not connection.clean for connection in lane.heard_on):
            self._asked(lane)
            return
        if lane.asking is not None and lane.asking.active():
            lane.asking.cancel()
        lane.asking = self._face.reactor.callLater(HEAR_SECONDS, self._unheard, lane)
        self._face.say(lane.local, lane.remote, ping_of(lane.local, lane.remote))

    def _asked(self, lane: Lane) -> None:
        if lane.asking is not None and lane.asking.active():
            lane.asking.cancel()
        lane.asking, lane.unheard = None, False
        self._face.house.link_restored(lane.local, lane.remote, True)

    def _unheard(self, lane: Lane) -> None:
        """Asks a peer that has opened no stream; whether it answers is seen when it does."""
        lane.asking = None
        if lane.connection is None:
            lane.broken = True
            return
        self._asked(lane)
        lane.unheard = True
