"""Domain names in the one form that DNS and TLS know: lower-case A-labels."""

from __future__ import annotations

import re

import idna

_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\Z")


def a_label(domain: str) -> str:
    """Returns the domain in lower-case A-labels without a final dot; or raises ValueError (RFC 5890)."""
    name = domain.removesuffix(".")
    # ASCII goes round idna: it refuses the underscore, which internal domains do have.
    ascii_name = name.lower() if name.isascii() else idna.encode(name, strict=True).decode("ascii")
    if not _NAME.match(ascii_name):
        raise ValueError("not a domain name")
    return ascii_name


def same_domain(one: str, other: str) -> bool:
    """Says whether two spellings, in A-labels or U-labels, name the same domain."""
    try:
        return a_label(one) == a_label(other)
    except ValueError:
        return False
