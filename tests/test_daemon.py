"""The house put together: it starts or says why not, reloads all or nothing, and its timers survive a fault."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor

from gateway import serving as daemon_module
from gateway.demo.stage import INSIDE, Policy, Stage
from gateway.errors import GatewayError
from gateway.metrics import Metrics
from gateway.model.presence import OFFLINE, Field, PresenceDocument
from gateway.serving import serve


@pytest_twisted.async_yield_fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """Demo servers on both sides and a gateway between them."""
    made = Stage(tmp_path, Policy(), reactor)
    made.open()
    await made.start()
    yield made
    await made.stop()
    await made.quiet()
    made.close()


async def friends(stage: Stage) -> tuple[Any, Any]:
    """Lets bob watch alice, who is there."""
    alice, bob = stage.person("alice", INSIDE), stage.person("bob", "partner.example")
    alice.publish(PresenceDocument({Field.AVAILABILITY: True}))
    bob.subscribe(alice.address)
    await stage.until(lambda: alice.requests, "request")
    alice.approve(bob.address)
    await stage.until(lambda: bob.sees(alice.address).available, "presence")
    return alice, bob


@pytest_twisted.ensureDeferred
async def test_what_is_a_state_is_measured(stage: Stage) -> None:
    await friends(stage)
    running = stage.daemon
    running._measure()
    metrics = running.metrics
    assert metrics.partner_up("partner.example", "xmpp", "out").value == 1
    assert metrics.subscriptions("partner.example", "from").value == 1
    assert metrics.queue_bytes("partner.example").value == 0
    assert metrics.policy_version().texts == {"version": str(running.house.pairs.epoch)}
    assert running.status()["ready"] and running.partners_list()[0]["state"] in ("up", "idle")


@pytest_twisted.ensureDeferred
async def test_a_partner_that_is_dropped_is_told_good_bye(stage: Stage) -> None:
    alice, bob = await friends(stage)
    text = stage.config_path.read_text()
    start = text.index('[[partner]]\ndomain = "partner.example"')
    following = text.find("[[partner]]", start + 5)
    stage.config_path.write_text(text[:start] + (text[following:] if following > 0 else ""))
    stage.daemon.reload()
    await stage.until(lambda: bob.sees(alice.address) == OFFLINE, "good-bye")
    await stage.quiet()
    assert not [lane for lane in stage.daemon._legs["xmpp"].outside.lanes if lane[1] == "partner.example"]  # type: ignore[attr-defined]


@pytest_twisted.ensureDeferred
async def test_a_broken_file_changes_nothing(stage: Stage) -> None:
    await friends(stage)
    epoch = stage.daemon.house.pairs.epoch
    stage.config_path.write_text(stage.config_path.read_text() + "\n[nonsense]\nx = 1\n")
    with pytest.raises(GatewayError):
        stage.daemon.reload()
    assert stage.daemon.house.pairs.epoch == epoch
    assert stage.daemon.metrics.reloads("failed").value == 1


class _Unfit:
    """Stands for a second leg whose part of a new configuration cannot be used."""

    def prepare(self, config: Any) -> Any:
        raise GatewayError("no such certificate")


@pytest_twisted.ensureDeferred
async def test_what_one_leg_refuses_no_leg_takes(stage: Stage) -> None:
    await friends(stage)
    running, before = stage.daemon, stage.daemon.config
    leg: Any = running._legs["xmpp"]
    running._legs["unfit"] = _Unfit()  # type: ignore[assignment]
    stage.config_path.write_text(stage.config_path.read_text().replace('log = "warn"', 'log = "error"'))
    with pytest.raises(GatewayError):
        running.reload()
    del running._legs["unfit"]
    assert running.config is before and leg._outside_host._config is before


@pytest_twisted.ensureDeferred
async def test_a_timer_that_fails_goes_on(stage: Stage) -> None:
    calls: list[int] = []

    def broken() -> None:
        calls.append(1)
        raise ValueError("a defect")

    stage.daemon._every(0.01, broken)
    await stage.until(lambda: len(calls) > 3, "calls")
    assert stage.daemon.metrics.errors().value >= 3


class FakeReactor:
    """Calls at once what is to be called when it runs."""

    def __init__(self) -> None:
        self.stopped = False
        self.begin: list[Callable[[], Any]] = []

    def callWhenRunning(self, call: Callable[[], Any]) -> None:
        self.begin.append(call)

    def addSystemEventTrigger(self, *_: object) -> None:
        """Takes note of nothing."""

    def doIteration(self, timeout: float | None) -> None:  # noqa: N802 Twisted's name
        """Has nothing to wait for."""

    def run(self) -> None:
        for call in self.begin:
            call()

    def stop(self) -> None:
        self.stopped = True


class BrokenDaemon:
    """Is a daemon that cannot start."""

    def __init__(self, fault: Exception) -> None:
        self.fault = fault
        self.metrics = Metrics()

    async def start(self) -> None:
        raise self.fault


@pytest.mark.parametrize("fault", [GatewayError("no door"), OSError("in use"), ValueError("a defect")])
def test_a_daemon_that_cannot_start_ends_with_a_status(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    monkeypatch.setattr(daemon_module.signal, "signal", lambda *_: None)
    monkeypatch.setattr(daemon_module.os, "umask", lambda _: 0)
    fake = FakeReactor()
    assert serve(BrokenDaemon(fault), fake) == 2 and fake.stopped  # type: ignore[arg-type]
