"""The [[directory]] tables: where the administrator keeps published information, and where the calendars are."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, NewType
from urllib.parse import urlsplit

from attrs import field, frozen

from gateway.config.describing import says
from gateway.config.values import Place as FilePlace
from gateway.config.values import Refused, Secret, Trust, domain, nearest, text_of
from gateway.model.presence import Field

KINDS = 'What it is: "file", "ldap", "ical" or "caldav".'
NAME = "Its name in messages and commands."
SECRET = 'a text, { file = "..." }, or { credential = "..." } from systemd'

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9.;-]{0,126}")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

LdapUrl = NewType("LdapUrl", str)
"""Is `ldap://host[:port]` or `ldaps://host[:port]`."""
WebUrl = NewType("WebUrl", str)
"""Is an https address with `{local}`, `{domain}` or `{address}` in its path; http only on this machine."""
Assertion = NewType("Assertion", str)
"""Is `attribute={address}` or `attribute={local}`: how a person is found."""
Pattern = NewType("Pattern", str)
"""Is a text in which `{local}`, `{domain}` and `{address}` stand for the person's."""


@frozen
class Roots:
    """Says below which entry the people of each of our domains are."""

    everywhere: str = ""
    by_domain: Mapping[str, str] = field(factory=dict)

    def of(self, name: str) -> str | None:
        """Gives the base for one of our domains; None when there is none."""
        return self.by_domain.get(name, self.everywhere or None)


@frozen
class Attributes:
    """Says which attributes a field comes from, the first that has a value; an empty tuple switches a field off."""

    by_field: Mapping[Field, tuple[str, ...]] = field(factory=dict)


@frozen(kw_only=True)
class DirectoryFile:
    """A directory in a file (TOML or CSV); it is read again when it changes, whole or not at all."""

    KIND: ClassVar[str] = "file"

    kind: str = field(metadata=says(KINDS, '"file"', restart=True))
    name: str = field(metadata=says(NAME, '"staff"', restart=True))
    path: Path = field(
        metadata=says("The file; .csv or .toml, as plugins/README.md says.", '"/etc/gateway/staff.csv"', restart=True)
    )
    refresh_seconds: float = field(
        default=5.0, metadata=says("Seconds between looks whether the file has changed.", least=0.1, restart=True)
    )


@frozen(kw_only=True)
class DirectoryLdap:
    """A directory that speaks LDAP (RFC 4511)."""

    KIND: ClassVar[str] = "ldap"

    kind: str = field(metadata=says(KINDS, '"ldap"', restart=True))
    name: str = field(metadata=says(NAME, '"ldap"', restart=True))
    url: LdapUrl = field(
        metadata=says("The server: ldaps://host or ldap://host.", '"ldaps://ldap.corp.example"', restart=True)
    )
    base: Roots = field(
        metadata=says(
            'Entry below which the people are: "dn", or { "corp.example" = "dn", ... }.',
            '"ou=people,dc=corp,dc=example"',
            restart=True,
        )
    )
    starttls: bool = field(
        default=True, metadata=says("Whether ldap:// goes over to TLS before anything else is said.", restart=True)
    )
    ca: Trust = field(
        default=Trust(),
        metadata=says('Authorities believed for it: "system", or a PEM file.', '"system"', restart=True),
    )
    bind: str = field(
        default="",
        metadata=says(
            "The entry as which the gateway asks; none: anonymously.", '"cn=gateway,dc=corp,dc=example"', restart=True
        ),
    )
    password: Secret | None = field(
        default=None, metadata=says(f"Its password: {SECRET}.", '{ credential = "ldap" }', restart=True)
    )
    person: Assertion = field(
        default=Assertion("mail={address}"),
        metadata=says("What finds a person: an attribute with {address} or {local}.", restart=True),
    )
    filter: str = field(
        default="(objectClass=person)", metadata=says("What else must hold of an entry (RFC 4515).", restart=True)
    )
    attributes: Attributes = field(
        default=Attributes(),
        metadata=says(
            "Other attributes than the usual ones, by field; [] switches a field off.",
            '{ "phone.work" = ["telephoneNumber"], "photo" = [] }',
            restart=True,
        ),
    )
    groups: str = field(
        default="memberOf",
        metadata=says('Attribute that names the groups of a person; "": the groups are searched.', restart=True),
    )
    group_base: str = field(
        default="",
        metadata=says("Entry below which groups are searched.", '"ou=groups,dc=corp,dc=example"', restart=True),
    )
    group_member: str = field(
        default="member", metadata=says("Attribute of a group that names its members by their entry.", restart=True)
    )
    refresh_seconds: float = field(
        default=300.0, metadata=says("Seconds between looks for what has changed.", least=0.5, restart=True)
    )
    timeout_seconds: float = field(
        default=10.0, metadata=says("Seconds in which the server must answer.", least=0.1, restart=True)
    )


def _own_first(kind: type, settings: list[Any]) -> list[Any]:
    """Puts what a kind has of its own before what all have: so it stands in the sample."""
    return sorted(settings, key=lambda setting: setting.inherited)


@frozen(kw_only=True)
class Calendar:
    """What both kinds of calendar have."""

    ca: Trust = field(
        default=Trust(),
        metadata=says('Authorities believed for it: "system", or a PEM file.', '"system"', restart=True),
    )
    user: Pattern = field(
        default=Pattern(""), metadata=says("Name with which the gateway reads.", '"gateway"', restart=True)
    )
    password: Secret | None = field(
        default=None, metadata=says(f"Its password: {SECRET}.", '{ credential = "calendar" }', restart=True)
    )
    credentials: Path | None = field(
        default=None,
        metadata=says(
            'TOML file of people with a name of their own: "alice@corp.example" = { user = "...", password = "..." }.',
            '"/etc/gateway/calendars.toml"',
            restart=True,
        ),
    )
    out_of_office: str = field(
        default="Out of office",
        metadata=says("Note while a calendar says out of office; what the event says is never it.", restart=True),
    )
    days: int = field(
        default=4, metadata=says("Days of free and busy times that are published.", least=1, restart=True)
    )
    refresh_seconds: float = field(
        default=300.0, metadata=says("Seconds after which a calendar is read again.", least=1, restart=True)
    )
    timeout_seconds: float = field(
        default=20.0, metadata=says("Seconds in which the server must answer.", least=0.1, restart=True)
    )


@frozen(kw_only=True, field_transformer=_own_first)
class DirectoryIcal(Calendar):
    """Calendars as iCalendar documents behind web addresses (RFC 5545)."""

    KIND: ClassVar[str] = "ical"

    kind: str = field(metadata=says(KINDS, '"ical"', restart=True))
    name: str = field(metadata=says(NAME, '"calendars"', restart=True))
    url: WebUrl = field(
        metadata=says(
            "Where a person's calendar is: https, with {local}, {domain} or {address} in the path.",
            '"https://calendar.corp.example/{local}/basic.ics"',
            restart=True,
        )
    )


@frozen(kw_only=True, field_transformer=_own_first)
class DirectoryCaldav(Calendar):
    """Calendars on a CalDAV server (RFC 4791)."""

    KIND: ClassVar[str] = "caldav"

    kind: str = field(metadata=says(KINDS, '"caldav"', restart=True))
    name: str = field(metadata=says(NAME, '"caldav"', restart=True))
    url: WebUrl = field(
        metadata=says(
            "Where a person's calendar is: https, with {local}, {domain} or {address} in the path.",
            '"https://calendar.corp.example/{local}/calendar/"',
            restart=True,
        )
    )


Directories = DirectoryFile | DirectoryLdap | DirectoryIcal | DirectoryCaldav


def ldap_url(value: object, place: FilePlace) -> LdapUrl:
    """Reads `ldap://host[:port]` or `ldaps://host[:port]`."""
    text = text_of(value)
    parts = _split(text)
    if parts.scheme not in ("ldap", "ldaps") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise Refused('must be "ldaps://host" or "ldap://host", with a port if it is not the usual one')
    return LdapUrl(text)


def web_url(value: object, place: FilePlace) -> WebUrl:
    """Reads an address of the web in which the path names the person."""
    text = text_of(value)
    parts = _split(text)
    local = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not (parts.scheme == "https" or local) or not parts.hostname or parts.username or parts.fragment:
        raise Refused("must begin with https:// and name a host (http:// only on this machine), without a password")
    if "{" in parts.netloc:
        raise Refused("may name the person only after the host")
    pattern(text, place)
    if not _PLACEHOLDER.search(text):
        raise Refused("must name the person: {local}, {domain} or {address}")
    return WebUrl(text)


def pattern(value: object, place: FilePlace) -> Pattern:
    """Reads a text with placeholders."""
    text = text_of(value)
    for name in _PLACEHOLDER.findall(text):
        if name not in ("local", "domain", "address"):
            raise Refused(f"{{{name}}} stands for nothing; there are {{local}}, {{domain}} and {{address}}")
    return Pattern(text)


def assertion(value: object, place: FilePlace) -> Assertion:
    """Reads `attribute={address}` or `attribute={local}`."""
    text = text_of(value)
    name, _, asked = text.partition("=")
    if asked not in ("{address}", "{local}") or not _ATTRIBUTE.fullmatch(name):
        raise Refused("must be an attribute, =, and {address} or {local}")
    return Assertion(text)


def roots(value: object, place: FilePlace) -> Roots:
    """Reads one entry for all domains, or a table of domain = entry."""
    if isinstance(value, dict):
        return Roots("", {domain(name, place): text_of(where) for name, where in value.items()})
    return Roots(text_of(value))


def attributes(value: object, place: FilePlace) -> Attributes:
    """Reads a table of field = attribute, or list of attributes."""
    if not isinstance(value, dict):
        raise Refused("must be a table")
    return Attributes({_field(name): _attributes(entry) for name, entry in value.items()})


def _field(name: str) -> Field:
    known = {one.value: one for one in Field}
    if name not in known:
        raise Refused(f"{name} is no field", nearest(name, known))
    return known[name]


def _attributes(value: Any) -> tuple[str, ...]:
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(one, str) and _ATTRIBUTE.fullmatch(one) for one in listed):
        raise Refused("must be the name of an attribute, or a list of names")
    return tuple(listed)


def _split(text: str) -> Any:
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - raises for a port that is no number
    except ValueError as problem:
        raise Refused(f"is no address: {problem}") from None
    return parts


READERS: Mapping[Any, Callable[[object, FilePlace], Any]] = {
    LdapUrl: ldap_url,
    WebUrl: web_url,
    Pattern: pattern,
    Assertion: assertion,
    Roots: roots,
    Attributes: attributes,
}
"""How the kinds of value that only directories have are read; each raises Refused."""
