"""Whether a policy guarantees what an administrator asserts, whatever people decide within it.

What shall never be seen must be impossible at every level that a person may give and with every switch that a person
may turn on. What shall be seen must be seen by everybody meant. Where it is not known in which groups somebody is, what
is worse for the assertion counts.
"""

from collections.abc import Callable, Iterable, Mapping

from attrs import field, frozen

from gateway.model.address import Address
from gateway.model.presence import Field
from gateway.model.subscription import State
from gateway.policy.access_level import (
    BLOCKED,
    CUSTOM_RANK,
    AccessLevel,
    Assignment,
    Member,
    MemberKind,
    Network,
    resolve,
)
from gateway.policy.assertions import Assertion, Mark, Who
from gateway.policy.authorization import Facts, permission
from gateway.policy.comparison import traffic
from gateway.policy.observing import unbound
from gateway.policy.partners import Lock, Modality, Partner, Partners
from gateway.policy.settings import OwnSettings, Rule, refused
from gateway.policy.verdict import Reason
from gateway.policy.walls import EVERYBODY, Right, Wall, within

SOMEBODY = "somebody-else"
ANYWHERE = "anywhere.invalid"


@frozen
class Ground:
    """Is a policy, and what is known of people beside it."""

    partners: Partners
    levels: Mapping[str, AccessLevel]
    default: str
    domains: frozenset[str]
    locks: tuple[Lock, ...] = ()
    entries: tuple[Assignment, ...] = ()
    right: Right = EVERYBODY
    walls: tuple[Wall, ...] = ()
    settings: tuple[Rule, ...] = ()
    own: Callable[[str], OwnSettings] = lambda person: {}
    members: Mapping[str, frozenset[str]] = field(factory=dict)
    """By group: the bare addresses that are known to be in it."""
    open: bool = False
    """Whether anybody may be in further groups, because directories say so."""
    observing: bool = False
    apart: frozenset[str] = frozenset()
    """Addresses of ours that are no people."""
    now: float = 0.0
    """Posix seconds at which ends of levels are looked at."""


@frozen
class Insider:
    """Is one person, or somebody who stands for others: the groups he is in, and those in which he may be."""

    address: Address
    certain: frozenset[str]
    possible: frozenset[str]

    @property
    def called(self) -> str:
        """Gives his name, or what he stands for."""
        if self.address.local != SOMEBODY:
            return str(self.address)
        groups = f" in group {', '.join(sorted(self.certain))}" if self.certain else ""
        return f"somebody at {self.address.domain}{groups}"


def unmet(assertion: Assertion, ground: Ground) -> str | None:
    """Says why an assertion is not guaranteed, with one example; None when it is.

    Raises ValueError when it makes no sense: it names a group, level or person of ours that is none.
    """
    contacts, people = _contacts(assertion.contact, ground), _people(assertion.person, ground)
    if assertion.level and assertion.level not in ground.levels:
        raise ValueError(f"{assertion.level!r} is no level; the levels are {', '.join(sorted(ground.levels))}")
    for person in people:
        for contact in contacts:
            found = (_possible if assertion.never else _missing)(assertion, ground, person, contact)
            if found is not None:
                return found
    return None


def _possible(assertion: Assertion, ground: Ground, person: Insider, contact: Address) -> str | None:
    facts = _most(ground, person, contact)
    who = f"{_named(contact)} and {person.called}"
    if not assertion.fields:
        return f"{who} may exchange {assertion.traffic.value}" if assertion.traffic in traffic(facts) else None
    seen = [name for name in Field if name in assertion.fields and name in _visible(facts)]
    if not seen:
        return None
    at = [name for name, level in ground.levels.items() if name != BLOCKED and seen[0] in level.fields]
    why = "the gateway only observes" if ground.observing else f"at {', '.join(sorted(at))}, which may be given him"
    return f"{_named(contact)} may see {seen[0].value} of {person.called}: {why}"


def _missing(assertion: Assertion, ground: Ground, person: Insider, contact: Address) -> str | None:
    facts = _least(ground, person, contact, assertion.level)
    if not assertion.fields:
        if assertion.traffic in traffic(facts):
            return None
        why = facts.barrier or (Reason.BLOCKED if facts.blocked else facts.shut(assertion.traffic))
        return f"{_named(contact)} and {person.called} may not exchange {assertion.traffic.value}: {why.value}"
    lacking = [name for name in Field if name in assertion.fields and name not in _visible(facts)]
    if not lacking:
        return None
    reason = permission(facts).withheld.get(lacking[0]) or facts.shut(Modality.PRESENCE)
    at = f" at {facts.level.name}"
    return f"{_named(contact)} does not see {lacking[0].value} of {person.called}{at}: {reason.value}"


def _visible(facts: Facts) -> frozenset[Field]:
    """Gives the fields that can reach the contact in any way."""
    fields, kinds = permission(facts).fields, facts.modalities
    told = Modality.PRESENCE in kinds and Field.AVAILABILITY in fields
    return fields if told or Modality.QUERIES in kinds else frozenset()


# -- the most and the least that may come of a policy ----------------------------------------------------------------


def _most(ground: Ground, person: Insider, contact: Address) -> Facts:
    """Gives the facts in which everything is given and switched on that may be."""
    partner, entries = ground.partners.of(contact.domain), _entries(ground, person)
    network = partner.network if partner else Network.FEDERATION
    bound = _loosest_bound(ground, entries, contact, network)
    shut_out = bound is not None and bound.name == BLOCKED
    every = frozenset(name for level in ground.levels.values() for name in level.fields)
    level = bound if bound is not None and shut_out else AccessLevel("any", every, CUSTOM_RANK)
    rules = [rule for rule in ground.settings if rule.on or not rule.group or rule.group in person.certain]
    own: OwnSettings = {rule.subject: True for rule in rules}
    return _enforced(
        ground,
        Facts(
            partner,
            level,
            None,
            State.BOTH,
            ground.locks,
            bound=bound,
            refused=refused(rules, own, person.possible, partner, person.address) if partner else (),
            barrier=_barrier(ground, person, contact, partner, person.certain, person.possible),
            walled=_walled(ground, person, partner, person.certain),
        ),
    )


def _loosest_bound(ground: Ground, entries: list[Assignment], contact: Address, network: Network) -> AccessLevel | None:
    """Gives the most that locked levels leave at any time: one that ends may stand before a stricter one until then."""
    lasting = [entry for entry in entries if entry.until is None]
    resolved = resolve(lasting, contact, network, ground.levels, ground.default, ground.now)
    shut_out = resolved.level.name == BLOCKED and resolved.assignment is not None and resolved.assignment.locked
    found = resolved.level if shut_out else resolved.bound
    ending = [entry for entry in entries if entry.locked and entry.until is not None and ground.now < entry.until]
    others = [ground.levels[entry.level] for entry in ending if entry.member.matches(contact, network)]
    if found is None or not others:
        return found
    fields = found.fields.union(*(level.fields for level in others))
    return AccessLevel("bound", fields, CUSTOM_RANK)


def _least(ground: Ground, person: Insider, contact: Address, level: str) -> Facts:
    """Gives the facts in which everything holds that may stand against something; at a level, or at the one he has."""
    partner, entries = ground.partners.of(contact.domain), _entries(ground, person)
    network = partner.network if partner else Network.FEDERATION
    found = resolve(entries, contact, network, ground.levels, ground.default, ground.now)
    rules = [rule for rule in ground.settings if not rule.on or not rule.group or rule.group in person.certain]
    return Facts(
        partner,
        ground.levels[level] if level else found.level,
        found.assignment,
        State.BOTH,
        ground.locks,
        bound=found.bound,
        refused=refused(rules, ground.own(person.address), person.possible, partner, person.address) if partner else (),
        barrier=_barrier(ground, person, contact, partner, person.possible, person.certain),
        walled=_walled(ground, person, partner, person.possible),
    )


def _enforced(ground: Ground, facts: Facts) -> Facts:
    return unbound(facts) if ground.observing else facts


def _entries(ground: Ground, person: Insider) -> list[Assignment]:
    return [entry for entry in ground.entries if entry.owner in ("", person.address, person.address.domain)]


def _barrier(
    ground: Ground,
    person: Insider,
    contact: Address,
    partner: Partner | None,
    barring: frozenset[str],
    admitting: frozenset[str],
) -> Reason | None:
    """Gives what keeps the two apart; the groups of the person that bar him, and those that admit him, differ."""
    if partner is None:
        return ground.partners.against(contact.domain)
    right = ground.right
    if person.address in ground.apart:
        return None
    if within(right.barred, person.address, barring, True):
        return Reason.NOT_FEDERATED
    if right.people is not None and not within(right.people, person.address, admitting, False):
        return Reason.NOT_FEDERATED
    if partner.people is not None and not within(partner.people, person.address, admitting, False):
        return Reason.NOT_ALLOWED_PERSON
    return None


def _walled(ground: Ground, person: Insider, partner: Partner | None, groups: frozenset[str]) -> frozenset[Modality]:
    found: frozenset[Modality] = frozenset()
    for wall in ground.walls:
        if partner is not None and wall.binds(person.address, groups, partner):
            found |= wall.modalities
    return found


# -- who is meant ----------------------------------------------------------------------------------------------------


def _people(who: Who, ground: Ground) -> list[Insider]:
    """Gives everybody who is known by name and meant, and one who stands for all others that are meant."""
    if who.mark is Mark.ONE:
        address = Address.parse(who.value)
        if address.domain not in ground.domains:
            raise ValueError(f"{who.value} is none of our people; ours are at {', '.join(sorted(ground.domains))}")
        return [_insider(address, ground)]
    if who.mark is Mark.DOMAIN and who.value not in ground.domains:
        raise ValueError(f"{who.value} is none of our domains")
    if who.group and who.group not in ground.members and not ground.open:
        raise ValueError(f"there is no group {who.group}; the groups are {', '.join(sorted(ground.members)) or 'none'}")
    named = {Address.parse(text) for text in _named_people(ground)}
    known = [_insider(address, ground) for address in sorted(named) if address.domain in ground.domains]
    others = [_standing(domain, who.group, ground) for domain in sorted(ground.domains)]
    meant = [each for each in known if _is_meant(each, who, ground)]
    return meant + [each for each in others if (ground.open or not who.group) and _at(each.address.domain, who)]


def _is_meant(person: Insider, who: Who, ground: Ground) -> bool:
    in_group = not who.group or who.group in (person.possible if ground.open else person.certain)
    return in_group and _at(person.address.domain, who)


def _at(domain: str, who: Who) -> bool:
    if who.mark is Mark.BELOW:
        return domain.endswith("." + who.value)
    return who.mark is Mark.ALL or domain == who.value


def _insider(address: Address, ground: Ground) -> Insider:
    groups = frozenset(name for name, members in ground.members.items() if address in members)
    return Insider(address, groups, _all_groups(ground) | groups if ground.open else groups)


def _standing(domain: str, group: str, ground: Ground) -> Insider:
    groups = frozenset({group} if group else ())
    return Insider(Address.of(SOMEBODY, domain), groups, _all_groups(ground) | groups if ground.open else groups)


def _all_groups(ground: Ground) -> frozenset[str]:
    circles: list[Iterable[str]] = [ground.members, ground.right.barred, ground.right.people or ()]
    circles += [partner.people or () for partner in ground.partners.by_name.values()]
    circles += [[wall.group for wall in ground.walls], [rule.group for rule in ground.settings]]
    return frozenset(name for circle in circles for name in circle if name and "@" not in name)


def _named_people(ground: Ground) -> set[str]:
    circles: list[Iterable[str]] = [*ground.members.values(), ground.right.barred, ground.right.people or ()]
    circles += [partner.people or () for partner in ground.partners.by_name.values()]
    circles += [[wall.group for wall in ground.walls], [rule.person for rule in ground.settings]]
    circles.append([entry.owner for entry in ground.entries])
    return {name for circle in circles for name in circle if "@" in name} - ground.apart


def _contacts(who: Who, ground: Ground) -> list[Address]:
    """Gives everybody who is known by name and meant, and for each domain that is meant one who stands for the rest."""
    if who.mark is Mark.ONE:
        address = Address.parse(who.value)
        if address.domain in ground.domains:
            raise ValueError(f"{who.value} is one of our own people, no contact")
        return [address]
    domains = {domain for domain in _known_domains(ground) if _at(domain, who)}
    if who.mark is Mark.DOMAIN:
        partner = ground.partners.by_name.get(who.value)
        domains |= {who.value} | (partner.domains if partner else frozenset())
    if who.mark is Mark.BELOW:
        domains.add(f"any-other.{who.value}")
    named = [each.value for each in _members(ground) if each.kind is MemberKind.CONTACT]
    contacts = {address for address in map(Address.parse, named) if address.domain in domains}
    contacts |= {Address.of(SOMEBODY, domain) for domain in domains}
    return sorted(address for address in contacts if address.domain not in ground.domains)


def _known_domains(ground: Ground) -> set[str]:
    """Gives every domain that any rule names, one below each that is named with a star, and one that none names."""
    lists = [*ground.partners.denied.names, *ground.partners.discovery.allow.names]
    lists += [domain for partner in ground.partners.by_name.values() for domain in partner.domains]
    for member in _members(ground):
        if member.kind is MemberKind.SUBDOMAINS:
            lists.append(f"*.{member.value}")
        elif member.kind in (MemberKind.CONTACT, MemberKind.DOMAIN):
            lists.append(member.value.rpartition("@")[2])
    below = (f"any-other.{name[2:]}" if name.startswith("*.") else name for name in lists if name != "*")
    return {*below, ANYWHERE}


def _members(ground: Ground) -> set[Member]:
    return {entry.member for entry in ground.entries}


def _named(contact: Address) -> str:
    if contact.local != SOMEBODY:
        return str(contact)
    return "somebody at a domain that is not listed" if contact.domain == ANYWHERE else f"somebody at {contact.domain}"
