"""Turns measured legs into the tables that the benchmark prints."""

from collections.abc import Sequence
from statistics import median

from attrs import frozen

from tests.bench.arithmetic import COMPLETE, ratio, summarize
from tests.bench.generator import Measurement

TARGETS = {"ejabberd": 1.0, "prosody": 1 / 3}
"""The gateway's cost is at most this share of a plain server's, in every cell."""


@frozen
class Row:
    """One measured leg."""

    system: str
    cell: str
    rate: float | None
    repetition: int
    leg: str
    figures: Measurement


def offered(rate: float | None) -> str:
    """Return the offered load in words."""
    return "saturation" if rate is None else f"{rate:g}/s"


def progress(row: Row) -> str:
    """Return one line on a leg that has just been measured."""
    figures = row.figures
    return (
        f"#{row.repetition} {offered(row.rate):>10} {row.cell:<12} {row.system:<12}{row.leg:<7}"
        f"{figures.cpu_seconds_per_100k:7.2f} s/100k {figures.stanzas_per_second:8.0f}/s "
        f"p50 {figures.p50_ms:7.2f} p99 {figures.p99_ms:7.2f} ms  busy {figures.utilization:4.0%} "
        f"generator {figures.generator_seconds_per_100k * figures.stanzas_per_second / 1e5:4.0%} "
        f"others {figures.others_on_core:4.0%} errors {figures.errors}"
    )


def _legs(rows: Sequence[Row], system: str) -> dict[int, dict[str, float]]:
    """Return the costs of the legs of every repetition in which none of them failed."""
    repetitions: dict[int, dict[str, float]] = {}
    for row in rows:
        if row.system == system:
            repetitions.setdefault(row.repetition, {})[row.leg] = row.figures.cpu_seconds_per_100k
    return {number: legs for number, legs in repetitions.items() if set(legs) in COMPLETE}


def _latency(rows: Sequence[Row], system: str) -> str:
    parts = []
    for leg in ("hop", "in", "out", "router"):
        chosen = [row.figures for row in rows if row.system == system and row.leg == leg]
        if chosen:
            p50, p99 = median(f.p50_ms for f in chosen), median(f.p99_ms for f in chosen)
            parts.append(f"{leg} {p50:.2f}/{p99:.2f}")
    return "  ".join(parts)


def _verdict(system: str, share: float) -> str:
    target = TARGETS.get(system)
    return "" if target is None else f" ({'ok' if share <= target else 'MISSED'}, target {target:.2f})"


def _lines(rows: Sequence[Row], systems: Sequence[str]) -> list[str]:
    lines = []
    ours = _legs(rows, "gateway")
    for system in systems:
        legs = _legs(rows, system)
        if not legs:
            lines.append(f"  {system:<12} not measured")
            continue
        cost = summarize(list(legs.values()))
        line = f"  {system:<12} {cost.median:7.2f} (min {cost.minimum:6.2f}) CPU s/100k   "
        line += f"p50/p99 ms: {_latency(rows, system)}"
        both = sorted(ours.keys() & legs.keys())
        if both and system != "gateway":
            share = ratio([ours[number] for number in both], [legs[number] for number in both])
            line += f"   gateway/{system} {share:.2f}{_verdict(system, share)}"
        lines.append(line)
    return lines


def tables(rows: Sequence[Row]) -> str:
    """Return one block per cell and load: cost of the hop, latency of its legs, ratios with their targets."""
    systems = list(dict.fromkeys(row.system for row in rows))
    blocks = []
    for cell, rate in dict.fromkeys((row.cell, row.rate) for row in rows):
        chosen = [row for row in rows if row.cell == cell and row.rate == rate]
        others = median(row.figures.others_on_core for row in chosen)
        blocks.append(f"{cell} at {offered(rate)}   (other processes on the server's core: {others:.0%})")
        blocks += _lines(chosen, systems)
    return "\n".join(blocks)
