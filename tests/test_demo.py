"""The demo as a newcomer and as a script run it; and whether what it says left is what arrived."""

import io
import json
import re
import signal
import socket
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor

from gateway.demo import DEMO_POLICY
from gateway.demo.stage import INSIDE, Policy, Reservation, Stage, StageFailed
from gateway.demo.story import CARD, DAY, Story, moment
from gateway.demo.telling import Teller, wrapped
from gateway.demo.witness import Witness
from gateway.model.envelope import Problem
from gateway.model.presence import Field, PresenceDocument
from gateway.policy.published_info import STANDARD_LEVELS, TABLE

DEMO = [sys.executable, "-c", "from gateway.cli import main; main()", "demo"]
CANARIES = [number for name in CARD if name.value.startswith("phone") for number in CARD[name]]
CANARIES += [word for _, note, activity in DAY for word in (note, activity)]
CANARIES += ["alice example", "controller", "example street", "HQ", "figures", "calm"]
LOCKED = Field.LOCATION


@pytest.fixture(scope="module")
def two_runs() -> list[tuple[int, list[dict[str, Any]], str, str]]:
    """Runs two demos at once, for each: status, disclosures, standard output, standard error."""
    started = [
        subprocess.Popen(
            [*DEMO, "--for", "8", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
        )
        for _ in range(2)
    ]
    runs = []
    for process in started:
        out, errors = process.communicate(timeout=40)
        runs.append((process.returncode, [json.loads(line) for line in out.splitlines()], out, errors))
    return runs


def expected_reason(name: Field, line: dict[str, Any]) -> str | None:
    """Works out by itself why a field must not leave in the demo's policy; None when it may."""
    if line["level"] == "blocked":
        return "blocked"
    if name is LOCKED:
        return "lock"
    if line["level"] not in TABLE[name]:
        return "level"
    beyond = line["to"].endswith("@ally.example") and "company" not in TABLE[name]
    return "ceiling" if beyond else None


def test_two_demos_at_once_do_not_disturb_each_other(two_runs):
    (_, first, _, _), (_, second, _, _) = two_runs
    assert [status for status, *_ in two_runs] == [0, 0]
    assert len(first) > 10
    assert [(line["to"], line["level"]) for line in first] == [(line["to"], line["level"]) for line in second]


def test_nothing_goes_wrong_in_the_log(two_runs):
    assert [errors for *_, errors in two_runs] == ["", ""]


def test_json_tells_levels_and_fields(two_runs):
    lines = two_runs[0][1]
    assert {line["about"] for line in lines} == {"alice@corp.example"}
    assert {line["to"] for line in lines} == {"bob@partner.example", "carol@ally.example"}
    bobs = [line["level"] for line in lines if line["to"].startswith("bob") and line["by"] == "presence"]
    assert list(dict.fromkeys(bobs)) == ["company", "blocked", "team"]
    assert {line["by"] for line in lines} == {"presence", "answer"}


def test_what_is_sent_and_withheld_follows_the_table(two_runs):
    reasons = set()
    for line in two_runs[0][1]:
        for name in map(Field, line["sent"]):
            assert expected_reason(name, line) is None, (name, line)
        for name in map(Field, line["withheld"]):
            assert line["why"][name.value] == expected_reason(name, line), (name, line)
            reasons.add(line["why"][name.value])
        assert list(line["why"]) == line["withheld"]
        assert not set(line["sent"]) & set(line["withheld"])
    assert reasons == {"level", "lock", "ceiling", "blocked"}


def test_no_published_value_is_in_the_json(two_runs):
    out = two_runs[0][2]
    for canary in CANARIES:
        assert canary.lower() not in out.lower()


def heed_ctrl_c():
    """Undoes what a shell did that started the tests in the background: such a child ignores SIGINT for good."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_ends_it_cleanly(tmp_path):
    process = subprocess.Popen(
        DEMO,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={"TMPDIR": str(tmp_path)},
        preexec_fn=heed_ctrl_c,
    )
    assert process.stdout is not None and process.stderr is not None
    told = ""
    for line in process.stdout:
        told += line
        if "Ctrl-C ends it" in line:
            break
    (folder,) = tmp_path.iterdir()
    control = Path(re.findall(r"--socket (\S+)", told)[0])
    assert control.parent == folder and control.is_socket()
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=20)
    assert time.monotonic() - began < 5
    assert (process.returncode, errors) == (0, "")
    assert "Ending" in rest
    assert not folder.exists()
    for words in ("bob is blocked", "locked by the administrator", "ceiling", "policy-violation", "/metrics"):
        assert words in told


@pytest_twisted.async_yield_fixture
async def stage(tmp_path):
    """A stage on which the demo's policy is in force."""
    made = Stage(tmp_path, DEMO_POLICY, reactor, (Witness(),))
    made.open()
    await made.start()
    yield made
    await made.stop()
    await made.quiet()
    made.close()


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("local", ["bob", "carol"])
async def test_what_is_recorded_as_sent_is_what_arrives(stage, local):
    (witness,) = stage.taps
    alice, contact = (
        stage.person("alice", INSIDE),
        stage.person(local, {"bob": "partner.example"}.get(local, "ally.example")),
    )
    alice.card = CARD
    alice.publish(moment(*DAY[0]).with_fields({Field.IDLE: 900.0, Field.LAST_ACTIVE: 1000.0}))
    contact.subscribe(alice.address)
    await stage.until(lambda: alice.requests, "request")
    alice.approve(contact.address)
    for level in (*sorted(STANDARD_LEVELS, reverse=True), "company"):
        await stage.daemon.levels_set(str(alice.address), str(contact.address), level)
        await stage.quiet()
        presence = [seen for seen in witness.seen if seen.by == "presence"][-1]
        assert contact.sees(alice.address).names == presence.sent
        card = await contact.ask(alice.address)
        assert (card.names if isinstance(card, PresenceDocument) else frozenset()) == witness.seen[-1].sent
        assert (card is Problem.SERVICE_UNAVAILABLE) is (level == "blocked")


@pytest_twisted.ensureDeferred
async def test_story_shows_only_values_that_arrived(stage):
    (witness,) = stage.taps
    out = io.StringIO()
    await Story(stage, witness, Teller(out), reactor).tell()
    told = out.getvalue()
    blocked = told[told.index("3.") : told.index("4.")]
    assert "she is offline" in blocked and "no card" in blocked and "+1-202" not in blocked
    assert "phone.mobile +1-202-555-0102" in told[told.index("4.") : told.index("5.")]
    assert "+1-202-555-0103" not in told
    assert "location HQ" not in told.split("-> ", 1)[1]


@pytest_twisted.ensureDeferred
async def test_what_does_not_happen_fails_the_story(stage):
    with pytest.raises(StageFailed, match="rain"):
        await stage.until(lambda: False, "rain", seconds=0.05)


def test_ports_that_are_taken_are_not_insisted_on():
    first = Reservation.take(2)
    second = Reservation.take(2, [first.ports[0]])
    assert len({*first.ports, *second.ports}) == 4
    first.release()
    second.release()
    assert Reservation.take(1, [first.ports[0]]).ports == first.ports[:1]


def test_reserved_port_is_free_for_its_owner():
    reserved = Reservation.take(1)
    with socket.create_server(("127.0.0.1", reserved.ports[0])):
        pass
    reserved.release()


def test_policy_is_written_as_toml():
    policy = Policy(
        "blocked", ["photo"], {"guest": ["show"]}, [("a@b.example", "team")], {"b.example": {"bidi": False}}
    )
    assert tomllib.loads(policy.written({"b.example": 5})) == {
        "defaults": {"level": "blocked"},
        "locks": {"fields": ["photo"]},
        "levels": {"guest": {"fields": ["show"]}},
        "assignment": [{"contact": "a@b.example", "level": "team"}],
        "partner": [{"domain": "b.example", "route": "127.0.0.1:5", "bidi": False}],
    }


def test_long_rows_are_wrapped_between_words():
    assert wrapped(["one", "two", "three"], "  (why)", width=10) == ["one, two,", "three", "(why)"]
    assert wrapped(["one"], "  (why)", width=20) == ["one  (why)"]


def test_teller_falls_silent_when_nobody_reads():
    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    teller = Teller(Gone())
    teller.line("hello")
    assert teller.closed
    teller.line("hello")
