"""A gateway started as root is root no more before it does anything, and cannot become it again."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from gateway.errors import GatewayError
from gateway.privileges import Account, check_state

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give it up")
TOLD = """
import ctypes, json, os, resource, socket, sys
from types import SimpleNamespace
from pathlib import Path
from gateway.privileges import give_up, lock
where = SimpleNamespace(port=int(sys.argv[3]))
config = SimpleNamespace(
    gateway=SimpleNamespace(user=sys.argv[2], state=Path(sys.argv[1])),
    xmpp=SimpleNamespace(listen=(where,), listen_tls=()), sip=SimpleNamespace(listen=()), inside=None,
)
give_up(config)

def bind():
    with socket.socket() as door:
        try:
            door.bind(("127.0.0.1", where.port))
        except OSError as problem:
            return type(problem).__name__
    return "bound"

first = bind()
lock()
told = {"ids": [*os.getresuid(), *os.getresgid()], "groups": os.getgroups(), "first": first, "then": bind()}
status = dict(line.split(":\\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\\t" in line)
told |= {name: status[name].strip() for name in ("CapEff", "CapPrm", "NoNewPrivs")}
try:
    os.setuid(0)
    told["back"] = True
except OSError:
    told["back"] = False
told["core"] = [*resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)]
told["fds"] = len(os.listdir("/proc/self/fd")) > 3
made = Path(sys.argv[1]) / "made"
made.write_text("")
told["mode"] = oct(made.stat().st_mode & 0o777)
print(json.dumps(told))
"""


def told(state: Path, user: str, port: int) -> "subprocess.CompletedProcess[str]":
    """Runs a process that gives up root and tells what it is then."""
    command = [sys.executable, "-c", TOLD, str(state), user, str(port)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Gives a place that another user reaches."""
    above = Path(tempfile.gettempdir()).resolve()
    for folder in (tmp_path, *(each for each in tmp_path.parents if above in each.parents)):
        folder.chmod(0o711)
    return tmp_path / "state"


@needs_root
def test_root_is_given_up_for_good_with_its_groups(state: Path) -> None:
    answer = told(state, "nobody", 5269)
    found = json.loads(answer.stdout)
    nobody = Account.named("nobody")
    assert found["ids"] == [nobody.uid] * 3 + [nobody.gid] * 3
    assert 0 not in found["groups"]
    assert (found["CapEff"], found["CapPrm"]) == ("0" * 16, "0" * 16)
    assert (found["NoNewPrivs"], found["back"], found["mode"]) == ("1", False, "0o600")
    assert state.stat().st_uid == nobody.uid and state.stat().st_mode & 0o777 == 0o700


@needs_root
@pytest.mark.parametrize("user", ["nobody", "root"])
def test_memory_is_written_to_no_core_file(state: Path, user: str) -> None:
    found = json.loads(told(state, user, 5269).stdout)
    assert found["core"] == [0, 0, 0], "limits and PR_GET_DUMPABLE"
    assert found["fds"], "its own descriptors it can still count, for a metric does"


@needs_root
def test_a_low_port_is_opened_and_none_afterwards(state: Path) -> None:
    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 843:
        pytest.skip("here everybody may listen on that port")
    found = json.loads(told(state, "nobody", 843).stdout)
    assert (found["first"], found["then"], found["CapPrm"]) == ("bound", "PermissionError", "0" * 16)


@needs_root
@pytest.mark.parametrize(("user", "problem"), [("", "started as root"), ("no-such-account", "there is no account")])
def test_root_without_an_account_is_refused(state: Path, user: str, problem: str) -> None:
    answer = told(state, user, 5269)
    assert answer.returncode != 0 and problem in answer.stderr


def test_an_account_that_is_root_under_another_name_is_none() -> None:
    with pytest.raises(GatewayError, match="number of root"):
        Account.named("root")


def test_state_that_others_read_is_closed_to_them(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o755)
    (folder / "state.db").write_text("")
    (folder / "state.db").chmod(0o644)
    check_state(folder)
    assert folder.stat().st_mode & 0o066 == 0
    assert (folder / "state.db").stat().st_mode & 0o777 == 0o600


@needs_root
def test_state_of_somebody_else_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    (folder / "state.db").write_text("")
    os.chown(folder / "state.db", 65534, 65534)
    with pytest.raises(GatewayError, match="chown"):
        check_state(folder)
