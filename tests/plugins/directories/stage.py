"""What a directory is built with in its tests: a house that notes what it is told."""

import time
from typing import Any

from attrs import define, field
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from gateway.interfaces import Surroundings
from gateway.model.address import Address

ALICE, DAVE = Address.parse("alice@corp.example"), Address.parse("dave@corp.example")


@define
class Configuration:
    """As much of a configuration as a directory looks at."""

    domains: tuple[str, ...] = ("corp.example",)


@define
class Listener:
    """Notes who has changed."""

    changed: list[Address | None] = field(factory=list)

    def directory_changed(self, person: Address | None) -> None:
        """Notes one."""
        self.changed.append(person)


def surroundings(listener: Listener, now: Any = time.time) -> Surroundings:
    """Gives the surroundings of a directory with the real reactor."""
    return Surroundings(listener, Configuration(), reactor, now, None, lambda name: b"")  # type: ignore[arg-type]


async def pause(seconds: float) -> None:
    """Lets the reactor run."""
    await deferLater(reactor, seconds)


async def until(true: Any, seconds: float = 8.0) -> None:
    """Waits until something holds."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        await pause(0.05)


def soon(coroutine: Any) -> "Deferred[Any]":
    """Starts a coroutine."""
    return Deferred.fromCoroutine(coroutine)
