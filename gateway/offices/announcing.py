"""Tells people through the bot what concerns them: a few a second, nobody twice, nothing that is overtaken."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import define, field

from gateway.log import Log
from gateway.model.address import Address

log = Log("announcing")

PACE = 10
"""People who are told within one second."""
MOST = 100_000
"""Notices that wait at most; the oldest is dropped, and counted."""
AGAIN_SECONDS = 3600.0
"""After this it is tried again to tell somebody who had heard enough."""
TRIES = 24

Tell = Callable[..., bool]
"""Tells a person a sentence with its parts; False when he has heard enough for now."""


@define
class _Notice:
    parts: Mapping[str, Any]
    due: float
    tries: int = 0


@define(eq=False)
class Announcer:
    """Is the queue of what people are to be told."""

    now: Callable[[], float]
    tell: Tell | None = None
    """None when there is no bot: then nobody is told here."""
    dropped: int = field(init=False, default=0)
    _waiting: "OrderedDict[tuple[Address, str], _Notice]" = field(init=False, factory=OrderedDict)

    def __len__(self) -> int:
        return len(self._waiting)

    def announce(self, people: Iterable[Address], sentence: str, **parts: Any) -> int:
        """Has each of some people told a sentence, once; what of the same kind still waits is overtaken."""
        if self.tell is None:
            return 0
        told = 0
        for person in people:
            self._waiting[person, sentence] = _Notice(parts, self.now())
            told += 1
        while len(self._waiting) > MOST:
            self._waiting.popitem(last=False)
            self.dropped += 1
        return told

    def tick(self) -> None:
        """Tells the next few; once a second."""
        if self.tell is None:
            return
        now = self.now()
        for person, sentence in self._due(now):
            notice = self._waiting.pop((person, sentence))
            if not self._told(person, sentence, notice) and notice.tries < TRIES:
                notice.tries, notice.due = notice.tries + 1, now + AGAIN_SECONDS
                self._waiting[person, sentence] = notice

    def _due(self, now: float) -> list[tuple[Address, str]]:
        found = []
        for key, notice in self._waiting.items():
            if notice.due <= now:
                found.append(key)
                if len(found) == PACE:
                    break
        return found

    def _told(self, person: Address, sentence: str, notice: _Notice) -> bool:
        try:
            assert self.tell is not None
            return self.tell(person, sentence, **notice.parts)
        except Exception:  # noqa: BLE001 one notice must not stop the others
            log.failure("notice not told")
            return True
