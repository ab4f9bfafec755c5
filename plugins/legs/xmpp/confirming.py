"""Has a peer confirm the messages that it was sent: by XEP-0198 where it counts, else by the answer to a ping."""

import secrets
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from gateway.protocols.xmpp.acks import REQUEST
from gateway.queues.outbox import Outbox
from plugins.legs.xmpp.connection import Connection

WINDOW: Final = 64
"""Messages on a link that are not confirmed: as many may come twice after it has broken."""
AT_ONCE: Final = 16
"""Messages after which the peer is asked at once."""
SOON: Final = 0.1
"""Seconds after which it is asked anyway."""
DEAF_SECONDS: Final = 10.0
"""How long a peer that has never answered is waited for; then bytes that the kernel has taken count as delivered."""


class Confirming:
    """Asks about the messages on one connection, and tells the outbox how many have arrived.

    A ping's answer says that all before it has been taken, for a stream is in order (RFC 6120 section 10.1). A peer
    that answers neither way is believed; that is counted by `unconfirmed`.
    """

    def __init__(
        self,
        connection: Connection,
        outbox: Outbox,
        ping: Callable[[str], None],
        reactor: Any,
        patience: float,
        unconfirmed: Callable[[int], None],
    ) -> None:
        self._connection = connection
        self._outbox = outbox
        self._ping = ping
        self._reactor = reactor
        self._patience = patience
        self._unconfirmed = unconfirmed
        self._numbers: deque[int] = deque()
        """Of each message on the link: how many stanzas had been said with it."""
        self._asked = 0
        """How many of the messages the open question covers."""
        self._asked_at: float | None = None
        self._mark = ""
        self._call: Any = None
        self.answers = False
        """The peer has confirmed something."""
        self._deaf = False

    @property
    def complete(self) -> bool:
        """Says whether the peer is known to have everything that it was sent."""
        said = self._connection.stream.said
        return said is not None and said.agreed and said.acked == said.count and not self._numbers

    def sent(self) -> None:
        """Takes note that a message of the spool was said."""
        said = self._connection.stream.said
        self._numbers.append(said.count if said is not None else 0)
        if self._asked_at is not None:
            return
        if len(self._numbers) == AT_ONCE:
            self._ask()
        elif self._call is None:
            self._call = self._reactor.callLater(SOON, self._due)

    def acknowledged(self, count: int) -> None:
        """Takes the peer's count of what it has."""
        arrived = 0
        while self._numbers and self._numbers[0] <= count:
            self._numbers.popleft()
            arrived += 1
        self.answers, self._asked_at = True, None
        self._go_on(arrived)

    def ponged(self, mark: str) -> bool:
        """Takes the answer to a ping; says whether it was one of ours."""
        if not self._mark or mark != self._mark:
            return False
        self.answers, self._asked_at, self._mark = True, None, ""
        self._go_on(self._taken())
        return True

    def look(self, now: float) -> None:
        """Gives up a link on which a peer that has answered before answers no more; asks about what is not counted."""
        if self._asked_at is not None:
            said = self._connection.stream.said
            counts = said is not None and said.agreed
            if now - self._asked_at > (self._patience if self.answers or counts else DEAF_SECONDS):
                if self.answers or counts:
                    self._connection.reason = "no answer to whether messages have arrived"
                    self._connection.link.abort(self._connection.reason)
                else:
                    self._deaf, self._asked_at, self._mark = True, None, ""
                    self._believe(self._taken())
        elif not self.complete and not self._numbers:
            self._request()

    def close(self) -> None:
        """Asks no more."""
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None

    def _due(self) -> None:
        self._call = None
        if self._asked_at is None and self._numbers:
            self._ask()

    def _ask(self) -> None:
        self.close()
        said = self._connection.stream.said
        if said is not None and not said.agreed:
            self._call = self._reactor.callLater(SOON, self._due)
            return
        self._asked, self._asked_at = len(self._numbers), self._reactor.seconds()
        if said is not None:
            self._request()
        elif not self._deaf:
            self._mark = f"sent-{secrets.token_hex(8)}"
            self._ping(self._mark)
        elif self._connection.link.buffered:
            self._asked_at = None
            self._call = self._reactor.callLater(SOON, self._due)
        else:
            self._asked_at = None
            self._believe(self._taken())

    def _request(self) -> None:
        said = self._connection.stream.said
        if said is not None and said.agreed:
            self._connection.stream.say_ack(REQUEST)
            self._connection.owner.outflow.mark(self._connection)

    def _taken(self) -> int:
        """Gives how many messages the question was about, and forgets them."""
        for _ in range(self._asked):
            self._numbers.popleft()
        asked, self._asked = self._asked, 0
        return asked

    def _believe(self, count: int) -> None:
        self._unconfirmed(count)
        self._go_on(count)

    def _go_on(self, arrived: int) -> None:
        """Tells the outbox, which may send more, and asks about what has been said meanwhile."""
        if arrived:
            self._outbox.confirmed(arrived)
        if self._numbers and self._asked_at is None and self._call is None:
            if len(self._numbers) >= AT_ONCE:
                self._ask()
            else:
                self._call = self._reactor.callLater(SOON, self._due)
