"""Addresses and SIP URIs, both ways (RFC 7247 section 5)."""

from functools import lru_cache
from typing import Final

from gateway.errors import AddressError
from gateway.model.address import Address, ascii_domain
from gateway.protocols.escaping import escape_characters, unescape_local
from gateway.protocols.sip.uri import SipUri

_SCHEMES: Final = frozenset({"sip", "im", "pres"})


class Untranslatable(AddressError):
    """Says why a URI stands for no address; `status` is what a request to it is answered with."""

    def __init__(self, problem: str, status: int) -> None:
        super().__init__(problem)
        self.status = status


def address_of(uri: SipUri) -> Address:
    """Gives the address behind a URI; raises Untranslatable (RFC 7247 section 5.1).

    Password, port, headers and all parameters are dropped but `gr`, which becomes the resource. A `sips` URI must not
    be translated (section 8), a temporary GRUU names nobody.
    """
    if uri.scheme not in _SCHEMES:
        raise Untranslatable("the scheme has no address", 416)
    resource = uri.parameter("gr")
    if resource == "":
        raise Untranslatable("a temporary GRUU", 404)
    domain = uri.sent_host
    try:
        return Address.of(escape_characters(uri.user), domain, resource or "")
    except AddressError:
        raise Untranslatable("the URI is no address", 404) from None


def uri_of(address: Address, scheme: str = "sip") -> SipUri:
    r"""Gives the URI of an address, its resource as `gr`; raises AddressError (RFC 7247 section 5.2).

    An address that escapes a backslash without need (`\5cab`) has no URI: its owner would come back as somebody else.
    """
    user = unescape_local(address.local)
    if escape_characters(user) != address.local:
        raise AddressError("the address has an escape sequence that stands for nothing")
    host = ascii_domain(address.domain)
    literal = host[1:-1] if host.startswith("[") else host
    return SipUri(scheme, user, literal, parameters=(("gr", address.resource),) if address.resource else ())


@lru_cache(8192)
def uri_text(address: Address) -> str:
    """Gives the text of `uri_of`, kept since each message of a person asks for it again; raises AddressError."""
    return str(uri_of(address))
