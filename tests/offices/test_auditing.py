"""The commands about the ledger, on a gateway that runs, and the check of what it exported."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor

from gateway.commands.ledger import show_erase, show_export, show_list, show_verify, verify
from gateway.demo.stage import INSIDE, Policy, Stage
from gateway.errors import CommandError, LedgerError, StoreError
from gateway.model.presence import Field, PresenceDocument
from tests.test_daemon import friends

ALICE, BOB = "alice@corp.example", "bob@partner.example"
NOTE = (("", "canary7f3a"),)


class Recording(Stage):
    """Is the demo's stage with a ledger."""

    def write_config(self) -> None:
        super().write_config()
        with self.config_path.open("a") as file:
            file.write("\n[ledger]\non = true\n")


@pytest_twisted.async_yield_fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """A gateway with a ledger, between demo servers."""
    made = Recording(tmp_path, Policy(), reactor)
    made.open()
    await made.start()
    yield made
    await made.stop()
    made.close()


async def listed(stage: Stage, **wanted: Any) -> list[Any]:
    nothing = dict.fromkeys(("about", "to", "since", "field", "limit"))
    return await stage.daemon.ledger_list(**{**nothing, **wanted})


async def told(stage: Stage) -> None:
    """Lets bob watch alice and see a note of hers."""
    alice, bob = await friends(stage)
    await stage.daemon.levels_set(ALICE, BOB, "team")
    alice.publish(PresenceDocument({Field.AVAILABILITY: True, Field.NOTE: NOTE}))
    await stage.until(lambda: Field.NOTE in bob.sees(alice.address), "note")


@pytest_twisted.ensureDeferred
async def test_what_left_is_listed_and_whoever_asks_is_listed_too(stage: Stage) -> None:
    await told(stage)
    entries = await listed(stage, about=ALICE, to="partner.example", field="note")
    shown, access = entries
    assert shown["sent"] == ["availability", "note"] and access["kind"] == "access"
    assert shown["level"] == "team" and shown["by"] == "administrator contact"
    accesses = [entry for entry in await listed(stage) if entry["kind"] == "access"]
    assert accesses[0]["note"] == {"command": "list", "field": "note", "limit": 100, "since": 0}
    assert (accesses[0]["about"], accesses[0]["to"]) == (ALICE, "partner.example")
    text = show_list(entries)
    assert "alice@corp.example" in text and "note" in text and "level team (administrator contact)" in text
    assert "canary" not in json.dumps(await listed(stage)) + text
    kinds = {entry["kind"] for entry in await listed(stage)}
    assert kinds >= {"start", "subscription", "presence", "access"}
    assert len(await listed(stage, limit="1")) == 1
    assert await listed(stage, since="2100-01-01") == []
    with pytest.raises(CommandError):
        await listed(stage, limit="0")


@pytest_twisted.ensureDeferred
async def test_an_export_is_whole_also_of_one_person(stage: Stage, tmp_path: Path) -> None:
    await told(stage)
    whole = await stage.daemon.ledger_export(None, str(tmp_path / "whole.jsonl"))
    found = verify(None, whole["file"], None)
    assert (found["outcome"], found["entries"]) == ("ok", whole["entries"]), found
    one = await stage.daemon.ledger_export("carol@ally.example", None)
    text = Path(one["file"]).read_text()
    assert BOB not in text and ALICE not in text
    sealed = verify(None, one["file"], found["head"])
    assert sealed["outcome"] == "ok" and sealed["sealed"] > 3
    assert str(one["entries"]) in show_export(one) and "chain unbroken" in show_verify(sealed)
    assert Path(one["file"]).stat().st_mode & 0o077 == 0
    with pytest.raises(CommandError, match="exists"):
        await stage.daemon.ledger_export(None, whole["file"])
    with pytest.raises(CommandError, match="root"):
        await stage.daemon.ledger_export(None, "somewhere.jsonl")


@pytest_twisted.ensureDeferred
async def test_an_export_is_checked_by_the_lines_in_the_document(stage: Stage, tmp_path: Path) -> None:
    await told(stage)
    await stage.daemon.ledger_erase(BOB)
    exported = await stage.daemon.ledger_export(ALICE, str(tmp_path / "export.jsonl"))
    document = (Path(__file__).parents[2] / "deploy" / "README.md").read_text()
    (program,) = [block.split("```")[0] for block in document.split("```python\n")[1:] if "gateway-ledger-1" in block]
    assert len(program.splitlines()) <= 30

    def run() -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-c", program, exported["file"]]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    done = run()
    assert done.returncode == 0, done.stderr
    assert verify(None, exported["file"], None)["head"] in done.stdout
    path = Path(exported["file"])
    path.write_text(path.read_text().replace('"level": "team"', '"level": "mate"', 1))
    assert run().returncode != 0
    assert verify(None, exported["file"], None)["outcome"] == "fail"


@pytest_twisted.ensureDeferred
async def test_an_erased_contact_is_in_no_file_of_the_ledger(stage: Stage) -> None:
    await told(stage)
    entries = await listed(stage, to=BOB)
    erased = await stage.daemon.ledger_erase(BOB)
    assert erased["erased"] == len(entries) >= 4 and erased["held"] == 0
    assert "erased from" in show_erase(erased)
    for file in (stage.folder / "state").glob("ledger*"):
        assert b"bob@partner.example" not in file.read_bytes(), file
    assert verify(stage.config_path, None, None)["erased"] == erased["erased"]
    assert len([entry for entry in await listed(stage) if entry["erased"]]) == erased["erased"]
    assert [entry["kind"] for entry in await listed(stage, to=BOB)] == ["access"]


@pytest_twisted.ensureDeferred
async def test_the_ledger_of_a_gateway_is_checked_while_it_runs_and_when_it_does_not(stage: Stage) -> None:
    await told(stage)
    head = stage.daemon.status()["ledger"]
    assert stage.daemon.status()["checks"]["ledger"] is None
    running = verify(stage.config_path, None, head)
    assert running["outcome"] == "ok"
    await stage.restart()
    await stage.stop()
    stopped = verify(stage.config_path, None, running["head"])
    assert stopped["outcome"] == "ok" and stopped["entries"] > running["entries"]


@pytest_twisted.ensureDeferred
async def test_while_it_is_not_written_nobody_reads_it_and_the_gateway_is_not_ready(stage: Stage) -> None:
    await told(stage)
    bob = stage.person("bob", "partner.example")
    assert stage.daemon.ledger is not None
    stage.daemon.ledger.journal.close("the disk is full")
    with pytest.raises(LedgerError):
        await listed(stage)
    status = stage.daemon.status()
    assert not status["ready"] and status["checks"]["ledger"] == "the disk is full"
    alice = stage.person("alice", INSIDE)
    alice.publish(PresenceDocument({Field.AVAILABILITY: True, Field.NOTE: (("", "another"),)}))
    await stage.until(lambda: not bob.sees(alice.address).available, "nobody there")
    await stage.until(lambda: bob.sees(alice.address).get(Field.NOTE) == (("", "another"),), "told when it is well")


@pytest_twisted.ensureDeferred
async def test_a_reload_is_in_the_ledger_and_its_retention_counts_at_once(stage: Stage) -> None:
    text = stage.config_path.read_text()
    stage.config_path.write_text(text + "retention_days = 90\n")
    stage.daemon.reload()
    assert stage.daemon.ledger is not None and stage.daemon.ledger.rules.retention_days == 90
    starts = [entry["note"] for entry in await listed(stage) if entry["kind"] == "start"]
    assert len(starts) == 2 and starts[0]["config"] != starts[1]["config"]
    assert all(len(start["config"]) == 64 and start["gateway"] for start in starts)


@pytest_twisted.ensureDeferred
async def test_without_a_ledger_nothing_is_kept_and_every_command_says_so(tmp_path: Path) -> None:
    plain = Stage(tmp_path, Policy(), reactor)
    assert plain.daemon.ledger is None and "ledger" not in plain.daemon.checks()
    with pytest.raises(CommandError, match="no ledger is kept"):
        await plain.daemon.ledger_erase(BOB)
    with pytest.raises(StoreError, match="there is no ledger"):
        verify(plain.config_path, None, None)
    assert not list((tmp_path / "state").glob("ledger*"))
    await plain.daemon._database.close()
    plain.close()


def test_a_check_needs_something_to_check(tmp_path: Path) -> None:
    with pytest.raises(CommandError):
        verify(None, None, None)
    nonsense = tmp_path / "x.jsonl"
    nonsense.write_text("{}\nno json\n")
    assert verify(None, str(nonsense), None)["outcome"] == "fail"
    nonsense.write_bytes(b"\xff\xfe")
    found = verify(None, str(nonsense), None)
    assert found["outcome"] == "fail" and "BROKEN" in show_verify(found)
    assert verify(None, str(tmp_path / "none.jsonl"), None)["outcome"] == "fail"
