"""Turns the sections into policy values, and finds what contradicts itself."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from attrs import define, evolve, field, frozen

from gateway.config import archiving
from gateway.config.archiving import ArchiveTerms
from gateway.config.directories import Directories, DirectoryFile, DirectoryLdap
from gateway.config.federation import Discovering, Echo, Federation, Groups, Partnership
from gateway.config.informing import FeedbackTerms, TelemetryTerms, TraceTerms
from gateway.config.informing import check as check_informing
from gateway.config.legs import InsideComponent, InsideServer, InsideSip, OutsideSip, OutsideXmpp
from gateway.config.lines import TomlPath
from gateway.config.partnerships import Built, Contract, PartnerBuilder, PartnerRoute, Placed, known_level
from gateway.config.policing import PolicyChanges
from gateway.config.reading import Reading, toml
from gateway.config.recording import HistoryTerms, LedgerTerms, NoticeTerms
from gateway.config.sections import (
    Assigned,
    File,
    Gateway,
    Level,
    Limits,
    MetricsPage,
    Tls,
)
from gateway.config.settings import Bot
from gateway.config.spooling import SpoolTerms
from gateway.config.values import Domain
from gateway.model.presence import Field
from gateway.policy.access_level import STANDARD, AccessLevel, Assignment, Member, MemberKind, Origin
from gateway.policy.partners import Lock, Partners
from gateway.policy.settings import Rule
from gateway.policy.walls import Right, Wall

MAX_RANK = STANDARD["blocked"].rank
_Section = TypeVar("_Section")
_LEVEL_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")


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
    ledger: LedgerTerms
    archive: ArchiveTerms
    history: HistoryTerms
    notice: NoticeTerms
    trace: TraceTerms
    telemetry: TelemetryTerms
    feedback: FeedbackTerms
    spool: SpoolTerms
    default_level: str
    levels: Mapping[str, AccessLevel]
    """The five standard levels and those of the administrator, by name."""
    locks: tuple[Lock, ...]
    assignments: tuple[Assignment, ...]
    partners: Partners
    routes: Mapping[str, PartnerRoute]
    """By the partner's name; that of all who are discovered stands under ''."""
    federation: Federation
    discovery: Discovering
    contracts: Mapping[str, Contract]
    """By the partner's name."""
    right: Right
    walls: tuple[Wall, ...]
    settings: tuple[Rule, ...]
    groups: Groups
    echo: Echo
    bot: Bot
    policy: PolicyChanges
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
    def echoes(self) -> frozenset[str]:
        """Gives the addresses of ours that answer by themselves, and those that the partner test writes from."""
        names = (self.echo.name, f"{self.echo.name}-test") if self.echo.name else ()
        return frozenset(f"{name}@{domain}" for name in names for domain in self.domains)

    def route_of(self, domain: str) -> PartnerRoute | None:
        """Gives the transport part of the contract with the partner that a domain belongs to."""
        partner = self.partners.of(domain)
        return self.routes.get("" if partner.found else partner.name) if partner else None

    def at(self, now: float) -> "Config":
        """Gives the same without the contracts that have ended at a moment; itself when none has."""
        standing = self.partners.at(now)
        return self if standing is self.partners else evolve(self, partners=standing)

    @property
    def control(self) -> Path:
        """Gives the path of the control socket."""
        return self.gateway.control or self.gateway.state / "control.sock"

    @property
    def authority(self) -> Path:
        """Gives the folder of the inside authority."""
        chosen = self.inside.authority if isinstance(self.inside, InsideServer) else None
        return chosen or self.gateway.state / "inside-ca"


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
        self._check_ledger()
        self._check_history()
        known = {name for each in self._partners for name in (each.section.domain, *each.section.aliases)}
        archiving.check(self._file.archive, known, self._reading.refuse)
        check_informing(self._file.trace, self._file.telemetry, self._file.feedback, self._reading.refuse)
        self._check_directories()

    def _check_history(self) -> None:
        terms = self._file.history
        if terms.server is not None and not terms.secret_file and terms.secret is None:
            self._reading.refuse(("history", "server"), "[history] server needs a secret or a secret_file")
        if terms.server is not None and terms.ca.nobody:
            self._reading.refuse(("history", "ca"), "[history] ca: the mail server is always verified")

    def _check_ledger(self) -> None:
        terms = self._file.ledger
        if terms.hold_days > terms.retention_days:
            self._reading.refuse(("ledger", "hold_days"), "[ledger] hold_days is more than retention_days")

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
        if isinstance(inside, InsideSip) and bool(inside.user) != (inside.password is not None):
            self._reading.refuse(("inside", "user"), "[inside] user and password belong together")

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
        return known_level(self._reading, name, path, what, known or self.levels)

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

    def build_partners(self) -> Built:
        """Gives the partners and all that holds with them."""
        return PartnerBuilder(self._file, self._reading, self._partners, self.levels).build()
