"""Runs a command of the benchmark in name spaces of its own: own loopback, own process table, nothing survives it."""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence

MARK = "GATEWAY_BENCH_SANDBOX"
SANDBOX = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
PR_SET_PDEATHSIG = 1


def enter(module: str, arguments: Sequence[str], programs: Sequence[str]) -> None:
    """Replace this process by the same module in a sandbox, or return when inside; SystemExit names what is missing."""
    if os.environ.get(MARK):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    missing = [program for program in ("unshare", "ip", "taskset", *programs) if shutil.which(program) is None]
    if missing or os.geteuid() != 0 or (os.cpu_count() or 1) < 2:
        raise SystemExit(f"the benchmark needs root and two cores; missing programs: {', '.join(missing) or 'none'}")
    os.environ[MARK] = "1"
    # ctypes only here: without this, the sandbox outlives a caller that is killed.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.execvp(SANDBOX[0], [*SANDBOX, sys.executable, "-m", module, *arguments])
