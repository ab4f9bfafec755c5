"""The commands of the protocol log: begin it for a partner or a person, show it live, end it, tell those concerned."""

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from attrs import evolve

from gateway.commands.informing import seconds_of
from gateway.commands.informing_answers import Traced, TraceRun
from gateway.config import Config
from gateway.errors import CommandError
from gateway.house import House
from gateway.model.address import Address
from gateway.model.subscription import State
from gateway.offices.announcing import Announcer
from gateway.policy.services import Concerned
from gateway.policy.walls import Groups
from gateway.records.signalling import Signal
from gateway.records.tracing import Run, Tracing, party_of
from gateway.web.stream import Stream

USUAL_SECONDS = 600.0
"""For how long a trace runs that does not say it."""


class Acquaintance:
    """Is what the house knows of the two ends of a signal."""

    def __init__(self, config: Callable[[], Config], house: House, groups: Callable[[str], Groups]) -> None:
        self._config = config
        self._house = house
        self.groups = groups

    def ours(self, domain: str) -> bool:
        """Says whether a domain is ours."""
        return domain in self._config().domains

    def partner(self, domain: str) -> frozenset[str]:
        """Gives all domains of the partner to whom a domain belongs; none for a stranger."""
        partner = self._config().partners.of(domain)
        return partner.domains if partner is not None else frozenset()

    def state(self, one: Address, other: Address) -> State | None:
        """Gives the entry of the contact list between two, one of whom is ours."""
        pairs = self._house.pairs
        pair = pairs.of(one, other) if self.ours(one.domain) else pairs.of(other, one)
        return pair.facts.subscription if pair.facts.partner is not None else None


class Troubleshooting:
    """Answers the commands about the protocol log."""

    def __init__(
        self,
        tracing: Tracing,
        announcer: Announcer,
        people_with: Callable[[frozenset[str]], Iterable[Address]],
        reactor: Any,
    ) -> None:
        self.tracing = tracing
        self._announcer = announcer
        self._people_with = people_with
        """Gives our people who have to do with any of some domains."""
        self._alarms = reactor
        self._told_of: dict[str, tuple[Run, set[Address]]] = {}
        """Who has been told of what is traced now."""

    def trace(self, whom: str, span: str | None, background: str | None) -> Stream | Traced:
        """Begins to trace a partner or a person; shows it live until the span is over, or writes it in the background.

        What is shown live ends with who looks at it.
        """
        seconds = seconds_of(span) if span else USUAL_SECONDS
        if seconds > self.tracing.terms.longest_hours * 3600:
            raise CommandError(
                f"a trace runs for {self.tracing.terms.longest_hours} hours at most ([trace] longest_hours)"
            )
        scope = evolve(party_of(whom, self.tracing.known), until=self.tracing.now() + seconds)
        run = self.tracing.begin(scope)
        told = self._tell_traced(run)
        if background:
            return _traced(run, 0, 0, self.tracing, told)
        return _Live(self.tracing, run, told, self._alarms, seconds).stream

    def traces_list(self) -> list[TraceRun]:
        """Lists what is traced now."""
        now = self.tracing.now()
        runs: list[TraceRun] = [
            {"whom": run.scope.whom, "since": run.since, "until": run.scope.until, "by": "command"}
            for run in self.tracing.runs.values()
        ]
        configured: list[TraceRun] = [
            {"whom": scope.whom, "since": None, "until": scope.until, "by": "configuration"}
            for scope in self.tracing.terms.scopes
            if scope.on and (scope.until is None or scope.until > now)
        ]
        return [*runs, *configured]

    def traces_stop(self, whom: str) -> list[TraceRun]:
        """Ends a trace that a command has begun; gives those that go on."""
        if not self.tracing.end(party_of(whom, self.tracing.known).whom):
            raise CommandError(f"no command traces {whom}")
        return self.traces_list()

    def tell_later(self) -> None:
        """Tells who has come to be concerned by a trace since it began; now and then."""
        running = self.tracing.runs
        self._told_of = {whom: known for whom, known in self._told_of.items() if running.get(whom) is known[0]}
        for run in list(running.values()):
            self._tell_traced(run)

    def _tell_traced(self, run: Run) -> int:
        """Tells those whom a trace concerns and who have not been told; gives how many these are."""
        scope = run.scope
        whom = self.tracing.concerned(scope)
        people = {Address.parse(scope.person)} if scope.person else set(self._people_with(whom.domains))
        known = self._told_of.get(scope.whom)
        told = known[1] if known is not None and known[0] is run else set[Address]()
        self._told_of[scope.whom] = run, told | people
        end = datetime.fromtimestamp(scope.until or 0).astimezone().strftime("%Y-%m-%d %H:%M")
        return self._announcer.announce(sorted(people - told), "trace_begun", whom=scope.whom, until=end)


class _Live:
    """Shows one trace to one client."""

    def __init__(self, tracing: Tracing, run: Run, told: int, reactor: Any, seconds: float) -> None:
        self._tracing = tracing
        self._run = run
        self._told = told
        self._lines = 0
        self._alarm = reactor.callLater(seconds, self._over)
        self.stream = Stream(self._begin, self._left)

    def _begin(self, stream: Stream) -> None:
        self._tracing.listeners.add(self._noted)
        self._tracing.on_end.append(self._ended)

    def _noted(self, signal: Signal, line: str, whom: Concerned) -> None:
        if whom.by(evolve(self._run.scope, group="")):
            self._lines += 1
            self.stream.say(json.loads(line))

    def _ended(self, run: Run) -> None:
        if run is self._run:
            self._finish()

    def _over(self) -> None:
        self._tracing.end(self._run.scope.whom)
        self._finish()

    def _left(self) -> None:
        """Whoever looked at it has gone: nobody needs it any more."""
        self._close()
        if self._tracing.runs.get(self._run.scope.whom) is self._run:
            self._tracing.end(self._run.scope.whom)

    def _finish(self) -> None:
        self._close()
        self.stream.finish(_traced(self._run, self._lines, self.stream.dropped, self._tracing, self._told))

    def _close(self) -> None:
        self._tracing.listeners.discard(self._noted)
        if self._ended in self._tracing.on_end:
            self._tracing.on_end.remove(self._ended)
        if self._alarm.active():
            self._alarm.cancel()


def _traced(run: Run, lines: int, dropped: int, tracing: Tracing, told: int) -> Traced:
    return {
        "whom": run.scope.whom,
        "until": run.scope.until,
        "lines": lines,
        "dropped": dropped,
        "file": str(tracing.file.path),
        "told": told,
    }
