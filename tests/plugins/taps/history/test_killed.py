"""Killed at any step on the way to a real mailbox: after the next start the conversation is there, once."""

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from ....interop.dovecot import PASSWORD, Dovecot
from ....interop.pki import Pki
from .carrier_program import STEPS, TEXT

BOB = "bob@corp.example"
PATIENCE = 20.0


def run(step: str, state: Path, dovecot: Dovecot, pki: Pki) -> int:
    """Runs the process to its end; gives its exit status."""
    told = [step, str(state), str(dovecot.port), str(pki.ca), BOB, PASSWORD]
    command = [sys.executable, "-m", f"{__package__}.carrier_program", *told]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr[-2000:]
    return done.returncode


def arrived(dovecot: Dovecot) -> int:
    """Counts the conversations in the mailbox."""
    return len(dovecot.messages(BOB))


def waiting(state: Path) -> int:
    with sqlite3.connect(state / "history.db") as file:
        ((count,),) = file.execute("SELECT count(*) FROM conversation")
    file.close()
    return int(count)


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_it_arrives_once(step: str, tmp_path: Path, dovecot: Dovecot, pki: Pki) -> None:
    before = arrived(dovecot)
    assert run(step, tmp_path, dovecot, pki) == -signal.SIGKILL, "it did not come to that step"
    there = arrived(dovecot) - before
    assert there == (step in ("appended", "answered", "removed"))
    assert waiting(tmp_path) == (step != "removed")
    if step == "half":
        assert run(step, tmp_path, dovecot, pki) == -signal.SIGKILL, "killed again in the same place"
    assert run("none", tmp_path, dovecot, pki) == 0
    assert (arrived(dovecot) - before, waiting(tmp_path)) == (1, 0)
    body = dovecot.messages(BOB)[-1].get_body(("plain",))
    assert body is not None and TEXT in str(body.get_content())
    assert run("none", tmp_path, dovecot, pki) == 0
    assert arrived(dovecot) - before == 1, "nothing is brought again"
