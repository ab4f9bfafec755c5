"""Asks one web server over HTTPS: bounded in time and size, never sent on to another host."""

from collections.abc import Awaitable, Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from attrs import define, field, frozen
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet import ssl
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS, FileBodyProducer, HTTPConnectionPool, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from gateway.errors import GatewayError

MAX_BODY = 8 * 1024 * 1024
"""Bytes of an answer that are taken."""
MAX_REDIRECTS = 3
AT_ONCE = 8
"""Questions that are asked at the same time."""
Find = Callable[[str, int], Awaitable[list[str]]]
"""Gives the addresses of a host, for a port, that may be dialled; raises GatewayError."""
_WORDS = {
    "TimeoutError": "does not answer in time",
    "CancelledError": "does not answer in time",
    "ConnectionRefusedError": "refuses the connection",
}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class FetchFailed(GatewayError):
    """Says why a web server did not answer; never where exactly, for the address may be a secret."""


@frozen
class Reply:
    """Is an answer; the names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class WebFetch:
    """Asks the server of one address."""

    def __init__(
        self,
        reactor: Any,
        authorities: Path | None,
        seconds: float,
        *,
        find: Find | None = None,
        most_bytes: int | None = None,
        most_redirects: int = MAX_REDIRECTS,
    ) -> None:
        """Reads the authorities of a PEM file, or takes the system's; raises FetchFailed when it cannot be used.

        With `find` only those addresses are dialled that it gives; else what the system's resolver says.
        """
        self._reactor = reactor
        self._seconds = seconds
        self._most_bytes, self._most_redirects = most_bytes, most_redirects
        # A kept connection may be closed by the server while a REPORT is on its way, which nobody may repeat.
        pool = HTTPConnectionPool(reactor, persistent=False)  # type: ignore[no-untyped-call]
        policy = BrowserLikePolicyForHTTPS(_roots(authorities))  # type: ignore[no-untyped-call]
        if find is None:
            self._agent = Agent(reactor, policy, seconds, pool=pool)  # type: ignore[no-untyped-call]
        else:
            ways = _Ways(reactor, policy, find, seconds)
            self._agent = Agent.usingEndpointFactory(reactor, ways, pool)  # type: ignore[no-untyped-call]
        self._turns = DeferredSemaphore(AT_ONCE)

    async def ask(self, method: str, url: str, headers: Mapping[str, str], content: bytes = b"") -> Reply:
        """Asks, and asks again where it is sent to on the same server; raises FetchFailed."""
        running = self._turns.run(lambda: Deferred.fromCoroutine(self._within(method, url, headers, content)))
        found: Reply = await running
        return found

    async def _within(self, method: str, url: str, headers: Mapping[str, str], content: bytes) -> Reply:
        asking = Deferred.fromCoroutine(self._follow(method, url, headers, content))
        asking.addTimeout(self._seconds, self._reactor)
        try:
            return await asking
        except (GatewayError, CancelledError):
            raise
        # Twisted's failures to connect, to verify and to read have no parent of their own.
        except Exception as problem:  # noqa: BLE001
            raise FetchFailed(f"{urlsplit(url).hostname}: {_told(problem)}") from None

    async def _follow(self, method: str, url: str, headers: Mapping[str, str], content: bytes) -> Reply:
        for _ in range(self._most_redirects + 1):
            reply = await self._once(method, url, headers, content)
            target = reply.headers.get("location", "")
            if reply.status not in _REDIRECTS or not target:
                return reply
            there = urljoin(url, target)
            if origin(there) != origin(url):
                raise FetchFailed(f"{urlsplit(url).hostname}: sends on to another server, which is not asked")
            url = there
        raise FetchFailed(f"{urlsplit(url).hostname}: sends on more than {self._most_redirects} times")

    async def _once(self, method: str, url: str, headers: Mapping[str, str], content: bytes) -> Reply:
        sent = Headers({name: [value] for name, value in {"User-Agent": "federated-gateway", **headers}.items()})
        producer = FileBodyProducer(BytesIO(content)) if content else None  # type: ignore[no-untyped-call]
        response = await self._agent.request(method.encode(), url.encode("ascii"), sent, producer)
        body = _Body(self._most_bytes or MAX_BODY)
        response.deliverBody(body)  # type: ignore[no-untyped-call]
        given = response.headers.getAllRawHeaders()
        known = {name.decode("latin-1").lower(): values[-1].decode("latin-1") for name, values in given}
        return Reply(response.code, known, await body.whole)


@define(eq=False)
class _Body(Protocol):
    """Collects the body of an answer, as far as it is allowed to be long."""

    _most: int
    whole: "Deferred[bytes]" = field(factory=Deferred)
    _parts: list[bytes] = field(factory=list)
    _length: int = 0

    def dataReceived(self, received: bytes) -> None:  # noqa: N802
        """Takes a piece."""
        self._length += len(received)
        if self._length <= self._most:
            self._parts.append(received)
        elif not self.whole.called:
            self.whole.errback(FetchFailed(f"answers with more than {self._most} bytes"))
            self.transport.loseConnection()  # type: ignore[union-attr]

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802
        """Takes the end: of an answer whose length was told, or of the connection where it was not."""
        if self.whole.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):  # type: ignore[no-untyped-call]
            self.whole.callback(b"".join(self._parts))
        else:
            self.whole.errback(FetchFailed("broke off in the middle of the answer"))


@implementer(IAgentEndpointFactory)
@frozen
class _Ways:
    """Makes for an address the way to its server that the finder allows."""

    _reactor: Any
    _policy: Any
    _find: Find
    _seconds: float

    def endpointForURI(self, uri: Any) -> Any:  # noqa: N802
        """Gives it; there is none without TLS."""
        if uri.scheme != b"https":
            raise FetchFailed("only https is asked")
        creator = self._policy.creatorForNetloc(uri.host, uri.port)
        return wrapClientTLS(
            creator, _Way(self._reactor, uri.host.decode("ascii"), uri.port, self._find, self._seconds)
        )


@implementer(IStreamClientEndpoint)
@frozen
class _Way:
    """Connects to the first of the allowed addresses of a host that answers."""

    _reactor: Any
    _host: str
    _port: int
    _find: Find
    _seconds: float

    def connect(self, factory: Any) -> "Deferred[Any]":
        """Begins to."""
        return Deferred.fromCoroutine(self._connect(factory))

    async def _connect(self, factory: Any) -> Any:
        addresses = await self._find(self._host, self._port)
        for place, address in enumerate(addresses):
            kind = TCP6ClientEndpoint if ":" in address else TCP4ClientEndpoint
            try:
                return await kind(self._reactor, address, self._port, self._seconds).connect(factory)
            # Twisted's failures to connect have no parent of their own
            except Exception:
                if place == len(addresses) - 1:
                    raise
        raise FetchFailed(f"{self._host}: has no address that may be dialled")


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Gives scheme, host and port of an address."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def _roots(authorities: Path | None) -> Any:
    if authorities is None:
        return ssl.platformTrust()  # type: ignore[no-untyped-call]
    try:
        found = x509.load_pem_x509_certificates(authorities.read_bytes())
    except (OSError, ValueError):
        raise FetchFailed(f"{authorities} holds no usable CA certificates") from None
    return ssl.trustRootFromCertificates(
        [ssl.Certificate.loadPEM(one.public_bytes(Encoding.PEM)) for one in found]  # type: ignore[no-untyped-call]
    )


def _told(problem: Exception) -> str:
    """Gives the kind of a failure: its text may hold the address."""
    reasons = getattr(problem, "reasons", None)
    inner = reasons[0].value if reasons else problem
    return _WORDS.get(type(inner).__name__, type(inner).__name__)
