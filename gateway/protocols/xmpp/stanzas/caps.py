"""Service discovery information and its hash, entity capabilities (XEP-0030, XEP-0115)."""

import hashlib
from base64 import b64encode
from functools import lru_cache
from typing import Final

from attrs import frozen

from gateway.protocols.element import Element
from gateway.protocols.ids import clean_id
from gateway.protocols.texts import text_of
from gateway.protocols.vocabulary import DEVICES
from gateway.protocols.xml_text import escape_attribute
from gateway.protocols.xmpp.stanzas import namespaces as ns
from gateway.protocols.xmpp.stanzas.clients import CAPABILITY_FEATURES

GATEWAY_NODE: Final = "urn:example:gateway:contact"
"""Is the caps node of outside contacts as the inside sees them; it names no product and no version."""


@frozen
class Identity:
    """Is a disco identity (XEP-0030 section 3.1)."""

    category: str
    type: str
    language: str = ""
    name: str = ""


Form = tuple[tuple[str, tuple[str, ...]], ...]
"""An extension form: (variable, values) pairs, FORM_TYPE among them (XEP-0128)."""


@frozen
class Disco:
    """Is what an entity says of itself in disco#info."""

    identities: tuple[Identity, ...]
    features: tuple[str, ...]
    forms: tuple[Form, ...] = ()


@frozen(cache_hash=True)
class Caps:
    """Is an announcement of capabilities in presence (XEP-0115 section 4)."""

    node: str
    ver: str
    hash: str = "sha-1"


def ver(disco: Disco) -> str:
    """Computes the verification string: base64 of the SHA-1 (XEP-0115 section 5.1)."""
    identities = sorted(f"{one.category}/{one.type}/{one.language}/{one.name}".encode() for one in disco.identities)
    features = sorted(feature.encode() for feature in disco.features)
    forms = sorted(_form_parts(form) for form in disco.forms)
    parts = [*identities, *features, *(part for form in forms for part in form)]
    return b64encode(hashlib.sha1(b"".join(part + b"<" for part in parts), usedforsecurity=False).digest()).decode()


def _form_parts(form: Form) -> list[bytes]:
    """Gives FORM_TYPE's value, then each variable followed by its sorted values, variables sorted by octets."""
    values = dict(form)
    parts = [value.encode() for value in values.get("FORM_TYPE", ())]
    for variable in sorted(values, key=str.encode):
        if variable != "FORM_TYPE":
            parts.append(variable.encode())
            parts.extend(sorted(value.encode() for value in values[variable]))
    return parts


def read_caps(element: Element) -> Caps | None:
    """Reads a `<c/>` element, or None when it lacks what a hash needs (XEP-0115 section 4)."""
    said = element.attributes.get
    return _caps(said("node"), said("ver"), said("hash"))


@lru_cache(maxsize=256)
def _caps(node: str | None, code: str | None, algorithm: str | None) -> Caps | None:
    node, code, algorithm = clean_id(node), clean_id(code), clean_id(algorithm)
    return Caps(node, code, algorithm) if node and code and algorithm else None


def write_caps(caps: Caps) -> str:
    """Writes a `<c/>` element."""
    return (
        f"<c xmlns='{ns.CAPS}' hash='{escape_attribute(caps.hash)}' node='{escape_attribute(caps.node)}'"
        f" ver='{escape_attribute(caps.ver)}'/>"
    )


def read_disco(query: Element) -> Disco:
    """Reads the payload of a disco#info result, so that its hash can be verified (XEP-0115 section 5.4)."""
    identities, features, forms = [], [], []
    for child in query.elements():
        attributes = child.attributes
        if child.ns == ns.DISCO_INFO and child.name == "identity":
            identities.append(Identity(*(attributes.get(key, "") for key in ("category", "type", "xml:lang", "name"))))
        elif child.ns == ns.DISCO_INFO and child.name == "feature":
            features.append(attributes.get("var", ""))
        elif child.ns == ns.FORMS and child.name == "x":
            forms.append(_read_form(child))
    return Disco(tuple(identities), tuple(features), tuple(forms))


def write_disco(disco: Disco, node: str = "") -> str:
    """Writes the payload of a disco#info result."""
    shown_node = f" node='{escape_attribute(node)}'" if node else ""
    return (
        f"<query xmlns='{ns.DISCO_INFO}'{shown_node}>"
        + "".join(map(_write_identity, disco.identities))
        + "".join(f"<feature var='{escape_attribute(feature)}'/>" for feature in disco.features)
        + "</query>"
    )


def _write_identity(identity: Identity) -> str:
    language = f" xml:lang='{escape_attribute(identity.language)}'" if identity.language else ""
    name = f" name='{escape_attribute(identity.name, replace_illegal=True)}'" if identity.name else ""
    category, kind = escape_attribute(identity.category), escape_attribute(identity.type)
    return f"<identity category='{category}' type='{kind}'{language}{name}/>"


def _read_form(form: Element) -> Form:
    return tuple(
        (field.attributes.get("var", ""), tuple(text_of(one) for one in field.elements() if one.name == "value"))
        for field in form.elements()
        if field.ns == ns.FORMS and field.name == "field"
    )


@lru_cache(maxsize=256)
def disco_of(capabilities: frozenset[str], device: str | None) -> Disco:
    """Gives what a person's endpoint says of itself, from what a document lets a contact know."""
    features = sorted(CAPABILITY_FEATURES[word] for word in capabilities if word in CAPABILITY_FEATURES)
    identity = Identity("client", device if device and device in DEVICES else "pc")
    return Disco((identity,), (ns.DISCO_INFO, ns.CAPS, *features))


@lru_cache(maxsize=256)
def caps_of(capabilities: frozenset[str], device: str | None) -> Caps:
    """Gives the announcement of `disco_of`."""
    return Caps(GATEWAY_NODE, ver(disco_of(capabilities, device)))


DISCO_FOR_CONTACTS: Final = Disco(
    # A client type is needed to look like a person's client; the commonest one says least.
    identities=(Identity("client", "pc"),),
    features=tuple(
        sorted(
            [
                ns.CAPS,
                ns.DISCO_INFO,
                ns.CHAT_STATES,
                ns.RECEIPTS,
                ns.CORRECTION,
                *(
                    f"{node}+notify"
                    for node in (ns.ACTIVITY, ns.MOOD, ns.LOCATION, ns.NICK, ns.AVATAR_METADATA, ns.VCARD4_NODE)
                ),
            ]
        )
    ),
)
"""Is what every outside contact says of itself to the inside, so that the inside server sends it published events."""

CAPS_FOR_CONTACTS: Final = Caps(GATEWAY_NODE, ver(DISCO_FOR_CONTACTS))
"""Announces DISCO_FOR_CONTACTS in presence towards the inside."""
