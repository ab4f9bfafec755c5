"""`gateway policy test`: sentences in a file against a configuration, as in CI."""

import json
from pathlib import Path

import pytest
import pytest_twisted
from click.testing import CliRunner, Result
from twisted.internet import reactor

from gateway import cli
from gateway.policy.access_level import Assignment, Member, Origin
from gateway.store.contacts import AssignmentStore
from gateway.store.database import Database
from tests.config.files import write

EXAMPLE = Path(__file__).parent.parent.parent / "deploy" / "policy-test.txt"
POLICY = """
[locks]
fields = ["phone.home", "address.home"]
[[partner]]
domain = "partner.example"
[groups]
board = ["dana@corp.example"]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write(tmp_path, POLICY)


def outcome_of(config: Path, sentences: str | Path, *more: str) -> Result:
    file = sentences
    if isinstance(sentences, str):
        file = config.parent / "sentences.txt"
        file.write_text(sentences)
    return CliRunner().invoke(cli.program(), ["--config", str(config), "policy", "test", str(file), *more])


def test_the_example_holds_for_a_policy_that_means_it(config: Path) -> None:
    answer = outcome_of(config, EXAMPLE)
    assert answer.exit_code == 0, answer.output
    assert answer.stdout == "4 hold, 0 fail\n"


def test_a_failure_has_its_line_and_reason(config: Path) -> None:
    answer = outcome_of(config, "# first\nbob@partner.example never sees phone.mobile of anybody in group board\n")
    assert answer.exit_code == 1
    assert answer.stdout.splitlines() == [
        "line 2: FAIL  bob@partner.example never sees phone.mobile of anybody in group board",
        "        bob@partner.example may see phone.mobile of dana@corp.example: "
        "at personal, team, which may be given him",
        "0 hold, 1 fail",
    ]


def test_a_line_that_makes_no_sense_is_worse_than_a_failure(config: Path) -> None:
    answer = outcome_of(
        config, "bob@partner.example dislikes alice@corp.example\nanybody never sees note of anybody in group x\n"
    )
    assert answer.exit_code == 2
    lines = answer.stdout.splitlines()
    assert lines[0] == "line 1: ERROR  expected WHO sees, never sees, exchanges, or never exchanges ..."
    assert "there is no group x" in lines[2]
    told = json.loads(outcome_of(config, "nonsense\n", "--json").stdout)
    assert told == {"held": 0, "failures": [], "errors": [{"line": 1, "text": "", "why": told["errors"][0]["why"]}]}


@pytest_twisted.ensureDeferred
async def test_what_people_have_decided_counts_where_the_state_is_given(config: Path, tmp_path: Path) -> None:
    sentence = "bob@partner.example sees phone.mobile of alice@corp.example\n"
    assert outcome_of(config, sentence).exit_code == 1
    database = Database(tmp_path / "state.db", reactor)
    entry = Assignment("alice@corp.example", Member.parse("bob@partner.example"), "team", Origin.PERSON)
    await AssignmentStore(database).set(entry)
    await database.close()
    assert outcome_of(config, sentence, "--state", str(tmp_path)).exit_code == 0
    answer = outcome_of(config, sentence, "--state", str(tmp_path / "none.db"))
    assert answer.exit_code == 2 and "there is no database" in answer.stderr


def test_an_observing_gateway_guarantees_nothing(tmp_path: Path) -> None:
    config = write(tmp_path, POLICY)
    config.write_text(config.read_text().replace("[gateway]\n", '[gateway]\nmode = "observe"\n'))
    answer = outcome_of(config, "bob@partner.example never sees phone.home of alice@corp.example\n")
    assert answer.exit_code == 1 and "the gateway only observes" in answer.stdout
