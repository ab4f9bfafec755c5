"""`gateway policy`: parameters, and how answers read."""

import re

from gateway.commands.policy_answers import (
    PolicyApplied,
    PolicyDiffed,
    PolicyDifference,
    PolicyProposal,
    PolicyRejected,
    PolicyStep,
)
from gateway.commands.render import columns, moment
from gateway.errors import CommandError
from gateway.log import escape


def read_id(text: str) -> str:
    """Checks the beginning of a fingerprint."""
    lowered = text.strip().lower()
    if not re.fullmatch(r"[0-9a-f]{4,64}", lowered):
        raise CommandError(f"{text[:80]!r} is no ID: see gateway policy history, gateway policy pending")
    return lowered


def show_diff(result: PolicyDiffed) -> str:
    """Shows the sums, then who gains and loses what."""
    if result["base"] == result["new"]:
        return "this is the configuration in force"
    beside = f", with {result['days']} days of the ledger" if result["ledger"] else ", without a ledger"
    lines = [f"{result['pairs']} pairs compared{beside}: {result['widened']} gain, {result['narrowed']} lose"]
    lines += [f"  it loosens {', '.join(result['loosens'])}"] if result["loosens"] else []
    lines += [f"  {escape(change, 1000)}" for change in result["changes"]]
    if result["fields"]:
        counts = [
            (name, str(each["gains"] or "-"), str(each["loses"] or "-")) for name, each in result["fields"].items()
        ]
        lines.append(columns(counts, ("FIELD OR TRAFFIC", "GAIN", "LOSE")))
    rows = [row for each in result["differences"] for row in _rows(each)]
    lines += [columns(rows, ("", "PERSON", "CONTACT", "WHAT"))] if rows else []
    lines += [f"and {result['left_out']} more, see --json"] if result["left_out"] else []
    if result["widened"] > result["threshold"] or result["loosens"]:
        lines.append(f"to apply it needs --confirm-widen ({result['threshold']} pairs may gain without)")
    return "\n".join(lines)


def _rows(each: PolicyDifference) -> list[tuple[str, ...]]:
    who = (each["owner"], each["contact"])
    rows = [
        (" +", *who, ", ".join(_marked(each["gains"], each["used"]) + each["opens"])),
        (" -", *who, ", ".join(_marked(each["loses"], each["used"]) + each["closes"])),
    ]
    return [row for row in rows if row[-1]]


def _marked(names: list[str], used: list[str]) -> list[str]:
    """Marks what the ledger names with a star."""
    return [f"{name}*" if name in used else name for name in names]


def widens(result: PolicyDiffed) -> int:
    """Grades a comparison: 1 when it could not be applied without a word more."""
    return int(result["widened"] > result["threshold"] or bool(result["loosens"]))


def show_applied(result: PolicyApplied) -> str:
    """Says what became of a configuration."""
    if result["outcome"] == "unchanged":
        return "this is the configuration in force"
    lines = [escape(change, 1000) for change in result["changes"]]
    if result["outcome"] == "pending":
        return "\n".join([*lines, f"waits for an approver: gateway policy approve {result['id']}"])
    lines += [f"counts after a restart: {escape(name)}" for name in result["restart"]]
    counts = f"{result['widened']} pairs gain, {result['narrowed']} lose"
    return "\n".join([*lines, f"in force: {result['id'][:12]}; {counts}"])


def show_history(result: list[PolicyStep]) -> str:
    """Shows what was in force, the newest last."""
    rows = [
        (moment(each["at"]), each["id"][:12], each["how"], each["by"] or "-", "in force" if each["current"] else "")
        for each in result
    ]
    return columns(rows, ("SINCE (UTC)", "ID", "HOW", "BY", "")) if rows else "nothing is kept"


def show_pending(result: list[PolicyProposal]) -> str:
    """Shows what waits."""
    if not result:
        return "nothing waits for an approver"
    lines = []
    for each in result:
        counts = f"{each['widened']} pairs gain, {each['narrowed']} lose"
        stale = "  STALE: another configuration is in force since" if each["stale"] else ""
        lines.append(
            f"{each['id']}  {moment(each['at'])}  {each['how']} by {escape(each['by']) or '-'}  {counts}{stale}"
        )
        lines += [f"  it loosens {', '.join(each['loosens'])}"] if each["loosens"] else []
        lines += [f"  {escape(change, 1000)}" for change in each["changes"]]
    return "\n".join(lines)


def show_rejected(result: PolicyRejected) -> str:
    """Says that a proposal is dropped."""
    return f"{result['id']} is dropped"
