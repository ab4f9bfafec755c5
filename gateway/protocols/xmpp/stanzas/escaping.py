"""Outside addresses as local parts of the gateway's own domain (XEP-0106)."""

import re
from typing import Final

from gateway.errors import AddressError

_ESCAPES: Final = {
    " ": r"\20",
    '"': r"\22",
    "&": r"\26",
    "'": r"\27",
    "/": r"\2f",
    ":": r"\3a",
    "<": r"\3c",
    ">": r"\3e",
    "@": r"\40",
    "\\": r"\5c",
}
_CHARACTERS: Final = {escape: character for character, escape in _ESCAPES.items()}
_TO_ESCAPE: Final = re.compile(r"""[ "&'/:<>@]|\\(?=20|22|26|27|2f|3a|3c|3e|40|5c)""")
_TO_UNESCAPE: Final = re.compile(r"\\(?:20|22|26|27|2f|3a|3c|3e|40|5c)")


def escape_local(text: str) -> str:
    """Escapes what a local part may not hold; raises AddressError for a space at either end (XEP-0106 section 4)."""
    if text.startswith(" ") or text.endswith(" "):
        raise AddressError("a local part does not begin or end with a space")
    return _TO_ESCAPE.sub(lambda found: _ESCAPES[found[0]], text)


def unescape_local(local: str) -> str:
    """Undoes the ten escape sequences, once; anything else stays as it is (XEP-0106 section 4.3)."""
    return _TO_UNESCAPE.sub(lambda found: _CHARACTERS[found[0]], local) if "\\" in local else local


def escape_address(address: str, domain: str) -> str:
    r"""Puts an outside address at the gateway's domain: `bob\40partner.example@gateway.corp.example`, resource kept."""
    bare, slash, resource = address.partition("/")
    return f"{escape_local(bare)}@{domain}{slash}{resource}"


def unescape_address(address: str, domain: str) -> str:
    """Gives the outside address behind one at the gateway's domain; raises AddressError when it is none."""
    bare, slash, resource = address.partition("/")
    local, at_sign, host = bare.partition("@")
    if not at_sign or host != domain:
        raise AddressError(f"{address!r} is not a contact at {domain}")
    return f"{unescape_local(local)}{slash}{resource}"
