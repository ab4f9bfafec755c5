"""Blocking DNS questions with one deadline for a whole lookup; called from the resolver's threads only."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Sequence
from typing import Generic, TypeVar

import dns.exception
import dns.flags
import dns.rdatatype
import dns.resolver
from attrs import evolve, frozen

from gateway.transport.dane import MOST_RECORDS, Association
from gateway.transport.names import a_label

LONGEST = 3600.0
# One slow domain must not hold a thread for the sum of all its questions.
_LOOKUP_TIMEOUTS = 3
_PAYLOAD = 1232
"""Octets of an answer that is not cut into pieces on any way; a longer one is asked for over TCP."""

_Value = TypeVar("_Value")
_Srv = tuple[int, int, int, str]
_Naptr = tuple[int, int, str, str]


class Failed(Exception):
    """A question got no usable answer: time-out, SERVFAIL or nonsense."""


@frozen
class Records(Generic[_Value]):
    """The values of one answer, none if there is no such name or no such record, and their time to live in seconds."""

    values: tuple[_Value, ...]
    seconds: float
    secure: bool = False
    """Whether the name server says that it has validated them all (RFC 4035 section 3.2.3)."""


@frozen
class Queries:
    """Asks the configured name servers; `timeout` in seconds for one question."""

    _resolver: dns.resolver.Resolver
    _timeout: float
    _deadline: float | None = None

    @classmethod
    def configured(cls, nameservers: Sequence[str] | None, timeout: float, port: int, secure: bool = False) -> Queries:
        """Takes the name servers given, or the system's; `secure` asks them whether answers are validated."""
        resolver = dns.resolver.Resolver(configure=nameservers is None)
        if nameservers is not None:
            resolver.nameservers = list(nameservers)
            resolver.port = port
        resolver.timeout = timeout / 2
        if secure:
            resolver.use_edns(0, dns.flags.DO, _PAYLOAD)
            resolver.flags = dns.flags.RD | dns.flags.AD
        return cls(resolver, timeout)

    def until_deadline(self) -> Queries:
        """Returns the same with a deadline that begins now."""
        return evolve(self, deadline=time.monotonic() + _LOOKUP_TIMEOUTS * self._timeout)

    def services(self, name: str) -> Records[_Srv]:
        """Returns (priority, weight, port, host) of each SRV record; the host "" stands for "."."""
        answer = self._ask(name, "SRV")
        if answer is None or answer.rrset is None:
            return Records((), LONGEST)
        named = ((record, _host(record.target.to_text(omit_final_dot=True))) for record in answer.rrset)
        records = tuple((r.priority, r.weight, r.port, host) for r, host in named if host is not None)
        return Records(records, float(answer.chaining_result.minimum_ttl), _validated(answer))

    def associations(self, host: str, port: int, *, validated: bool = True) -> Records[Association]:
        """Returns the TLSA records of a server (RFC 6698 section 3), usable or not; none unless they are validated.

        Without that demand they say nothing about anybody: it is for a look at one's own.
        """
        answer = self._ask(f"_{port}._tcp.{host}", "TLSA")
        if answer is None or answer.rrset is None or (validated and not _validated(answer)):
            return Records((), LONGEST)
        found = [Association(r.usage, r.selector, r.mtype, r.cert) for r in answer.rrset]
        return Records(tuple(found[:MOST_RECORDS]), float(answer.chaining_result.minimum_ttl), _validated(answer))

    def pointers(self, name: str) -> Records[_Naptr]:
        """Returns (order, preference, service, name) of each NAPTR record that leads to SRV records (RFC 3263 4.1)."""
        answer = self._ask(name, "NAPTR")
        if answer is None or answer.rrset is None:
            return Records((), LONGEST)
        usable = [r for r in answer.rrset if r.flags.lower() == b"s" and not r.regexp]
        named = ((r, _host(r.replacement.to_text(omit_final_dot=True))) for r in usable)
        records = tuple(
            (r.order, r.preference, r.service.decode("ascii", "replace").upper(), host) for r, host in named if host
        )
        return Records(records, float(answer.chaining_result.minimum_ttl))

    def addresses(self, host: str) -> Records[str]:
        """Returns the IPv6 and IPv4 addresses; fails only if neither question is answered with an address."""
        if is_address(host):
            return Records((host,), LONGEST)
        values: list[str] = []
        seconds, secure, failure = LONGEST, True, None
        for kind in ("AAAA", "A"):
            try:
                answer = self._ask(host, kind)
            except Failed as error:
                failure = error
                continue
            if answer is not None and answer.rrset is not None:
                values += [record.address for record in answer.rrset]
                secure = secure and _validated(answer)
                seconds = min(seconds, float(answer.chaining_result.minimum_ttl))
        if failure is not None and not values:
            raise failure
        return Records(tuple(values), seconds, secure and bool(values))

    def _ask(self, name: str, kind: str) -> dns.resolver.Answer | None:
        """Returns the answer, or None where it is that nothing exists."""
        left = self._timeout if self._deadline is None else min(self._timeout, self._deadline - time.monotonic())
        if left <= 0:
            raise Failed(f"no time left to ask for {kind} of {name}")
        try:
            return self._resolver.resolve(name + ".", kind, lifetime=left, search=False, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN:
            return None
        except dns.resolver.LifetimeTimeout:
            raise Failed(f"no answer for {kind} of {name}") from None
        except dns.resolver.NoNameservers:
            raise Failed(f"the name servers fail for {kind} of {name}") from None
        except (dns.exception.DNSException, OSError, ValueError) as error:
            raise Failed(f"{type(error).__name__} for {kind} of {name}") from None


def _validated(answer: dns.resolver.Answer) -> bool:
    return bool(answer.response.flags & dns.flags.AD)


def is_address(name: str) -> bool:
    """Says whether the name is an IP address in disguise."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _host(text: str) -> str | None:
    """Returns a target's name in lower case, "" for the root, None for what is no host name."""
    if text in (".", "@", ""):
        return ""
    try:
        return a_label(text)
    except ValueError:
        return None
