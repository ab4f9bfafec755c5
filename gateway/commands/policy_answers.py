"""The shapes of what the commands about the policy as a whole answer."""

from collections.abc import Awaitable
from typing import Protocol, TypedDict


class PolicyDifference(TypedDict):
    """What a contact gains and loses: names of fields, and kinds of traffic that open and close.

    `used` are those of the fields that the ledger names for the two in the time that was looked at.
    """

    owner: str
    contact: str
    gains: list[str]
    loses: list[str]
    opens: list[str]
    closes: list[str]
    used: list[str]


class FieldCount(TypedDict):
    """How many pairs gain a field, or kind of traffic, and how many lose it."""

    gains: int
    loses: int


class PolicyDiffed(TypedDict):
    """What a configuration would change: `base` and `new` are SHA-256 of the files, `pairs` how many were compared.

    `loosens` are settings by which less is watched over than before. Of the differences those that widen come first;
    `left_out` of them are not listed.
    """

    base: str
    new: str
    pairs: int
    days: int
    ledger: bool
    widened: int
    narrowed: int
    threshold: int
    loosens: list[str]
    fields: dict[str, FieldCount]
    differences: list[PolicyDifference]
    left_out: int
    changes: list[str]
    restart: list[str]


class PolicyApplied(TypedDict):
    """What became of a configuration: `outcome` is applied, unchanged or pending; `id` names a proposal or itself."""

    outcome: str
    id: str
    widened: int
    narrowed: int
    changes: list[str]
    restart: list[str]


class PolicyStep(TypedDict):
    """One change of the configuration in force: when, how, and by which user of the machine."""

    at: float
    id: str
    how: str
    by: str
    current: bool


class PolicyProposal(TypedDict):
    """A configuration that waits for a second word; `stale` when another one has come into force meanwhile."""

    id: str
    at: float
    by: str
    new: str
    how: str
    widened: int
    narrowed: int
    loosens: list[str]
    changes: list[str]
    stale: bool


class PolicyRejected(TypedDict):
    """A proposal that is dropped."""

    id: str
    by: str


class Policed(Protocol):
    """What the running daemon does about the policy as a whole; `asker` is who asks: a user of the machine, or None."""

    def policy_diff(self, new: str, days: str | None) -> Awaitable[PolicyDiffed]:
        """Says what a configuration (the texts of its files) would change."""

    def policy_apply(self, new: str, confirm_widen: str | None, asker: int | None) -> Awaitable[PolicyApplied]:
        """Puts a configuration in force."""

    def policy_rollback(self, id: str, confirm_widen: str | None, asker: int | None) -> Awaitable[PolicyApplied]:
        """Puts one in force again that was."""

    def policy_history(self) -> list[PolicyStep]:
        """Lists what was in force."""

    def policy_pending(self) -> list[PolicyProposal]:
        """Lists what waits for an approver."""

    def policy_approve(self, id: str, asker: int | None) -> PolicyApplied:
        """Puts a proposal in force."""

    def policy_reject(self, id: str, asker: int | None) -> PolicyRejected:
        """Drops a proposal."""
