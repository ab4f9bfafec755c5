"""SASL EXTERNAL between servers (RFC 6120 section 6, XEP-0178)."""

import base64
import binascii
from collections.abc import Callable
from typing import Final

from gateway.protocols.element import Element
from gateway.protocols.xml_text import escape_text
from gateway.protocols.xmpp import names

MECHANISMS: Final = f"<mechanisms xmlns='{names.SASL}'><mechanism>EXTERNAL</mechanism></mechanisms>"
SUCCESS: Final = f"<success xmlns='{names.SASL}'/>"


def failure(condition: str) -> str:
    """Returns a SASL failure with that condition (RFC 6120 section 6.5)."""
    return f"<failure xmlns='{names.SASL}'><{condition}/></failure>"


def encode_identity(identity: str) -> str:
    """Returns an authorization identity as it stands in auth and response; none at all is written "="."""
    return base64.b64encode(identity.encode()).decode() if identity else "="


def auth(identity: str) -> str:
    """Returns the request to authenticate by certificate under that authorization identity."""
    return f"<auth xmlns='{names.SASL}' mechanism='EXTERNAL'>{escape_text(encode_identity(identity))}</auth>"


def response(identity: str) -> str:
    """Returns the answer to a challenge, for a peer that ignored the initial response."""
    return f"<response xmlns='{names.SASL}'>{escape_text(encode_identity(identity))}</response>"


def judge(element: Element, proven: str, canonical: Callable[[str], str | None]) -> str | None:
    """Returns the SASL failure condition for an auth element, or None when it speaks for the proven domain only."""
    if element.get("mechanism") != "EXTERNAL":
        return "invalid-mechanism"
    if any(True for _ in element.elements()):
        return "malformed-request"
    written = element.text.strip()
    if written in ("", "="):
        return None
    try:
        identity = base64.b64decode(written, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return "incorrect-encoding"
    return None if canonical(identity) == proven else "invalid-authzid"


def offers_external(features: Element) -> bool:
    """Says whether stream features offer SASL EXTERNAL."""
    offered = features.child("mechanisms", names.SASL)
    return offered is not None and any(
        child.name == "mechanism" and child.text.strip() == "EXTERNAL" for child in offered.elements()
    )
