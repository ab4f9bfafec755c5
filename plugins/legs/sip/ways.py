"""On which connection a request goes: one of ours, one that a partner has opened, or, after a failure, the next."""

from collections.abc import Sequence
from typing import Any, Protocol

from attrs import define, field

from gateway.protocols.sip.attempts import Failure
from gateway.protocols.sip.faults import SipSyntaxError
from gateway.protocols.sip.headers import Via
from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.uri import SipUri
from gateway.transport.places import Place, Unreachable, places_of
from plugins.legs.sip.flows import DatagramSocket, Flow, Owner, StreamFlow
from plugins.legs.sip.hosts import SipHost

SIPS_PORT = 5061
SIP_PORT = 5060

_Key = tuple[str, str, int | None]
"""Our identity, the peer's domain, the port if it is not for DNS to say."""


class WayOwner(Owner, Protocol):
    """Is the side that the ways belong to."""

    host: SipHost
    reactor: Any


@define(eq=False)
class Ways:
    """Keeps the connections of one side, and what is known of where they lead."""

    _owner: WayOwner
    transport: str
    """tls, tcp or udp."""
    datagrams: DatagramSocket | None = None
    addresses: dict[str, tuple[str, int]] = field(factory=dict)
    """Where a domain is reached over UDP."""
    flows: dict[_Key, StreamFlow] = field(init=False, factory=dict)
    """The connections of ours that new requests take."""
    accepted: set[StreamFlow] = field(init=False, factory=set)
    _aside: set[StreamFlow] = field(init=False, factory=set)
    """Connections of ours that new requests do not take."""
    _offered: dict[str, list[StreamFlow]] = field(init=False, factory=dict)
    """Connections that a peer has opened and offered, by the domains that he has proven."""
    _dead: Unreachable = field(init=False, factory=Unreachable)

    def __iter__(self) -> Any:
        return iter([*self.flows.values(), *self._aside, *self.accepted])

    # -- which -----------------------------------------------------------------------------------------------------

    def way(self, local: str, domain: str, uri: str) -> Flow:
        """Gives the flow for requests of our people to a domain; `uri` is the next hop.

        Within a dialog the peer's domain still says whom we talk to, so that nobody can send us to strangers. A peer's
        own connection is taken when it is that of the very server that the next hop names, or when we have none.
        """
        if self.datagrams is not None:
            return self._datagram_flow(domain, uri)
        offered = self._offered.get(domain)
        if offered:
            chosen = self._peers_own(offered, local, domain, uri)
            if chosen is not None:
                return chosen
        return self._own(self._key(local, domain), local)

    def other(
        self, failed: Any, peers: tuple[str, str], tried: Sequence[Any], failure: Failure, since: float, seconds: int
    ) -> Flow | None:
        """Gives the next way to the same peer, or None (RFC 3263 section 4.3); `peers` are our domain and his."""
        if not isinstance(failed, StreamFlow):
            return None
        silent = failure is Failure.SILENT and failed.heard_at >= since
        """Whether the server lives and has only not answered this."""
        local, domain = peers
        if not failed.domain:
            self._withdraw(failed)
            key = self._key(local, domain)
            current = self.flows.get(key)
            return None if current in tried else self._own(key, local)
        key = self._key(failed.local, failed.domain, failed.port)
        if failure is not Failure.UNREACHABLE and not silent and failed.at is not None:
            self._dead.note(failed.at, self._now(), seconds)
        current = self.flows.get(key)
        if current is not None and current not in tried:
            return current
        left = self._left(failed, tried, failure)
        if left:
            return self._begin(key, failed.local, left, aside=silent)
        offered = [flow for flow in self._usable(self._offered.get(domain, []), local) if flow not in tried]
        return offered[-1] if offered else None

    def moved(self, flow: Any, local: str, former: SipUri, target: SipUri) -> Flow | None:
        """Gives the flow to where a peer's server sends us, within what it has proven and one partner has."""
        host, transport = target.host, target.parameter("transport")
        believed = flow.certified is None or host in flow.certified
        if not believed or not self._owner.host.follows(former.host, host):
            return None
        if transport is not None and transport.lower() != self.transport:
            return None
        if self.datagrams is not None or target.port is None:
            return self.way(local, host, str(target))
        return self._own(self._key(local, host, target.port), local)

    def back(self, response: Response, flow: StreamFlow) -> Flow | None:
        """Gives another way for a response whose connection is lost (RFC 3261 18.2.2): to its sender's own domain."""
        try:
            domain, local, via = response.from_.uri.host, response.to.uri.host, response.top_via
        except SipSyntaxError:
            return None
        if flow.certified is not None and domain not in flow.certified:
            return None
        return self.way(local, domain, f"sip:{via.sent_by}")

    # -- what happens ----------------------------------------------------------------------------------------------

    def offered(self, request: Request, flow: StreamFlow) -> None:
        """Takes note that a peer offers the connection that it has opened, if it does (RFC 5923 section 8.2).

        Both sides are known on it: the peer by its certificate, and we as whom the peer has called on it.
        """
        if flow.domain or not flow.secure or not flow.certified:
            return
        via = request.top_via
        if via.parameter("alias") is None:
            return
        local = SipUri.parse(request.uri).host
        if not self._owner.host.serves(local):
            return
        flow.identities.add(self._owner.host.identity(local))
        if flow.alias is None:
            for domain in flow.certified:
                self._offered.setdefault(domain, []).append(flow)
        flow.alias = _place_of(via)

    def lost(self, flow: StreamFlow) -> None:
        """Forgets a connection."""
        self.accepted.discard(flow)
        self._aside.discard(flow)
        self._withdraw(flow)
        if flow.domain:
            key = self._key(flow.local, flow.domain, flow.port)
            if self.flows.get(key) is flow:
                del self.flows[key]

    def unreachable(self, place: Place) -> None:
        """Takes note that nobody believable is at a place."""
        self._dead.note(place, self._now())

    async def places(self, flow: StreamFlow) -> list[Place]:
        """Gives where the peer of a flow may be; what has failed lately comes last; raises LookupFailed."""
        found = places_of(await self._owner.host.targets(flow.domain, flow.port))
        return self._dead.living_first(found, self._now())

    # -- how -------------------------------------------------------------------------------------------------------

    def _now(self) -> float:
        return float(self._owner.reactor.seconds())

    def _key(self, local: str, domain: str, port: int | None = None) -> _Key:
        return self._owner.host.identity(local), domain, port

    def _datagram_flow(self, domain: str, uri: str) -> Flow:
        assert self.datagrams is not None
        parsed = SipUri.parse(uri)
        return self.datagrams.flow(self.addresses.get(domain) or (parsed.host, parsed.port or SIP_PORT))

    def _own(self, key: _Key, local: str) -> StreamFlow:
        return self.flows.get(key) or self._begin(key, local, None)

    def _begin(self, key: _Key, local: str, known: list[Place] | None, *, aside: bool = False) -> StreamFlow:
        """Begins a connection; one that new requests were to take until now is only kept."""
        _, domain, port = key
        made = StreamFlow(self._owner, self.transport == "tls", domain, local, port, known)
        former = self.flows.get(key)
        if aside:
            self._aside.add(made)
        else:
            self.flows[key] = made
            if former is not None:
                self._aside.add(former)
        self._owner.reactor.callLater(0.0, made.call)  # what fails at once must find the request that waits
        return made

    def _peers_own(self, offered: list[StreamFlow], local: str, domain: str, uri: str) -> StreamFlow | None:
        usable = self._usable(offered, local)
        hop = SipUri.parse(uri)
        named = [flow for flow in usable if flow.alias == (hop.host, hop.port or SIPS_PORT)]
        if named:
            return named[-1]
        return usable[-1] if usable and self._key(local, domain) not in self.flows else None

    def _usable(self, offered: list[StreamFlow], local: str) -> list[StreamFlow]:
        identity = self._owner.host.identity(local)
        return [flow for flow in offered if identity in flow.identities and not flow.ended]

    def _withdraw(self, flow: StreamFlow) -> None:
        """Takes an offer back."""
        if flow.alias is None:
            return
        flow.alias = None
        for domain in flow.certified or ():
            left = [each for each in self._offered.get(domain, []) if each is not flow]
            if left:
                self._offered[domain] = left
            else:
                self._offered.pop(domain, None)

    def _left(self, failed: StreamFlow, tried: Sequence[Any], failure: Failure) -> list[Place]:
        """Gives the servers that are left for a request: not those that it was sent to.

        When a connection that was up is lost, its server comes last once more: it may have closed an idle one.
        """
        if not failed.opened:
            return []
        gone = {flow.at for flow in tried if isinstance(flow, StreamFlow)}
        left = [place for place in failed.known or () if place not in gone]
        if failure is Failure.UNREACHABLE and len(tried) == 1 and failed.at is not None:
            left.append(failed.at)
        return self._dead.living_first(left, self._now())


def _place_of(via: Via) -> tuple[str, int]:
    return via.host, via.port or SIPS_PORT
