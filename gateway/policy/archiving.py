"""What the archive keeps of an envelope: the administrator's word by layer; people do not decide about it."""

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Any

from attrs import frozen

from gateway.model.envelope import Side
from gateway.policy.partners import Partner
from gateway.policy.precedence import Layer, Setting, effective
from gateway.policy.walls import Groups


class Mode(Enum):
    """Says how much is kept."""

    NONE = "none"
    ACTIVITY = "activity"
    """Who has spoken with whom and when, and who was there; never what was said."""
    CONTENT = "content"
    """What was said as well."""

    __hash__ = object.__hash__


@frozen
class ArchiveRule:
    """Is what the administrator says for everybody, a partner, a group of our people, a person, or some of these.

    What is None is left to the other rules.
    """

    mode: Mode | None = None
    critical: bool | None = None
    retention_days: int | None = None
    person: str = ""
    """Bare address."""
    group: str = ""
    partner: str = ""
    """The partner's name, or any of its domains."""
    side: Side | None = None
    """Of what comes from this side only."""
    locked: bool = False

    @property
    def layer(self) -> Layer:
        """Gives the layer for which it is made."""
        if self.person:
            return Layer.NAMED
        if self.group:
            return Layer.GROUP
        return Layer.PARTNER if self.partner else Layer.ADMINISTRATOR

    def concerns(self, person: str, groups: Groups, partner: Partner | None, side: Side | None) -> bool:
        """Says whether it is about a person in these groups (None: not known yet), and this or any partner.

        While groups are not known, what must not be missed is kept, and what must not be kept is not: a critical rule
        counts for him, and one that keeps nothing.
        """
        if self.partner and (partner is None or self.partner not in {partner.name, *partner.domains}):
            return False
        if (self.person and self.person != person) or (self.side is not None and self.side is not side):
            return False
        if not self.group:
            return True
        return bool(self.critical) or self.mode is Mode.NONE if groups is None else self.group in groups


@frozen
class ArchiveTerms:
    """Is what counts for an envelope."""

    mode: Mode = Mode.NONE
    critical: bool = False
    """Whether it is refused when it cannot be kept."""


NOTHING = ArchiveTerms()


def terms(
    rules: Iterable[ArchiveRule], person: str, groups: Groups, partner: Partner | None, side: Side | None
) -> ArchiveTerms:
    """Gives what counts for what passes between a person and a partner, or (None) for the person's presence."""
    said = [rule for rule in rules if rule.concerns(person, groups, partner, side)]
    mode = _effective(said, lambda rule: rule.mode, Mode.NONE)
    if mode is Mode.NONE:
        return NOTHING
    return ArchiveTerms(mode, bool(_effective(said, lambda rule: rule.critical, False)))


def retention(
    rules: Sequence[ArchiveRule], person: str, groups: Groups, partner: Partner | None, default: int
) -> int | None:
    """Gives for how many days records of a person with a partner are kept, of both sides the longer.

    None while that depends on groups which are not known.
    """
    if groups is None and any(rule.group and rule.retention_days is not None for rule in rules):
        return None
    found = []
    for side in Side:
        said = [rule for rule in rules if rule.concerns(person, groups, partner, side)]
        found.append(int(_effective(said, lambda rule: rule.retention_days, default)))
    return max(found)


def _effective(rules: Iterable[ArchiveRule], of: Callable[[ArchiveRule], Any], default: Any) -> Any:
    settings = [Setting(rule.layer, of(rule), rule.locked) for rule in rules if of(rule) is not None]
    return effective(settings, default).value
