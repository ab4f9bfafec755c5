"""Where the demo plays: a throw-away authority, demo servers on loopback, and the real daemon between them."""

import json
import socket
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from attrs import Factory, define, field
from twisted.internet.task import deferLater

from gateway.config import load
from gateway.daemon import Daemon
from gateway.demo.person import Person
from gateway.demo.server import HERE, DemoServer
from gateway.interfaces import Tap
from gateway.transport.authority import CertificateAuthority
from gateway.transport.clock import use_monotonic_time

INSIDE = "corp.example"
CAST: Mapping[str, tuple[str, ...]] = {
    INSIDE: ("alice",),
    "partner.example": ("bob",),
    "ally.example": ("carol",),
    "stranger.example": ("eve",),
}
"""Who lives where; nobody has told the gateway about the stranger's domain."""
QUIET_SECONDS = 0.08
"""Nothing is on its way any more when no demo server has heard anything for so long."""


class StageFailed(Exception):
    """Something that should have happened on the stage did not happen in time."""


@define
class Policy:
    """Is the part of gateway.toml that a play may choose."""

    default_level: str = "public"
    locks: list[str] = field(factory=list)
    levels: dict[str, list[str]] = field(factory=dict)
    """Levels of the administrator's own: name to fields."""
    assignments: list[tuple[str, str]] = field(factory=list)
    """(contact, level) in the eyes of everybody."""
    partners: dict[str, dict[str, Any]] = Factory(lambda: {"partner.example": {}, "ally.example": {}})
    """Domain to the settings of its contract."""

    def written(self, ports: Mapping[str, int]) -> str:
        """Writes the policy as TOML; `ports` says where each partner's server listens."""
        tables = [
            _table("[defaults]", {"level": self.default_level}),
            _table("[locks]", {"fields": self.locks}),
            *(_table(f"[levels.{name}]", {"fields": fields}) for name, fields in self.levels.items()),
            *(_table("[[assignment]]", {"contact": contact, "level": level}) for contact, level in self.assignments),
        ]
        for domain, terms in self.partners.items():
            route = f"{HERE}:{ports[domain]}"
            tables.append(_table("[[partner]]", {"domain": domain, "route": route, **terms}))
        return "\n".join(tables)


@define(eq=False)
class Reservation:
    """Keeps loopback ports for this process until it is released, so that two demos never choose the same."""

    ports: tuple[int, ...]
    _kept: list[socket.socket]

    @classmethod
    def take(cls, number: int, wanted: Iterable[int] = ()) -> "Reservation":
        """Takes so many ports: the wanted ones where they are free, else any."""
        asked = [*wanted, *(0 for _ in range(number))][:number]
        kept = [_bound(port) for port in asked]
        ports = tuple(int(sock.getsockname()[1]) for sock in kept)
        if sys.platform != "linux":
            # Elsewhere nobody, not even this process, can listen where a socket is bound.
            for sock in kept:
                sock.close()
        return cls(ports, kept)

    def release(self) -> None:
        """Gives the ports back."""
        for sock in self._kept:
            sock.close()


def _bound(wanted: int) -> socket.socket:
    sock = socket.socket()
    try:
        sock.bind((HERE, wanted))
    except OSError:
        sock.bind((HERE, 0))
    # Only now: while it binds nobody may be there, and afterwards our own listener must be let in.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return sock


@define(eq=False)
class Stage:
    """Is one play: its folder, its demo servers, and its gateway while that runs."""

    folder: Path
    policy: Policy
    _reactor: Any
    taps: tuple[Tap, ...] = ()
    metrics_port: int = 0
    """Where metrics are served; 0 for nowhere."""
    log: str = "warn"
    servers: dict[str, DemoServer] = field(init=False, factory=dict)
    daemon: Daemon = field(init=False)
    _reserved: Reservation = field(init=False, factory=lambda: Reservation.take(2))
    _running: bool = field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        use_monotonic_time(self._reactor)
        authority = CertificateAuthority.open(self.folder / "ca")
        inside, outside = self._reserved.ports
        for domain, people in CAST.items():
            port = inside if domain == INSIDE else outside
            server = self.servers[domain] = DemoServer(domain, port, authority, self._reactor)
            server.settle_in(people)
        authority.write_leaf(INSIDE, self.folder)
        self.write_config()
        self.daemon = self._daemon()

    @property
    def config_path(self) -> Path:
        """Gives the place of the generated gateway.toml."""
        return self.folder / "gateway.toml"

    @property
    def control(self) -> Path:
        """Gives the place of the control socket."""
        return self.folder / "control"

    def write_config(self) -> None:
        """Writes gateway.toml as the policy is now."""
        ports = {domain: server.port for domain, server in self.servers.items()}
        self.config_path.write_text(f"{self._fixed()}\n{self.policy.written(ports)}", encoding="utf-8")

    def open(self) -> None:
        """Opens the doors of the demo servers."""
        for server in self.servers.values():
            server.start()

    async def start(self) -> None:
        """Starts the gateway."""
        await self.daemon.start()
        self._running = True

    async def restart(self) -> None:
        """Stops the gateway and starts another one with the same state."""
        await self.stop()
        await deferLater(self._reactor, QUIET_SECONDS)
        self.daemon = self._daemon()
        await self.start()

    async def stop(self) -> None:
        """Stops the gateway, if it runs."""
        if self._running:
            self._running = False
            await self.daemon.stop()

    def close(self) -> None:
        """Closes the doors of the demo servers."""
        self._reserved.release()
        for server in self.servers.values():
            server.stop()

    def person(self, local: str, domain: str) -> Person:
        """Gives somebody who lives on a demo server; a newcomer moves in. Raises KeyError for a domain not here."""
        server = self.servers[domain]
        if local not in server.people:
            server.settle_in([local])
        return server.people[local]

    async def quiet(self) -> None:
        """Waits until nothing is on its way any more."""
        while True:
            heard = max(server.heard_at for server in self.servers.values())
            left = heard + QUIET_SECONDS - self._reactor.seconds()
            if left <= 0:
                return
            await deferLater(self._reactor, left)

    async def until(self, happened: Any, what: str, seconds: float = 5.0) -> None:
        """Waits until something is true; raises StageFailed when it is not in time."""
        end = self._reactor.seconds() + seconds
        while not happened():
            if self._reactor.seconds() > end:
                raise StageFailed(what)
            await deferLater(self._reactor, 0.01)

    def _daemon(self) -> Daemon:
        return Daemon(load(self.config_path), self._reactor, self.taps)

    def _fixed(self) -> str:
        inside, outside = self._reserved.ports
        folder = self.folder
        metrics = f"{HERE}:{self.metrics_port}" if self.metrics_port else "off"
        leaf = {"certificate": f"{folder}/{INSIDE}.crt", "key": f"{folder}/{INSIDE}.key", "ca": f"{folder}/ca/ca.crt"}
        server = {
            "kind": "xmpp-server",
            "connect": f"{HERE}:{self.servers[INSIDE].port}",
            "listen": [f"{HERE}:{inside}"],
            "ca": f"{folder}/ca/ca.crt",
            "authority": f"{folder}/ca",
        }
        tables: dict[str, dict[str, Any]] = {
            "[gateway]": {
                "domains": [INSIDE],
                "state": f"{folder}/state",
                "control": str(self.control),
                "log": self.log,
            },
            "[tls]": leaf,
            "[inside]": server,
            "[outside.xmpp]": {"listen": [f"{HERE}:{outside}"]},
            "[metrics]": {"listen": metrics},
        }
        return "\n".join(_table(head, rows) for head, rows in tables.items())


def _table(head: str, rows: Mapping[str, Any]) -> str:
    # What JSON writes for texts, numbers, truth values and lists of them is TOML as well.
    return "\n".join([head, *(f"{name} = {json.dumps(value)}" for name, value in rows.items()), ""])
