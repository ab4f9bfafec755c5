"""How the answers about protocol log, usage report, feedback and privacy statement read."""

from __future__ import annotations

import json
import re
from typing import Any

from gateway.commands.informing_answers import (
    FeedbackShown,
    StatementShown,
    TelemetryShown,
    TelemetryStatus,
    Traced,
    TraceRun,
)
from gateway.commands.render import columns, moment
from gateway.errors import CommandError
from gateway.log import escape

_SPAN = re.compile(r"([0-9]{1,5})\s?(s|m|min|h|d)")
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}


def read_span(text: str) -> str:
    """Checks a span of time; it is read when the command is carried out."""
    seconds_of(text)
    return text


def seconds_of(text: str) -> float:
    """Gives the seconds of `10m`, `2h`, `1d`; raises CommandError."""
    found = _SPAN.fullmatch(text.strip().lower())
    if found is None or int(found[1]) == 0:
        raise CommandError(f"{text!r} is no span of time: give 10m, 2h or 1d")
    return float(int(found[1]) * _SECONDS[found[2]])


def traced(result: Traced) -> str:
    """Shows what has become of a trace."""
    until = moment(result["until"])
    told = f"; {result['told']} of our people are told" if result["told"] else ""
    lost = f", {result['dropped']} not shown" if result["dropped"] else ""
    return f"{escape(result['whom'])}: {result['lines']} lines{lost}, in {escape(result['file'])}, until {until}{told}"


def trace_line(part: Any) -> str:
    """Shows one signal: when, where, which way, what, from whom, to whom, and the rest by name."""
    rest = dict(part)
    first = [rest.pop(name, "") for name in ("at", "wire", "side", "way", "word")]
    sender, recipient = rest.pop("from", "-"), rest.pop("to", "-")
    told = " ".join(f"{name}={','.join(v) if isinstance(v, list) else v}" for name, v in rest.items())
    return escape(
        f"{first[0][11:]} {first[1]:<5} {first[2]:<8} {first[3]:<4} {first[4]:<12} "
        f"{sender} > {recipient} {told}".rstrip(),
        2000,
    )


def traces(result: list[TraceRun]) -> str:
    """Shows which traces run, one a line."""
    if not result:
        return "nothing is traced"
    rows = [(each["whom"], moment(each["since"]), moment(each["until"]), each["by"]) for each in result]
    return columns(rows, ("WHOM", "SINCE", "UNTIL", "BY"))


def telemetry_shown(result: TelemetryShown) -> str:
    """Shows the bytes of the report as they are."""
    return result["report"].rstrip("\n")


def telemetry_status(result: TelemetryStatus) -> str:
    """Shows whether reports are sent, and why or why not."""
    said = "on" if result["on"] else "off"
    rows = [
        ("usage report", f"{said} by {result['by']}{', locked' if result['locked'] else ''}"),
        ("collector", result["collector"] or "none is named"),
        ("shown", "yes" if result["shown"] else "not yet: gateway telemetry show"),
        ("next", moment(result["next"])),
        ("last", moment(result["last"])),
        ("problem", result["problem"] or "-"),
    ]
    return columns(rows)


def feedback(result: FeedbackShown) -> str:
    """Shows what goes along, and whether it has gone."""
    document = "\n".join(escape(line, 2000) for line in result["document"].splitlines())
    if result["sent"]:
        return f"{document}\n\nSent to {escape(result['to'])}."
    return f"{document}\n\nThis would go to {escape(result['to'])}. To send it, say it again with --yes."


def statement(result: StatementShown) -> str:
    """Shows the document as it is."""
    return result["document"].rstrip("\n")


def as_json(part: Any) -> str:
    """Gives one part as a line of JSON."""
    return json.dumps(part, ensure_ascii=True)
