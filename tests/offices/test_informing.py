"""The running daemon: a protocol log live and in its file, the statement, and no word of anybody anywhere."""

import io
import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import evolve
from prometheus_client import generate_latest
from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from twisted.internet.threads import deferToThread
from twisted.logger import LogLevel, globalLogPublisher

from gateway.config.informing import Scoped
from gateway.config.values import Domain
from gateway.demo.stage import INSIDE, Policy, Stage
from gateway.errors import CommandError
from gateway.log import LineObserver
from gateway.metrics import registry
from gateway.model.address import Address
from gateway.model.envelope import Envelope, Problem, Side
from gateway.model.message import Message, MessageKind
from gateway.model.presence import Field, PresenceDocument
from gateway.protocols.element import Element
from gateway.web.control_client import ask

CANARY = "canary-4711"
PHONE = "+1 202 555 0143"


@pytest_twisted.async_yield_fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """Demo servers on both sides and a gateway between them that logs all it can."""
    made = Stage(tmp_path, Policy(), reactor, log="debug")
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


async def asked(stage: Stage, *words: str, follow: Any = None, **arguments: str) -> Any:
    return await deferToThread(ask, stage.control, words, arguments, follow=follow)


@pytest_twisted.ensureDeferred
async def test_a_trace_shows_who_signals_what_and_no_word_of_it(stage: Stage) -> None:
    shown: list[dict[str, Any]] = []
    logged = io.StringIO()
    observer = LineObserver(logged, True, LogLevel.debug)
    globalLogPublisher.addObserver(observer)
    running = asked(stage, "trace", whom="partner.example", span="1h", follow=shown.append)
    live = ensureDeferred(running)
    await stage.until(lambda: stage.daemon.tracing.on, "trace")
    alice, bob = await friends(stage)
    document = {Field.AVAILABILITY: True, Field.NOTE: (("", CANARY),), Field.PHONE_MOBILE: (PHONE,)}
    alice.publish(PresenceDocument(document))
    bob.say(alice.address, CANARY)
    alice.say(bob.address, CANARY)
    await stage.until(lambda: bob.inbox and alice.inbox, "messages")
    failing_everywhere(stage, alice.address, bob.address)
    await stage.quiet()
    stage.daemon._legs["xmpp"].outside.tally.trace.note(broken)  # type: ignore[attr-defined]
    stage.daemon.tracing.tick()
    file = stage.daemon.tracing.file.path
    written = file.read_text()
    await asked(stage, "traces", "stop", whom="partner.example")
    result = await live
    globalLogPublisher.removeObserver(observer)

    assert result["lines"] == len(shown) > 5 and result["whom"] == "partner.example"
    assert [json.loads(line) for line in written.splitlines()] == shown
    assert {"up", "subscribe", "message", "presence", "deliver"} <= {line["word"] for line in shown}
    assert {"xmpp", "house"} <= {line["wire"] for line in shown}
    assert any("availability" in line.get("fields", ()) for line in shown)
    assert any(line.get("route", "").startswith("127.0.0.1:") for line in shown)
    assert all({"bob@partner.example", "partner.example"} & {line.get("from"), line.get("to")} for line in shown)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    page = generate_latest(registry(stage.daemon.metrics)).decode()
    everything = written + json.dumps(shown) + logged.getvalue() + page
    for secret in (CANARY, PHONE, PHONE.replace(" ", "")):
        assert secret not in everything
    assert not stage.daemon.tracing.on


def broken() -> Any:
    """Is a note of a leg that fails with what it was about."""
    raise ValueError(f"{CANARY} {PHONE}")


def failing_everywhere(stage: Stage, alice: Address, bob: Address) -> None:
    """Gives the legs stanzas that are refused, and such as nobody can read."""
    leg: Any = stage.daemon._legs["xmpp"]
    for dialect in (leg._outside_dialect, leg._inside_dialect):
        for name in ("message", "presence", "iq"):
            for kind in (CANARY, "error", "get", ""):
                attributes = {"from": bob, "to": alice, "id": CANARY, "type": kind}
                element = Element(name, "jabber:server", {k: v for k, v in attributes.items() if v})
                try:
                    dialect.take(bob, alice, element)
                except Exception:  # noqa: BLE001 as the face does
                    stage.daemon.metrics.errors().inc()
                dialect.refuse(CANARY, CANARY, element, Problem.GONE)
    strange = Message(MessageKind.CHAT, CANARY, (("", CANARY),), thread=CANARY)
    stage.daemon.house.receive(Envelope(bob.at(CANARY), alice, strange, Side.EXTERNAL))


@pytest_twisted.ensureDeferred
async def test_who_is_locked_out_cannot_be_traced(stage: Stage) -> None:
    locked = Scoped(on=False, partner=Domain("partner.example"), locked=True)
    running = stage.daemon
    running.tracing.take(evolve(running.config.trace, scope=(locked,)))
    with pytest.raises(CommandError, match="locked"):
        await asked(stage, "trace", whom="partner.example", background="yes")
    with pytest.raises(CommandError, match="at most"):
        await asked(stage, "trace", whom="ally.example", span="25h", background="yes")
    with pytest.raises(CommandError, match="name one of our people"):
        await asked(stage, "trace", whom="stranger.example", background="yes")
    assert (await asked(stage, "trace", whom="ally.example", span="1h", background="yes"))["lines"] == 0
    assert [each["whom"] for each in await asked(stage, "traces", "list")] == ["ally.example"]


@pytest_twisted.ensureDeferred
async def test_who_comes_to_be_concerned_by_a_trace_later_is_told_as_well_and_nobody_twice(stage: Stage) -> None:
    told: list[tuple[str, str]] = []
    daemon = stage.daemon
    daemon.told_by(lambda person, sentence, **parts: not told.append((person, parts["whom"])))
    alice, dave = (Address.parse(f"{name}@corp.example") for name in ("alice", "dave"))
    bob = Address.parse("bob@partner.example")
    daemon.house.pairs.of(alice, bob)
    assert (await asked(stage, "trace", whom="partner.example", span="1h", background="yes"))["told"] == 1
    await stage.until(lambda: told, "alice is told")
    daemon.house.pairs.of(dave, bob)
    for _ in range(2):
        daemon.tell_later()
        daemon._announcer.tick()
    assert told == [(alice, "partner.example"), (dave, "partner.example")]
    await asked(stage, "traces", "stop", whom="partner.example")
    daemon.house.pairs.of(Address.parse("carol@corp.example"), bob)
    daemon.tell_later()
    daemon._announcer.tick()
    assert len(told) == 2
    await asked(stage, "trace", whom="partner.example", span="1h", background="yes")
    daemon._announcer.tick()
    assert sorted(person for person, _ in told[2:]) == ["alice@corp.example", "carol@corp.example", "dave@corp.example"]


@pytest_twisted.ensureDeferred
async def test_reports_and_feedback_are_off_and_the_statement_says_so(stage: Stage) -> None:
    assert not (await asked(stage, "telemetry", "status"))["on"]
    with pytest.raises(CommandError, match="no collector"):
        await asked(stage, "telemetry", "on")
    with pytest.raises(CommandError, match="named nobody"):
        await asked(stage, "feedback", text="good", yes="yes")
    report = (await asked(stage, "telemetry", "show"))["report"]
    assert json.loads(report)["schema"] == 1 and "example" not in report
    said = await asked(stage, "privacy-statement", owner="alice@corp.example", format="text")
    assert said["revision"] == 1 and "It holds for alice@corp.example." in said["document"]


@pytest_twisted.ensureDeferred
async def test_a_reload_makes_a_revision(stage: Stage) -> None:
    text = stage.config_path.read_text()
    stage.config_path.write_text(text + "\n[trace]\nkeep_days = 2\n")
    stage.daemon.reload()
    said = await asked(stage, "privacy-statement", since="1", format="text")
    assert said["revision"] == 2 and "removed after 2 days" in said["document"]
