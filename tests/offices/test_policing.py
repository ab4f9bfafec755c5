"""A running gateway whose policy is compared, changed with the consent that it needs, and taken back."""

import os
import pwd
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from gateway.config.bundle import Bundle
from gateway.demo.stage import INSIDE, Policy, Stage
from gateway.errors import CommandError, GatewayError
from gateway.model.presence import OFFLINE, Field, PresenceDocument, Show
from gateway.web import control
from gateway.web.control_client import ask

ALICE, BOB = "alice@corp.example", "bob@partner.example"
NOTE = (("", "Budget"),)
BUSY = PresenceDocument({Field.AVAILABILITY: True, Field.SHOW: Show.DND, Field.NOTE: NOTE})
STRANGER = 54_321
"""A user of this machine who is none."""


@pytest_twisted.async_yield_fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """Demo servers on both sides and a gateway between them that keeps a ledger."""
    made = Stage(tmp_path, Policy("company"), reactor)
    made.open()
    await made.start()
    made.config_path.write_text(made.config_path.read_text() + "\n[ledger]\non = true\n")
    await made.restart()
    yield made
    await made.stop()
    await made.quiet()
    made.close()


async def friends(stage: Stage) -> tuple[Any, Any]:
    """Lets bob watch alice, who is busy."""
    alice, bob = stage.person("alice", INSIDE), stage.person("bob", "partner.example")
    alice.publish(BUSY)
    bob.subscribe(alice.address)
    await stage.until(lambda: alice.requests, "request")
    alice.approve(bob.address)
    await stage.until(lambda: bob.sees(alice.address).available, "presence")
    return alice, bob


def changed(stage: Stage, *replacements: tuple[str, str], more: str = "") -> str:
    """Gives the configuration with a few words replaced, as a bundle."""
    text = stage.config_path.read_text()
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    return Bundle(text + more).written()


async def asked(stage: Stage, *words: str, **arguments: str) -> Any:
    """Asks on the control socket."""
    return await deferToThread(ask, stage.control, words, arguments)


def as_user(monkeypatch: pytest.MonkeyPatch, uid: int) -> None:
    monkeypatch.setattr(control, "_peer_uid", lambda transport: uid)


LOCKED = ("fields = []", 'fields = ["note"]')
WIDER = ('level = "company"', 'level = "team"')


# -- compared --------------------------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_who_loses_what_is_said_with_what_the_ledger_knows(stage: Stage) -> None:
    await friends(stage)
    before = stage.daemon.house.pairs.epoch
    told = await asked(stage, "policy", "diff", new=changed(stage, LOCKED))
    (row,) = [each for each in told["differences"] if each["contact"] == BOB]
    assert (row["owner"], row["gains"], row["loses"], row["used"]) == (ALICE, [], ["note"], ["note"])
    assert told["widened"] == 0 and told["narrowed"] == len(told["differences"]) and told["ledger"]
    assert told["fields"] == {"note": {"gains": 0, "loses": told["narrowed"]}}
    assert told["changes"] == ["lock note for everybody added"]
    assert {row["contact"] for row in told["differences"]} >= {"anybody else at ally.example"}
    assert stage.daemon.house.pairs.epoch == before, "nothing has changed by asking"
    none = await asked(stage, "policy", "diff", new=changed(stage, LOCKED), days="0")
    assert [each["used"] for each in none["differences"] if each["contact"] == BOB] == [[]]


@pytest_twisted.ensureDeferred
async def test_a_pair_that_only_the_ledger_knows_is_compared(stage: Stage) -> None:
    await friends(stage)
    running = stage.daemon
    running.house.pairs._pairs.clear()
    running._known_from_disk = lambda: ((), ())
    told = await asked(stage, "policy", "diff", new=changed(stage, LOCKED))
    assert [each["used"] for each in told["differences"] if each["contact"] == BOB] == [["note"]]


@pytest_twisted.ensureDeferred
async def test_what_gains_is_listed_first_and_what_cannot_be_read_is_refused(stage: Stage) -> None:
    await friends(stage)
    told = await asked(stage, "policy", "diff", new=changed(stage, WIDER, LOCKED))
    assert told["widened"] > 0 and told["differences"][0]["gains"]
    assert told["fields"]["phone.mobile"]["gains"] == told["widened"]
    with pytest.raises(CommandError, match="gateway.toml:"):
        await asked(stage, "policy", "diff", new=changed(stage, more="[nonsense]\nx = 1\n"))
    with pytest.raises(CommandError, match="no configuration"):
        await asked(stage, "policy", "diff", new="{}")


@pytest_twisted.ensureDeferred
async def test_observing_counts_as_showing_everything(stage: Stage) -> None:
    await friends(stage)
    observing = changed(stage, ("[gateway]\n", '[gateway]\nmode = "observe"\n'))
    told = await asked(stage, "policy", "diff", new=observing)
    assert told["loosens"] == ["gateway.mode"]
    (row,) = [each for each in told["differences"] if each["contact"] == BOB]
    assert "phone.home" in row["gains"] and not row["loses"]


# -- put in force ----------------------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_a_restriction_is_applied_at_once_and_taken_back_only_with_a_word_more(stage: Stage) -> None:
    alice, bob = await friends(stage)
    first = stage.daemon.fingerprint
    done = await asked(stage, "policy", "apply", new=changed(stage, LOCKED))
    assert (done["outcome"], done["widened"]) == ("applied", 0)
    await stage.until(lambda: Field.NOTE not in bob.sees(alice.address).names, "withdrawal")
    assert '["note"]' in stage.config_path.read_text()
    again = await asked(stage, "policy", "apply", new=changed(stage))
    assert again["outcome"] == "unchanged"
    with pytest.raises(CommandError, match="pairs would gain something, 0 may"):
        await asked(stage, "policy", "rollback", id=first[:12])
    assert Field.NOTE not in bob.sees(alice.address)
    done = await asked(stage, "policy", "rollback", id=first[:12], confirm_widen="yes")
    assert (done["outcome"], done["id"]) == ("applied", first)
    await stage.until(lambda: Field.NOTE in bob.sees(alice.address), "note")
    steps = await asked(stage, "policy", "history")
    assert [each["how"] for each in steps] == ["start", "start", "apply", "rollback"][-len(steps) :]
    assert steps[-1]["by"] == pwd.getpwuid(os.geteuid()).pw_name and steps[-1]["current"]
    with pytest.raises(CommandError, match="none of the configurations"):
        await asked(stage, "policy", "rollback", id="0000")


@pytest_twisted.ensureDeferred
async def test_what_no_leg_can_use_is_not_left_behind(stage: Stage) -> None:
    await friends(stage)
    running, before = stage.daemon, stage.config_path.read_text()
    epoch = running.house.pairs.epoch
    unfit = changed(stage, LOCKED, (f"{INSIDE}.crt", "gone.crt"))
    with pytest.raises(CommandError):
        await asked(stage, "policy", "apply", new=unfit)
    assert stage.config_path.read_text() == before and running.house.pairs.epoch == epoch
    assert [each["how"] for each in running.policy_history()][-1] == "start"
    assert (await asked(stage, "policy", "apply", new=changed(stage, LOCKED)))["outcome"] == "applied"


@pytest_twisted.ensureDeferred
async def test_an_edit_that_is_not_in_force_is_not_overwritten(stage: Stage) -> None:
    new = changed(stage, LOCKED)
    stage.config_path.write_text(stage.config_path.read_text() + "\n# an edit\n")
    with pytest.raises(CommandError, match="not those in force"):
        await asked(stage, "policy", "apply", new=new)
    await asked(stage, "reload")
    assert (await asked(stage, "policy", "apply", new=new))["outcome"] == "applied"
    assert [each["how"] for each in stage.daemon.policy_history()][-2:] == ["reload", "apply"]


@pytest_twisted.ensureDeferred
async def test_a_threshold_lets_a_few_gain(stage: Stage) -> None:
    await friends(stage)
    await asked(
        stage, "policy", "apply", new=changed(stage, more="\n[policy]\nwiden_threshold = 50\n"), confirm_widen="yes"
    )
    assert (await asked(stage, "policy", "apply", new=changed(stage, WIDER)))["outcome"] == "applied"


# -- approved --------------------------------------------------------------------------------------------------------


async def with_approver(stage: Stage, name: str) -> None:
    await asked(stage, "policy", "apply", new=changed(stage, more=f'\n[policy]\napprover = ["{name}"]\n'))


@pytest_twisted.ensureDeferred
async def test_a_widening_waits_for_somebody_else(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = await friends(stage)
    await with_approver(stage, str(STRANGER))
    assert stage.control.stat().st_mode & 0o777 == 0o666
    wider = changed(stage, ('level = "company"', 'level = "team"'), ("approver = [", "approver = [ "))
    with pytest.raises(CommandError, match="--confirm-widen"):
        await asked(stage, "policy", "apply", new=wider)
    waits = await asked(stage, "policy", "apply", new=wider, confirm_widen="yes")
    assert waits["outcome"] == "pending" and '"team"' not in stage.config_path.read_text()
    (listed,) = await asked(stage, "policy", "pending")
    assert (listed["id"], listed["stale"], listed["changes"]) == (
        waits["id"],
        False,
        ['defaults.level "company" -> "team"'],
    )
    with pytest.raises(CommandError, match="only an approver"):
        await asked(stage, "policy", "approve", id=waits["id"])
    as_user(monkeypatch, STRANGER)
    for words in (("status",), ("policy", "apply"), ("levels", "list")):
        with pytest.raises(CommandError, match="an approver of policies may ask for"):
            await asked(stage, *words)
    assert (await asked(stage, "policy", "approve", id=waits["id"]))["outcome"] == "applied"
    assert 'level = "team"' in stage.config_path.read_text()
    assert await asked(stage, "policy", "pending") == []
    assert (await asked(stage, "policy", "history"))[-1]["by"] == str(STRANGER)


@pytest_twisted.ensureDeferred
async def test_nobody_approves_his_own(stage: Stage) -> None:
    await with_approver(stage, pwd.getpwuid(os.geteuid()).pw_name)
    waits = await asked(stage, "policy", "apply", new=changed(stage, WIDER), confirm_widen="yes")
    with pytest.raises(CommandError, match="somebody else must approve"):
        await asked(stage, "policy", "approve", id=waits["id"])
    assert (await asked(stage, "policy", "reject", id=waits["id"]))["id"] == waits["id"]
    with pytest.raises(CommandError, match="nothing waits"):
        await asked(stage, "policy", "approve", id=waits["id"])


@pytest_twisted.ensureDeferred
async def test_who_watches_cannot_be_sent_away_by_who_is_watched(stage: Stage) -> None:
    await with_approver(stage, str(STRANGER))
    without = changed(stage, (f'approver = ["{STRANGER}"]', ""))
    with pytest.raises(CommandError, match="loosens policy.approver"):
        await asked(stage, "policy", "apply", new=without)
    assert (await asked(stage, "policy", "apply", new=without, confirm_widen="yes"))["outcome"] == "pending"


@pytest_twisted.ensureDeferred
async def test_what_was_proposed_against_another_policy_is_stale(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    await with_approver(stage, str(STRANGER))
    waits = await asked(stage, "policy", "apply", new=changed(stage, WIDER), confirm_widen="yes")
    await asked(stage, "policy", "apply", new=changed(stage, LOCKED))
    assert [each["stale"] for each in await asked(stage, "policy", "pending")] == [True]
    as_user(monkeypatch, STRANGER)
    with pytest.raises(CommandError, match="propose it again"):
        await asked(stage, "policy", "approve", id=waits["id"])


@pytest_twisted.ensureDeferred
async def test_a_stranger_reaches_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stage.control.stat().st_mode & 0o777 == 0o600
    await with_approver(stage, "nobody-of-this-name")
    as_user(monkeypatch, STRANGER)
    with pytest.raises(GatewayError, match="own user and root"):
        await asked(stage, "policy", "pending")


# -- observed --------------------------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_an_observing_gateway_lets_go_records_and_says_so(stage: Stage) -> None:
    alice, bob = await friends(stage)
    await asked(stage, "policy", "apply", new=changed(stage, LOCKED))
    await stage.until(lambda: Field.NOTE not in bob.sees(alice.address).names, "withdrawal")
    observing = changed(stage, ("[gateway]\n", '[gateway]\nmode = "observe"\n'))
    with pytest.raises(CommandError, match="loosens gateway.mode"):
        await asked(stage, "policy", "apply", new=observing)
    await asked(stage, "policy", "apply", new=observing, confirm_widen="yes")
    await stage.until(lambda: Field.NOTE in bob.sees(alice.address).names, "note")
    metrics = stage.daemon.metrics
    assert metrics.observe_mode().value == 1 and metrics.observed("lock").value >= 1
    assert metrics.fields("partner.example", "note", "withheld").value >= 1, "counted as it would be enforced"
    assert (await asked(stage, "status"))["mode"] == "observe"
    assert (await asked(stage, "view", owner=ALICE, contact=BOB))["observed"]
    entries = await asked(stage, "ledger", "list", about=ALICE, to=BOB, field="note")
    last = [each for each in entries if each["kind"] == "presence"][-1]
    assert "note" in last["sent"] and last["observed"]["note"] == "lock", "the ledger says what left, and against what"
    await asked(stage, "policy", "apply", new=changed(stage, ('mode = "observe"\n', "")))
    await stage.until(lambda: Field.NOTE not in bob.sees(alice.address).names, "withdrawal")
    assert metrics.observe_mode().value == 0


@pytest_twisted.ensureDeferred
async def test_an_observing_gateway_still_blocks_whom_somebody_has_blocked(stage: Stage) -> None:
    alice, bob = await friends(stage)
    await asked(stage, "levels", "set", owner=ALICE, contact=BOB, level="blocked")
    await stage.until(lambda: bob.sees(alice.address) == OFFLINE, "offline")
    await asked(
        stage,
        "policy",
        "apply",
        new=changed(stage, ("[gateway]\n", '[gateway]\nmode = "observe"\n')),
        confirm_widen="yes",
    )
    await stage.quiet()
    assert bob.sees(alice.address) == OFFLINE
