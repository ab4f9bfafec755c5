"""Both neighbours of the gateway in one: corp.example's own server inside, and the partner's server outside."""

import re
import select
import time
from collections.abc import Callable, Mapping

from attrs import define, field, frozen

from tests.bench.generator import Stalled
from tests.bench.path import Door, Line, Path, StreamClosed
from tests.bench.pki import Credentials
from tests.bench.stanzas import receiver_of, sender_of
from tests.bench.streams import Listener, open_s2s

SUBSCRIBE = re.compile(rb"type=['\"]subscribe['\"]")
SUBSCRIBED = re.compile(rb"type=['\"]subscribed['\"]")
PREPARATION_SECONDS = 30.0
SUBSCRIPTIONS_AT_ONCE = 100


@frozen
class Endpoint:
    """Where a stream is dialled or accepted, and the domain that is served there."""

    address: str
    port: int
    domain: str


@frozen
class Neighbourhood:
    """The two faces of the gateway, and the two servers that it reaches by static routes."""

    inside_face: Endpoint
    outside_face: Endpoint
    corp: Endpoint
    partner: Endpoint


NEIGHBOURHOOD = Neighbourhood(
    inside_face=Endpoint("127.0.0.100", 5269, "partner.example"),
    outside_face=Endpoint("127.0.0.101", 5269, "corp.example"),
    corp=Endpoint("127.0.0.201", 5269, "corp.example"),
    partner=Endpoint("127.0.0.202", 5269, "partner.example"),
)


@define
class GatewayStreams:
    """Keeps the streams around the gateway open between measurements: a server that vanishes is not dialled at once."""

    neighbourhood: Neighbourhood
    credentials: Credentials
    corp_door: Listener = field(init=False)
    partner_door: Listener = field(init=False)
    from_partner: Line | None = None
    path: Path | None = None

    def __attrs_post_init__(self) -> None:
        corp, partner = self.neighbourhood.corp, self.neighbourhood.partner
        self.corp_door = Listener.open(corp.address, corp.port, corp.domain, self.credentials)
        self.partner_door = Listener.open(partner.address, partner.port, partner.domain, self.credentials)

    def openers(self) -> Mapping[str, Callable[[], Path]]:
        """Return the one leg of the gateway: the whole hop."""
        return {"hop": self.hop}

    def hop(self) -> Path:
        """Return the path corp.example -> gateway -> partner.example, opened anew when the gateway has closed it."""
        self.tend()
        if self.path is None:
            self.path = self._open()
        return self.path

    def tend(self) -> None:
        """Answer what the gateway has asked since the last measurement; forget the path when it closed a stream."""
        path = self.path
        if path is None:
            return
        path.admit()
        for line in list(path.lines):
            try:
                for chunk in line.read():
                    line.reply(chunk)
            except StreamClosed:
                path.lines.remove(line)
                line.sock.close()
        if path.sender not in path.lines or self.from_partner not in path.lines:
            self.path = None

    def close(self) -> None:
        """Close every stream and both listeners."""
        if self.path is not None:
            self.path.abandon()
        self.corp_door.close()
        self.partner_door.close()

    def _dial(self, face: Endpoint, sender: str) -> Line:
        stream = open_s2s(face.address, face.port, sender, face.domain, self.credentials)
        return Line.of(stream, counted=False)

    def _open(self) -> Path:
        around = self.neighbourhood
        from_corp = self._dial(around.inside_face, around.corp.domain)
        self.from_partner = self._dial(around.outside_face, around.partner.domain)
        # Streams between servers are one-way: an answer goes back on the stream of the opposite direction.
        doors = [
            Door(self.partner_door, counted=True, replies_on=self.from_partner),
            Door(self.corp_door, counted=False, replies_on=from_corp),
        ]
        return Path(
            from_corp, around.corp.domain, around.partner.domain, [from_corp, self.from_partner], doors, lasting=True
        )

    def prepare_subscriptions(self, pairs: int, fan: int = 1) -> None:
        """Subscribe the receiver of every pair to its sender, and accept; Stalled when one does not arrive."""
        path = self.hop()
        if self.from_partner is None:
            raise StreamClosed("no stream from the partner")
        corp, partner = self.neighbourhood.corp.domain, self.neighbourhood.partner.domain
        for first in range(0, pairs, SUBSCRIPTIONS_AT_ONCE):
            some = range(first, min(pairs, first + SUBSCRIPTIONS_AT_ONCE))
            asked = [(receiver_of(pair, partner), sender_of(pair, corp, fan)) for pair in some]
            _exchange(path, self.from_partner, [_presence(a, b, "subscribe") for a, b in asked], SUBSCRIBE)
            _exchange(path, path.sender, [_presence(b, a, "subscribed") for a, b in asked], SUBSCRIBED)


def _presence(sender: str, recipient: str, kind: str) -> bytes:
    return f"<presence from='{sender}' to='{recipient}' type='{kind}'/>".encode()


def _exchange(path: Path, line: Line, stanzas: list[bytes], awaited: re.Pattern[bytes]) -> None:
    arrived, deadline = 0, time.monotonic() + PREPARATION_SECONDS
    line.send(b"".join(stanzas))
    heard = b""
    while arrived < len(stanzas):
        if time.monotonic() > deadline:
            raise Stalled(f"{arrived} of {len(stanzas)} {awaited.pattern!r} arrived; last heard {heard[-400:]!r}")
        path.admit()
        readable, _, _ = select.select(path.lines, [], [], 0.05)
        for ready in readable:
            for chunk in ready.read():
                ready.reply(chunk)
                text = ready.cut_tag + chunk
                end = text.rfind(b">") + 1
                arrived, heard, ready.cut_tag = arrived + len(awaited.findall(text[:end])), text, text[end:]
        line.flush()
