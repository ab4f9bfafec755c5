"""When the usage report is sent, and to whom: opted in on this machine, shown once, over HTTPS, or never."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import asdict, define, field
from twisted.internet.defer import Deferred

from gateway.commands.informing_answers import TelemetryShown, TelemetryStatus
from gateway.config import Config
from gateway.config.informing import TelemetryTerms
from gateway.errors import CommandError, GatewayError, StoreError
from gateway.log import Log
from gateway.metrics import Metrics
from gateway.policy.precedence import Effective, Layer, Setting, effective
from gateway.records.telemetry import SCHEMA, Machine, report
from gateway.transport.web_fetch import WebFetch

log = Log("telemetry")

FILE = "telemetry.json"
"""The name of what is remembered of it, in the state folder."""
FIRST_SECONDS = 3600.0
"""From the moment at which it is on and shown to the first report; and from one that failed to the next try."""
SECONDS = 30.0
"""How long a collector may take."""
WHO = {Layer.ADMINISTRATOR: "the configuration", Layer.PERSON: "a command on this machine", Layer.DEFAULT: "default"}


@define
class Remembered:
    """Is what is remembered over a restart."""

    choice: bool | None = None
    """What was chosen on this machine."""
    chosen: float = 0.0
    """When that was (posix seconds)."""
    shown: int = 0
    """The schema of the newest report that somebody was shown."""
    shown_at: float = 0.0
    pending: str = ""
    """The report that was shown and is sent next, to the byte."""
    last: float = 0.0
    tried: float = 0.0
    problem: str = ""

    @classmethod
    def read(cls, path: Path) -> "Remembered":
        """Reads it; what cannot be read counts as never chosen and never shown."""
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            return cls(**{name: value for name, value in found.items() if name in cls.__annotations__})
        except (OSError, ValueError, TypeError, AttributeError):
            return cls()


def kept(path: Path, text: str) -> None:
    """Writes a small file whole, for our own user only; raises StoreError."""
    fresh = path.with_name(f"{path.name}.new")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as problem:
        raise StoreError(f"cannot write {path}: {problem.strerror}") from None


def standing(terms: TelemetryTerms, choice: bool | None) -> Effective:
    """Decides whether reports are sent: the configuration's word, this machine's choice, else not."""
    said = [Setting(Layer.ADMINISTRATOR, terms.on, terms.locked)] if terms.on or terms.locked else []
    if choice is not None:
        said.append(Setting(Layer.PERSON, choice))
    return effective(said, False)


@define(eq=False)
class Reporting:
    """Answers the commands about the usage report, and sends it."""

    config_of: Callable[[], Config]
    metrics: Metrics
    folder: Path
    reactor: Any
    now: Callable[[], float]
    uptime: Callable[[], float]
    machine: Machine = field(factory=Machine.here)
    on_change: Callable[[], object] = field(default=lambda: None)
    """Called when it has been switched on or off."""
    _known: Remembered = field(init=False)
    _sending: bool = field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        self._known = Remembered.read(self.folder / FILE)

    @property
    def decided(self) -> Effective:
        """Says whether it is on here, and who says so."""
        return standing(self._terms, self._known.choice)

    @property
    def _terms(self) -> TelemetryTerms:
        return self.config_of().telemetry

    def show(self) -> TelemetryShown:
        """Gives the next report to the byte; it is sent as it was shown, and nothing before it was."""
        known = self._known
        if not known.pending:
            known.pending = self._drawn().decode("ascii")
        if known.shown != SCHEMA:
            known.shown, known.shown_at = SCHEMA, self.now()
        self._keep()
        return {"report": known.pending, "collector": self._terms.collector or ""}

    def choose(self, on: bool) -> TelemetryStatus:
        """Switches it on or off on this machine; raises CommandError when that is locked or goes nowhere."""
        terms = self._terms
        if terms.locked:
            raise CommandError(f"the usage report is {'on' if terms.on else 'off'} and locked by the configuration")
        if on and terms.collector is None:
            raise CommandError("no collector is named: [telemetry] collector says where reports would go")
        self._known.choice, self._known.chosen = on, self.now()
        if not on:
            self._known.pending = ""
        self._keep()
        self.on_change()
        return self.status()

    def status(self) -> TelemetryStatus:
        """Says whether it is sent, and when."""
        found, known = self.decided, self._known
        due = self._due()
        return {
            "on": bool(found.value),
            "by": WHO[found.layer],
            "locked": found.locked,
            "collector": self._terms.collector or "",
            "shown": known.shown == SCHEMA,
            "next": due,
            "last": known.last or None,
            "problem": known.problem,
        }

    def tick(self) -> "Deferred[None] | None":
        """Sends what is due; gives a Deferred while it does."""
        due = self._due()
        if due is None or due > self.now() or self._sending:
            return None
        self._sending = True
        return Deferred.fromCoroutine(self._send())

    def _due(self) -> float | None:
        """Gives when the next report goes (posix seconds); None when none goes."""
        known, terms = self._known, self._terms
        if not self.decided.value or terms.collector is None or known.shown != SCHEMA:
            return None
        first = max(known.shown_at, known.chosen) + FIRST_SECONDS
        regular = known.last + terms.every_hours * 3600 if known.last else first
        return max(regular, known.tried + FIRST_SECONDS if known.problem else 0.0)

    async def _send(self) -> None:
        known, terms = self._known, self._terms
        octets = known.pending.encode("ascii") or self._drawn()
        known.tried = self.now()
        try:
            fetch = WebFetch(self.reactor, terms.ca.file, SECONDS)
            reply = await fetch.ask("POST", str(terms.collector), {"Content-Type": "application/json"}, octets)
            if not 200 <= reply.status < 300:
                raise GatewayError(f"the collector answers with status {reply.status}")
            known.pending, known.last, known.problem = "", self.now(), ""
            log.info("usage report sent", bytes=len(octets))
        except GatewayError as problem:
            known.problem = str(problem)
            log.warn("usage report not sent", detail=problem)
        except Exception:  # noqa: BLE001 it is tried again
            known.problem = "an error in the gateway"
            log.failure("usage report failed")
        finally:
            self._sending = False
        try:
            self._keep()
        except StoreError as problem:
            log.warn("usage report not remembered", detail=problem)

    def _drawn(self) -> bytes:
        return report(self.config_of(), self.metrics, self.machine, self.uptime())

    def _keep(self) -> None:
        kept(self.folder / FILE, json.dumps(asdict(self._known), indent=1, sort_keys=True))
