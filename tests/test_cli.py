import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import pytest_twisted
from click.testing import CliRunner
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from gateway import cli
from gateway.commands import COMMANDS, execute
from gateway.model.presence import Field
from gateway.web.control import ControlSocket

from .commands.house import House
from .commands.places import made


@pytest.fixture(autouse=True)
def nowhere(monkeypatch, tmp_path):
    """No configuration of this machine may be found."""
    monkeypatch.delenv("GATEWAY_CONFIG", raising=False)
    monkeypatch.delenv("GATEWAY_SOCKET", raising=False)
    monkeypatch.setattr(cli, "PLACES", (tmp_path / "none.toml",))
    monkeypatch.setattr(cli, "STATE", tmp_path / "state")


@pytest.fixture
def place(tmp_path):
    prepared = made(tmp_path)
    yield prepared
    prepared.inside.close()


def gateway(*arguments):
    return CliRunner().invoke(cli.program(), arguments)


class Running:
    """A daemon of cardboard behind a real socket."""

    def __init__(self, path):
        self.house = House()
        self.path = path
        self.socket = ControlSocket(path, self.execute)
        self.socket.listen(reactor)

    async def execute(self, words, arguments, asker):
        return await execute(self.house, words, arguments, asker=asker)

    def ask(self, *arguments):
        return deferToThread(gateway, "--socket", str(self.path), *arguments)


@pytest_twisted.async_yield_fixture
async def daemon(tmp_path):
    running = Running(tmp_path / "run" / "control.sock")
    yield running
    await running.socket.close()


RULES = Path(__file__).parent / "protocols" / "pres_rules" / "rfc5025_example.xml"
SAMPLE = Path(__file__).parent.parent / "deploy" / "gateway.toml"
DAEMON_LINES = [
    "view alice@corp.example bob@partner.example",
    "view alice@corp.example bob@partner.example --protocol sip",
    "explain alice@corp.example bob@partner.example",
    "explain alice@corp.example bob@partner.example --field note",
    "levels list",
    "levels list --owner alice@corp.example",
    "levels show alice@corp.example bob@partner.example",
    "levels set alice@corp.example bob@partner.example public",
    "levels set everyone *.ally.example team",
    "levels unset alice@corp.example bob@partner.example",
    "levels set alice@corp.example bob@partner.example public --until 2h --lock",
    "levels preview alice@corp.example bob@partner.example team",
    "contacts list alice@corp.example",
    "requests list",
    "history status",
    "history show alice@corp.example",
    "history retry",
    "requests accept alice@corp.example bob@partner.example --level company --until friday",
    "requests refuse alice@corp.example bob@partner.example",
    "publish list alice@corp.example",
    "publish set alice@corp.example phone.mobile +12025550143",
    "publish unset alice@corp.example note",
    "publish switch alice@corp.example typing off",
    f"levels import alice@corp.example {RULES} --dry-run",
    f"levels import alice@corp.example {RULES} --format containers",
    "levels export alice@corp.example",
    "levels export alice@corp.example --format kamailio",
    "partners list",
    "partners show partner.example",
    "partners test partner.example",
    "ledger list",
    "ledger list --about alice@corp.example --to partner.example --since 7d --field note --limit 5",
    "ledger export --about alice@corp.example --file x.jsonl",
    "ledger erase bob@partner.example",
    f"policy diff {SAMPLE}",
    f"policy diff {SAMPLE} --days 30",
    f"policy apply {SAMPLE} --confirm-widen",
    "policy pending",
    "policy approve 0123456789ab",
    "policy reject 0123456789ab",
    "policy history",
    "policy rollback abcd",
    "trace partner.example --for 10m",
    "trace alice@corp.example --for 1h --background",
    "traces list",
    "traces stop partner.example",
    "archive status",
    "archive search --about alice@corp.example --to partner.example --since 7d --kind message --limit 5",
    "archive export --format mbox --about alice@corp.example --file x.mbox",
    "archive holds",
    "archive hold alice@corp.example case-7",
    "archive release alice@corp.example closed",
    "archive prune",
    "archive rotate",
    "users show alice@corp.example",
    "users export alice@corp.example --file x.json",
    "users erase alice@corp.example",
    "telemetry show",
    "telemetry on",
    "telemetry off",
    "telemetry status",
    "feedback good",
    "feedback good --from alice@corp.example --yes",
    "privacy-statement",
    "privacy-statement --for alice@corp.example --since 1 --format html --language de",
    "status",
    "reload",
]
STATUS = {"explain alice@corp.example bob@partner.example --field note": 1, "partners test partner.example": 2}
STATUS[f"levels import alice@corp.example {RULES} --dry-run"] = 1
STATUS[f"levels import alice@corp.example {RULES} --format containers"] = 1
STATUS[f"policy diff {SAMPLE}"] = STATUS[f"policy diff {SAMPLE} --days 30"] = 1
STATUS["policy rollback abcd"] = STATUS["history status"] = STATUS["archive status"] = STATUS["archive rotate"] = 1
STATUS["users erase alice@corp.example"] = 1
STATUS["levels unset alice@corp.example bob@partner.example"] = 1


@pytest.mark.parametrize("line", DAEMON_LINES)
@pytest_twisted.ensureDeferred
async def test_a_command_for_the_daemon(daemon, line):
    answer = await daemon.ask(*line.split())
    assert answer.exit_code == STATUS.get(line, 0), answer.stderr
    assert answer.stdout
    assert answer.stderr == ""
    as_json = await daemon.ask(*line.split(), "--json")
    assert as_json.exit_code == answer.exit_code
    live = line.startswith("trace ") and "--background" not in line
    for document in as_json.stdout.splitlines() if live else [as_json.stdout]:
        json.loads(document)
    assert daemon.house.asked[0] == daemon.house.asked[1]


def test_there_is_a_line_for_every_command():
    tried = {tuple(word for word in line.split()[:2]) for line in DAEMON_LINES}
    online = [command.words for command in COMMANDS if command.where.value == "daemon"]
    assert all(any(line[: len(words)] == words for line in tried) for words in online)


@pytest_twisted.ensureDeferred
async def test_json_may_stand_before_the_command(daemon):
    answer = await daemon.ask("--json", "levels", "show", "alice@corp.example", "bob@partner.example")
    assert json.loads(answer.stdout)["level"] == "team"


@pytest_twisted.ensureDeferred
async def test_the_socket_is_found_in_the_configuration(place):
    running = Running(place.folder / "state" / "control.sock")
    path = place.write("[[partner]]\nmistake = ")
    answer = await deferToThread(gateway, "status", "--config", str(path))
    assert answer.exit_code == 2
    path = place.write("[nonsense]\n")
    answer = await deferToThread(gateway, "status", "--config", str(path))
    assert answer.exit_code == 0
    path = place.write(**{'"state"': '"other"\ncontrol = "state/control.sock"'})
    answer = await deferToThread(gateway, "status", "--config", str(path))
    await running.socket.close()
    assert answer.exit_code == 0


def one_line(answer, *parts):
    assert answer.exit_code == 2
    assert answer.stdout == ""
    assert answer.stderr.startswith("gateway: ")
    assert answer.stderr.count("\n") == 1
    assert "Traceback" not in answer.stderr
    for part in parts:
        assert part in answer.stderr


def test_no_daemon_says_what_to_do():
    one_line(gateway("status"), "no gateway answers", "gateway run --config F", "--socket")


@pytest.mark.parametrize(
    "line",
    [
        "view alice bob@partner.example",
        "view alice@corp.example",
        "view alice@corp.example bob@partner.example more",
        "levels set alice@corp.example bob@partner.example",
        "explain alice@corp.example bob@partner.example --field everything",
        "nothing",
        "levels nothing",
        "check everything",
        "--nothing",
        "status --nothing",
        "demo --for soon",
        "check",
        "run",
        "table --config /nonexistent/gateway.toml",
        "status --config /nonexistent/gateway.toml",
    ],
)
def test_an_error_is_one_line(line):
    one_line(gateway(*line.split()))


def test_what_was_typed_cannot_move_the_cursor():
    answer = gateway("view", "alice\x1b[2J", "bob@partner.example")
    assert "\x1b" not in answer.stderr
    one_line(answer)


def test_a_defect_is_one_line_without_what_it_was_about(monkeypatch):
    def broken(*arguments):
        raise KeyError("Canary-5550100")

    monkeypatch.setattr(cli, "run_offline", broken)
    answer = gateway("version")
    one_line(answer, "KeyError", "test_cli.py:")
    assert "Canary" not in answer.stderr


def test_the_table():
    answer = gateway("table")
    assert answer.exit_code == 0
    lines = answer.stdout.splitlines()
    assert lines[0].split() == ["FIELD", "blocked", "public", "company", "team", "personal"]
    assert [line.split()[0] for line in lines[1:]] == [field.value for field in Field]
    assert [line.split()[1:] for line in lines if line.startswith("phone.mobile")] == [["-", "-", "-", "x", "x"]]


def test_the_table_shows_the_levels_of_a_configuration(place):
    path = place.write('[levels.press]\nfields = ["availability", "photo"]\n[locks]\nfields = ["photo"]\n')
    table = json.loads(gateway("table", "--config", str(path), "--json").stdout)
    assert table["levels"][-1] == "press"
    assert [row["field"] for row in table["fields"] if "press" in row["levels"]] == ["availability", "photo"]
    assert table["locked"] == ["photo"]


def test_check_grades(place):
    path = place.write('[[partner]]\ndomain = "partner.example"\n')
    assert gateway("check", "--config", str(path), "state", "certs").exit_code == 0
    (place.folder / "state").chmod(0o755)
    assert gateway("check", "--config", str(path), "state", "certs").exit_code == 1
    (place.folder / "corp.example.key").unlink()
    answer = gateway("check", "--config", str(path), "state", "certs", "--json")
    assert answer.exit_code == 2
    assert {each["outcome"] for each in json.loads(answer.stdout)["checks"]} >= {"warn", "fail"}


def test_the_configuration_may_come_from_the_environment(place, monkeypatch):
    monkeypatch.setenv("GATEWAY_CONFIG", str(place.write()))
    assert gateway("check", "certs").exit_code == 0


def test_run_hands_the_configuration_to_the_daemon(place, monkeypatch):
    seen = []
    monkeypatch.setattr("gateway.serving.run", lambda path: seen.append(path) or 0)
    assert gateway("run", "--config", str(place.write())).exit_code == 0
    assert seen == [place.path]


@pytest.mark.parametrize("words", [[], ["levels"], ["partners"]])
def test_help_is_shown_where_a_command_is_missing(words):
    answer = gateway(*words, "--help")
    assert answer.exit_code == 0
    assert "Commands:" in answer.stdout


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command.words))
def test_every_command_has_help_and_json(command):
    answer = gateway(*command.words, "--help")
    assert answer.exit_code == 0
    assert command.summary in answer.stdout
    assert "--json" in answer.stdout


def test_a_reader_who_leaves_early_gets_no_complaint():
    program = [sys.executable, "-c", "from gateway.cli import main; main()", "table"]
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parent.parent)}
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(program, stdout=writer, stderr=subprocess.PIPE, text=True, env=environment, check=False)
    os.close(writer)
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
