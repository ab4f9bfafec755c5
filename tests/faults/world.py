"""The gateway between its two neighbours, the people on both sides, and a steady load among them."""

import asyncio
import itertools
import random
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from attrs import define, field

from tests.bench.pki import Authority, Credentials
from tests.faults.checker import Terms as Promises
from tests.faults.checker import Violation, check, summary
from tests.faults.gateway_process import GatewayProcess, Terms
from tests.faults.history import Event, History, Kind, read
from tests.faults.neighbour import Neighbour, Place

INSIDE, OUTSIDE = "corp.example", "partner.example"
SHOWS = ("away", "dnd", "xa", "")
TICK = 0.02
SETTLE_SECONDS = 90.0
QUIET_SECONDS = 3.0


@define
class Rates:
    """The steady load, per second."""

    messages: float = 200.0
    """Half of them each way."""
    presence: float = 500.0
    levels: float = 5.0
    """Changes of levels between one that shows a note and one that does not."""


@define(eq=False)
class World:
    """One run of one case."""

    folder: Path
    seed: int
    terms: Terms
    rates: Rates
    people: int = 60
    promises: Promises = field(factory=Promises)
    dice: random.Random = field(init=False)
    gateway: GatewayProcess = field(init=False)
    inside: Neighbour = field(init=False)
    outside: Neighbour = field(init=False)
    authority: Authority = field(init=False)
    remarks: list[str] = field(factory=list)
    """What the case measured, for people."""
    wrong: list[str] = field(factory=list)
    """What the case itself found wrong."""
    quiet: bool = True
    patience: float = SETTLE_SECONDS
    ask_seconds: float = 0.1
    """How often the neighbours ask what has been accepted."""
    remembers: bool = True
    """Keeps what happened, for the judge; a soak of hours does not."""
    _presence: dict[str, tuple[int, str]] = field(factory=dict)
    _numbers: "itertools.count[int]" = field(factory=lambda: itertools.count(1))
    narrow: set[str] = field(factory=set)
    _tasks: list["asyncio.Task[None]"] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.authority = Authority.create(self.folder / "pki")
        for domain in (INSIDE, OUTSIDE):
            self.authority.issue(domain)
        credentials = Credentials(self.folder / "pki")
        canary = f"canary{self.seed:x}"
        self.inside = Neighbour(
            INSIDE, OUTSIDE, Place("127.0.0.201", "127.0.0.100"), credentials, self._history("inside")
        )
        self.outside = Neighbour(
            OUTSIDE,
            INSIDE,
            Place("127.0.0.202", "127.0.0.101"),
            credentials,
            self._history("outside"),
            canary.encode(),
        )
        self.inside.current = self.said
        for neighbour in (self.inside, self.outside):
            neighbour.ask_seconds, neighbour.history.remembers = self.ask_seconds, self.remembers
        self.gateway = GatewayProcess(self.folder, self.folder / "pki", self.terms, self.folder / "state")

    def _history(self, name: str) -> History:
        return History(INSIDE if name == "inside" else OUTSIDE, self.folder / f"{name}.jsonl")

    # -- people ------------------------------------------------------------------------------------------------------

    def person(self, number: int) -> str:
        """Gives one of our own people."""
        return f"u{number}@{INSIDE}"

    def contact(self, number: int) -> str:
        """Gives the contact of the person with the same number."""
        return f"v{number}@{OUTSIDE}"

    def said(self, person: str, contact: str) -> bytes:
        """Gives what a person says of himself now, as his server tells it to a contact; its resource is a canary."""
        number, show = self._presence.get(person, (0, ""))
        if not number:
            return b""
        hidden = f"canary{self.seed:x}"
        shown = f"<show>{show}</show>" if show else ""
        return (
            f"<presence from='{person}/{hidden}' to='{contact}'>{shown}<status>n{number} at work</status>"
            f"<priority>5</priority><x xmlns='urn:example:{hidden}'>{hidden}</x></presence>"
        ).encode()

    def publish(self, number: int) -> None:
        """Has a person say something new, if his server has a way to the gateway."""
        if not self.inside.ready:
            return
        person, contact = self.person(number), self.contact(number)
        said = (next(self._numbers), SHOWS[self.dice.randrange(len(SHOWS))])
        self._presence[person] = said
        self.inside.history.note(Kind.SAID, person, contact, "", *said)
        self.inside.send(self.said(person, contact))

    async def set_level(self, number: int, *, narrow: bool) -> bool:
        """Lowers or raises what the contact of a person sees; says whether the gateway has confirmed it."""
        person, contact = self.person(number), self.contact(number)
        note = self.inside.history.note
        note(Kind.NARROWING if narrow else Kind.WIDENING, person, contact)
        done = await self.gateway.try_ask(
            "levels", "set", owner=person, contact=contact, level="public" if narrow else "team"
        )
        if done:
            note(Kind.NARROWED if narrow else Kind.WIDENED, person, contact)
            (self.narrow.add if narrow else self.narrow.discard)(person)
        return done

    # -- the run -----------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Starts everything, makes everybody a contact of somebody and begins the load."""
        await self.inside.open()
        await self.outside.open()
        took = await self.gateway.start()
        self.remarks.append(f"first start {took:.1f} s")
        await self.until(lambda: self.inside.ready and self.outside.ready, "streams to the gateway")
        await self.befriend()
        self.quiet = False
        for work in (self._steady(), self._change_levels()):
            self._tasks.append(asyncio.ensure_future(work))

    async def befriend(self) -> None:
        """Has every contact ask for his person, and waits until all have been shown."""
        for number in range(self.people):
            person, contact = self.person(number), self.contact(number)
            self.inside.history.note(Kind.WIDENED, person, contact)
            self._presence[person] = (next(self._numbers), "away")
            self.inside.history.note(Kind.SAID, person, contact, "", *self._presence[person])
            self.outside.send(f"<presence type='subscribe' from='{contact}' to='{person}'/>".encode())
        await self.until(lambda: self._pairs_that_see() == self.people, "subscriptions", self.patience)

    def _pairs_that_see(self) -> int:
        """Lets everybody say where he is until all contacts have heard it."""
        seen = self.outside.history.shown
        missing = [number for number in range(self.people) if self.person(number) not in seen]
        for number in missing[:1000]:
            self.publish(number)
        return self.people - len(missing)

    async def _steady(self) -> None:
        messages = presence = 0.0
        at = last = time.monotonic()
        while True:
            await asyncio.sleep(TICK)
            last, at = at, time.monotonic()
            passed = min(at - last, 0.5)
            if self.quiet:
                continue
            messages += self.rates.messages * passed
            presence += self.rates.presence * passed
            while messages >= 1.0:
                messages -= 1.0
                self._send_one()
            while presence >= 1.0:
                presence -= 1.0
                self.publish(self.dice.randrange(self.people))

    def _send_one(self) -> None:
        number = next(self._numbers)
        who = self.dice.randrange(self.people)
        if number % 2:
            self.inside.message(self.person(who), self.contact(who), number)
        else:
            self.outside.message(self.contact(who), self.person(who), number)

    async def _change_levels(self) -> None:
        while True:
            await asyncio.sleep(1 / self.rates.levels if self.rates.levels else 1.0)
            if not self.quiet and self.rates.levels and self.gateway.running:
                number = self.dice.randrange(self.people)
                await self.set_level(number, narrow=self.person(number) not in self.narrow)

    async def until(self, true: Callable[[], bool], what: str, seconds: float = SETTLE_SECONDS) -> bool:
        """Waits until something is so; otherwise that is wrong with this run."""
        deadline = time.monotonic() + seconds
        while not true():
            if time.monotonic() > deadline:
                self.wrong.append(f"after {seconds:.0f} s still no {what}")
                return False
            await asyncio.sleep(0.1)
        return True

    async def links(self, seconds: float = SETTLE_SECONDS) -> bool:
        """Waits until both neighbours reach the gateway."""
        return await self.until(lambda: self.inside.ready and self.outside.ready, "streams to the gateway", seconds)

    async def settle(self) -> None:
        """Ends the load and waits until everything that is owed has arrived, or for SETTLE_SECONDS."""
        self.quiet = True
        for number in range(self.people):
            self.publish(number)
        deadline = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline:
            await asyncio.sleep(1.0)
            if self._still() and not self.judge():
                return

    def _still(self) -> bool:
        last = max(
            (each.history.events[-1].at for each in (self.inside, self.outside) if each.history.events), default=0.0
        )
        return time.monotonic() - last > QUIET_SECONDS

    def events(self) -> list[Event]:
        """Gives both histories as one."""
        return sorted([*self.inside.history.events, *self.outside.history.events], key=lambda event: event.at)

    def judge(self) -> list[Violation]:
        """Gives what is wrong with what both ends have seen until now."""
        return check(self.events(), self.promises)

    async def close(self) -> list[str]:
        """Ends everything; gives what is wrong."""
        for task in self._tasks:
            task.cancel()
        until = time.monotonic()  # what a good-bye does to presence is not what the load was about
        if self.gateway.running:
            status = await self.gateway.stop()
            if status:
                self.wrong.append(f"the gateway ended with {status}:\n{self.gateway.tail()}")
        await self.inside.close()
        await self.outside.close()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
        events = [
            each for each in read(self.folder / "inside.jsonl", self.folder / "outside.jsonl") if each.at <= until
        ]
        self.remarks.append(str(summary(events)))
        return [*self.wrong, *(f"{violation.fault}: {violation.text}" for violation in check(events, self.promises))]
