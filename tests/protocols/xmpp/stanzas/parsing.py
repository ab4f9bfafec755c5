"""Reads stanza texts with the standard library's parser: a second opinion beside the gateway's own reader."""

from xml.etree import ElementTree

from gateway.protocols.element import Element

SENDER = "alice@corp.example/desk"
RECIPIENT = "bob@partner.example"
NOW = 1_800_000_000.0


def parse(text: str, ns: str = "jabber:server") -> Element:
    """Gives the element of a stanza text as it stands in a stream whose content namespace is `ns`."""
    (stanza,) = ElementTree.fromstring(f"<stream xmlns='{ns}'>{text}</stream>")
    return _element(stanza)


def _element(tree: ElementTree.Element) -> Element:
    namespace, _, name = tree.tag[1:].rpartition("}")
    children: list[Element | str] = [tree.text] if tree.text else []
    for child in tree:
        children.append(_element(child))
        if child.tail:
            children.append(child.tail)
    return Element(namespace, name, {_key(key): value for key, value in tree.attrib.items()}, children)


def _key(key: str) -> str:
    return key.replace("{http://www.w3.org/XML/1998/namespace}", "xml:")
