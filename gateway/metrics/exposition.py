"""Turns the table into what prometheus_client writes for Prometheus."""

import platform
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

import OpenSSL
import twisted
from attrs import frozen
from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from gateway import __version__
from gateway.log import Log
from gateway.metrics.cells import Counter, Family, Gauge, Histogram, Table

log = Log("metrics")


@frozen
class Exposition(Collector):
    """Is the one collector of a table."""

    table: Table

    def collect(self) -> Iterator[Metric]:
        """Gives the current numbers; a gauge that cannot be read now is left out."""
        yield _build()
        for family in self.table.families():
            yield _metric(family)


def registry(table: Table) -> CollectorRegistry:
    """Makes a registry with a table, the numbers of this process, and those of the garbage collector."""
    made = CollectorRegistry()
    made.register(Exposition(table))
    ProcessCollector(registry=made)
    GCCollector(registry=made)
    return made


def _build() -> Metric:
    versions = {
        "version": __version__,
        "python": platform.python_version(),
        "twisted": twisted.__version__,
        "pyopenssl": OpenSSL.__version__,
    }
    metric = GaugeMetricFamily("gateway_build_info", "What runs here; always 1", labels=list(versions))
    metric.add_metric(list(versions.values()), 1)
    return metric


def _metric(family: Family[Any]) -> Metric:
    labels = list(family.labels)
    kind = family.make().__class__
    if kind is Counter:
        counter = CounterMetricFamily(family.name, family.text, labels=labels)
        for values, cell in list(family.cells.items()):
            counter.add_metric(list(values), cell.value)
        return counter
    if kind is Gauge:
        return _gauge(GaugeMetricFamily(family.name, family.text, labels=labels), family)
    if kind is Histogram:
        return _histogram(HistogramMetricFamily(family.name, family.text, labels=labels), family)
    info = InfoMetricFamily(family.name, family.text)
    for cell in family.cells.values():
        info.add_metric([], dict(cell.texts))
    return info


def _gauge(metric: GaugeMetricFamily, family: Family[Gauge]) -> Metric:
    for values, cell in list(family.cells.items()):
        try:
            number = float(cell.value if cell.read is None else cell.read())
        except Exception:  # noqa: BLE001 a reading that fails must not hide all the others
            log.failure("gauge cannot be read")
            continue
        metric.add_metric(list(values), number)
    return metric


def _histogram(metric: HistogramMetricFamily, family: Family[Histogram]) -> Metric:
    for values, cell in list(family.cells.items()):
        ends = [repr(bound) for bound in cell.bounds] + ["+Inf"]
        metric.add_metric(list(values), list(zip(ends, accumulate(cell.counts), strict=True)), cell.sum)
    return metric
