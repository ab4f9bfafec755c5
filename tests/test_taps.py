"""Taps: each sees every decision, and a required one that does not record stops the delivery."""

from typing import Any

import pytest
from attrs import define, field

from gateway.metrics import Metrics
from gateway.model.envelope import Envelope, Side
from gateway.model.message import Message
from gateway.policy.verdict import Decision, Reason, Verdict
from gateway.taps import Taps
from tests.stage import ALICE, BOB

ENVELOPE = Envelope(ALICE, BOB, Message(), Side.INTERNAL)
VERDICT = Verdict(Decision.DELIVER, Reason.ALLOWED, "public", Message())


@define
class Tap:
    """Records, raises or gives something back."""

    required: bool = True
    fault: Any = None
    gives: Any = None
    seen: list[tuple[Envelope, Verdict]] = field(factory=list)

    def record(self, received: Envelope, verdict: Verdict) -> Any:
        self.seen.append((received, verdict))
        if self.fault is not None:
            raise self.fault
        return self.gives


def test_without_taps_everything_is_recorded() -> None:
    assert Taps().record(ENVELOPE, VERDICT)


@pytest.mark.parametrize(("required", "goes_on"), [(True, False), (False, True)])
@pytest.mark.parametrize("fault", [OSError("full"), RuntimeError("defect")])
def test_only_a_required_tap_stops_and_all_see_all(required: bool, goes_on: bool, fault: Exception) -> None:
    first, last, metrics = Tap(required, fault), Tap(), Metrics()
    assert Taps([first, last], metrics).record(ENVELOPE, VERDICT) is goes_on
    assert first.seen == last.seen == [(ENVELOPE, VERDICT)]
    assert metrics.tap_failures("yes" if required else "no").value == 1


def test_a_tap_that_only_promises_to_record_has_not_recorded() -> None:
    """As when a plugin's `record` is a coroutine: nobody would ever run it."""
    assert not Taps([Tap(gives=object())]).record(ENVELOPE, VERDICT)
    assert Taps([Tap(required=False, gives=object())]).record(ENVELOPE, VERDICT)
