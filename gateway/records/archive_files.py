"""Exports of the archive: lines that can be verified, conversations as mail, activity as a table."""

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.commands.archive_answers import ArchiveRecord
from gateway.errors import CommandError, StoreError
from gateway.model.address import Address
from gateway.model.envelope import Side
from gateway.protocols.mail import Line, Transcript, write_conversation
from gateway.records.archive import Archive
from gateway.store.archive import place_of, resealing
from gateway.store.archive_reading import ArchiveSearch, lines, records
from gateway.store.sealing import Keys
from gateway.store.writer import Statement

_SIDES: Mapping[str, Side] = {"out": Side.INTERNAL, "in": Side.EXTERNAL}
_COLUMNS = (
    "time",
    "record",
    "kind",
    "person",
    "contact",
    "conversation",
    "direction",
    "outcome",
    "partner",
    "protocol",
    "began",
    "ended",
    "out",
    "in",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def written(place: Path, pieces: Iterable[bytes]) -> int:
    """Writes a new file that only its owner may read; gives how many pieces it has, or raises CommandError."""
    number = 0
    try:
        with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            for piece in pieces:
                file.write(piece)
                number += 1
            file.flush()
            os.fsync(file.fileno())
    except OSError as problem:
        raise CommandError(f"cannot write {place}: {problem.strerror}") from None
    return number


def json_lines(lines: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """Gives a line of JSON for each line of an export."""
    for line in lines:
        yield json.dumps(line, sort_keys=True).encode("ascii") + b"\n"


def table(records: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """Gives activity as CSV (RFC 4180): who, with whom, when; never what was said."""
    yield _row(_COLUMNS)
    for record in records:
        moments = {name: _moment(record[name]) for name in ("began", "ended") if name in record}
        told = {**record, **moments, "time": _moment(record["at"]), "record": record["seq"]}
        told |= {"person": record["about"], "contact": record["to"]}
        yield _row([_harmless(str(told.get(name, ""))) for name in _COLUMNS])


def _row(cells: Iterable[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue().encode("utf-8")


def _harmless(cell: str) -> str:
    """Keeps what a stranger has chosen from being a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")


def mailbox(records: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """Gives conversations as the messages of an mbox file (RFC 4155), From lines within quoted (mboxrd)."""
    for letter in letters(records):
        lines = letter.replace(b"\r\n", b"\n").split(b"\n")
        quoted = (b">" + line if line.lstrip(b">").startswith(b"From ") else line for line in lines)
        yield b"From archive@localhost Thu Jan  1 00:00:00 1970\n" + b"\n".join(quoted).rstrip(b"\n") + b"\n\n"


def letters(records: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """Gives each conversation in which something was said as one message (RFC 5322)."""
    by_number: dict[int, list[Mapping[str, Any]]] = {}
    for record in records:
        number = record.get("conversation")
        if number is not None and record["about"] and record["to"]:
            by_number.setdefault(number, []).append(record)
        if record["kind"] == "end" and number in by_number:
            yield from _letter(number, by_number.pop(number))
    for number, told in by_number.items():
        yield from _letter(number, told)


def _letter(number: int, records: list[Mapping[str, Any]]) -> Iterator[bytes]:
    said = [record for record in records if record["kind"] == "message"]
    if not said:
        return
    first = said[0]
    transcript = Transcript(
        key=f"archive {number}",
        person=Address.parse(first["about"]),
        contact=Address.parse(first["to"]),
        begun_by=_SIDES[first["direction"]],
        started=first["at"] / 1000,
        ended=said[-1]["at"] / 1000,
        lines=tuple(_line(record) for record in said),
    )
    yield write_conversation(transcript)


def _line(record: Mapping[str, Any]) -> Line:
    text = record["text"]
    words = [words for _, words in [*text.get("subjects", ()), *text.get("bodies", ())]]
    if not record["open"]:
        words = ["(only that something was said is archived, or the text was erased)"]
    elif text.get("unreadable"):
        words = ["(the key of this text is missing)"]
    return Line(
        record["at"] / 1000,
        _SIDES[record["direction"]],
        "\n".join(words),
        encrypted=bool(text.get("encrypted")),
        notice=bool(text.get("notice")),
    )


def exported(archive: Archive, form: str, wanted: ArchiveSearch, place: Path) -> int:
    """Writes what is wanted to a new file in one of the forms jsonl, mbox, eml, csv; gives how much is in it."""
    store, keys = archive.store.place, archive.keys
    if form == "jsonl":
        return written(place, json_lines(lines(store, keys, wanted))) - 2
    found = records(store, keys, wanted)
    if form == "csv":
        return written(place, table(found)) - 1
    if form == "mbox":
        return written(place, mailbox(found))
    chosen = list(letters(found))
    if len(chosen) != 1:
        raise CommandError(f"eml is one conversation, these are {len(chosen)}: give --conversation, or use mbox")
    return written(place, chosen)


def shown(record: Mapping[str, Any]) -> ArchiveRecord:
    """Gives a record as commands show it: the time in posix seconds."""
    plain = ("seq", "at", "kind", "about", "to", "conversation", "text")
    return {
        "seq": record["seq"],
        "at": record["at"] / 1000,
        "kind": record["kind"],
        "about": record["about"],
        "to": record["to"],
        "conversation": record.get("conversation", 0),
        "text": {name: value for name, value in record["text"].items() if name != "salt"},
        "rest": {
            name: value for name, value in record.items() if name not in plain and name not in ("seal", "body", "open")
        },
    }


def span(wanted: ArchiveSearch) -> dict[str, Any]:
    """Gives what of a search is recorded beside the parties, who are sealed."""
    return {
        "since": int(wanted.since),
        "until": int(wanted.until),
        "kind_wanted": wanted.kind,
        "of": wanted.conversation,
    }


def resealed(keys: Keys, seq: int, key: str, sealed: bytes) -> Statement | None:
    """Gives what puts a text in its place, sealed with the newest key; None when it cannot be opened."""
    bound = place_of(seq)
    try:
        return resealing(seq, key, keys.newest, keys.seal(keys.open(key, sealed, bound), bound))
    except StoreError:
        return None
