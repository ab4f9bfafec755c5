"""Addresses of people, contacts and domains (RFC 7622)."""

import re
from ipaddress import IPv6Address, ip_address

import idna
from precis_i18n import get_profile

from gateway.errors import AddressError

MAX_PART = 1023
"""Octets that each part of an address may have after normalisation (RFC 7622 section 3)."""

_FORBIDDEN_IN_LOCAL = frozenset("\"&'/:<>@ ")
_PLAIN_LOCAL = re.compile(r"[!#$%()*+,\-.0-9;=?A-Z\[\\\]^_`a-z{|}~]+")
_PLAIN_DOMAIN = re.compile(
    r"(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
_PLAIN_RESOURCE = re.compile(r"[ -~]+")
_CACHE_SIZE = 50_000

_username = get_profile("UsernameCaseMapped")
_opaque = get_profile("OpaqueString")
_cache: dict[str, "Address"] = {}


class Address(str):
    """Is its own normalised text: `local@domain/resource`, where local and resource may be missing.

    Equality and hashing are those of the text, so every table is keyed by the canonical form.
    `bare` is the address without the resource.
    """

    __slots__ = ("local", "domain", "resource", "bare")

    local: str
    domain: str
    resource: str
    bare: "Address"

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Normalises a text into an address; raises AddressError (RFC 7622 section 3)."""
        found = _cache.get(text)
        if found is None:
            found = cls.of(*_split(text))
            if len(_cache) >= _CACHE_SIZE:
                _cache.clear()
            _cache[text] = found
        return found

    @classmethod
    def of(cls, local: str, domain: str, resource: str = "") -> "Address":
        """Builds an address from its parts, each of which is normalised; raises AddressError."""
        return cls._join(
            _normal_local(local) if local else "", normal_domain(domain), _normal_resource(resource) if resource else ""
        )

    @classmethod
    def _join(cls, local: str, domain: str, resource: str) -> "Address":
        bare_text = f"{local}@{domain}" if local else domain
        address = super().__new__(cls, f"{bare_text}/{resource}" if resource else bare_text)
        address.local, address.domain, address.resource = local, domain, resource
        address.bare = cls._join(local, domain, "") if resource else address
        return address

    def at(self, resource: str) -> "Address":
        """Gives the same person at another resource; an empty resource gives the bare address."""
        return Address._join(self.local, self.domain, _normal_resource(resource)) if resource else self.bare


def normal_domain(text: str) -> str:
    """Normalises a domain to lower-case U-labels without a trailing dot; raises AddressError (RFC 7622 section 3.2)."""
    domain = text[:-1] if text.endswith(".") else text
    lowered = domain.lower()
    if _PLAIN_DOMAIN.fullmatch(lowered) and "xn--" not in lowered:
        return lowered
    if lowered.startswith("[") and lowered.endswith("]"):
        return f"[{_ipv6(lowered[1:-1], text)}]"
    try:
        unicode_form = idna.decode(lowered)
        idna.encode(unicode_form)
    except (idna.IDNAError, UnicodeError) as problem:
        raise AddressError(f"{text!r} is not a domain name: {problem}") from None
    if unicode_form.endswith("."):  # idna keeps a final dot, and knows four of them: two keys for one domain
        raise AddressError(f"{text!r} is not a domain name: Empty Label")
    if unicode_form != unicode_form.lower():  # an A-label may hide Cherokee capitals, which IDNA lets pass
        raise AddressError(f"{text!r} is not a domain name: it decodes to capital letters")
    return _bounded(unicode_form, "domain")


def ascii_domain(domain: str) -> str:
    """Gives the A-label form of a normalised domain, for DNS and certificates (RFC 5890)."""
    return domain if domain.isascii() else idna.encode(domain).decode("ascii")


def _split(text: str) -> tuple[str, str, str]:
    bare, slash, resource = text.partition("/")
    local, at_sign, domain = bare.partition("@")
    if not at_sign:
        local, domain = "", bare
    if slash and not resource:
        raise AddressError(f"{text!r} has an empty resource")
    if at_sign and not local:
        raise AddressError(f"{text!r} has an empty local part")
    if not domain:
        raise AddressError(f"{text!r} has no domain")
    return local, domain, resource


def _normal_local(text: str) -> str:
    if _PLAIN_LOCAL.fullmatch(text):
        return _bounded(text.lower(), "local part")
    try:
        local = _username.enforce(text)
    except (UnicodeError, ValueError) as problem:
        raise AddressError(f"{text!r} cannot be a local part: {problem}") from None
    forbidden = _FORBIDDEN_IN_LOCAL.intersection(local)
    if forbidden:
        raise AddressError(f"{text!r} cannot be a local part: it holds {' '.join(sorted(forbidden))}")
    return _bounded(local, "local part")


def _normal_resource(text: str) -> str:
    if _PLAIN_RESOURCE.fullmatch(text):
        return _bounded(text, "resource")
    try:
        return _bounded(_opaque.enforce(text), "resource")
    except (UnicodeError, ValueError) as problem:
        raise AddressError(f"{text!r} cannot be a resource: {problem}") from None


def _ipv6(text: str, whole: str) -> str:
    try:
        literal = ip_address(text)
    except ValueError:
        raise AddressError(f"{whole!r} is not an address literal") from None
    if not isinstance(literal, IPv6Address) or literal.scope_id is not None:  # a scope may hold any character
        raise AddressError(f"{whole!r} is not an IPv6 literal")
    return str(literal)


def _bounded(text: str, part: str) -> str:
    if not text or len(text.encode("utf-8", "surrogatepass")) > MAX_PART:
        raise AddressError(f"a {part} has 1 to {MAX_PART} octets")
    return text
