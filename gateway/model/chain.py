"""The chain of the disclosure ledger: what is hashed how, and whether lines of it still hold together."""

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from attrs import define, field, frozen

from gateway.errors import LedgerError

FORMAT = "gateway-ledger-1"
"""Stands before everything that is hashed, and in the first line of an export."""
NOTHING = "0" * 64
"""Is the link before the first entry."""
_PERSONS = f"{FORMAT} persons\n"
_ENTRY = f"{FORMAT} entry\n"
_LINK = f"{FORMAT} link\n"

canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode
"""Writes a value in the one form that is hashed: keys in order, no spaces, ASCII."""


def seal(salt: str, about: str, to: str) -> str:
    """Commits to the two persons of an entry, in hexadecimal; without the salt nobody can find them by trying."""
    return sha256(f"{_PERSONS}{salt}\n{canonical([about, to])}".encode("ascii")).hexdigest()


def digest(entry: str) -> str:
    """Commits to an entry in its canonical form, in hexadecimal."""
    return sha256(f"{_ENTRY}{entry}".encode("ascii")).hexdigest()


def link(before: str, entry_digest: str) -> str:
    """Ties an entry to all before it, in hexadecimal."""
    return sha256(f"{_LINK}{before}{entry_digest}".encode("ascii")).hexdigest()


@frozen
class Anchor:
    """Is one place of the chain that is known from elsewhere: the entry with this number had this link."""

    seq: int
    link: str

    @classmethod
    def parse(cls, text: str) -> "Anchor":
        """Reads `number:link`; raises LedgerError."""
        number, _, hexadecimal = text.partition(":")
        if not (number.isascii() and number.isdigit() and len(hexadecimal) == 64):
            raise LedgerError(f"{text[:100]!r} is no anchor: give number:link, as the log and `ledger verify` show it")
        return cls(int(number), hexadecimal.lower())

    def __str__(self) -> str:
        return f"{self.seq}:{self.link}"


START = Anchor(0, NOTHING)


@frozen
class Verified:
    """Is what a walk along an unbroken chain has seen."""

    start: Anchor
    """Before the first entry that is still there."""
    head: Anchor
    entries: int
    erased: int
    """Entries whose persons were erased."""
    sealed: int
    """Entries of which an export shows the digest only."""


@define(eq=False)
class Walk:
    """Goes along the lines of a ledger, as an export has them, and raises LedgerError where they do not hold together.

    `anchors` are places known from elsewhere: the only way to see that a whole chain was made anew or ends too early.
    """

    anchors: Iterable[Anchor] = ()
    name: str = "ledger"
    """What it is a chain of; its first line says so."""
    form: str = FORMAT
    _start: Anchor | None = field(init=False, default=None)
    _at: Anchor = field(init=False, default=START)
    _closed: bool = field(init=False, default=False)
    _entries: int = field(init=False, default=0)
    _sealed: int = field(init=False, default=0)
    _erased: int = field(init=False, default=0)
    _unexplained: set[int] = field(init=False, factory=set)
    """Entries without persons for which no erasure has been found yet."""
    _removal_explained: bool = field(init=False, default=False)
    _expected: dict[int, str] = field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        for anchor in self.anchors:
            if self._expected.setdefault(anchor.seq, anchor.link) != anchor.link:
                raise LedgerError(f"two anchors for entry {anchor.seq} contradict each other")

    def take(self, line: Mapping[str, Any]) -> None:
        """Takes the next line."""
        try:
            self._take(line)
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            raise LedgerError(
                f"after entry {self._at.seq} is a line that is none of a {self.name}: {problem!r}"
            ) from None

    def finish(self) -> Verified:
        """Gives what was seen, once all lines are taken."""
        if self._start is None or not self._closed:
            raise LedgerError(f"the {self.name} is cut off after entry {self._at.seq}")
        if self._unexplained:
            raise LedgerError(f"the persons of entry {min(self._unexplained)} are gone, and no erasure is recorded")
        if self._start.seq and not self._removal_explained:
            raise LedgerError(f"entries up to {self._start.seq} are gone, and no removal is recorded")
        late = max(self._expected, default=0)
        if late > self._at.seq:
            raise LedgerError(f"the {self.name} ends with entry {self._at.seq}, but there was an entry {late}")
        return Verified(self._start, self._at, self._entries, self._erased, self._sealed)

    def _take(self, line: Mapping[str, Any]) -> None:
        if self._start is None:
            if line[self.name] != self.form:
                raise LedgerError(f"this is not a {self.name} of the form {self.form}")
            self._start = self._at = Anchor(int(line["from"]["seq"]), str(line["from"]["link"]))
            self._meet_anchor()
        elif self._closed:
            raise LedgerError(f"something stands behind the end, which is entry {self._at.seq}")
        elif "head" in line:
            if Anchor(line["head"]["seq"], line["head"]["link"]) != self._at:
                raise LedgerError(f"the {self.name} ends with entry {self._at.seq}, which is not the end that it names")
            self._closed = True
        else:
            self._step(line)

    def _step(self, line: Mapping[str, Any]) -> None:
        entry = line.get("entry")
        number = line["seq"] if entry is None else entry["seq"]
        if number != self._at.seq + 1:
            raise LedgerError(f"entry {self._at.seq} is followed by entry {number}")
        found = link(self._at.link, line["digest"] if entry is None else digest(canonical(entry)))
        if found != line["link"]:
            raise LedgerError(f"entry {number} is not the one that was recorded: its link does not fit")
        self._at = Anchor(number, found)
        self._meet_anchor()
        self._entries += 1
        if entry is None:
            self._sealed += 1
        else:
            self._persons(number, entry, line)
            self._explain(entry)

    def _persons(self, number: int, entry: Mapping[str, Any], line: Mapping[str, Any]) -> None:
        if line["salt"] is None:
            if line["about"] is not None or line["to"] is not None:
                raise LedgerError(f"entry {number} names persons who are not sealed")
            if entry["seal"]:
                self._erased += 1
                self._unexplained.add(number)
        elif seal(line["salt"], line["about"], line["to"]) != entry["seal"]:
            raise LedgerError(f"entry {number} was recorded about other persons: its seal does not fit")

    def _explain(self, entry: Mapping[str, Any]) -> None:
        """Takes note of what the ledger says about itself: persons erased, entries removed."""
        if entry["kind"] == "erase":
            for first, last in entry["entries"]:
                self._unexplained -= {number for number in self._unexplained if first <= number <= last}
        elif entry["kind"] == "prune" and self._start is not None:
            self._removal_explained |= Anchor(entry["through"], entry["link"]) == self._start

    def _meet_anchor(self) -> None:
        expected = self._expected.get(self._at.seq)
        if expected is not None and expected != self._at.link:
            raise LedgerError(f"entry {self._at.seq} is not the one that the anchor names: the chain was made anew")


def verify(lines: Iterable[Mapping[str, Any]], anchors: Iterable[Anchor] = ()) -> Verified:
    """Walks along all lines; raises LedgerError where the chain is broken."""
    walk = Walk(anchors)
    for line in lines:
        walk.take(line)
    return walk.finish()
