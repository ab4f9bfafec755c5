"""Server dialback: keys, and the elements that carry them (XEP-0220, keys as in XEP-0185)."""

import hashlib
import hmac
from enum import Enum
from typing import Final

from attrs import field, frozen

from gateway.protocols.element import Element
from gateway.protocols.xml_text import escape_attribute, escape_text
from gateway.protocols.xmpp import names

ERROR_TYPES: Final = {
    "item-not-found": "cancel",
    "remote-connection-failed": "cancel",
    "remote-server-not-found": "cancel",
    "remote-server-timeout": "wait",
    "policy-violation": "cancel",
    "not-authorized": "auth",
    "forbidden": "auth",
    "not-acceptable": "modify",
    "resource-constraint": "wait",
    "internal-server-error": "wait",
}
"""The conditions of a dialback error, with the stanza error type that goes with each (XEP-0220 section 2.4)."""


class Outcome(Enum):
    """What became of a dialback key or request."""

    VALID = "valid"
    INVALID = "invalid"
    ERROR = "error"


@frozen
class DialbackSecret:
    """The secret behind the keys of this process or of all nodes of a cluster; at least 16 random bytes."""

    secret: bytes = field(repr=False)

    @secret.validator
    def _long_enough(self, _: object, secret: bytes) -> None:
        if len(secret) < 16:
            raise ValueError("a dialback secret has at least 16 bytes")

    def key(self, receiving: str, originating: str, stream_id: str) -> str:
        """Returns the key that the originating domain sends to the receiving domain on that stream (XEP-0185)."""
        derived = hashlib.sha256(self.secret).hexdigest().encode()
        text = f"{receiving} {originating} {stream_id}".encode("utf-8", "surrogatepass")
        return hmac.new(derived, text, hashlib.sha256).hexdigest()

    def proves(self, key: str, receiving: str, originating: str, stream_id: str) -> bool:
        """Says in constant time whether the key is the one that key() makes for these."""
        expected = self.key(receiving, originating, stream_id).encode()
        return hmac.compare_digest(key.encode("utf-8", "surrogatepass"), expected)


def write_dialback(
    kind: str,
    sender: str,
    recipient: str,
    *,
    stream_id: str | None = None,
    outcome: Outcome | None = None,
    key: str = "",
    condition: str = "internal-server-error",
) -> str:
    """Returns a db:result or db:verify (kind "result" or "verify"); a request carries a key, an answer an outcome."""
    head = f"<db:{kind} from='{escape_attribute(sender)}' to='{escape_attribute(recipient)}'"
    if stream_id is not None:
        head += f" id='{escape_attribute(stream_id)}'"
    if outcome is None:
        return f"{head}>{escape_text(key)}</db:{kind}>"
    head += f" type='{outcome.value}'"
    if outcome is not Outcome.ERROR:
        return head + "/>"
    known = condition if condition in ERROR_TYPES else "internal-server-error"
    return f"{head}><error type='{ERROR_TYPES[known]}'><{known} xmlns='{names.STANZA_ERRORS}'/></error></db:{kind}>"


def read_outcome(element: Element) -> Outcome | None:
    """Returns the outcome in an answer; None for a request; an unknown type counts as an error."""
    written = element.get("type")
    if written is None:
        return None
    return Outcome(written) if written in ("valid", "invalid") else Outcome.ERROR


def read_condition(element: Element) -> str | None:
    """Returns the condition of a dialback error, or None when there is none that XEP-0220 knows."""
    for error in element.elements():
        if error.name == "error":
            for child in error.elements():
                if child.ns == names.STANZA_ERRORS and child.name in ERROR_TYPES:
                    return child.name
    return None
