"""The presence rules that say what levels give: every contact is shown the fields of his level and no others."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import TypeAlias

from attrs import frozen

from gateway.model.address import Address
from gateway.model.presence import Field
from gateway.model.rule_set import Condition, Grant, Identity, Many, One, Reach, Rule, SubHandling, Validity
from gateway.policy.access_level import BLOCKED, AccessLevel, Member, MemberKind, Network
from gateway.policy.members import Circle, Standing
from gateway.policy.presence_rules import OF_CONTACTS, OF_PERSONS, OF_SERVICES, grant_for

_Person: TypeAlias = tuple[Address, Network]
EVER = float("inf")
IN_DOCUMENTS = frozenset(
    {Field.AVAILABILITY, Field.DEVICE}.union(*(one.shows for one in (*OF_PERSONS, *OF_SERVICES, *OF_CONTACTS)))
)
"""Fields that a presence document of a SIP server can show."""


@frozen
class Written:
    """Is a set of rules, and where a server that reads it shows less than the levels."""

    rules: tuple[Rule, ...]
    remarks: tuple[str, ...]


@frozen
class Period:
    """Is a time, posix seconds, in which a member has one level."""

    start: float
    end: float
    level: AccessLevel


def rules_for(standing: Standing, circle: Circle, moments: Sequence[float]) -> Written:
    """Gives the rules by which a server that does what RFC 5025 says shows what the levels give (`moments_of`)."""
    names = (f"r{number}" for number in count(1))
    rules: list[Rule] = []
    for member in filter(circle.has_anybody, circle.members):
        for who, person in _parts(member, circle, standing, moments):
            found = periods(standing, person, moments)
            rules += (Rule(next(names), (*who, *_when(one.start, one.end)), _grant(one.level)) for one in found)
    rules += (Rule(next(names), *found) for found in _floor(standing, circle, moments))
    return Written(tuple(rules), tuple(_remarks(rules, circle)))


def _parts(
    member: Member, circle: Circle, standing: Standing, moments: Sequence[float]
) -> Iterator[tuple[tuple[Condition, ...], _Person]]:
    """Gives the conditions for a member and somebody they hold for; by network, where that makes a difference."""
    people = circle.standing_for(member)
    who = tuple(_who(member, circle))
    if len({periods(standing, one, moments) for one in people}) == 1:
        yield who, people[0]
        return
    classes = [one.value for one in circle.members if one.kind is MemberKind.NETWORK]
    for person in people:
        if person[1].value in classes:
            yield (*who, Reach(person[1].value)), person
    # All others have the level of everyone.
    rest = [person for person in people if person[1].value not in classes]
    for person in rest[:1]:
        yield (*who, *(Reach(name, outside=True) for name in classes)), person


def periods(standing: Standing, person: _Person, moments: Sequence[float]) -> tuple[Period, ...]:
    """Gives the levels of somebody, each with its time; the first has begun ever ago."""
    found: list[Period] = []
    for start, end, moment in _times(moments):
        (level,) = standing.found((person,), moment)
        if found and found[-1].level == level:
            found[-1] = Period(found[-1].start, end, level)
        else:
            found.append(Period(start, end, level))
    return tuple(found)


def _times(moments: Sequence[float]) -> Iterator[tuple[float, float, float]]:
    """Gives the beginning and end of each time between moments, and one moment in it; the first has begun ever ago."""
    for start, end in zip(moments, (*moments[1:], EVER), strict=True):
        yield (-EVER if start == moments[0] else start), end, start


def withheld_from(level: AccessLevel) -> frozenset[Field]:
    """Gives the fields of presence documents that a level does not show."""
    return IN_DOCUMENTS - level.fields


def _grant(level: AccessLevel) -> Grant:
    return Grant(SubHandling.POLITE_BLOCK) if level.name == BLOCKED else grant_for(level.fields)


def _when(start: float, end: float) -> tuple[Condition, ...]:
    """Gives the validity of a time that has an end, or begins after the first moment."""
    return () if (start, end) == (-EVER, EVER) else (Validity(((max(start, 0.0), end),)),)


def _who(member: Member, circle: Circle) -> Iterator[Condition]:
    """Gives the conditions that hold for a member and for no more specific one."""
    others = circle.members
    if member.kind is MemberKind.CONTACT:
        yield Identity((One(Address.parse(member.value)),))
    elif member.kind is MemberKind.DOMAIN:
        named = _addresses(one for one in others if one.value.endswith("@" + member.value))
        yield Identity((Many(member.value, named),))
    elif member.kind is MemberKind.SUBDOMAINS:
        inside = [one for one in others if one.value.endswith("." + member.value)]
        yield _everybody_but(inside)
        yield Reach(below=member.value)
        yield from _outside(one for one in inside if one.kind is MemberKind.SUBDOMAINS)
    else:
        yield _everybody_but(others)
        if member.kind is MemberKind.NETWORK:
            yield Reach(network=member.value)
        kinds = {MemberKind.SUBDOMAINS, *([MemberKind.NETWORK] if member.kind is MemberKind.EVERYONE else [])}
        yield from _outside(one for one in others if one.kind in kinds)


def _addresses(members: Iterable[Member]) -> frozenset[Address]:
    return frozenset(Address.parse(one.value) for one in members if one.kind is MemberKind.CONTACT)


def _everybody_but(members: Sequence[Member]) -> Identity:
    domains = frozenset(one.value for one in members if one.kind is MemberKind.DOMAIN)
    # Who is at one of the domains is left out already.
    contacts = (one for one in members if one.value.partition("@")[2] not in domains)
    return Identity((Many("", _addresses(contacts), domains),))


def _outside(members: Iterable[Member]) -> Iterator[Reach]:
    for one in members:
        below = one.value if one.kind is MemberKind.SUBDOMAINS else ""
        yield Reach("" if below else one.value, below, outside=True)


def _own(member: Member) -> bool:
    return member.kind in (MemberKind.SUBDOMAINS, MemberKind.NETWORK)


def _floor(
    standing: Standing, circle: Circle, moments: Sequence[float]
) -> Iterator[tuple[tuple[Condition, ...], Grant]]:
    """Gives what everybody may see of whom RFC 4745 has no words for: a server without ours shows them that."""
    groups = [one for one in circle.members if one.kind not in (MemberKind.CONTACT, MemberKind.DOMAIN)]
    if not any(map(_own, groups)):
        return
    who = _everybody_but([one for one in circle.members if one.kind in (MemberKind.CONTACT, MemberKind.DOMAIN)])
    for start, end, moment in _times(moments):
        levels = [level for one in groups for level in standing.found(circle.standing_for(one), moment)]
        fields = frozenset.intersection(*(level.fields for level in levels))
        if fields:
            yield (who, *_when(start, end)), grant_for(fields)


def _remarks(rules: Iterable[Rule], circle: Circle) -> Iterator[str]:
    named = sorted({field.value for rule in rules for field in rule.grant.fields})
    if named:
        yield f"RFC 5025 has no words for these fields; a server that does not know ours shows less: {', '.join(named)}"
    groups = ", ".join(str(one) for one in circle.members if _own(one))
    if groups:
        yield f"RFC 4745 has no condition for these; a server that does not know ours shows them less: {groups}"
