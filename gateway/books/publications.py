"""What is published about each person, by whom and since when, composed into what counts."""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field

from gateway.model.presence import Field
from gateway.model.publication import Origin, Publication, Publications
from gateway.policy.precedence import composed

BENEATH = frozenset({Field.SHOW, Field.ACTIVITY, Field.NOTE, Field.MOOD, Field.LOCATION})
"""Fields of which a person's client speaks for now: what was published beforehand counts where it says nothing."""
LEG = "leg"
"""The source that speaks for the legs: what the inside server announces."""


@define
class _Known:
    """Is what is known of one person."""

    sources: dict[str, dict[Field, Publication]] = field(factory=dict)
    counts: Publications = field(factory=dict)
    above: dict[Field, Any] = field(factory=dict)
    beneath: dict[Field, Any] = field(factory=dict)

    def compose(self) -> None:
        self.counts = composed(self.sources.values())
        self.above, self.beneath = {}, {}
        for name, publication in self.counts.items():
            under = name in BENEATH and publication.origin is not Origin.LEG
            (self.beneath if under else self.above)[name] = publication.value


_NOTHING = _Known()


class PublicationBook:
    """Keeps for each person what every source says, and what of it counts."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._people: dict[str, _Known] = {}

    def say(
        self, person: str, source: str, origin: Origin, values: Mapping[Field, Any], *, whole: bool = False
    ) -> frozenset[Field]:
        """Takes what a source says; None withdraws a field, `whole` everything that it does not name.

        Gives the fields of which something else counts now. A value that is said again keeps its time.
        """
        known = self._people.get(person) or _Known()
        before = known.sources.get(source, {})
        said = {} if whole else dict(before)
        for name, value in values.items():
            if value is None:
                said.pop(name, None)
            elif name not in before or before[name].value != value:
                said[name] = Publication(value, origin, self._now())
            else:
                said[name] = before[name]
        if said == before:
            return frozenset()
        if said:
            known.sources[source] = said
        else:
            del known.sources[source]
        above, beneath = known.above, known.beneath
        known.compose()
        if known.sources:
            self._people[person] = known
        else:
            self._people.pop(person, None)
        # The same value may count over what the client says now, or no more.
        return _differing(above, known.above) | _differing(beneath, known.beneath)

    def of(self, person: str) -> Publications:
        """Gives what counts, with its origin and time."""
        return self._people.get(person, _NOTHING).counts

    def said_by(self, person: str, source: str) -> Publications:
        """Gives what one source says of a person."""
        return self._people.get(person, _NOTHING).sources.get(source, {})

    def above(self, person: str) -> Mapping[Field, Any]:
        """Gives the values that count over what the person's client says."""
        return self._people.get(person, _NOTHING).above

    def beneath(self, person: str) -> Mapping[Field, Any]:
        """Gives the values that count where the person's client says nothing."""
        return self._people.get(person, _NOTHING).beneath


def _differing(before: Mapping[Field, Any], after: Mapping[Field, Any]) -> frozenset[Field]:
    return frozenset(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
