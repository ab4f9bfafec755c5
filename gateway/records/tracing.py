"""The protocol log: which signals are written down, for whom somebody wants to know, and until when."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from attrs import define, evolve, field, frozen

from gateway.config.informing import TraceTerms
from gateway.errors import CommandError
from gateway.log import Log
from gateway.model.address import Address
from gateway.model.envelope import Envelope
from gateway.model.message import Message
from gateway.model.presence import Presence
from gateway.model.subscription import State, Subscription
from gateway.policy.precedence import Layer
from gateway.policy.services import Concerned, Scope, decided
from gateway.policy.verdict import Verdict
from gateway.records.signalling import About, Signal, Way, Wire, word_of
from gateway.records.trace_file import NAME, TraceFile

log = Log("trace")

MOST_RUNS = 100
"""What commands trace at the same time."""
WHO: dict[Layer, str] = {
    Layer.ADMINISTRATOR: "for everybody",
    Layer.PARTNER: "for this partner",
    Layer.GROUP: "for a group that this person is in",
    Layer.NAMED: "for this person",
}


class Known(Protocol):
    """Is what has to be known of the two ends of a signal."""

    def ours(self, domain: str) -> bool:
        """Says whether a domain is ours."""

    def groups(self, person: str) -> frozenset[str] | None:
        """Gives the groups of a person; None while they are not known."""

    def partner(self, domain: str) -> frozenset[str]:
        """Gives all domains of the partner to whom a domain belongs; none for a stranger."""

    def state(self, one: Address, other: Address) -> State | None:
        """Gives the entry of the contact list between two, one of whom is ours."""


@frozen
class Run:
    """Is a trace that a command has begun."""

    scope: Scope
    since: float


@define(eq=False)
class Tracing:
    """Takes what legs note and what is decided; writes down what somebody wants to know, and shows it live."""

    known: Known
    terms: TraceTerms
    folder: Path
    now: Callable[[], float]
    required: bool = field(init=False, default=False)
    on: bool = field(init=False, default=False)
    """Whether anything is written down: legs note nothing while it is False."""
    runs: dict[str, Run] = field(init=False, factory=dict)
    listeners: "set[Callable[[Signal, str, Concerned], None]]" = field(init=False, factory=set)
    on_switch: Callable[[bool], object] = field(init=False, default=lambda on: None)
    """Called when it begins or ends to take anything."""
    on_end: list[Callable[[Run], None]] = field(init=False, factory=list)
    file: TraceFile = field(init=False)
    _pruned: float = field(init=False, default=0.0)

    def __attrs_post_init__(self) -> None:
        self.file = TraceFile(self.folder / NAME, 0, 0, 0, self.now)
        self.take(self.terms)

    def take(self, terms: TraceTerms) -> None:
        """Takes new terms into use."""
        self.terms = terms
        self.file.file_bytes, self.file.files, self.file.keep_days = terms.file_bytes, terms.files, terms.keep_days
        self._look()

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """Gives all that has been said about it: by the configuration, and by commands."""
        return (*self.terms.scopes, *(run.scope for run in self.runs.values()))

    # -- commands --------------------------------------------------------------------------------------------------

    def begin(self, scope: Scope) -> Run:
        """Begins to trace a partner or a person until `scope.until`; raises CommandError when that is locked."""
        found = decided((*self.scopes, scope), self.concerned(scope), self.now())
        if not found.value:
            raise CommandError(f"a trace of {scope.whom} is switched off {WHO[found.layer]}, and locked")
        if scope.whom in self.runs:
            raise CommandError(f'{scope.whom} is traced already; "gateway traces stop {scope.whom}" ends that')
        if len(self.runs) >= MOST_RUNS:
            raise CommandError(f"{MOST_RUNS} traces run already")
        run = self.runs[scope.whom] = Run(scope, self.now())
        self._look()
        return run

    def end(self, whom: str) -> bool:
        """Ends what a command has begun; False when there is nothing to end."""
        run = self.runs.pop(whom, None)
        self._look()
        if run is not None:
            for told in tuple(self.on_end):
                told(run)
        return run is not None

    def concerned(self, scope: Scope) -> Concerned:
        """Gives whom a scope is about."""
        if scope.person:
            return Concerned(scope.person, self.known.groups(scope.person))
        return Concerned(domains=self.known.partner(scope.partner))

    # -- taking ----------------------------------------------------------------------------------------------------

    def note(self, make: Callable[..., Signal], *parts: Any) -> None:
        """Writes down the signal that is made of these parts, for whom it is on; a fault in it hurts nothing else."""
        if not self.on:
            return
        try:
            self._write(make(*parts))
        except Exception:  # noqa: BLE001 who looks on must not stop what he looks at
            log.failure("signal not written")

    def _write(self, signal: Signal) -> None:
        whom = self._ends(signal)
        now = self.now()
        if not decided(self.scopes, whom, now).value:
            return
        line = written(signal, now)
        self.file.write(line)
        for listener in tuple(self.listeners):
            listener(signal, line, whom)

    def record(self, received: Envelope, verdict: Verdict) -> None:
        """Takes a decision: who to whom, and the names of what may go on."""
        if self.on:
            state = None
            if isinstance(received.content, Subscription):
                state = self.known.state(received.sender, received.recipient)
            self.note(decision_of, received, verdict, state)

    def tick(self) -> None:
        """Ends what is over, and hands the lines to the system; once a second."""
        now = self.now()
        for whom, run in list(self.runs.items()):
            if run.scope.until is not None and run.scope.until <= now:
                self.end(whom)
        self._look()
        self.file.flush()
        if now - self._pruned > 3600.0:
            self._pruned = now
            self.file.prune()

    def close(self) -> None:
        """Ends everything."""
        for whom in list(self.runs):
            self.end(whom)
        self.file.close()

    def _look(self) -> None:
        now = self.now()
        on = any(scope.on and (scope.until is None or scope.until > now) for scope in self.scopes)
        if on is not self.on:
            self.on = on
            self.on_switch(on)

    def _ends(self, signal: Signal) -> Concerned:
        person, domains = "", frozenset[str]()
        for address in (signal.sender, signal.recipient):
            if address is None:
                continue
            if self.known.ours(address.domain):
                person = person or (str(address) if address.local else "")
            else:
                domains |= self.known.partner(address.domain)
        groups = self.known.groups(person) if person else frozenset[str]()
        return Concerned(person, groups, domains)


def written(signal: Signal, now: float) -> str:
    """Gives the line of a signal: visible ASCII."""
    moment = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    return json.dumps({"at": moment, **signal.plain()}, ensure_ascii=True, separators=(",", ":"))


def decision_of(received: Envelope, verdict: Verdict, state: State | None = None) -> Signal:
    """Gives the signal of a decision."""
    content = received.content
    about = About(type(content).__name__.lower())
    fields = verdict.sent
    if isinstance(content, Presence) and not fields and verdict.content is not None:
        # What comes in is not stripped; these are the names that it holds.
        fields = content.document.names
    signal = Signal(
        wire=Wire.HOUSE,
        side=received.side,
        way=Way.HERE,
        word=word_of(verdict.decision.value),
        sender=received.sender,
        recipient=received.recipient,
        about=about,
        reason=verdict.reason,
        problem=verdict.problem,
        fields=fields,
        withheld=frozenset(verdict.withheld),
        state=state,
    )
    return evolve(signal, size=_size(content)) if isinstance(content, Message) else signal


def _size(message: Message) -> int:
    return sum(len(text.encode("utf-8", "replace")) for _, text in message.bodies)


def party_of(text: str, known: Known) -> Scope:
    """Reads whom to trace: one of our people, or a partner by any of its domains; raises CommandError."""
    with suppress(ValueError):
        address = Address.parse(text)
        if address.local and known.ours(address.domain):
            return Scope(True, person=str(address.bare))
        if not address.local and known.partner(address.domain):
            return Scope(True, partner=address.domain)
    raise CommandError("name one of our people (alice@corp.example), or a partner (partner.example)")
