"""Configurations that were in force, and those that wait, on disk."""

from pathlib import Path

import pytest

from gateway.errors import StoreError
from gateway.store import policies
from gateway.store.policies import PolicyShelf, Proposal, Step

ONE, TWO = "ab" * 32, "cd" * 32


def test_the_history_outlives_the_process_and_is_for_nobody_else(tmp_path: Path) -> None:
    folder = tmp_path / "policies"
    PolicyShelf(folder).keep(Step(1.0, ONE, "start"), "one")
    PolicyShelf(folder).keep(Step(2.0, TWO, "apply", "root"), "two")
    shelf = PolicyShelf(folder)
    assert shelf.history() == [Step(1.0, ONE, "start"), Step(2.0, TWO, "apply", "root")]
    assert shelf.found("abab") == (ONE, "one") and shelf.found(TWO) == (TWO, "two")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


@pytest.mark.parametrize("name", ["", "*", "ab*", "../x", "ff", "a", "ffff"])
def test_what_is_not_kept_is_not_found(tmp_path: Path, name: str) -> None:
    shelf = PolicyShelf(tmp_path)
    shelf.keep(Step(1.0, ONE, "start"), "one")
    with pytest.raises(StoreError, match="none of the configurations"):
        shelf.found(name)


def test_two_that_begin_alike_are_told_apart(tmp_path: Path) -> None:
    shelf = PolicyShelf(tmp_path)
    shelf.keep(Step(1.0, ONE, "start"), "one")
    shelf.keep(Step(1.0, "abab" + "0" * 60, "start"), "two")
    with pytest.raises(StoreError, match="several"):
        shelf.found("abab")


def test_only_so_many_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policies, "KEPT", 2)
    shelf = PolicyShelf(tmp_path)
    for number in range(4):
        shelf.keep(Step(float(number), f"{number:064x}", "apply"), str(number))
    assert [step.at for step in shelf.history()] == [2.0, 3.0]
    assert len(list(tmp_path.glob("*.config"))) == 2


def test_proposals_come_and_go(tmp_path: Path) -> None:
    shelf = PolicyShelf(tmp_path)
    assert shelf.proposals() == []
    waiting = Proposal("0123456789ab", 1.0, "root", 0, ONE, TWO, "apply", "two", {"widened": 1})
    shelf.propose(waiting)
    assert PolicyShelf(tmp_path).proposals() == [waiting]
    shelf.drop(waiting)
    assert shelf.proposals() == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be"):
        PolicyShelf(tmp_path / "file" / "policies").keep(Step(1.0, ONE, "start"), "one")
