"""A bounded web client: against a real server that misbehaves in every way."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from gateway.transport import web_fetch
from gateway.transport.web_fetch import FetchFailed, WebFetch, origin


class Page(Resource):
    """Answers by the path."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str, bytes, str]] = []

    def render(self, request: Any) -> Any:
        path = request.path.decode()
        agent = request.getHeader("authorization") or ""
        self.asked.append((request.method.decode(), path, request.content.read(), agent))
        if path == "/silent":
            return NOT_DONE_YET
        if path == "/long":
            return b"x" * 3000
        if path == "/endless":
            for _ in range(30):
                request.write(b"x" * 100)
            return NOT_DONE_YET
        if path.startswith("/to/"):
            request.setResponseCode(302)
            request.setHeader("location", path.removeprefix("/to/"))
            return b""
        if path == "/circle":
            request.setResponseCode(308)
            request.setHeader("location", "/circle")
            return b""
        if path == "/short":
            request.setHeader("content-length", "100")
            request.write(b"x")
            request.transport.loseConnection()
            return NOT_DONE_YET
        request.setHeader("ETag", '"1"')
        return b"here"


class Server:
    """Is where it listens, and what it was asked."""

    def __init__(self) -> None:
        self.page = Page()
        self.port = reactor.listenTCP(0, Site(self.page), interface="127.0.0.1")  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{self.port.getHost().port}"


@pytest_twisted.async_yield_fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    yield made
    await made.port.stopListening()


@pytest_twisted.ensureDeferred
async def test_question_and_answer(server: Server) -> None:
    reply = await WebFetch(reactor, None, 5.0).ask("REPORT", server.url + "/a", {"Authorization": "x"}, b"body")
    assert (reply.status, reply.headers["etag"], reply.body) == (200, '"1"', b"here")
    assert server.page.asked == [("REPORT", "/a", b"body", "x")]
    assert "here" not in repr(reply)


@pytest_twisted.ensureDeferred
async def test_it_follows_on_the_same_server_only(server: Server) -> None:
    fetch = WebFetch(reactor, None, 5.0)
    assert (await fetch.ask("GET", server.url + "/to//b", {"Authorization": "x"})).body == b"here"
    assert [(path, agent) for _, path, _, agent in server.page.asked] == [("/to//b", "x"), ("/b", "x")]
    for elsewhere in ("http://localhost:1/", "https://127.0.0.1/", "//other.example/", "file:///etc/passwd"):
        with pytest.raises(FetchFailed, match="another server"):
            await fetch.ask("GET", f"{server.url}/to/{elsewhere}", {})
    with pytest.raises(FetchFailed, match="more than 3 times"):
        await fetch.ask("GET", server.url + "/circle", {})


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("path", ["/long", "/endless"])
async def test_an_answer_has_a_bound(server: Server, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_fetch, "MAX_BODY", 2000)
    with pytest.raises(FetchFailed, match="more than 2000 bytes"):
        await WebFetch(reactor, None, 5.0).ask("GET", server.url + path, {})


@pytest_twisted.ensureDeferred
async def test_silence_and_broken_answers_are_errors(server: Server) -> None:
    with pytest.raises(FetchFailed, match="does not answer in time"):
        await WebFetch(reactor, None, 0.3).ask("GET", server.url + "/silent", {})
    with pytest.raises(FetchFailed, match="broke off"):
        await WebFetch(reactor, None, 5.0).ask("GET", server.url + "/short", {})
    with pytest.raises(FetchFailed, match="127.0.0.1: refuses the connection"):
        await WebFetch(reactor, None, 5.0).ask("GET", "http://127.0.0.1:1/canary", {})


def test_origin_is_scheme_host_and_port() -> None:
    assert origin("https://a.example/x") == origin("https://A.example:443/y") == ("https", "a.example", 443)
    assert (
        len(
            {
                origin(url)
                for url in ("http://a.example", "https://a.example", "https://a.example:1", "https://b.example")
            }
        )
        == 4
    )
