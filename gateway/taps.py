"""Hands each envelope and its verdict to every tap."""

from collections.abc import Iterable

from gateway.interfaces import Tap
from gateway.log import Log
from gateway.metrics import Metrics
from gateway.model.envelope import Envelope
from gateway.policy.verdict import Verdict

log = Log("taps")


class Taps:
    """Is the row of taps; without any, recording costs nothing."""

    def __init__(self, taps: Iterable[Tap] = (), metrics: Metrics | None = None) -> None:
        self._taps = tuple(taps)
        self._metrics = metrics

    def record(self, received: Envelope, verdict: Verdict) -> bool:
        """Shows one decision to every tap; False when a required tap failed, so that nothing may be delivered."""
        if not self._taps:
            return True
        recorded = [self._recorded(tap, received, verdict) for tap in self._taps]
        return all(recorded)

    def _recorded(self, tap: Tap, received: Envelope, verdict: Verdict) -> bool:
        try:
            if tap.record(received, verdict) is None:  # type: ignore[func-returns-value]
                return True
            # A coroutine, for example: nobody would wait for it, and nothing would be recorded.
            log.error("tap gave something back", tap=type(tap).__name__)
        except Exception:  # noqa: BLE001 a tap is a plugin: whatever it raises must not stop the others
            log.failure("tap failed", tap=type(tap).__name__)
        if self._metrics is not None:
            self._metrics.tap_failures("yes" if tap.required else "no").inc()
        return not tap.required
