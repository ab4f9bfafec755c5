"""The sections of gateway.toml about whom we speak with: partners, lists of domains, discovery, groups, walls."""

import datetime
import re
from collections.abc import Callable, Mapping
from typing import Any, NewType

from attrs import field, frozen

from gateway.config.describing import says
from gateway.config.values import (
    Addresses,
    Auth,
    Domain,
    Endpoint,
    LevelName,
    Pin,
    Place,
    Refused,
    Trust,
    person,
    text_of,
)
from gateway.errors import AddressError
from gateway.model.address import normal_domain
from gateway.model.presence import Field
from gateway.policy.access_level import Network
from gateway.policy.partners import (
    DISCOVERED_RATES,
    USUAL_MODALITIES,
    Modality,
    Rates,
    Start,
    Strangers,
    Verification,
)

DomainPattern = NewType("DomainPattern", str)
"""A normalised domain, `*.domain` for those below it, or `*` for all."""
Insider = NewType("Insider", str)
"""The bare address of one of our people, or the name of a group."""
_GROUP = re.compile(r"[^@\s/]{1,64}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")


@frozen
class Day:
    """Is a day of the calendar, in UTC."""

    date: datetime.date

    @property
    def end(self) -> float:
        """Gives the posix time at which it is over."""
        after = datetime.datetime.combine(self.date, datetime.time(), datetime.UTC) + datetime.timedelta(days=1)
        return after.timestamp()

    def __str__(self) -> str:
        return self.date.isoformat()


@frozen
class Texts:
    """Is one text in several languages, by language tag (RFC 5646)."""

    by_language: Mapping[str, str] = field(factory=dict)


@frozen
class Groups:
    """Says who is in which group."""

    members: Mapping[str, frozenset[str]] = field(factory=dict)
    """By the group's name: bare addresses."""

    def of(self, address: str) -> frozenset[str]:
        """Gives the groups that a bare address is in."""
        return frozenset(name for name, members in self.members.items() if address in members)


@frozen(kw_only=True)
class RateLimits:
    """What a partner may send us."""

    stanzas_per_second: float = field(
        default=Rates().stanzas_per_second, metadata=says("Stanzas a second, all of its people together.", least=0.1)
    )
    subscriptions_per_minute: float = field(
        default=Rates().subscriptions_per_minute, metadata=says("Subscription requests a minute.", least=0.1)
    )
    burst_seconds: float = field(
        default=Rates().burst_seconds, metadata=says("So many seconds' worth may come at once.", least=1)
    )


@frozen(kw_only=True)
class Partnership:
    """One federation partner. It may also stand in a file of its own, conf.d/NAME.toml, without this header."""

    domain: Domain = field(
        metadata=says("Its domain, which is also its name in commands and metrics.", '"partner.example"')
    )
    aliases: tuple[Domain, ...] = field(default=(), metadata=says("Its further domains.", '["chat.partner.example"]'))
    via: str = field(default="xmpp", metadata=says("The leg that speaks to it."))
    network: Network = field(
        default=Network.FEDERATION, metadata=says("Its class: enterprise (our own group), federation, public_cloud.")
    )
    ceiling: LevelName | None = field(
        default=None, metadata=says("Its people never see more than this level, whatever anybody gives them.", '"team"')
    )
    ceiling_fields: frozenset[Field] | None = field(
        default=None, metadata=says("Instead of a ceiling level: the fields themselves.", '["availability", "show"]')
    )
    modalities: frozenset[Modality] = field(
        default=USUAL_MODALITIES,
        metadata=says(f"What may pass, of: {', '.join(kind.value for kind in Modality)}."),
    )
    strangers: Strangers = field(
        default=Strangers.ASK,
        metadata=says("A request from a contact that nobody knows: accept, ask the person, or refuse in silence."),
    )
    locks: frozenset[Field] = field(
        default=frozenset(), metadata=says("Fields that never leave for this partner.", '["phone.mobile"]')
    )
    rates: RateLimits = field(factory=RateLimits, metadata=says("What it may send us."))
    auth: frozenset[Auth] = field(
        default=frozenset({Auth.EXTERNAL}),
        metadata=says("How it may prove its domain: external (certificate), dialback (weaker, still inside TLS)."),
    )
    pins: frozenset[Pin] = field(
        default=frozenset(),
        metadata=says(
            "Public keys that it may have; then no authority needs to vouch for it.", f'["sha256:{"0" * 64}"]'
        ),
    )
    ca: Trust | None = field(
        default=None,
        metadata=says("Authorities believed for it instead of those in [tls].", '"/etc/gateway/partner-ca.crt"'),
    )
    route: Endpoint | None = field(
        default=None, metadata=says("Where it is dialled, instead of asking DNS.", '"192.0.2.10:5269"')
    )
    direct_tls: bool = field(
        default=False, metadata=says("Whether the route speaks TLS from the first byte (XEP-0368); needs a route.")
    )
    addresses: Addresses = field(
        default=Addresses.PUBLIC,
        metadata=says("Which addresses from DNS are dialled: public, or any (private and loopback too)."),
    )
    server_only_certificates: bool = field(
        default=True,
        metadata=says(
            "Whether a certificate for servers only (all that public authorities now issue) proves it to us."
        ),
    )
    dane: bool = field(
        default=False,
        metadata=says(
            "Whether its TLSA records (DANE) count when we call it; needs [outside.xmpp] dns: "
            "a validating resolver on loopback."
        ),
    )
    posh: bool = field(
        default=False,
        metadata=says(
            "Whether a certificate counts that its web server names "
            "(https://DOMAIN/.well-known/posh/xmpp-server.json), where no authority vouches for it."
        ),
    )
    sessions: bool = field(
        default=False,
        metadata=says("With SIP: whether messages go in sessions (INVITE), as Office Communicator and Lync want."),
    )
    literal_errors: bool = field(
        default=False,
        metadata=says("With SIP: whether errors are those of RFC 7247 table 2 to the letter, 401, 407 and 6xx too."),
    )
    languages: tuple[str, ...] = field(
        default=(),
        metadata=says(
            "With SIP: which of a message's texts goes, the first that there is; what a peer asks for goes before.",
            '["de", "en"]',
        ),
    )
    people: frozenset[Insider] | None = field(
        default=None,
        metadata=says(
            "Those of our people (address or group) who may be reached and may write; default: all.", '["sales"]'
        ),
    )
    start: Start = field(
        default=Start.BOTH,
        metadata=says("Who may start a conversation: both, ours, theirs; the other side answers while it lasts."),
    )
    verification: Verification = field(
        default=Verification.ALWAYS,
        metadata=says(
            "Which senders are verified: always, marked (by the partner's server), never; "
            "others reach only who knows them."
        ),
    )
    edge: Domain | None = field(
        default=None,
        metadata=says(
            "With SIP: our own Access Edge through which it comes, whose certificate and marks then count.",
            '"edge.corp.example"',
        ),
    )
    expires: Day | None = field(
        default=None, metadata=says("The last day (UTC) of the contract; afterwards nothing passes.", "2027-12-31")
    )
    contacts: tuple[str, ...] = field(
        default=(), metadata=says("Whom to call about it.", '["Dana Duty, +1 202 555 0143"]')
    )
    disclosure: Texts = field(
        default=Texts(),
        metadata=says(
            "What people are told about it, by language.", '{ en = "Messages to this partner may be recorded." }'
        ),
    )
    bidi: bool = field(default=True, metadata=says("Whether one connection may serve both directions (XEP-0288)."))


@frozen(kw_only=True)
class Federation:
    """With which domains nobody speaks, and who of our people may federate at all."""

    deny: frozenset[DomainPattern] = field(
        default=frozenset(),
        metadata=says(
            "Domains with which nothing passes, whatever else is said: a domain, or *.domain for those below it.",
            '["bad.example", "*.bad.example"]',
        ),
    )
    allow: frozenset[DomainPattern] = field(
        default=frozenset(),
        metadata=says(
            "Domains without a [[partner]] that are spoken to on the terms of [discovery], without its safeguards.",
            '["*.ally.example"]',
        ),
    )
    people: frozenset[Insider] | None = field(
        default=None,
        metadata=says("Those of our people (address or group) who may federate; default: all.", '["staff"]'),
    )
    barred: frozenset[Insider] = field(
        default=frozenset(), metadata=says("Those who may not, whatever else they are.", '["interns"]')
    )


@frozen(kw_only=True)
class Discovering:
    """Speaking with domains that have no [[partner]]: found in DNS, proven by certificate, kept on a short lead."""

    on: bool = field(default=False, metadata=says("Whether with any domain that is not denied."))
    ceiling: LevelName = field(
        default=LevelName("public"), metadata=says("The most that their people see, whatever anybody gives them.")
    )
    modalities: frozenset[Modality] = field(
        default=USUAL_MODALITIES,
        metadata=says(f"What may pass, of: {', '.join(kind.value for kind in Modality)}."),
    )
    network: Network = field(
        default=Network.FEDERATION, metadata=says("Their class: enterprise, federation, public_cloud.")
    )
    strangers: Strangers = field(
        default=Strangers.ASK, metadata=says("A request from a contact that nobody knows: accept, ask, or refuse.")
    )
    start: Start = field(default=Start.BOTH, metadata=says("Who may start a conversation: both, ours, theirs."))
    verification: Verification = field(
        default=Verification.MARKED, metadata=says("Which senders are verified: always, marked, never.")
    )
    messages_per_second: float = field(
        default=DISCOVERED_RATES.stanzas_per_second, metadata=says("Stanzas a second of each domain.", least=0.1)
    )
    suspicious_per_second: float = field(
        default=DISCOVERED_RATES.suspicious_per_second or 1.0,
        metadata=says("Stanzas a second once most of what a domain asks for is refused.", least=0.1),
    )
    people: int = field(
        default=DISCOVERED_RATES.people or 1000,
        metadata=says("Addresses of ours, existing or not, that a domain may ask for.", least=1),
    )
    addresses: Addresses = field(
        default=Addresses.PUBLIC, metadata=says("Which addresses from DNS are dialled: public, or any.")
    )
    server_only_certificates: bool = field(
        default=True, metadata=says("Whether a certificate for servers only proves a domain to us.")
    )


@frozen(kw_only=True)
class Walled:
    """A wall between a group of our people and a partner."""

    group: Insider | None = field(
        default=None, metadata=says("The group, or one person; default: everybody.", '"research"')
    )
    partner: Domain | None = field(
        default=None, metadata=says("The partner; default: all partners.", '"partner.example"')
    )
    modalities: frozenset[Modality] = field(
        default=frozenset(Modality), metadata=says("What it keeps out; default: everything.", '["im", "presence"]')
    )


@frozen(kw_only=True)
class Echo:
    """An address at each of our domains that answers partners by itself, to try a federation against."""

    name: str = field(default="echo", metadata=says('Its name before the @, or "" for none; nobody else may have it.'))
    per_minute: float = field(default=30.0, metadata=says("Answers a minute to one partner.", least=1))


def domain_pattern(value: object, place: Place) -> DomainPattern:
    """Reads a domain, `*.domain` or `*`."""
    text = text_of(value)
    if text == "*":
        return DomainPattern(text)
    below = text.startswith("*.")
    try:
        name = normal_domain(text[2:] if below else text)
    except AddressError as problem:
        raise Refused(str(problem)) from None
    if "*" in name:
        raise Refused("must be a domain, or *.domain for all below it")
    return DomainPattern(f"*.{name}" if below else name)


def insider(value: object, place: Place) -> Insider:
    """Reads the address of a person, or the name of a group."""
    text = text_of(value)
    if "@" in text:
        return Insider(str(person(text, place)))
    if not _GROUP.fullmatch(text):
        raise Refused("must be name@domain or the name of a group")
    return Insider(text)


def day(value: object, place: Place) -> Day:
    """Reads a date of TOML."""
    if isinstance(value, datetime.datetime) or not isinstance(value, datetime.date):
        raise Refused("must be a date without quotes: 2027-12-31")
    if value.year > 9000:
        raise Refused("is beyond the calendar")
    return Day(value)


def texts(value: object, place: Place) -> Texts:
    """Reads a table of language = text."""
    if not isinstance(value, dict):
        raise Refused('must be a table of language = "text"')
    for language in value:
        if not _LANGUAGE.fullmatch(language):
            raise Refused(f"{language} is no language tag")
    return Texts({language: text_of(text) for language, text in value.items()})


def groups(value: object, place: Place) -> Groups:
    """Reads a table of group = list of addresses."""
    if not isinstance(value, dict):
        raise Refused("must be a table of group = [addresses]")
    return Groups({_group(name): _members(name, listed, place) for name, listed in value.items()})


def _group(name: str) -> str:
    if not _GROUP.fullmatch(name):
        raise Refused(f"{name!r}: the name of a group has no @, no / and no spaces")
    return name


def _members(name: str, listed: object, place: Place) -> frozenset[str]:
    if not isinstance(listed, list):
        raise Refused(f"{name} must be a list of addresses")
    try:
        return frozenset(str(person(member, place)) for member in listed)
    except Refused as problem:
        raise Refused(f"{name}: {problem}") from None


READERS: Mapping[Any, Callable[[object, Place], Any]] = {
    DomainPattern: domain_pattern,
    Insider: insider,
    Day: day,
    Texts: texts,
    Groups: groups,
}
"""How the kinds of value that only these sections have are read; each raises Refused."""
