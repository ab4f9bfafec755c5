"""Turns what the file says about whom we speak with into partners, routes, contracts, rights and walls."""

from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

from attrs import define, field, frozen

from gateway.config.federation import Discovering, Partnership, Texts
from gateway.config.lines import TomlPath
from gateway.config.reading import Reading
from gateway.config.reading import toml as shown
from gateway.config.sections import File
from gateway.config.values import Addresses, Auth, Domain, Endpoint, Trust, nearest
from gateway.model.address import Address
from gateway.model.presence import FIELD_ORDER, Field
from gateway.policy.access_level import AccessLevel
from gateway.policy.domains import Domains
from gateway.policy.partners import Discovery, Lock, Modality, Partner, Partners, Rates, Strangers
from gateway.policy.settings import Rule
from gateway.policy.walls import Right, Wall

_Section = TypeVar("_Section")


@frozen
class Placed(Generic[_Section]):
    """Is one table of an array of tables, and where it stands."""

    reading: Reading
    path: TomlPath
    section: _Section

    def refuse(self, key: str, why: str) -> None:
        """Notes a problem with one of its keys."""
        self.reading.refuse((*self.path, key), why)


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
    dane: bool = False
    posh: bool = False
    bidi: bool = True
    sessions: bool = False
    literal_errors: bool = False
    languages: tuple[str, ...] = ()
    """With SIP: which of several texts goes."""
    edge: str = ""
    """With SIP: the name of our own Access Edge through which the partner comes; '': it comes by itself."""

    @property
    def ways(self) -> list[str]:
        """Gives the names of all ways in which it may prove its domain."""
        more = (("dane", self.dane), ("posh", self.posh))
        return [*sorted(way.value for way in self.auth), *(name for name, on in more if on)]


@frozen(kw_only=True)
class Contract:
    """Is what people need to know of the contract with a partner."""

    partner: str
    file: str
    """Where it stands."""
    ends: float | None = None
    """Posix seconds."""
    contacts: tuple[str, ...] = ()
    disclosure: Texts = Texts()


@frozen(kw_only=True)
class Built:
    """Is all that the configuration says about whom we speak with."""

    partners: Partners
    routes: Mapping[str, PartnerRoute]
    contracts: Mapping[str, Contract]
    locks: tuple[Lock, ...]
    right: Right
    walls: tuple[Wall, ...]
    settings: tuple[Rule, ...]


@define(eq=False)
class PartnerBuilder:
    """Builds them; problems go to the readings."""

    _file: File
    _reading: Reading
    _partners: tuple[Placed[Partnership], ...]
    _levels: Mapping[str, AccessLevel]
    own: tuple[Domain, ...] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.own = self._file.gateway.domains if self._file.gateway else ()

    def build(self) -> Built:
        """Gives all of it."""
        owners: dict[str, str] = {}
        locks = [Lock(name) for name in sorted(self._file.locks.fields, key=FIELD_ORDER.__getitem__)]
        for placed in self._partners:
            self._check_domains(placed, owners)
            self._check_route(placed)
            locks += [
                Lock(name, placed.section.domain) for name in sorted(placed.section.locks, key=FIELD_ORDER.__getitem__)
            ]
        self._check_walls(owners)
        self._check_bot(owners)
        self._check_lists()
        believed = self._file.tls.ca if self._file.tls else Trust()
        routes = {str(each.section.domain): _route(each.section, believed) for each in self._partners}
        if self._file.discovery.on or self._file.federation.allow:
            routes[""] = _found_route(self._file.discovery, believed)
        return Built(
            partners=self._all(),
            routes=routes,
            contracts={str(each.section.domain): _contract(each) for each in self._partners},
            locks=tuple(locks),
            right=Right(self._file.federation.people, self._file.federation.barred),
            walls=tuple(Wall(each.group or "", each.partner or "", each.modalities) for each in self._file.wall),
            settings=self._settings(owners),
        )

    def _all(self) -> Partners:
        federation = self._file.federation
        return Partners(
            (self._partner(placed) for placed in self._partners),
            denied=Domains.of(federation.deny),
            discovery=self._discovery(self._file.discovery),
            ours=frozenset(self.own),
            house=_house(self._file.bot.address),
        )

    def _discovery(self, section: Discovering) -> Discovery:
        path: TomlPath = ("discovery", "ceiling")
        known = known_level(self._reading, section.ceiling, path, "[discovery] ceiling", self._levels)
        terms = Partner(
            "",
            frozenset(),
            network=section.network,
            ceiling=self._levels[section.ceiling].fields if known else frozenset(),
            ceiling_name=section.ceiling,
            modalities=section.modalities,
            strangers=section.strangers,
            start=section.start,
            verification=section.verification,
            via="discovery",
            rates=Rates(
                section.messages_per_second,
                suspicious_per_second=section.suspicious_per_second,
                people=section.people,
            ),
        )
        return Discovery(section.on, Domains.of(self._file.federation.allow), terms)

    def _check_bot(self, owners: Mapping[str, str]) -> None:
        address = self._file.bot.address
        if address is not None and (address.domain in self.own or address.domain in owners):
            whose = "our own" if address.domain in self.own else "a partner's"
            why = f"[bot] address: {address.domain} is {whose} domain; give one that our server sends to the gateway"
            self._reading.refuse(("bot", "address"), why)

    def _check_walls(self, owners: Mapping[str, str]) -> None:
        for index, wall in enumerate(self._file.wall):
            if wall.partner is not None and wall.partner not in owners:
                path: TomlPath = ("wall", index, "partner")
                self._reading.refuse(path, f"[[wall]] partner = {shown(wall.partner)}: no [[partner]] has this domain")

    def _settings(self, owners: Mapping[str, str]) -> tuple[Rule, ...]:
        found: list[Rule] = []
        for index, each in enumerate(self._file.setting):
            if each.partner is not None and each.partner not in owners:
                path: TomlPath = ("setting", index, "partner")
                self._reading.refuse(
                    path, f"[[setting]] partner = {shown(each.partner)}: no [[partner]] has this domain"
                )
            if each.person is not None and self.own and each.person.domain not in self.own:
                title = f"[[setting]] person = {shown(str(each.person))}"
                self._reading.refuse(("setting", index, "person"), f"{title}: not one of our domains")
            found += [
                Rule(about, each.on, each.partner or "", each.group or "", each.locked, each.person or "")
                for about in sorted(each.of, key=lambda about: about.value)
            ]
        return tuple(found)

    def _check_lists(self) -> None:
        federation = self._file.federation
        for name in sorted(federation.allow & federation.deny):
            self._reading.refuse(("federation", "allow"), f"[federation] allow and deny both name {name}")
        if "@" in self._file.echo.name or "/" in self._file.echo.name or " " in self._file.echo.name:
            self._reading.refuse(("echo", "name"), "[echo] name is what stands before the @")

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
        if section.dane:
            self._check_dane(placed, title)
        if section.posh and section.via != "xmpp":
            placed.refuse("posh", f"{title} posh = true is for XMPP")
        elif section.posh and section.ca is not None and section.ca.nobody:
            placed.refuse("posh", f'{title} posh = true needs authorities for its web server, not ca = "none"')
        if section.ceiling is not None and section.ceiling_fields is not None:
            placed.refuse("ceiling_fields", f"{title} has both ceiling and ceiling_fields: choose one")

    def _check_dane(self, placed: Placed[Partnership], title: str) -> None:
        servers = self._file.outside.xmpp.dns
        if placed.section.via != "xmpp":
            placed.refuse("dane", f"{title} dane = true is for XMPP")
        elif placed.section.route is not None:
            placed.refuse("dane", f"{title} has a route, so that DNS is not asked: dane = true could not count")
        elif not servers or not all(server.loopback for server in servers):
            why = "the word of a resolver counts only over loopback: name one that validates in [outside.xmpp] dns"
            placed.refuse("dane", f"{title} dane = true: {why}")

    def _partner(self, placed: Placed[Partnership]) -> Partner:
        section = placed.section
        fields, name = frozenset(Field), ""
        if section.ceiling_fields is not None:
            fields, name = section.ceiling_fields, "ceiling_fields"
        elif section.ceiling is not None:
            title = f"[[partner]] {section.domain} ceiling"
            name = section.ceiling
            known = known_level(placed.reading, name, (*placed.path, "ceiling"), title, self._levels)
            fields = self._levels[name].fields if known else frozenset()
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
            people=section.people,
            start=section.start,
            verification=section.verification,
            ends=section.expires.end if section.expires else None,
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
        dane=section.dane,
        posh=section.posh,
        bidi=section.bidi,
        sessions=section.sessions,
        literal_errors=section.literal_errors,
        languages=section.languages,
        edge=section.edge or "",
    )


def _found_route(section: Discovering, believed: Trust) -> PartnerRoute:
    """Gives the route to whoever is discovered: proven by certificate only."""
    return PartnerRoute(
        partner="",
        ca=believed,
        addresses=section.addresses,
        server_only_certificates=section.server_only_certificates,
    )


def _contract(placed: Placed[Partnership]) -> Contract:
    section = placed.section
    return Contract(
        partner=section.domain,
        file=placed.reading.name,
        ends=section.expires.end if section.expires else None,
        contacts=section.contacts,
        disclosure=section.disclosure,
    )


def known_level(reading: Reading, name: str, path: TomlPath, what: str, known: Iterable[str]) -> bool:
    """Says whether there is a level of this name, and notes a problem when there is none."""
    if name in known:
        return True
    meant = nearest(name, known)
    reading.refuse(path, f"{what} = {shown(name)}: not a level" + (f'. Did you mean "{meant}"?' if meant else ""))
    return False


def _house(address: Address | None) -> Partner | None:
    """Gives the terms on which our people speak with the gateway itself: it sees nothing of them."""
    if address is None:
        return None
    return Partner(
        address.domain,
        frozenset({address.domain}),
        ceiling=frozenset(),
        modalities=frozenset({Modality.IM, Modality.PRESENCE, Modality.QUERIES}),
        strangers=Strangers.ACCEPT,
        via="bot",
        house=True,
    )
