"""The way out for one pair of domains: its queue, its one connection, and when to try again."""

from typing import Any

from attrs import define, field

from gateway.queues.outbox import Outbox
from plugins.legs.xmpp.confirming import Confirming
from plugins.legs.xmpp.connection import Connection

MOST_TEXTS = 256
"""Answers that are kept for a stream that is not up yet."""


@define(eq=False)
class Lane:
    """Is the one output stream of a domain pair (RFC 6120 section 10.1), or the wish for one."""

    local: str
    remote: str
    partner: str
    """The partner's name, as metrics know it."""
    outbox: Outbox
    connection: Connection | None = None
    connecting: bool = False
    failures: int = 0
    retry: Any = None
    """The delayed call that tries again, or None."""
    answers_pings: bool = False
    confirming: Confirming | None = None
    """Has the peer say which messages it has; None while no connection is up."""
    lost_at: float | None = None
    """Monotonic seconds at which the connection was lost, when the peer was known to have everything by then."""
    failed_at: float | None = None
    """Monotonic seconds since when no attempt has succeeded."""
    mourning: Any = None
    """The delayed call after which nothing heard from the remote domain is believed any more, or None."""
    broken: bool = False
    """True after a link was lost without a good-bye, until the next one is up."""
    heard_on: set[Connection] = field(factory=set)
    """The streams on which the remote domain speaks."""
    asking: Any = None
    """The delayed call after which presence is asked for although no stream of the remote domain is up, or None."""
    unheard: bool = False
    """True after that, until one is up."""
    pinged_at: float | None = None
    opened_at: float | None = None
    """Posix seconds since when the connection is in use."""
    problem: str = field(default="")
    """Why the last attempt failed, in words."""
    _texts: list[str] = field(factory=list, repr=False)

    def keep_text(self, text: str) -> None:
        """Keeps an answer until the stream is up; the oldest gives way, for an answer that is late is worth little."""
        self._texts.append(text)
        del self._texts[:-MOST_TEXTS]

    def take_texts(self) -> list[str]:
        """Gives the kept answers, and forgets them."""
        texts, self._texts = self._texts, []
        return texts

    @property
    def wanted(self) -> bool:
        """Says whether something waits for a connection."""
        return bool(self.outbox) or bool(self._texts) or self.mourning is not None

    @property
    def spent(self) -> bool:
        """Says whether the lane can be forgotten."""
        return not (self.connection or self.connecting or self.retry or self.broken or self.wanted or self.heard_on)

    def stop(self) -> None:
        """Cancels what it was going to do later."""
        for call in (self.mourning, self.asking):
            if call is not None and call.active():
                call.cancel()
        self.mourning = self.asking = None
        self.stop_retrying()

    def stop_retrying(self) -> None:
        """Cancels the next attempt to connect."""
        if self.retry is not None and self.retry.active():
            self.retry.cancel()
        self.retry = None

    def delay(self, first: float, most: float, chance: float) -> float:
        """Gives the seconds until the next attempt: doubling, bounded, with jitter (`chance` from 0 to 1)."""
        return float(min(most, first * 2 ** min(self.failures, 16)) * (0.5 + 0.5 * chance))

    def state(self, now: float) -> dict[str, object]:
        """Gives what `gateway status` shows of the lane; `now` is monotonic seconds."""
        link = self.connection.link if self.connection else None
        return {
            "partner": self.partner,
            "local": self.local,
            "remote": self.remote,
            "state": "up" if self.connection else "connecting" if self.connecting else "down",
            "queue": len(self.outbox),
            "unconfirmed": self.outbox.unconfirmed,
            "dead": self.outbox.dead,
            "bytes": self.outbox.bytes,
            "oldest": self.outbox.oldest,
            "tls": (link.tls_version or "") if link else "",
            "method": self.connection.way if self.connection else "",
            "since": self.opened_at,
            "problem": self.problem,
            "silent_seconds": round(now - self.connection.heard_at) if self.connection else None,
        }


def domain_of(address: str) -> str:
    """Gives the domain of an address as it stands in a stanza."""
    return address.partition("/")[0].rpartition("@")[2]
