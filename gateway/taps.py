"""Hands each envelope and its verdict to every tap."""

from collections.abc import Callable, Iterable

from gateway.errors import GatewayError
from gateway.interfaces import Promise, Tap
from gateway.log import Log
from gateway.metrics import Metrics
from gateway.model.envelope import Envelope, Side
from gateway.policy.verdict import Verdict

log = Log("taps")


class Taps:
    """Is the row of taps; without any, recording costs nothing."""

    def __init__(self, taps: Iterable[Tap] = (), metrics: Metrics | None = None) -> None:
        self._taps = tuple(taps)
        self._metrics = metrics
        self._promised: dict[int, Promise] = {}
        """The newest promise of each required tap: as each keeps its own in order, it covers all before it."""
        self._alone: tuple[Envelope, list[Promise]] | None = None
        """The envelope that was recorded last, and what holds nothing but it."""

    def record(self, received: Envelope, verdict: Verdict) -> bool:
        """Shows one decision to every tap; False when a required tap failed, so that nothing may be delivered."""
        if not self._taps:
            return True
        self._alone = None
        recorded = [self._recorded(tap, received, verdict) for tap in self._taps]
        return all(recorded)

    def add(self, tap: Tap) -> None:
        """Takes one tap more; it sees what comes from now on."""
        self._taps = (*self._taps, tap)

    def remove(self, tap: Tap) -> None:
        """Takes a tap away that is not required."""
        self._taps = tuple(one for one in self._taps if one is not tap)

    @property
    def open(self) -> bool:
        """Says whether something that was recorded, and that holds all that leaves, is not known yet to last."""
        promised = self._promised
        return bool(promised) and any(promise.kept is None for promise in promised.values())

    def hold(self, envelope: Envelope) -> bool:
        """Says whether an envelope that was recorded just now must wait for what a tap has promised."""
        if self._alone is not None and self._alone[0] is envelope:
            return True
        return envelope.side is Side.INTERNAL and self.open

    def when_lasting(self, call: Callable[[bool], None], envelope: Envelope | None = None) -> None:
        """Calls once it is known whether all that was recorded so far lasts: at once when nothing is open.

        With the envelope that was recorded just now, once it is known of all that holds it.
        """
        waiting: list[Promise] = []
        if envelope is None or envelope.side is Side.INTERNAL:
            waiting += [promise for promise in self._promised.values() if promise.kept is None]
        if self._alone is not None and self._alone[0] is envelope:
            waiting += self._alone[1]
        if not waiting:
            call(True)
        elif len(waiting) == 1:
            waiting[0].then(call)
        else:
            _Several(waiting, call).begin()

    def _recorded(self, tap: Tap, received: Envelope, verdict: Verdict) -> bool:
        try:
            given = tap.record(received, verdict)
            if given is None or isinstance(given, Promise):
                if given is not None and tap.required:
                    self._take(tap, received, given)
                return True
            # A coroutine, for example: nobody would wait for it, and nothing would be recorded.
            log.error("tap gave something back", tap=type(tap).__name__)
        except GatewayError as problem:
            # The tap has said so itself, once; here it would be said for each envelope.
            log.debug("tap refuses", tap=type(tap).__name__, detail=problem)
        except Exception:  # noqa: BLE001 a tap is a plugin: whatever it raises must not stop the others
            log.failure("tap failed", tap=type(tap).__name__)
        if self._metrics is not None:
            self._metrics.tap_failures("yes" if tap.required else "no").inc()
        return not tap.required

    def _take(self, tap: Tap, received: Envelope, promise: Promise) -> None:
        if not promise.alone:
            self._promised[id(tap)] = promise
        elif self._alone is None:
            self._alone = received, [promise]
        else:
            self._alone[1].append(promise)


class _Several:
    """Waits for the promises of several taps."""

    def __init__(self, promises: list[Promise], call: Callable[[bool], None]) -> None:
        self._promises = promises
        self._open = len(promises)
        self._call = call

    def begin(self) -> None:
        for promise in self._promises:
            promise.then(self._one)

    def _one(self, kept: bool) -> None:
        self._open -= 1
        if self._open == 0:
            self._call(all(promise.kept for promise in self._promises))
