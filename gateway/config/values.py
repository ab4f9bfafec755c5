"""The kinds of value that a setting can have, and how each is read from TOML."""

import os
import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from enum import Enum
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NewType

from attrs import field, frozen

from gateway.errors import AddressError
from gateway.model.address import Address, normal_domain
from gateway.policy.access_level import Member, MemberKind, Network

Domain = NewType("Domain", str)
"""A normalised domain (RFC 7622 section 3.2)."""

Pin = NewType("Pin", str)
"""The SHA-256 of a public key (SubjectPublicKeyInfo), 64 hexadecimal digits in lower case."""

LevelName = NewType("LevelName", str)
"""The name of an access level; whether there is one is checked when all levels are known."""

DNS_PORT = 53


class LogLevel(Enum):
    """Says how much is logged; message content and published values never are."""

    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"


class InsideAuth(Enum):
    """Says how the gateway proves to the inside server that it speaks for a foreign domain."""

    MINTED = "minted"
    """With a certificate from its own inside authority (SASL EXTERNAL)."""
    DIALBACK = "dialback"
    """By answering the inside server's call back (XEP-0220)."""


class SipTransport(Enum):
    """Says how SIP travels on the inside; towards partners it is always TLS with both certificates."""

    TLS = "tls"
    TCP = "tcp"
    UDP = "udp"


class Auth(Enum):
    """Says by what a partner may prove its domain."""

    EXTERNAL = "external"
    """A certificate (SASL EXTERNAL, XEP-0178)."""
    DIALBACK = "dialback"
    """A call back (XEP-0220), always inside TLS."""


class Addresses(Enum):
    """Says which IP addresses found in DNS are dialled."""

    PUBLIC = "public"
    ANY = "any"


class Refused(Exception):
    """Says why a value is not accepted, and which known one was perhaps meant."""

    def __init__(self, why: str, meant: str = "") -> None:
        super().__init__(f'{why}. Did you mean "{meant}"?' if meant else why)


def nearest(word: str, known: Any) -> str:
    """Gives the known name that a misspelt one resembles, or ''."""
    found = get_close_matches(word.lower(), list(known), 1, 0.6)
    return found[0] if found else ""


@frozen
class Place:
    """Is what a value may depend on: the folder of its file, and the environment."""

    folder: Path
    environment: Mapping[str, str]

    def path(self, text: str) -> Path:
        """Resolves a path relative to the file that names it; raises Refused."""
        if not text or "\0" in text:
            raise Refused("is not a path")
        try:
            return Path(os.path.normpath(self.folder / Path(text).expanduser()))
        except RuntimeError:
            raise Refused("names the home of nobody") from None


@frozen
class Endpoint:
    """Is a host (name or literal address, without brackets) and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@frozen
class Secret:
    """Is a text that no repr and no message shows."""

    text: str = field(repr=False)


@frozen
class Trust:
    """Says which authorities are believed: those of the system, those of a file, or none (then pins decide)."""

    system: bool = True
    file: Path | None = None

    @property
    def nobody(self) -> bool:
        """Says whether no authority is believed."""
        return not self.system and self.file is None


@frozen
class Targets:
    """Says where the inside server of each of our domains listens."""

    everywhere: Endpoint | None = None
    by_domain: Mapping[str, Endpoint] = field(factory=dict)

    def of(self, domain: str) -> Endpoint | None:
        """Gives the address for one of our domains, or None."""
        return self.by_domain.get(domain, self.everywhere)


def text_of(value: object) -> str:
    """Gives a text; raises Refused for anything else and for ''."""
    if not isinstance(value, str) or not value:
        raise Refused("must be a text in quotes")
    return value


def endpoint(value: object, place: Place, default_port: int | None = None) -> Endpoint:
    """Reads `host:port` or `[address]:port`."""
    text = text_of(value)
    if default_port is not None and (_is_literal(text) or ":" not in text):
        return Endpoint(text, default_port)
    found = re.fullmatch(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^\[\]:\s/@]+)):(?P<port>\d{1,5})", text)
    if not found or not 1 <= int(found["port"]) <= 65535:
        raise Refused('must be "host:port" or "[address]:port"')
    if found["six"] and not _is_literal(found["six"]):
        raise Refused("is not an IPv6 address in the brackets")
    return Endpoint(found["six"] or found["host"], int(found["port"]))


def endpoint_or_off(value: object, place: Place) -> Endpoint | None:
    """Reads an endpoint, or `off`."""
    return None if value == "off" else endpoint(value, place)


def _is_literal(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


@frozen
class Nameserver:
    """Is the address of a DNS server."""

    address: Endpoint

    @classmethod
    def read(cls, value: object, place: Place) -> "Nameserver":
        """Reads an IP address, with a port after a colon when it is not 53."""
        address = endpoint(value, place, DNS_PORT)
        if not _is_literal(address.host):
            raise Refused("must be an IP address, not a name")
        return cls(address)

    @property
    def loopback(self) -> bool:
        """Says whether nobody stands between it and us."""
        return ip_address(self.address.host).is_loopback


def secret(value: object, place: Place) -> Secret:
    """Reads the secret itself, `{ file = "..." }`, or `{ credential = "..." }` (systemd's LoadCredential)."""
    match value:
        case str() if value:
            return Secret(value)
        case {"file": str(name), **rest} if not rest:
            return _secret_file(place.path(name))
        case {"credential": str(name), **rest} if not rest:
            folder = place.environment.get("CREDENTIALS_DIRECTORY")
            if not folder:
                raise Refused("names a credential, but $CREDENTIALS_DIRECTORY is not set: is this run by systemd?")
            if "/" in name or name.startswith("."):
                raise Refused("the name of a credential is a plain file name")
            return _secret_file(Path(folder) / name)
    raise Refused('must be a text, { file = "..." } or { credential = "..." }')


def _secret_file(path: Path) -> Secret:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "it is not UTF-8"
        raise Refused(f"cannot read {path}: {reason}") from None
    if not text:
        raise Refused(f"{path} is empty")
    return Secret(text)


def trust(value: object, place: Place) -> Trust:
    """Reads `system`, `none`, or the path of a PEM file."""
    match text_of(value):
        case "system":
            return Trust()
        case "none":
            return Trust(system=False)
        case text:
            return Trust(False, place.path(text))


def targets(value: object, place: Place) -> Targets:
    """Reads one endpoint for all domains, or a table of domain = endpoint."""
    if isinstance(value, dict):
        return Targets(None, {domain(name, place): endpoint(where, place) for name, where in value.items()})
    return Targets(endpoint(value, place))


def domain(value: object, place: Place) -> Domain:
    """Reads a domain name."""
    text = text_of(value)
    if text.startswith("*"):
        raise Refused("must be one domain: a wildcard is not a partner")
    try:
        return Domain(normal_domain(text))
    except AddressError as problem:
        raise Refused(str(problem)) from None


def person(value: object, place: Place) -> Address:
    """Reads the bare address of a person."""
    try:
        address = Address.parse(text_of(value))
    except AddressError as problem:
        raise Refused(str(problem)) from None
    if not address.local or address.resource:
        raise Refused("must be a person: name@domain")
    return address


def pin(value: object, place: Place) -> Pin:
    """Reads `sha256:` and 64 hexadecimal digits; colons between the digits are allowed."""
    scheme, _, digits = text_of(value).partition(":")
    digits = digits.replace(":", "").lower()
    if scheme.lower() != "sha256" or not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise Refused('must be "sha256:" and the 64 hexadecimal digits of the public key\'s hash')
    return Pin(digits)


def member(value: object, place: Place) -> Member:
    """Reads a contact, a domain, `*.domain`, a network class or `everyone`."""
    text = text_of(value)
    try:
        found = Member.parse(text)
    except AddressError as problem:
        raise Refused(str(problem)) from None
    if found.kind is MemberKind.DOMAIN and "." not in found.value:
        meant = nearest(text, ["everyone", *(network.value for network in Network)])
        if meant:
            raise Refused("is neither a contact, a domain nor a network class", meant)
    return found


def level_name(value: object, place: Place) -> LevelName:
    """Reads the name of a level."""
    return LevelName(text_of(value))


READERS: Mapping[Any, Callable[[object, Place], Any]] = {
    Endpoint: endpoint,
    Endpoint | None: endpoint_or_off,
    Nameserver: Nameserver.read,
    Secret: secret,
    Secret | None: secret,
    Trust: trust,
    Trust | None: trust,
    Targets: targets,
    Domain: domain,
    Pin: pin,
    Member: member,
    LevelName: level_name,
    Address | None: person,
}
"""How each kind of value is read; each raises Refused."""
