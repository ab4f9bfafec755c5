"""The [[setting]] tables, what may leave by default or is locked, and [bot], where people decide for themselves."""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import field, frozen

from gateway.config.describing import says
from gateway.config.federation import Insider
from gateway.config.values import Domain, Place, Refused, nearest, text_of
from gateway.model.address import Address
from gateway.model.presence import Field
from gateway.policy.settings import Feature, Subject
from gateway.policy.settings import subject as subject_of


@frozen(kw_only=True)
class Switched:
    """What may leave or not. People may change it for themselves unless it is locked; to hide more is always theirs."""

    of: frozenset[Subject] = field(
        metadata=says("Fields, and the features typing, receipts, queries, history.", '["phone.mobile", "typing"]')
    )
    on: bool = field(metadata=says("Whether they may leave; of history: whether it is kept.", "false"))
    group: Insider | None = field(
        default=None, metadata=says("A group of our people; default: all of them.", '"board"')
    )
    person: Address | None = field(
        default=None, metadata=says("One of our people; default: all of them.", '"alice@corp.example"')
    )
    partner: Domain | None = field(
        default=None, metadata=says("The partner; default: all partners.", '"partner.example"')
    )
    locked: bool = field(default=False, metadata=says("Whether nobody below may change it."))


@frozen(kw_only=True)
class Bot:
    """A contact through which our people see and change who sees what of them, from any client."""

    address: Address | None = field(
        default=None,
        metadata=says(
            "Its address, at a domain that our server sends to the gateway; default: no bot.",
            '"access@gateway.corp.example"',
            restart=True,
        ),
    )
    language: str = field(
        default="en", metadata=says("In which it speaks first: en, de or fr; each person may choose.", restart=True)
    )


def subject(value: object, place: Place) -> Subject:
    """Reads the name of a field or feature."""
    text = text_of(value)
    try:
        return subject_of(text)
    except ValueError:
        names = [each.value for kind in (Field, Feature) for each in kind]
        raise Refused("is neither a field nor a feature", nearest(text, names)) from None


READERS: Mapping[Any, Callable[[object, Place], Any]] = {Subject: subject}
"""How the kinds of value that only these sections have are read; each raises Refused."""
