"""What both ends saw, in the order in which they saw it, as lines of JSON."""

import json
import time
from enum import StrEnum
from pathlib import Path
from typing import TextIO

from attrs import astuple, define, field, frozen


class Kind(StrEnum):
    """What happened."""

    SENT = "sent"
    """A message was handed to the gateway."""
    ACCEPTED = "accepted"
    """The gateway has said that it answers for it (XEP-0198 `<a/>`)."""
    DELIVERED = "delivered"
    """The other end has it; `detail` is the id that it bore."""
    BOUNCED = "bounced"
    """Its sender was told that it will not arrive; `detail` is the condition."""
    SAID = "said"
    """Somebody published presence number `number`; `detail` is show."""
    SEEN = "seen"
    """Somebody was shown presence; `number` is 0 where the note was withheld."""
    CANARY = "canary"
    """Bytes that were to stay inside arrived outside."""
    UNCLEAN = "unclean"
    """A stream towards this end broke off without a good-bye, or did not hear ours."""
    NARROWING = "narrowing"
    NARROWED = "narrowed"
    """The gateway has said that `whom` sees less of `who`."""
    WIDENING = "widening"
    WIDENED = "widened"


@frozen
class Event:
    """One thing that one end saw."""

    at: float
    """Seconds of one monotonic clock."""
    side: str
    """The domain of the end that saw it."""
    kind: Kind
    who: str = ""
    """Whose message or presence it is, a bare address."""
    whom: str = ""
    """To whom, a bare address."""
    name: str = ""
    """Of a message, the text that identifies it."""
    number: int = 0
    detail: str = ""


@define(eq=False)
class History:
    """Appends what one end sees to its file, and keeps it."""

    side: str
    path: Path
    events: list[Event] = field(factory=list, repr=False)
    shown: set[str] = field(factory=set, repr=False)
    """Whose note has been seen here."""
    remembers: bool = True
    _file: TextIO = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._file = self.path.open("a", encoding="utf-8")

    def note(
        self, kind: Kind, who: str = "", whom: str = "", name: str = "", number: int = 0, detail: str = ""
    ) -> None:
        """Adds what has happened now."""
        if kind is Kind.SEEN and number:
            self.shown.add(who)
        if not self.remembers or self._file.closed:
            return
        event = Event(time.monotonic(), self.side, kind, who, whom, name, number, detail)
        self.events.append(event)
        self._file.write(json.dumps(astuple(event)) + "\n")

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def read(*paths: Path) -> list[Event]:
    """Gives what stands in several histories, by time."""
    found = []
    for path in paths:
        for line in path.read_text("utf-8").splitlines():
            at, side, kind, *others = json.loads(line)
            found.append(Event(at, side, Kind(kind), *others))
    return sorted(found, key=lambda event: event.at)
