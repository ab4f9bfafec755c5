"""End-to-end encrypted payloads: rebuilt from a closed grammar per scheme, so that nothing else travels in them."""

import re
from typing import Final

from attrs import frozen

from gateway.model.message import EncryptedPayload
from gateway.protocols.element import Element
from gateway.protocols.xml_text import escape_attribute
from gateway.protocols.xmpp.stanzas import namespaces as ns
from gateway.protocols.xmpp.writer import serialise

MAX_FORM: Final = 192 * 1024
"""Characters of one payload as written; OMEMO for a hundred devices stays below it."""
MAX_PAYLOADS: Final = 4
"""Payloads of one message that are taken."""

_BASE64: Final = re.compile(r"[A-Za-z0-9+/=\s]*", re.ASCII)
_ATTRIBUTES: Final = {
    "sid": re.compile(r"[0-9]{1,10}"),
    "rid": re.compile(r"[0-9]{1,10}"),
    "prekey": re.compile(r"true|false|[01]"),
    "kex": re.compile(r"true|false|[01]"),
    "jid": re.compile(r"[^\s/]{1,2047}"),
}


@frozen
class _Shape:
    """Says what an element may hold: attributes by name, child elements by name, or base64 text."""

    attributes: tuple[str, ...] = ()
    children: tuple[tuple[str, "_Shape"], ...] = ()
    text: bool = False


_BLOB: Final = _Shape(text=True)
_AXOLOTL_KEY: Final = _Shape(("rid", "prekey"), text=True)
_AXOLOTL_HEADER: Final = _Shape(("sid",), (("key", _AXOLOTL_KEY), ("iv", _BLOB)))
_OMEMO_KEYS: Final = _Shape(("jid",), (("key", _Shape(("rid", "kex"), text=True)),))
_OMEMO_HEADER: Final = _Shape(("sid",), (("keys", _OMEMO_KEYS),))

ENCRYPTED: Final = {
    (ns.OMEMO_AXOLOTL, "encrypted"): _Shape(children=(("header", _AXOLOTL_HEADER), ("payload", _BLOB))),
    (ns.OMEMO_2, "encrypted"): _Shape(children=(("header", _OMEMO_HEADER), ("payload", _BLOB))),
    (ns.PGP_LEGACY, "x"): _BLOB,
    (ns.PGP_0, "openpgp"): _BLOB,
}
"""Payload element to its shape (XEP-0384 0.3 and 0.8, XEP-0027, XEP-0373); XEP-0420 lives inside the ciphertext."""

_HINTS: Final = {
    scheme: f"<encryption xmlns='{ns.ENCRYPTION_HINT}' namespace='{escape_attribute(scheme)}'/>"
    for scheme, _ in ENCRYPTED
}


def read_encrypted(element: Element) -> EncryptedPayload | None:
    """Rebuilds a payload from what its scheme's grammar knows, or None when it does not fit."""
    shape = ENCRYPTED.get((element.ns, element.name))
    rebuilt = None if shape is None else _rebuild(element, shape)
    if rebuilt is None:
        return None
    form = serialise(rebuilt)
    return EncryptedPayload(element.ns, form) if len(form) <= MAX_FORM else None


def write_encrypted(payloads: tuple[EncryptedPayload, ...]) -> str:
    """Writes payloads, each with the hint that names its scheme (XEP-0380)."""
    return "".join(payload.form + _HINTS[payload.scheme] for payload in payloads if payload.scheme in _HINTS)


def _rebuild(element: Element, shape: _Shape) -> Element | None:
    attributes = {}
    for name in shape.attributes:
        value = element.attributes.get(name)
        if value is not None and _ATTRIBUTES[name].fullmatch(value):
            attributes[name] = value
    rebuilt = Element(element.ns, element.name, attributes)
    if shape.text:
        text = element.text
        if not _BASE64.fullmatch(text):
            return None
        rebuilt.children = ["".join(text.split())] if text.strip() else []
    allowed = dict(shape.children)
    for child in element.elements():
        if child.ns == element.ns and child.name in allowed:
            inner = _rebuild(child, allowed[child.name])
            if inner is None:
                return None
            rebuilt.children.append(inner)
    return rebuilt
