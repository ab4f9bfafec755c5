"""The [archive] table and its rules: what is kept of messages, where, for how long, and what is refused without it."""

import re
from collections.abc import Callable, Mapping, Set
from pathlib import Path
from typing import Any, NewType

from attrs import field, frozen

from gateway.config.describing import says
from gateway.config.federation import Insider
from gateway.config.values import Domain, Refused, Secret, text_of
from gateway.config.values import Place as FilePlace
from gateway.model.envelope import Side
from gateway.policy.archiving import ArchiveRule, Mode

SECRET = '{ file = "..." }, or { credential = "..." } from systemd'
Direction = NewType("Direction", str)
"""Is `in` or `out`."""
_SIDES: Mapping[str, Side] = {"out": Side.INTERNAL, "in": Side.EXTERNAL}
_ADDRESS = re.compile(r"postgres(ql)?://|[a-z_]+ ?=")


@frozen(kw_only=True)
class Archived:
    """What is archived of some: the narrowest rule that says something counts, or the widest that is locked."""

    mode: Mode | None = field(default=None, metadata=says("How much: none, activity or content.", '"content"'))
    critical: bool | None = field(
        default=None, metadata=says("Whether a message that cannot be archived is refused.", "true")
    )
    retention_days: int | None = field(default=None, metadata=says("Days after which it is erased.", "90", least=1))
    person: Insider | None = field(
        default=None, metadata=says("One of our people, or a group of them; default: all.", '"alice@corp.example"')
    )
    partner: Domain | None = field(
        default=None, metadata=says("The partner; default: all partners.", '"partner.example"')
    )
    direction: Direction | None = field(
        default=None, metadata=says("Of what comes in, or goes out, only; default: both.", '"in"')
    )
    locked: bool = field(default=False, metadata=says("Whether no narrower rule may change it."))

    @property
    def rule(self) -> ArchiveRule:
        """Gives it as the policy knows it."""
        whom = self.person or ""
        return ArchiveRule(
            self.mode,
            self.critical,
            self.retention_days,
            whom if "@" in whom else "",
            "" if "@" in whom else whom,
            self.partner or "",
            _SIDES[self.direction] if self.direction else None,
            self.locked,
        )


@frozen(kw_only=True)
class ArchiveTerms:
    """A record of messages with partners and of sign-ins, for those whom the law obliges; people do not decide it."""

    on: bool = field(default=False, metadata=says("Whether there is an archive.", restart=True))
    mode: Mode = field(default=Mode.NONE, metadata=says("What is kept of everybody: none, activity or content."))
    critical: bool = field(
        default=False, metadata=says("Whether a message that cannot be archived is refused, before it is delivered.")
    )
    retention_days: int = field(default=365, metadata=says("Days after which it is erased.", least=1))
    locked: bool = field(default=False, metadata=says("Whether no rule for fewer may change mode and critical."))
    idle_minutes: int = field(
        default=30, metadata=says("Minutes of silence after which a conversation is over.", least=1)
    )
    file: Path | None = field(
        default=None,
        metadata=says(
            "The SQLite file; default: archive.db in the state folder.", '"/srv/archive/archive.db"', restart=True
        ),
    )
    postgresql: Secret | None = field(
        default=None,
        metadata=says(
            f'A PostgreSQL database instead: "postgresql://...", {SECRET}.', '{ credential = "archive" }', restart=True
        ),
    )
    key: Secret | None = field(
        default=None,
        metadata=says(
            f"What seals texts, 32 bytes in base64 a line, the newest first: {SECRET}.",
            '{ credential = "archive-key" }',
        ),
    )
    rule: tuple[Archived, ...] = field(default=(), metadata=says("For whom something else counts."))

    @property
    def rules(self) -> tuple[ArchiveRule, ...]:
        """Gives what counts for everybody, and all rules, as the policy knows them."""
        wide = ArchiveRule(self.mode, self.critical, locked=self.locked)
        return (wide, *(each.rule for each in self.rule)) if self.on else ()


def direction(value: object, place: FilePlace) -> Direction:
    """Reads `in` or `out`."""
    text = text_of(value)
    if text not in _SIDES:
        raise Refused('must be "in" or "out"')
    return Direction(text)


def check(terms: ArchiveTerms, partners: Set[str], refuse: Callable[[tuple[Any, ...], str], None]) -> None:
    """Finds what contradicts itself; `refuse` is told the path and the sentence."""
    found = _problem(terms)
    if found is not None:
        refuse(("archive", found[0]), found[1])
    for index, each in enumerate(terms.rule):
        if each.partner is not None and each.partner not in partners:
            path = ("archive", "rule", index, "partner")
            refuse(path, f'[[archive.rule]] partner = "{each.partner}": no [[partner]] has this domain')


def _problem(terms: ArchiveTerms) -> tuple[str, str] | None:
    """Gives the setting that does not fit the others, and why; or None."""
    if not terms.on:
        return None
    if terms.key is None:
        return "key", "[archive] needs a key: `openssl rand -base64 32` makes one"
    if terms.postgresql is not None and terms.file is not None:
        return "file", "[archive] is kept in a file or in PostgreSQL, not in both"
    if terms.postgresql is not None and not _ADDRESS.match(terms.postgresql.text):
        return "postgresql", '[archive] postgresql must begin with "postgresql://", or be "host=... dbname=..."'
    return None


READERS: Mapping[Any, Callable[[object, FilePlace], Any]] = {Direction: direction}
"""How the kinds of value that only this section has are read; each raises Refused."""
