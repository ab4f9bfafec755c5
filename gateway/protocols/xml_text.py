"""Text as XML 1.0 can carry it."""

import re
from typing import Final

_ILLEGAL: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class UnwritableXml(ValueError):
    """A tree holds a character, a name or a namespace that XML 1.0 cannot express."""


def _clean(text: str, replace_illegal: bool) -> str:
    if replace_illegal:
        return _ILLEGAL.sub("\ufffd", text)
    found = _ILLEGAL.search(text)
    if found:
        raise UnwritableXml(f"U+{ord(found[0]):04X} cannot be written in XML")
    return text


def escape_text(text: str, *, replace_illegal: bool = False) -> str:
    """Returns the string as character data; raises UnwritableXml for what XML cannot carry, or writes U+FFFD."""
    if not text.isprintable():  # the quick test is stricter than XML: newlines and the like take the slow one
        text = _clean(text, replace_illegal)
        if "\r" in text:
            return _escape(text).replace("\r", "&#13;")
    return _escape(text) if "&" in text or "<" in text or ">" in text else text


def escape_attribute(text: str, *, replace_illegal: bool = False) -> str:
    """Returns the string for use between single quotes, so that it survives attribute value normalisation."""
    if not text.isprintable():
        text = _escape(_clean(text, replace_illegal)).replace("'", "&apos;")
        return text.replace("\t", "&#9;").replace("\n", "&#10;").replace("\r", "&#13;")
    if "&" in text or "<" in text or ">" in text or "'" in text:
        return _escape(text).replace("'", "&apos;")
    return text


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
