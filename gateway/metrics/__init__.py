"""Numbers that say what the gateway does: counting costs one addition, reading happens when somebody asks."""

from gateway.metrics.cells import Counter, Family, Gauge, Histogram, Info, Row
from gateway.metrics.counting import Metrics
from gateway.metrics.exposition import registry
from gateway.metrics.labels import OTHER

__all__ = ["OTHER", "Counter", "Family", "Gauge", "Histogram", "Info", "Metrics", "Row", "registry"]
