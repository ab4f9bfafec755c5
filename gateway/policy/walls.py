"""Who of our people may federate, with whom, and what is kept apart: each rule can only take away."""

from collections.abc import Iterable

from attrs import frozen

from gateway.policy.partners import Modality, Partner
from gateway.policy.verdict import Reason

Circle = frozenset[str]
"""Some of our people: bare addresses, and names of groups (which have no `@`)."""
Groups = frozenset[str] | None
"""The groups that a person is in; None when that is not known yet, and every rule about groups counts against him."""


@frozen
class Wall:
    """Keeps a group of our people and a partner apart, for some kinds of traffic."""

    group: str = ""
    """The group's name, or the address of one person; empty: everybody."""
    partner: str = ""
    """The partner's name, or any of its domains; empty: all partners."""
    modalities: frozenset[Modality] = frozenset(Modality)

    def binds(self, person: str, groups: Groups, partner: Partner) -> bool:
        """Says whether it stands between a person, who is in some groups, and a partner."""
        between = self.partner in ("", partner.name) or self.partner in partner.domains
        return between and (not self.group or within(frozenset({self.group}), person, groups, True))


@frozen
class Right:
    """Says who of our people may federate at all."""

    people: Circle | None = None
    """These only; None: everybody."""
    barred: Circle = frozenset()
    """These not, whatever else they are."""


EVERYBODY = Right()


def within(circle: Circle, person: str, groups: Groups, unless_known: bool) -> bool:
    """Says whether a person belongs to a circle; `unless_known` is the answer while his groups are not known."""
    if person in circle:
        return True
    if groups is None:
        return unless_known and any("@" not in name for name in circle)
    return not circle.isdisjoint(groups)


def barrier(person: str, groups: Groups, right: Right, partner: Partner) -> Reason | None:
    """Gives the rule that keeps a person from speaking with a partner at all, or None."""
    if within(right.barred, person, groups, True):
        return Reason.NOT_FEDERATED
    if right.people is not None and not within(right.people, person, groups, False):
        return Reason.NOT_FEDERATED
    if partner.people is not None and not within(partner.people, person, groups, False):
        return Reason.NOT_ALLOWED_PERSON
    return None


def walled(walls: Iterable[Wall], person: str, groups: Groups, partner: Partner) -> frozenset[Modality]:
    """Gives the kinds of traffic that walls keep from passing between a person and a partner."""
    found: frozenset[Modality] = frozenset()
    for wall in walls:
        if wall.binds(person, groups, partner):
            found |= wall.modalities
    return found
