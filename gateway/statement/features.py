"""Every feature that records, keeps or sends something about people, and where in the program it does so.

A test walks through the sections of the configuration, the tables of all databases, the taps, and every module that
opens a connection or writes a file: whatever is named here by no feature, nor with a reason in NOTHING, fails it.
"""

from collections.abc import Callable, Iterable
from typing import Any

from attrs import frozen

from gateway.config import Config
from gateway.policy.services import Scope
from gateway.policy.settings import KEEPING, Feature, Rule
from gateway.statement.paragraph import Paragraph, folded


@frozen
class Facts:
    """Is what a paragraph is made of."""

    config: Config
    telemetry: tuple[bool, bool] = (False, False)
    """Whether usage reports are sent from this machine, and whether that is locked."""


@frozen
class Described:
    """Is one feature: where it stands in the program, and how its paragraph is made."""

    name: str
    gather: Callable[[Facts], Paragraph]
    sections: tuple[str, ...] = ()
    """Tables of gateway.toml."""
    tables: tuple[str, ...] = ()
    """Tables of the databases."""
    modules: tuple[str, ...] = ()
    """Modules that write, or open connections, for it."""


def _presence(facts: Facts) -> Paragraph:
    config = facts.config
    locked = {lock.field for lock in config.locks if not lock.partner}
    levels = {
        name: sorted(each.value for each in level.fields - locked)
        for name, level in sorted(config.levels.items(), key=lambda item: item[1].rank)
    }
    hidden = [
        [rule.subject.value, rule.group]
        for rule in config.settings
        if not rule.on and not rule.partner and not rule.person and rule.subject not in KEEPING
    ]
    parts = {
        "levels": levels,
        "level": config.default_level,
        "locked": sorted(each.value for each in locked),
        "hidden": sorted(hidden),
        "mode": config.gateway.mode.value,
    }
    return Paragraph("presence", True, parts=parts)


def _messages(facts: Facts) -> Paragraph:
    return Paragraph("messages", True, parts={"partners": len(facts.config.partners.by_name)})


def _contacts(facts: Facts) -> Paragraph:
    return Paragraph("contacts", True)


def _directories(facts: Facts) -> Paragraph:
    kinds = _kinds(facts, ("file", "ldap"))
    return Paragraph("directories", bool(kinds), parts={"kinds": kinds})


def _calendars(facts: Facts) -> Paragraph:
    kinds = _kinds(facts, ("ical", "caldav"))
    return Paragraph("calendars", bool(kinds), parts={"kinds": kinds})


def _kinds(facts: Facts, known: tuple[str, ...]) -> list[str]:
    return sorted({section.KIND for section in facts.config.directories if section.KIND in known})


def _ledger(facts: Facts) -> Paragraph:
    terms = facts.config.ledger
    return Paragraph("ledger", terms.on, terms.on, parts={"days": terms.retention_days, "held": terms.hold_days})


def _archive(facts: Facts) -> Paragraph:
    terms = facts.config.archive
    modes = [terms.mode.value, *(each.mode.value for each in terms.rule if each.mode is not None)] if terms.on else []
    days = [terms.retention_days, *(each.retention_days for each in terms.rule if each.retention_days is not None)]
    scopes = tuple(
        Scope(rule.mode.value != "none", rule.locked, rule.partner, rule.group, rule.person)
        for rule in (each.rule for each in (terms.rule if terms.on else ()))
        if rule.mode is not None
    )
    parts = {
        "mode": next((each for each in ("content", "activity") if each in modes), "none"),
        "days": max(days),
        "place": "postgresql" if terms.postgresql is not None else "file",
        "sealed": "sealed" if terms.key is not None else "open",
    }
    return Paragraph("archive", terms.on and terms.mode.value != "none", terms.locked, scopes, parts)


def _history(facts: Facts) -> Paragraph:
    """It is kept only where there is a mailbox to keep it in."""
    terms = facts.config.history
    there = terms.server is not None
    scopes = _scopes(rule for rule in facts.config.settings if rule.subject is Feature.HISTORY)
    return Paragraph("history", False, not there, scopes if there else (), {"days": terms.keep_days})


def _scopes(rules: Iterable[Rule]) -> tuple[Scope, ...]:
    return tuple(Scope(rule.on, rule.locked, rule.partner, rule.group, rule.person) for rule in rules)


def _notice(facts: Facts) -> Paragraph:
    archives, keeps = _archive(facts), _history(facts)
    kept = any(each.on or any(scope.on for scope in each.scopes) for each in (archives, keeps))
    return Paragraph("notice", kept)


def _spool(facts: Facts) -> Paragraph:
    terms = facts.config.spool
    return Paragraph("spool", True, parts={"minutes": max(1, round(terms.seconds / 60))})


def _logs(facts: Facts) -> Paragraph:
    return Paragraph("logs", True, parts={"level": facts.config.gateway.log.value})


def _trace(facts: Facts) -> Paragraph:
    terms = facts.config.trace
    parts = {"hours": terms.longest_hours, "days": terms.keep_days}
    return Paragraph("trace", False, False, terms.scopes, parts)


def _metrics(facts: Facts) -> Paragraph:
    return Paragraph("metrics", facts.config.metrics.listen is not None)


def _telemetry(facts: Facts) -> Paragraph:
    terms = facts.config.telemetry
    on, locked = facts.telemetry
    parts = {"collector": terms.collector or "", "hours": terms.every_hours}
    return Paragraph("telemetry", on and terms.collector is not None, locked, parts=parts)


def _feedback(facts: Facts) -> Paragraph:
    terms = facts.config.feedback
    return Paragraph("feedback", bool(terms.named), not terms.named, terms.scopes, {"to": _host(terms.named)})


def _host(named: str) -> str:
    """An address of the web may have a secret in its path."""
    return named.split("/")[2] if "://" in named else named


def _bot(facts: Facts) -> Paragraph:
    address = facts.config.bot.address
    return Paragraph("bot", address is not None, parts={"address": str(address or "")})


def _discovery(facts: Facts) -> Paragraph:
    return Paragraph("discovery", True, parts={"partners": len(facts.config.partners.by_name)})


def _statement(facts: Facts) -> Paragraph:
    return Paragraph("statement", True)


FEATURES: tuple[Described, ...] = (
    Described(
        "presence",
        _presence,
        ("defaults", "levels", "locks", "assignment", "setting", "partner", "wall"),
        modules=("plugins.legs.sip", "plugins.legs.xmpp"),
    ),
    Described("messages", _messages, ("inside", "outside")),
    Described(
        "contacts",
        _contacts,
        tables=("schema.assignment", "schema.subscription", "schema.publication", "schema.setting", "schema.doubt"),
        modules=("gateway.store.database",),
    ),
    Described("directories", _directories, ("directory", "groups"), modules=("plugins.directories.ldap_session",)),
    Described(
        "calendars",
        _calendars,
        modules=("plugins.directories.calendars", "plugins.directories.caldav", "plugins.directories.ical"),
    ),
    Described(
        "ledger",
        _ledger,
        ("ledger",),
        ("ledger_schema.entry", "ledger_schema.start"),
        ("gateway.records.ledger", "gateway.offices.auditing", "gateway.store.ledger"),
    ),
    Described(
        "archive",
        _archive,
        ("archive",),
        (
            "archive_schema.record",
            "archive_schema.hold",
            "archive_schema.start",
            "archive_schema.spoken",
            "archive_schema.listed",
        ),
        (
            "gateway.records.archive",
            "gateway.records.archive_files",
            "gateway.store.archive",
            "gateway.store.postgresql",
        ),
    ),
    Described(
        "history",
        _history,
        ("history",),
        ("history_schema.conversation", "history_schema.turn"),
        ("plugins.taps.history",),
    ),
    Described("notice", _notice, ("notice",), ("schema.notice",)),
    Described("spool", _spool, ("spool",), ("spool_schema.entry",), ("gateway.store.spool",)),
    Described("logs", _logs, ("gateway",)),
    Described("trace", _trace, ("trace",), modules=("gateway.records.tracing", "gateway.records.trace_file")),
    Described("metrics", _metrics, ("metrics",), modules=("gateway.daemon",)),
    Described("telemetry", _telemetry, ("telemetry",), modules=("gateway.offices.reporting",)),
    Described("feedback", _feedback, ("feedback",), modules=("gateway.offices.feedback",)),
    Described("bot", _bot, ("bot", "echo")),
    Described("discovery", _discovery, ("discovery", "federation")),
    Described("statement", _statement, modules=("gateway.statement.revisions",)),
)
"""In the order of the statement."""

NOTHING: dict[str, str] = {
    "limits": "bounds of what is taken",
    "policy": "who approves a change of the configuration",
    "tls": "certificates and authorities",
    "schema.secret": "keys that the gateway has made for itself",
    "gateway.cli": "closes its own output",
    "gateway.commands.check": "tries the addresses that the configuration names, when an administrator asks",
    "gateway.config.bundle": "writes files of settings",
    "gateway.config.sample": "writes the sample of the settings",
    "gateway.federation.contracts": "keeps keys and issuers of partners' servers",
    "gateway.demo": "runs on this machine alone, with people who do not exist",
    "gateway.protocols.im_body": "makes texts in memory",
    "gateway.store.policies": "keeps earlier configurations",
    "gateway.store.reading": "reads only",
    "gateway.taps": "hands to the taps what they record",
    "gateway.transport.authority": "keeps keys and certificates of its own",
    "gateway.transport.posh": "asks partners' web servers for the fingerprints of their certificates",
    "gateway.transport.web_fetch": "asks for what other modules name",
    "plugins.skeleton": "is an example that nothing loads",
}
"""Sections, tables and modules that record, keep and send nothing about people, and why."""


def gathered(facts: Facts) -> tuple[Paragraph, ...]:
    """Gives every feature as the configuration in force has it."""
    return tuple(folded(feature.gather(facts)) for feature in FEATURES)


def by_name(paragraphs: Iterable[Paragraph]) -> dict[str, Any]:
    """Gives paragraphs by the names of their features."""
    return {each.feature: each for each in paragraphs}
