"""What a case is: its configuration, its acts, and how long it goes on."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from attrs import field, frozen

from tests.faults.checker import Terms as Promises
from tests.faults.gateway_process import Terms
from tests.faults.world import World


@frozen
class Form:
    """How much of everything: the short form for each change, the long one before a release."""

    seconds: float
    """How long what has no number goes on."""
    times: int
    """How often what can be counted happens."""
    kills: int
    long: bool
    messages: float = 200.0
    presence: float = 500.0
    levels: float = 5.0


QUICK = Form(seconds=2.0, times=1, kills=5, long=False, messages=60.0, presence=150.0, levels=3.0)
"""For each change, on any machine: one of each, and less load."""
SHORT = Form(seconds=5.0, times=3, kills=8, long=False)
LONG = Form(seconds=60.0, times=20, kills=1000, long=True)


def usual(_folder: Path) -> Terms:
    """Gives the configuration of a case that needs none of its own."""
    return Terms()


@frozen
class Case:
    """One fault with a name, e.g. F1."""

    name: str
    title: str
    act: Callable[[World, Form], Awaitable[None]]
    terms: Callable[[Path], Terms] = usual
    promises: Promises = field(factory=Promises)
    programs: tuple[str, ...] = ()
    """What it needs from Debian."""
