"""A directory behind LDAP: people are looked up when the house asks, and compared from time to time."""

from collections.abc import Callable, Mapping
from typing import ParamSpec, TypeVar

from attrs import define
from ldap.filter import escape_filter_chars
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from gateway.config import DirectoryLdap
from gateway.errors import GatewayError
from gateway.interfaces import Directory, Entry, Surroundings
from gateway.log import Log
from gateway.model.address import Address
from gateway.model.presence import Field
from gateway.model.publication import Origin
from gateway.protocols.directory_values import NoValue
from plugins.directories.ldap_entries import asked_for, fingerprint, read_entry, table_of
from plugins.directories.ldap_session import DirectoryFailed, Found, Names, Session, Sessions

THREADS = 4
"""Questions that are asked at the same time."""
REMEMBERED = 200_000
"""People whose last answer is remembered, so that a change of it is noticed."""

_log = Log("directories")
_Asked = ParamSpec("_Asked")
_Result = TypeVar("_Result")


def build(surroundings: Surroundings, section: DirectoryLdap) -> Directory:
    """Builds the directory; raises GatewayError when a field of the table is none of a directory's."""
    return LdapDirectory(surroundings, section)


@define(eq=False)
class Searches:
    """Is what is asked of the server, in threads; every call raises DirectoryFailed when it does not answer."""

    section: DirectoryLdap
    sessions: Sessions
    table: Mapping[Field, tuple[str, ...]]

    def person(self, where: str, key: str) -> tuple[Entry, bytes] | None:
        """Gives the entry of a person and its fingerprint."""
        found = self.sessions.use(lambda session: session.search(where, self._condition(key), self._names()))
        if found is None:
            return None
        dn, attributes = found
        groups = self._groups(found)
        if not self.section.groups:
            groups = self.sessions.use(lambda session: self._searched(session, dn))
        shown = {name: values for name, values in attributes.items() if name != self.section.groups.lower()}
        return read_entry(shown, self.table, groups), fingerprint(shown, groups)

    def fingerprints(self, where: str, wanted: frozenset[str]) -> dict[str, bytes]:
        """Gives the fingerprints of those of these people who are there, by key."""
        return self.sessions.use(lambda session: self._fingerprints(session, where, wanted))

    def _fingerprints(self, session: Session, where: str, wanted: frozenset[str]) -> dict[str, bytes]:
        members = {} if self.section.groups else self._all_groups(session)
        own = self._key_name().lower()
        found: dict[str, bytes] = {}
        for dn, attributes in session.pages(where, self._condition(None), self._names()):
            keys = {value.decode(errors="replace").casefold() for value in attributes.get(own, ())} & wanted
            if keys:
                groups = members.get(dn.casefold(), []) if not self.section.groups else self._groups((dn, attributes))
                shown = {name: values for name, values in attributes.items() if name != self.section.groups.lower()}
                found |= dict.fromkeys(keys, fingerprint(shown, groups))
        return found

    def _condition(self, key: str | None) -> str:
        """Writes what must hold of the entry of a person, or of anybody's."""
        value = "*" if key is None else escape_filter_chars(key)
        return f"(&{self.section.filter}({self._key_name()}={value}))"

    def _key_name(self) -> str:
        return self.section.person.partition("=")[0]

    def _names(self) -> list[str]:
        names = {*asked_for(self.table), self._key_name(), self.section.groups}
        return sorted(names - {""})

    def _groups(self, entry: Found) -> list[str]:
        values = entry[1].get(self.section.groups.lower(), ()) if self.section.groups else ()
        return [name for value in values for name in Names(value.decode(errors="replace")).both()]

    def _searched(self, session: Session, dn: str) -> list[str]:
        if not self.section.group_base:
            return []
        condition = f"({self.section.group_member}={escape_filter_chars(dn)})"
        rows = session.pages(self.section.group_base, condition, ["1.1"])
        return [name for group, _ in rows for name in Names(group).both()]

    def _all_groups(self, session: Session) -> dict[str, list[str]]:
        """Gives the groups of everybody, by the name of his entry."""
        member = self.section.group_member
        members: dict[str, list[str]] = {}
        if self.section.group_base:
            for group, attributes in session.pages(self.section.group_base, f"({member}=*)", [member]):
                for value in attributes.get(member.lower(), ()):
                    members.setdefault(value.decode(errors="replace").casefold(), []).extend(Names(group).both())
        return members


class LdapDirectory:
    """Knows what an LDAP server says."""

    origin = Origin.ADMINISTRATOR

    def __init__(self, surroundings: Surroundings, section: DirectoryLdap) -> None:
        self.name = section.name
        try:
            table = table_of(section.attributes.by_field)
        except NoValue as problem:
            raise GatewayError(f"[[directory]] {section.name} attributes: {problem}") from None
        self._section = section
        self._house = surroundings.house
        self._reactor = surroundings.reactor
        self._searches = Searches(section, Sessions(section), table)
        self._pool = ThreadPool(0, THREADS, name=f"ldap {section.name}")
        self._remembered: dict[Address, bytes | None] = {}
        self._failing = False
        self._looking = LoopingCall(self._look)
        self._looking.clock = surroundings.reactor

    async def start(self) -> None:
        """Begins to look for changes; a server that is not there yet may come later."""
        self._pool.start()
        self._looking.start(self._section.refresh_seconds, now=False)

    async def look_up(self, person: Address) -> Entry | None:
        """Asks the server; raises DirectoryFailed."""
        where = self._section.base.of(person.domain)
        if where is None or not person.local:
            return None
        try:
            found = await self._in_thread(self._searches.person, where, self._key(person))
        except DirectoryFailed as problem:
            self._failed(problem)
            raise
        if len(self._remembered) >= REMEMBERED:
            self._remembered.clear()
        self._remembered[person.bare] = found[1] if found else None
        return found[0] if found else None

    async def stop(self) -> None:
        """Closes the connections; waits no longer than the server may take to answer."""
        if self._looking.running:
            self._looking.stop()
        if self._pool.started:
            await deferToThreadPool(self._reactor, self._reactor.getThreadPool(), self._pool.stop)
        self._searches.sessions.close()

    def _key(self, person: Address) -> str:
        return person.local if self._section.person.endswith("{local}") else str(person.bare)

    def _in_thread(
        self, ask: Callable[_Asked, _Result], *arguments: _Asked.args, **named: _Asked.kwargs
    ) -> "Deferred[_Result]":
        return deferToThreadPool(self._reactor, self._pool, ask, *arguments, **named)

    def _look(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._compare())

    async def _compare(self) -> None:
        """Says whose entries are not what they were when they were last asked for."""
        places: dict[str, list[Address]] = {}
        for person in self._remembered:
            places.setdefault(self._section.base.of(person.domain) or "", []).append(person)
        try:
            for where, people in places.items():
                wanted = frozenset(self._key(person).casefold() for person in people)
                found = await self._in_thread(self._searches.fingerprints, where, wanted)
                self._announce(people, found)
        except DirectoryFailed as problem:
            self._failed(problem)
        except Exception:  # noqa: BLE001 one comparison that fails must not be the last
            _log.failure("directory not compared", directory=self.name)
        else:
            self._failing = False

    def _announce(self, people: list[Address], found: Mapping[str, bytes]) -> None:
        for person in people:
            now = found.get(self._key(person).casefold())
            if person in self._remembered and self._remembered[person] != now:
                self._remembered[person] = now
                self._house.directory_changed(person)

    def _failed(self, problem: GatewayError) -> None:
        """Tells once until it works again."""
        if not self._failing:
            _log.warn("directory does not answer", directory=self.name, detail=problem)
        self._failing = True
