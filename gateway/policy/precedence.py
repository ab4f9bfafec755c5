"""Which layer decides a setting: administrator over partner over group over person over default."""

from collections.abc import Iterable
from enum import IntEnum
from typing import Any

from attrs import frozen


class Layer(IntEnum):
    """Names who set a value; the smaller number is the stronger layer."""

    ADMINISTRATOR = 0
    PARTNER = 1
    GROUP = 2
    PERSON = 3
    DEFAULT = 4


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
    """Gives the value of the strongest layer that locks it; else of the weakest that sets it; else the default."""
    ordered = sorted(settings, key=lambda setting: setting.layer)
    for setting in ordered:
        if setting.locked:
            return Effective(setting.value, setting.layer, True)
    return (
        Effective(ordered[-1].value, ordered[-1].layer, False) if ordered else Effective(default, Layer.DEFAULT, False)
    )
