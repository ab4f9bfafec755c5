"""A hundred deaths: 95 of what keeps messages here, five of the whole gateway in F1; and the sweep can fail."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KILLS = 95
SEED = 1

ANSWERS_BEFORE_THE_DISK = """
from twisted.internet.defer import succeed
from gateway.store.spool import SpoolStore
change = SpoolStore.change
def early(store, *rows):
    change(store, *rows).addErrback(lambda failure: None)
    return succeed(None)
SpoolStore.change = early
"""
HANDS_ON_THE_NEWEST_FIRST = """
from gateway.store.spool import SpoolStore
after = SpoolStore.after
SpoolStore.after = lambda store, *terms: after(store, *terms)[::-1]
"""
RUN = "import sys; from tests.faults.sweep import main; sys.exit(main(sys.argv[1:]))"


def swept(kills: int, before: str = "", seed: int = SEED) -> "subprocess.CompletedProcess[str]":
    """Runs the command in a process of its own, for it forks."""
    argv = [sys.executable, "-c", before + RUN, "--kills", str(kills), "--seed", str(seed)]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


def test_nothing_accepted_is_lost_however_often_and_wherever_it_is_killed() -> None:
    done = swept(KILLS)
    assert done.returncode == 0, done.stdout + done.stderr
    counted = {name: int(number) for name, number in re.findall(r"'(\w+)': (\d+)", done.stdout)}
    assert counted["unclean"] == KILLS and f" {KILLS} kills " in done.stdout
    assert counted["accepted"] > 10 * KILLS and counted["delivered"] >= counted["accepted"]


@pytest.mark.parametrize(
    ("planted", "fault"), [(ANSWERS_BEFORE_THE_DISK, "lost"), (HANDS_ON_THE_NEWEST_FIRST, "reordered")]
)
def test_what_breaks_a_promise_is_found_out(planted: str, fault: str) -> None:
    """Where a kill falls is not the same each time: a seed finds it every other time, one of twelve does."""
    told = ""
    for seed in range(12):
        done = swept(15, planted, seed)
        told += done.stdout + done.stderr
        if done.returncode == 1:
            break
    assert f"WRONG {fault}: " in told, told
