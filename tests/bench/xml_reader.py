"""Prints what one stanza costs the XML reader, and the reader and the writer together, in microseconds of CPU.

Run it from the checkout: python -m tests.bench.xml_reader
"""

import sys
import time
from collections.abc import Callable

from gateway.protocols.element import Element
from gateway.protocols.xmpp.limits import AFTER_AUTHENTICATION
from gateway.protocols.xmpp.reader import Reader
from gateway.protocols.xmpp.writer import serialise

HEADER = b"<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
ADDRESSED = b" from='alice@corp.example/desk-4711' to='bob@partner.example'"
PRESENCE = (
    b"<presence" + ADDRESSED + b"><show>away</show><status>In a meeting</status><priority>5</priority>"
    b"<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='http://client.example' ver='q07IKJEyjv//CH0='/>"
    b"<x xmlns='vcard-temp:x:update'><photo>0123456789abcdef0123456789abcdef01234567</photo></x>"
    b"<idle xmlns='urn:xmpp:idle:1' since='1969-07-21T02:56:15Z'/></presence>"
)
ROUNDS = 7
STANZAS = 4000


def message(size: int) -> bytes:
    """Returns a chat message of that many bytes."""
    start = b"<message" + ADDRESSED + b" type='chat' id='ab12cd34'><body>"
    end = b"</body><active xmlns='http://jabber.org/protocol/chatstates'/></message>"
    return start + b"lorem ipsum " * max(1, (size - len(start) - len(end)) // 12) + end


def microseconds(stanza: bytes, take: Callable[[list[Element]], object]) -> float:
    """Returns the CPU time of one stanza, the best of several rounds, read in chunks of about 16 KiB."""
    chunk = stanza * max(1, 16384 // len(stanza))
    times = max(1, STANZAS // (len(chunk) // len(stanza)))
    best = float("inf")
    for _ in range(ROUNDS):
        reader = Reader(AFTER_AUTHENTICATION)
        reader.feed(HEADER)
        started = time.process_time()
        for _ in range(times):
            take(reader.feed(chunk))  # type: ignore[arg-type]
        best = min(best, time.process_time() - started)
    return best * 1e6 / (times * (len(chunk) // len(stanza)))


def write_all(elements: list[Element]) -> bytes:
    """Writes the stanzas again, as one byte string."""
    return "".join([serialise(element, "jabber:server") for element in elements]).encode()


def main() -> None:
    """Prints one line for each kind of stanza."""
    for name, stanza in (("message", message(200)), ("message", message(1000)), ("presence", PRESENCE)):
        read, both = microseconds(stanza, len), microseconds(stanza, write_all)
        sys.stdout.write(f"{name:9} {len(stanza):5} B   reader {read:5.1f} us   reader and writer {both:5.1f} us\n")


if __name__ == "__main__":
    main()
