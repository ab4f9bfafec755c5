"""What the daemon can be asked to do, and the shape of each answer: plain values that JSON can hold."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Protocol, TypeAlias, TypedDict, TypeVar

_Answer = TypeVar("_Answer")
Soon: TypeAlias = "_Answer | Awaitable[_Answer]"
"""An answer, now or later."""


class StepShown(TypedDict):
    """One rule that was looked at, and what it said."""

    step: str
    finding: str


class FieldExplained(TypedDict):
    """What becomes of one field: `outcome` is sent, coarsened, withheld or not-published."""

    field: str
    outcome: str
    reason: str
    steps: list[StepShown]
    would_allow: str | None
    """What would have to change; None when the field is sent."""


class Explained(TypedDict):
    """Why a contact sees what he sees; `policy` is the epoch of the policy in force."""

    owner: str
    contact: str
    level: str
    level_source: str
    policy: int
    fields: list[FieldExplained]


class FieldSeen(TypedDict):
    """One published field: `mark` is sent, coarsened, withheld or not-published."""

    field: str
    mark: str
    reason: str


class Viewed(TypedDict):
    """What a contact sees now; `presence` is what would be sent, by protocol: {"xmpp": "<presence .../>"}.

    `card` is what he gets when he asks for the person's card.
    """

    owner: str
    contact: str
    level: str
    presence: dict[str, str]
    card: dict[str, str]
    fields: list[FieldSeen]


class LevelEntry(TypedDict):
    """One assignment: `owner` '' is everybody, `contact` a contact, domain, `*.domain`, network class or `everyone`.

    `origin` is administrator or person; times are posix seconds.
    """

    owner: str
    contact: str
    level: str
    origin: str
    since: float | None
    until: float | None


class LevelShown(TypedDict):
    """The level that counts for one contact, where it comes from, and the fields that it and the ceiling leave."""

    owner: str
    contact: str
    level: str
    level_source: str
    fields: list[str]


class LevelChanged(TypedDict):
    """A level that was given or taken away: the level that counts afterwards, and the one before."""

    owner: str
    contact: str
    level: str
    before: str
    changed: bool


class PartnerListed(TypedDict):
    """One partner: `state` is up, down or idle (no link is needed), `since` posix seconds; `tls` '1.3 external'."""

    partner: str
    via: str
    state: str
    since: float | None
    tls: str
    subscriptions: int
    queue: int
    text: str
    """What is wrong, or ''."""


class PartnerShown(PartnerListed):
    """One partner and the contract with it."""

    domains: list[str]
    network: str
    ceiling: str
    modalities: list[str]
    strangers: str
    locks: list[str]
    auth: list[str]
    route: str


class Finding(TypedDict):
    """One thing that was checked: `outcome` is ok, warn or fail; `paste` is the exact line that repairs it, or None."""

    name: str
    outcome: str
    text: str
    paste: str | None


class Checked(TypedDict):
    """All that was checked; `subject` is a partner or a file."""

    subject: str
    checks: list[Finding]


class Status(TypedDict):
    """The daemon: `uptime` in seconds, `policy` its epoch, `checks` by name: None when well, else what is wrong."""

    version: str
    uptime: float
    policy: int
    config: str
    ready: bool
    checks: dict[str, str | None]
    ledger: str
    """The number and the link of its newest entry, or '' when none is kept."""
    partners: list[PartnerListed]


class Reloaded(TypedDict):
    """What a reload changed, in words, and the settings that need a restart to count."""

    changes: list[str]
    restart: list[str]


class LedgerEntry(TypedDict):
    """One entry of the disclosure ledger: `at` posix seconds, `sent` names of fields, `withheld` name to reason.

    `erased` says that its persons were; `note` holds what the ledger says about itself.
    """

    seq: int
    at: float
    kind: str
    about: str
    to: str
    partner: str
    protocol: str
    outcome: str
    rule: str
    level: str
    by: str
    policy: str
    sent: list[str]
    withheld: dict[str, str]
    what: str
    size: int
    erased: bool
    note: dict[str, Any]


class LedgerExported(TypedDict):
    """An export: the file, how many entries are in it, and the person whom alone it shows, or ''."""

    file: str
    entries: int
    about: str


class LedgerErased(TypedDict):
    """How many entries do not name a person any more, and how many still do because they are held."""

    person: str
    erased: int
    held: int


class Operations(Protocol):
    """What the running daemon does for a command; each raises GatewayError with a text for the person who asked."""

    def view(self, owner: str, contact: str) -> Soon[Viewed]:
        """Shows what a contact sees of a person now."""

    def explain(self, owner: str, contact: str, field: str | None) -> Soon[Explained]:
        """Says why, field by field, or for one field."""

    def levels_list(self, owner: str | None) -> Soon[list[LevelEntry]]:
        """Lists the assignments of one person, of everybody (''), or all (None)."""

    def levels_show(self, owner: str, contact: str) -> Soon[LevelShown]:
        """Shows the level that counts."""

    def levels_set(self, owner: str, contact: str, level: str) -> Soon[LevelChanged]:
        """Gives a level, at once and durably; owner '' is everybody."""

    def levels_unset(self, owner: str, contact: str) -> Soon[LevelChanged]:
        """Takes an assignment away, at once and durably."""

    def partners_list(self) -> Soon[list[PartnerListed]]:
        """Lists the partners."""

    def partners_show(self, domain: str) -> Soon[PartnerShown]:
        """Shows one partner."""

    def partners_test(self, domain: str) -> Soon[Checked]:
        """Looks a partner up, connects, and says how far it got."""

    def ledger_list(
        self, about: str | None, to: str | None, since: str | None, field: str | None, limit: str | None
    ) -> Soon[list[LedgerEntry]]:
        """Lists what was let go, newest last."""

    def ledger_export(self, about: str | None, file: str | None) -> Soon[LedgerExported]:
        """Writes the ledger to a file."""

    def ledger_erase(self, person: str) -> Soon[LedgerErased]:
        """Takes a person's name out of the ledger."""

    def status(self) -> Soon[Status]:
        """Says how the daemon is."""

    def reload(self) -> Soon[Reloaded]:
        """Reads the configuration again: all of it, or none."""
