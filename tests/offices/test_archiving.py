"""The archive of a running gateway: what is found, written out, verified, held, taken away, sealed anew."""

import base64
import csv
import json
import mailbox
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor

from gateway.commands.archived import show_status, verify
from gateway.config import load
from gateway.demo.stage import INSIDE, Policy, Stage
from gateway.errors import CommandError
from gateway.store.sealing import Keys
from tests.test_daemon import friends

ALICE, BOB = "alice@corp.example", "bob@partner.example"
CANARY = "canary7f3a"
FIRST, SECOND = (base64.b64encode(bytes([each]) * 32).decode() for each in (1, 2))


class Recording(Stage):
    """Is the demo's stage with an archive of texts, a ledger, and a key in a file."""

    def write_config(self) -> None:
        super().write_config()
        self.key.write_text(FIRST)
        with self.config_path.open("a") as file:
            file.write('\n[ledger]\non = true\n[archive]\non = true\nmode = "content"\ncritical = true\n')
            file.write('key = { file = "archive.key" }\n')

    @property
    def key(self) -> Path:
        return self.config_path.parent / "archive.key"


@pytest_twisted.async_yield_fixture
async def stage(tmp_path: Path) -> AsyncIterator[Recording]:
    made = Recording(tmp_path, Policy(), reactor)
    made.open()
    await made.start()
    yield made
    await made.stop()
    made.close()


async def found(stage: Stage, **wanted: Any) -> list[Any]:
    names = ("about", "to", "since", "until", "text", "kind", "conversation", "limit")
    return await stage.daemon.archive_search(**{**dict.fromkeys(names), **wanted})


async def exported(stage: Stage, file: Path | None = None, **wanted: Any) -> Any:
    names = ("format", "about", "to", "since", "until", "conversation")
    return await stage.daemon.archive_export(**{**dict.fromkeys(names), **wanted}, file=str(file) if file else None)


async def talked(stage: Stage) -> None:
    """Lets bob and alice say something to each other; first bob is told that it is kept."""
    alice, bob = await friends(stage)
    bob.say(alice.address, f"{CANARY} from bob")
    await stage.until(lambda: alice.inbox, "the first message")
    alice.say(bob.address, "From alice\nFrom her again")
    await stage.until(lambda: any("From alice" in heard.message.bodies[0][1] for heard in bob.inbox), "the answer")


@pytest_twisted.ensureDeferred
async def test_what_was_said_is_found_and_whoever_looks_is_recorded(stage: Recording) -> None:
    await talked(stage)
    said = await found(stage, about=ALICE, to="partner.example", kind="message")
    assert [each["rest"]["direction"] for each in said] == ["out", "in", "out"]
    assert said[0]["text"]["notice"] is True
    assert said[1]["text"]["bodies"] == [["", f"{CANARY} from bob"]]
    assert [each["seq"] for each in await found(stage, text="FROM HER")] == [said[2]["seq"]]
    looks = await found(stage, kind="access")
    assert [each["rest"]["command"] for each in looks] == ["search", "search", "search"]
    assert (looks[0]["about"], looks[0]["to"]) == (ALICE, "partner.example")
    assert "FROM HER" not in json.dumps(looks)
    status = await stage.daemon.archive_status()
    assert status["on"] and status["problem"] == "" and status["keys"] == {status["key"]: 3}
    assert "HEALTHY" in show_status(status) and stage.daemon.status()["archive"].startswith("on, critical, healthy")
    assert stage.daemon.metrics.archive_on().value == stage.daemon.metrics.archive_critical().value == 1


@pytest_twisted.ensureDeferred
async def test_an_export_is_verified_anywhere_and_shows_only_what_was_wanted(stage: Recording, tmp_path: Path) -> None:
    await talked(stage)
    whole = await exported(stage, tmp_path / "whole.jsonl")
    told = verify(None, whole["file"], None)
    assert (told["outcome"], told["entries"], told["closed"]) == ("ok", whole["records"], 0), told
    own = verify(stage.config_path, None, told["head"])
    assert own["outcome"] == "ok", own
    other = await exported(stage, tmp_path / "other.jsonl", about="carol@corp.example")
    text = Path(other["file"]).read_text()
    assert CANARY not in text and BOB not in text and verify(None, other["file"], None)["outcome"] == "ok"
    forged = Path(whole["file"]).read_text().replace(CANARY, "canary7f3b")
    (tmp_path / "forged.jsonl").write_text(forged)
    assert verify(None, str(tmp_path / "forged.jsonl"), None)["outcome"] == "fail"
    cut = Path(whole["file"]).read_text().splitlines(keepends=True)
    (tmp_path / "cut.jsonl").write_text("".join(cut[:3] + cut[4:]))
    assert verify(None, str(tmp_path / "cut.jsonl"), None)["outcome"] == "fail"
    with pytest.raises(CommandError, match="exists"):
        await exported(stage, tmp_path / "whole.jsonl")


@pytest_twisted.ensureDeferred
async def test_conversations_are_written_as_mail_and_activity_as_a_table(stage: Recording, tmp_path: Path) -> None:
    await talked(stage)
    await exported(stage, tmp_path / "all.mbox", format="mbox", about=ALICE)
    (letter,) = mailbox.mbox(tmp_path / "all.mbox")
    text = letter.get_payload(0).get_payload(decode=True).decode()
    assert letter["To"] == BOB and f"{CANARY} from bob" in text and "From her again" in text
    await exported(stage, tmp_path / "one.eml", format="eml")
    assert (tmp_path / "one.eml").read_bytes().startswith(b"Date: ")
    await exported(stage, tmp_path / "all.csv", format="csv")
    rows = list(csv.DictReader((tmp_path / "all.csv").open()))
    assert [row["direction"] for row in rows if row["kind"] == "message"] == ["out", "in", "out"]
    assert CANARY not in (tmp_path / "all.csv").read_text()


@pytest_twisted.ensureDeferred
async def test_a_legal_hold_outlives_retention_and_erasure(stage: Recording) -> None:
    await talked(stage)
    (hold,) = await stage.daemon.archive_hold("partner.example", "case 7")
    assert (hold["party"], hold["reason"]) == ("partner.example", "case 7")
    now = stage.daemon.archive._now
    stage.daemon.archive._now = lambda: now() + 400 * 86_400
    pruned = await stage.daemon.archive_prune()
    assert pruned["held"] >= 3 and len(await found(stage, kind="message", about=ALICE)) == 3
    report = await stage.daemon.users_erase(BOB)
    (kept,) = [each for each in report["places"] if each["place"] == "archive"]
    assert "under a legal hold" in kept["stays"] and len(await found(stage, kind="message", about=ALICE)) == 3
    assert await stage.daemon.archive_release("partner.example", "case 7 is closed") == []
    pruned = await stage.daemon.archive_prune()
    assert pruned["emptied"] >= 3
    assert await found(stage, text=CANARY) == [] and await found(stage, kind="message", about=ALICE) == []
    told = verify(stage.config_path, None, None)
    assert told["outcome"] == "ok" and not told["start"].startswith("0:"), told
    assert CANARY.encode() not in b"".join(path.read_bytes() for path in stage.daemon.config.state.glob("archive.db*"))
    with pytest.raises(CommandError, match="not held"):
        await stage.daemon.archive_release("partner.example", "again")


@pytest_twisted.ensureDeferred
async def test_what_is_old_and_empty_is_removed_from_the_beginning(stage: Recording) -> None:
    await talked(stage)
    now = stage.daemon.archive._now
    stage.daemon.archive._now = lambda: now() + 400 * 86_400
    await stage.daemon.archive_prune()
    done = await stage.daemon.archive_prune()
    told = verify(stage.config_path, None, None)
    assert told["outcome"] == "ok" and not told["start"].startswith("0:"), (done, told)


@pytest_twisted.ensureDeferred
async def test_a_new_key_seals_all_texts_again(stage: Recording) -> None:
    await talked(stage)
    stage.key.write_text(f"{SECOND}\n{FIRST}\n")
    stage.daemon.reload()
    newest = Keys.parse(SECOND).newest
    done = await stage.daemon.archive_rotate()
    assert (done["resealed"], done["left"], done["unreadable"], done["key"]) == (3, 0, 0, newest)
    assert (await stage.daemon.archive_status())["keys"] == {newest: 3}
    stage.key.write_text(SECOND)
    stage.daemon.reload()
    assert len(await found(stage, text=CANARY)) == 1
    assert verify(stage.config_path, None, None)["outcome"] == "ok"
    assert load(stage.config_path).archive.key is not None


@pytest_twisted.ensureDeferred
async def test_all_that_is_kept_of_somebody_is_shown_written_and_erased(stage: Recording, tmp_path: Path) -> None:
    await talked(stage)
    await stage.daemon.levels_set(ALICE, BOB, "team")
    await stage.daemon.publish_set(ALICE, "note", "canary note")
    await stage.daemon.publish_switch(ALICE, "typing", "off")
    shown = {each["place"]: each["count"] for each in (await stage.daemon.users_show(ALICE))["places"]}
    assert all(
        shown[name] > 0 for name in ("levels", "publications", "settings", "subscriptions", "ledger", "archive")
    ), shown
    written = await stage.daemon.users_export(ALICE, str(tmp_path / "alice.json"))
    text = Path(written["file"]).read_text()
    assert CANARY in text and "canary note" in text and json.loads(text)["address"] == ALICE
    assert Path(written["file"]).stat().st_mode & 0o077 == 0
    alice, bob = stage.person("alice", INSIDE), stage.person("bob", "partner.example")
    await stage.daemon.users_erase(ALICE)
    left = {each["place"]: each["count"] for each in (await stage.daemon.users_show(ALICE))["places"]}
    assert {name: left[name] for name in ("levels", "publications", "settings", "subscriptions")} == dict.fromkeys(
        ("levels", "publications", "settings", "subscriptions"), 0
    )
    assert await found(stage, text=CANARY) == []
    await stage.until(lambda: not bob.sees(alice.address).available, "alice is gone for bob")
    assert verify(stage.config_path, None, None)["outcome"] == "ok"
