"""Answers in parts: live, bounded, ended by either side."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest_twisted
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from gateway.web.control import ControlSocket
from gateway.web.control_client import ask
from gateway.web.stream import Stream


class Door:
    """A control socket whose every command is one stream."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.left = 0
        self.begun: list[Stream] = []
        self.control = ControlSocket(path, self._execute)
        self.control.listen(reactor)

    async def _execute(self, words: tuple[str, ...], arguments: Any, *more: Any) -> object:
        return Stream(self.begun.append, self._gone)

    def _gone(self) -> None:
        self.left += 1

    async def stream(self) -> Stream:
        while not self.begun:
            await deferLater(reactor, 0.01)
        return self.begun[0]


@pytest_twisted.ensureDeferred
async def test_parts_come_as_they_are_said_and_then_the_result(tmp_path: Path) -> None:
    door = Door(tmp_path / "run" / "control.sock")
    parts: list[Any] = []
    asked = deferToThread(ask, door.path, ("trace",), {}, follow=parts.append)
    stream = await door.stream()
    stream.say({"n": 1})
    while not parts:
        await deferLater(reactor, 0.01)
    assert parts == [{"n": 1}] and not asked.called
    stream.say({"n": 2})
    stream.finish({"lines": 2})
    assert await asked == {"lines": 2}
    assert parts == [{"n": 1}, {"n": 2}] and door.left == 0
    stream.say({"n": 3})
    await door.control.close()


@pytest_twisted.ensureDeferred
async def test_a_client_who_goes_is_noticed(tmp_path: Path) -> None:
    door = Door(tmp_path / "run" / "control.sock")
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(door.path))
    client.sendall(json.dumps({"command": ["trace"], "arguments": {}}).encode() + b"\n")
    stream = await door.stream()
    client.close()
    while not door.left:
        await deferLater(reactor, 0.01)
    stream.say({})
    stream.finish({})
    assert door.left == 1
    await door.control.close()


@pytest_twisted.ensureDeferred
async def test_a_client_who_does_not_read_is_not_waited_for(tmp_path: Path) -> None:
    door = Door(tmp_path / "run" / "control.sock")
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(door.path))
    client.sendall(json.dumps({"command": ["trace"], "arguments": {}}).encode() + b"\n")
    stream = await door.stream()
    for number in range(20_000):
        stream.say({"number": number, "filling": "x" * 200})
        if number % 100 == 0:
            await deferLater(reactor, 0)
    assert 0 < stream.dropped < 20_000
    client.close()
    await deferLater(reactor, 0.05)
    await door.control.close()
