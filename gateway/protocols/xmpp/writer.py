"""Writes elements as XML that every peer can read (RFC 6120 sections 4.8 and 11)."""

import re
from typing import Final

from gateway.protocols.element import Element
from gateway.protocols.xml_text import UnwritableXml, escape_attribute, escape_text
from gateway.protocols.xmpp import names

_NAME: Final = re.compile(
    "[A-Z_a-z\xc0-\xd6\xd8-\xf6\xf8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c\u200d\u2070-\u218f\u2c00-\u2fef"
    "\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd]"
    "[-.0-9A-Z_a-z\xb7\xc0-\xd6\xd8-\xf6\xf8-\u037d\u037f-\u1fff\u200c\u200d\u203f\u2040\u2070-\u218f\u2c00-\u2fef"
    "\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd]*"
)
_KNOWN_NAMES: Final[set[str]] = set()
_KNOWN_ATTRIBUTES: Final[set[str]] = set()
_MOST_KNOWN_NAMES: Final = 1024


def serialise(
    element: Element, parent_ns: str = "", *, stanza_ns: str | None = None, replace_illegal: bool = False
) -> str:
    """Returns the element as XML text to stand inside an element whose default namespace is parent_ns.

    With stanza_ns, a stanza in any content namespace, and those of its descendants that are not inside a foreign
    payload, are written in that content namespace instead. Raises UnwritableXml.
    """
    out: list[str] = []
    moved = (element.ns, stanza_ns) if stanza_ns is not None and element.ns in names.CONTENT else None
    _write(out, element, parent_ns, moved, replace_illegal)
    return "".join(out)


def _write(out: list[str], element: Element, parent_ns: str, moved: tuple[str, str] | None, replace: bool) -> None:
    ns, name = element.ns, element.name
    if name not in _KNOWN_NAMES:
        _check_name(name, _KNOWN_NAMES)
    if moved is not None:
        if ns == moved[0]:
            ns = moved[1]
        else:
            moved = None
    if ns == parent_ns:
        out.append("<" + name)
    elif ns == names.XML:
        name = "xml:" + name
        ns = parent_ns
        out.append("<" + name)
    else:
        out.append(f"<{name} xmlns='{escape_attribute(ns, replace_illegal=replace)}'")
    for key, value in element.attributes.items():
        if key not in _KNOWN_ATTRIBUTES:
            key = _attribute_name(key, len(out))
        if not value.isprintable() or "&" in value or "<" in value or "'" in value or ">" in value:
            value = escape_attribute(value, replace_illegal=replace)
        out.append(f" {key}='{value}'")
    if not element.children:
        out.append("/>")
        return
    out.append(">")
    for child in element.children:
        if child.__class__ is str:
            out.append(escape_text(child, replace_illegal=replace))
        else:
            _write(out, child, ns, moved, replace)  # type: ignore[arg-type]
    out.append(f"</{name}>")


def _check_name(name: str, known: set[str]) -> None:
    if not _NAME.fullmatch(name):
        raise UnwritableXml("not an XML name")
    if len(known) < _MOST_KNOWN_NAMES and len(name) < 64:
        known.add(name)


def _attribute_name(key: str, number: int) -> str:
    """Returns how to write an attribute key, with the declaration of a prefix for it where it needs one."""
    if key.startswith("{"):
        ns, _, name = key[1:].rpartition("}")
        if not ns or ns == names.XML:
            raise UnwritableXml("an attribute cannot be in that namespace")
        _check_name(name, _KNOWN_NAMES)
        return f"xmlns:a{number}='{escape_attribute(ns)}' a{number}:{name}"
    if key.startswith("xml:"):
        _check_name(key[4:], _KNOWN_NAMES)
    elif key == "xmlns":
        raise UnwritableXml("a namespace declaration is not an attribute")
    else:
        _check_name(key, _KNOWN_ATTRIBUTES)
    return key
