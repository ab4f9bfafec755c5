"""How much one partner may ask of us in a time."""

from collections import OrderedDict
from collections.abc import Callable

from gateway.model.envelope import Envelope
from gateway.model.subscription import Ask, Subscription
from gateway.policy.partners import Partner
from gateway.policy.partners import Rates as Contract


class Bucket:
    """Fills at a rate up to a size; each permit takes one."""

    __slots__ = ("_level", "_rate", "_size", "_then")

    def __init__(self, rate: float, size: float, now: float) -> None:
        self._rate, self._size, self._level, self._then = rate, size, size, now

    def take(self, now: float) -> bool:
        """Takes one permit, or says that none is left; a clock that is set back takes nothing away."""
        level = min(self._size, self._level + max(0.0, now - self._then) * self._rate)
        self._then = now
        if level < 1.0:
            self._level = level
            return False
        self._level = level - 1.0
        return True


MOST_BUCKETS = 16_384
"""Buckets that are kept; discovered partners come and go."""


class Rates:
    """Keeps one bucket for each partner and each kind of traffic that its contract bounds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._buckets: OrderedDict[tuple[str, str], Bucket] = OrderedDict()

    def allow(self, partner: Partner, envelope: Envelope, suspicious: bool = False) -> bool:
        """Says whether a partner, who may be under suspicion, may send one envelope more now."""
        content = envelope.content
        now = self._now()
        asks = isinstance(content, Subscription) and content.ask is Ask.SUBSCRIBE
        if asks and not self._of(partner, "ask").take(now):
            return False
        slowed = suspicious and partner.rates.suspicious_per_second is not None
        return self._of(partner, "slow" if slowed else "").take(now)

    def forget(self) -> None:
        """Starts anew, after the contracts have changed."""
        self._buckets.clear()

    def _of(self, partner: Partner, kind: str) -> Bucket:
        found = self._buckets.get((partner.name, kind))
        if found is None:
            rate, size = _bounds(partner.rates, kind)
            found = self._buckets[(partner.name, kind)] = Bucket(rate, max(1.0, size), self._now())
            if len(self._buckets) > MOST_BUCKETS:
                self._buckets.popitem(last=False)
        return found


def _bounds(rates: Contract, kind: str) -> tuple[float, float]:
    """Gives the rate a second and the size of a bucket."""
    if kind == "ask":
        return rates.subscriptions_per_minute / 60, rates.subscriptions_per_minute
    if kind == "slow" and rates.suspicious_per_second is not None:
        return rates.suspicious_per_second, rates.suspicious_per_second
    return rates.stanzas_per_second, rates.stanzas_per_second * rates.burst_seconds
