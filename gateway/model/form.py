"""Forms that a client fills in: what is asked, and what was answered (XEP-0004, in no protocol's words)."""

from collections.abc import Mapping

from attrs import field, frozen

ACCESS = "access"
"""The name of the one form that the gateway has: the access of a contact."""


@frozen
class FormField:
    """Asks for one value: free text, or one of some choices (value, label)."""

    name: str
    label: str
    value: str = field(default="", repr=False)
    choices: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@frozen
class Form:
    """Is one step: fields to be filled in, or, when it is done, a note that says what was done."""

    name: str
    session: str
    title: str = ""
    instructions: str = field(default="", repr=False)
    fields: tuple[FormField, ...] = ()
    note: str = field(default="", repr=False)
    done: bool = False
    failed: bool = False
    """Whether the note tells of a mistake."""


@frozen
class Filled:
    """Is what a client sends: it begins, fills in, or gives up."""

    name: str
    session: str = ""
    cancelled: bool = False
    values: Mapping[str, str] | None = field(default=None, repr=False)
    """None when it begins."""
