"""What both kinds of calendar do: whose is where, when it is read again, and what it says now."""

import os
import tomllib
from base64 import b64encode
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from attrs import evolve, field, frozen
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from gateway.config import DirectoryCaldav, DirectoryIcal
from gateway.errors import GatewayError
from gateway.interfaces import Entry, Surroundings
from gateway.log import Log
from gateway.model.address import Address
from gateway.model.publication import Origin
from gateway.protocols.calendars.agenda import Agenda, facts
from gateway.protocols.calendars.reading import read_agenda
from gateway.transport.web_fetch import WebFetch, origin

AGAIN_SECONDS = 60.0
"""After a failure, when a calendar is read again."""
HELD = 50_000
"""People whose calendars are kept as they were read."""

_log = Log("directories")


class CalendarFailed(GatewayError):
    """Says why a calendar cannot be asked; never whose, nor where exactly."""


@frozen
class Account:
    """Is what one person's calendar is read with."""

    url: str = field(default="", repr=False)
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    def authorization(self) -> Mapping[str, str]:
        """Gives the header that proves who asks (RFC 7617)."""
        if not self.user:
            return {}
        return {"Authorization": f"Basic {b64encode(f'{self.user}:{self.password}'.encode()).decode('ascii')}"}


@frozen
class Held:
    """Is a calendar as it was last read."""

    agenda: Agenda
    until: float
    """When it is read again."""
    mark: Mapping[str, str] = field(factory=dict)
    """Headers that ask whether it is still the same."""


@frozen
class Documents:
    """Is what a server has: None for 'as it was', else the calendars, and how to ask for a change."""

    bodies: list[bytes] | None = field(repr=False)
    mark: Mapping[str, str] = field(factory=dict)


class Ask(Protocol):
    """Gets one calendar: None when there is none; raises GatewayError."""

    def __call__(
        self, fetch: WebFetch, account: Account, now: float, days: int, mark: Mapping[str, str]
    ) -> Awaitable[Documents | None]: ...


class Calendars:
    """Knows what people's calendars say of them now; reads one when it is asked about its owner, and not too often."""

    origin = Origin.CALENDAR

    def __init__(self, surroundings: Surroundings, section: DirectoryIcal | DirectoryCaldav, ask: Ask) -> None:
        self.name = section.name
        self._section = section
        self._ask = ask
        self._now = surroundings.now
        self._reactor = surroundings.reactor
        self._fetch = WebFetch(surroundings.reactor, section.ca.file, section.timeout_seconds)
        # One at a time: a calendar that takes long to read keeps only other calendars waiting.
        self._readers = ThreadPool(0, 1, name=f"calendars {section.name}")
        self._accounts = Accounts(section)
        self._held: dict[Address, Held] = {}

    async def start(self) -> None:
        """Reads the credentials; raises GatewayError when they cannot be read."""
        self._accounts.read()
        self._readers.start()

    async def look_up(self, person: Address) -> Entry | None:
        """Says what a calendar says now; raises GatewayError when it cannot be read and nothing was said before.

        Who has no calendar is asked about again in time: he may have one by then. While the server does not answer,
        what was read of today goes on to count with the clock, and nothing afterwards: no meeting lasts for ever.
        """
        person, now = person.bare, self._now()
        account, held = self._accounts.of(person), self._held.get(person)
        if account is None:
            return Entry({}, ends=now + self._section.refresh_seconds)
        if held is None or now >= held.until or not _covers(held.agenda, now):
            held = await self._read_or_keep(person, account, now, held)
        if held is None:
            return Entry({}, ends=now + self._section.refresh_seconds)
        if not _covers(held.agenda, now):
            return Entry({}, ends=held.until)
        said = facts(held.agenda, now, self._section.days, self._section.out_of_office)
        return Entry(said.values, frozenset(), min(said.ends, held.until))

    async def stop(self) -> None:
        """Waits for what is being read."""
        if self._readers.started:
            await deferToThreadPool(self._reactor, self._reactor.getThreadPool(), self._readers.stop)

    async def _read_or_keep(self, person: Address, account: Account, now: float, held: Held | None) -> Held | None:
        try:
            return await self._read(person, account, now, held)
        except GatewayError as problem:
            if held is None:
                raise
            _log.warn("calendar not read again", directory=self.name, detail=problem)
            self._held[person] = kept = evolve(held, until=now + min(self._section.refresh_seconds, AGAIN_SECONDS))
            return kept

    async def _read(self, person: Address, account: Account, now: float, held: Held | None) -> Held | None:
        days, until = self._section.days, now + self._section.refresh_seconds
        usable = held is not None and _covers(held.agenda, now)
        got = await self._ask(self._fetch, account, now, days, held.mark if held is not None and usable else {})
        if got is None:
            self._held.pop(person, None)
            return None
        if got.bodies is None and held is not None:
            agenda = held.agenda
        else:
            arguments = (got.bodies or [], person, now, days)
            agenda = await deferToThreadPool(self._reactor, self._readers, read_agenda, *arguments)
        if len(self._held) >= HELD:
            self._held.clear()
        self._held[person] = read = Held(agenda, until, got.mark)
        return read


class Accounts:
    """Knows where each person's calendar is and with what it is read."""

    def __init__(self, section: DirectoryIcal | DirectoryCaldav) -> None:
        self._section = section
        self._own: Mapping[Address, Account] = {}
        self._stamp = 0

    def read(self) -> None:
        """Reads the file of credentials; raises GatewayError."""
        if self._section.credentials is not None:
            self._stamp = _stamp(self._section.credentials)
            self._own = read_accounts(self._section.credentials, self._section.url)

    def of(self, person: Address) -> Account | None:
        """Gives what a person's calendar is read with; None when he can have none."""
        self._read_again()
        if not person.local or person.local in (".", ".."):
            return None
        own = self._own.get(person)
        if own is None and self._section.credentials is not None and not self._section.user:
            return None
        usual = Account(
            _filled(self._section.url, person, quoted=True),
            _filled(self._section.user, person),
            self._section.password.text if self._section.password is not None else "",
        )
        if own is None:
            return usual
        return Account(own.url or usual.url, own.user or usual.user, own.password or usual.password)

    def _read_again(self) -> None:
        path = self._section.credentials
        if path is None or _stamp(path) == self._stamp:
            return
        try:
            self.read()
        except GatewayError as problem:
            _log.error("credentials kept as they were", directory=self._section.name, detail=problem)


def read_accounts(path: Path, url: str) -> Mapping[Address, Account]:
    """Reads `"alice@corp.example" = { user = "...", password = "...", url = "..." }`; raises CalendarFailed.

    Each key may be missing; an address of its own must be on the same server as everybody's.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        why = problem.strerror if isinstance(problem, OSError) else "is not TOML in UTF-8"
        raise CalendarFailed(f"{path.name}: {why}") from None
    found: dict[Address, Account] = {}
    for number, (name, table) in enumerate(tables.items(), 1):
        texts = isinstance(table, dict) and all(isinstance(value, str) for value in table.values())
        if not texts or table.keys() - {"url", "user", "password"}:
            raise CalendarFailed(f"{path.name}: entry {number} is not {{ user = ..., password = ..., url = ... }}")
        account = Account(**table)
        if account.url and (origin(account.url) != origin(url) or not account.url.isascii()):
            raise CalendarFailed(f"{path.name}: entry {number} has an address on another server")
        try:
            found[Address.parse(name).bare] = account
        except GatewayError:
            raise CalendarFailed(f"{path.name}: entry {number} is no person's") from None
    return found


def refused(status: int) -> bool:
    """Says whether a status means that there is no such calendar; raises CalendarFailed for every other refusal."""
    if status in (404, 410):
        return True
    if status >= 300 and status != 304:
        raise CalendarFailed(f"answers {status}")
    return False


def _filled(text: str, person: Address, *, quoted: bool = False) -> str:
    parts = {"local": person.local, "domain": person.domain, "address": str(person.bare)}
    for name, value in parts.items():
        text = text.replace(f"{{{name}}}", quote(value, safe="@") if quoted else value)
    return text


def _covers(agenda: Agenda, now: float) -> bool:
    """Says whether an agenda reaches far enough: it has one day more than is published."""
    return agenda.begin <= now < agenda.begin + 86400


def _stamp(path: Path) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return -1
