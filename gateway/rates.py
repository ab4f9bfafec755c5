"""How much one partner may ask of us in a time."""

from collections.abc import Callable

from gateway.model.envelope import Envelope
from gateway.model.subscription import Ask, Subscription
from gateway.policy.partners import Partner


class Bucket:
    """Fills at a rate up to a size; each permit takes one."""

    __slots__ = ("_level", "_rate", "_size", "_then")

    def __init__(self, rate: float, size: float, now: float) -> None:
        self._rate, self._size, self._level, self._then = rate, size, size, now

    def take(self, now: float) -> bool:
        """Takes one permit, or says that none is left."""
        level = min(self._size, self._level + (now - self._then) * self._rate)
        self._then = now
        if level < 1.0:
            self._level = level
            return False
        self._level = level - 1.0
        return True


class Rates:
    """Keeps one bucket for each partner and each kind of traffic that its contract bounds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._buckets: dict[tuple[Partner, str], Bucket] = {}

    def allow(self, partner: Partner, envelope: Envelope) -> bool:
        """Says whether a partner may send one envelope more now."""
        content = envelope.content
        now = self._now()
        asks = isinstance(content, Subscription) and content.ask is Ask.SUBSCRIBE
        if asks and not self._of(partner, "ask").take(now):
            return False
        return self._of(partner, "").take(now)

    def forget(self) -> None:
        """Starts anew, after the contracts have changed."""
        self._buckets.clear()

    def _of(self, partner: Partner, kind: str) -> Bucket:
        found = self._buckets.get((partner, kind))
        if found is None:
            rates = partner.rates
            rate = rates.subscriptions_per_minute / 60 if kind else rates.stanzas_per_second
            size = rates.subscriptions_per_minute if kind else rate * rates.burst_seconds
            found = self._buckets[(partner, kind)] = Bucket(rate, max(1.0, size), self._now())
        return found
