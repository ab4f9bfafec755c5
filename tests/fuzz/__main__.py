"""Fuzzes the parsers: python -m tests.fuzz [--seconds N] [--keep] [target ...]

For each target the corpus is run, then inputs are made of it for N seconds (default 10), led by the branches that they
reach. With --keep, what reaches new branches is added to the corpus. What shows a defect is cut down and written to
tests/fuzz/found, and the exit status is 1. At the end: the branches of each module that the corpus reaches.
"""

import argparse
import json
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from random import Random

import coverage
from attrs import define, field

from tests.fuzz import corpus
from tests.fuzz.mutation import mutated, smaller
from tests.fuzz.targets import TARGETS, Target

ROOT = Path(__file__).parents[2]


def files(target: Target) -> list[str]:
    """Gives the paths of the modules that a target is to reach."""
    return [str(ROOT / "gateway" / "protocols" / f"{name}.py") for name in target.modules]


@define
class Campaign:
    """Is one target under fuzz, and what has been reached so far."""

    target: Target
    by: Random
    measure: coverage.Coverage = field(init=False)
    kept: list[bytes] = field(factory=list)
    arcs: int = 0
    runs: int = 0
    defects: dict[str, bytes] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.measure = coverage.Coverage(data_file=None, branch=True, include=files(self.target), config_file=False)
        self.measure.set_option("run:disable_warnings", ["no-data-collected"])

    def fresh(self, octets: bytes) -> bool:
        """Runs an input and says whether it reached a branch that no other has."""
        self.runs += 1
        self.measure.start()
        try:
            self.target.run(octets)
        except Exception:  # noqa: BLE001 whatever escapes is what is looked for
            self.defects.setdefault(signature(), octets)
        finally:
            self.measure.stop()
        found = self.measure.get_data()
        reached = sum(len(found.arcs(name) or ()) for name in found.measured_files())
        grown, self.arcs = reached > self.arcs, reached
        return grown

    def replay(self) -> None:
        """Runs the corpus."""
        self.kept = corpus.seeds(self.target.name) or [b""]
        for octets in self.kept:
            self.fresh(octets)

    def trim(self) -> None:
        """Drops from the corpus what reaches nothing that smaller inputs do not reach."""
        kept = [octets for octets in sorted(corpus.seeds(self.target.name), key=len) if self.fresh(octets)]
        for octets in set(corpus.seeds(self.target.name)) - set(kept):
            corpus.keep(self.target.name, octets).unlink()

    def hunt(self, seconds: float, keep: bool) -> None:
        """Makes inputs and runs them until the time is over."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            octets = mutated(self.by, self.kept)
            if self.fresh(octets) and not self.defects:
                self.kept.append(octets)
                if keep:
                    corpus.keep(self.target.name, octets)

    def branches(self) -> list[tuple[str, int, int]]:
        """Gives the branches reached and there are, by module."""
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder, "report.json")
            self.measure.json_report(outfile=str(report), pretty_print=False)
            read = json.loads(report.read_text())["files"]
        rows = [(Path(name).stem, each["summary"]) for name, each in read.items()]
        return [(name, each["covered_branches"], each["num_branches"]) for name, each in sorted(rows)]


def signature() -> str:
    """Names the exception being handled by its type and the place where it was raised."""
    kind, _, trace = sys.exc_info()
    place = traceback.extract_tb(trace)[-1]
    return f"{kind.__name__ if kind else ''} in {Path(place.filename).name}:{place.lineno}"


def shown(target: Target, octets: bytes) -> str:
    """Gives how an input fails, or ''."""
    try:
        target.run(octets)
    except Exception:  # noqa: BLE001
        return signature()
    return ""


def _report(campaign: Campaign) -> bool:
    target = campaign.target
    rows = campaign.branches()
    reached, all_of = sum(row[1] for row in rows), sum(row[2] for row in rows)
    share = reached / all_of if all_of else 0.0
    sys.stdout.write(f"{target.name:12} {campaign.runs:8} runs, corpus {len(campaign.kept):4}: ")
    sys.stdout.write(f"{reached} of {all_of} branches ({share:.0%})\n")
    for name, covered, branches in rows:
        sys.stdout.write(f"    {name:20} {covered:4} of {branches:4}\n")
    for name, octets in campaign.defects.items():
        octets = smaller(octets, lambda shorter, name=name: shown(target, shorter) == name)
        path = corpus.keep(target.name, octets, corpus.FOUND)
        sys.stdout.write(f"    DEFECT {name}: {path.relative_to(ROOT)} ({len(octets)} bytes)\n")
    sys.stdout.flush()
    return not campaign.defects


def main(arguments: Sequence[str]) -> int:
    """Fuzzes the targets that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seconds", type=float, default=10.0, help="for each target; 0 runs the corpus only")
    parser.add_argument("--keep", action="store_true", help="add to the corpus what reaches new branches")
    parser.add_argument("--trim", action="store_true", help="drop from the corpus what adds nothing")
    parser.add_argument("--seed", type=int, default=None, help="begin with this number, to repeat a run")
    parser.add_argument("targets", nargs="*", metavar="target", help=", ".join(one.name for one in TARGETS))
    options = parser.parse_args(arguments)
    if unknown := set(options.targets) - {one.name for one in TARGETS}:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    good = True
    for target in TARGETS:
        if not options.targets or target.name in options.targets:
            if options.trim:
                Campaign(target, Random(0)).trim()
            campaign = Campaign(target, Random(options.seed))
            campaign.replay()
            campaign.hunt(options.seconds, options.keep)
            good = _report(campaign) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
