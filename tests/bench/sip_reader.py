"""Prints how many SIP messages a second the reader takes, and the reader and the writer together.

Run it from the checkout: python -m tests.bench.sip_reader
"""

import sys
import time
from collections.abc import Callable

from gateway.protocols.sip.message import Message, Request
from gateway.protocols.sip.reader import StreamEvent, StreamReader
from gateway.protocols.sip.writer import serialise

ROUNDS = 7
CHUNK = 16 * 1024
BYTES = 4 * 1024 * 1024


def message(number: int, body: bytes) -> bytes:
    """Returns a MESSAGE as it comes from a federation partner through two proxies."""
    head = (
        f"MESSAGE sip:alice@corp.example SIP/2.0\r\n"
        f"Via: SIP/2.0/TLS sip.partner.example:5061;branch=z9hG4bK{number:x}.a1b2c3d4;alias\r\n"
        f"Via: SIP/2.0/TLS 192.0.2.7:49152;branch=z9hG4bK-524287-1---{number:016x};rport=49152;received=192.0.2.7\r\n"
        f"Record-Route: <sip:sip.partner.example:5061;transport=tls;lr>\r\n"
        f"Max-Forwards: 68\r\nTo: <sip:alice@corp.example>\r\n"
        f'From: "Bob Example" <sip:bob@partner.example>;tag={number:08x}\r\n'
        f"Call-ID: {number:032x}@partner.example\r\nCSeq: 1 MESSAGE\r\n"
        f"P-Asserted-Identity: <sip:bob@partner.example>\r\nUser-Agent: Client/1.0\r\n"
        f"Content-Type: text/plain;charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def response(number: int) -> bytes:
    """Returns the answer to one of our own requests."""
    return (
        f"SIP/2.0 200 OK\r\nVia: SIP/2.0/TLS gw.corp.example:5061;branch=z9hG4bK{number:x};alias\r\n"
        f"To: <sip:bob@partner.example>;tag=f{number:x}\r\nFrom: <sip:alice@corp.example>;tag={number:08x}\r\n"
        f"Call-ID: {number:032x}\r\nCSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def microseconds(make: Callable[[int], bytes], take: Callable[[list[StreamEvent]], object]) -> float:
    """Returns the CPU time of one message, the best of several rounds, no two messages being the same."""
    count = BYTES // len(make(1)) // ROUNDS
    best = float("inf")
    for turn in range(ROUNDS):
        stream = b"".join(make(turn * count + number) for number in range(count))
        reader = StreamReader()
        started = time.process_time()
        for place in range(0, len(stream), CHUNK):
            take(reader.feed(stream[place : place + CHUNK]))
        best = min(best, time.process_time() - started)
    return best * 1e6 / count


def use(events: list[StreamEvent]) -> None:
    """Looks at what a leg looks at."""
    for event in events:
        if isinstance(event, Message):
            _ = (event.cseq, event.from_, event.to, event.top_via, event.call_id, event.content_type)


def answer(events: list[StreamEvent]) -> None:
    """Writes the response to each request."""
    for event in events:
        if isinstance(event, Request):
            serialise(event.reply(202, to_tag="a1b2c3d4"))


def main() -> None:
    """Prints one line for each kind of message."""
    kinds: list[tuple[str, Callable[[int], bytes], Callable[[list[StreamEvent]], object]]] = [
        ("MESSAGE 100 B, read", lambda number: message(number, b"x" * 100), len),
        ("MESSAGE 100 B, read and looked at", lambda number: message(number, b"x" * 100), use),
        ("MESSAGE 100 B, read and answered", lambda number: message(number, b"x" * 100), answer),
        ("NOTIFY-sized body 1650 B, read", lambda number: message(number, b"x" * 1650), len),
        ("200 OK, read", response, len),
    ]
    for name, make, take in kinds:
        cost = microseconds(make, take)
        sys.stdout.write(f"{name:34} {len(make(1)):5} B  {cost:6.1f} us  {1e6 / cost:8.0f} messages/s\n")


if __name__ == "__main__":
    main()
