"""Asks one web server over HTTPS: bounded in time and size, never sent on to another host."""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from attrs import define, field, frozen
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet import ssl
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS, FileBodyProducer, HTTPConnectionPool, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers

from gateway.errors import GatewayError

MAX_BODY = 8 * 1024 * 1024
"""Bytes of an answer that are taken."""
MAX_REDIRECTS = 3
AT_ONCE = 8
"""Questions that are asked at the same time."""
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

    def __init__(self, reactor: Any, authorities: Path | None, seconds: float) -> None:
        """Reads the authorities of a PEM file, or takes the system's; raises FetchFailed when it cannot be used."""
        self._reactor = reactor
        self._seconds = seconds
        # A kept connection may be closed by the server while a REPORT is on its way, which nobody may repeat.
        pool = HTTPConnectionPool(reactor, persistent=False)  # type: ignore[no-untyped-call]
        self._agent = Agent(  # type: ignore[no-untyped-call]
            reactor,
            BrowserLikePolicyForHTTPS(_roots(authorities)),  # type: ignore[no-untyped-call]
            seconds,
            pool=pool,
        )
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
        for _ in range(MAX_REDIRECTS + 1):
            reply = await self._once(method, url, headers, content)
            target = reply.headers.get("location", "")
            if reply.status not in _REDIRECTS or not target:
                return reply
            there = urljoin(url, target)
            if origin(there) != origin(url):
                raise FetchFailed(f"{urlsplit(url).hostname}: sends on to another server, which is not asked")
            url = there
        raise FetchFailed(f"{urlsplit(url).hostname}: sends on more than {MAX_REDIRECTS} times")

    async def _once(self, method: str, url: str, headers: Mapping[str, str], content: bytes) -> Reply:
        sent = Headers({name: [value] for name, value in {"User-Agent": "federated-gateway", **headers}.items()})
        producer = FileBodyProducer(BytesIO(content)) if content else None  # type: ignore[no-untyped-call]
        response = await self._agent.request(method.encode(), url.encode("ascii"), sent, producer)
        body = _Body()
        response.deliverBody(body)  # type: ignore[no-untyped-call]
        given = response.headers.getAllRawHeaders()
        known = {name.decode("latin-1").lower(): values[-1].decode("latin-1") for name, values in given}
        return Reply(response.code, known, await body.whole)


@define(eq=False)
class _Body(Protocol):
    """Collects the body of an answer, as far as it is allowed to be long."""

    whole: "Deferred[bytes]" = field(factory=Deferred)
    _parts: list[bytes] = field(factory=list)
    _length: int = 0

    def dataReceived(self, received: bytes) -> None:  # noqa: N802
        """Takes a piece."""
        self._length += len(received)
        if self._length <= MAX_BODY:
            self._parts.append(received)
        elif not self.whole.called:
            self.whole.errback(FetchFailed(f"answers with more than {MAX_BODY} bytes"))
            self.transport.loseConnection()  # type: ignore[union-attr]

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802
        """Takes the end: of an answer whose length was told, or of the connection where it was not."""
        if self.whole.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):  # type: ignore[no-untyped-call]
            self.whole.callback(b"".join(self._parts))
        else:
            self.whole.errback(FetchFailed("broke off in the middle of the answer"))


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
