"""A directory in a file: read at the start, and again whenever it changes; a file with a mistake changes nothing."""

import os
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThreadPool

from gateway.config import DirectoryFile
from gateway.errors import GatewayError
from gateway.interfaces import Directory, Entry, Surroundings
from gateway.log import Log
from gateway.model.address import Address
from gateway.model.publication import Origin
from plugins.directories.staff_file import Entries, read_file

MANY = 1000
"""People whose entries differ from which on it is said that anybody's may."""

_log = Log("directories")


def build(surroundings: Surroundings, section: DirectoryFile) -> Directory:
    """Builds the directory."""
    return FileDirectory(surroundings, section)


class FileDirectory:
    """Knows what stands in a file."""

    origin = Origin.ADMINISTRATOR

    def __init__(self, surroundings: Surroundings, section: DirectoryFile) -> None:
        self.name = section.name
        self._house = surroundings.house
        self._reactor = surroundings.reactor
        self._domains = frozenset(surroundings.config.domains)
        self._section = section
        self._entries: Entries = {}
        self._stamp: tuple[int, ...] = ()
        self._looking = LoopingCall(self._look)
        self._looking.clock = surroundings.reactor

    async def start(self) -> None:
        """Reads the file; raises GatewayError with every mistake and its line."""
        self._stamp = self._stamp_now()
        self._entries = await self._read()
        self._looking.start(self._section.refresh_seconds, now=False)

    async def look_up(self, person: Address) -> Entry | None:
        """Gives what the file says about a person."""
        return self._entries.get(person.bare)

    async def stop(self) -> None:
        """Looks no more."""
        if self._looking.running:
            self._looking.stop()

    def _read(self) -> "Deferred[Entries]":
        pool = self._reactor.getThreadPool()
        return deferToThreadPool(self._reactor, pool, read_file, self._section.path, self._domains)

    def _look(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._read_again())

    async def _read_again(self) -> None:
        stamp = self._stamp_now()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            entries = await self._read()
        except GatewayError as problem:
            _log.error("directory kept as it was", directory=self.name, detail=problem)
            return
        except Exception:  # noqa: BLE001 one reading that fails must not be the last
            _log.failure("directory kept as it was", directory=self.name)
            return
        before, self._entries = self._entries, entries
        self._announce(before)

    def _announce(self, before: Entries) -> None:
        now = self._entries
        changed = [one for one in before.keys() | now.keys() if before.get(one) != now.get(one)]
        _log.info("directory read again", directory=self.name, changes=len(changed))
        if len(changed) > MANY:
            self._house.directory_changed(None)
            return
        for person in sorted(changed):
            self._house.directory_changed(person)

    def _stamp_now(self) -> tuple[int, ...]:
        """Gives what differs when the file is another one or has been written."""
        try:
            found: Any = os.stat(self._section.path)
        except OSError:
            return ()
        return (found.st_mtime_ns, found.st_size, found.st_ino)
