"""Plays every dialogue in this folder, and makes sure that a dialogue can fail."""

from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor

from . import sentences  # noqa: F401 importing it makes the sentences known
from .play import SENTENCES, Item, Play, Untrue, items, read, understood

HERE = Path(__file__).parent
DIALOGUES = sorted(HERE.glob("*.txt"))


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("path", DIALOGUES, ids=lambda path: path.stem)
async def test_dialogue(path, tmp_path):
    await Play(path, tmp_path, reactor).run()


def test_there_are_enough_of_them():
    assert len(DIALOGUES) >= 10


def test_every_sentence_is_explained():
    explained = (HERE / "README.md").read_text("utf-8")
    assert [known.form for known in SENTENCES if f"`{known.form}`" not in explained] == []


def test_every_sentence_is_used_somewhere():
    used = {understood(line)[0].form for path in DIALOGUES for _, line in read(path)}
    assert [known.form for known in SENTENCES if known.form not in used] == []


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        ("bob sees alice offline", "bob sees availability"),
        ("bob sees of alice: availability, show dnd, note", "bob sees availability, show"),
        ("bob sees of alice: availability, show away", "or other values"),
        ("bob does not see of alice: show", "bob sees availability, show"),
        ("bob gets no card of alice", "he gets display_name"),
        ("bob reads on the card of alice: email", "on the card are display_name"),
        ('bob reads from alice: "Hello"', "no such message"),
        ("bob learns that it failed: gone", "nothing"),
        ("carol has been accepted by alice", "no yes"),
        ("bob smiles at alice", "no sentence has this form"),
        ("bob sees of alice: smell", "no field smell"),
        ('mallory writes to alice: "x"', "nobody knows mallory"),
        ("the administrator gives bob@partner.example the level top", "is no level"),
        ("the partner partner.example has the ceiling top", "top"),
    ],
)
async def test_what_is_not_so_fails_with_its_place(tmp_path, claim, reason):
    path = tmp_path / "claim.txt"
    path.write_text(
        "# A start, and a claim that is not so\nthe default level is public\n\n"
        f"alice publishes show dnd, display_name Alice\nbob is subscribed to alice\n{claim}\n"
    )
    with pytest.raises(Untrue) as caught:
        await Play(path, tmp_path / "stage", reactor, patience=0.3).run()
    first, second = str(caught.value).split("\n", 1)
    assert first == f"claim.txt:6: {claim}"
    assert reason in second


@pytest_twisted.ensureDeferred
async def test_dialogue_in_which_nothing_happens_fails(tmp_path):
    path = tmp_path / "empty.txt"
    path.write_text("# nothing\nthe default level is team\n")
    with pytest.raises(Untrue, match=r"empty\.txt: nothing happens"):
        await Play(path, tmp_path, reactor).run()


def test_list_is_read_with_values_and_without():
    assert items('show dnd, note "Away, for long", availability') == [
        Item("show", "dnd"),
        Item("note", "Away, for long"),
        Item("availability"),
    ]
    with pytest.raises(Untrue):
        items("show dnd, ???")
