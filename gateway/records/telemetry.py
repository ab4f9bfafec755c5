"""The usage report: versions, hardware, features, counts and times; what it may hold is a closed list.

No address, domain, name of a partner or level, and no text of anybody: labels that the configuration chooses are summed
away, all others come from the closed sets of the metrics table.
"""

import json
import os
import platform
import ssl
from collections.abc import Mapping
from typing import Any

import OpenSSL
import twisted
from attrs import frozen

from gateway import __version__
from gateway.config import Config
from gateway.metrics import Counter, Family, Histogram, Metrics
from gateway.metrics.labels import CONFIGURED

SCHEMA = 1
"""Grows when a report holds something new: then it has to be shown once more before it is sent."""
GIB = 1024**3


@frozen
class Machine:
    """Is what is told of this machine."""

    architecture: str
    cores: int
    memory_gib: int
    system: str

    @classmethod
    def here(cls) -> "Machine":
        """Looks at this machine."""
        try:
            memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        except (ValueError, OSError):
            memory = 0
        system = f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}"
        return cls(platform.machine(), os.cpu_count() or 1, round(memory / GIB), system)


def report(config: Config, metrics: Metrics, machine: Machine, uptime: float) -> bytes:
    """Gives a report to the byte."""
    document = {
        "report": "federated-gateway usage",
        "schema": SCHEMA,
        "uptime_hours": int(uptime // 3600),
        "versions": versions(),
        "machine": {
            "architecture": machine.architecture,
            "cores": machine.cores,
            "memory_gib": machine.memory_gib,
            "system": machine.system,
        },
        "features": features(config),
        "counts": counts(metrics),
        "times": times(metrics),
    }
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=True).encode("ascii") + b"\n"


def versions() -> Mapping[str, str]:
    """Gives the versions of what runs here."""
    return {
        "gateway": __version__,
        "python": platform.python_version(),
        "twisted": twisted.__version__,
        "pyopenssl": OpenSSL.__version__,
        "openssl": ssl.OPENSSL_VERSION,
    }


def features(config: Config) -> Mapping[str, Any]:
    """Says which features the configuration uses: whether, or how many, rounded down."""
    partners = list(config.partners.by_name.values())
    return {
        "inside": config.inside.KIND,
        "partners_xmpp": rounded(sum(partner.via == "xmpp" for partner in partners)),
        "partners_sip": rounded(sum(partner.via == "sip" for partner in partners)),
        "domains": rounded(len(config.domains)),
        "levels": rounded(len(config.levels)),
        "assignments": rounded(len(config.assignments)),
        "settings": rounded(len(config.settings)),
        "walls": rounded(len(config.walls)),
        "directories": sorted({section.KIND for section in config.directories}),
        "bot": config.bot.address is not None,
        "echo": bool(config.echo.name),
        "ledger": config.ledger.on,
        "archive": config.archive.on,
        "history": config.history.server is not None,
        "observe": config.gateway.mode.value == "observe",
        "feedback": bool(config.feedback.named),
        "metrics": config.metrics.listen is not None,
    }


def rounded(number: int) -> int:
    """Rounds down to 0, 1, 2, 5, 10, 20, 50 ...: how many exactly may say who it is."""
    found = 0
    for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10_000, 100_000):
        if number >= step:
            found = step
    return found


def counts(metrics: Metrics) -> Mapping[str, Mapping[str, float]]:
    """Gives every counter that is not nought, by its closed labels; over all partners, domains and levels."""
    found = {}
    for family in metrics.families():
        if family.make is Counter:
            summed: dict[str, float] = {}
            for values, cell in family.cells.items():
                if cell.value:
                    name = _closed(family, values)
                    summed[name] = summed.get(name, 0) + cell.value
            if summed:
                found[family.name] = summed
    return found


def times(metrics: Metrics) -> Mapping[str, Mapping[str, Any]]:
    """Gives every histogram: how many fell below which bound, in the unit of its name."""
    found = {}
    for family in metrics.families():
        if family.make is Histogram:
            summed: dict[str, dict[str, int]] = {}
            for values, cell in family.cells.items():
                bounds = [*map(str, cell.bounds), "more"]
                into = summed.setdefault(_closed(family, values), dict.fromkeys(bounds, 0))
                for bound, number in zip(bounds, cell.counts, strict=True):
                    into[bound] += number
            if summed:
                found[family.name] = summed
    return found


def _closed(family: Family[Any], values: tuple[str, ...]) -> str:
    named = zip(family.labels, values, strict=True)
    return ",".join(f"{label}={value}" for label, value in named if label not in CONFIGURED)
