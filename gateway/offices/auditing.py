"""What can be asked of the disclosure ledger of a running gateway; every access is recorded in it first."""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

from gateway.commands.ledger_answers import LedgerEntry, LedgerErased, LedgerExported
from gateway.commands.moments import since as read_since
from gateway.config import Config
from gateway.config.bundle import fingerprint
from gateway.errors import CommandError, LedgerError
from gateway.interfaces import Promise
from gateway.log import Log
from gateway.metrics import Metrics
from gateway.records.ledger import Ledger, LedgerRules
from gateway.store.ledger import LedgerStore, Search, lines, search, sweep

log = Log("ledger")

FILE = "ledger.db"
"""The name of the ledger in the state folder."""
LIMIT = 100
MOST = 10_000
"""Entries that one answer holds at most; an export holds all."""
_Found = TypeVar("_Found")


def opened(config: Config, reactor: Any, metrics: Metrics, now: Callable[[], float]) -> Ledger | None:
    """Opens the ledger if the configuration wants one; raises StoreError."""
    if not config.ledger.on:
        return None
    return Ledger(LedgerStore(config.state / FILE, reactor), rules_of(config), metrics, reactor, now)


def rules_of(config: Config) -> LedgerRules:
    """Gives what a configuration says about keeping entries."""
    return LedgerRules(config.ledger.retention_days, config.ledger.hold_days)


def begun(config: Config, version: str) -> Mapping[str, Any]:
    """Gives what is recorded of a configuration: the gateway's version, and the SHA-256 of the files."""
    return {"gateway": version, "config": fingerprint(config.path)}


def lasting(promise: Promise) -> "Deferred[bool]":
    """Fires when it is known whether an entry is on the disk."""
    known: Deferred[bool] = Deferred()
    promise.then(known.callback)
    return known


class Auditing:
    """Answers the commands about the ledger."""

    def __init__(self, ledger: Ledger | None, folder: Path, reactor: Any, now: Callable[[], float]) -> None:
        self.ledger = ledger
        self._folder = folder
        self._threads = reactor
        self._clock = now

    async def begin_ledger(self, config: Config, version: str) -> None:
        """Records the start; raises LedgerError when that is impossible, for then nothing could leave."""
        if self.ledger is not None and not await lasting(self.ledger.begin(begun(config, version))):
            raise LedgerError(f"the ledger cannot be written: {self.ledger.check()}")

    def reload_ledger(self, config: Config, version: str) -> None:
        """Takes new terms, and records that the configuration is another."""
        if self.ledger is None:
            return
        self.ledger.rules = rules_of(config)
        try:
            self.ledger.begin(begun(config, version))
        except LedgerError as problem:
            # It records that by itself as soon as it is written again; till then nothing is disclosed.
            log.warn("reload not recorded", detail=problem)

    async def ledger_list(
        self, about: str | None, to: str | None, since: str | None, field: str | None, limit: str | None
    ) -> list[LedgerEntry]:
        """Gives the newest entries that fit."""
        most = _limit(limit)
        begin = read_since(since, self._clock()) if since else 0.0
        wanted = Search(about or "", to or "", begin, field or "")
        await self._noted({"command": "list", "since": int(begin), "field": wanted.field, "limit": most}, about, to)
        found = await self._elsewhere(lambda: search(self._folder / FILE, wanted, most))
        return [_shown(entry) for entry in found]

    async def ledger_export(self, about: str | None, file: str | None) -> LedgerExported:
        """Writes the whole ledger to a new file; with a person, all that names others as digests only."""
        made = datetime.fromtimestamp(self._clock(), UTC).strftime("%Y%m%dT%H%M%SZ")
        place = Path(file) if file else self._folder / f"ledger-{made}.jsonl"
        if not place.is_absolute():
            raise CommandError(f"{place}: the daemon writes this file, so name it from the root on")
        await self._noted({"command": "export"}, about, None)
        number = await self._elsewhere(lambda: _write(place, lines(self._folder / FILE, about or "")))
        return {"file": str(place), "entries": number - 2, "about": about or ""}

    async def ledger_erase(self, person: str) -> LedgerErased:
        """Takes the names out of all entries about a person or to a contact, except those that are held."""
        promises, erased, held = self._open().erase(person)
        for promise in promises:
            await _kept(promise)
        await self._elsewhere(lambda: sweep(self._folder / FILE))
        return {"person": person, "erased": erased, "held": held}

    async def _noted(self, told: Mapping[str, Any], about: str | None, to: str | None) -> None:
        await _kept(self._open().access(told, about or "", to or ""))

    def _open(self) -> Ledger:
        if self.ledger is None:
            raise CommandError("no ledger is kept: [ledger] on = true begins one")
        return self.ledger

    def _elsewhere(self, call: Callable[[], _Found]) -> "Deferred[_Found]":
        found: Deferred[_Found] = deferToThreadPool(self._threads, self._threads.getThreadPool(), call)
        return found


async def _kept(promise: Promise) -> None:
    if not await lasting(promise):
        raise LedgerError("the ledger could not be written")


def _limit(text: str | None) -> int:
    if text is None:
        return LIMIT
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= MOST):
        raise CommandError(f"limit is a number from 1 to {MOST}; an export holds all")
    return int(text)


def _write(place: Path, exported: Iterable[Mapping[str, Any]]) -> int:
    try:
        with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            number = 0
            for line in exported:
                file.write(json.dumps(line, sort_keys=True) + "\n")
                number += 1
            file.flush()
            os.fsync(file.fileno())
    except OSError as problem:
        raise CommandError(f"cannot write {place}: {problem.strerror}") from None
    return number


def _shown(entry: Mapping[str, Any]) -> LedgerEntry:
    """Gives an entry as commands show it: the time in posix seconds, what is only about the ledger in `note`."""
    plain = ("seq", "kind", "outcome", "rule", "level", "by", "policy", "partner", "protocol", "what", "size")
    known = {*plain, "at", "seal", "about", "to", "sent", "withheld", "observed"}
    return {
        **{name: entry.get(name, 0 if name == "size" else "") for name in plain},  # type: ignore[typeddict-item]
        "at": entry["at"] / 1000,
        "about": entry["about"] or "",
        "to": entry["to"] or "",
        "sent": entry.get("sent", []),
        "withheld": entry.get("withheld", {}),
        "observed": entry.get("observed", {}),
        "erased": bool(entry["seal"]) and entry["about"] is None,
        "note": {name: value for name, value in entry.items() if name not in known},
    }
