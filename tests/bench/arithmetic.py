"""The few formulas of the benchmark: percentiles, the cost of a hop from its legs, ratios of repetitions."""

from collections.abc import Mapping, Sequence
from statistics import median

from attrs import frozen

HOP_SIGNS: Mapping[str, int] = {"in": 1, "out": 1, "router": -1, "hop": 1}
"""How each leg enters the cost of S2S in -> S2S out: in and out hold one component half each, the router holds two."""

COMPLETE = ({"in", "out", "router"}, {"hop"})
"""The sets of legs from which a hop follows."""


@frozen
class Summary:
    """Median and minimum of one figure over all repetitions."""

    median: float
    minimum: float


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0..1) of the ascending `ordered` lies; ValueError when it is empty."""
    if not ordered:
        raise ValueError("no samples")
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def hop_cost(legs: Mapping[str, float]) -> float:
    """Return in + out - router, or the hop itself when that was measured (any unit); KeyError on other legs."""
    if set(legs) not in COMPLETE:
        raise KeyError(f"a hop needs in, out and router, or hop alone; got {sorted(legs)}")
    return sum(HOP_SIGNS[leg] * cost for leg, cost in legs.items())


def per_100k(cpu_nanoseconds: int, stanzas: int) -> float:
    """Return CPU seconds per 100,000 stanzas; ValueError when no stanza arrived."""
    if stanzas <= 0:
        raise ValueError("no stanza arrived")
    return cpu_nanoseconds / stanzas / 1e4


def summarize(repetitions: Sequence[Mapping[str, float]]) -> Summary:
    """Return the median of the hop costs, and the hop of the cheapest legs (the quietest phases of the machine)."""
    cheapest = {leg: min(legs[leg] for legs in repetitions) for leg in repetitions[0]}
    return Summary(median(hop_cost(legs) for legs in repetitions), hop_cost(cheapest))


def ratio(ours: Sequence[Mapping[str, float]], theirs: Sequence[Mapping[str, float]]) -> float:
    """Return the median of the ratios within each repetition, so that a slow phase of the machine cancels."""
    return median(hop_cost(a) / hop_cost(b) for a, b in zip(ours, theirs, strict=True))


def others_share(core_busy_seconds: float, own_seconds: float, wall_seconds: float) -> float:
    """Return the share (0..1) of a core that processes other than the measured one used."""
    return max(0.0, (core_busy_seconds - own_seconds) / wall_seconds) if wall_seconds > 0 else 0.0
