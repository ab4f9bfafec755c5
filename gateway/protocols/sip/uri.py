"""URIs as SIP uses them: sip, sips, tel, im and pres taken apart, all others whole (RFC 3261 section 19.1)."""

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address
from typing import Final

from attrs import frozen

from gateway.protocols.sip.faults import SipSyntaxError

MAX_HOST = 253
_CACHED_LENGTH = 200

_UNRESERVED: Final = r"A-Za-z0-9\-_.!~*'()"
_ESCAPED: Final = r"%[0-9A-Fa-f]{2}"
_PARAMETER: Final = rf"(?:[{_UNRESERVED}\[\]/:&+$]|{_ESCAPED})+"
_HOST: Final = r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?))"
_SIP: Final = re.compile(
    rf"(?:(?P<user>(?:[{_UNRESERVED}&=+$,;?/]|{_ESCAPED})+)(?::(?P<password>(?:[{_UNRESERVED}&=+$,]|{_ESCAPED})*))?@)?"
    rf"{_HOST}(?::(?P<port>[0-9]{{1,5}}))?"
    rf"(?P<parameters>(?:;{_PARAMETER}(?:={_PARAMETER})?)*)"
    rf"(?P<headers>\?(?:[{_UNRESERVED}\[\]/?:+$=&]|{_ESCAPED})+)?"
)
_MAILBOX: Final = re.compile(  # RFC 3859 and 3860: the local part is that of mailto
    rf"(?P<user>(?:[{_UNRESERVED}&=+$,;?/#^`{{|}}:]|{_ESCAPED})+)@{_HOST}"
    rf"(?P<headers>\?(?:[{_UNRESERVED}\[\]/?:+$=&]|{_ESCAPED})+)?"
)
_TEL: Final = re.compile(  # RFC 3966
    rf"(?P<user>\+?[0-9A-Fa-f*#\-.()]+)(?P<parameters>(?:;{_PARAMETER}(?:={_PARAMETER})?)*)"
)
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_OPAQUE: Final = re.compile(r"[!#-;=?-Z_a-z~\[\]]+")
_ESCAPE: Final = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_NOT_IN_USER: Final = re.compile(r"[^A-Za-z0-9\-_.!~*'()&=+$,;?/]+")
_NOT_IN_MAILBOX: Final = re.compile(r"[^A-Za-z0-9\-_!~*'&=+$?/#^`{|}]+")
_NOT_IN_PARAMETER: Final = re.compile(r"[^A-Za-z0-9\-_.!~*'()\[\]/:&+$]+")
_MUST_AGREE: Final = ("transport", "user", "ttl", "method", "maddr")


@frozen
class SipUri:
    """Is one URI in its decoded form; equality is that of the canonical text, `same_as` that of the RFC.

    `user`, parameter names (lower-case) and values are percent-decoded; `host` is lower-case and an IPv6 address has no
    brackets; `has_headers` tells that there was a `?` part; `opaque` is all behind the colon of an unknown scheme.
    """

    scheme: str
    user: str = ""
    host: str = ""
    port: int | None = None
    parameters: tuple[tuple[str, str], ...] = ()
    has_headers: bool = False
    opaque: str = ""

    @classmethod
    def parse(cls, text: str) -> "SipUri":
        """Reads a URI without angle brackets; raises SipSyntaxError (RFC 3261 section 25.1)."""
        return _parse_cached(text) if len(text) <= _CACHED_LENGTH else _parse(text)

    def parameter(self, name: str) -> str | None:
        """Gives the value of a parameter, empty when it has none, None when the parameter is missing."""
        return next((value for known, value in self.parameters if known == name), None)

    @property
    def sent_host(self) -> str:
        """Gives the host as it is written: an IPv6 address in brackets."""
        return f"[{self.host}]" if ":" in self.host else self.host

    def same_as(self, other: "SipUri") -> bool:
        """Compares as RFC 3261 section 19.1.4 does; a URI with headers equals no other, for they are not kept."""
        if (self.scheme, self.user, self.host, self.port) != (other.scheme, other.user, other.host, other.port):
            return False
        if self.has_headers or other.has_headers or self.opaque != other.opaque:
            return False
        mine, others = dict(self.parameters), dict(other.parameters)
        return all(mine.get(name, "").lower() == others.get(name, "").lower() for name in mine.keys() & others) and all(
            (name in mine) == (name in others) for name in _MUST_AGREE
        )

    def __str__(self) -> str:
        """Writes the canonical text, without password and headers."""
        if self.opaque:
            return f"{self.scheme}:{self.opaque}"
        if self.scheme == "tel":
            return f"tel:{self.user}{self._written_parameters()}"
        not_plain = _NOT_IN_MAILBOX if self.scheme in ("im", "pres") else _NOT_IN_USER
        user = f"{escape(self.user, not_plain)}@" if self.user else ""
        port = "" if self.port is None else f":{self.port}"
        return f"{self.scheme}:{user}{self.sent_host}{port}{self._written_parameters()}"

    def _written_parameters(self) -> str:
        written = []
        for name, value in self.parameters:
            plain = escape(name, _NOT_IN_PARAMETER)
            written.append(f";{plain}={escape(value, _NOT_IN_PARAMETER)}" if value else f";{plain}")
        return "".join(written)


def escape(text: str, not_plain: re.Pattern[str]) -> str:
    """Percent-encodes what the pattern matches, in upper case; raises SipSyntaxError for a lone surrogate."""
    try:
        return not_plain.sub(lambda found: "".join(f"%{octet:02X}" for octet in found[0].encode()), text)
    except UnicodeEncodeError:
        raise SipSyntaxError("a lone surrogate in a URI") from None


def unescape(text: str) -> str:
    """Undoes percent-encoding; raises SipSyntaxError when the octets are not UTF-8."""
    if "%" not in text:
        return text
    try:
        return _ESCAPE.sub(lambda found: bytes.fromhex(found[0].replace("%", "")).decode(), text)
    except UnicodeDecodeError:
        raise SipSyntaxError("escaped octets in a URI are not UTF-8") from None


def normal_host(name: str | None, v6: str | None) -> str:
    """Gives a host in lower case, an IPv6 address in its shortest form; raises SipSyntaxError."""
    if v6 is not None:
        try:
            return str(IPv6Address(v6.replace(":::", "::", 1)))  # RFC 5118 section 4.10: three colons are tolerated
        except AddressValueError:
            raise SipSyntaxError("not an IPv6 address between the brackets") from None
    if not name or len(name) > MAX_HOST:
        raise SipSyntaxError("a host has 1 to 253 characters")
    return name.lower()


def port_number(digits: str | None) -> int | None:
    """Gives the port, None when there is none; raises SipSyntaxError above 65535."""
    if digits is None:
        return None
    port = int(digits)
    if port > 65535:
        raise SipSyntaxError("a port is at most 65535")
    return port


def _parse(text: str) -> SipUri:
    scheme_match = _SCHEME.match(text)
    if scheme_match is None:
        raise SipSyntaxError("a URI begins with a scheme")
    scheme, rest = scheme_match[1].lower(), text[scheme_match.end() :]
    if scheme in ("sip", "sips"):
        found = _matched(_SIP, rest, scheme)
        return SipUri(
            scheme,
            unescape(found["user"] or ""),
            normal_host(found["host"], found["v6"]),
            port_number(found["port"]),
            _parameters(found["parameters"]),
            bool(found["headers"]),
        )
    if scheme in ("im", "pres"):
        found = _matched(_MAILBOX, rest, scheme)
        host = normal_host(found["host"], found["v6"])
        return SipUri(scheme, unescape(found["user"]), host, has_headers=bool(found["headers"]))
    if scheme == "tel":
        found = _matched(_TEL, rest, scheme)
        return SipUri(scheme, found["user"], parameters=_parameters(found["parameters"]))
    _matched(_OPAQUE, rest, "unknown")
    return SipUri(scheme, opaque=rest)


_parse_cached = lru_cache(4096)(_parse)


def _matched(pattern: re.Pattern[str], rest: str, scheme: str) -> re.Match[str]:
    found = pattern.fullmatch(rest)
    if found is None:
        raise SipSyntaxError(f"not a URI of the scheme {scheme}")
    return found


def _parameters(text: str) -> tuple[tuple[str, str], ...]:
    if not text:
        return ()
    pairs = []
    for parameter in text[1:].split(";"):
        name, _, value = parameter.partition("=")
        pairs.append((unescape(name).lower(), unescape(value)))
    if len(dict(pairs)) != len(pairs):
        raise SipSyntaxError("a URI parameter stands twice")
    return tuple(pairs)
