"""What becomes of what the archive holds: legal holds, retention, erasure, and sealing anew."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from attrs import frozen
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.threads import deferToThreadPool

from gateway.commands.archive_answers import ArchiveHeld, ArchivePruned, ArchiveRotated
from gateway.errors import CommandError, GatewayError, LedgerError
from gateway.interfaces import Promise
from gateway.log import Log
from gateway.model.records import RecordKind
from gateway.records.archive import Archive
from gateway.records.archive_files import resealed
from gateway.store.archive import (
    START,
    Due,
    Held,
    Rows,
    emptied,
    emptying,
    expired,
    holding,
    holds,
    naming,
    parties,
    releasing,
    removal,
    stale,
)
from gateway.store.archive_reading import ArchiveSearch, records
from gateway.store.ledger import sweep

log = Log("archive")

PRUNE_SECONDS = 3600.0
RANGES = 500
"""Ranges of records that one record of an erasure names."""
RESEAL_STEP = 500
RESEAL_SECONDS = 30.0
"""How long one command seals again; it goes on with the next one."""
_Found = TypeVar("_Found")


@frozen
class Emptied:
    """Says what an erasure has done."""

    count: int
    held: int


class ArchiveKeeping:
    """Answers the commands about it, and lets retention take its course."""

    def __init__(self, archive: Archive | None, reactor: Any, now: Callable[[], float]) -> None:
        self.archive = archive
        self._archive_threads = reactor
        self._archive_clock = now
        self._archive_prune_at = 0.0
        self._archive_pruning = False

    def _archive_prune_when_due(self) -> None:
        moment = self._archive_threads.seconds()
        if moment >= self._archive_prune_at and not self._archive_pruning:
            self._archive_prune_at = moment + PRUNE_SECONDS
            ensureDeferred(self._archive_prune_in_time())

    async def archive_hold(self, party: str, reason: str) -> list[ArchiveHeld]:
        """Keeps all about a person, a contact or a domain from retention and erasure, until it is released."""
        await self._archive_on_party(RecordKind.HOLD, party, reason, holding(party, self._archive_clock(), reason))
        return await self.archive_holds()

    async def archive_release(self, party: str, reason: str) -> list[ArchiveHeld]:
        """Ends a legal hold."""
        if party not in {each["party"] for each in await self.archive_holds()}:
            raise CommandError(f"{party} is not held")
        await self._archive_on_party(RecordKind.RELEASE, party, reason, releasing(party))
        return await self.archive_holds()

    async def archive_holds(self) -> list[ArchiveHeld]:
        """Lists the legal holds."""
        found: list[Held] = await self._archive_asked(holds)
        return [{"party": each.party, "since": each.since, "reason": each.reason} for each in found]

    async def archive_prune(self) -> ArchivePruned:
        """Empties what is older than its retention, and removes what is empty and old at the beginning."""
        if self._archive_pruning:
            raise CommandError("retention is at work already")
        self._archive_pruning = True
        try:
            return await self._archive_prune()
        finally:
            self._archive_pruning = False

    async def archive_rotate(self) -> ArchiveRotated:
        """Seals texts again with the newest key, step by step, for half a minute at most."""
        archive = self._archive_open()
        newest, after, done, unreadable = archive.keys.newest, 0, 0, 0
        end = self._archive_threads.seconds() + RESEAL_SECONDS
        rows = await self._archive_stale(newest, after)
        while rows and self._archive_threads.seconds() < end:
            after = rows[-1][0]
            changes = await self._archive_elsewhere(partial(_all_resealed, archive, rows))
            known = [change for change in changes if change is not None]
            unreadable += len(changes) - len(known)
            done += len(known)
            await archive.store.write(known)
            rows = await self._archive_stale(newest, after)
        if done:
            await kept(archive.note(RecordKind.ROTATE, {"key": newest, "texts": done}))
        return {"resealed": done, "left": len(rows), "unreadable": unreadable, "key": newest}

    async def archived_of(self, person: str) -> tuple[int, int]:
        """Gives how many records name somebody and could be erased, and how many are held."""
        if self.archive is None:
            return 0, 0
        due: Due = await self._archive_asked(lambda rows: naming(rows, person))
        return due.count, due.held

    async def archived_records(self, person: str) -> list[dict[str, Any]]:
        """Gives all records that name somebody; that is recorded."""
        archive = self.archive
        if archive is None:
            return []
        await self._archive_noted({"command": "users"}, person, None)
        both = (ArchiveSearch(about=person), ArchiveSearch(to=person))
        found = await self._archive_elsewhere(
            lambda: {each["seq"]: each for one in both for each in records(archive.store.place, archive.keys, one)}
        )
        return [found[seq] for seq in sorted(found)]

    async def erase_archived(self, person: str) -> Emptied:
        """Empties all records that name somebody, but for what is held."""
        if self.archive is None:
            return Emptied(0, 0)
        due: Due = await self._archive_asked(lambda rows: naming(rows, person))
        await self._archive_empty(due, "request")
        return Emptied(due.count, due.held)

    async def _archive_prune(self) -> ArchivePruned:
        archive = self._archive_open()
        shortest, longest = archive.rules.days
        latest = archive.since(shortest)
        named = await self._archive_asked(lambda rows: parties(rows, latest))
        cutoffs = {two: moment for two in named if (moment := archive.cutoff(*two)) is not None}
        due: Due = await self._archive_asked(lambda rows: expired(rows, cutoffs, latest))
        await self._archive_empty(due, "retention")
        through = await self._archive_asked(lambda rows: emptied(rows, archive.since(longest)))
        removed = 0
        if through is not None:
            ((first, _),) = await self._archive_asked(lambda rows: list(rows(START)))
            removed = through.seq - first
            told = {"through": through.seq, "link": through.link, "removed": removed}
            await kept(archive.note(RecordKind.PRUNE, told, changes=removal(through)))
        return {"emptied": due.count, "removed": removed, "held": due.held}

    async def _archive_prune_in_time(self) -> None:
        try:
            done = await self.archive_prune()
            if done["emptied"] or done["removed"]:
                log.info("archive pruned", count=done["emptied"])
                self._archive_prune_at = self._archive_threads.seconds() + 1.0
        except GatewayError as problem:
            log.warn("archive not pruned", detail=problem)

    async def _archive_empty(self, due: Due, why: str) -> None:
        archive = self._archive_open()
        for first in range(0, len(due.ranges), RANGES):
            some = due.ranges[first : first + RANGES]
            told = {"entries": [list(each) for each in some], "held": due.held, "why": why}
            await kept(archive.note(RecordKind.ERASE, told, changes=emptying(some)))
        if due.ranges and not archive.store.place.address:
            await self._archive_elsewhere(lambda: sweep(archive.store.place.path))

    async def _archive_on_party(self, kind: RecordKind, party: str, reason: str, changes: Any) -> None:
        if len(reason) > 500:
            raise CommandError("give the reason in 500 characters")
        await kept(self._archive_open().note(kind, {}, party, changes=changes))

    async def _archive_stale(self, newest: str, after: int) -> list[tuple[int, str, bytes]]:
        found: list[tuple[int, str, bytes]] = await self._archive_asked(
            lambda rows: stale(rows, newest, after, RESEAL_STEP)
        )
        return found

    async def _archive_noted(self, told: Mapping[str, Any], about: str | None, to: str | None) -> None:
        await kept(self._archive_open().note(RecordKind.ACCESS, told, about or "", to or ""))

    def _archive_open(self) -> Archive:
        if self.archive is None:
            raise CommandError("nothing is archived: [archive] on = true begins an archive")
        return self.archive

    def _archive_asked(self, call: Callable[[Rows], _Found]) -> "Deferred[_Found]":
        place = self._archive_open().store.place

        def ask() -> _Found:
            with place.reading() as rows:
                return call(rows)

        return self._archive_elsewhere(ask)

    def _archive_elsewhere(self, call: Callable[[], _Found]) -> "Deferred[_Found]":
        threads = self._archive_threads
        found: Deferred[_Found] = deferToThreadPool(threads, threads.getThreadPool(), call)
        return found


def lasting(promise: Promise) -> "Deferred[bool]":
    known: Deferred[bool] = Deferred()
    promise.then(known.callback)
    return known


async def kept(promise: Promise) -> None:
    if not await lasting(promise):
        raise LedgerError("the archive could not be written")


def _all_resealed(archive: Archive, rows: list[tuple[int, str, bytes]]) -> list[Any]:
    return [resealed(archive.keys, *row) for row in rows]
