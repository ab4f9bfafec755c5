"""Reads CPU time and memory of a process from /proc (Linux)."""

import os
from pathlib import Path

TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")


def cpu_nanoseconds(pid: int) -> int:
    """Return the CPU time of all threads of `pid` in nanoseconds, as the scheduler counts it."""
    total = 0
    for schedstat in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            total += int(schedstat.read_text().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total


def resident_kib(pid: int) -> int:
    """Return the resident memory of `pid` in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise ProcessLookupError(pid)


def core_busy_seconds(core: int) -> float:
    """Return the seconds that `core` was not idle since boot, steal included (proc(5), /proc/stat)."""
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith(f"cpu{core} "):
            user, nice, system, _idle, _iowait, irq, softirq, steal = (int(field) for field in line.split()[1:9])
            return (user + nice + system + irq + softirq + steal) * TICK_SECONDS
    raise LookupError(f"no core {core}")


def descendant(pid: int, program: str) -> int | None:
    """Return the first process below `pid` (itself included) whose command name is `program`, or None."""
    try:
        if Path(f"/proc/{pid}/comm").read_text().strip() == program:
            return pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return next((found for child in children if (found := descendant(int(child), program))), None)
