"""What the daemon can be asked to do, and the shape of each answer: plain values that JSON can hold."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import NotRequired, Protocol, TypeAlias, TypedDict, TypeVar

from gateway.commands.archive_answers import Archival
from gateway.commands.informing_answers import Informed
from gateway.commands.ledger_answers import LedgerEntry, LedgerErased, LedgerExported
from gateway.commands.policy_answers import Policed
from gateway.commands.remembered_answers import Remembered
from gateway.policy.access_level import Origin

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
    smallest: str | None
    """The one change that is enough by itself, if there is one."""


class Explained(TypedDict):
    """Why a contact sees what he sees.

    `policy` is the epoch of the policy in force, `configuration` the SHA-256 of its files, `version` what the ledger
    calls it ('' without one); `observed` says that he is told more, because the gateway only observes.
    """

    owner: str
    contact: str
    level: str
    level_source: str
    policy: int
    configuration: str
    version: str
    observed: bool
    fields: list[FieldExplained]


class FieldSeen(TypedDict):
    """One field: `mark` is sent, coarsened, withheld or not-published.

    `origin` is who published it: administrator, person, client, leg, calendar or ''; `since` posix seconds. `value` is
    told to the person himself, and to others where it leaves anyway.
    """

    field: str
    mark: str
    reason: str
    origin: str
    since: float | None
    value: str | None


class Viewed(TypedDict):
    """What a contact sees now; `presence` is what would be sent, by protocol: {"xmpp": "<presence .../>"}.

    `card` is what he gets when he asks for the person's card. `observed` says that all of it leaves whatever the marks
    say, because the gateway only observes.
    """

    owner: str
    contact: str
    level: str
    observed: bool
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


class ContactListed(TypedDict):
    """One contact of a person: his level, who gave it, and whether he waits to be approved.

    `ceiling` names what the administrator allows at most, when it takes something from the level.
    """

    contact: str
    level: str
    since: float | None
    until: float | None
    given_by: str
    ceiling: str
    waits: bool
    watches: bool


class Effect(TypedDict):
    """What a level would mean: the fields that a contact would see of what is published now, gain, and lose."""

    owner: str
    contact: str
    level: str
    before: str
    sees: list[str]
    gains: list[str]
    loses: list[str]
    ceiling: str


class RequestListed(TypedDict):
    """One contact who waits for an answer: since when (None: since before the start), and the level that he would have.

    `verified` is false when his organisation says that it does not vouch for him.
    """

    owner: str
    contact: str
    since: float | None
    level: str
    verified: bool


class RequestAnswered(TypedDict):
    """A request that was answered, and the level that counts."""

    owner: str
    contact: str
    level: str
    accepted: bool


class PublicationListed(TypedDict):
    """One published field: `origin` is administrator, person, leg, calendar or ''; `switched` is on, off, default."""

    field: str
    origin: str
    since: float | None
    switched: str
    withheld_by: str


class Published(TypedDict):
    """A field or feature that was published or switched, and who sees it now."""

    owner: str
    subject: str
    seen_by: list[str]
    withheld_by: str


class LevelPlanned(TypedDict):
    """One entry that an import changes: its level before and after (None: no entry), and its end in posix seconds."""

    contact: str
    before: str | None
    after: str | None
    until: float | None


class RemarkShown(TypedDict):
    """What cannot be expressed: the line of the document (0: none), the rule or container, and what becomes of it."""

    line: int
    rule: str
    text: str


class LevelsImported(TypedDict):
    """What a document means: the entries that change, whether they are kept, and what cannot be expressed."""

    owner: str
    kept: bool
    changes: list[LevelPlanned]
    remarks: list[RemarkShown]


class LevelsExported(TypedDict):
    """What counts for a person, as an XML document, and where a server that reads it shows less."""

    owner: str
    document: str
    remarks: list[str]


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
    people: list[str]
    """Those of our people, by address or group, who may speak with it."""
    start: str
    verification: str
    ends: float | None
    """Posix seconds."""
    contacts: list[str]
    disclosure: list[str]
    """Languages in which there is a text."""
    file: str


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
    letter: NotRequired[str]
    """What can be sent to the other side's administrator; '' when everything is well."""


class Status(TypedDict):
    """The daemon: `uptime` in seconds, `mode` enforce or observe, `policy` its epoch.

    `checks` by name: None when well, else what is wrong.
    """

    version: str
    uptime: float
    mode: str
    policy: int
    config: str
    ready: bool
    checks: dict[str, str | None]
    ledger: str
    """The number and the link of its newest entry, or '' when none is kept."""
    archive: str
    """`off`, or `on` and whether it works."""
    partners: list[PartnerListed]


class Reloaded(TypedDict):
    """What a reload changed, in words, and the settings that need a restart to count."""

    changes: list[str]
    restart: list[str]


class Operations(Informed, Remembered, Policed, Archival, Protocol):
    """What the running daemon does for a command; each raises GatewayError with a text for the person who asked."""

    def view(self, owner: str, contact: str, protocol: str | None, origin: Origin) -> Soon[Viewed]:
        """Shows what a contact sees of a person now, with `protocol` also over that one."""

    def explain(self, owner: str, contact: str, field: str | None) -> Soon[Explained]:
        """Says why, field by field, or for one field."""

    def levels_list(self, owner: str | None) -> Soon[list[LevelEntry]]:
        """Lists the assignments of one person, of everybody (''), or all (None)."""

    def levels_show(self, owner: str, contact: str) -> Soon[LevelShown]:
        """Shows the level that counts."""

    def levels_set(
        self, owner: str, contact: str, level: str, until: str | None, lock: str | None, origin: Origin
    ) -> Soon[LevelChanged]:
        """Gives a level, at once and durably, perhaps for a time; owner '' is everybody."""

    def levels_preview(self, owner: str, contact: str, level: str) -> Soon[Effect]:
        """Says what a level would mean."""

    def levels_unset(self, owner: str, contact: str, origin: Origin) -> Soon[LevelChanged]:
        """Takes an assignment away, at once and durably."""

    def contacts_list(self, owner: str) -> Soon[list[ContactListed]]:
        """Lists a person's contacts."""

    def requests_list(self, owner: str | None) -> Soon[list[RequestListed]]:
        """Lists who waits for an answer of one person, or of anybody (None)."""

    def requests_accept(
        self, owner: str, contact: str, level: str | None, until: str | None, origin: Origin
    ) -> Soon[RequestAnswered]:
        """Lets a contact see a person, at a level."""

    def requests_refuse(self, owner: str, contact: str) -> Soon[RequestAnswered]:
        """Tells a contact that he may not see a person."""

    def publish_list(self, owner: str) -> Soon[list[PublicationListed]]:
        """Lists what is published about a person, by whom."""

    def publish_set(self, owner: str, field: str, value: str) -> Soon[Published]:
        """Publishes a field in a person's own name."""

    def publish_unset(self, owner: str, field: str) -> Soon[Published]:
        """Publishes a field no more."""

    def publish_switch(self, owner: str, subject: str, state: str) -> Soon[Published]:
        """Keeps a field or feature back, lets it leave, or leaves that to the administrator."""

    def levels_import(self, owner: str, file: str, format: str | None, dry_run: str | None) -> Soon[LevelsImported]:
        """Makes a person's entries those that a document (its text is `file`) means; with `dry_run` only says so."""

    def levels_export(self, owner: str, format: str | None) -> Soon[LevelsExported]:
        """Gives what counts for a person as presence rules."""

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

    def reload(self, asker: int | None) -> Soon[Reloaded]:
        """Reads the configuration again: all of it, or none."""
