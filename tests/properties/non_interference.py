"""The two-run property over the whole house (I11, I20): what a contact may not see changes nothing that he hears.

    python -m tests.properties.non_interference [--histories 100000] [--seed 0] [--jobs N]

Plays each history twice, the second time with everything changed that one contact may not see. All that goes to his
domain must be the same, byte by byte and moment by moment. A history that differs is cut down and printed; exit
status 1. One seed is repeated by `--seed N --histories 1`.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator

from attrs import evolve

from tests.properties.histories import Story


def failing(first: int, count: int) -> Iterator[Story]:
    """Gives the stories, of some seeds in a row, in which the watcher notices something."""
    return (story for story in map(Story.of, range(first, first + count)) if story.differs)


def shortened(story: Story) -> Story:
    """Leaves out events as long as the watcher still notices something."""
    length = max(1, len(story.events) // 2)
    while length:
        place = 0
        while place < len(story.events):
            tried = evolve(story, events=story.events[:place] + story.events[place + length :])
            story, place = (tried, place) if tried.differs else (story, place + length)
        length //= 2
    return story


def told(story: Story) -> str:
    """Describes a story, and the first difference that the watcher notices."""
    one, other = story.told(False), story.told(True)
    lines = [f"seed {story.seed}: {story.watcher}, ledger {'on' if story.ledger else 'off'}"]
    lines += [f"  {event}" for event in story.events]
    place = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    for name, said in (("as it was", one), ("changed", other)):
        lines.append(f"{name}, {place}: {said[place] if place < len(said) else 'nothing more'}")
    return "\n".join(lines)


def _share(first: int, count: int) -> int:
    """Plays some seeds and prints what fails; gives how many failed."""
    bad = 0
    for story in failing(first, count):
        bad += 1
        if bad <= 3:
            sys.stdout.write(f"{told(shortened(story))}\n")
            sys.stdout.flush()
    return min(bad, 100)


def main() -> int:
    """Runs the command."""
    reader = argparse.ArgumentParser(prog="python -m tests.properties.non_interference", description=__doc__)
    reader.add_argument("--histories", type=int, default=100_000)
    reader.add_argument("--seed", type=int, default=0)
    reader.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = reader.parse_args()
    jobs = min(given.jobs, given.histories)
    begin, children, first = time.monotonic(), [], given.seed
    for number in range(jobs):
        count = given.histories // jobs + (number < given.histories % jobs)
        child = os.fork()
        if not child:
            os._exit(_share(first, count))
        children.append(child)
        first += count
    bad = sum(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0 for child in children)
    seconds = time.monotonic() - begin
    found = "differences" if bad else "no difference"
    sys.stdout.write(f"{given.histories} histories from seed {given.seed}, {seconds:.0f} s: {found}\n")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
