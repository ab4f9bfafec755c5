"""Demo mode: the real gateway between small built-in servers on this machine alone."""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet.defer import ensureDeferred

from gateway import log
from gateway.demo.stage import CAST, INSIDE, Policy, Reservation, Stage, StageFailed
from gateway.demo.story import Story
from gateway.demo.telling import Teller, json_line
from gateway.demo.witness import Witness
from gateway.errors import GatewayError
from gateway.serving import serve

METRICS_PORT = 8920
READING_SECONDS = 0.5

DEMO_POLICY = Policy(
    default_level="public",
    locks=["location"],
    assignments=[("bob@partner.example", "company")],
    partners={"partner.example": {}, "ally.example": {"ceiling": "company"}},
)


def main(seconds: float | None = None, as_json: bool = False) -> int:
    """Runs the demo until Ctrl-C, or until `seconds` are over and the story is told; gives the exit status."""
    from twisted.internet import reactor

    log.start(level="warn")
    folder = Path(tempfile.mkdtemp(prefix="gateway-demo-"))
    try:
        return Demo(folder, reactor, seconds, as_json).run()
    except (GatewayError, OSError) as problem:
        print(f"gateway: {problem}", file=sys.stderr)  # noqa: T201 somebody is at the terminal
        return 2
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@define(eq=False)
class Demo:
    """Is one run of the demo."""

    folder: Path
    _reactor: Any
    _seconds: float | None
    _as_json: bool
    _failed: bool = False
    _stopping: bool = False
    _began: float = 0.0
    _teller: Teller = field(init=False)
    _witness: Witness = field(init=False)
    _stage: Stage = field(init=False)
    _page: Reservation = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._witness = Witness()
        self._page = Reservation.take(1, [METRICS_PORT])
        self._stage = Stage(self.folder, DEMO_POLICY, self._reactor, (self._witness,), self._page.ports[0])
        self._teller = Teller()
        self._began = self._reactor.seconds()

    def run(self) -> int:
        """Runs the reactor to the end; gives the exit status."""
        stage = self._stage
        stage.open()
        self._reactor.addSystemEventTrigger("before", "shutdown", self._end)
        # The daemon says good-bye to the demo servers: they close after it.
        self._reactor.addSystemEventTrigger("during", "shutdown", stage.close)
        status = serve(stage.daemon, self._reactor, lambda: ensureDeferred(self._play()))
        return status or int(self._failed)

    async def _play(self) -> None:
        try:
            await self._tell()
        except (StageFailed, GatewayError) as problem:
            if not self._stopping:
                self._failed = True
                print(f"gateway: the demo failed: {problem}", file=sys.stderr)  # noqa: T201
        except Exception:  # noqa: BLE001 whatever happened, the demo must end
            self._failed = True
            log.Log("demo").failure("demo failed")
        if not self._stopping:
            self._reactor.stop()

    async def _tell(self) -> None:
        if self._as_json:
            self._witness.told = lambda disclosure: self._teller.line(json_line(disclosure))
            story = Story(self._stage, self._witness, Teller(closed=True), self._reactor)
            await story.tell()
        else:
            self._introduce()
            story = Story(self._stage, self._witness, self._teller, self._reactor, READING_SECONDS)
            await story.tell()
            self._explain()
            self._witness.told = story.show_soon
        await story.live(self._left)

    def _left(self) -> float:
        """Gives the seconds until the end that was asked for: without one, for ever."""
        if self._stopping or self._teller.closed:
            return 0.0
        now: float = self._reactor.seconds()
        return float("inf") if self._seconds is None else max(0.0, self._began + self._seconds - now)

    def _end(self) -> None:
        self._stopping = True
        self._witness.told = lambda disclosure: None
        if not self._as_json:
            self._teller.lines("", "Ending: the contacts are told that alice is gone, and the folder is removed.")

    def _introduce(self) -> None:
        self._teller.lines(
            "Gateway demo: everything runs in this process and on 127.0.0.1; nothing leaves this machine.",
            f"State, certificates and gateway.toml are in {self.folder}, and go when it ends.",
            "",
        )
        for domain, people in CAST.items():
            role = "inside: your own server" if domain == INSIDE else "outside"
            if domain in DEMO_POLICY.partners:
                ceiling = DEMO_POLICY.partners[domain].get("ceiling")
                role += ", a partner" + (f" whose people see no more than level {ceiling}" if ceiling else "")
            elif domain != INSIDE:
                role += ", no partner"
            self._teller.line(f"   {domain:<18}{', '.join(people):<13}{role}")
        self._teller.line("   Between them: this gateway, over TLS, each side proven by its certificate.")

    def _explain(self) -> None:
        command = f"{_program()} --socket {self._stage.control}"
        page = f"http://127.0.0.1:{self._stage.metrics_port}"
        self._teller.lines(
            "",
            "The gateway keeps running, and alice's day goes on. Look at it:",
            f"   {page}/metrics   {page}/healthz   {page}/readyz",
            "Try it in another terminal, and watch this one:",
            f"   {command} levels set alice@corp.example bob@partner.example public",
            f"   {command} explain alice@corp.example bob@partner.example --field note",
            f"   {command} view alice@corp.example carol@ally.example",
            f"   {command} status",
            "Ctrl-C ends it.",
            "",
        )


def _program() -> str:
    """Gives the command as somebody in this folder would type it."""
    path = Path(sys.argv[0]).absolute()
    if not path.name.startswith("gateway"):
        return "gateway"
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
