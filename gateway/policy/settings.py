"""What the layers say about fields and kinds of traffic: which of them may leave, and who refuses the others."""

from collections.abc import Iterable, Mapping
from enum import Enum

from attrs import frozen

from gateway.model.presence import Field
from gateway.policy.partners import Modality, Partner
from gateway.policy.precedence import Layer, Setting, allowed


class Feature(Enum):
    """Names what a person may have switched on or off, beside fields."""

    TYPING = "typing"
    RECEIPTS = "receipts"
    QUERIES = "queries"

    __hash__ = object.__hash__


MODALITIES: Mapping[Feature, Modality] = {
    Feature.TYPING: Modality.TYPING,
    Feature.RECEIPTS: Modality.RECEIPTS,
    Feature.QUERIES: Modality.QUERIES,
}
"""The kind of traffic that a feature lets pass."""

Subject = Field | Feature


def subject(name: str) -> Subject:
    """Gives the field or feature of a name; raises ValueError."""
    try:
        return Field(name)
    except ValueError:
        return Feature(name)


@frozen
class Rule:
    """Is a setting that the administrator makes: for everybody, for a partner, for a group of our people, or both."""

    subject: Subject
    on: bool
    partner: str = ""
    """The partner's name, or any of its domains."""
    group: str = ""
    locked: bool = False

    @property
    def layer(self) -> Layer:
        """Gives the layer for which it is made."""
        if self.group:
            return Layer.GROUP
        return Layer.PARTNER if self.partner else Layer.ADMINISTRATOR

    def concerns(self, groups: frozenset[str] | None, partner: Partner | None) -> bool:
        """Says whether it is about a person who is in these groups (None: not known yet), and this or any partner.

        While a person's groups are not known he is taken to be in every one that is refused something.
        """
        if self.partner and (partner is None or self.partner not in {partner.name, *partner.domains}):
            return False
        return not self.group or (not self.on if groups is None else self.group in groups)


@frozen
class Refusal:
    """Says that a field or feature may not leave, and which layer refuses it; a locked one cannot be lifted below."""

    subject: Subject
    layer: Layer
    locked: bool


OwnSettings = Mapping[Subject, bool]
"""What a person has switched on or off himself."""


def refused(
    rules: Iterable[Rule], own: OwnSettings, groups: frozenset[str] | None, partner: Partner | None
) -> tuple[Refusal, ...]:
    """Gives what may not leave towards a partner, or (None) towards all alike, in the order of names."""
    said: dict[Subject, list[Setting]] = {}
    for rule in rules:
        if rule.concerns(groups, partner):
            said.setdefault(rule.subject, []).append(Setting(rule.layer, rule.on, rule.locked))
    for about, on in own.items():
        said.setdefault(about, []).append(Setting(Layer.PERSON, on))
    decided = [(about, allowed(settings)) for about, settings in said.items()]
    found = [Refusal(about, each.layer, each.locked) for about, each in decided if not each.value]
    return tuple(sorted(found, key=lambda refusal: refusal.subject.value))
