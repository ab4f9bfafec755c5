"""Characters that no local part may hold, as escape sequences (XEP-0106; RFC 7247 section 5 uses the same)."""

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


def escape_characters(text: str) -> str:
    """Escapes what a local part may not hold, a space at either end included."""
    return _TO_ESCAPE.sub(lambda found: _ESCAPES[found[0]], text)


def escape_local(text: str) -> str:
    """Escapes what a local part may not hold; raises AddressError for a space at either end (XEP-0106 section 4)."""
    if text.startswith(" ") or text.endswith(" "):
        raise AddressError("a local part does not begin or end with a space")
    return escape_characters(text)


def unescape_local(local: str) -> str:
    """Undoes the ten escape sequences, once; anything else stays as it is (XEP-0106 section 4.3)."""
    return _TO_UNESCAPE.sub(lambda found: _CHARACTERS[found[0]], local) if "\\" in local else local
