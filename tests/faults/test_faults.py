"""Every case, in its quick form; `python -m tests.faults [--case F3] [--seed N]` runs them under full load."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.cases import CASES

pytestmark = pytest.mark.interop

ROOT = Path(__file__).parent.parent.parent
AT_ONCE = 2
SEED = 1
MOST_SECONDS = 400
SYSTEM = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def lacking(name: str) -> str:
    """Says what a case needs and is not here, or ''."""
    programs = ("unshare", "ip", "taskset", "mount", *CASES[name].programs)
    return " ".join(program for program in programs if shutil.which(program, path=SYSTEM) is None)


def _run(name: str, seed: int) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, "-m", "tests.faults", "--quick", "--case", name, "--seed", str(seed)]
    return subprocess.run(
        argv,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=MOST_SECONDS,
        check=False,
        env={**os.environ, "PATH": SYSTEM},
    )


@pytest.fixture(scope="module")
def runs() -> "Iterator[Mapping[str, Future[subprocess.CompletedProcess[str]]]]":
    """Every case that can run here, begun; each has a sandbox of its own, so that they do not meet."""
    if os.geteuid() != 0 or (os.cpu_count() or 1) < 2:
        reason = "faults under load left out: they make namespaces, so run pytest as root, with two cores"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {name: pool.submit(_run, name, SEED) for name in CASES if not lacking(name)}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("name", list(CASES))
def test_nothing_that_was_promised_breaks(
    name: str, runs: "Mapping[str, Future[subprocess.CompletedProcess[str]]]"
) -> None:
    if missing := lacking(name):
        if os.environ.get("CI"):
            pytest.fail(f"{name} needs {missing}")
        pytest.skip(f"{name} left out: apt-get install {missing}")
    done = runs[name].result()
    assert re.search(r"'delivered': \d{2,}", done.stdout), done.stdout + done.stderr
    assert done.returncode == 0, done.stdout + done.stderr
