"""Forms: a text with its values cut out. What has the form of a text that has passed differs from it in values only.

Most stanzas do. So the parser reads one of each form, and of those that follow each value is checked by what its place
demands. A form is known only if the values that were cut out of its text are those that the parser saw, one by one.
Whatever our writers do not write (other quotes, entities, markup that is no element) is read in full each time.
"""

import re
from collections.abc import Iterator
from typing import Final

from attrs import define, field, frozen

from gateway.protocols.guard.shape import FREE, Difference, Kind, Needed, Node, Shape, any_text, shape_of

MOST_FORMS: Final = 1024
"""Forms that are known at a time."""
_ENDS: Final = r"<>&\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff"
"""Characters that end a value, stand for something else, or are none of XML (XML 1.0 section 2.2)."""
_VALUE: Final = re.compile(rf"(=(?<! type=)(?<! xmlns=)'[^'\t\n{_ENDS}]*(?=')|>[^{_ENDS}]+(?=<))")
_ELSE: Final = ('"', "&", "<!", "<?")
"""What no form may hold: with it, a value could be read in two ways."""

Form = tuple[tuple[str, ...], frozenset[str]]
"""What stands between the values, and what was allowed."""
Place = tuple[int, int, Kind, str]
"""The number of a value, how many characters lead it in, what it may be, and its place in the table's words."""


def cut(text: str) -> tuple[tuple[str, ...], list[str]]:
    """Gives what stands between the values of a text, and the values, each with what leads it in: `='` or `>`."""
    pieces = _VALUE.split(text)
    return tuple(pieces[::2]), pieces[1::2]


@frozen
class Known:
    """Is what a form demands of its values."""

    senders: tuple[int, ...]
    """The numbers of the values that are the sender's address."""
    recipients: tuple[int, ...]
    places: tuple[Place, ...]
    """All other values that may not be just anything."""


@define(eq=False)
class Forms:
    """Remembers forms; when there are too many it forgets them all."""

    _known: dict[Form, Known] = field(init=False, factory=dict)

    def fits(self, form: Form, values: list[str], sender: str, recipient: str) -> bool:
        """Says whether a form is known; raises Difference when it is, and a value is not what its place demands."""
        known = self._known.get(form)
        if known is None:
            return False
        for number in known.senders:
            _check_address(values[number], sender, "from")
        for number in known.recipients:
            _check_address(values[number], recipient, "to")
        for number, lead, kind, place in known.places:
            needed = kind(values[number][lead:])
            if needed is None or (needed and needed.isdisjoint(form[1])):
                raise Difference(place)
        return True

    def learn(self, form: Form, values: list[str], read: list[tuple[Node, Shape]]) -> None:
        """Takes the form of stanzas that have passed, unless it could be read in another way than it was cut."""
        between = "".join(form[0])
        if any(each in between for each in _ELSE):
            return
        seen = [each for stanza, shape in read for each in _values(stanza, shape, top=True)]
        if [value for value, _, _ in seen] != values:
            return
        if len(self._known) >= MOST_FORMS:
            self._known.clear()
        self._known[form] = Known(
            tuple(number for number, (_, kind, _) in enumerate(seen) if kind is _sender),
            tuple(number for number, (_, kind, _) in enumerate(seen) if kind is _recipient),
            tuple(
                (number, 1 if value[0] == ">" else 2, kind, place)
                for number, (value, kind, place) in enumerate(seen)
                if kind not in (_sender, _recipient, any_text)
            ),
        )


def _check_address(value: str, address: str, name: str) -> None:
    said = value[2:]
    if said != address and said != address.partition("/")[0]:
        raise Difference(f"stanza/@{name}")


def _values(element: Node, shape: Shape, *, top: bool = False) -> Iterator[tuple[str, Kind, str]]:
    """Gives the values of an element that has passed, in the order of the text; its type belongs to the form."""
    for name, value in element.items():
        if name != "type":
            kind = _ADDRESSES.get(name) if top else None
            yield f"='{value}", kind or shape.attributes[name], f"{shape.place}/@{name.rpartition('}')[2]}"
    if element.text:
        yield f">{element.text}", shape.text or _blank, f"{shape.place}/text"
    for child in element:
        yield from _values(child, shape_of(child, shape))
        if child.tail:
            yield f">{child.tail}", _blank, f"{shape.place}/text"


def _blank(value: str) -> Needed | None:
    return FREE if value.isspace() else None


def _sender(value: str) -> Needed | None:
    """Marks the place of an address, which is compared."""
    raise NotImplementedError


def _recipient(value: str) -> Needed | None:
    """Marks the place of an address, which is compared."""
    raise NotImplementedError


_ADDRESSES: Final = {"from": _sender, "to": _recipient}
