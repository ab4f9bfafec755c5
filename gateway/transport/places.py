"""Where a peer is: a place that the administrator named, or what DNS says; the second only at addresses allowed."""

from collections.abc import Sequence
from ipaddress import ip_address
from socket import SOCK_STREAM, getaddrinfo
from typing import Any

from attrs import define, field
from twisted.internet.threads import deferToThread

from gateway.transport.resolver import NotFound, Resolver, Service, Target, public_only


@define(eq=False)
class Resolvers:
    """Makes, when it is needed, one resolver that gives public addresses only, and one that gives any."""

    _reactor: Any
    _servers: Sequence[tuple[str, int]]
    """DNS servers and their port; empty for the system's."""
    _service: Service
    _made: dict[bool, Resolver] = field(init=False, factory=dict)

    def of(self, anywhere: bool) -> Resolver:
        """Gives the resolver for partners whose private addresses may be dialled, or may not."""
        found = self._made.get(anywhere)
        if found is None:
            found = self._made[anywhere] = Resolver(
                self._reactor,
                [host for host, _ in self._servers] or None,
                port=self._servers[0][1] if self._servers else 53,
                address_filter=_any if anywhere else public_only,
                service=self._service,
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
