"""Where a peer is: a place that the administrator named, or what DNS says; the second only at addresses allowed."""

from collections import OrderedDict
from collections.abc import Sequence
from ipaddress import ip_address
from socket import SOCK_STREAM, getaddrinfo
from typing import Any

from attrs import define, field, frozen
from twisted.internet.threads import deferToThread

from gateway.transport.resolver import NotFound, Resolver, Service, Target, public_only

DEAD_SECONDS = 60.0
"""How long a server that has failed is tried last."""
LONGEST_DEAD = 600.0
MOST_DEAD = 1000


@frozen
class Place:
    """Is one address of one server."""

    host: str
    address: str
    port: int

    @property
    def target(self) -> Target:
        """Gives it as something to connect to."""
        return Target(self.host, self.port, True, (self.address,))


def places_of(targets: Sequence[Target]) -> list[Place]:
    """Gives each address once, in order."""
    found = [Place(target.host, address, target.port) for target in targets for address in target.addresses]
    return list({(place.address, place.port): place for place in reversed(found)}.values())[::-1]


@define(eq=False)
class Unreachable:
    """Remembers for a bounded time which servers have failed, so that others are tried first (RFC 3263 section 4.3)."""

    _until: OrderedDict[tuple[str, int], float] = field(init=False, factory=OrderedDict)

    def note(self, place: Place, now: float, seconds: float = 0.0) -> None:
        """Takes note of a failure; `seconds` is how long the server wants to be left alone, 0 for the usual time."""
        key = (place.address, place.port)
        self._until[key] = now + min(seconds or DEAD_SECONDS, LONGEST_DEAD)
        self._until.move_to_end(key)
        if len(self._until) > MOST_DEAD:
            self._until.popitem(last=False)

    def living_first(self, places: Sequence[Place], now: float) -> list[Place]:
        """Orders places: those that have failed lately come last, since there may be nothing else."""
        return sorted(places, key=lambda place: self._until.get((place.address, place.port), 0.0) > now)


@define(eq=False)
class Resolvers:
    """Makes, when it is needed, a resolver that gives public addresses only or any, and looks for TLSA or not."""

    _reactor: Any
    _servers: Sequence[tuple[str, int]]
    """DNS servers and their port; empty for the system's."""
    _service: Service
    _made: dict[tuple[bool, bool], Resolver] = field(init=False, factory=dict)

    def of(self, anywhere: bool, dane: bool = False) -> Resolver:
        """Gives the resolver for partners whose private addresses may be dialled, and of those that use DANE."""
        found = self._made.get((anywhere, dane))
        if found is None:
            found = self._made[anywhere, dane] = Resolver(
                self._reactor,
                [host for host, _ in self._servers] or None,
                port=self._servers[0][1] if self._servers else 53,
                address_filter=_any if anywhere else public_only,
                service=self._service,
                dane=dane,
            )
        return found

    def stop(self) -> None:
        """Ends their threads."""
        for resolver in self._made.values():
            resolver.stop()


async def named_target(host: str, port: int, direct_tls: bool) -> list[Target]:
    """Gives the target that the administrator named; a host name is looked up by the system (hosts file included)."""
    try:
        return [Target(host, port, direct_tls, (str(ip_address(host)),))]
    except ValueError:
        pass
    try:
        found = await deferToThread(getaddrinfo, host, port, type=SOCK_STREAM)
    except OSError as problem:
        raise NotFound(f"{host}: {problem.strerror or problem}") from None
    return [Target(host, port, direct_tls, tuple(dict.fromkeys(str(entry[4][0]) for entry in found)))]


def _any(address: str) -> bool:
    return True
