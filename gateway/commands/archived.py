"""The commands of the archive, and of all that is kept of somebody; how their answers read; the offline check."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.commands import ledger
from gateway.commands.archive_answers import (
    ArchiveExported,
    ArchiveHeld,
    ArchivePruned,
    ArchiveRecord,
    ArchiveRotated,
    ArchiveStatus,
    UserReport,
)
from gateway.commands.command import Command, Parameter, Where, as_is, daemon, read_person
from gateway.commands.render import columns, moment
from gateway.config import load
from gateway.errors import CommandError, LedgerError, StoreError
from gateway.log import escape
from gateway.model.chain import Anchor, Verified
from gateway.model.records import RecordKind, verify_records
from gateway.store.archive import Place
from gateway.store.archive_reading import lines
from gateway.store.ledger import anchors
from gateway.store.sealing import Keys

FORMATS = ("jsonl", "mbox", "eml", "csv")


def verify(config: Path | None, file: str | None, anchor: str | None) -> dict[str, Any]:
    """Walks along an archive, of the configured gateway or an exported one, and says whether all holds together."""
    known = [Anchor.parse(anchor)] if anchor else []
    try:
        found, closed, subject = _walked(config, file, known)
    except LedgerError as problem:
        return {"outcome": "fail", "subject": file or "", "text": str(problem)}
    return {
        "outcome": "ok",
        "subject": subject,
        "text": "",
        "entries": found.entries,
        "erased": found.erased,
        "sealed": found.sealed,
        "closed": closed,
        "start": str(found.start),
        "head": str(found.head),
    }


def _walked(config: Path | None, file: str | None, known: list[Anchor]) -> tuple[Verified, int, str]:
    if file:
        return *verify_records(ledger.lines_of(Path(file)), known), file
    if config is None:
        raise CommandError("no configuration, and so no archive: name an export with --file, or --config F")
    loaded = load(config)
    if not loaded.archive.on or loaded.archive.key is None:
        raise CommandError("no archive is kept: [archive] on = true begins one")
    place = Place.of(loaded)
    if not place.address and not place.path.exists():
        raise StoreError(f"there is no archive {place.path}")
    keys = Keys.parse(loaded.archive.key.text)
    return *verify_records(lines(place, keys), [*known, *anchors(place.path)]), str(place)


def show_verify(result: Mapping[str, Any]) -> str:
    """Says whether the chain is whole."""
    if result["outcome"] != "ok":
        return f"BROKEN  {escape(result['text'], 1000)}"
    counts = f"{result['entries']} records, {result['erased']} erased, {result['sealed']} not shown"
    closed = f", {result['closed']} texts not opened" if result["closed"] else ""
    return f"OK  {counts}{closed}, chain unbroken from {result['start']} to\nhead {result['head']}"


def show_status(result: ArchiveStatus) -> str:
    """Shows how the archive is."""
    if not result["on"]:
        return "nothing is archived: [archive] on = true begins an archive"
    keys = ", ".join(f"{name}: {count}" for name, count in sorted(result["keys"].items())) or "no texts"
    rows = [
        ("archive", "HEALTHY" if not result["problem"] else f"NOT WRITTEN: {escape(result['problem'], 300)}"),
        ("place", escape(result["place"], 300)),
        ("for everybody", result["mode"]),
        ("rules", str(result["rules"])),
        ("critical", "yes: what cannot be archived is refused" if result["critical"] else "no"),
        ("head", result["head"]),
        ("waiting", str(result["waiting"])),
        ("missed", str(result["missed"])),
        ("sealing key", result["key"]),
        ("texts by key", keys),
        ("legal holds", str(result["holds"])),
    ]
    return columns(rows)


def show_records(result: list[ArchiveRecord]) -> str:
    """Shows a line for each record."""
    rows = [
        (moment(each["at"]), str(each["seq"]), each["kind"], each["about"] or "-", each["to"] or "-", _told(each))
        for each in result
    ]
    return columns(rows, ("TIME (UTC)", "RECORD", "KIND", "PERSON", "CONTACT", "WHAT")) if rows else "no records"


def _told(record: ArchiveRecord) -> str:
    text = record["text"]
    said = " / ".join(words for _, words in [*text.get("subjects", ()), *text.get("bodies", ())])
    if not said and text.get("encrypted"):
        said = "(encrypted)"
    rest = " ".join(f"{name}={value}" for name, value in record["rest"].items() if value != "")
    return escape(f"{rest} {json.dumps(said, ensure_ascii=False)}" if said else rest, 400)


def show_export(result: ArchiveExported) -> str:
    """Says where an export is."""
    return f"{result['records']} records in {escape(result['file'], 1000)} ({result['format']})"


def show_holds(result: list[ArchiveHeld]) -> str:
    """Shows the legal holds."""
    rows = [(each["party"], moment(each["since"]), escape(each["reason"], 200)) for each in result]
    return columns(rows, ("HELD", "SINCE (UTC)", "WHY")) if rows else "nothing is held"


def show_pruned(result: ArchivePruned) -> str:
    """Says what retention has taken away."""
    return f"{result['emptied']} records emptied, {result['removed']} removed, {result['held']} held"


def show_rotated(result: ArchiveRotated) -> str:
    """Says what was sealed again."""
    more = f", {result['left']} left: once more, please" if result["left"] else ""
    left = f"; {result['unreadable']} CANNOT BE OPENED with the keys there are" if result["unreadable"] else ""
    return f"{result['resealed']} texts sealed again with the key {result['key']}{more}{left}"


def show_report(result: UserReport) -> str:
    """Shows what is kept of somebody, place by place."""
    rows = [(each["place"], str(each["count"]), str(each["erased"]), each["stays"]) for each in result["places"]]
    file = f"\nwritten to {escape(result['file'], 1000)}" if result["file"] else ""
    return f"{escape(result['address'])}\n{columns(rows, ('WHAT', 'KEPT', 'ERASED', 'WHAT STAYS'))}{file}"


_ABOUT = Parameter("about", "about this person", read_person, True)
_TO = Parameter("to", "with this contact or domain", ledger.read_party, True)
_SINCE = Parameter("since", "since 24h, 7d, or a date or time in UTC", ledger.read_moment, True)
_UNTIL = Parameter("until", "until 24h ago, 7d ago, or a date or time in UTC", ledger.read_moment, True)
_CONVERSATION = Parameter("conversation", "of this conversation, by its number", as_is, True)
_FILE = Parameter("file", "the file that the daemon is to make", ledger.read_file, True)
_PARTY = Parameter("party", "a person, a contact, or a domain", ledger.read_party)
_REASON = Parameter("reason", "why, in a few words: it is recorded", as_is)
_ADDRESS = Parameter("address", "one of our people, or a contact", read_person)

COMMANDS: tuple[Command, ...] = (
    daemon(
        "archive status",
        "Say whether messages are archived, and whether that works.",
        (),
        show_status,
        lambda result: int(bool(result["problem"])),
    ),
    daemon(
        "archive search",
        "Find what was said, or who has spoken with whom; the search is recorded.",
        (
            _ABOUT,
            _TO,
            _SINCE,
            _UNTIL,
            Parameter("text", "with these words in it", as_is, True),
            Parameter("kind", "of this kind", as_is, True, choices=tuple(kind.value for kind in RecordKind)),
            _CONVERSATION,
            Parameter("limit", "so many at most; otherwise 100", as_is, True),
        ),
        show_records,
    ),
    daemon(
        "archive export",
        "Write the archive, or some of it, to a new file; the export is recorded.",
        (
            Parameter("format", "jsonl can be verified; mbox, eml, csv: to be read", as_is, True, choices=FORMATS),
            _ABOUT,
            _TO,
            _SINCE,
            _UNTIL,
            _CONVERSATION,
            _FILE,
        ),
        show_export,
    ),
    Command(
        ("archive", "verify"),
        "Check that the archive, or an export of it, is whole.",
        (
            Parameter("file", "an export (jsonl), instead of the gateway's own archive", ledger.read_file, True),
            Parameter(
                "anchor", "number:link of a record as the log or an earlier check showed it", ledger.read_anchor, True
            ),
        ),
        Where.OFFLINE,
        verify,
        show_verify,
        lambda result: 0 if result["outcome"] == "ok" else 2,
    ),
    daemon("archive holds", "List what is held.", (), show_holds),
    daemon("archive hold", "Keep all about somebody from retention and erasure.", (_PARTY, _REASON), show_holds),
    daemon("archive release", "End a legal hold.", (_PARTY, _REASON), show_holds),
    daemon("archive prune", "Take away now what is older than its retention.", (), show_pruned),
    daemon(
        "archive rotate",
        "Seal all texts with the newest key.",
        (),
        show_rotated,
        lambda result: int(bool(result["unreadable"] or result["left"])),
    ),
    daemon("users show", "Say what is kept of somebody, and where.", (_ADDRESS,), show_report),
    daemon("users export", "Write all that is kept of somebody to a new file.", (_ADDRESS, _FILE), show_report),
    daemon(
        "users erase",
        "Erase what is kept of somebody, but for what is held.",
        (_ADDRESS,),
        show_report,
        lambda result: int(any(each["stays"] for each in result["places"])),
    ),
)
"""In the order in which help shows them."""
