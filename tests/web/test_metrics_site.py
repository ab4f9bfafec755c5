import http.client
import json
import socket

import pytest
import pytest_twisted
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from gateway.metrics import Metrics, registry
from gateway.web import metrics_site
from gateway.web.metrics_site import MetricsSite


class Served:
    """A site on a real port, with checks that a test can change."""

    def __init__(self):
        self.metrics = Metrics(["partner.example"])
        self.checks = {"inside": None, "store": None}
        self.partners = [{"partner": "partner.example", "state": "open"}]
        site = MetricsSite(registry(self.metrics), lambda: self.checks, lambda: self.partners)
        self.port = reactor.listenTCP(0, site, interface="127.0.0.1")
        self.number = self.port.getHost().port

    def _ask(self, method, path, headers, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.number, timeout=5)
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, text

    def ask(self, path, method="GET", body=None, **headers):
        return deferToThread(self._ask, method, path, headers, body)


@pytest_twisted.async_yield_fixture
async def served():
    site = Served()
    yield site
    await site.port.stopListening()


@pytest_twisted.ensureDeferred
async def test_metrics_are_what_prometheus_reads(served):
    served.metrics.messages("partner.example", "out", "accepted").inc(7)
    status, headers, text = await served.ask("/metrics")
    assert status == 200
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    numbers = {s.name: s.value for family in text_string_to_metric_families(text) for s in family.samples}
    assert numbers["gateway_messages_total"] == 7
    assert numbers["process_resident_memory_bytes"] > 1e6


@pytest_twisted.ensureDeferred
async def test_open_metrics_is_given_to_those_who_ask(served):
    status, headers, text = await served.ask("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert status == 200
    assert headers["content-type"].startswith("application/openmetrics-text")
    assert list(parse_openmetrics(text))


@pytest_twisted.ensureDeferred
async def test_health_says_ok(served):
    status, headers, text = await served.ask("/healthz")
    assert (status, text) == (200, "ok\n")


@pytest_twisted.ensureDeferred
async def test_ready_lists_each_check(served):
    status, headers, text = await served.ask("/readyz")
    assert status == 200
    assert json.loads(text)["checks"] == {"inside": {"ok": True, "text": "ok"}, "store": {"ok": True, "text": "ok"}}
    served.checks["inside"] = "no link to corp.example"
    status, headers, text = await served.ask("/readyz")
    assert status == 503
    assert json.loads(text)["ready"] is False
    assert json.loads(text)["checks"]["inside"] == {"ok": False, "text": "no link to corp.example"}


@pytest_twisted.ensureDeferred
async def test_partners_are_listed(served):
    status, headers, text = await served.ask("/status/partners")
    assert (status, headers["content-type"]) == (200, "application/json")
    assert json.loads(text) == served.partners


@pytest_twisted.ensureDeferred
async def test_a_page_that_fails_shows_nothing_of_why(served):
    served.partners = [{"partner": object()}]
    status, headers, text = await served.ask("/status/partners")
    assert status == 500
    assert "object" not in text
    assert "Traceback" not in text


@pytest.mark.parametrize("path", ["/", "/metrics/", "/metrics/x", "/Metrics", "/%6detrics/..", "/admin", "/status"])
@pytest_twisted.ensureDeferred
async def test_there_is_nothing_else(served, path):
    status, headers, text = await served.ask(path)
    assert (status, text) == (404, "not found\n")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
@pytest_twisted.ensureDeferred
async def test_nobody_can_write(served, method):
    status, headers, text = await served.ask("/metrics", method, body="x" * 200_000)
    assert status == 405
    assert headers["allow"] == "GET, HEAD"


@pytest_twisted.ensureDeferred
async def test_head_has_the_length_and_no_body(served):
    status, headers, text = await served.ask("/healthz", "HEAD")
    assert (status, text, headers["content-length"]) == (200, "", "3")


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/nothing"])
@pytest_twisted.ensureDeferred
async def test_headers_protect_and_say_nothing_about_us(served, path):
    status, headers, text = await served.ask(path)
    assert "server" not in headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"]


@pytest_twisted.ensureDeferred
async def test_the_number_of_readers_is_bounded(served, monkeypatch):
    monkeypatch.setattr(metrics_site, "MOST_CONNECTIONS", 2)

    def third():
        waiting = [socket.create_connection(("127.0.0.1", served.number), 5) for _ in range(3)]
        waiting[2].settimeout(5)
        try:
            return waiting[2].recv(1)
        finally:
            for connection in waiting:
                connection.close()

    assert await deferToThread(third) == b""


@pytest_twisted.ensureDeferred
async def test_nonsense_is_refused(served):
    def nonsense():
        with socket.create_connection(("127.0.0.1", served.number), 5) as connection:
            connection.settimeout(5)
            connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
            return connection.recv(4096)

    answer = await deferToThread(nonsense)
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"Twisted" not in answer
