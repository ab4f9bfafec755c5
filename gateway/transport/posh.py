"""POSH: the certificates that a domain names in a document on its own web server (RFC 7711)."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from attrs import define, field, frozen
from twisted.internet import defer
from twisted.internet.defer import Deferred, ensureDeferred

from gateway.errors import GatewayError
from gateway.log import Log
from gateway.transport.certificate import PeerCertificate
from gateway.transport.resolver import Target
from gateway.transport.web_fetch import WebFetch

log = Log("posh")

PATH = "/.well-known/posh/xmpp-server.json"
PORT = 443
SECONDS = 5.0
"""In which the document, and the one that it refers to, must be here."""
MOST_BYTES = 64 * 1024
MOST_FINGERPRINTS = 64
LONGEST_KEPT = 86400.0
"""Seconds; a document may say less."""
FAILURE_KEPT = 60.0
AHEAD = 90.0
"""Seconds before its end from which on a document that is still used is asked for anew."""
SELDOM = 30.0
"""Seconds between two questions about one domain, whatever its documents say."""
MOST_KEPT = 1024
_LENGTHS = {"sha-512": 64, "sha-256": 32}
"""The digests that are known, the stronger one first, and their octets."""

Locate = Callable[[str, int, bool], Awaitable[list[Target]]]
"""Gives where a host is, for a port, at public addresses only or anywhere; raises GatewayError."""


class Unbelieved(GatewayError):
    """Says why a document vouches for nothing."""


@frozen
class Document:
    """Is one document: fingerprints of certificates (hexadecimal), or the address of the document that has them."""

    fingerprints: frozenset[str]
    url: str
    seconds: float
    """How long it may be kept."""


@frozen
class Source:
    """Says on what terms a domain's web server is asked."""

    anywhere: bool = False
    """Whether it may have a private address."""
    authorities: Path | None = None
    """Who vouches for it; None: the authorities of the system."""


def read_document(octets: bytes) -> Document:
    """Reads a document (RFC 7711 section 3); raises Unbelieved."""
    try:
        found = json.loads(octets)
    except (ValueError, RecursionError):
        raise Unbelieved("the document is not JSON") from None
    if not isinstance(found, dict):
        raise Unbelieved("the document is no object")
    seconds = found.get("expires")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < math.inf:
        raise Unbelieved("the document does not say how long it holds")
    url, listed = found.get("url"), found.get("fingerprints")
    if isinstance(url, str) and listed is None:
        return Document(frozenset(), _checked(url), float(seconds))
    if not isinstance(listed, list) or not listed or url is not None:
        raise Unbelieved("the document has neither fingerprints nor a reference alone")
    fingerprints = {_digest(each) for each in listed[:MOST_FINGERPRINTS]} - {""}
    if not fingerprints:
        raise Unbelieved("the document has no fingerprint of a kind that is known (sha-256, sha-512)")
    return Document(frozenset(fingerprints), "", float(seconds))


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Unbelieved("the document refers to what is no address") from None
    if parts.scheme != "https" or not parts.hostname or parts.username is not None or port == 0 or not url.isascii():
        raise Unbelieved("the document refers to what is not asked: only https, without a user")
    return url


def _digest(descriptor: object) -> str:
    """Gives the strongest digest of one certificate that is known, '' for none."""
    if not isinstance(descriptor, dict):
        return ""
    for name, length in _LENGTHS.items():
        text = descriptor.get(name)
        if isinstance(text, str):
            try:
                octets = base64.b64decode(text, validate=True)
            except (binascii.Error, ValueError):
                return ""
            return octets.hex() if len(octets) == length else ""
    return ""


@define
class _Kept:
    source: Source
    fingerprints: frozenset[str] = frozenset()
    until: float = 0.0
    """Monotonic seconds until which the fingerprints count."""
    ask_at: float = 0.0
    """Monotonic seconds before which nobody is asked again."""
    problem: str = ""
    waiting: list[Deferred[None]] | None = None
    """Who waits for the answer; None while nobody is asked."""


@define(eq=False)
class PoshBook:
    """Knows what domains say of their certificates, no longer than they say, and for a bounded number of domains."""

    _reactor: Any
    _locate: Locate
    _port: int = PORT
    _kept: OrderedDict[str, _Kept] = field(init=False, factory=OrderedDict)

    def learning(self, domain: str, source: Source) -> Deferred[None] | None:
        """Asks the domain, unless its answer is known; gives what fires with the answer, whatever it is, or None."""
        kept = self._entry(domain, source)
        if kept.waiting is None and self._reactor.seconds() >= kept.ask_at:
            kept.waiting = []
            ensureDeferred(self._ask(domain, kept))
        if kept.waiting is None or kept.until > self._reactor.seconds():
            return None
        asked: Deferred[None] = Deferred()
        kept.waiting.append(asked)
        return asked

    def vouches(self, domain: str, certificate: PeerCertificate) -> bool:
        """Says whether the domain's document names the certificate; one that is about to end is asked for anew."""
        kept, now = self._kept.get(domain), self._reactor.seconds()
        if kept is None or kept.until <= now:
            return False
        if kept.until - now < AHEAD:
            self.learning(domain, kept.source)
        return not kept.fingerprints.isdisjoint({certificate.fingerprint_sha256, certificate.fingerprint_sha512})

    def why_not(self, domain: str) -> str:
        """Says in a sentence why the domain's document does not speak for a certificate."""
        kept = self._kept.get(domain)
        if kept is None:
            return f"POSH: {domain} has not been asked yet."
        if kept.problem:
            return f"POSH: {kept.problem}."
        return f"POSH: the document of {domain} does not name this certificate."

    def _entry(self, domain: str, source: Source) -> _Kept:
        kept = self._kept.get(domain)
        if kept is None or kept.source != source:
            kept = self._kept[domain] = _Kept(source)
        self._kept.move_to_end(domain)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return kept

    async def _ask(self, domain: str, kept: _Kept) -> None:
        """Keeps what the domain answers; what it has said before counts until its end."""
        asking = Deferred.fromCoroutine(self._documents(domain, kept.source))
        asking.addTimeout(SECONDS, self._reactor)
        patience = FAILURE_KEPT
        try:
            fingerprints, seconds = await asking
            lasting = min(seconds, LONGEST_KEPT)
            kept.fingerprints, kept.until, kept.problem = fingerprints, self._reactor.seconds() + lasting, ""
            patience = max(SELDOM, lasting - AHEAD)
        except (GatewayError, defer.CancelledError, defer.TimeoutError) as problem:
            in_words = isinstance(problem, GatewayError)
            kept.problem = str(problem) if in_words else f"{domain} does not answer in time"
        except Exception:  # noqa: BLE001 whoever waits must hear of it
            log.failure("asking failed")
            kept.problem = "an error in the gateway"
        kept.ask_at = self._reactor.seconds() + patience
        waiting, kept.waiting = kept.waiting or [], None
        for asked in waiting:
            if not asked.called:
                asked.callback(None)

    async def _documents(self, domain: str, source: Source) -> tuple[frozenset[str], float]:
        async def find(host: str, port: int) -> list[str]:
            found = await self._locate(host, port, source.anywhere)
            return [address for target in found for address in target.addresses]

        web = WebFetch(self._reactor, source.authorities, SECONDS, find=find, most_bytes=MOST_BYTES, most_redirects=0)
        place = domain if self._port == PORT else f"{domain}:{self._port}"
        first = await _fetched(web, f"https://{place}{PATH}")
        if not first.url:
            return first.fingerprints, first.seconds
        second = await _fetched(web, first.url)
        if second.url:
            raise Unbelieved("a document that is referred to refers to another one")
        return second.fingerprints, min(first.seconds, second.seconds)


async def _fetched(web: WebFetch, url: str) -> Document:
    reply = await web.ask("GET", url, {"Accept": "application/json"})
    if reply.status != 200:
        raise Unbelieved(f"{urlsplit(url).hostname} answers with status {reply.status}")
    return read_document(reply.body)
