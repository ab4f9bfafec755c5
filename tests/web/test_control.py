import json
import os
import socket
import stat
import threading

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from gateway.errors import CommandError, NotRunning
from gateway.web import control
from gateway.web.control import ControlSocket, parse_request
from gateway.web.control_client import ask


class Daemon:
    """A control socket that answers with what it was asked."""

    def __init__(self, path):
        self.path = path
        self.asked = []
        self.result = {"done": True}
        self.socket = ControlSocket(path, self.execute)
        self.socket.listen(reactor)

    async def execute(self, words, arguments, asker):
        self.asked.append((words, arguments))
        if isinstance(self.result, Exception):
            raise self.result
        return await self.result if isinstance(self.result, Deferred) else self.result

    def ask(self, *words, **arguments):
        return deferToThread(ask, self.path, words, arguments)

    def send(self, sent, end=False):
        return deferToThread(_send, self.path, sent, end)


def _send(path, sent, end):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        try:
            connection.sendall(sent)
            if end:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        received = b""
        while piece := connection.recv(65536):
            received += piece
        return json.loads(received) if received else None


@pytest_twisted.async_yield_fixture
async def daemon(tmp_path):
    running = Daemon(tmp_path / "run" / "control.sock")
    yield running
    await running.socket.close()


@pytest_twisted.ensureDeferred
async def test_a_command_is_carried_out(daemon):
    assert await daemon.ask("levels", "set", owner="alice@corp.example", level="team") == {"done": True}
    assert daemon.asked == [(("levels", "set"), {"owner": "alice@corp.example", "level": "team"})]


@pytest_twisted.ensureDeferred
async def test_an_answer_may_come_later(daemon):
    daemon.result = Deferred()
    reactor.callLater(0.05, daemon.result.callback, ["later"])
    assert await daemon.ask("reload") == ["later"]


@pytest_twisted.ensureDeferred
async def test_a_large_answer_arrives_whole(daemon):
    daemon.result = ["x" * 1000] * 3000
    assert await daemon.ask("levels", "list") == daemon.result


@pytest_twisted.ensureDeferred
async def test_a_refusal_is_told(daemon):
    daemon.result = CommandError("there is no level 'companny'")
    with pytest.raises(CommandError, match="no level 'companny'"):
        await daemon.ask("levels", "set")


@pytest_twisted.ensureDeferred
async def test_a_defect_is_not_shown(daemon):
    daemon.result = KeyError("Canary-5550100")
    with pytest.raises(CommandError) as refusal:
        await daemon.ask("status")
    assert "Canary" not in str(refusal.value)
    assert "log" in str(refusal.value)


@pytest_twisted.ensureDeferred
async def test_an_answer_that_is_no_json_is_a_defect(daemon):
    daemon.result = {"x": object()}
    with pytest.raises(CommandError, match="cannot be sent"):
        await daemon.ask("status")


@pytest_twisted.ensureDeferred
async def test_a_command_has_a_time_limit(daemon, monkeypatch):
    monkeypatch.setattr(control, "ANSWER_SECONDS", 0.1)
    daemon.result = Deferred()
    with pytest.raises(CommandError, match="longer than"):
        await daemon.ask("partners", "test")


@pytest_twisted.ensureDeferred
async def test_nobody_else_can_open_the_socket(tmp_path):
    path = tmp_path / "run" / "control.sock"
    before = os.umask(0)
    try:
        running = Daemon(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    await running.socket.close()


@pytest_twisted.ensureDeferred
async def test_the_umask_is_given_back(daemon):
    before = os.umask(0o022)
    os.umask(before)
    other = ControlSocket(daemon.path.parent / "other.sock", daemon.execute)
    other.listen(reactor)
    after = os.umask(before)
    await other.close()
    assert after == before


@pytest_twisted.ensureDeferred
async def test_another_user_is_refused(daemon, monkeypatch):
    monkeypatch.setattr(control, "_peer_uid", lambda transport: 54321)
    with pytest.raises(CommandError, match="own user and root"):
        await daemon.ask("levels", "list")
    assert daemon.asked == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest_twisted.ensureDeferred
async def test_a_process_of_another_user_is_refused(daemon):
    daemon.path.parent.chmod(0o777)
    daemon.path.chmod(0o777)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.chdir(daemon.path.parent)
            os.setuid(65534)
            os.write(writer, json.dumps(_send(daemon.path.name, b'{"command":["status"]}\n', False)).encode())
        except BaseException as problem:  # noqa: BLE001 the child must end here, whatever happens
            os.write(writer, repr(problem).encode())
        finally:
            os._exit(0)
    os.close(writer)
    answer = await deferToThread(os.read, reader, 4096)
    os.close(reader)
    os.waitpid(child, 0)
    assert b"own user and root" in answer
    assert daemon.asked == []


HOSTILE = {
    "empty": b"\n",
    "no-json": b"levels set\n",
    "list": b"[]\n",
    "no-command": b"{}\n",
    "text-command": b'{"command": "status"}\n',
    "empty-command": b'{"command": []}\n',
    "number-in-command": b'{"command": ["levels", 1]}\n',
    "list-arguments": b'{"command": ["status"], "arguments": []}\n',
    "unknown-key": b'{"command": ["status"], "uid": 0}\n',
    "not-utf8": b'{"command": ["\xff"]}\n',
    "deep": b"[" * 60_000 + b"\n",
    "long-number": b'{"command": ["status"], "arguments": {"n": ' + b"9" * 10_000 + b"}}\n",
    "long-line": b"x" * (control.LONGEST_LINE + 10) + b"\n",
    "no-newline": b"x" * (control.LONGEST_LINE * 3),
}


@pytest.mark.parametrize("sent", HOSTILE.values(), ids=HOSTILE.keys())
@pytest_twisted.ensureDeferred
async def test_hostile_input_gets_a_clear_error(daemon, sent):
    answer = await daemon.send(sent)
    assert answer["ok"] is False
    assert "request" in answer["error"] or "must be" in answer["error"]
    assert daemon.asked == []
    assert await daemon.ask("status") == {"done": True}


@pytest_twisted.ensureDeferred
async def test_one_connection_gets_one_command(daemon):
    request = b'{"command": ["status"]}\n'
    assert await daemon.send(request * 50) == {"ok": True, "result": {"done": True}}
    assert len(daemon.asked) == 1


@pytest_twisted.ensureDeferred
async def test_who_says_nothing_is_sent_away(daemon, monkeypatch):
    monkeypatch.setattr(control, "ASK_SECONDS", 0.1)
    assert "in time" in (await daemon.send(b'{"comm'))["error"]


@pytest_twisted.ensureDeferred
async def test_who_leaves_before_the_answer_harms_nobody(daemon):
    daemon.result = Deferred()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(daemon.path))
        connection.sendall(b'{"command": ["reload"]}\n')
        while not daemon.asked:
            await _soon()
    await _soon()
    daemon.result.callback({})
    daemon.result = {"done": True}
    assert await daemon.ask("status") == {"done": True}


def _soon():
    soon = Deferred()
    reactor.callLater(0.02, soon.callback, None)
    return soon


@pytest_twisted.ensureDeferred
async def test_a_stale_socket_is_replaced(tmp_path):
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    running = Daemon(path)
    assert await running.ask("status") == {"done": True}
    await running.socket.close()
    assert not path.exists()


@pytest_twisted.ensureDeferred
async def test_a_living_gateway_keeps_its_socket(daemon):
    with pytest.raises(CommandError, match="another gateway is running"):
        await deferToThread(ControlSocket(daemon.path, daemon.execute).listen, reactor)
    assert await daemon.ask("status") == {"done": True}


def test_a_file_in_the_way_is_not_removed(tmp_path):
    path = tmp_path / "control.sock"
    path.write_text("precious")
    with pytest.raises(CommandError, match="in the way"):
        Daemon(path)
    assert path.read_text() == "precious"


def test_a_folder_that_others_can_write_to_is_refused(tmp_path):
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(CommandError, match="chmod 700"):
        Daemon(folder / "control.sock")


def test_a_path_too_long_for_a_socket_is_told(tmp_path):
    with pytest.raises(CommandError, match="cannot listen"):
        Daemon(tmp_path / ("x" * 120))


def test_no_gateway_says_what_to_do(tmp_path):
    with pytest.raises(NotRunning, match="gateway run"):
        ask(tmp_path / "nothing.sock", ("status",), {})


def test_a_gateway_that_ends_before_it_answers_is_told(tmp_path):
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def end():
            connection, _ = listening.accept()
            connection.recv(1000)
            connection.close()

        thread = threading.Thread(target=end)
        thread.start()
        with pytest.raises(NotRunning, match="ended before"):
            ask(path, ("status",), {})
        thread.join()


def test_a_gateway_that_does_not_answer_is_told(tmp_path):
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        with pytest.raises(NotRunning, match="in time"):
            ask(path, ("status",), {}, seconds=0.1)


def test_a_request_without_arguments_is_complete():
    assert parse_request(b'{"command": ["status"]}') == (("status",), {})


@pytest_twisted.ensureDeferred
async def test_others_cannot_keep_our_own_user_out(daemon, monkeypatch):
    ours = control._peer_uid
    monkeypatch.setattr(control, "_peer_uid", lambda transport: 54321)
    crowd = [socket.socket(socket.AF_UNIX) for _ in range(control.MOST_CLIENTS + control.MOST_OTHERS)]
    try:
        for each in crowd:
            await deferToThread(each.connect, str(daemon.path))
        await deferToThread(lambda: [each.recv(1) for each in crowd[-1:]])
        monkeypatch.setattr(control, "_peer_uid", ours)
        assert await daemon.ask("status") == {"done": True}
    finally:
        for each in crowd:
            each.close()
