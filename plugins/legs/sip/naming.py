"""People as SIP names them and as the house does."""

from functools import lru_cache
from typing import Final

from gateway.errors import AddressError
from gateway.model.address import Address
from gateway.protocols.sip.addressing import address_of
from gateway.protocols.sip.faults import SipSyntaxError
from gateway.protocols.sip.uri import SipUri

_REMEMBERED: Final = 300
"""Characters of the longest URI whose person is kept."""


def person(uri: str) -> Address:
    """Gives the bare address behind a URI; raises AddressError."""
    return _known(uri) if len(uri) <= _REMEMBERED else _person(uri)


def _person(uri: str) -> Address:
    try:
        return address_of(SipUri.parse(uri)).bare
    except SipSyntaxError as problem:
        raise AddressError(str(problem)) from None


_known = lru_cache(8192)(_person)
