"""The shapes of what the commands about the ledger answer."""

from typing import Any, TypedDict


class LedgerEntry(TypedDict):
    """One entry of the disclosure ledger: `at` posix seconds, `sent` names of fields, `withheld` name to reason.

    `observed` names what left in observe mode although the policy is against it, with the reason ('' for the whole).
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
    observed: dict[str, str]
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
