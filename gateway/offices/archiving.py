"""What can be asked of the archive of a running gateway; every access is recorded in it first."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway import plugin
from gateway.commands.archive_answers import (
    ArchiveExported,
    ArchiveRecord,
    ArchiveStatus,
)
from gateway.commands.moments import since as read_since
from gateway.config import Config
from gateway.errors import CommandError, GatewayError, LedgerError
from gateway.log import Log
from gateway.metrics import Metrics
from gateway.records.archive import Archive, Surroundings, rules_of
from gateway.records.archive_files import exported, shown, span
from gateway.records.archive_keeping import ArchiveKeeping, lasting
from gateway.store.archive import (
    holds,
    keys_in_use,
)
from gateway.store.archive_reading import ArchiveSearch, search
from gateway.store.sealing import Keys

log = Log("archive")

LIMIT = 100
MOST = 10_000
"""Records that one answer holds at most; an export holds all."""


class Archiving(ArchiveKeeping):
    """Answers the commands about the archive, and lets retention take its course."""

    def __init__(self, config: Config, surroundings: Any, metrics: Metrics, around: Surroundings) -> None:
        archive: Archive | None = None
        if config.archive.on:
            archive = plugin.load("taps", "archive")(surroundings)
            archive.attach(around)
        ArchiveKeeping.__init__(self, archive, surroundings.reactor, surroundings.now)
        self._archive_config = config
        self._archive_metrics = metrics
        self._tell_archive()

    async def begin_archive(self, version: str) -> None:
        """Records the start; raises LedgerError when that is impossible and anything is critical."""
        if self.archive is None:
            return
        known = await lasting(self.archive.begin({"gateway": version, **_told(self._archive_config)}))
        if not known and self.archive.rules.critical:
            raise LedgerError(f"the archive cannot be written: {self.archive.check()}")

    def prepare_archive(self, config: Config) -> Callable[[], None]:
        """Reads other rules and keys, or raises StoreError; calling what it gives takes them into use.

        Where the archive is kept stays until the next start.
        """
        archive = self.archive
        if archive is None:
            return lambda: None
        keys = Keys.parse(config.archive.key.text) if config.archive.key is not None else archive.keys

        def take_into_use() -> None:
            self._archive_config = config
            archive.take(rules_of(config), keys)
            self._tell_archive()
            try:
                archive.begin(_told(config))
            except LedgerError as problem:
                log.warn("reload not recorded", detail=problem)

        return take_into_use

    def archive_ready(self) -> Mapping[str, str | None]:
        """Says what must be well for the gateway to be ready: the archive, when it is critical."""
        archive = self.archive
        return {"archive": archive.check()} if archive is not None and archive.rules.critical else {}

    def archive_line(self) -> str:
        """Says in a line whether anything is archived, and whether that works."""
        archive = self.archive
        if archive is None:
            return "off"
        critical = ", critical" if archive.rules.critical else ""
        problem = archive.check()
        return f"on{critical}, healthy, head {archive.head}" if problem is None else f"on{critical}, FAILS: {problem}"

    def tick_archive(self) -> None:
        """Does what time brings; once a second."""
        if self.archive is None:
            return
        self.archive.tick()
        if self.archive.check() is None:
            self._archive_prune_when_due()

    async def archive_status(self) -> ArchiveStatus:
        """Says how the archive is, as far as it can be asked."""
        archive = self.archive
        if archive is None:
            return _OFF
        keys: dict[str, int] = {}
        held = 0
        problem = archive.check() or ""
        try:
            keys, held = await self._archive_asked(lambda rows: (keys_in_use(rows), len(holds(rows))))
        except GatewayError as found:
            problem = problem or str(found)
        return {
            "on": True,
            "place": str(archive.store.place),
            "problem": problem,
            "mode": self._archive_config.archive.mode.value,
            "critical": archive.rules.critical,
            "rules": len(self._archive_config.archive.rule),
            "head": str(archive.head),
            "waiting": archive.journal.waiting,
            "missed": archive.missed,
            "key": archive.keys.newest,
            "keys": keys,
            "holds": held,
        }

    async def archive_search(
        self,
        about: str | None,
        to: str | None,
        since: str | None,
        until: str | None,
        text: str | None,
        kind: str | None,
        conversation: str | None,
        limit: str | None,
    ) -> list[ArchiveRecord]:
        """Gives the newest records that fit, the oldest of them first."""
        most = _number("limit", limit, MOST) if limit else LIMIT
        wanted = self._archive_wanted(about, to, since, until, conversation, text or "", kind or "")
        archive = self._archive_open()
        # What somebody searches for may be as telling as what he finds.
        await self._archive_noted({"command": "search", "limit": most, "text": bool(text), **span(wanted)}, about, to)
        found = await self._archive_elsewhere(lambda: search(archive.store.place, archive.keys, wanted, most))
        return [shown(record) for record in found]

    async def archive_export(
        self,
        format: str | None,
        about: str | None,
        to: str | None,
        since: str | None,
        until: str | None,
        conversation: str | None,
        file: str | None,
    ) -> ArchiveExported:
        """Writes records to a new file; as `jsonl` the whole chain, with digests in place of what is not wanted."""
        form, archive = format or "jsonl", self._archive_open()
        wanted = self._archive_wanted(about, to, since, until, conversation)
        made = datetime.fromtimestamp(self._archive_clock(), UTC).strftime("%Y%m%dT%H%M%SZ")
        place = Path(file) if file else archive.anchors.parent / f"archive-{made}.{form}"
        if not place.is_absolute():
            raise CommandError(f"{place}: the daemon writes this file, so name it from the root on")
        await self._archive_noted({"command": "export", "format": form, **span(wanted)}, about, to)
        number = await self._archive_elsewhere(lambda: exported(archive, form, wanted, place))
        return {"file": str(place), "format": form, "records": number}

    def _archive_wanted(
        self,
        about: str | None,
        to: str | None,
        since: str | None,
        until: str | None,
        conversation: str | None,
        text: str = "",
        kind: str = "",
    ) -> ArchiveSearch:
        now = self._archive_clock()
        return ArchiveSearch(
            about or "",
            to or "",
            read_since(since, now) if since else 0.0,
            read_since(until, now) if until else 0.0,
            text,
            kind,
            _number("conversation", conversation, 2**63 - 1) if conversation else 0,
        )

    def _tell_archive(self) -> None:
        archive = self.archive
        self._archive_metrics.archive_on().set(archive is not None and archive.rules.any)
        self._archive_metrics.archive_critical().set(archive is not None and archive.rules.critical)
        if archive is None:
            self._archive_metrics.archive_up().set(0)


_OFF: ArchiveStatus = {
    "on": False,
    "place": "",
    "problem": "",
    "mode": "none",
    "critical": False,
    "rules": 0,
    "head": "",
    "waiting": 0,
    "missed": 0,
    "key": "",
    "keys": {},
    "holds": 0,
}


def _told(config: Config) -> dict[str, Any]:
    """Gives what is recorded of a configuration."""
    terms = config.archive
    return {"mode": terms.mode.value, "rules": len(terms.rule), "retention": terms.retention_days}


def _number(name: str, text: str, most: int) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= most):
        raise CommandError(f"{name} is a number from 1 to {most}")
    return int(text)
