from __future__ import annotations

import errno
import socket

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor

from gateway.transport import listener as listener_module
from gateway.transport.clock import use_monotonic_time
from gateway.transport.listener import Listener
from tests.transport.wires import rest, until


@pytest.fixture
def door():
    """A listener with two places for each address and three in all."""
    accepted: list = []
    refused: list[str] = []
    made = Listener(reactor, "127.0.0.1", 0, lambda sock, peer: accepted.append((sock, peer)), 2, 3, refused.append)
    made.start()
    yield made, accepted, refused
    made.stop()
    for sock, _ in accepted:
        sock.close()


def call(port: int, source: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 2, (source, 0))


@ensureDeferred
async def test_connections_are_bounded_for_each_address_and_in_all(door) -> None:
    listener, accepted, refused = door
    callers = [call(listener.port) for _ in range(3)]
    await until(lambda: len(accepted) == 2 and refused == ["per_address"])
    assert callers[2].recv(1) == b""
    callers += [call(listener.port, "127.0.0.2"), call(listener.port, "127.0.0.3")]
    await until(lambda: refused == ["per_address", "total"])
    assert [peer[0] for _, peer in accepted] == ["127.0.0.1", "127.0.0.1", "127.0.0.2"]
    listener.release("127.0.0.1")
    callers.append(call(listener.port))
    await until(lambda: len(accepted) == 4)
    assert listener.connections == 3
    for caller in callers:
        caller.close()


@ensureDeferred
async def test_a_place_is_given_back_once(door) -> None:
    listener, accepted, _ = door
    with call(listener.port):
        await until(lambda: accepted)
    listener.release("127.0.0.1")
    with pytest.raises(ValueError):
        listener.release("127.0.0.1")


@ensureDeferred
async def test_without_descriptors_it_rests_and_tries_again(door, monkeypatch: pytest.MonkeyPatch) -> None:
    listener, accepted, refused = door
    real = listener._sock
    monkeypatch.setattr(listener_module, "PAUSE_SECONDS", 0.1)

    class Exhausted:
        def accept(self):
            raise OSError(errno.EMFILE, "Too many open files")

        def fileno(self) -> int:
            return real.fileno()

    port = listener.port
    listener._sock = Exhausted()
    with call(port):
        await until(lambda: refused)
        await rest(0.05)
        assert refused == ["descriptors"]
        listener._sock = real
        await until(lambda: accepted)


@ensureDeferred
async def test_a_stopped_listener_refuses() -> None:
    made = Listener(reactor, "127.0.0.1", 0, lambda sock, peer: sock.close())
    made.start()
    port = made.port
    made.stop()
    with pytest.raises(ConnectionRefusedError):
        call(port)


@ensureDeferred
async def test_one_connection_that_fails_does_not_end_the_listening() -> None:
    calls: list[int] = []

    def fail(sock: socket.socket, peer: tuple[str, int]) -> None:
        calls.append(1)
        raise RuntimeError

    made = Listener(reactor, "127.0.0.1", 0, fail)
    made.start()
    with call(made.port), call(made.port):
        await until(lambda: len(calls) == 2)
    assert made.connections == 0
    made.stop()


def test_an_ipv6_owner_counts_as_one() -> None:
    assert listener_module._place("2001:db8:1:2::1") == listener_module._place("2001:db8:1:2:ffff::9")
    assert listener_module._place("2001:db8:1:2::1") != listener_module._place("2001:db8:1:3::1")
    assert listener_module._plain("::ffff:192.0.2.1") == "192.0.2.1"


def test_the_clock_is_monotonic_after_the_switch() -> None:
    import time

    class Bare:
        seconds = staticmethod(time.time)

    bare = Bare()
    use_monotonic_time(bare)
    assert abs(bare.seconds() - time.monotonic()) < 1
