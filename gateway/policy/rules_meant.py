"""Which levels a set of presence rules means: never one that shows more than the rules do."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from attrs import define, field, frozen

from gateway.model.address import Address
from gateway.model.presence import Field
from gateway.model.rule_set import (
    EVER,
    Grant,
    Identity,
    Many,
    One,
    Reach,
    Remark,
    Rule,
    RuleSet,
    SubHandling,
    Validity,
    Watcher,
)
from gateway.policy.access_level import BLOCKED, AccessLevel, Assignment, Member, MemberKind, Network, Origin
from gateway.policy.members import Circle, Standing
from gateway.policy.presence_rules import fields_granted, granted
from gateway.policy.rules_remarks import inexpressible

MOST_MEMBERS: Final = 4_000
"""Members for which one set of rules may say something."""
MOST_MOMENTS: Final = 100
"""Moments at which what a set of rules means changes."""


_People: TypeAlias = Sequence[tuple[Address, Network]]


class TooMuch(ValueError):
    """Says that a set of rules is too big to be understood."""


@frozen
class Meaning:
    """Is what a set of rules means: a person's entries, all of them, and what they do not express."""

    entries: tuple[Assignment, ...]
    remarks: tuple[Remark, ...]


@frozen
class _Shown:
    """Is what the rules show one of those who stand for a member."""

    grant: Grant
    fields: frozenset[Field]
    named: bool
    """Whether a rule that matches speaks of the subscription."""

    @property
    def blocked(self) -> bool:
        """Says whether a rule refuses him by name."""
        return self.named and self.grant.handling in (SubHandling.BLOCK, SubHandling.POLITE_BLOCK)


@frozen
class _Span:
    """Is what holds for a member from a moment on: what the rules show, and what counts without an entry."""

    start: float
    """Posix seconds."""
    shown: tuple[_Shown, ...]
    """By the rules, to each who stands for the member."""
    found: tuple[AccessLevel, ...]
    """By all less specific entries."""
    wanted: AccessLevel
    """The level that shows none of them more."""
    fits: bool
    """Whether no entry is needed: what is found is what the rules mean."""

    @property
    def fields(self) -> frozenset[Field]:
        """Gives the fields that all of them are shown."""
        return frozenset.intersection(*(one.fields for one in self.shown))

    @property
    def blocked(self) -> bool:
        """Says whether a rule refuses the member by name."""
        return any(one.blocked for one in self.shown)

    @property
    def no_more(self) -> bool:
        """Says whether what is found without an entry shows no more than the rules."""
        return all(level.fields <= one.fields for level, one in zip(self.found, self.shown, strict=True))


def levels_meant(rules: RuleSet, owner: Address, standing: Standing, circle: Circle, now: float) -> Meaning:
    """Gives the entries of `owner` (bare) by which every contact sees what the rules show, or less.

    `standing` is what counts beside the owner's own entries, `circle` whom it is about (`members_of` and those of
    `standing`). Levels are found by their fields, so of two with the same either may be chosen. Raises TooMuch.
    """
    if len(circle.members) > MOST_MEMBERS:
        raise TooMuch(f"the rules name more than {MOST_MEMBERS} contacts and domains")
    work = _Translation(rules, owner, standing, circle, now)
    for member in circle.members:
        work.take(member)
    return Meaning(tuple(work.entries), (*inexpressible(rules), *work.left_out(), *work.remarks, *work.hushed()))


def members_of(rules: RuleSet) -> frozenset[Member]:
    """Gives everybody whom rules name."""
    return frozenset(member for rule in rules.rules for condition in rule.conditions for member in _named(condition))


def _named(condition: object) -> Iterator[Member]:
    if isinstance(condition, Reach):
        yield (
            Member(MemberKind.NETWORK, condition.network)
            if condition.network
            else Member(MemberKind.SUBDOMAINS, condition.below)
        )
    for one in condition.members if isinstance(condition, Identity) else ():
        addresses = [one.address] if isinstance(one, One) else one.except_addresses
        yield from (Member(MemberKind.CONTACT, str(address)) for address in addresses if address is not None)
        if isinstance(one, Many):
            domains = {*one.except_domains, *([one.domain] if one.domain else [])}
            yield from (Member(MemberKind.DOMAIN, domain) for domain in domains)


def moments_of(rules: RuleSet, entries: Iterable[Assignment], now: float) -> tuple[float, ...]:
    """Gives `now` and every later moment at which rules or entries change, in posix seconds; raises TooMuch."""
    spans = (span for rule in rules.rules for one in rule.conditions if isinstance(one, Validity) for span in one.spans)
    ends = (entry.until for entry in entries if entry.until is not None)
    later = {moment for moment in (*(edge for span in spans for edge in span), *ends) if now < moment < EVER}
    if len(later) > MOST_MOMENTS:
        raise TooMuch(f"the rules change at more than {MOST_MOMENTS} moments")
    return (now, *sorted(later))


def nearest(fields: frozenset[Field], levels: Mapping[str, AccessLevel], *, blocked: bool) -> AccessLevel:
    """Gives the level with the most of these fields and none else; of two with none, Blocked where that is meant."""
    within = [level for level in levels.values() if level.fields <= fields]
    return max(within, key=lambda level: (len(level.fields), (level.name == BLOCKED) is blocked, level.name))


@define
class _Translation:
    """Finds the entries one after the other, the least specific member first."""

    rules: RuleSet
    owner: Address
    standing: Standing
    circle: Circle
    now: float
    entries: list[Assignment] = field(factory=list)
    remarks: list[Remark] = field(factory=list)
    _general: list[Assignment] = field(factory=list)
    _silenced: list[str] = field(factory=list)
    _missing: dict[tuple[str, frozenset[Field], int, str], list[str]] = field(factory=dict)
    _of_all: list[Rule] = field(init=False)
    _of_one: dict[Address, list[Rule]] = field(init=False, factory=dict)
    _moments: tuple[float, ...] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._of_all = []
        for rule in self.rules.rules:
            meant = _ones(rule)
            if meant is None:
                self._of_all.append(rule)
            for address in meant or ():
                self._of_one.setdefault(address, []).append(rule)
        self._moments = moments_of(self.rules, self.standing.entries, self.now)

    def take(self, member: Member) -> None:
        """Finds the entry for one member, or that none is needed."""
        people = self.circle.standing_for(member)
        spans = [self._span(people, moment) for moment in self._moments]
        self._note_missing(member, spans[0])
        entry = self._entry(member, spans)
        if entry is not None:
            self.entries.append(entry)
            if member.kind is not MemberKind.CONTACT:
                self._general.append(entry)
            if entry.level == BLOCKED and not any(span.blocked for span in spans):
                self._silenced.append(str(member))
        self._check(member, people, spans, entry)

    def _check(self, member: Member, people: _People, spans: Sequence[_Span], entry: Assignment | None) -> None:
        """Notes where what cannot be changed here, the file's entries for this very person, shows more."""
        entries = [*self._general, *([entry] if entry else [])]
        for span in spans:
            levels = self.standing.found(people, span.start, entries)
            if not all(level.fields <= one.fields for level, one in zip(levels, span.shown, strict=True)):
                self._remark(member, "the configuration file has an entry for this person that shows more: take it out")
                return

    def _entry(self, member: Member, spans: Sequence[_Span]) -> Assignment | None:
        by_name = member.kind in (MemberKind.CONTACT, MemberKind.DOMAIN) and any(span.blocked for span in spans)
        if all(span.fits for span in spans) and not by_name:
            return None
        level = spans[0].wanted
        same = [span.wanted == level for span in spans]
        if all(same) and all(one.fields == spans[0].fields for span in spans for one in span.shown):
            return self._given(member, level)
        for place in range(1, len(spans)):
            if all(same[:place]) and all(span.fits for span in spans[place:]):
                return self._given(member, level, spans[place].start)
        return self._given(member, level) if all(same) else self._narrowed(member, spans, same.index(False))

    def _narrowed(self, member: Member, spans: Sequence[_Span], change: int) -> Assignment | None:
        """Gives the entry where what the rules mean changes with time, and nothing gives just that afterwards."""
        if not all(span.no_more for span in spans[change:]):
            always = frozenset.intersection(*(span.fields for span in spans))
            self._remark(member, "what they mean changes with time, and what would count then shows more")
            return self._given(member, nearest(always, self.standing.levels, blocked=False))
        self._remark(member, "they show more later than an entry can say now: import them again then")
        if all(span.fits for span in spans[:change]):
            return None
        return self._given(member, spans[0].wanted, spans[change].start)

    def _given(self, member: Member, level: AccessLevel, until: float | None = None) -> Assignment:
        return Assignment(str(self.owner), member, level.name, Origin.ADMINISTRATOR, self.now, until)

    def _span(self, people: _People, moment: float) -> _Span:
        shown = tuple(self._shown(address, network, moment) for address, network in people)
        found = self.standing.found(people, moment, self._general)
        each = [nearest(one.fields, self.standing.levels, blocked=one.blocked) for one in shown]
        common = frozenset.intersection(*(one.fields for one in shown))
        wanted = nearest(common, self.standing.levels, blocked=any(one.blocked for one in shown))
        return _Span(moment, shown, found, wanted, all(map(_alike, found, each)))

    def _shown(self, address: Address, network: Network, moment: float) -> _Shown:
        watcher = Watcher(address, network.value)
        rules = [*self._of_all, *self._of_one.get(address, ())]
        grant = granted(rules, watcher, moment)
        named = any(rule.handled and rule.matches(watcher, moment) for rule in rules)
        return _Shown(grant, fields_granted(grant), named)

    def _note_missing(self, member: Member, span: _Span) -> None:
        if span.fields != span.wanted.fields:
            line, rule = self._line(member)
            self._missing.setdefault((span.wanted.name, span.fields, line, rule), []).append(str(member))

    def left_out(self) -> Iterator[Remark]:
        """Gives what the rules show and the levels that were found do not."""
        for number, ((level, fields, line, rule), members) in enumerate(self._missing.items(), 1):
            more = sorted(one.value for one in fields - self.standing.levels[level].fields)
            whole = ", ".join(f'"{one.value}"' for one in Field if one in fields)
            yield Remark(
                line,
                rule,
                f"no level shows {_listed(members)} exactly these fields; the nearest that shows no more is {level}, "
                f"without {', '.join(more)}; for all of them define [levels.imported-{number}] fields = [{whole}]",
            )

    def hushed(self) -> Iterator[Remark]:
        """Gives who is blocked only because the rules do not name him."""
        if self._silenced:
            who = _listed(self._silenced)
            text = f"they grant {who} nothing, so it is {BLOCKED} for him, which refuses messages as well"
            yield Remark(0, "", f"{text}; a level of your own without fields would let them pass")

    def _remark(self, member: Member, text: str) -> None:
        line, rule = self._line(member, "validity")
        self.remarks.append(Remark(line, rule, f"the rules for {member}: {text}"))

    def _line(self, member: Member, name: str = "") -> tuple[int, str]:
        """Gives the line of the first rule that says something for a member."""
        for address, network in self.circle.standing_for(member):
            watcher = Watcher(address, network.value)
            for rule in (*self._of_one.get(address, ()), *self._of_all):
                if any(rule.matches(watcher, moment) for moment in self._moments) and (not name or name in rule.lines):
                    return rule.lines.get(name, rule.line), rule.id
        return 0, ""


def _ones(rule: Rule) -> frozenset[Address] | None:
    """Gives the only addresses that a rule can match, or None when others can be among them."""
    for condition in rule.conditions:
        if isinstance(condition, Identity) and all(isinstance(one, One) for one in condition.members):
            return frozenset(one.address for one in condition.members if isinstance(one, One) and one.address)
    return None


def _alike(one: AccessLevel, other: AccessLevel) -> bool:
    """Says whether two levels do the same, whatever they are called."""
    return one.fields == other.fields and (one.name == BLOCKED) is (other.name == BLOCKED)


def _listed(members: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(members[:most])
    return shown if len(members) <= most else f"{shown} and {len(members) - most} more"
