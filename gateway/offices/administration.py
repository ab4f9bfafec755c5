"""What an administrator can ask and change on a running gateway; every front end comes here."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from gateway.books.pairs import Pair
from gateway.commands.letters import echo_findings, letter
from gateway.commands.moments import until as read_until
from gateway.commands.operations import (
    Checked,
    LevelChanged,
    LevelEntry,
    LevelShown,
    PartnerListed,
    PartnerShown,
)
from gateway.config import Contract, PartnerRoute
from gateway.errors import AddressError, CommandError
from gateway.house import House
from gateway.interfaces import Leg
from gateway.model.address import Address
from gateway.model.presence import Field
from gateway.model.subscription import State
from gateway.offices.viewing import Viewing, source_of
from gateway.policy.access_level import Assignment, Member, MemberKind, Origin
from gateway.policy.partners import Partner
from gateway.relay import ECHO


class AssignmentStore(Protocol):
    """Is where the assignments of people are kept."""

    def all(self) -> Sequence[Assignment]:
        """Gives every assignment."""

    def of(self, owner: str) -> Sequence[Assignment]:
        """Gives the assignments of one person, or with '' those for everybody."""

    def set(self, assignment: Assignment) -> Awaitable[None]:
        """Makes an assignment."""

    def unset(self, owner: str, member: Member) -> Awaitable[None]:
        """Removes one."""


class Administration(Viewing):
    """Answers the commands that need a running gateway (the protocol `gateway.commands.Operations`)."""

    def __init__(
        self,
        house: House,
        assignments: AssignmentStore,
        legs: Mapping[str, Leg],
        routes: Callable[[], Mapping[str, PartnerRoute]],
        now: Callable[[], float],
        contracts: Callable[[], Mapping[str, Contract]] = dict,
    ) -> None:
        Viewing.__init__(self, house, legs)
        self._routes = routes
        self._contracts = contracts
        self._assignments = assignments
        self._now = now

    def levels_list(self, owner: str | None = None) -> list[LevelEntry]:
        """Lists who has given which level to whom."""
        entries = [*self._assignments.all(), *self._house.pairs.rules.assignments]
        owner = self._owner(owner) if owner else owner
        given = [entry for entry in entries if entry.origin is not Origin.DEFAULT]
        return [_shown(entry) for entry in given if owner is None or entry.owner in (owner, "")]

    def levels_show(self, owner: str, contact: str) -> LevelShown:
        """Says which level a contact has in the eyes of a person, and what gives it."""
        pair = self._pair(owner, contact)
        return {
            "owner": str(pair.person),
            "contact": str(pair.contact),
            "level": pair.facts.level.name,
            "level_source": source_of(pair),
            "fields": [name.value for name in Field if name in pair.permission.fields],
        }

    async def levels_set(
        self,
        owner: str,
        contact: str,
        level: str,
        until: str | None = None,
        lock: str | None = None,
        origin: Origin = Origin.ADMINISTRATOR,
    ) -> LevelChanged:
        """Gives a level, perhaps for a time, tells every contact concerned at once, and answers when it is on disk."""
        if level not in self._levels:
            raise CommandError(f"{level!r} is no level; the levels are {', '.join(sorted(self._levels))}")
        if lock and origin is not Origin.ADMINISTRATOR:
            raise CommandError("only an administrator locks a level")
        self._may_change(self._owner(owner), _member(contact), origin)
        end = read_until(until, self._now()) if until else None
        entry = Assignment(self._owner(owner), _member(contact), level, origin, self._now(), end, bool(lock))
        return await self._change(entry.owner, entry.member, entry, lambda: self._assignments.set(entry))

    async def levels_unset(self, owner: str, contact: str, origin: Origin = Origin.ADMINISTRATOR) -> LevelChanged:
        """Takes a level back, so that the next less specific one counts; tells every contact concerned."""
        who, member = self._owner(owner), _member(contact)
        self._may_change(who, member, origin)
        return await self._change(who, member, None, lambda: self._assignments.unset(who, member))

    def _may_change(self, owner: str, member: Member, origin: Origin) -> None:
        """A person's word about a member does not take the place of one that an administrator has locked."""
        if origin is not Origin.ADMINISTRATOR:
            entry = self._entry(owner, member)
            if entry is not None and entry.locked:
                raise CommandError(f"your administrator has locked the level of {member} at {entry.level}")

    async def _change(
        self, owner: str, member: Member, given: Assignment | None, keep: Callable[[], Awaitable[None]]
    ) -> LevelChanged:
        """Puts a change of levels in force for everybody concerned at once, and waits until it is on disk."""
        before = self._entry(owner, member)
        known = before.level if before else self._standing(owner, member)
        kept = keep()
        self.tell_all(self._house.pairs.of_person(owner) if owner else list(self._house.pairs))
        after = given.level if given else self._standing(owner, member)
        await kept
        changed = _terms(before) != _terms(given)
        return {"owner": owner, "contact": str(member), "level": after, "before": known, "changed": changed}

    def _entry(self, owner: str, member: Member) -> Assignment | None:
        return next((entry for entry in self._assignments.of(owner) if entry.member == member), None)

    def _standing(self, owner: str, member: Member) -> str:
        """Gives the level that counts without an entry of the owner's own for this member."""
        if member.kind is MemberKind.CONTACT and owner:
            return self._house.pairs.of(Address.parse(owner), Address.parse(member.value)).facts.level.name
        return self._house.pairs.rules.default_level

    def tell_all(self, pairs: Sequence[Pair]) -> None:
        """Looks the facts of pairs up again, and tells each contact what that means for him."""
        self._house.facts_changed(pairs)

    def partners_list(self) -> list[PartnerListed]:
        """Lists the partners and the state of their links."""
        return [self._listed(partner) for partner in self._partners.values()]

    def partners_show(self, domain: str) -> PartnerShown:
        """Shows the contract with one partner."""
        partner = self._named(domain)
        route = self._routes()["" if partner.found else partner.name]
        contract = self._contracts().get(partner.name) or Contract(partner=partner.name, file="")
        locks = [lock.field.value for lock in self._house.pairs.rules.locks if lock.binds(partner)]
        return {
            **self._listed(partner),
            "domains": sorted(partner.domains),
            "network": partner.network.value,
            "ceiling": partner.ceiling_name or ", ".join(name.value for name in Field if name in partner.ceiling),
            "modalities": sorted(modality.value for modality in partner.modalities),
            "strangers": partner.strangers.value,
            "locks": sorted(locks),
            "auth": route.ways,
            "route": str(route.route or "dns"),
            "people": sorted(partner.people) if partner.people is not None else ["everybody"],
            "start": partner.start.value,
            "verification": partner.verification.value,
            "ends": contract.ends,
            "contacts": list(contract.contacts),
            "disclosure": sorted(contract.disclosure.by_language),
            "file": contract.file,
        }

    async def partners_test(self, domain: str) -> Checked:
        """Tries to reach a partner, step by step."""
        partner = self._named(domain)
        checks = list(await self._legs[partner.via].test(partner.name))
        echo: Any = self._legs.get(ECHO)
        if echo is not None and not any(each["outcome"] == "fail" for each in checks):
            checks += await echo_findings(echo, partner.name)
        contract = self._contracts().get(partner.name)
        ours = sorted(self._house.pairs.rules.domains)[0]
        text = letter(ours, partner.name, checks, contract.contacts if contract else ())
        return {"subject": partner.name, "checks": checks, "letter": text}

    def links_of(self, partner: Partner) -> list[dict[str, Any]]:
        """Gives the rows of a partner's links."""
        return [link for link in self._legs[partner.via].report().links if link["partner"] == partner.name]

    def _listed(self, partner: Partner) -> PartnerListed:
        links = self.links_of(partner)
        up = next((link for link in links if link["state"] == "up"), None)
        subscribed = [pair for pair in self._house.pairs if pair.facts.partner is partner]
        return {
            "partner": partner.name,
            "via": partner.via,
            "state": "up" if up else links[0]["state"] if links else "idle",
            "since": up["since"] if up else None,
            "tls": f"{up['tls']} {up['method']}".strip() if up else "",
            "subscriptions": sum(pair.facts.subscription is not State.NONE for pair in subscribed),
            "queue": sum(link["queue"] for link in links),
            "text": next((link["problem"] for link in links if link["problem"]), ""),
        }

    @property
    def _partners(self) -> Mapping[str, Partner]:
        return self._house.pairs.rules.partners.by_name

    def _named(self, domain: str) -> Partner:
        try:
            partner = self._house.pairs.rules.partners.of(Address.parse(domain).domain)
        except AddressError as problem:
            raise CommandError(str(problem)) from None
        if partner is None:
            known = ", ".join(sorted(self._partners)) or "none"
            raise CommandError(f"{domain} is no partner; the partners are {known}")
        return partner

    def _owner(self, owner: str) -> str:
        return str(self._pair(owner, "nobody@example.invalid").person) if owner else ""


def _member(text: str) -> Member:
    try:
        return Member.parse(text)
    except AddressError as problem:
        raise CommandError(str(problem)) from None


def _terms(entry: Assignment | None) -> tuple[object, ...] | None:
    """Gives what of an assignment makes a difference to anybody."""
    return None if entry is None else (entry.level, entry.until, entry.locked)


def _shown(entry: Assignment) -> LevelEntry:
    return {
        "owner": entry.owner,
        "contact": str(entry.member),
        "level": entry.level,
        "origin": entry.origin.value,
        "since": entry.since,
        "until": entry.until,
    }
