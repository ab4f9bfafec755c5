"""Metrics, health and the state of partners over HTTP, read-only; meant for loopback or a monitoring network."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from twisted.internet.interfaces import IAddress
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.web import http
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from gateway.log import Log

IDLE_SECONDS = 30.0
"""How long a connection may say nothing."""
MOST_CONNECTIONS = 64
_HEADERS = {
    b"cache-control": b"no-store",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    b"cross-origin-resource-policy": b"same-origin",
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
}
_PLAIN = b"text/plain; charset=utf-8"
_JSON = b"application/json"
_log = Log("web")

Checks = Callable[[], Mapping[str, str | None]]
"""Gives every readiness check by name: None when it is well, else what is wrong."""
Partners = Callable[[], list[dict[str, Any]]]
"""Gives the state of every partner, in the shape of `gateway.commands` (`partners list`)."""


@frozen
class Page:
    """Is one answer."""

    code: int
    media_type: bytes
    body: bytes


class _Request(Request):
    """Keeps nothing of a request's body, which no page here reads."""

    def handleContentChunk(self, piece: bytes) -> None:
        """Drops a piece of the body."""

    def gotLength(self, length: int | None) -> None:
        """Prepares for no body, whatever length was announced."""
        super().gotLength(0)  # type: ignore[no-untyped-call]


class _Pages(Resource):
    isLeaf = True

    def __init__(self, pages: Mapping[bytes, Callable[[str], Page]]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._pages = pages

    def render(self, request: Request) -> bytes:
        page = self._page(request)
        request.setResponseCode(page.code)
        # Twisted announces itself and its version.
        request.responseHeaders.removeHeader(b"server")
        length = {b"content-length": str(len(page.body)).encode("ascii")}
        for name, value in {**_HEADERS, **length, b"content-type": page.media_type}.items():
            request.responseHeaders.setRawHeaders(name, [value])
        return b"" if request.method == b"HEAD" else page.body

    def _page(self, request: Request) -> Page:
        find = self._pages.get(request.path)
        if find is None:
            return Page(404, _PLAIN, b"not found\n")
        if request.method not in (b"GET", b"HEAD"):
            request.responseHeaders.setRawHeaders(b"allow", [b"GET, HEAD"])
            return Page(405, _PLAIN, b"only GET and HEAD\n")
        try:
            return find(request.getHeader("accept") or "")
        except Exception:  # noqa: BLE001 one page that fails must not show why to who asks
            _log.failure("page failed", path=request.path.decode("ascii", "replace"))
            return Page(500, _PLAIN, b"this page cannot be made now; the log says why\n")


class _Site(Site):
    requestFactory = _Request
    displayTracebacks = False

    def log(self, request: http.Request) -> None:
        """Writes no access log: who reads the metrics is nobody's business here."""


class MetricsSite(WrappingFactory):
    """Serves /metrics, /healthz, /readyz and /status/partners, and nothing else, to a bounded number of readers."""

    noisy = False

    def __init__(self, registry: CollectorRegistry, checks: Checks, partners: Partners) -> None:
        pages: dict[bytes, Callable[[str], Page]] = {
            b"/metrics": lambda accept: _metrics(registry, accept),
            b"/healthz": lambda accept: Page(200, _PLAIN, b"ok\n"),
            b"/readyz": lambda accept: _ready(checks()),
            b"/status/partners": lambda accept: Page(200, _JSON, _json(partners())),
        }
        site = _Site(_Pages(pages), timeout=IDLE_SECONDS)  # type: ignore[no-untyped-call]
        site.noisy = False
        super().__init__(site)  # type: ignore[no-untyped-call]

    def buildProtocol(self, addr: IAddress | None) -> ProtocolWrapper | None:  # type: ignore[override]
        """Accepts a connection unless there are too many already."""
        return None if len(self.protocols) >= MOST_CONNECTIONS else super().buildProtocol(addr)


def _metrics(registry: CollectorRegistry, accept: str) -> Page:
    write, media_type = choose_encoder(accept)
    return Page(200, media_type.encode("ascii"), write(registry))


def _ready(checks: Mapping[str, str | None]) -> Page:
    ready = not any(checks.values())
    shown = {name: {"ok": not problem, "text": problem or "ok"} for name, problem in checks.items()}
    return Page(200 if ready else 503, _JSON, _json({"ready": ready, "checks": shown}))


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=True, indent=1).encode("ascii") + b"\n"
