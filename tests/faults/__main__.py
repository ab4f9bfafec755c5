"""`python -m tests.faults [--case F3] [--seed N] [--seconds S] [--long]`: faults under load; status 1 if one fails."""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from attrs import evolve

from tests.bench import sandbox
from tests.faults.case import LONG, QUICK, SHORT, Case, Form
from tests.faults.cases import CASES
from tests.faults.world import Rates, World


def say(text: str) -> None:
    """Prints a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def run(case: Case, form: Form, seed: int, folder: Path) -> list[str]:
    """Runs one case; gives what is wrong."""
    rates = Rates(form.messages, form.presence, form.levels)
    world = World(folder, seed, case.terms(folder), rates, promises=case.promises)
    try:
        await world.open()
        await case.act(world, form)
        await world.settle()
    except Exception as problem:  # noqa: BLE001 whatever ends a case is what is wrong with it
        world.wrong.append(f"{type(problem).__name__}: {problem}")
    wrong = await world.close()
    for remark in world.remarks:
        say(f"  {remark}")
    return wrong


def passes(case: Case, form: Form, seed: int, keep: Path | None) -> bool:
    """Runs one case in a folder of its own; what it left there goes to `keep` when it fails."""
    say(f"{case.name} {case.title}")
    again = f"python -m tests.faults --case {case.name} --seed {seed} --seconds {form.seconds:g} --times {form.times}"
    say(f"  {again} --kills {form.kills}{' --long' if form.long else ''}")
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="gateway-faults-"))
    try:
        wrong = asyncio.run(run(case, form, seed, folder))
        if wrong:
            say((folder / "gateway.log").read_text(errors="replace")[-3000:])
            if keep is not None:
                shutil.copytree(
                    folder, keep / f"{case.name}-{seed}", ignore=shutil.ignore_patterns("*.sock"), dirs_exist_ok=True
                )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for text in wrong[:20]:
        say(f"  WRONG {text}")
    say(f"  {f'FAILED: {len(wrong)} wrong' if wrong else 'ok'} after {time.monotonic() - began:.0f} s")
    return not wrong


def main(arguments: Sequence[str]) -> int:
    """Runs the cases that are named, or all; gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", action="append", choices=list(CASES), help="may be given several times")
    parser.add_argument("--seed", type=int, help="what chance decides; printed for each case")
    parser.add_argument("--seconds", type=float, help="how long what has no number goes on")
    parser.add_argument("--times", type=int, help="how often what can be counted happens")
    parser.add_argument("--kills", type=int)
    parser.add_argument("--long", action="store_true", help="as before a release: 1,000 kills, hours")
    parser.add_argument("--quick", action="store_true", help="as for each change: one of each, five kills")
    parser.add_argument("--keep", type=Path, help="where histories and logs of failed cases go")
    options = parser.parse_args(arguments)
    form = LONG if options.long else QUICK if options.quick else SHORT
    given = {name: getattr(options, name) for name in ("seconds", "times", "kills")}
    form = evolve(form, **{name: value for name, value in given.items() if value is not None})
    chosen = [CASES[name] for name in options.case or CASES]
    sandbox.enter("tests.faults", arguments, sorted({program for case in chosen for program in case.programs}))
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
    outcomes = [passes(case, form, seed, options.keep) for case in chosen]
    say(f"{sum(outcomes)} of {len(outcomes)} cases as promised")
    return 0 if all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
