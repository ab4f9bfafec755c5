"""The usage report: numbers only; shown before it is sent, to the byte; over HTTPS to the collector that was named."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_twisted
from attrs import evolve
from twisted.internet import reactor

from gateway.config import load
from gateway.config.informing import TelemetryTerms
from gateway.config.values import Trust
from gateway.errors import CommandError
from gateway.metrics import Metrics
from gateway.offices.reporting import FIRST_SECONDS, Reporting
from gateway.policy.verdict import Reason
from gateway.records.telemetry import Machine, report, rounded
from tests.local_servers import Certified, WebServer

COMMITTED = Path(__file__).parents[2] / "deploy" / "gateway.toml"
MACHINE = Machine("x86_64", 2, 4, "Linux 6.1")


def counted() -> Metrics:
    metrics = Metrics(["canary.example"], ["corp.example"], ["canary-level"])
    metrics.configure(["canary.example"], ["corp.example"], ["canary-level"])
    metrics.decisions("canary.example", "message", "canary-level", "refuse", Reason.BLOCKED).inc(3)
    metrics.messages("canary.example", "out", "accepted").inc(2)
    metrics.messages("other.example", "out", "accepted").inc()
    metrics.partner_up("canary.example", "xmpp", "out").set(1)
    metrics.own_cert_expiry("corp.example").set(1.0)
    metrics.policy_version().set(version="canary")
    metrics.dns_seconds("ok").observe(0.003)
    metrics.errors().inc()
    return metrics


def drawn() -> tuple[bytes, dict[str, Any]]:
    octets = report(load(COMMITTED), counted(), MACHINE, 7300.0)
    return octets, json.loads(octets)


def test_it_holds_numbers_by_closed_words_over_all_partners() -> None:
    _, found = drawn()
    assert found["counts"]["gateway_messages_total"] == {"direction=out,outcome=accepted": 3.0}
    assert found["counts"]["gateway_policy_decisions_total"] == {"kind=message,decision=refuse,reason=blocked": 3.0}
    assert found["counts"]["gateway_unexpected_errors_total"] == {"": 1.0}
    assert found["times"]["gateway_dns_seconds"]["outcome=ok"]["0.005"] == 1
    assert found["machine"] == {"architecture": "x86_64", "cores": 2, "memory_gib": 4, "system": "Linux 6.1"}
    assert found["uptime_hours"] == 2 and found["features"]["inside"] == "xmpp-server"


def test_no_name_that_the_administrator_chose_is_in_it() -> None:
    octets, found = drawn()
    for name in (b"canary", b"corp.example", b"example"):
        assert name not in octets
    assert set(found) == {"report", "schema", "uptime_hours", "versions", "machine", "features", "counts", "times"}
    assert "gateway_partner_up" not in octets.decode()


@pytest.mark.parametrize(("number", "shown"), [(0, 0), (1, 1), (4, 2), (9, 5), (10, 10), (49, 20), (1234, 1000)])
def test_how_many_exactly_is_not_told(number: int, shown: int) -> None:
    assert rounded(number) == shown


class Scene:
    """A machine, its configuration, a collector and a clock."""

    def __init__(self, folder: Path, collector: WebServer) -> None:
        self.collector = collector
        self.folder = folder
        self.now = 1_700_000_000.0
        self.metrics = counted()
        trust = Trust(False, collector.certified.ca)
        self.terms = TelemetryTerms(collector=collector.url, ca=trust)  # type: ignore[arg-type]
        self.reporting = self.begun()

    def begun(self) -> Reporting:
        """Starts the gateway, with what it remembers."""
        real = load(COMMITTED)

        def config() -> Any:
            names = [each.name for each in real.__attrs_attrs__]  # type: ignore[attr-defined]
            return SimpleNamespace(
                **{name: getattr(real, name) for name in names} | {"telemetry": self.terms, "domains": real.domains}
            )

        return Reporting(config, self.metrics, self.folder, reactor, lambda: self.now, lambda: 60.0, MACHINE)

    async def later(self, seconds: float) -> int:
        """Lets time pass; gives how many reports have come."""
        self.now += seconds
        sending = self.reporting.tick()
        if sending is not None:
            await sending
        return len(self.collector.heard)


@pytest_twisted.async_yield_fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    collector = WebServer(Certified(tmp_path))
    yield Scene(tmp_path, collector)
    await collector.close()


@pytest_twisted.ensureDeferred
async def test_off_by_default_even_when_shown(scene: Scene) -> None:
    scene.reporting.show()
    assert await scene.later(10 * 86_400) == 0
    assert not scene.reporting.status()["on"] and scene.reporting.status()["by"] == "default"


@pytest_twisted.ensureDeferred
async def test_nothing_is_sent_before_it_was_shown(scene: Scene) -> None:
    scene.reporting.choose(True)
    assert await scene.later(10 * 86_400) == 0
    scene.reporting.show()
    assert await scene.later(FIRST_SECONDS - 1) == 0
    assert await scene.later(2) == 1


@pytest_twisted.ensureDeferred
async def test_what_was_shown_is_sent_to_the_byte_though_numbers_go_on(scene: Scene) -> None:
    scene.reporting.choose(True)
    shown = scene.reporting.show()["report"]
    scene.metrics.messages("canary.example", "out", "accepted").inc(7)
    scene.reporting = scene.begun()
    assert await scene.later(FIRST_SECONDS) == 1
    assert scene.collector.heard[0] == shown.encode()
    assert await scene.later(86_400) == 2
    again = json.loads(scene.collector.heard[1])["counts"]["gateway_messages_total"]
    assert again == {"direction=out,outcome=accepted": 10.0}


@pytest_twisted.ensureDeferred
async def test_off_is_off_at_once_and_over_a_restart(scene: Scene) -> None:
    scene.reporting.choose(True)
    scene.reporting.show()
    scene.reporting.choose(False)
    scene.reporting = scene.begun()
    assert await scene.later(10 * 86_400) == 0 and not scene.reporting.status()["on"]


@pytest_twisted.ensureDeferred
async def test_the_administrator_s_lock_counts_both_ways(scene: Scene) -> None:
    scene.reporting.choose(True)
    scene.reporting.show()
    scene.terms = evolve(scene.terms, on=False, locked=True)
    with pytest.raises(CommandError, match="locked"):
        scene.reporting.choose(True)
    assert await scene.later(86_400) == 0
    scene.terms = evolve(scene.terms, on=True, locked=True)
    with pytest.raises(CommandError, match="locked"):
        scene.reporting.choose(False)
    assert await scene.later(1) == 1


@pytest_twisted.ensureDeferred
async def test_it_goes_nowhere_where_nobody_is_named(scene: Scene) -> None:
    scene.terms = TelemetryTerms()
    with pytest.raises(CommandError, match="no collector"):
        scene.reporting.choose(True)
    scene.reporting.show()
    assert await scene.later(86_400) == 0


@pytest_twisted.ensureDeferred
async def test_a_collector_that_is_not_believed_gets_nothing(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    scene.terms = evolve(scene.terms, ca=Trust(False, Certified(tmp_path / "other").ca))
    scene.reporting.choose(True)
    scene.reporting.show()
    assert await scene.later(FIRST_SECONDS) == 0
    assert scene.reporting.status()["problem"]


@pytest_twisted.ensureDeferred
async def test_what_failed_is_sent_later_and_is_the_same(scene: Scene) -> None:
    scene.reporting.choose(True)
    shown = scene.reporting.show()["report"].encode()
    scene.collector.status = 503
    assert await scene.later(FIRST_SECONDS) == 1
    assert "503" in scene.reporting.status()["problem"]
    scene.collector.status = 200
    assert await scene.later(60) == 1
    assert await scene.later(FIRST_SECONDS) == 2
    assert scene.collector.heard == [shown, shown] and not scene.reporting.status()["problem"]


def test_what_is_remembered_is_for_our_own_user_only(scene: Any, tmp_path: Path) -> None:
    scene.reporting.show()
    assert (tmp_path / "telemetry.json").stat().st_mode & 0o777 == 0o600
