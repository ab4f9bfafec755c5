"""The tree of an XML element, as small as a stanza needs it."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import Factory, define, field


@define
class Element:
    """An XML element with expanded names; it compares by value and its repr shows no content.

    Attribute keys are "name", "xml:name" for the xml prefix, or "{namespace}name". Children are elements and
    strings; two strings never stand side by side in an element that the reader made.
    """

    ns: str
    name: str
    attributes: dict[str, str] = field(default=Factory(dict), repr=False)
    children: list[Element | str] = field(default=Factory(list), repr=False)

    def elements(self) -> Iterator[Element]:
        """Yields the child elements in document order."""
        return (child for child in self.children if child.__class__ is not str)  # type: ignore[misc]

    def child(self, name: str, ns: str | None = None) -> Element | None:
        """Returns the first child element of that name, by default in this element's own namespace."""
        wanted = self.ns if ns is None else ns
        for child in self.children:
            if not isinstance(child, str) and child.name == name and child.ns == wanted:
                return child
        return None

    def get(self, attribute: str) -> str | None:
        """Returns the value of an attribute, or None."""
        return self.attributes.get(attribute)

    @property
    def text(self) -> str:
        """The character data directly inside this element, that of its children left out."""
        return "".join(child for child in self.children if isinstance(child, str))

    @property
    def lang(self) -> str | None:
        """The xml:lang written on this very element, or None."""
        return self.attributes.get("xml:lang")
