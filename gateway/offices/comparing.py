"""What another configuration would change for the pairs that there are, and for those that the ledger knows."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from attrs import evolve, field, frozen
from twisted.internet.task import deferLater

from gateway.books.pairs import PairBook, Rules
from gateway.config import Config
from gateway.config.policing import Mode
from gateway.errors import AddressError
from gateway.model.address import Address
from gateway.model.presence import Field
from gateway.policy.access_level import Assignment, MemberKind
from gateway.policy.authorization import Facts
from gateway.policy.comparison import Difference, difference
from gateway.policy.observing import unbound

AT_ONCE = 200
"""Pairs that are compared before others get their turn."""
SOMEBODY = "somebody-else"
ANYWHERE = "anywhere.invalid"
"""Stands for a domain that nobody has listed."""

Known = Mapping[tuple[str, str], set[str]]
"""By person and contact: names of fields."""


@frozen
class Found:
    """Is what differs for one pair; `owner` and `contact` may be words for those who are not known by name."""

    owner: str
    contact: str
    differs: Difference
    used: frozenset[Field] = frozenset()
    """Those of the fields that the ledger names."""


@frozen
class Comparison:
    """Is what differs between two policies."""

    pairs: int
    """How many were compared."""
    found: tuple[Found, ...]
    """Only those for whom anything differs; who gains comes first."""
    fields: Mapping[str, tuple[int, int]] = field(init=False)
    """How many gain and how many lose each field or kind of traffic."""

    @fields.default
    def _counted(self) -> Mapping[str, tuple[int, int]]:
        gains: Counter[str] = Counter()
        loses: Counter[str] = Counter()
        for each in self.found:
            gains.update(name.value for name in (*each.differs.gains, *each.differs.opens))
            loses.update(name.value for name in (*each.differs.loses, *each.differs.closes))
        return {name: (gains[name], loses[name]) for name in sorted({*gains, *loses})}

    @property
    def widened(self) -> int:
        """Gives how many pairs gain anything."""
        return sum(each.differs.widens for each in self.found)

    @property
    def narrowed(self) -> int:
        """Gives how many pairs lose anything."""
        return sum(each.differs.narrows for each in self.found)


@frozen
class Terms:
    """Is one side of the comparison: the rules, and whether they are enforced."""

    config: Config
    rules: Rules

    def facts(self, pairs: PairBook, person: Address, contact: Address, rules: Rules | None = None) -> Facts:
        """Gives the facts that count for two bare addresses."""
        facts = pairs.facts_under(rules or self.rules, person, contact)
        return unbound(facts) if self.config.gateway.mode is Mode.OBSERVE else facts


async def compare(pairs: PairBook, old: Terms, new: Terms, known: Known, reactor: Any) -> Comparison:
    """Compares for every pair in `known` and for those whom nobody has named; a few at a time."""
    found, number = [], 0
    for number, (names, before, after, used) in enumerate(_sides(pairs, old, new, known), 1):
        differs = difference(before, after)
        if differs:
            fields = frozenset(name for name in (*differs.gains, *differs.loses) if name.value in used)
            found.append(Found(*names, differs, fields))
        if number % AT_ONCE == 0:
            await deferLater(reactor, 0)
    found.sort(key=lambda each: (not each.differs.widens, each.owner, each.contact))
    return Comparison(number, tuple(found))


def _sides(
    pairs: PairBook, old: Terms, new: Terms, known: Known
) -> Iterator[tuple[tuple[str, str], Facts, Facts, set[str]]]:
    for (owner, contact), used in known.items():
        try:
            person, other = Address.parse(owner).bare, Address.parse(contact).bare
        except AddressError:
            continue
        if person.domain in old.rules.domains and other.local:
            before, after = (terms.facts(pairs, person, other) for terms in (old, new))
            yield (owner, contact), before, after, used
    for group in ("", *sorted({*old.config.groups.members, *new.config.groups.members})):
        person = Address.of(SOMEBODY, sorted(old.rules.domains)[0])
        who = f"anybody else in group {group}" if group else "anybody else"
        sides = [(terms, evolve_groups(terms.rules, group)) for terms in (old, new)]
        for name, domain in _strangers(old, new):
            other = Address.of(SOMEBODY, domain)
            before, after = (terms.facts(pairs, person, other, rules) for terms, rules in sides)
            yield (who, name), before, after, set()


def evolve_groups(rules: Rules, group: str) -> Rules:
    """Gives the same rules for somebody who is in one group, or in none, and has said nothing himself."""
    groups = frozenset({group} if group else ())
    return evolve(rules, groups=lambda person: groups, own_settings=lambda person: {})


def _strangers(old: Terms, new: Terms) -> list[tuple[str, str]]:
    """Gives for each partner of either side, and for all that is not listed, how it is called and a domain."""
    names = sorted({*old.rules.partners.by_name, *new.rules.partners.by_name})
    domains = {
        domain for terms in (old, new) for each in terms.rules.partners.by_name.values() for domain in each.domains
    }
    named = {(f"anybody else at {domain}", domain) for domain in {*names, *domains}}
    return [*sorted(named), ("anybody at a domain that is not listed", ANYWHERE)]


def candidates(
    pairs: Iterable[Any],
    subscriptions: Iterable[tuple[str, str, Any]],
    assigned: Iterable[Assignment],
    ledger: Known,
) -> dict[tuple[str, str], set[str]]:
    """Puts together the pairs that are known from anywhere, with the fields that the ledger names for them."""
    found: dict[tuple[str, str], set[str]] = {key: set(fields) for key, fields in ledger.items()}
    for pair in pairs:
        found.setdefault((str(pair.person), str(pair.contact)), set())
    for person, contact, _ in subscriptions:
        found.setdefault((str(person), str(contact)), set())
    for entry in assigned:
        if "@" in entry.owner and entry.member.kind is MemberKind.CONTACT:
            found.setdefault((entry.owner, entry.member.value), set())
    return found


def loosened(old: Config, new: Config) -> list[str]:
    """Names the settings by which less is watched over than before, whatever they do to anybody today."""
    before, after = old.policy, new.policy
    found = []
    if new.gateway.mode is Mode.OBSERVE and old.gateway.mode is not Mode.OBSERVE:
        found.append("gateway.mode")
    if after.widen_threshold > before.widen_threshold:
        found.append("policy.widen_threshold")
    if before.approver and (not after.approver or set(after.approver) - set(before.approver)):
        found.append("policy.approver")
    if old.ledger.on and not new.ledger.on:
        found.append("ledger.on")
    return found
