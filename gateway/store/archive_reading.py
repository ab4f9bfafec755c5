"""Reading the archive, in any thread and any process: searching, and the lines of an export."""

import json
from collections.abc import Iterator
from typing import Any

from attrs import frozen

from gateway.errors import LedgerError, StoreError
from gateway.model.chain import digest
from gateway.model.records import FORM
from gateway.store.archive import START, Place, Rows, place_of
from gateway.store.sealing import Keys

_COLUMNS = "r.seq, COALESCE(r.about, c.about), COALESCE(r.contact, c.contact), r.entry, r.key, r.sealed"
_NAMED = "LEFT JOIN record c ON c.conversation = r.conversation AND c.conversation IS NOT NULL AND c.about IS NOT NULL"
UNREADABLE = "unreadable"
"""Stands in a found record in place of its text when the key is missing or the text was changed."""


@frozen
class ArchiveSearch:
    """Says which records are wanted."""

    about: str = ""
    """A person inside."""
    to: str = ""
    """A contact outside, or a domain."""
    since: float = 0.0
    """Posix seconds."""
    until: float = 0.0
    """Posix seconds; 0: without end."""
    text: str = ""
    """What stands in a text, without regard to case."""
    kind: str = ""
    conversation: int = 0

    def where(self) -> tuple[str, list[Any]]:
        """Gives the condition in SQL on the record `r`, and its values."""
        terms, values = ["r.at >= ?"], list[Any]([round(self.since * 1000)])
        if self.until:
            terms.append("r.at < ?")
            values.append(round(self.until * 1000))
        if self.conversation:
            terms.append("r.seq IN (SELECT seq FROM turn WHERE conversation = ?)")
            values.append(self.conversation)
        if self.kind:
            terms.append("r.entry LIKE ?")
            values.append(f'%"kind":{json.dumps(self.kind)}%')
        if self.text:
            terms.append("r.sealed IS NOT NULL")
        named, names = self._parties()
        if named:
            of = f"SELECT n.conversation FROM record n WHERE n.conversation IS NOT NULL AND {named.replace('r.', 'n.')}"  # noqa: S608
            terms.append(f"(({named}) OR r.seq IN (SELECT seq FROM turn WHERE conversation IN ({of})))")
            values += [*names, *names]
        return " AND ".join(terms), values

    def _parties(self) -> tuple[str, list[str]]:
        terms, values = list[str](), list[str]()
        if self.about:
            terms.append("r.about = ?")
            values.append(self.about)
        if self.to:
            escaped = self.to.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
            terms.append("r.contact = ?" if "@" in self.to else "r.contact LIKE ? ESCAPE '\\'")
            values.append(self.to if "@" in self.to else f"%@{escaped}")
        return " AND ".join(terms), values


def search(place: Place, keys: Keys, wanted: ArchiveSearch, limit: int) -> list[dict[str, Any]]:
    """Gives the newest records that fit, oldest of them first, each with its two parties and its opened text."""
    where, values = wanted.where()
    sql = f"SELECT {_COLUMNS} FROM record r {_NAMED} WHERE {where} ORDER BY r.seq DESC"  # noqa: S608 no value in it
    found: list[dict[str, Any]] = []
    with place.reading() as rows:
        for row in rows(sql, values):
            record = _shown(row, keys)
            if not wanted.text or _says(record["text"], wanted.text):
                found.append(record)
            if len(found) >= limit:
                break
    return found[::-1]


def records(place: Place, keys: Keys, wanted: ArchiveSearch) -> Iterator[dict[str, Any]]:
    """Goes through all records that fit, oldest first, as `search` gives them."""
    where, values = wanted.where()
    sql = f"SELECT {_COLUMNS} FROM record r {_NAMED} WHERE {where} ORDER BY r.seq"  # noqa: S608 no value in it
    with place.reading() as rows:
        for row in rows(sql, values):
            record = _shown(row, keys)
            if not wanted.text or _says(record["text"], wanted.text):
                yield record


def lines(place: Place, keys: Keys | None, wanted: ArchiveSearch | None = None) -> Iterator[dict[str, Any]]:
    """Goes through the lines of an export: all of the chain; what is not wanted shows its digest only.

    Texts without their key stay closed. One that does not open as it was sealed raises LedgerError.
    """
    with place.reading() as rows:
        ((seq, link),) = list(rows(START))
        yield {"archive": FORM, "from": {"seq": seq, "link": link}}
        chosen = _chosen(rows, wanted)
        sql = "SELECT seq, about, contact, salt, entry, link, key, sealed FROM record ORDER BY seq"
        for seq, about, contact, salt, entry, link, key, sealed in rows(sql):
            if chosen is not None and (salt is not None or sealed is not None) and seq not in chosen:
                yield {"seq": seq, "digest": digest(entry), "link": link}
                continue
            line = {"entry": json.loads(entry), "about": about, "to": contact, "salt": salt, "link": link}
            if sealed is not None:
                known = keys is not None and key in keys.names
                line |= {"text": opened(keys, seq, key, sealed)} if keys and known else {"sealed": key}
            yield line
        yield {"head": {"seq": seq, "link": link}}


def opened(keys: Keys, seq: int, key: str, sealed: bytes) -> str:
    """Opens what was said in a record: canonical JSON; raises LedgerError."""
    try:
        return keys.open(key, bytes(sealed), place_of(seq)).decode("ascii")
    except StoreError as problem:
        raise LedgerError(f"record {seq} cannot be opened: {problem}") from None


def _chosen(rows: Rows, wanted: ArchiveSearch | None) -> set[int] | None:
    if wanted is None:
        return None
    where, values = wanted.where()
    return {seq for (seq,) in rows(f"SELECT r.seq FROM record r WHERE {where}", values)}  # noqa: S608 no value in it


def _shown(row: tuple[Any, ...], keys: Keys) -> dict[str, Any]:
    seq, about, contact, entry, key, sealed = row
    text: dict[str, Any] = {}
    if sealed is not None:
        try:
            text = json.loads(opened(keys, seq, key, sealed))
        except LedgerError:
            text = {UNREADABLE: True}
    return {**json.loads(entry), "about": about or "", "to": contact or "", "text": text, "open": sealed is not None}


def _says(text: dict[str, Any], wanted: str) -> bool:
    said = [*text.get("bodies", ()), *text.get("subjects", ())]
    return any(wanted.casefold() in each.casefold() for _, each in said)
