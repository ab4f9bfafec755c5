"""How a connection ends: its last word counts what is in safe hands by then, and nothing behind it is taken."""

from typing import Any

import pytest
from attrs import define, field

from gateway.interfaces import Promise
from gateway.protocols.element import Element
from gateway.protocols.xmpp.acks import ENABLE
from plugins.legs.xmpp.connection import Connection
from tests.protocols.xmpp.test_acks import MESSAGE, accepted

CLOSED = "</stream:stream>"
ANSWER = "<a xmlns='urn:xmpp:sm:3' h='{}'/>"


@define(eq=False)
class Link:
    """Writes down what is written."""

    written: str = ""
    reads: bool = True
    closed: bool = False
    buffered: int = 0

    def write(self, octets: bytes) -> None:
        self.written += octets.decode()

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True

    def close(self) -> None:
        self.closed = True


class Outflow:
    """Writes at once."""

    reading = answering = False

    def mark(self, connection: Connection) -> None:
        connection.flush()

    def flush(self) -> None:
        """Everything is written already."""


@define(eq=False)
class Owner:
    """Takes stanzas, each with a promise."""

    outflow: Any = field(factory=Outflow)
    slotted: bool = False
    promises: list[Promise] = field(factory=list)

    def clock(self) -> float:
        return 1.0

    def take(self, connection: Connection, element: Element) -> Promise:
        self.promises.append(Promise())
        return self.promises[-1]


@pytest.fixture
def counting() -> Connection:
    """A partner's stream that counts, with one message on its way to the disk."""
    connection = Connection(Owner(), accepted())
    connection.link = Link()  # type: ignore[assignment]
    connection.data_received((ENABLE + MESSAGE).encode())
    connection.link.written = ""  # type: ignore[attr-defined]
    return connection


def test_our_last_word_waits_for_the_disk(counting: Connection) -> None:
    link: Any = counting.link
    counting.end()
    assert (link.written, link.reads, counting.choked) == ("", False, True)
    counting.owner.promises[0].settle(True)  # type: ignore[attr-defined]
    assert link.written == ANSWER.format(1) + CLOSED
    assert link.reads and not link.closed, "what the peer confirms is still heard"


def test_nothing_behind_our_last_word_is_taken(counting: Connection) -> None:
    owner: Any = counting.owner
    link: Any = counting.link
    owner.promises[0].settle(True)
    counting.end()
    counting.data_received(MESSAGE.encode())
    assert len(owner.promises) == 1, "it was not counted: its sender sends it again, or is told"
    counting.data_received(CLOSED.encode())
    assert link.closed and counting.settled_close
    assert counting.choked, "what comes until the link is gone was never said: it is no part of what has arrived"


def test_the_answer_to_a_peers_good_bye_waits_for_the_disk(counting: Connection) -> None:
    link: Any = counting.link
    counting.data_received(CLOSED.encode())
    assert (link.written, link.closed, counting.choked) == ("", False, True)
    counting.owner.promises[0].settle(True)  # type: ignore[attr-defined]
    assert link.written == ANSWER.format(1) + CLOSED
    assert link.closed and counting.clean and not counting.settled_close


def test_a_fault_waits_for_nothing(counting: Connection) -> None:
    link: Any = counting.link
    counting.data_received(b"<<")
    assert link.closed and CLOSED in link.written
