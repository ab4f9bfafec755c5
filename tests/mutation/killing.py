"""Runs tests against one change after another, each in a process of its own that is forked from one that is warm."""

import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from attrs import define, field, frozen
from hypothesis import Phase, settings

from tests.mutation.changes import Mutant
from tests.mutation.living import Functions, Instead, forget_answers

ROOT = Path(__file__).parents[2]
LIVED, KILLED, UNFIT = 0, 1, 3
"""What the process of a mutant ends with: no test failed, one did, the change cannot be made in place."""
QUIET = ("-q", "-x", "--disable-warnings", "-p", "no:cacheprovider", "-p", "no:twisted", "--tb=no", "-m", "not interop")
settings.register_profile(
    "mutation",
    max_examples=60,
    database=None,
    derandomize=True,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)


@frozen
class Fate:
    """Is what has become of a mutant."""

    mutant: Mutant
    killed: bool
    seconds: float


@define
class Killer:
    """Is a pytest plugin: learns which test calls which function, then lets them loose on each mutant."""

    module: str
    path: Path
    mutants: list[Mutant]
    files: list[str]
    jobs: int
    fates: list[Fate] = field(factory=list)
    broken: str = ""
    """The test that fails without any change."""
    _callers: dict[str, list[Any]] = field(factory=dict)
    _took: dict[str, float] = field(factory=dict)

    def pytest_configure(self, config: Any) -> None:
        settings.load_profile("mutation")

    def pytest_runtestloop(self, session: Any) -> bool:
        """Takes the place of the plain run."""
        if session.testsfailed:
            self.broken = "the collection"
            return True
        for item in session.items:
            self._learn(item)
            if self.broken:
                return True
        functions = Functions(str(self.path))
        waiting = list(self._jobs(functions))
        self.fates = list(_finished(waiting, self.jobs))
        return True

    def _learn(self, item: Any) -> None:
        called, path, begin = set(), str(self.path), time.perf_counter()

        def trace(frame: FrameType, event: str, arg: object) -> None:
            code = frame.f_code
            if code.co_filename == path:
                called.add(code.co_qualname.partition(".<locals>")[0])

        sys.settrace(trace)  # type: ignore[arg-type]
        try:
            passed = _passes(item)
        finally:
            sys.settrace(None)
        if not passed:
            self.broken = item.nodeid
        self._took[item.nodeid] = time.perf_counter() - begin
        for name in called:
            self._callers.setdefault(name, []).append(item)

    def _jobs(self, functions: Functions) -> Iterator["_Job"]:
        for mutant in self.mutants:
            yield _Job(self, mutant, functions, self._tests_of(mutant))

    def _tests_of(self, mutant: Mutant) -> list[Any]:
        found = self._callers.get(mutant.inside.partition(".<locals>")[0], [])
        return sorted(found, key=lambda item: self._took[item.nodeid])

    def seconds(self, items: Iterable[Any]) -> float:
        """Gives how long these tests take without any change."""
        return sum(self._took[item.nodeid] for item in items)


@define
class _Job:
    """Is one mutant and the processes that try to kill it."""

    killer: Killer
    mutant: Mutant
    functions: Functions
    items: list[Any]
    anew: bool = False
    """True when its module is imported anew, which takes longer and misses nothing."""
    begun: float = 0.0

    def __attrs_post_init__(self) -> None:
        self.anew = not self.items or not self.mutant.inside or self.mutant.inside.endswith(".")

    def start(self) -> int:
        """Forks; the process ends with LIVED, KILLED, UNFIT or a signal."""
        self.begun = time.perf_counter()
        child = os.fork()
        if child:
            return child
        status = KILLED
        try:
            _be_quiet()
            status = self._anew() if self.anew else self._in_place()
        finally:
            os._exit(status)

    def _in_place(self) -> int:
        signal.alarm(5 + int(10 * self.killer.seconds(self.items)))
        code = compile(self.mutant.tree, str(self.killer.path), "exec")
        if not self.functions.become(code):
            return UNFIT
        forget_answers()
        return LIVED if all(_passes(item) for item in self.items) else KILLED

    def _anew(self) -> int:
        signal.alarm(30 + int(10 * self.killer.seconds(self.items)))
        killer = self.killer
        Instead.begin(killer.module, str(killer.path), compile(self.mutant.tree, str(killer.path), "exec"))
        chosen = list(dict.fromkeys(item.nodeid for item in self.items)) or killer.files
        return LIVED if pytest.main([*QUIET, *chosen], plugins=[_Profile()]) == 0 else KILLED


class _Profile:
    """Lets hypothesis look less long."""

    def pytest_configure(self, config: Any) -> None:
        settings.load_profile("mutation")


def _be_quiet() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def _passes(item: Any) -> bool:
    item._initrequest()
    return not any(report.failed for report in runtestprotocol(item, nextitem=None, log=False))


def _finished(jobs: list[_Job], most: int) -> Iterator[Fate]:
    """Runs some at a time; one that lived through tests in place is tried once more with everything imported anew."""
    jobs.reverse()
    running: dict[int, _Job] = {}
    while jobs or running:
        while jobs and len(running) < most:
            job = jobs.pop()
            running[job.start()] = job
        child, status = os.wait()
        job = running.pop(child)
        code = os.waitstatus_to_exitcode(status)
        if code in (LIVED, UNFIT) and not job.anew:
            job.anew = True
            jobs.append(job)
        else:
            yield Fate(job.mutant, code != LIVED, time.perf_counter() - job.begun)
