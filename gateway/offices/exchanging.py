"""Levels that come in from other systems' rules and lists, and go out as rules."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Protocol

from attrs import evolve

from gateway.books.pairs import Pair
from gateway.commands.operations import LevelPlanned, LevelsExported, LevelsImported, RemarkShown
from gateway.errors import AddressError, CommandError
from gateway.house import House
from gateway.model.address import Address
from gateway.model.rule_set import Remark, RuleSet
from gateway.policy.access_level import Assignment, Member, MemberKind, Network, Origin
from gateway.policy.members import Circle, Standing
from gateway.policy.rules_meant import TooMuch, levels_meant, members_of, moments_of
from gateway.policy.rules_written import periods, rules_for, withheld_from
from gateway.protocols.msrtc.container_lists import Listed, read_container_list
from gateway.protocols.pres_rules import Holding, kamailio_rules, read_rules, write_rules
from gateway.protocols.xml_document import DocumentError

PRES_RULES, CONTAINERS, KAMAILIO = "pres-rules", "containers", "kamailio"
_KINDS = {"contact": MemberKind.CONTACT, "domain": MemberKind.DOMAIN, "network": MemberKind.NETWORK}


class Assignments(Protocol):
    """Is where the assignments of people are kept."""

    def of(self, owner: str) -> Iterable[Assignment]:
        """Gives the assignments of one person, or with '' those for everybody."""

    def set(self, assignment: Assignment) -> Awaitable[None]:
        """Makes an assignment."""

    def unset(self, owner: str, member: Member) -> Awaitable[None]:
        """Removes one."""


class Exchanging:
    """Carries out `levels import` and `levels export` (part of the protocol `gateway.commands.Operations`)."""

    def __init__(
        self,
        house: House,
        assignments: Assignments,
        watchers: Callable[[Address], Sequence[Address]],
        tell: Callable[[Sequence[Pair]], object],
        now: Callable[[], float],
    ) -> None:
        """`watchers` gives the contacts that are subscribed to a person, `tell` tells pairs what has changed."""
        self._shown_by = house
        self._entries = assignments
        self._watchers = watchers
        self._tell = tell
        self._posix = now

    async def levels_import(self, owner: str, file: str, format: str | None, dry_run: str | None) -> LevelsImported:
        """Makes a person's entries those that a document means, at once and durably; or says what it would change."""
        person, now = self._own(owner), self._posix()
        try:
            reads = self._of_containers if format == CONTAINERS else self._of_rules
            entries, remarks = reads(person, file.encode(), now)
        except (DocumentError, TooMuch) as problem:
            raise CommandError(f"the document cannot be imported: {problem}") from None
        before = {entry.member: entry for entry in self._entries.of(person)}
        after = {entry.member: entry for entry in entries}
        changed = [member for member in {**before, **after} if not _same(before.get(member), after.get(member))]
        if not dry_run:
            await self._keep(person, changed, after)
        return {
            "owner": str(person),
            "kept": not dry_run,
            "changes": [_planned(member, before.get(member), after.get(member)) for member in changed],
            "remarks": list(map(_shown, remarks)),
        }

    def levels_export(self, owner: str, format: str | None) -> LevelsExported:
        """Gives what counts for a person as a document of rules."""
        person = self._own(owner)
        writes = self._for_kamailio if format == KAMAILIO else self._for_anybody
        document, remarks = writes(person, self._posix())
        return {"owner": str(person), "document": document.decode(), "remarks": remarks}

    async def _keep(self, person: Address, changed: Iterable[Member], after: Mapping[Member, Assignment]) -> None:
        """Puts changes in force together, tells everybody concerned, and waits until they are on disk."""
        kept = [
            self._entries.set(after[member]) if member in after else self._entries.unset(person, member)
            for member in changed
        ]
        self._tell(self._shown_by.pairs.of_person(person))
        for one in kept:
            await one

    # what documents mean

    def _of_rules(self, person: Address, body: bytes, now: float) -> tuple[Iterable[Assignment], Iterable[Remark]]:
        rules = read_rules(body)
        beside = self._counting(person, now, own=False)
        ours = self._shown_by.pairs.rules.domains
        named = {one for one in members_of(rules) if one.value.rpartition("@")[2] not in ours}
        circle = Circle.of({*named, *(entry.member for entry in beside.entries)}, self._network)
        meaning = levels_meant(rules, person, beside, circle, now)
        return meaning.entries, meaning.remarks

    def _of_containers(self, person: Address, body: bytes, now: float) -> tuple[Iterable[Assignment], Iterable[Remark]]:
        found = read_container_list(body)
        entries = {} if found.whole else {entry.member: entry for entry in self._entries.of(person)}
        for one in found.entries:
            member = _member(one)
            if one.added:
                entries[member] = Assignment(str(person), member, one.level, Origin.ADMINISTRATOR, now)
            elif member in entries and entries[member].level == one.level:
                del entries[member]
        return entries.values(), found.remarks

    # what counts, as rules

    def _for_anybody(self, person: Address, now: float) -> tuple[bytes, list[str]]:
        everything = self._counting(person, now, own=True)
        circle = Circle.of((entry.member for entry in everything.entries), self._network)
        written = rules_for(everything, circle, self._moments(everything, now))
        return write_rules(written.rules), list(written.remarks)

    def _for_kamailio(self, person: Address, now: float) -> tuple[bytes, list[str]]:
        """One rule a contact: who has a level by name, and who is subscribed."""
        everything = self._counting(person, now, own=True)
        members = {entry.member for entry in everything.entries}
        named = {Address.parse(one.value) for one in members if one.kind is MemberKind.CONTACT}
        holdings, remarks = [], [_ALL_OR_NOTHING]
        for contact in sorted({*named, *self._watchers(person)}):
            spans = periods(everything, (contact, self._network(contact.domain)), self._moments(everything, now))
            lacking = {name for span in spans for name in withheld_from(span.level)}
            holdings.append(Holding(contact, not lacking))
            if lacking and not all(span.level.name == "blocked" for span in spans):
                levels = ", then ".join(span.level.name for span in spans)
                missing = ", ".join(sorted(name.value for name in lacking))
                remarks.append(f"{contact} ({levels}) is polite-block: his level is without {missing}")
        groups = ", ".join(sorted(str(one) for one in members if one.kind is not MemberKind.CONTACT))
        if groups:
            remarks.append(f"no rule for {groups}: who has no rule of his own is shown nothing")
        return kamailio_rules(holdings), remarks

    def _moments(self, standing: Standing, now: float) -> tuple[float, ...]:
        try:
            return moments_of(RuleSet(), standing.entries, now)
        except TooMuch as problem:
            raise CommandError(str(problem)) from None

    def _counting(self, person: Address, now: float, *, own: bool) -> Standing:
        """Gives what counts for a person, with or without the entries that can be changed."""
        rules = self._shown_by.pairs.rules
        filed = (entry for entry in rules.assignments if entry.owner in ("", person, person.domain))
        entries = (*self._entries.of(""), *filed, *(self._entries.of(person) if own else ()))
        standing = tuple(entry for entry in entries if entry.until is None or now < entry.until)
        return Standing(standing, rules.levels, rules.default_level)

    def _network(self, domain: str) -> Network:
        partner = self._shown_by.pairs.rules.partners.of(domain)
        return partner.network if partner else Network.FEDERATION

    def _own(self, owner: str) -> Address:
        try:
            person = Address.parse(owner).bare
        except AddressError as problem:
            raise CommandError(str(problem)) from None
        ours = self._shown_by.pairs.rules.domains
        if person.domain not in ours or not person.local:
            raise CommandError(f"{owner} is none of our people; ours are at {', '.join(sorted(ours))}")
        return person


_ALL_OR_NOTHING = (
    "each rule shows all or nothing: this form leaves nothing to the server's own filter; whoever is shown all sees "
    "everything that clients publish there, and the gateway builds anew whatever passes through it"
)


def _member(listed: Listed) -> Member:
    kind = _KINDS.get(listed.kind)
    return Member(kind, listed.value) if kind else Member(MemberKind.EVERYONE)


def _same(one: Assignment | None, other: Assignment | None) -> bool:
    """Says whether two entries give the same for the same time; since when and by whom is no matter."""
    if one is None or other is None:
        return one is other
    return evolve(one, since=None, origin=other.origin) == evolve(other, since=None)


def _planned(member: Member, before: Assignment | None, after: Assignment | None) -> LevelPlanned:
    return {
        "contact": str(member),
        "before": before.level if before else None,
        "after": after.level if after else None,
        "until": after.until if after else None,
    }


def _shown(remark: Remark) -> RemarkShown:
    return {"line": remark.line, "rule": remark.rule, "text": remark.text}
