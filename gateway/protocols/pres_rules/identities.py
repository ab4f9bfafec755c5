"""The identities in rules, as addresses: one canonical form for all schemes that a contact can be reached at."""

from typing import Final
from urllib.parse import quote, unquote

from gateway.errors import AddressError
from gateway.model.address import Address, ascii_domain
from gateway.protocols.sip.addressing import address_of, uri_of
from gateway.protocols.sip.faults import SipSyntaxError
from gateway.protocols.sip.uri import SipUri

_SIP: Final = ("sip", "sips", "pres", "im")
_ELSE: Final = frozenset({"tel", "mailto", "http", "https", "urn", "h323"})


class NoContact(AddressError):
    """Says that an identity is well formed and none that a contact can have."""


def address_in(uri: str) -> Address:
    """Gives the bare address of a URI with the scheme sip, sips, pres, im or xmpp, which are one person here.

    Raises NoContact for an identity of another kind, AddressError for one that cannot be read.
    """
    scheme, _, rest = uri.strip().partition(":")
    scheme = scheme.lower()
    if scheme in _ELSE:
        raise NoContact("the scheme is none of contacts")
    if scheme == "xmpp":
        address = _of_xmpp(rest)
    elif scheme in _SIP:
        try:
            address = address_of(SipUri.parse(f"{'sip' if scheme == 'sips' else scheme}:{rest}"))
        except SipSyntaxError as problem:
            raise AddressError(str(problem)) from None
    else:
        raise AddressError("not a URI of a person")
    if not address.local or address.resource:
        raise AddressError("not the address of a person")
    return address


def uri_for(address: Address) -> str:
    """Gives the URI by which a rule names a contact: sip where there is one, else xmpp."""
    try:
        return str(uri_of(address))
    except (AddressError, SipSyntaxError):
        return f"xmpp:{quote(address.local, safe='')}@{ascii_domain(address.domain)}"


def _of_xmpp(rest: str) -> Address:
    if any(mark in rest for mark in "/?#"):
        raise AddressError("not the address of a person")
    try:
        return Address.parse(unquote(rest, errors="strict"))
    except UnicodeDecodeError:
        raise AddressError("escaped octets are not UTF-8") from None
