"""Puts the house together, runs it, and takes it down: the only file that sees every part."""

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.task import LoopingCall, deferLater

from gateway import __version__, plugin, service
from gateway.books.own_levels import OwnLevels
from gateway.books.pairs import Pair, PairBook
from gateway.books.people import People
from gateway.bot.leg import Bot
from gateway.commands import execute, find
from gateway.commands.operations import Reloaded, Status
from gateway.config import Config, changes, load_bundle, restart_needed
from gateway.config.bundle import Bundle
from gateway.errors import CommandError, GatewayError
from gateway.federation.neighbours import Neighbours, legs_of
from gateway.house import House
from gateway.interfaces import Leg, Surroundings, Tap
from gateway.log import Log
from gateway.metrics import Metrics, registry
from gateway.model.address import Address
from gateway.model.subscription import State
from gateway.offices.administration import Administration
from gateway.offices.auditing import Auditing, opened
from gateway.offices.choices import Choices
from gateway.offices.exchanging import Exchanging
from gateway.offices.informing import Informing
from gateway.offices.policing import Policing
from gateway.offices.recording import Recording
from gateway.offices.remembering import Remembering
from gateway.offices.rights import Kept, Stores
from gateway.offices.strangers import Strangers
from gateway.policy.access_level import BLOCKED
from gateway.policy.partners import Modality
from gateway.queues.keeping import spool_of
from gateway.store.contacts import AssignmentStore
from gateway.store.database import Database
from gateway.store.doubts import DoubtStore
from gateway.store.publications import OwnWords
from gateway.store.secrets import SecretStore
from gateway.store.subscriptions import SubscriptionStore
from gateway.taps import Taps
from gateway.transport.clock import use_monotonic_time
from gateway.web.control import ControlSocket
from gateway.web.metrics_site import MetricsSite

log = Log("daemon")

REBUILD_AT_ONCE = 200
REBUILD_PAUSE = 0.05
SETTLE_SECONDS = 10.0
"""How long after the start the inside server may take to say who is there, before all others are said to be gone."""
MEASURE_SECONDS = 5.0
CONTRACT_SECONDS = 30.0
"""How often it is looked whether a contract has ended."""
TIDY_SECONDS = 3600.0
"""How often assignments that have ended are removed from the disk; they count no longer from their end on."""


class Daemon(Administration, Remembering, Auditing, Strangers, Choices, Exchanging, Informing, Policing, Recording):
    """Is one running gateway."""

    def __init__(self, config: Config, reactor: Any, taps: Iterable[Tap] = ()) -> None:
        use_monotonic_time(reactor)
        self.config = config = config.at(time.time())
        self._reactor = reactor
        self._started = time.time()
        self._database = Database(config.state / "state.db", reactor)
        secrets = SecretStore(self._database)
        assignments = self._given = AssignmentStore(self._database)
        self._subscriptions = SubscriptionStore(self._database)
        self.metrics = Metrics()
        self._name_series(config)
        self._legs: dict[str, Leg] = {}
        self._people = People(config, OwnWords(self._database))
        ledger = opened(config, reactor, self.metrics, time.time)
        self._taps = Taps([*([ledger] if ledger else []), *taps], self.metrics)
        Auditing.__init__(self, ledger, config.state, reactor, time.time)
        pairs = PairBook(
            self._people.rules(config), assignments, self._subscriptions, secrets.secret("resources"), time.time
        )
        self.house = self._make_house(config, pairs, OwnLevels(assignments, time.time))
        if ledger is not None:
            ledger.attach(lambda envelope: self.house.relay.pair_of(envelope).facts, lambda: self.house.pairs.epoch)
        Administration.__init__(
            self,
            self.house,
            assignments,
            self._legs,
            lambda: self.config.routes,
            time.time,
            lambda: self.config.contracts,
        )
        Exchanging.__init__(
            self, self.house, assignments, self._subscriptions.watchers_of, self.house.facts_changed, time.time
        )
        Informing.__init__(
            self,
            lambda: self.config,
            self.house,
            self._people.groups,
            self._people.words.settings,
            lambda: {person: None for person, _, _ in self._subscriptions.all()},
            self._taps,
            self.metrics,
            reactor,
            time.time,
        )
        surroundings = Surroundings(self.house, config, reactor, time.time, self.metrics, secrets.secret, self.tracing)
        for name in sorted(legs_of(config)):
            self._legs[name] = plugin.load("legs", name)(surroundings)
        Strangers.__init__(self, self.house, self.levels_set, time.time)
        Choices.__init__(self, self.house, self._people.words, time.time)
        Remembering.__init__(self, lambda: self.config, self.house, self._database, self._taps, surroundings)
        self._govern()
        self._people.move_in(self.house, surroundings)
        self._bot = self._make_bot(config, reactor)
        self.told_by(self._bot.tell if self._bot else None)
        self._spool = spool_of(config, self.house, self.metrics, reactor, time.time)
        self._neighbours = Neighbours(config, self.house, self._legs, reactor, self.metrics)
        self._open_taps(config, surroundings)
        self._control = ControlSocket(config.control, self._execute, self.approves, bool(config.policy.approver))
        self._page: Any = None
        self._timers: list[LoopingCall] = []
        self._second_due = 0.0

    def _make_house(self, config: Config, pairs: PairBook, own_levels: OwnLevels) -> House:
        """Builds the house around the pairs."""
        return House(
            pairs,
            self._subscriptions,
            self._legs,
            config.inside.LEG,
            self._taps,
            self.metrics,
            time.time,
            config.limits.pairs_per_partner,
            own_levels,
        )

    def _open_taps(self, config: Config, surroundings: Surroundings) -> None:
        stores = Stores(self._given, self._people.words, self._subscriptions, self._spool)
        groups = self._people.groups
        self.open_archive(lambda: self.config, surroundings, self.house, groups, self._taps, stores, self)
        history = Kept("history", self.history_records, self.history_erase)
        self.kept_places += [history, Kept("notices", self.notice_records, self.notice_erase)]
        self.kept_places.append(Kept("protocol log", self.trace_records, self.trace_erase))
        for name in config.gateway.taps:
            self._taps.add(plugin.load("taps", name)(surroundings))

    def _govern(self) -> None:
        """Gets ready to change the policy as a whole, and enforces or observes the one there is."""
        Policing.__init__(
            self,
            self.house,
            lambda: self.config,
            self._people.rules_under,
            lambda: (self._subscriptions.all(), self._given.all()),
            self.reload,
            self._reactor,
            time.time,
        )
        self.policy_names = lambda: (self.fingerprint, self.ledger.policy if self.ledger is not None else "")
        self.observe(self.config, self.metrics)

    def _make_bot(self, config: Config, reactor: Any) -> Bot | None:
        """Puts the bot among the legs, if it has an address, and has it tell of requests."""
        if config.bot.address is None:
            return None

        async def run(words: Sequence[str], arguments: Mapping[str, Any], person: Address) -> Any:
            return await execute(self, words, arguments, person)

        def asked(pair: Pair) -> None:
            seen = self.levels_preview(str(pair.person), str(pair.contact), "default")["sees"]
            bot.ask_about(pair.person, pair.contact, pair.facts.level.name, seen, pair.verified is not False)

        bot = Bot(self.house, config.bot.address, config.bot.language, self._level_names, run, reactor, time.time)
        self._legs[bot.name] = bot
        self.house.roster.on_request = asked
        return bot

    def _level_names(self) -> list[str]:
        """Gives every level, from the one that sees least."""
        levels = self.house.pairs.rules.levels
        return sorted(levels, key=lambda name: (name != BLOCKED, levels[name].rank, name))

    async def start(self) -> None:
        """Opens every door, then asks for the presence that was known before; raises GatewayError."""
        await self.begin_ledger(self.config, __version__)
        await self.begin_archive(__version__)
        self.note_policy()
        await self._people.start()
        for leg in self._legs.values():
            await leg.start()
        self._control.listen(self._reactor)
        where = self.config.metrics.listen
        if where is not None:
            site = MetricsSite(registry(self.metrics), self.checks, lambda: [dict(row) for row in self.partners_list()])
            try:
                self._page = self._reactor.listenTCP(where.port, site, interface=where.host)
            except CannotListenError as problem:
                raise GatewayError(f"metrics cannot be served: {problem}") from None
        if self.ledger is not None:
            self._every(1.0, self.ledger.tick)
        self._every(1.0, self.tick_archive)
        self._every(1.0, self.house.tick)
        self._every(1.0, self._people.tick)
        self.begin_informing()
        self._every(1.0, self.inform)
        self._every(1.0, self.tick_history)
        self._every(MEASURE_SECONDS, self._measure)
        self._every(MEASURE_SECONDS, self._neighbours.measure)
        self._every(CONTRACT_SECONDS, self._end_contracts)
        self._every(1.0, self._feel_lag)
        self._every(TIDY_SECONDS, lambda: self._given.remove_expired(time.time()))
        self._every(service.watchdog_seconds(), lambda: service.notify("WATCHDOG=1"))
        self._every(1.0, self._spool.tick)
        self.house.later = self._reactor.callLater
        self.house.keep_doubts(DoubtStore(self._database))
        self._every(MEASURE_SECONDS, lambda: self._spool.measure(self.config.partners.by_name))
        ensureDeferred(self._rebuild())
        self._spool.begin()
        service.notify("READY=1")
        log.info("running", version=__version__, path=str(self.config.path))

    async def stop(self) -> None:
        """Says good-bye on every link and leaves everything that must last on disk."""
        service.notify("STOPPING=1")
        for timer in self._timers:
            timer.stop()
        if self._page is not None:
            await self._page.stopListening()
        await self._control.close()
        self.house.close()
        for leg in self._legs.values():
            await leg.stop()
        await self._spool.close()
        await self.end_history()
        await self._people.stop()
        self.end_informing()
        if self.ledger is not None:
            await self.ledger.close()
        if self.archive is not None:
            await self.archive.close()
        await self._database.close()
        log.info("stopped")

    def checks(self) -> Mapping[str, str | None]:
        """Says what must be well for the gateway to be ready: None, or what is wrong."""
        return {
            "store": self._database.check(),
            "inside": self._legs[self.config.inside.LEG].report().problem or None,
            "policy": None,
            "spool": self._spool.check(),
            **self.history_ready(),
            **({"ledger": self.ledger.check()} if self.ledger is not None else {}),
            **self.archive_ready(),
        }

    def status(self) -> Status:
        """Says how the daemon is."""
        checks = dict(self.checks())
        return {
            "version": __version__,
            "uptime": time.time() - self._started,
            "mode": self.config.gateway.mode.value,
            "policy": self.house.pairs.epoch,
            "config": str(self.config.path),
            "ready": not any(checks.values()),
            "checks": checks,
            "ledger": str(self.ledger.head) if self.ledger is not None else "",
            "archive": self.archive_line(),
            "partners": self.partners_list(),
        }

    def reload(self, asker: int | None = None) -> Reloaded:
        """Reads the configuration and the certificates again: all of it, or, when anything is wrong, none."""
        service.notify("RELOADING=1")
        try:
            bundle = Bundle.of(self.config.path)
            new = load_bundle(bundle, self.config.path).at(time.time())
            waits = restart_needed(self.config, new)
            told = self._take(new)
        except GatewayError:
            self.metrics.reloads("failed").inc()
            service.notify("READY=1")
            raise
        self.note_policy(bundle, asker)
        self.metrics.reloads("ok" if told else "unchanged").inc()
        self.metrics.last_reload().set(time.time())
        log.info("reloaded", changes=len(told))
        service.notify("READY=1")
        return {"changes": told, "restart": waits}

    def _take(self, new: Config) -> list[str]:
        """Puts a configuration in force, or raises GatewayError before anything has changed; gives what differs."""
        prepared = [self.prepare_archive(new), *(leg.prepare(new) for leg in self._legs.values())]
        for take_into_use in prepared:
            take_into_use()
        self.house.say_goodbye([pair for pair in self.house.pairs if not _shares_presence(new, pair.contact)])
        told, self.config = changes(self.config, new), new
        self._name_series(new)
        self.observe(new, self.metrics)
        self._control.share(bool(new.policy.approver))
        self.reload_ledger(new, __version__)
        self.reload_informing(new)
        self.house.pairs.take(self._people.rules(new))
        self.house.rates.forget()
        self._neighbours.take(new)
        self.house.reveal_again(list(self.house.pairs))
        return told

    def _end_contracts(self) -> None:
        """Parts from partners whose contract has ended: what they were told is withdrawn, their links are closed."""
        standing = self.config.at(time.time())
        if standing is not self.config:
            ended = standing.partners.expired - self.config.partners.expired
            self._take(standing)
            log.warn("contract ended", domains=", ".join(sorted(ended)))

    async def _execute(self, words: tuple[str, ...], arguments: Mapping[str, Any], asker: int) -> object:
        if asker not in (os.geteuid(), 0) and not find(words).approvers:
            raise CommandError("an approver of policies may ask for: policy pending, approve, reject, history")
        return await execute(self, words, arguments, asker=asker)

    async def _rebuild(self) -> None:
        """Asks for presence after a restart, a few pairs at a time; who stays silent is said to be gone."""
        known = [(person, contact) for person, contact, _ in self._subscriptions.all()]
        for place, (person, contact) in enumerate(known, 1):
            pair = self.house.pairs.of(person, contact)
            if pair.facts.partner is not None:
                self.house.roster.rebuild(pair)
            if place % REBUILD_AT_ONCE == 0:
                await deferLater(self._reactor, REBUILD_PAUSE)
        await deferLater(self._reactor, SETTLE_SECONDS)
        for pair in self.house.pairs:
            if pair.unsure and pair.facts.subscription.contact_watches:
                self.house.presence.tell(pair)

    def _every(self, seconds: float | None, call: Callable[[], object]) -> None:
        """Calls again and again, also after a fault: a timer that stops would be missed much later."""

        def guarded() -> None:
            try:
                call()
            except Exception:  # noqa: BLE001 a fault must not stop the timer
                log.failure("timer failed")
                self.metrics.errors().inc()

        if seconds is not None:
            timer = LoopingCall(guarded)
            timer.clock = self._reactor
            timer.start(seconds, now=True)
            self._timers.append(timer)

    def _feel_lag(self) -> None:
        now = self._reactor.seconds()
        if self._second_due:
            self.metrics.reactor_lag().set(max(0.0, now - self._second_due))
        self._second_due = now + 1.0

    def _measure(self) -> None:
        """Reads what is a state rather than an event into the gauges."""
        subscriptions: dict[tuple[str, State], int] = {}
        waiting: dict[str, int] = {}
        for _, contact, state in self._subscriptions.all():
            partner = self.config.partners.of(contact.domain)
            key = (partner.name if partner else "", state)
            subscriptions[key] = subscriptions.get(key, 0) + 1
        for pair in self.house.pairs:
            if pair.revoking_since is not None and pair.facts.partner:
                waiting[pair.facts.partner.name] = waiting.get(pair.facts.partner.name, 0) + 1
        for name, partner in self.config.partners.by_name.items():
            for state in State:
                self.metrics.subscriptions(name, state).set(subscriptions.get((name, state), 0))
            links = self.links_of(partner)
            self.metrics.revocations_pending(name).set(waiting.get(name, 0))
            self.metrics.partner_up(name, partner.via, "out").set(any(link["state"] == "up" for link in links))
            self.metrics.queue_stanzas(name).set(sum(link["queue"] for link in links))
            self.metrics.queue_bytes(name).set(sum(link["bytes"] for link in links))
            self.metrics.queue_oldest(name).set(max((link["oldest"] for link in links), default=0.0))
        self.metrics.policy_version().set(version=str(self.house.pairs.epoch))
        for leg in self._legs.values():
            for domain, end in leg.report().certificate_ends.items():
                self.metrics.own_cert_expiry(domain).set(end)

    def _name_series(self, config: Config) -> None:
        self.metrics.configure(config.partners.by_name, map(str, config.gateway.domains), config.levels)


def _shares_presence(config: Config, contact: Address) -> bool:
    partner = config.partners.of(contact.domain)
    return partner is not None and Modality.PRESENCE in partner.modalities
