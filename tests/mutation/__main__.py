"""Changes the policy and what writes fields, a little at a time, and looks whether a test notices.

    python -m tests.mutation [MODULE ...] [--jobs N] [--all]

Without a module all of them take their turn. What no test notices is printed with its place; what is explained in
tests/mutation/explained.txt is left out of that, unless --all is given. Exit status 1: too little was noticed.
"""

import argparse
import importlib.util
import os
import sys
import time
from pathlib import Path

import pytest

from tests.mutation.changes import mutants
from tests.mutation.killing import QUIET, Fate, Killer
from tests.mutation.modules import TESTS

GOAL = 0.95
EXPLAINED = Path(__file__).with_name("explained.txt")


def explained() -> dict[str, set[str]]:
    """Reads which survivors are explained, by module."""
    found: dict[str, set[str]] = {}
    module = ""
    for line in EXPLAINED.read_text("utf-8").splitlines():
        if line.startswith("["):
            module = line.strip("[]")
        elif line and not line.startswith("#"):
            found.setdefault(module, set()).add(line)
    return found


def files_of(module: str) -> list[str]:
    """Gives the tests of a module."""
    return [name for name in TESTS[module] if Path(name).exists()]


def tried(module: str, jobs: int) -> list[Fate]:
    """Tries every change of one module, in a process that has run no other."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        sys.exit(f"no module {module}")
    path = Path(spec.origin)
    killer = Killer(module, path, list(mutants(path.read_text("utf-8"))), files_of(module), jobs)
    pytest.main([*QUIET, *killer.files], plugins=[killer])
    if killer.broken:
        sys.exit(f"without any change fails: {killer.broken}")
    return killer.fates


def told(module: str, fates: list[Fate], seconds: float, known: set[str], every: bool) -> bool:
    """Prints how one module fared; says whether enough of its changes was noticed."""
    lived = sorted((fate.mutant.line, fate.mutant.key) for fate in fates if not fate.killed)
    share = 1 - len(lived) / len(fates) if fates else 1.0
    unexplained = [one for one in lived if one[1] not in known]
    counts = f"{len(fates):4} changes, {share:6.1%} noticed, {len(unexplained):3} unexplained"
    sys.stdout.write(f"{module:45} {counts}, {seconds:.0f} s\n")
    for line, key in lived if every else unexplained:
        sys.stdout.write(f"  {line}: {key}\n")
    sys.stdout.flush()
    return share >= GOAL


def main() -> int:
    """Runs the command."""
    reader = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    reader.add_argument("module", nargs="*", default=list(TESTS))
    reader.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    reader.add_argument("--all", action="store_true", help="print the explained survivors as well")
    given = reader.parse_args()
    known = explained()
    statuses = []
    for module in given.module:
        child = os.fork()
        if not child:
            begin = time.perf_counter()
            fates = tried(module, given.jobs)
            enough = told(module, fates, time.perf_counter() - begin, known.get(module, set()), given.all)
            sys.stdout.flush()
            os._exit(0 if enough else 1)
        statuses.append(os.waitpid(child, 0)[1])
    return int(any(statuses))


if __name__ == "__main__":
    sys.exit(main())
