"""The skeleton of a plugin does what the house expects of any."""

import asyncio
from types import SimpleNamespace
from typing import Any

from gateway.interfaces import Leg, Tap
from gateway.model.address import Address
from gateway.model.envelope import Envelope, Problem, Side
from gateway.model.message import Message
from gateway.policy.verdict import Decision, Reason, Verdict
from gateway.taps import Taps
from plugins.skeleton import RefusalCount, build

ALICE, BOB = Address.parse("alice@corp.example"), Address.parse("bob@partner.example")
SAID = Envelope(ALICE, BOB, Message(bodies=(("", "hello"),)), Side.INTERNAL)


def _leg() -> tuple[Any, list[tuple[Envelope, Problem]]]:
    returned: list[tuple[Envelope, Problem]] = []
    house = SimpleNamespace(undeliverable=lambda envelope, problem: returned.append((envelope, problem)))
    surroundings: Any = SimpleNamespace(house=house)
    return build(surroundings), returned


def test_the_skeleton_has_every_method_of_a_leg() -> None:
    leg, _ = _leg()
    wanted = {name for name in vars(Leg) if not name.startswith("_")} | {"name"}
    assert {name for name in wanted if not hasattr(leg, name)} == set()


def test_what_it_cannot_deliver_comes_back() -> None:
    leg, returned = _leg()
    assert leg.deliver(SAID) is False
    assert returned == [(SAID, Problem.REMOTE_SERVER_NOT_FOUND)]


def test_it_is_not_ready_and_says_why() -> None:
    leg, _ = _leg()
    assert leg.report().problem
    (row,) = asyncio.run(leg.test("partner.example"))
    assert row["outcome"] == "fail"


def test_the_tap_counts_refusals_only() -> None:
    tap: Tap = RefusalCount()
    taps = Taps([tap])
    assert taps.record(SAID, Verdict(Decision.DELIVER, Reason.ALLOWED, "team", SAID.content))
    assert taps.record(SAID, Verdict(Decision.REFUSE, Reason.BLOCKED, "blocked"))
    assert getattr(tap, "refused", None) == 1
