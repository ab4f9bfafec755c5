"""Turns the sections into policy values, and finds what contradicts itself."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Generic, TypeVar

from attrs import define, field, frozen

from gateway.config.directories import Directories, DirectoryFile, DirectoryLdap
from gateway.config.legs import InsideComponent, InsideServer, InsideSip, OutsideSip, OutsideXmpp
from gateway.config.lines import TomlPath
from gateway.config.reading import Reading, toml
from gateway.config.sections import (
    Assigned,
    File,
    Gateway,
    Level,
    Limits,
    MetricsPage,
    Partnership,
    Tls,
)
from gateway.config.values import Addresses, Auth, Domain, Endpoint, Trust, nearest
from gateway.model.presence import FIELD_ORDER, Field
from gateway.policy.access_level import STANDARD, AccessLevel, Assignment, Member, MemberKind, Origin
from gateway.policy.partners import Lock, Partner, Partners, Rates

MAX_RANK = STANDARD["blocked"].rank
_Section = TypeVar("_Section")
_LEVEL_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")


@frozen(kw_only=True)
class PartnerRoute:
    """Is the part of the contract with a partner that its leg carries out: how it is reached and proves itself."""

    partner: str
    auth: frozenset[Auth] = frozenset({Auth.EXTERNAL})
    pins: frozenset[str] = frozenset()
    """SHA-256 of public keys, hexadecimal; empty: any key."""
    ca: Trust = Trust()
    route: Endpoint | None = None
    direct_tls: bool = False
    addresses: Addresses = Addresses.PUBLIC
    """Which addresses found in DNS are dialled; a static route always is."""
    server_only_certificates: bool = True
    bidi: bool = True
    sessions: bool = False


@frozen(kw_only=True, eq=False)
class Config:
    """Is everything that gateway.toml says, checked and ready."""

    path: Path
    gateway: Gateway
    tls: Tls
    inside: InsideServer | InsideComponent | InsideSip
    xmpp: OutsideXmpp
    sip: OutsideSip
    limits: Limits
    metrics: MetricsPage
    default_level: str
    levels: Mapping[str, AccessLevel]
    """The five standard levels and those of the administrator, by name."""
    locks: tuple[Lock, ...]
    assignments: tuple[Assignment, ...]
    partners: Partners
    routes: Mapping[str, PartnerRoute]
    """By the partner's name."""
    directories: tuple[Directories, ...] = ()
    """In the order of the file, which is the order in which they are believed."""

    @property
    def domains(self) -> tuple[Domain, ...]:
        """Gives our own domains, the first of which is the main one."""
        return self.gateway.domains

    @property
    def state(self) -> Path:
        """Gives the folder of durable state."""
        return self.gateway.state

    @property
    def control(self) -> Path:
        """Gives the path of the control socket."""
        return self.gateway.control or self.gateway.state / "control.sock"

    @property
    def authority(self) -> Path:
        """Gives the folder of the inside authority."""
        chosen = self.inside.authority if isinstance(self.inside, InsideServer) else None
        return chosen or self.gateway.state / "inside-ca"


@frozen
class Placed(Generic[_Section]):
    """Is one table of an array of tables, and where it stands."""

    reading: Reading
    path: TomlPath
    section: _Section

    def refuse(self, key: str, why: str) -> None:
        """Notes a problem with one of its keys."""
        self.reading.refuse((*self.path, key), why)


@define(eq=False)
class Builder:
    """Builds the policy values of one configuration; problems go to the readings."""

    _file: File
    _reading: Reading
    _assigned: tuple[Placed[Assigned], ...]
    _partners: tuple[Placed[Partnership], ...]
    levels: dict[str, AccessLevel] = field(init=False, factory=lambda: dict(STANDARD))

    @property
    def own(self) -> tuple[Domain, ...]:
        """Gives our own domains, as far as they are known."""
        return self._file.gateway.domains if self._file.gateway else ()

    def check_house(self) -> None:
        """Checks what the tables other than levels, assignments and partners say about each other."""
        for name in ("gateway", "tls", "inside"):
            if getattr(self._file, name) is None and not self._complained(name):
                self._reading.refuse((), f"a [{name}] table is needed")
        if self._file.gateway is not None and not self.own:
            self._reading.refuse(("gateway", "domains"), "[gateway] domains is empty: name at least one domain of ours")
        self._check_inside()
        self._check_tls()
        self._check_directories()

    def _check_tls(self) -> None:
        tls = self._file.tls
        if tls is None:
            return
        if tls.ca.nobody:
            self._reading.refuse(
                ("tls", "ca"), '[tls] ca = "none" would believe nobody: give pins to a partner instead'
            )
        if self._reading.lines.has(("tls", "extra", len(tls.extra))):
            # One of them could not be read, so that the places of the others are not known.
            return
        for index, extra in enumerate(tls.extra):
            if self.own and extra.domain not in self.own:
                self._not_ours(("tls", "extra", index, "domain"), f"[[tls.extra]] domain = {toml(extra.domain)}")

    def _check_directories(self) -> None:
        names: set[str] = set()
        for index, section in enumerate(self._file.directory):
            path: TomlPath = ("directory", index)
            title = f"[[directory]] {section.name}"
            if not _LEVEL_NAME.fullmatch(section.name):
                self._reading.refuse((*path, "name"), f"{title}: a name has a-z, 0-9, - and _, 32 at most")
            if section.name in names:
                self._reading.refuse((*path, "name"), f"{title} is there twice")
            names.add(section.name)
            if isinstance(section, DirectoryLdap):
                for domain in section.base.by_domain:
                    if self.own and domain not in self.own:
                        self._not_ours((*path, "base", domain), f"{title} base names {domain}")
                if section.bind and section.password is None:
                    self._reading.refuse((*path, "bind"), f"{title} bind needs a password")
            elif isinstance(section, DirectoryFile) and section.path.suffix not in (".csv", ".toml"):
                self._reading.refuse((*path, "path"), f"{title} path must end in .csv or .toml")

    def _complained(self, name: str) -> bool:
        """Says whether the table is there, so that its own problems have been told."""
        return self._reading.lines.has((name,))

    def _check_inside(self) -> None:
        inside = self._file.inside
        if not isinstance(inside, InsideServer | InsideSip):
            return
        targets = inside.connect
        for name in targets.by_domain:
            if self.own and name not in self.own:
                self._not_ours(("inside", "connect", name), f"[inside] connect names {name}")
        for name in self.own:
            if targets.of(name) is None:
                self._reading.refuse(("inside", "connect"), f"[inside] connect says nothing about {name}")
        if inside.ca.nobody and not inside.pins:
            self._reading.refuse(("inside", "ca"), '[inside] ca = "none" needs pins')

    def _not_ours(self, path: TomlPath, what: str) -> None:
        self._reading.refuse(path, f"{what}: not one of our domains ({', '.join(self.own)})")

    # -- levels --------------------------------------------------------------------------------------------------

    def build_levels(self) -> Mapping[str, AccessLevel]:
        """Gives the five standard levels and the administrator's own."""
        defined = dict(self._file.levels)
        for name in defined:
            self._check_level(name, defined)
        for name, level in defined.items():
            if name not in STANDARD:
                self.levels[name] = AccessLevel(name, self._fields_of(name, defined), level.rank)
        return self.levels

    def _check_level(self, name: str, defined: Mapping[str, Level]) -> None:
        path: TomlPath = ("levels", name)
        level = defined[name]
        if name in STANDARD:
            self._reading.refuse(path, f"[levels.{name}] is a standard level, which has its fields from the table")
        elif not _LEVEL_NAME.fullmatch(name):
            self._reading.refuse(path, f"[levels.{name}]: a name has a-z, 0-9, - and _, 32 at most, a letter first")
        if level.rank >= MAX_RANK:
            self._reading.refuse(
                (*path, "rank"), f"[levels.{name}] rank must be below {MAX_RANK}, which is that of blocked"
            )
        if level.inherits is not None:
            self._known_level(level.inherits, (*path, "inherits"), f"[levels.{name}] inherits", {*STANDARD, *defined})

    def _fields_of(self, name: str, defined: Mapping[str, Level]) -> frozenset[Field]:
        """Collects the fields along the line of inheritance."""
        fields: frozenset[Field] = frozenset()
        seen: list[str] = []
        following: str | None = name
        while following is not None and following in defined and following not in STANDARD:
            if following in seen:
                if following == name:
                    circle = " > ".join((*seen, name))
                    self._reading.refuse(("levels", name), f"[levels.{name}] inherits itself: {circle}")
                return frozenset()
            seen.append(following)
            fields |= defined[following].fields
            following = defined[following].inherits
        return fields | (STANDARD[following].fields if following is not None and following in STANDARD else frozenset())

    def _known_level(self, name: str, path: TomlPath, what: str, known: Iterable[str] = ()) -> bool:
        return _known(self._reading, name, path, what, known or self.levels)

    # -- assignments ---------------------------------------------------------------------------------------------

    def build_default(self) -> str:
        """Gives the level of a contact that nobody has named."""
        name = self._file.defaults.level
        self._known_level(name, ("defaults", "level"), "[defaults] level")
        return name

    def build_assignments(self) -> tuple[Assignment, ...]:
        """Gives the administrator's assignments."""
        made: dict[tuple[str, Member], Assignment] = {}
        for placed in self._assigned:
            entry = placed.section
            owner = entry.owner or ""
            self._check_assigned(placed)
            if (owner, entry.contact) in made:
                placed.refuse("contact", f"[[assignment]] {entry.contact} is there twice")
            made[owner, entry.contact] = Assignment(owner, entry.contact, entry.level, Origin.ADMINISTRATOR)
        return tuple(made.values())

    def _check_assigned(self, placed: Placed[Assigned]) -> None:
        entry, title = placed.section, f"[[assignment]] {placed.section.contact}"
        self._known_level(entry.level, (*placed.path, "level"), f"{title} level")
        if entry.owner is not None and self.own and entry.owner.domain not in self.own:
            self._not_ours((*placed.path, "owner"), f"{title} owner = {toml(str(entry.owner))}")
        domain = entry.contact.value.rpartition("@")[2]
        if entry.contact.kind in (MemberKind.CONTACT, MemberKind.DOMAIN) and domain in self.own:
            placed.refuse("contact", f"{title}: {domain} is our own domain, levels are for outsiders")

    # -- partners ------------------------------------------------------------------------------------------------

    def build_partners(self) -> tuple[Partners, Mapping[str, PartnerRoute], tuple[Lock, ...]]:
        """Gives the partners, their routes by name, and all locks."""
        owners: dict[str, str] = {}
        locks = [Lock(name) for name in sorted(self._file.locks.fields, key=FIELD_ORDER.__getitem__)]
        for placed in self._partners:
            self._check_domains(placed, owners)
            self._check_route(placed)
            locks += [
                Lock(name, placed.section.domain) for name in sorted(placed.section.locks, key=FIELD_ORDER.__getitem__)
            ]
        partners = Partners(self._partner(placed) for placed in self._partners)
        believed = self._file.tls.ca if self._file.tls else Trust()
        routes: dict[str, PartnerRoute] = {
            str(each.section.domain): _route(each.section, believed) for each in self._partners
        }
        return partners, routes, tuple(locks)

    def _check_domains(self, placed: Placed[Partnership], owners: dict[str, str]) -> None:
        section = placed.section
        for key, names in (("domain", (section.domain,)), ("aliases", section.aliases)):
            for name in names:
                title = f"[[partner]] {section.domain} {key}"
                if name in self.own:
                    placed.refuse(key, f"{title}: {name} is our own domain")
                elif name in owners:
                    placed.refuse(key, f"{title}: {name} belongs to [[partner]] {owners[name]} already")
                owners.setdefault(name, section.domain)

    def _check_route(self, placed: Placed[Partnership]) -> None:
        section, title = placed.section, f"[[partner]] {placed.section.domain}"
        if section.direct_tls and section.route is None:
            placed.refuse("direct_tls", f"{title} direct_tls = true needs a route; DNS says by itself who speaks it")
        if not section.auth:
            placed.refuse("auth", f"{title} auth is empty: it could never prove its domain")
        if section.ca is not None and section.ca.nobody and not section.pins:
            placed.refuse("ca", f'{title} ca = "none" needs pins')
        if section.ceiling is not None and section.ceiling_fields is not None:
            placed.refuse("ceiling_fields", f"{title} has both ceiling and ceiling_fields: choose one")

    def _partner(self, placed: Placed[Partnership]) -> Partner:
        section = placed.section
        fields, name = frozenset(Field), ""
        if section.ceiling_fields is not None:
            fields, name = section.ceiling_fields, "ceiling_fields"
        elif section.ceiling is not None:
            title = f"[[partner]] {section.domain} ceiling"
            name = section.ceiling
            known = _known(placed.reading, name, (*placed.path, "ceiling"), title, self.levels)
            fields = self.levels[name].fields if known else frozenset()
        return Partner(
            name=section.domain,
            domains=frozenset({section.domain, *section.aliases}),
            network=section.network,
            ceiling=fields,
            ceiling_name=name,
            modalities=section.modalities,
            strangers=section.strangers,
            rates=Rates(
                section.rates.stanzas_per_second, section.rates.subscriptions_per_minute, section.rates.burst_seconds
            ),
            via=section.via,
        )


def _route(section: Partnership, believed: Trust) -> PartnerRoute:
    return PartnerRoute(
        partner=section.domain,
        auth=section.auth,
        pins=frozenset(section.pins),
        ca=section.ca or believed,
        route=section.route,
        direct_tls=section.direct_tls,
        addresses=section.addresses,
        server_only_certificates=section.server_only_certificates,
        bidi=section.bidi,
        sessions=section.sessions,
    )


def _known(reading: Reading, name: str, path: TomlPath, what: str, known: Iterable[str]) -> bool:
    if name in known:
        return True
    meant = nearest(name, known)
    reading.refuse(path, f"{what} = {toml(name)}: not a level" + (f'. Did you mean "{meant}"?' if meant else ""))
    return False
