"""What is kept of conversations, and that contacts are told: history, notices, and what can be asked of them."""

from collections.abc import Callable, Mapping
from typing import Any

from gateway import plugin
from gateway.books.pairs import Pair
from gateway.commands.remembered_answers import HistoryChoice, HistoryEntry, HistoryRetried, HistoryStatus
from gateway.config import Config
from gateway.config.archiving import ArchiveTerms
from gateway.errors import CommandError
from gateway.house import House
from gateway.interfaces import HistoryTap, Surroundings
from gateway.model.envelope import Envelope, Side
from gateway.policy.archiving import Mode, terms
from gateway.policy.notices import NOTHING, Keeping, Kept
from gateway.policy.partners import Partner
from gateway.policy.precedence import Effective
from gateway.policy.settings import Feature, keeps
from gateway.policy.walls import Groups
from gateway.records.notices import Notices
from gateway.store.database import Database
from gateway.store.notices import NoticeStore
from gateway.taps import Taps

_ARCHIVED: Mapping[Mode, Kept] = {
    Mode.NONE: NOTHING,
    Mode.ACTIVITY: frozenset({Keeping.ACTIVITY}),
    Mode.CONTENT: frozenset({Keeping.CONTENT}),
}
_HISTORY: Kept = frozenset({Keeping.HISTORY})
MOST_ARCHIVED = 50_000
"""Persons and partners of whom is remembered what is kept of them."""


class Remembering:
    """Opens the history where there is one, and tells contacts of whatever is kept."""

    def __init__(
        self,
        config: Callable[[], Config],
        house: House,
        database: Database,
        taps: Taps,
        surroundings: Surroundings,
    ) -> None:
        self._terms_of = config
        self._remembered_house = house
        self._archive_told: ArchiveTerms | None = None
        self._archived: dict[tuple[str, Groups, str], Kept] = {}
        """What is kept of a person with a partner, under these terms of the archive."""
        self._told_contacts = store = NoticeStore(database)
        metrics, now = surroundings.metrics, surroundings.now
        send = house.relay.pass_on
        house.relay.notices = Notices(
            store, self.kept_between, self._notice_text, send, metrics, now, self.kept_of_anybody
        )
        self.history: HistoryTap | None = None
        self.offered = frozenset[Feature]()
        if config().history.server is not None:
            self.history = history = plugin.load("taps", "history")(surroundings)
            history.attach(self._in_history)
            self.offered = frozenset({Feature.HISTORY})
            taps.add(history)

    def kept_between(self, pair: Pair) -> Kept:
        """Gives how what is said between two is kept."""
        rules, partner = self._remembered_house.pairs.rules, pair.facts.partner
        if partner is None or partner.house or pair.person in rules.apart:
            return NOTHING
        found = self._archived_between(pair.person, rules.groups(pair.person), partner)
        if self.history is not None and self._history_said(pair.person, partner).value:
            found |= _HISTORY
        return found

    def kept_of_anybody(self, pair: Pair) -> Kept:
        """Gives how what a contact says would be kept if nobody had said or ruled anything of the person."""
        rules, partner = self._remembered_house.pairs.rules, pair.facts.partner
        if partner is None:
            return NOTHING
        found = self._archived_between("", frozenset(), partner)
        said = keeps(Feature.HISTORY, rules.settings, {}, frozenset(), partner, "")
        return found | _HISTORY if self.history is not None and said.value else found

    def history_status(self) -> HistoryStatus:
        """Says how the history stands."""
        shown = self.history.shown() if self.history is not None else None
        waiting: list[HistoryEntry] = [
            {
                "owner": each.person,
                "started": each.started,
                "tries": each.tries,
                "problem": each.problem,
                "next": each.due,
            }
            for each in (shown.waiting if shown else ())
        ]
        return {
            "on": shown is not None,
            "folder": self._terms_of().history.folder,
            "open": shown.open if shown else 0,
            "waiting": waiting,
            "problem": (self.history.check() or "") if self.history is not None else "",
        }

    def history_show(self, owner: str) -> HistoryChoice:
        """Says whether the conversations of a person are kept, with partners for whom nothing else is said."""
        said = self._history_said(owner, None)
        waiting = self.history.shown(owner).waiting if self.history is not None else ()
        return {
            "owner": owner,
            "offered": self.history is not None,
            "on": self.history is not None and bool(said.value),
            "set_by": said.layer.name.lower(),
            "locked": said.locked,
            "folder": self._terms_of().history.folder,
            "waiting": len(waiting),
            "problem": next((each.problem for each in waiting if each.problem), ""),
            "told": self._told_contacts.count(owner),
        }

    def history_retry(self, owner: str | None) -> HistoryRetried:
        """Tries at once what waits, of one person or of all."""
        if self.history is None:
            raise CommandError("there is no conversation history: [history] names no server")
        return {"count": self.history.retry(owner or "")}

    async def history_records(self, address: str) -> list[dict[str, Any]]:
        """Gives what the history keeps of somebody, beside what is in mailboxes."""
        return self.history.records(address) if self.history is not None else []

    async def history_erase(self, address: str) -> tuple[int, str]:
        """Forgets it."""
        return (await self.history.erase(address), "") if self.history is not None else (0, "")

    async def notice_records(self, address: str) -> list[dict[str, Any]]:
        """Gives which contacts were told what about whom, where somebody is one of the two."""
        return [
            {"person": person, "contact": contact, "kept": sorted(each.value for each in kept)}
            for person, contact, kept in self._told_contacts.about(address)
        ]

    async def notice_erase(self, address: str) -> tuple[int, str]:
        """Forgets it: the contact is told again when something more is kept."""
        found = self._told_contacts.about(address)
        for person, contact, _ in found:
            await self._told_contacts.tell(person, contact, NOTHING, 0.0)
        return len(found), ""

    def tick_history(self) -> None:
        """Does what time brings; once a second."""
        if self.history is not None:
            self.history.tick()

    async def end_history(self) -> None:
        """Lets the history go."""
        if self.history is not None:
            await self.history.close()

    def history_ready(self) -> Mapping[str, str | None]:
        """Says whether the history can be written."""
        return {"history": self.history.check()} if self.history is not None else {}

    def _in_history(self, envelope: Envelope) -> bool:
        return Keeping.HISTORY in self.kept_between(self._remembered_house.relay.pair_of(envelope))

    def _history_said(self, person: str, partner: Partner | None) -> Effective:
        rules = self._remembered_house.pairs.rules
        own = rules.own_settings(person)
        return keeps(Feature.HISTORY, rules.settings, own, rules.groups(person), partner, person)

    def _archived_between(self, person: str, groups: Groups, partner: Partner) -> Kept:
        told = self._terms_of().archive
        if told is not self._archive_told or len(self._archived) >= MOST_ARCHIVED:
            self._archive_told, self._archived = told, {}
        key = person, groups, partner.name
        found = self._archived.get(key)
        if found is None:
            rules, found = told.rules, NOTHING
            for side in Side if rules else ():
                found |= _ARCHIVED[terms(rules, person, groups, partner, side).mode]
            self._archived[key] = found
        return found

    def _notice_text(self, partner: Partner) -> Mapping[str, str]:
        config = self._terms_of()
        contract = config.contracts.get(partner.name)
        own = contract.disclosure.by_language if contract is not None else {}
        return own or config.notice.text.by_language
