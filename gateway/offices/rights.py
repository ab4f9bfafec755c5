"""What is kept of somebody, one of our people or a contact: shown, written out, erased, place by place."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import frozen
from twisted.internet.threads import deferToThreadPool

from gateway.commands.archive_answers import UserKept, UserReport
from gateway.errors import CommandError
from gateway.house import House
from gateway.model.address import Address
from gateway.model.envelope import Envelope, Side
from gateway.model.publication import Origin
from gateway.model.subscription import Ask, State, Subscription
from gateway.offices.auditing import FILE as LEDGER_FILE
from gateway.offices.auditing import Auditing
from gateway.offices.choices import OWN
from gateway.offices.spooling import Spooled
from gateway.policy.access_level import Assignment
from gateway.queues.keeping import NAME as SPOOL_FILE
from gateway.queues.spool import Spool
from gateway.records.archive_files import written
from gateway.records.archive_keeping import ArchiveKeeping, kept
from gateway.store.contacts import AssignmentStore
from gateway.store.ledger import Search, search
from gateway.store.publications import OwnWords
from gateway.store.subscriptions import SubscriptionStore

MOST_ENTRIES = 1_000_000
"""Entries of the ledger that are counted or written out."""


@frozen
class Kept:
    """Is a place in which something is kept of people; another part of the gateway may add its own.

    `records` gives all of somebody as plain values; `erase` gives how many of them are gone, and in words why others
    stay, or ''.
    """

    name: str
    records: Callable[[str], Awaitable[Sequence[Mapping[str, Any]]]]
    erase: Callable[[str], Awaitable[tuple[int, str]]]


@frozen
class Stores:
    """Is what the daemon keeps of people in its own database."""

    assignments: AssignmentStore
    words: OwnWords
    subscriptions: SubscriptionStore
    spool: Spool


class Rights:
    """Answers the commands about all that is kept of somebody."""

    def __init__(
        self, house: House, stores: Stores, parts: "tuple[Auditing, ArchiveKeeping]", folder: Path, threads: Any
    ) -> None:
        self._kept_everybody = house
        self._kept_stores = stores
        self._kept_auditing, self._kept_archiving = parts
        self._rights_folder = folder
        self._rights_threads = threads
        waiting = Spooled(stores.spool, folder / SPOOL_FILE, house.undeliverable, threads)
        self.kept_places: list[Kept] = [
            # First who is told, then what he is told: without his level a contact could see more for a moment.
            Kept("subscriptions", self._kept_subscribed, self._kept_erase_subscriptions),
            Kept("levels", self._kept_levels, self._kept_erase_levels),
            Kept("publications", self._kept_publications, self._kept_erase_publications),
            Kept("settings", self._kept_settings, self._kept_erase_settings),
            Kept("ledger", self._kept_ledger, self._kept_erase_ledger),
            Kept("archive", self._kept_archived, self._kept_erase_archived),
            Kept("spool", waiting.records, waiting.erase),
        ]

    async def users_show(self, address: str) -> UserReport:
        """Says how much is kept of somebody, place by place."""
        places = [_place(each.name, len(await each.records(address))) for each in self.kept_places]
        return {"address": address, "places": places, "file": ""}

    async def users_export(self, address: str, file: str | None) -> UserReport:
        """Writes all that is kept of somebody to a new file, as JSON."""
        made = datetime.fromtimestamp(self._kept_everybody.pairs.now(), UTC).strftime("%Y%m%dT%H%M%SZ")
        place = Path(file) if file else self._rights_folder / f"user-{made}.json"
        if not place.is_absolute():
            raise CommandError(f"{place}: the daemon writes this file, so name it from the root on")
        found = {each.name: list(await each.records(address)) for each in self.kept_places}
        text = json.dumps({"address": address, "made": made, **found}, indent=1, sort_keys=True, default=str)
        await self._kept_in_thread(lambda: written(place, [text.encode("utf-8"), b"\n"]))
        places = [_place(name, len(records)) for name, records in found.items()]
        return {"address": address, "places": places, "file": str(place)}

    async def users_erase(self, address: str) -> UserReport:
        """Erases what is kept of somebody; says what stays, and why.

        Contacts are told at once what that takes away from them.
        """
        places: list[UserKept] = []
        for each in self.kept_places:
            before = len(await each.records(address))
            erased, stays = await each.erase(address)
            places.append({"place": each.name, "count": before, "erased": erased, "stays": stays})
        return {"address": address, "places": places, "file": ""}

    # -- levels, publications, settings, subscriptions ---------------------------------------------------------------

    def _kept_assignments(self, address: str) -> list[Assignment]:
        return [
            entry
            for entry in self._kept_stores.assignments.all()
            if entry.owner == address or entry.member.value == address
        ]

    async def _kept_levels(self, address: str) -> list[dict[str, Any]]:
        return [
            {
                "owner": entry.owner,
                "contact": str(entry.member),
                "level": entry.level,
                "origin": entry.origin.value,
                "since": entry.since,
                "until": entry.until,
            }
            for entry in self._kept_assignments(address)
        ]

    async def _kept_erase_levels(self, address: str) -> tuple[int, str]:
        found = self._kept_assignments(address)
        owners = {entry.owner for entry in found}
        for entry in found:
            await self._kept_stores.assignments.unset(entry.owner, entry.member)
        self._kept_changed(*owners)
        return len(found), ""

    async def _kept_publications(self, address: str) -> list[dict[str, Any]]:
        said = self._kept_stores.words.published(address)
        return [{"field": name.value, "value": each.value, "since": each.since} for name, each in said.items()]

    async def _kept_erase_publications(self, address: str) -> tuple[int, str]:
        names = list(self._kept_stores.words.published(address))
        for name in names:
            await self._kept_stores.words.publish(address, name, None, 0.0)
        self._kept_everybody.presence.say(address, OWN, Origin.PERSON, dict.fromkeys(names))
        return len(names), ""

    async def _kept_settings(self, address: str) -> list[dict[str, Any]]:
        return [{"subject": about.value, "on": on} for about, on in self._kept_stores.words.settings(address).items()]

    async def _kept_erase_settings(self, address: str) -> tuple[int, str]:
        subjects = list(self._kept_stores.words.settings(address))
        for about in subjects:
            await self._kept_stores.words.switch(address, about, None, 0.0)
        self._kept_changed(address)
        return len(subjects), ""

    def _kept_pairs(self, address: str) -> list[tuple[Address, Address, State]]:
        return [each for each in self._kept_stores.subscriptions.all() if address in (each[0], each[1])]

    async def _kept_subscribed(self, address: str) -> list[dict[str, Any]]:
        return [
            {"person": str(person), "contact": str(contact), "state": state.value}
            for person, contact, state in self._kept_pairs(address)
        ]

    async def _kept_erase_subscriptions(self, address: str) -> tuple[int, str]:
        found = self._kept_pairs(address)
        for person, contact, state in found:
            self._kept_ended(person, contact, state)
            written_down = self._kept_stores.subscriptions.set(person, contact, State.NONE)
            if written_down is not None:
                await written_down
        self._kept_changed(*{str(person) for person, _, _ in found})
        return len(found), ""

    def _kept_ended(self, person: Address, contact: Address, state: State) -> None:
        """Tells the contact, as if the person had ended it: else he would go on believing what he was told last."""
        asks = [Ask.UNSUBSCRIBED] * (state.contact_watches or state.request_waits)
        asks += [Ask.UNSUBSCRIBE] * (state.person_watches or state.answer_waits)
        for each in asks:
            self._kept_everybody.receive(Envelope(person, contact, Subscription(each), Side.INTERNAL))

    def _kept_changed(self, *people: str) -> None:
        """Looks up again what counts for some of our people, and tells their contacts."""
        pairs = [pair for person in people if person for pair in self._kept_everybody.pairs.of_person(person)]
        if "" in people:
            pairs = list(self._kept_everybody.pairs)
        if pairs:
            self._kept_everybody.facts_changed(pairs)

    # -- ledger and archive ------------------------------------------------------------------------------------------

    async def _kept_ledger(self, address: str) -> list[dict[str, Any]]:
        if self._kept_auditing.ledger is None:
            return []
        await kept(self._kept_auditing.ledger.access({"command": "users"}, address))
        path = self._rights_folder / LEDGER_FILE

        def both() -> list[dict[str, Any]]:
            wanted = (Search(about=address), Search(to=address))
            found = {entry["seq"]: entry for one in wanted for entry in search(path, one, MOST_ENTRIES)}
            return [found[seq] for seq in sorted(found)]

        found: list[dict[str, Any]] = await self._kept_in_thread(both)
        return found

    async def _kept_erase_ledger(self, address: str) -> tuple[int, str]:
        if self._kept_auditing.ledger is None:
            return 0, ""
        done = await self._kept_auditing.ledger_erase(address)
        return done["erased"], f"{done['held']} younger than hold_days" if done["held"] else ""

    async def _kept_archived(self, address: str) -> list[dict[str, Any]]:
        return await self._kept_archiving.archived_records(address)

    async def _kept_erase_archived(self, address: str) -> tuple[int, str]:
        done = await self._kept_archiving.erase_archived(address)
        return done.count, f"{done.held} under a legal hold" if done.held else ""

    def _kept_in_thread(self, call: Callable[[], Any]) -> Any:
        return deferToThreadPool(self._rights_threads, self._rights_threads.getThreadPool(), call)


def _place(name: str, count: int) -> UserKept:
    return {"place": name, "count": count, "erased": 0, "stays": ""}
