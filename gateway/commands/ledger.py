"""`gateway ledger`: parameters, the offline check, and how answers read."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gateway.commands.ledger_answers import LedgerEntry, LedgerErased, LedgerExported
from gateway.commands.moments import since as read_since
from gateway.commands.render import columns, moment
from gateway.config import load
from gateway.errors import CommandError, LedgerError, StoreError
from gateway.log import escape
from gateway.model.address import Address
from gateway.model.chain import Anchor, Verified
from gateway.model.chain import verify as walk
from gateway.store.ledger import anchors, lines

LINE = 4 * 1024 * 1024
"""Characters of one line of an export at most."""


def read_moment(text: str) -> str:
    """Checks a moment; it is read when the command is carried out."""
    read_since(text, 0.0)
    return text


def read_file(text: str) -> str:
    """Gives a path as seen from the root on."""
    return str(Path(text).expanduser().absolute())


def read_anchor(text: str) -> str:
    """Checks an anchor."""
    return str(Anchor.parse(text))


def read_party(text: str) -> str:
    """Gives a contact, or a domain."""
    return str(Address.parse(text).bare)


def verify(config: Path | None, file: str | None, anchor: str | None) -> dict[str, Any]:
    """Walks along a ledger, of the configured gateway or an exported one, and says whether all of it holds together."""
    known = [Anchor.parse(anchor)] if anchor else []
    try:
        found, subject = _walked(config, file, known)
    except LedgerError as problem:
        return {"outcome": "fail", "subject": file or "", "text": str(problem)}
    return {
        "outcome": "ok",
        "subject": subject,
        "text": "",
        "entries": found.entries,
        "erased": found.erased,
        "sealed": found.sealed,
        "start": str(found.start),
        "head": str(found.head),
    }


def _walked(config: Path | None, file: str | None, known: list[Anchor]) -> tuple[Verified, str]:
    if file:
        return walk(lines_of(Path(file)), known), file
    if config is None:
        raise CommandError("no configuration, and so no ledger: name an export with --file, or --config F")
    path = load(config).state / "ledger.db"
    if not path.exists():
        raise StoreError(f"there is no ledger {path}")
    return walk(lines(path), [*known, *anchors(path)]), str(path)


def lines_of(path: Path) -> Iterator[Mapping[str, Any]]:
    """Goes through the lines of an export; raises LedgerError."""
    try:
        with path.open(encoding="ascii") as file:
            number = 0
            while line := file.readline(LINE):
                number += 1
                try:
                    yield json.loads(line)
                except (ValueError, RecursionError):
                    raise LedgerError(f"line {number} of {path} is no JSON") from None
    except (OSError, UnicodeDecodeError) as problem:
        raise LedgerError(f"{path} cannot be read: {problem}") from None


def show_list(result: list[LedgerEntry]) -> str:
    """Shows a line for each field of each entry."""
    rows = [row for entry in result for row in _rows(entry)]
    head = ("TIME (UTC)", "ABOUT", "TO", "FIELD", "OUTCOME", "RULE", "POLICY")
    return columns(rows, head) if rows else "no entries"


def _rows(entry: LedgerEntry) -> Iterator[tuple[str, ...]]:
    gone = "(erased)" if entry["erased"] else "-"
    first = (moment(entry["at"]), entry["about"] or gone, entry["to"] or entry["partner"] or "-")
    if entry["note"]:
        told = " ".join(f"{name}={json.dumps(value)}" for name, value in entry["note"].items())
        yield (*first, entry["kind"], "", escape(told, 200), "")
        return
    rule = f"level {entry['level']} ({entry['by']})" if entry["rule"] == "allowed" else entry["rule"]
    policy = entry["policy"]
    for name in entry["sent"]:
        against = entry["observed"].get(name, "")
        yield (*first, name, "sent", f"{against}, observed only" if against else rule, policy)
    for name, reason in entry["withheld"].items():
        yield (*first, name, "withheld", reason, policy)
    if not (entry["sent"] or entry["withheld"]):
        size = f", {entry['size']} B" if entry["size"] else ""
        what = f"{entry['kind']} {entry['what']}".strip() + size
        against = entry["observed"].get("", "")
        yield (*first, what, entry["outcome"], f"{against}, observed only" if against else rule, policy)


def show_export(result: LedgerExported) -> str:
    """Says where an export is."""
    of = f" about {escape(result['about'])}" if result["about"] else ""
    return f"{result['entries']} entries{of} in {escape(result['file'], 1000)}"


def show_erase(result: LedgerErased) -> str:
    """Says how many entries name a person no more."""
    held = f"; {result['held']} younger ones are held" if result["held"] else ""
    return f"{escape(result['person'])} is erased from {result['erased']} entries{held}"


def show_verify(result: Mapping[str, Any]) -> str:
    """Says whether the chain is whole."""
    if result["outcome"] != "ok":
        return f"BROKEN  {escape(result['text'], 1000)}"
    counts = f"{result['entries']} entries, {result['erased']} erased, {result['sealed']} sealed"
    return f"OK  {counts}, chain unbroken from {result['start']} to\nhead {result['head']}"
