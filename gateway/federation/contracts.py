"""What each partner has shown on its connections: the contract is checked each time, and a change of it is noticed."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gateway.interfaces import Meeting
from gateway.log import Log
from gateway.metrics import Metrics

log = Log("contracts")

MOST_KNOWN = 8
"""Values of one kind that are remembered of a partner: a cluster has several keys."""
LOOKED_AT = ("method", "key", "issuer", "tls")


class Contracts:
    """Remembers over restarts how partners have proven themselves, and raises an alarm when one does otherwise."""

    def __init__(self, path: Path, metrics: Metrics) -> None:
        self._path = path
        self._metrics = metrics
        self._known: dict[str, dict[str, list[str]]] = _read(path)

    def met(self, meeting: Meeting, partner: str) -> list[str]:
        """Compares a connection with those before, and gives what is new; the first one of its kind is believed.

        Nothing is refused here: what a contract demands, the leg has checked already.
        """
        place = f"{meeting.leg} {meeting.direction}"
        known = self._known.setdefault(partner, {})
        first = not any(name.startswith(f"{place} ") for name in known)
        changed = [what for what in LOOKED_AT if self._is_new(known, f"{place} {what}", getattr(meeting, what))]
        if not changed:
            return []
        self._write()
        if first:
            return []
        for what in changed:
            self._metrics.drift(partner, what).inc()
            log.warn("contract drift", partner=partner, kind=what, direction=meeting.direction, peer=meeting.remote)
        return changed

    def keep_only(self, partners: Iterable[str]) -> None:
        """Forgets whoever is no partner any more."""
        standing = set(partners)
        gone = [name for name in self._known if name not in standing]
        for name in gone:
            del self._known[name]
        if gone:
            self._write()

    def _is_new(self, known: dict[str, list[str]], name: str, value: str) -> bool:
        values = known.setdefault(name, [])
        if not value or value in values:
            return False
        values.append(value)
        del values[:-MOST_KNOWN]
        return True

    def _write(self) -> None:
        """Writes all of it beside, and puts it in place whole; without a disk the alarm works until the next start."""
        fresh = self._path.with_suffix(".new")
        try:
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(self._known, file, indent=1, sort_keys=True)
            fresh.replace(self._path)
        except OSError:
            log.failure("contracts not kept")


def _read(path: Path) -> dict[str, dict[str, list[str]]]:
    try:
        plain: Any = json.loads(path.read_text(encoding="utf-8"))
        return {
            str(partner): {str(name): [str(value) for value in values] for name, values in shown.items()}
            for partner, shown in plain.items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, TypeError):
        log.warn("contracts not restored")
        return {}
