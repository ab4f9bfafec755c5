"""Where an XMPP domain is served: SRV records, addresses, and which of them may be dialled (RFC 6120 3.2, XEP-0368)."""

from __future__ import annotations

import ipaddress
import random
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, evolve, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from gateway.errors import GatewayError
from gateway.transport.dane import Association, described
from gateway.transport.names import a_label
from gateway.transport.queries import Failed, Queries, Records, is_address

MOST_TARGETS = 8
MOST_ADDRESSES = 8
MOST_WAITING = 256
MOST_CACHED = 4096
LONGEST_KEPT = 3600.0
NOTHING_KEPT = 60.0
FAILURE_KEPT = 30.0
_THREADS = 4
_PREFIX_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class LookupFailed(GatewayError):
    """Says why a domain's servers cannot be named."""


class NotFound(LookupFailed):
    """The domain, or every address of its servers, does not exist or may not be dialled."""


class ServiceNotOffered(LookupFailed):
    """The domain says with the target "." that it has no XMPP servers (RFC 2782)."""


class ResolverFailed(LookupFailed):
    """The name servers did not answer, or answered with a failure; later the answer may be another."""


@frozen
class Service:
    """What is looked for: SRV names, whether each means TLS from the first byte, and the usual port."""

    names: tuple[tuple[str, bool], ...]
    port: int
    direct_tls: bool
    pointers: frozenset[str] = frozenset()
    """The services of NAPTR records that are asked for first; empty for none (RFC 3263 section 4.1)."""
    merged: bool = True
    """Whether the records of all names count together (XEP-0368), or those of the first name that has any."""


XMPP = Service((("_xmpps-server", True), ("_xmpp-server", False)), 5269, False)
"""Servers for other XMPP servers (RFC 6120 section 3.2, XEP-0368)."""
SIP = Service((("_sips", True), ("_sipfederationtls", True)), 5061, True, frozenset({"SIPS+D2T"}), False)
"""Servers for other SIP domains, over TLS alone (RFC 3263); the second name is that of Microsoft's edges."""


@frozen
class Target:
    """One server of a domain, with the addresses that may be dialled, the preferred ones first."""

    host: str
    port: int
    direct_tls: bool
    addresses: tuple[str, ...] = ()
    associations: tuple[Association, ...] = ()
    """Its usable TLSA records; none unless all that led to it is validated (RFC 7673)."""
    dane: str = ""
    """What was found of them, in words; '' when they were not looked for."""


@frozen
class SrvRecord:
    """One SRV record (RFC 2782); `direct_tls` marks those of `_xmpps-server` (XEP-0368)."""

    priority: int
    weight: int
    target: Target
    secure: bool = False
    """Whether DNS has validated it."""


@frozen
class _Found:
    records: tuple[SrvRecord, ...]
    seconds: float
    named: bool = True
    """Whether DNS names them as servers, and they are not only the domain's own address."""


@define
class _Kept:
    outcome: _Found | LookupFailed
    until: float


def public_only(address: str) -> bool:
    """Says whether an address belongs to the public internet: not private, local or multicast, however wrapped."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    inner = _embedded(ip) if isinstance(ip, ipaddress.IPv6Address) else None
    if inner is not None and not public_only(str(inner)):
        return False
    mapped = isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None
    return mapped or (ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified))


def _embedded(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Returns the IPv4 address that packets to this IPv6 address end up at, if any."""
    if ip in _PREFIX_NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour


def in_srv_order(records: Sequence[SrvRecord], draw: random.Random) -> list[SrvRecord]:
    """Orders records by priority, and within one by weighted chance (RFC 2782, "Usage rules")."""
    ordered: list[SrvRecord] = []
    for priority in sorted({record.priority for record in records}):
        # Those without weight come first, so that they keep a small chance.
        waiting = sorted((record for record in records if record.priority == priority), key=lambda r: r.weight)
        while waiting:
            ordered.append(waiting.pop(_drawn(waiting, draw)))
    return ordered


def _drawn(waiting: Sequence[SrvRecord], draw: random.Random) -> int:
    mark, running = draw.randint(0, sum(record.weight for record in waiting)), 0
    for place, record in enumerate(waiting):
        running += record.weight
        if running >= mark:
            return place
    return len(waiting) - 1


def _untimed(seconds: float, outcome: str) -> None:
    """Is told the times that nobody wants."""


@define(eq=False)
class Resolver:
    """Looks domains up in a few threads, keeps answers for their time to live, and asks once for askers at once.

    `nameservers` None means the system's; `timeout` is in seconds and holds for each question.
    """

    _reactor: Any
    nameservers: Sequence[str] | None = None
    timeout: float = 5.0
    port: int = 53
    address_filter: Callable[[str], bool] = public_only
    draw: random.Random = field(factory=random.SystemRandom)
    service: Service = XMPP
    dane: bool = False
    """Whether TLSA records are looked for; the name servers must validate, over a way that nobody else is on."""
    timed: Callable[[float, str], None] = _untimed
    """Takes the seconds of each look-up, and whether it was `ok`, `missing` (no such servers) or `failed`."""
    _queries: Queries = field(init=False)
    _threads: ThreadPool = field(init=False)
    _kept: OrderedDict[str, _Kept] = field(init=False, factory=OrderedDict)
    _waiting: dict[str, list[Deferred[None]]] = field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        self._queries = Queries.configured(self.nameservers, self.timeout, self.port, self.dane)
        self._threads = ThreadPool(1, _THREADS, "resolver")
        self._threads.start()

    def stop(self) -> None:
        """Ends the threads; waits for questions under way, at most a few times `timeout`."""
        self._threads.stop()

    async def targets(self, domain: str, port: int | None = None) -> list[Target]:
        """Returns the domain's servers in the order in which to try them; raises LookupFailed.

        The usual port of the domain itself is tried only if the domain has no SRV record at all. With a `port` given
        there is nothing to choose: it is that port at the domain's own addresses (RFC 3263 section 4.2).
        """
        try:
            name = a_label(domain)
        except ValueError:
            raise NotFound(f"{domain!r} is not a domain name") from None
        if port is not None:
            name = f"{name}:{port}"
        kept = self._kept.get(name)
        if kept is None or kept.until <= self._reactor.seconds():
            kept = await self._look_up(name)
        if isinstance(kept.outcome, LookupFailed):
            raise type(kept.outcome)(str(kept.outcome))
        return [record.target for record in in_srv_order(kept.outcome.records, self.draw)]

    async def offered(self, domain: str) -> bool:
        """Says whether DNS names servers of the domain that may be dialled."""
        try:
            await self.targets(domain)
        except LookupFailed:
            return False
        kept = self._kept.get(a_label(domain))
        return kept is not None and isinstance(kept.outcome, _Found) and kept.outcome.named

    async def _look_up(self, name: str) -> _Kept:
        if name in self._waiting:
            asked: Deferred[None] = Deferred()
            self._waiting[name].append(asked)
            await asked
            return self._kept.get(name) or _Kept(ResolverFailed(f"{name}: the question was given up"), 0.0)
        if len(self._waiting) >= MOST_WAITING:
            return _Kept(ResolverFailed(f"{name}: too many questions under way"), 0.0)
        self._waiting[name] = []
        begun = self._reactor.seconds()
        try:
            outcome = await deferToThreadPool(self._reactor, self._threads, self._find, name)
            self.timed(self._reactor.seconds() - begun, _outcome(outcome))
            return self._keep(name, outcome)
        finally:
            for asked in self._waiting.pop(name):
                if not asked.called:
                    asked.callback(None)

    def _keep(self, name: str, outcome: _Found | LookupFailed) -> _Kept:
        kept = _Kept(outcome, self._reactor.seconds() + _seconds_kept(outcome))
        self._kept[name] = kept
        self._kept.move_to_end(name)
        if len(self._kept) > MOST_CACHED:
            self._kept.popitem(last=False)
        return kept

    # -- in a thread from here on ------------------------------------------------------------------------------

    def _find(self, name: str) -> _Found | LookupFailed:
        try:
            return self._located(name)
        except LookupFailed as error:
            return error

    def _located(self, name: str) -> _Found:
        queries = self._queries.until_deadline()
        host, _, port = name.partition(":")
        if port or is_address(name):
            usual = self._usual(host if port else name, int(port or self.service.port))
            return self._addressed(queries, name, [usual], LONGEST_KEPT)
        records, seconds = _pointed(queries, name, self.service.pointers)
        if not records:
            records, seconds = _srv_records(queries, name, self.service)
        named = bool(records)
        if not named:
            records = [self._usual(name, self.service.port)]
        return evolve(self._addressed(queries, name, records, seconds), named=named)

    def _usual(self, name: str, port: int) -> SrvRecord:
        # it is the name that was asked for: there is nothing that somebody could have put in its place
        return SrvRecord(0, 0, Target(name, port, self.service.direct_tls), True)

    def _addressed(self, queries: Queries, name: str, records: list[SrvRecord], seconds: float) -> _Found:
        """Adds the addresses that may be dialled; records left without any fall away."""
        found, notes, failed = [], [], False
        known: dict[str, Records[str]] = {}
        for record in sorted(records, key=lambda r: r.priority)[:MOST_TARGETS]:
            host = record.target.host
            try:
                answer = known.get(host) or known.setdefault(host, queries.addresses(host))
                target, lasting = record.target, LONGEST_KEPT
                if self.dane:
                    target, lasting = secured(queries, record, answer.secure)
            except Failed as error:
                failed = True
                notes.append(str(error))
                continue
            seconds = min(seconds, answer.seconds, lasting)
            allowed = tuple(address for address in answer.values if self.address_filter(address))[:MOST_ADDRESSES]
            refused = [address for address in answer.values if not self.address_filter(address)]
            notes.extend(f"{host} has address {address}, which may not be dialled" for address in refused)
            if allowed:
                found.append(evolve(record, target=evolve(target, addresses=allowed)))
            elif not refused:
                notes.append(f"{host} has no address")
        if found:
            return _Found(tuple(found), seconds)
        raise (ResolverFailed if failed else NotFound)(f"{name}: " + "; ".join(dict.fromkeys(notes)))


def secured(queries: Queries, record: SrvRecord, addresses_secure: bool) -> tuple[Target, float]:
    """Gives the record's target with its TLSA records, and for how many seconds they hold; in a thread.

    Raises Failed without an answer about them: then nobody may be dialled there (RFC 7673 section 3.3).
    """
    target = record.target
    if not (record.secure and addresses_secure):
        what = "its addresses are" if record.secure else "its SRV record is"
        return evolve(target, dane=f"does not apply: {what} not validated"), LONGEST_KEPT
    found = queries.associations(target.host, target.port)
    usable = tuple(each for each in found.values if each.usable)
    if usable:
        words = f"TLSA {described(usable)}"
    else:
        words = "no TLSA record" + (f" that can be used ({described(found.values)})" if found.values else "")
    return evolve(target, associations=usable, dane=words), found.seconds


def vouched_for(queries: Queries, name: str, service: Service = XMPP) -> list[Target]:
    """Gives what secure DNS holds about each server of a domain; in a thread; raises Failed and LookupFailed."""
    records, _ = _srv_records(queries, name, service)
    usual = SrvRecord(0, 0, Target(name, service.port, service.direct_tls), True)
    named = sorted(records, key=lambda each: each.priority)[:MOST_TARGETS] or [usual]
    return [secured(queries, each, queries.addresses(each.target.host).secure)[0] for each in named]


def _pointed(queries: Queries, name: str, services: frozenset[str]) -> tuple[list[SrvRecord], float]:
    """Returns the SRV records that the first useful NAPTR record leads to (RFC 3263 section 4.1).

    A domain whose NAPTR records are all for other transports, or cannot be had, may still have SRV records.
    """
    if not services:
        return [], LONGEST_KEPT
    try:
        answer = queries.pointers(name)
        for _, _, service, replacement in sorted(answer.values):
            found = queries.services(replacement) if service in services else None
            records = [
                SrvRecord(priority, weight, Target(host, port, True))
                for priority, weight, port, host in (found.values if found else ())
                if host and port
            ]
            if found and records:
                return records, min(answer.seconds, found.seconds)
    except Failed:
        return [], LONGEST_KEPT
    return [], answer.seconds


def _srv_records(queries: Queries, name: str, offered: Service) -> tuple[list[SrvRecord], float]:
    """Returns all kinds of records together, or the first kind that there is; one may fail if another is there."""
    records: list[SrvRecord] = []
    failures: list[str] = []
    refused, seconds = False, LONGEST_KEPT
    for service, direct_tls in offered.names:
        if records and not offered.merged:
            break
        try:
            answer = queries.services(f"{service}._tcp.{name}")
        except Failed as error:
            failures.append(str(error))
            continue
        seconds = min(seconds, answer.seconds)
        for priority, weight, port, host in answer.values:
            if host == "":
                refused = True
            elif port:
                records.append(SrvRecord(priority, weight, Target(host, port, direct_tls), answer.secure))
    if records:
        return records, seconds
    if failures:
        raise ResolverFailed(f"{name}: " + "; ".join(failures))
    if refused:
        raise ServiceNotOffered(f"{name} says that it has no such servers")
    return [], seconds


def _outcome(outcome: _Found | LookupFailed) -> str:
    if isinstance(outcome, _Found):
        return "ok"
    return "failed" if isinstance(outcome, ResolverFailed) else "missing"


def _seconds_kept(outcome: _Found | LookupFailed) -> float:
    if isinstance(outcome, _Found):
        return min(max(outcome.seconds, 1.0), LONGEST_KEPT)
    return FAILURE_KEPT if isinstance(outcome, ResolverFailed) else NOTHING_KEPT
