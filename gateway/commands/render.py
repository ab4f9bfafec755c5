"""Answers as plain text for people; what comes from outside is escaped, so that it cannot move the cursor."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from gateway.commands.operations import (
    Checked,
    Explained,
    FieldSeen,
    LevelChanged,
    LevelEntry,
    LevelShown,
    PartnerListed,
    PartnerShown,
    Reloaded,
    Status,
    Viewed,
)
from gateway.log import escape

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
OBSERVING = "  OBSERVE MODE: the gateway enforces none of this, all that is published leaves"
"""What is said where an answer would otherwise sound as though something were withheld."""


def columns(rows: Iterable[Sequence[object]], head: Sequence[str] = ()) -> str:
    """Lays rows out in columns that are as wide as their widest cell."""
    cells = [[escape(str(cell)) for cell in row] for row in ([head, *rows] if head else rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def view(result: Viewed) -> str:
    """Shows what a contact sees, mark by mark."""
    published = [field for field in result["fields"] if field["mark"] != "not-published"]
    lines = [f"{escape(result['contact'])} sees {escape(result['owner'])} at level {escape(result['level'])}"]
    lines += [OBSERVING] if result["observed"] else []
    lines += [f"  {escape(name)}  {escape(shown, 4000)}" for name, shown in result["presence"].items()]
    if published:
        lines.append(columns([_published(each) for each in published]))
    else:
        lines.append("  nothing is published")
    return "\n".join(lines)


def _published(field: FieldSeen) -> tuple[str, ...]:
    value = "" if field["value"] is None else field["value"]
    source = f"{field['origin']} {moment(field['since'])}".removesuffix(" -")
    return f"  {field['mark']}", field["field"], field["reason"], source, value


def explain(result: Explained) -> str:
    """Shows one field step by step, or all of them in a table."""
    fields = result["fields"]
    if len(fields) != 1:
        rows = [(each["outcome"], each["field"], each["reason"], each["would_allow"] or "") for each in fields]
        title = f"{escape(result['contact'])} about {escape(result['owner'])}: level {escape(result['level'])}"
        source = f"{escape(result['level_source'])}, {_policy(result)}"
        return f"{title} ({source})\n{columns(rows, ('OUTCOME', 'FIELD', 'REASON', 'WOULD BE SENT IF'))}"
    only = fields[0]
    steps = [(f" {number}", step["step"], step["finding"]) for number, step in enumerate(only["steps"], 1)]
    lines = [f"{only['outcome'].upper()}  {only['field']} ({only['reason']}), {_policy(result)}"]
    lines += [columns(steps)] if steps else []
    lines += [f" -> would be sent if: {escape(only['would_allow'])}"] if only["would_allow"] else []
    lines += [f" -> the smallest change: {escape(only['smallest'])}"] if only["smallest"] else []
    lines += [OBSERVING] if result["observed"] else []
    return "\n".join(lines)


def _policy(result: Explained) -> str:
    configuration = f" of configuration {result['configuration'][:12]}" if result["configuration"] else ""
    ledger = f", in the ledger {result['version']}" if result["version"] else ""
    return f"policy {result['policy']}{configuration}{ledger}"


def levels_list(result: list[LevelEntry]) -> str:
    """Shows assignments."""
    if not result:
        return "nobody was given a level; the default counts"
    rows = [
        (each["owner"] or "everyone", each["contact"], each["level"], each["origin"], *_span(each)) for each in result
    ]
    return columns(rows, ("OWNER", "CONTACT", "LEVEL", "SET BY", "SINCE", "UNTIL"))


def _span(entry: LevelEntry) -> tuple[str, str]:
    return moment(entry["since"]), moment(entry["until"])


def levels_show(result: LevelShown) -> str:
    """Shows the level that counts."""
    seen = ", ".join(result["fields"]) or "nothing"
    return columns(
        [
            ("level", result["level"]),
            ("from", result["level_source"]),
            ("may see", seen if len(seen) < 200 else f"{len(result['fields'])} fields"),
        ]
    )


def levels_set(result: LevelChanged) -> str:
    """Shows what a change did."""
    who = f"{escape(result['contact'])} for {escape(result['owner'] or 'everyone')}"
    if not result["changed"]:
        return f"{who}: {escape(result['level'])}, as before"
    return f"{who}: {escape(result['before'])} -> {escape(result['level'])}"


def partners_list(result: list[PartnerListed]) -> str:
    """Shows the partners, one a line."""
    if not result:
        return "no partner is configured; nobody outside is spoken to"
    rows = [
        (
            each["partner"],
            each["via"],
            each["state"],
            each["subscriptions"],
            each["queue"],
            each["tls"] or "-",
            each["text"],
        )
        for each in result
    ]
    return columns(rows, ("PARTNER", "VIA", "STATE", "SUBSCRIPTIONS", "QUEUE", "TLS", ""))


def partners_show(result: PartnerShown) -> str:
    """Shows one partner, one property a line."""
    return columns([(name, _plain(value)) for name, value in result.items() if value not in ("", None)])


def _plain(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return moment(value) if isinstance(value, float) else str(value)


def checks(result: Checked) -> str:
    """Shows findings, the line that repairs each, and how many there are."""
    lines = [escape(result["subject"])]
    width = max((len(each["name"]) for each in result["checks"]), default=0)
    for each in result["checks"]:
        for number, line in enumerate(each["text"].splitlines() or [""]):
            name, outcome = (each["name"], each["outcome"]) if number == 0 else ("", "")
            lines.append(f"{escape(name):<{width}}  {outcome:<4}  {escape(line, 1000)}")
        lines += [f"{'':<{width}}        {escape(line, 1000)}" for line in (each["paste"] or "").splitlines()]
    failures, warnings = (sum(each["outcome"] == kind for each in result["checks"]) for kind in ("fail", "warn"))
    lines.append(f"{_count(failures, 'failure')}, {_count(warnings, 'warning')}")
    written = result.get("letter", "")
    if written:
        lines += ["", *(escape(line, 1000) for line in written.splitlines())]
    return "\n".join(lines)


def _count(number: int, word: str) -> str:
    return f"{number or 'no'} {word}{'' if number == 1 else 's'}"


def status(result: Status) -> str:
    """Shows the daemon's state and its partners."""
    ready = "ready" if result["ready"] else "NOT READY"
    lines = [f"gateway {result['version']}  up {span(result['uptime'])}  {ready}  policy {result['policy']}"]
    if result["mode"] != "enforce":
        lines.append(f"  {result['mode'].upper()} MODE: nothing that the policy keeps back is kept back")
    lines += [f"  {name}: {escape(problem, 1000)}" for name, problem in result["checks"].items() if problem]
    if result["ledger"]:
        lines.append(f"  ledger head {result['ledger']}")
    lines.append(f"  archive {escape(result['archive'], 400)}")
    return "\n".join([*lines, partners_list(result["partners"])])


def reload(result: Reloaded) -> str:
    """Shows what a reload changed."""
    lines = [escape(change, 1000) for change in result["changes"]] or ["nothing changed"]
    return "\n".join(lines + [f"counts after a restart: {escape(name)}" for name in result["restart"]])


def table(result: dict[str, Any]) -> str:
    """Shows the table: a row a field, a column a level."""
    locked = set(result["locked"])
    rows = [
        (
            each["field"],
            *("x" if level in each["levels"] else "-" for level in result["levels"]),
            "locked" if each["field"] in locked else "",
        )
        for each in result["fields"]
    ]
    return columns(rows, ("FIELD", *result["levels"], ""))


def version(result: dict[str, str]) -> str:
    """Shows versions, one a line."""
    return columns(list(result.items()))


def moment(posix: object) -> str:
    """Gives a time of day in UTC, or '-'."""
    if not isinstance(posix, int | float):
        return "-"
    return datetime.fromtimestamp(posix, UTC).strftime("%Y-%m-%d %H:%M")


def span(seconds: float) -> str:
    """Gives a duration in its two largest units."""
    whole = int(seconds)
    if whole >= _DAY:
        return f"{whole // _DAY}d {whole % _DAY // _HOUR}h"
    if whole >= _HOUR:
        return f"{whole // _HOUR}h {whole % _HOUR // _MINUTE}m"
    return f"{whole // _MINUTE}m {whole % _MINUTE}s" if whole >= _MINUTE else f"{whole}s"
