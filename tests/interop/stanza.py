"""One stanza that a client of the lab received, and how a test asks about it."""

from collections.abc import Callable
from xml.etree import ElementTree
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape, quoteattr

from attrs import frozen

_CLIENT = "{jabber:client}"


@frozen
class Stanza:
    """A stanza as it arrived, and when (seconds since 1970)."""

    xml: str
    at: float

    @property
    def element(self) -> Element:
        """The parsed stanza; elements in jabber:client have bare names, all others {namespace}name."""
        element = ElementTree.fromstring(self.xml)
        for part in element.iter():
            part.tag = part.tag.removeprefix(_CLIENT)
        return element

    @property
    def name(self) -> str:
        """message, presence, iq, or {namespace}name of something else."""
        return self.element.tag

    def __getitem__(self, attribute: str) -> str:
        """An attribute of the stanza itself, "" when absent."""
        return self.element.get(attribute, "")

    def find(self, path: str) -> Element | None:
        """The first element at an ElementTree path, e.g. "body" or "{urn:xmpp:delay}delay"."""
        return self.element.find(path)

    def text(self, path: str) -> str:
        """The text at a path, "" when there is none."""
        return self.element.findtext(path) or ""

    def matches(self, wanted: "Wanted") -> bool:
        """Whether a predicate holds, or a path that begins with the stanza's own name finds something.

        "message[@type='chat']/body" and ".//{urn:xmpp:delay}delay" are such paths.
        """
        if callable(wanted):
            return wanted(self)
        around = Element("stream")
        around.append(self.element)
        return around.find(wanted) is not None


Wanted = str | Callable[[Stanza], bool]
"""What a test waits for: a path or a predicate."""


def markup(name: str, body: str, **attributes: str) -> str:
    """An element in XML: `body` is markup already, attributes that are "" are left out."""
    written = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items() if value)
    return f"<{name}{written}>{body}</{name}>" if body else f"<{name}{written}/>"


def child(name: str, text: str) -> str:
    """A child element with text, or nothing for no text."""
    return markup(name, escape(text)) if text else ""
