"""What the gateway does beside its service, when somebody wants it: protocol log, usage report, feedback, statement."""

from collections.abc import Callable, Iterable
from typing import Any

from gateway.commands.informing_answers import FeedbackShown, StatementShown, TelemetryShown, TelemetryStatus
from gateway.config import Config
from gateway.house import House
from gateway.metrics import Metrics
from gateway.model.address import Address
from gateway.offices.announcing import Announcer, Tell
from gateway.offices.feedback import Feedback
from gateway.offices.reporting import Reporting
from gateway.offices.troubleshooting import Acquaintance, Troubleshooting
from gateway.policy.settings import OwnSettings
from gateway.policy.walls import Groups
from gateway.records.tracing import Tracing
from gateway.statement.stating import Stating
from gateway.taps import Taps

MINUTE = 60


class Informing(Troubleshooting):
    """Answers the commands about it, and does what time brings."""

    def __init__(
        self,
        config_of: Callable[[], Config],
        house: House,
        groups: Callable[[str], Groups],
        own: Callable[[str], OwnSettings],
        people: Callable[[], Iterable[Address]],
        taps: Taps,
        metrics: Metrics,
        reactor: Any,
        now: Callable[[], float],
    ) -> None:
        config, begun = config_of(), now()
        self._announcer = Announcer(now)
        self._known_pairs = house.pairs
        tracing = Tracing(Acquaintance(config_of, house, groups), config.trace, config.state, now)
        Troubleshooting.__init__(self, tracing, self._announcer, self._people_with_domains, reactor)

        def switched(on: bool) -> None:
            (taps.add if on else taps.remove)(tracing)

        tracing.on_switch = switched
        switched(tracing.on)
        self._reporting = Reporting(config_of, metrics, config.state, reactor, now, lambda: now() - begun)
        self._feedback = Feedback(config_of, groups, reactor, now, self._reporting.machine)
        self._stating = Stating(config_of, self._telemetry_now, groups, own, self._announcer, people, now)
        self._reporting.on_change = self._stating.look
        self._ticks = 0

    def told_by(self, tell: Tell | None) -> None:
        """Says who tells people what concerns them."""
        self._announcer.tell = tell

    def inform(self) -> None:
        """Does what time brings; once a second."""
        self.tracing.tick()
        self._announcer.tick()
        self._ticks += 1
        if self._ticks % MINUTE == 0:
            self._reporting.tick()
            self.tell_later()

    def reload_informing(self, config: Config) -> None:
        """Takes a new configuration into use."""
        self.tracing.take(config.trace)
        self._stating.look()

    def begin_informing(self) -> None:
        """Keeps what holds from this start on."""
        self._stating.look()

    def end_informing(self) -> None:
        """Writes what is left."""
        self.tracing.close()

    def telemetry_show(self) -> TelemetryShown:
        """Gives the next usage report to the byte."""
        return self._reporting.show()

    def telemetry_on(self) -> TelemetryStatus:
        """Opts in on this machine."""
        return self._reporting.choose(True)

    def telemetry_off(self) -> TelemetryStatus:
        """Opts out on this machine."""
        return self._reporting.choose(False)

    def telemetry_status(self) -> TelemetryStatus:
        """Says whether reports are sent."""
        return self._reporting.status()

    async def feedback(self, text: str, owner: str | None, yes: str | None) -> FeedbackShown:
        """Shows what would be sent to whom; with `yes` sends it."""
        return await self._feedback.say(text, owner or "", yes is not None)

    def privacy_statement(
        self, owner: str | None, since: str | None, format: str | None, language: str | None
    ) -> StatementShown:
        """Writes the privacy statement for everybody or one person, or what has changed since a revision."""
        return self._stating.write(owner or "", since, format, language)

    async def trace_records(self, address: str) -> list[dict[str, Any]]:
        """Gives the lines of the protocol log about somebody."""
        return self.tracing.file.about(address)

    async def trace_erase(self, address: str) -> tuple[int, str]:
        """Takes the lines of the protocol log about somebody out."""
        return self.tracing.file.forget(address), ""

    def _telemetry_now(self) -> tuple[bool, bool]:
        found = self._reporting.decided
        return bool(found.value), found.locked

    def _people_with_domains(self, domains: frozenset[str]) -> Iterable[Address]:
        """Gives our people who have anything to do with contacts at some domains."""
        found = {pair.person: None for pair in self._known_pairs if pair.contact.domain in domains}
        return list(found)
