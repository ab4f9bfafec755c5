"""What differs between two configurations, in words."""

from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import attrs

from gateway.config.building import Config
from gateway.config.reading import toml
from gateway.config.values import Endpoint, Nameserver, Secret
from gateway.policy.access_level import Assignment
from gateway.policy.partners import Lock
from gateway.policy.settings import Rule
from gateway.policy.walls import Wall

WIDTH = 1000
"""Characters of a value that are shown at most."""

_SECTIONS: Mapping[str, str] = {
    "gateway": "gateway",
    "tls": "tls",
    "inside": "inside",
    "xmpp": "outside.xmpp",
    "sip": "outside.sip",
    "federation": "federation",
    "discovery": "discovery",
    "echo": "echo",
    "bot": "bot",
    "limits": "limits",
    "metrics": "metrics",
    "ledger": "ledger",
    "archive": "archive",
    "history": "history",
    "notice": "notice",
    "trace": "trace",
    "telemetry": "telemetry",
    "feedback": "feedback",
    "policy": "policy",
    "spool": "spool",
}
"""Attributes of Config that are sections, and their names in the file."""


def changes(old: Config, new: Config) -> list[str]:
    """Says what differs, one sentence each: partners, levels, locks, assignments, settings."""
    return [
        *_settings(old, new),
        *_tables("partner", _partners(old), _partners(new)),
        *_tables("level", old.levels, new.levels),
        *_tables("directory", _directories(old), _directories(new)),
        *_sets("lock", map(_lock, old.locks), map(_lock, new.locks)),
        *_sets("setting", map(_rule, old.settings), map(_rule, new.settings)),
        *_sets("wall", map(_wall, old.walls), map(_wall, new.walls)),
        *_sets("group member", _members(old), _members(new)),
        *_sets("assignment", map(_assignment, old.assignments), map(_assignment, new.assignments)),
    ]


def restart_needed(old: Config, new: Config) -> list[str]:
    """Names the changed settings that count only after a restart, as `section.setting`."""
    settings = [name for name, restarts, _, _ in _differences(old, new) if restarts]
    return settings + ["directory"] * (old.directories != new.directories)


def _settings(old: Config, new: Config) -> Iterator[str]:
    for name, restarts, before, after in _differences(old, new):
        known = "" if Secret in (type(before), type(after)) else f" {shown(before)} -> {shown(after)}"
        yield f"{name}{known or ' is another'}{' (after a restart)' if restarts else ''}"
    if old.default_level != new.default_level:
        yield f"defaults.level {toml(old.default_level)} -> {toml(new.default_level)}"


def _differences(old: Config, new: Config) -> Iterator[tuple[str, bool, Any, Any]]:
    """Gives (name, needs a restart, old value, new value) of every setting that differs."""
    for attribute, section in _SECTIONS.items():
        before, after = getattr(old, attribute), getattr(new, attribute)
        if type(before) is not type(after):
            yield f"{section}.kind", True, before.kind, after.kind
            continue
        for setting in attrs.fields(type(before)):
            pair = getattr(before, setting.name), getattr(after, setting.name)
            if pair[0] != pair[1]:
                yield f"{section}.{setting.name}", bool(setting.metadata.get("restart")), *pair


def _partners(config: Config) -> Mapping[str, Any]:
    return {
        name: (partner, config.routes[name], config.contracts[name])
        for name, partner in config.partners.by_name.items()
    }


def _directories(config: Config) -> Mapping[str, Any]:
    return {section.name: section for section in config.directories}


def _tables(kind: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted({*old, *new}):
        if name not in old:
            yield f"{kind} {name} added"
        elif name not in new:
            yield f"{kind} {name} removed"
        elif old[name] != new[name]:
            names = dict.fromkeys(_attributes(old[name], new[name]))
            yield f"{kind} {name} changed: {', '.join(names)}"


def _attributes(old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, tuple):
        for before, after in zip(old, new, strict=True):
            yield from _attributes(before, after)
        return
    for setting in attrs.fields(type(old)):
        if getattr(old, setting.name) != getattr(new, setting.name):
            yield setting.name.removesuffix("_name")


def _sets(kind: str, old: Iterator[str], new: Iterator[str]) -> Iterator[str]:
    before, after = set(old), set(new)
    yield from (f"{kind} {text} removed" for text in sorted(before - after))
    yield from (f"{kind} {text} added" for text in sorted(after - before))


def _lock(lock: Lock) -> str:
    return f"{lock.field.value} for {lock.partner or 'everybody'}"


def _rule(rule: Rule) -> str:
    whom = rule.person or rule.partner or (f"group {rule.group}" if rule.group else "everybody")
    return f"{rule.subject.value} {'on' if rule.on else 'off'} for {whom}{', locked' if rule.locked else ''}"


def _wall(wall: Wall) -> str:
    kinds = ", ".join(sorted(kind.value for kind in wall.modalities))
    return f"between {wall.group or 'everybody'} and {wall.partner or 'all partners'} for {kinds}"


def _members(config: Config) -> Iterator[str]:
    return (f"{name}: {person}" for name, members in config.groups.members.items() for person in members)


def _assignment(entry: Assignment) -> str:
    return f"{entry.member} = {entry.level} for {entry.owner or 'everybody'}"


def shown(value: Any) -> str:
    """Writes a value as in the file; never a secret."""
    match value:
        case None:
            return "(none)"
        case Secret():
            return '"..."'
        case Enum():
            return toml(value.value, WIDTH)
        case Nameserver():
            return toml(str(value.address), WIDTH)
        case Path() | Endpoint():
            return toml(str(value), WIDTH)
        case tuple() | list():
            return "[" + ", ".join(map(shown, value)) + "]"
        case frozenset():
            return "[" + ", ".join(sorted(map(shown, value))) + "]"
        case bool() | int() | float() | str():
            return toml(value, WIDTH)
    return str(value)
