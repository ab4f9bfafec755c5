from __future__ import annotations

import socket
import time

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import CancelledError
from twisted.internet.defer import ensureDeferred as ensure

from gateway.transport.connector import ConnectFailed, connect
from gateway.transport.resolver import Target
from tests.transport.wires import rest


def closed_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture
def deaf():
    """A port whose queue is full: connecting to it neither succeeds nor fails."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen(0)
        callers = [socket.socket() for _ in range(4)]
        for caller in callers:
            caller.setblocking(False)
            caller.connect_ex(door.getsockname())
        yield door.getsockname()[1]
        for caller in callers:
            caller.close()


@ensureDeferred
async def test_the_first_server_that_answers_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
        dead = Target("a.example", closed_port(), False, ("127.0.0.1", "::1"))
        alive = Target("b.example", port, True, ("127.0.0.2", "127.0.0.1"))
        sock, target, address = await connect(reactor, [dead, alive])
        assert (target, address) == (alive, "127.0.0.1")
        assert sock.getpeername() == ("127.0.0.1", port)
        sock.close()


@ensureDeferred
async def test_each_failure_is_listed() -> None:
    port = closed_port()
    with pytest.raises(ConnectFailed, match="Connection refused") as failure:
        await connect(reactor, [Target("a.example", port, False, ("127.0.0.1", "127.0.0.2"))])
    assert [where for where, _ in failure.value.attempts] == [f"127.0.0.1:{port}", f"127.0.0.2:{port}"]
    with pytest.raises(ConnectFailed, match="no address"):
        await connect(reactor, [])


@ensureDeferred
async def test_a_silent_address_costs_its_time_and_no_more(deaf: int) -> None:
    begin = time.monotonic()
    with pytest.raises(ConnectFailed, match="timed out"):
        await connect(reactor, [Target("a.example", deaf, False, ("127.0.0.1",))], per_attempt_seconds=0.2)
    assert 0.15 < time.monotonic() - begin < 1
    many = [Target("a.example", deaf, False, ("127.0.0.1",) * 20)]
    with pytest.raises(ConnectFailed, match="time is up"):
        await connect(reactor, many, per_attempt_seconds=0.2, total_seconds=0.3)


@ensureDeferred
async def test_a_cancelled_attempt_closes_its_socket(deaf: int) -> None:
    writers = len(reactor.getWriters())
    attempt = ensure(connect(reactor, [Target("a.example", deaf, False, ("127.0.0.1",))]))
    await rest(0.02)
    assert len(reactor.getWriters()) == writers + 1
    attempt.cancel()
    with pytest.raises(CancelledError):
        await attempt
    assert len(reactor.getWriters()) == writers
