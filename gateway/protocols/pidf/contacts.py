"""Telephone numbers, e-mail and web addresses as URIs (RFC 3966, RFC 6068)."""

import re
from typing import Final
from urllib.parse import quote, unquote

from gateway.model.presence import Field

MAX_NUMBER: Final = 64
"""Characters of a telephone number that are taken."""
MAX_URI: Final = 1024
"""Characters of any other URI that are taken."""

PHONE_CLASSES: Final = {
    Field.PHONE_WORK: "work",
    Field.PHONE_MOBILE: "mobile",
    Field.PHONE_HOME: "home",
    Field.PHONE_OTHER: "other",
}
"""Kind of number to the RPID class (RFC 4480 section 3.2) of its tuple; a number without one is PHONE_OTHER."""

PHONE_FIELDS: Final = {word: name for name, word in PHONE_CLASSES.items()} | {"cell": Field.PHONE_MOBILE}

_PHONE: Final = re.compile(r"(\+?)([0-9 ().\-/\xa0]+?)(?:[;, ]*(?:ext\.?=?|x|#) ?([0-9]{1,10}))?", re.I | re.ASCII)
_TEL: Final = re.compile(r"\+?[0-9().\-*# ]*[0-9][0-9().\-*# ]*", re.ASCII)
_SEPARATORS: Final = re.compile(r"[^0-9]+", re.ASCII)
_EXTENSION: Final = re.compile(r"ext=([0-9]{1,10})", re.I | re.ASCII)
_WEB: Final = re.compile(r"https?://[!-~\xa1-\U0010ffff]+", re.IGNORECASE)


def write_tel(number: str, domain: str) -> str:
    """Gives a `tel:` URI with the digits of a number, or '' when it is none; a local one is that of the domain."""
    number = number.strip()
    found = _PHONE.fullmatch(number) if len(number) <= MAX_NUMBER else None
    if found is None or not (found[1] or domain):
        return ""
    digits = _SEPARATORS.sub("-", found[2]).strip("-")
    if not digits:
        return ""
    extension = f";ext={found[3]}" if found[3] else ""
    return f"tel:{found[1]}{digits}{extension}{'' if found[1] else f';phone-context={domain}'}"


def read_tel(uri: str) -> str:
    """Gives the number of a `tel:` URI with its extension, or '' when there is none."""
    number, *parameters = uri[4:].split(";", 8)
    if len(number) > MAX_NUMBER:
        return ""
    number = unquote(number).strip()
    if not _TEL.fullmatch(number):
        return ""
    extension = next((found[1] for one in parameters if (found := _EXTENSION.fullmatch(one))), "")
    return f"{number} ext {extension}" if extension else number


def write_mailto(address: str) -> str:
    """Gives a `mailto:` URI, or '' when the text is no e-mail address."""
    return "mailto:" + quote(address, safe="@+-._~!$'*") if _is_email(address) else ""


def read_mailto(uri: str) -> str:
    """Gives the first address of a `mailto:` URI, or ''."""
    if len(uri) > MAX_URI:
        return ""
    address = unquote(uri[7:].partition("?")[0].partition(",")[0])
    return address if _is_email(address) else ""


def is_web(uri: str) -> bool:
    """Says whether a text is a web address, http or https."""
    return len(uri) <= MAX_URI and _WEB.fullmatch(uri) is not None


def _is_email(address: str) -> bool:
    local, at, domain = address.rpartition("@")
    return bool(local and at and domain) and address.isprintable() and " " not in address and len(address) <= MAX_URI
