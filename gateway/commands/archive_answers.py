"""The shapes of what the commands about the archive, and about all that is kept of somebody, answer."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Protocol, TypeAlias, TypedDict, TypeVar

_Answer = TypeVar("_Answer")
Soon: TypeAlias = "_Answer | Awaitable[_Answer]"


class ArchiveStatus(TypedDict):
    """How the archive is: `problem` says why nothing is recorded; `keys` counts the texts that each key has sealed."""

    on: bool
    place: str
    problem: str
    mode: str
    critical: bool
    rules: int
    head: str
    waiting: int
    missed: int
    key: str
    keys: dict[str, int]
    holds: int


class ArchiveRecord(TypedDict):
    """One record: `at` posix seconds, `text` what was said, `rest` the words of closed sets that belong to its kind."""

    seq: int
    at: float
    kind: str
    about: str
    to: str
    conversation: int
    text: dict[str, Any]
    rest: dict[str, Any]


class ArchiveExported(TypedDict):
    """An export: the file, its form, and how much is in it."""

    file: str
    format: str
    records: int


class ArchiveHeld(TypedDict):
    """A legal hold on a person, a contact or a domain; `since` in posix seconds."""

    party: str
    since: float
    reason: str


class ArchivePruned(TypedDict):
    """What retention has taken away: records emptied of persons and texts, empty ones removed, others held."""

    emptied: int
    removed: int
    held: int


class ArchiveRotated(TypedDict):
    """How many texts were sealed again, how many are left for the next time, how many cannot be opened."""

    resealed: int
    left: int
    unreadable: int
    key: str


class UserKept(TypedDict):
    """What is kept of somebody in one place: how much, in words why it stays if it was erased, or ''."""

    place: str
    count: int
    erased: int
    stays: str


class UserReport(TypedDict):
    """Everything that is kept of somebody, place by place; `file` is where it was written, if it was."""

    address: str
    places: list[UserKept]
    file: str


class Archival(Protocol):
    """What the running daemon does for these commands; each raises GatewayError with a text for who asked."""

    def archive_status(self) -> Soon[ArchiveStatus]:
        """Says how the archive is."""

    def archive_search(
        self,
        about: str | None,
        to: str | None,
        since: str | None,
        until: str | None,
        text: str | None,
        kind: str | None,
        conversation: str | None,
        limit: str | None,
    ) -> Soon[list[ArchiveRecord]]:
        """Finds records."""

    def archive_export(
        self,
        format: str | None,
        about: str | None,
        to: str | None,
        since: str | None,
        until: str | None,
        conversation: str | None,
        file: str | None,
    ) -> Soon[ArchiveExported]:
        """Writes records to a file."""

    def archive_hold(self, party: str, reason: str) -> Soon[list[ArchiveHeld]]:
        """Begins a legal hold."""

    def archive_release(self, party: str, reason: str) -> Soon[list[ArchiveHeld]]:
        """Ends a legal hold."""

    def archive_holds(self) -> Soon[list[ArchiveHeld]]:
        """Lists the legal holds."""

    def archive_prune(self) -> Soon[ArchivePruned]:
        """Takes away what is older than its retention."""

    def archive_rotate(self) -> Soon[ArchiveRotated]:
        """Seals all texts with the newest key."""

    def users_show(self, address: str) -> Soon[UserReport]:
        """Says what is kept of somebody."""

    def users_export(self, address: str, file: str | None) -> Soon[UserReport]:
        """Writes what is kept of somebody to a file."""

    def users_erase(self, address: str) -> Soon[UserReport]:
        """Erases what is kept of somebody, as far as nothing holds it."""
