"""The demo's words: what is seen and what is withheld, as aligned text or as lines of JSON."""

import json
import sys
from collections.abc import Iterable, Mapping
from typing import IO, Any

from attrs import define, field

from gateway.demo.witness import Disclosure
from gateway.model.presence import Activity, Field, Mood, Place, PostalAddress, PresenceDocument
from gateway.policy.verdict import Reason

WIDTH = 96

WHY: Mapping[Reason, str] = {
    Reason.LEVEL: "not at level {level}",
    Reason.CEILING: "above the ceiling for {domain}",
    Reason.LOCK: "locked by the administrator",
    Reason.BLOCKED: "{to} is blocked",
    Reason.NOT_SUBSCRIBED: "{to} is not subscribed",
}
"""Reason to the words in which the demo gives it."""


def shown(name: Field, value: Any) -> str:
    """Writes one published value as a person would read it."""
    if name is Field.AVAILABILITY:
        return "available"
    return f"{name.value} {_text(value)}"


def _text(value: Any) -> str:
    if isinstance(value, Activity | Mood):
        word = value.general if isinstance(value, Activity) else value.value
        return " ".join(filter(None, [word.replace("_", " "), f'"{value.text}"' if value.text else ""]))
    if isinstance(value, Place):
        return ", ".join(value.parts.values())
    if isinstance(value, PostalAddress):
        return ", ".join(filter(None, (value.street, value.locality, value.country)))
    if isinstance(value, tuple):
        return ", ".join(f'"{one[1]}"' if isinstance(one, tuple) else str(one) for one in value)
    return str(getattr(value, "value", value))


@define
class Teller:
    """Writes to the terminal; once nobody reads any more it is silent."""

    out: IO[str] = field(factory=lambda: sys.stdout)
    closed: bool = False
    """True when whoever read has gone."""

    def line(self, text: str = "") -> None:
        """Writes one line at once."""
        if self.closed:
            return
        try:
            print(text, file=self.out, flush=True)
        except (BrokenPipeError, ValueError):
            self.closed = True

    def lines(self, *texts: str) -> None:
        """Writes several lines."""
        for text in texts:
            self.line(text)

    def act(self, number: int, title: str) -> None:
        """Begins a part of the story."""
        self.lines("", f"{number}. {title}")

    def remark(self, text: str) -> None:
        """Says what somebody does."""
        self.line(f"   {text}")

    def disclosed(self, disclosure: Disclosure, seen: PresenceDocument, note: str = "") -> None:
        """Shows what the contact sees, with the values that reached him, and what he does not see, and why."""
        level = f"at level {disclosure.level}" + (f", {note}" if note else "")
        self.line(f"   -> {disclosure.to}  {level}")
        values = [shown(name, seen[name]) for name in Field if name in seen]
        nothing = "that she is offline" if disclosure.by == "presence" else "no card: the answer is an error"
        self._row("sees", values or [nothing])
        label = "withheld"
        for reason, names in _by_reason(disclosure).items():
            self._row(label, names, f"  ({reason.value}: {_why(reason, disclosure)})")
            label = ""

    def _row(self, label: str, words: Iterable[str], tail: str = "") -> None:
        for line in wrapped(words, tail):
            self.line(f"      {label:<10}{line}")
            label = ""


def wrapped(words: Iterable[str], tail: str = "", width: int = WIDTH - 16) -> list[str]:
    """Joins words by commas into lines of a bounded width; the tail stands on the last one."""
    lines = [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + len(", ") + len(word) > width:
            lines[-1] += ","
            lines.append("")
        lines[-1] += f", {word}" if lines[-1] else word
    if tail and len(lines[-1]) + len(tail) > width:
        lines.append(tail.strip())
    else:
        lines[-1] += tail
    return lines


def json_line(disclosure: Disclosure) -> str:
    """Gives one disclosure as a line of JSON: names of fields, never a value."""
    return json.dumps(disclosure.as_json())


def _by_reason(disclosure: Disclosure) -> dict[Reason, list[str]]:
    found: dict[Reason, list[str]] = {}
    for name in Field:
        if name in disclosure.withheld:
            found.setdefault(disclosure.withheld[name], []).append(name.value)
    return found


def _why(reason: Reason, disclosure: Disclosure) -> str:
    words = WHY.get(reason, reason.value)
    return words.format(level=disclosure.level, domain=disclosure.to.domain, to=disclosure.to.local)
