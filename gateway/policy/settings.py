"""What the layers say about fields and kinds of traffic: which of them may leave, and who refuses the others."""

from collections.abc import Iterable, Mapping
from enum import Enum

from attrs import frozen

from gateway.model.presence import Field
from gateway.policy.partners import Modality, Partner
from gateway.policy.precedence import Effective, Layer, Setting, allowed, kept


class Feature(Enum):
    """Names what a person may have switched on or off, beside fields."""

    TYPING = "typing"
    RECEIPTS = "receipts"
    QUERIES = "queries"
    HISTORY = "history"
    """That his conversations are kept in his mailbox."""

    __hash__ = object.__hash__


MODALITIES: Mapping[Feature, Modality] = {
    Feature.TYPING: Modality.TYPING,
    Feature.RECEIPTS: Modality.RECEIPTS,
    Feature.QUERIES: Modality.QUERIES,
}
"""The kind of traffic that a feature lets pass."""
KEEPING = frozenset({Feature.HISTORY})
"""Features that keep something: off unless somebody has switched them on."""

Subject = Field | Feature


def subject(name: str) -> Subject:
    """Gives the field or feature of a name; raises ValueError."""
    try:
        return Field(name)
    except ValueError:
        return Feature(name)


@frozen
class Rule:
    """Is a setting that the administrator makes: for everybody, a partner, a group of our people, or one of them."""

    subject: Subject
    on: bool
    partner: str = ""
    """The partner's name, or any of its domains."""
    group: str = ""
    locked: bool = False
    person: str = ""
    """One of our people, by bare address."""

    @property
    def layer(self) -> Layer:
        """Gives the layer for which it is made."""
        if self.person:
            return Layer.NAMED
        if self.group:
            return Layer.GROUP
        return Layer.PARTNER if self.partner else Layer.ADMINISTRATOR

    def concerns(self, groups: frozenset[str] | None, partner: Partner | None, person: str = "") -> bool:
        """Says whether it is about a person who is in these groups (None: not known yet), and this or any partner.

        While a person's groups are not known he is taken to be in every one that is refused something.
        """
        if self.partner and (partner is None or self.partner not in {partner.name, *partner.domains}):
            return False
        if self.person and self.person != person:
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
    rules: Iterable[Rule], own: OwnSettings, groups: frozenset[str] | None, partner: Partner | None, person: str = ""
) -> tuple[Refusal, ...]:
    """Gives what may not leave towards a partner, or (None) towards all alike, in the order of names."""
    said: dict[Subject, list[Setting]] = {}
    for rule in rules:
        if rule.subject not in KEEPING and rule.concerns(groups, partner, person):
            said.setdefault(rule.subject, []).append(Setting(rule.layer, rule.on, rule.locked))
    for about, on in own.items():
        if about not in KEEPING:
            said.setdefault(about, []).append(Setting(Layer.PERSON, on))
    decided = [(about, allowed(settings)) for about, settings in said.items()]
    found = [Refusal(about, each.layer, each.locked) for about, each in decided if not each.value]
    return tuple(sorted(found, key=lambda refusal: refusal.subject.value))


def keeps(
    about: Feature,
    rules: Iterable[Rule],
    own: OwnSettings,
    groups: frozenset[str] | None,
    partner: Partner | None,
    person: str,
) -> Effective:
    """Says whether a feature of KEEPING is on for a person towards a partner, and which layer says so."""
    said = [
        Setting(rule.layer, rule.on, rule.locked)
        for rule in rules
        if rule.subject is about and rule.concerns(groups, partner, person)
    ]
    if about in own:
        said.append(Setting(Layer.PERSON, own[about]))
    return kept(said)
