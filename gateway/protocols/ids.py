"""The short opaque texts of a stanza: ids, threads, language tags."""

import re
from typing import Final

MAX_ID: Final = 256
"""Characters that an id or a thread may have."""

_LANGUAGE: Final = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8}){0,4}")


def clean_id(text: str | None) -> str:
    """Gives the id as it is when it is printable and at most MAX_ID characters long, else ''."""
    return text if text is not None and len(text) <= MAX_ID and text.isprintable() else ""


def clean_language(text: str | None) -> str:
    """Gives a language tag as it is when it has the form of one, else '' (RFC 5646)."""
    return text if text and _LANGUAGE.fullmatch(text) else ""
