"""Outside addresses as local parts of the gateway's own domain (XEP-0106)."""

from gateway.errors import AddressError
from gateway.protocols.escaping import escape_local, unescape_local

__all__ = ["escape_address", "escape_local", "unescape_address", "unescape_local"]


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
