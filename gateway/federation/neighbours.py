"""What the daemon does about partners beside carrying: ends of contracts, drift, discovery, the echo, suspicion."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from gateway.books.pairs import Rules
from gateway.config import Config
from gateway.federation.contracts import Contracts
from gateway.federation.discovering import Discovery
from gateway.federation.echo import Echo
from gateway.house import House
from gateway.interfaces import Leg, Meeting
from gateway.log import Log
from gateway.metrics import OTHER, Metrics
from gateway.policy.access_level import Assignment, Member, MemberKind, Origin
from gateway.policy.walls import Groups

log = Log("partners")

ECHO_LEVEL = "public"
"""What partners may see of the echo, which has nothing but that it is there."""
PROTOCOLS = ("xmpp", "sip")


def rules_of(config: Config, groups: Callable[[str], Groups] | None = None) -> Rules:
    """Gives the policy that a configuration describes; `groups` says what directories know beside its [groups]."""
    everyone = Member(MemberKind.EVERYONE)
    echoes = tuple(Assignment(name, everyone, ECHO_LEVEL, Origin.DEFAULT) for name in sorted(config.echoes))
    return Rules(
        config.partners,
        dict(config.levels),
        config.default_level,
        config.locks,
        (*config.assignments, *echoes, *_own_bot(config)),
        frozenset(str(domain) for domain in config.gateway.domains),
        right=config.right,
        walls=config.walls,
        groups=groups or config.groups.of,
        apart=config.echoes,
    )


def _own_bot(config: Config) -> tuple[Assignment, ...]:
    """Lets the bot reach our people whatever the default level is."""
    address = config.bot.address
    if address is None:
        return ()
    return (Assignment("", Member(MemberKind.CONTACT, str(address)), ECHO_LEVEL, Origin.DEFAULT),)


def legs_of(config: Config) -> frozenset[str]:
    """Gives the names of the plugins that a configuration needs: the inside's, the partners', those of discovery."""
    named = {partner.via for partner in config.partners.by_name.values()}
    return frozenset({config.inside.LEG, *named, *(_open_protocols(config) if _discovers(config) else ())})


def _discovers(config: Config) -> bool:
    return config.discovery.on or bool(config.federation.allow)


def _open_protocols(config: Config) -> list[str]:
    doors = {"xmpp": config.xmpp.listen or config.xmpp.listen_tls, "sip": config.sip.listen}
    return [name for name in PROTOCOLS if doors[name]]


class Neighbours:
    """Looks after partners for a daemon."""

    def __init__(self, config: Config, house: House, legs: dict[str, Leg], reactor: Any, metrics: Metrics) -> None:
        self._house = house
        self._metrics = metrics
        self._config = config
        self._suspects: set[str] = set()
        self.echo = Echo(house, config, reactor)
        order = sorted(PROTOCOLS, key=lambda name: name != config.inside.LEG)
        self.discovery = Discovery(legs, order, house, reactor, time.time)
        self._contracts = Contracts(config.state / "contracts.json", metrics)
        legs[self.echo.name] = self.echo
        legs[self.discovery.name] = self.discovery
        house.on_meeting.append(self._met)
        self.take(config)

    def take(self, config: Config) -> None:
        """Takes a new configuration."""
        before, self._config = self._config.partners.by_name, config
        self._contracts.keep_only(config.partners.by_name)
        for name, partner in config.partners.by_name.items():
            if before.get(name) != partner:
                self._house.relay.watches.forget(name)
            if partner.ends is not None:
                self._metrics.contract_expiry(name).set(partner.ends)
            else:
                self._metrics.contract_expiry.cells.pop((name,), None)

    def _met(self, meeting: Meeting) -> None:
        partner = self._config.partners.of(meeting.remote)
        if partner is None:
            return
        if partner.found:
            self.discovery.met(meeting)
        else:
            self._contracts.met(meeting, partner.name)

    def measure(self) -> None:
        """Reads how many people partners have asked for, and who is under suspicion, into the gauges."""
        most, suspects = 0, set()
        named: Mapping[str, Any] = self._config.partners.by_name
        for name, watch in self._house.relay.watches:
            partner = self._config.partners.of(name)
            bound = partner.rates.people if partner else None
            if watch.suspicious or (bound is not None and len(watch.people) >= bound):
                suspects.add(name)
            if name in named:
                self._metrics.unique_targets(name).set(len(watch.people))
                self._metrics.watchlisted(name).set(watch.suspicious)
            else:
                most = max(most, len(watch.people))
        self._metrics.unique_targets(OTHER).set(most)
        self._metrics.watchlisted(OTHER).set(sum(name not in named for name in suspects))
        for name in sorted(suspects - self._suspects):
            log.warn("watched", partner=name)
        self._suspects = suspects
