"""Counting stanzas so that each side knows what the other has (XEP-0198 version 3, without resumption)."""

from collections import deque
from typing import Final

from attrs import define, field

from gateway.protocols.element import Element
from gateway.protocols.xmpp import names

OFFER: Final = f"<sm xmlns='{names.SM}'/>"
ENABLE: Final = f"<enable xmlns='{names.SM}'/>"
ENABLED: Final = f"<enabled xmlns='{names.SM}'/>"
REQUEST: Final = f"<r xmlns='{names.SM}'/>"
NOT_EXPECTED: Final = (
    f"<failed xmlns='{names.SM}'><unexpected-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>"
)
_WRAP: Final = 2**32


class AckFault(ValueError):
    """The peer acknowledges what it was never sent, or nothing that is a number."""


@define(eq=False)
class Said:
    """Counts what we have sent since stream management was asked for, and how much of it the peer has."""

    agreed: bool = False
    """The peer has agreed to count; before that nothing is asked of it."""
    count: int = 0
    acked: int = 0

    def acknowledged(self, element: Element) -> int:
        """Takes an answer of the peer's; gives how many stanzas it has by now. Raises AckFault (section 4)."""
        text = element.attributes.get("h", "")
        if not (text.isascii() and text.isdigit()) or len(text) > 10:
            raise AckFault("h is no number")
        newly = (int(text) - self.acked) % _WRAP
        if newly > self.count - self.acked:
            raise AckFault(f"{newly} acknowledged of {self.count - self.acked}")
        self.acked += newly
        return self.acked


@define(eq=False)
class Heard:
    """Counts what the peer has sent, and how much of that is in safe hands: only so much is acknowledged."""

    count: int = 0
    _open: deque[int] = field(init=False, factory=deque)
    """Stanzas, by their numbers, that are not in safe hands yet, in their order."""
    _done: set[int] = field(init=False, factory=set)
    """Those of them that are, though one before them is not."""
    _asked: int | None = field(init=False, default=None)
    """How many stanzas had come when the peer asked and could not be told that all are safe."""

    def took(self) -> None:
        """Counts one stanza."""
        self.count += 1

    def hold(self) -> int:
        """Gives the number of the stanza that was counted last, which is not in safe hands before `let_go`."""
        self._open.append(self.count)
        return self.count

    def let_go(self, number: int) -> None:
        """Takes note that a stanza is in safe hands."""
        self._done.add(number)
        while self._open and self._open[0] in self._done:
            self._done.discard(self._open.popleft())

    @property
    def held(self) -> int:
        """Counts the stanzas that are not in safe hands."""
        return len(self._open) - len(self._done)

    @property
    def safe(self) -> int:
        """Gives how many stanzas may be acknowledged."""
        return self._open[0] - 1 if self._open else self.count

    def asked(self) -> str:
        """Takes the peer's request, and gives the answer, or '' until all that came before it is in safe hands."""
        self._asked = self.count
        return self.answer()

    def answer(self) -> str:
        """Gives the answer that is owed and can be given now, or ''."""
        if self._asked is None or self.safe < self._asked:
            return ""
        self._asked = None
        return self.last_word()

    def last_word(self) -> str:
        """Gives an answer that was not asked for: the last thing before a stream is closed."""
        return f"<a xmlns='{names.SM}' h='{self.safe % _WRAP}'/>"
