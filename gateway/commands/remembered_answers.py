"""The shapes of what the commands about conversation history answer."""

from typing import Protocol, TypedDict


class HistoryEntry(TypedDict):
    """One conversation that waits for its mailbox; `problem` is a closed word, or '' before the first attempt."""

    owner: str
    started: float
    tries: int
    problem: str
    next: float


class HistoryStatus(TypedDict):
    """How the history stands: whether there is any, conversations that go on, and those that wait."""

    on: bool
    folder: str
    open: int
    waiting: list[HistoryEntry]
    problem: str


class HistoryChoice(TypedDict):
    """Whether the conversations of a person are kept, who says so, and what waits for his mailbox.

    `set_by` is administrator, partner, group, named, person or default; `told` are contacts who know.
    """

    owner: str
    offered: bool
    on: bool
    set_by: str
    locked: bool
    folder: str
    waiting: int
    problem: str
    told: int


class HistoryRetried(TypedDict):
    """How many conversations are tried again now."""

    count: int


class Remembered(Protocol):
    """What the running daemon does about conversation history."""

    def history_status(self) -> HistoryStatus:
        """Says how the history stands."""

    def history_show(self, owner: str) -> HistoryChoice:
        """Says whether the conversations of a person are kept."""

    def history_retry(self, owner: str | None) -> HistoryRetried:
        """Tries at once what waits."""
