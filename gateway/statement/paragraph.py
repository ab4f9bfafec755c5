"""What holds of one feature, in no language: whether it is on, for whom, and its numbers and names."""

from collections.abc import Mapping
from typing import Any

from attrs import asdict, evolve, field, frozen

from gateway.policy.precedence import Layer, Setting, kept
from gateway.policy.services import Concerned, Scope, said


@frozen
class Paragraph:
    """Is one feature as the configuration in force has it."""

    feature: str
    on: bool
    locked: bool = False
    scopes: tuple[Scope, ...] = ()
    """For whom something else holds."""
    parts: Mapping[str, Any] = field(factory=dict)
    """Texts, numbers and lists that its sentences name; `hidden` is a list of [field, group]."""

    def plain(self) -> dict[str, Any]:
        """Gives it as JSON can hold it."""
        return {**asdict(self), "scopes": [asdict(scope) for scope in self.scopes], "parts": dict(self.parts)}

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> "Paragraph":
        """Reads what `plain` gave; what a newer version added is left out."""
        known = {name: value for name, value in plain.items() if name in ("feature", "on", "locked", "parts")}
        names = {each.name for each in Scope.__attrs_attrs__}
        scopes = tuple(
            Scope(**{name: value for name, value in each.items() if name in names}) for each in plain["scopes"]
        )
        return cls(**known, scopes=scopes)


def folded(paragraph: Paragraph) -> Paragraph:
    """Gives the same with what is said for everybody as its own value, not as an exception."""
    wide = [scope for scope in paragraph.scopes if scope.whom == "everybody" and scope.until is None]
    if not wide:
        return paragraph
    found = kept([*_widest(paragraph), *(Setting(scope.layer, scope.on, scope.locked) for scope in wide)])
    rest = tuple(scope for scope in paragraph.scopes if scope not in wide)
    return evolve(paragraph, on=bool(found.value), locked=found.locked, scopes=rest)


def _widest(paragraph: Paragraph) -> list[Setting]:
    """What is off and open says no more than the default, which anybody may change."""
    said_wide = paragraph.on or paragraph.locked
    return [Setting(Layer.ADMINISTRATOR, paragraph.on, paragraph.locked)] if said_wide else []


def personal(
    paragraph: Paragraph, person: str, groups: frozenset[str] | None, now: float, own: bool | None = None
) -> Paragraph:
    """Gives a feature as it holds for one person, with his own choice where he has one; exceptions are his only."""
    whom = Concerned(person, groups)
    settings = [
        *_widest(paragraph),
        *said(paragraph.scopes, whom, now),
        *([Setting(Layer.PERSON, own)] if own is not None else []),
    ]
    found = kept(settings)
    mine = tuple(
        scope
        for scope in paragraph.scopes
        if scope.partner
        and (scope.until is None or scope.until > now)
        and Concerned(person, groups, frozenset({scope.partner})).by(scope)
    )
    parts = dict(paragraph.parts)
    if "hidden" in parts:
        parts["hidden"] = [each for each in parts["hidden"] if not each[1] or groups is None or each[1] in groups]
    return evolve(paragraph, on=bool(found.value), locked=found.locked, scopes=mine, parts=parts)
