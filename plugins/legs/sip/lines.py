"""Messages of the spool, one at a time for each pair of people, until their end is known."""

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from attrs import define, field

from gateway.model.envelope import Envelope, Problem
from gateway.protocols.sip.pager import Delivered, Undelivered
from gateway.protocols.sip.problems import problem_of

LATER: Final = frozenset({0, 408, 430, 503, 504})
"""Statuses that say nothing about the message: nobody has answered, or nobody could just now."""

Pair = tuple[str, str]


@define(eq=False)
class Lines:
    """Sends the next message of a pair when the one before has been answered, so that their order is kept.

    2xx is the other side's word that it has it (200) or will keep it (202). What nobody has answered goes back to the
    spool, with all that waits behind it.
    """

    _house: Any
    _send: Callable[[Envelope], Problem | None]
    """Sends one; gives why it never can be sent. Raises OverflowError when it cannot just now."""
    _lines: dict[Pair, deque[Envelope]] = field(init=False, factory=dict)

    def put(self, envelope: Envelope) -> None:
        """Takes one message more."""
        line = self._lines.setdefault(_pair(envelope), deque())
        line.append(envelope)
        if len(line) == 1:
            self._begin(_pair(envelope), line)

    def ended(self, event: Delivered | Undelivered, envelope: Envelope) -> None:
        """Takes the answer to a message."""
        pair = _pair(envelope)
        line = self._lines.get(pair)
        if line is None or line[0].ticket is not envelope.ticket:
            return
        if isinstance(event, Undelivered) and event.status in LATER:
            self._give_back(pair, line)
            return
        line.popleft()
        if isinstance(event, Delivered):
            self._house.delivered(envelope)
        else:
            self._house.undeliverable(envelope, problem_of(event.status))
        self._begin(pair, line)

    def _begin(self, pair: Pair, line: deque[Envelope]) -> None:
        while line:
            try:
                problem = self._send(line[0])
            except OverflowError:
                self._give_back(pair, line)
                return
            except Exception:
                self._lines.pop(pair, None)
                for envelope in line:
                    self._house.postponed(envelope)
                raise
            if problem is None:
                return
            self._house.undeliverable(line.popleft(), problem)
        self._lines.pop(pair, None)

    def _give_back(self, pair: Pair, line: deque[Envelope]) -> None:
        self._lines.pop(pair, None)
        for envelope in line:
            self._house.postponed(envelope)


def _pair(envelope: Envelope) -> Pair:
    return envelope.sender.bare, envelope.recipient.bare
