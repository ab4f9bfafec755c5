"""Who decides: administrator over partner over group over person over default; and whose publication counts."""

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Any

from attrs import frozen

from gateway.model.presence import Field
from gateway.model.publication import Origin, Publication, Publications


class Layer(IntEnum):
    """Names who set a value; the smaller number is the stronger layer."""

    ADMINISTRATOR = 0
    PARTNER = 1
    GROUP = 2
    NAMED = 3
    """The administrator, for one person by name."""
    PERSON = 4
    DEFAULT = 5


@frozen
class Setting:
    """Is one value that one layer gives; a locked one cannot be changed by a weaker layer."""

    layer: Layer
    value: Any
    locked: bool = False


@frozen
class Effective:
    """Is the value that counts, and the layer it comes from."""

    value: Any
    layer: Layer
    locked: bool


def effective(settings: Iterable[Setting], default: Any) -> Effective:
    """Gives the value of the strongest layer that locks it; else of the weakest that sets it; else the default.

    A layer that says several things about the same says the one that comes last.
    """
    ordered = sorted(settings, key=lambda setting: setting.layer)
    for setting in ordered:
        if setting.locked:
            return Effective(setting.value, setting.layer, True)
    return (
        Effective(ordered[-1].value, ordered[-1].layer, False) if ordered else Effective(default, Layer.DEFAULT, False)
    )


def allowed(settings: Iterable[Setting]) -> Effective:
    """Decides whether something may go out, which it may by default.

    It is `effective` over True and False, but two refusals are final: a locked one, whoever widens it below, and the
    person's own, whoever locks it open above. Where one layer says both, it refuses.
    """
    known = sorted(settings, key=lambda setting: (setting.layer, bool(setting.value)))
    refusals = [setting for setting in known if not setting.value]
    for setting in refusals:
        if setting.locked or setting.layer is Layer.PERSON:
            return Effective(False, setting.layer, setting.locked)
    strictest = {setting.layer: setting for setting in reversed(known)}
    return effective(strictest.values(), True)


def kept(settings: Iterable[Setting]) -> Effective:
    """Decides whether something is recorded or kept, which it is not by default.

    It is `effective` over True and False: a lock counts both ways. Where one layer says both, it is not kept.
    """
    known = sorted(settings, key=lambda setting: (setting.layer, bool(setting.value), not setting.locked))
    strictest = {setting.layer: setting for setting in reversed(known)}
    return effective(strictest.values(), False)


_ORIGINS = (Origin.ADMINISTRATOR, Origin.PERSON, Origin.LEG, Origin.CALENDAR)
_RANK: Mapping[Origin, int] = {origin: place for place, origin in enumerate(_ORIGINS)}
"""What the administrator publishes is not the person's to edit; what a person says beats what is concluded."""


def composed(publications: Iterable[Publications]) -> Publications:
    """Gives for each field the publication that counts: of the strongest origin, and of one origin the latest."""
    chosen: dict[Field, Publication] = {}
    for said in publications:
        for name, publication in said.items():
            if name not in chosen or _weight(publication) < _weight(chosen[name]):
                chosen[name] = publication
    return chosen


def _weight(publication: Publication) -> tuple[int, float]:
    return _RANK[publication.origin], -publication.since
