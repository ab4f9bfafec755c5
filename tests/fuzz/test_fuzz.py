"""A short run of each fuzz target: its corpus, and some inputs made of it. `python -m tests.fuzz` runs for longer."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.__main__ import Campaign, files, main
from tests.fuzz.corpus import seeds
from tests.fuzz.mutation import mutated, smaller
from tests.fuzz.targets import TARGETS, Target

LEAST = 0.6
"""The share of a target's branches that its corpus reaches."""
NAMES = [target.name for target in TARGETS]


@pytest.mark.parametrize("target", TARGETS, ids=NAMES)
def test_the_corpus_shows_no_defect_and_reaches_the_branches(target: Target) -> None:
    campaign = Campaign(target, Random(1))
    campaign.replay()
    assert campaign.defects == {}
    rows = campaign.branches()
    assert len(rows) == len(files(target)), "a module is not reached at all"
    reached, branches = sum(row[1] for row in rows), sum(row[2] for row in rows)
    assert reached / branches >= LEAST, rows


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(TARGETS), st.integers(0, 2**32))
def test_inputs_made_of_the_corpus(target: Target, number: int) -> None:
    target.run(mutated(Random(number), seeds(target.name)))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(TARGETS), st.binary(max_size=200))
def test_any_bytes(target: Target, octets: bytes) -> None:
    target.run(octets)


def test_a_defect_is_found_and_cut_down() -> None:
    def breaks(octets: bytes) -> None:
        if b"%" in octets:
            raise ZeroDivisionError

    campaign = Campaign(Target("sip_uri", breaks, ("sip/uri",)), Random(1))
    campaign.replay()
    ((name, octets),) = campaign.defects.items()
    assert name.startswith("ZeroDivisionError in test_fuzz.py")
    assert smaller(octets, lambda shorter: b"%" in shorter) == b"%"


def test_the_command_says_how_far_the_corpus_reaches(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seconds", "0", "sip_uri"]) == 0
    said = capsys.readouterr().out
    assert "branches" in said and "addressing" in said
