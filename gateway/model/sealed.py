"""Classes that nobody changes and that are made for every stanza."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attrs import frozen as sealed
else:
    from functools import partial

    from attrs import define

    # A class that attrs freezes takes three times as long to make. The type checker sees to it that nobody assigns.
    sealed = partial(define, unsafe_hash=True)

__all__ = ["sealed"]
