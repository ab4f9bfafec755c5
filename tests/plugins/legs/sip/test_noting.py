"""What the SIP leg notes of a message: its method, its ends, its size; nothing that somebody wrote."""

import json
from typing import Any

import pytest

from gateway.model.envelope import Side
from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.reader import Malformed, read_datagram
from gateway.records.signalling import Signal, Way, Word
from plugins.legs.sip import noting

CANARY = "canary-4711"
HEAD = (
    'Via: SIP/2.0/TLS 192.0.2.7;branch=z9hG4bK{c}\r\nFrom: "{c}" <sip:bob@partner.example;x={c}>;tag={c}\r\n'
    "To: <sip:alice@corp.example>\r\nCall-ID: {c}\r\nCSeq: 1 {method}\r\nMax-Forwards: 70\r\nSubject: {c}\r\n"
    "Event: {event}\r\nContent-Type: text/{c}\r\nContent-Length: {length}\r\n\r\n{c}"
)


def read(method: str, first: str = "", event: str = "presence") -> Any:
    """Reads a message whose every free part is the canary."""
    head = HEAD.format(c=CANARY, method=method, event=event, length=len(CANARY))
    return read_datagram(((first or f"{method} sip:alice@corp.example SIP/2.0") + "\r\n" + head).encode())


def shown(signal: Signal) -> dict[str, Any]:
    text = json.dumps(signal.plain()) + repr(signal)
    assert CANARY not in text
    return signal.plain()


@pytest.mark.parametrize("method", ["MESSAGE", "SUBSCRIBE", "NOTIFY", "PUBLISH", "INVITE", "BYE", "OPTIONS"])
def test_a_request(method: str) -> None:
    request = read(method)
    assert isinstance(request, Request)
    found = shown(noting.noted(Side.EXTERNAL, Way.IN, request, None))
    assert (found["word"], found["from"], found["to"]) == (method, "bob@partner.example", "alice@corp.example")
    assert found["size"] == len(CANARY) and len(found["mark"]) == 8


def test_a_response() -> None:
    response = read("NOTIFY", f"SIP/2.0 481 {CANARY}")
    assert isinstance(response, Response)
    found = shown(noting.noted(Side.INTERNAL, Way.OUT, response, None))
    assert (found["word"], found["status"], found["way"]) == ("NOTIFY", 481, "out")


def test_what_a_peer_makes_up_is_other() -> None:
    assert shown(noting.noted(Side.EXTERNAL, Way.IN, read(CANARY.upper()), None))["word"] == "other"
    assert "about" not in shown(noting.noted(Side.EXTERNAL, Way.IN, read("NOTIFY", event=CANARY), None))


def test_what_cannot_be_read_is_left_out() -> None:
    event = read_datagram(f"MESSAGE sip:alice@corp.example SIP/2.0\r\nFrom: {CANARY}\r\n\r\n{CANARY}".encode())
    status = event.status if isinstance(event, Malformed) else 400
    assert shown(noting.unread(Side.EXTERNAL, status, None))["word"] == "malformed"
    assert shown(noting.noted(Side.EXTERNAL, Way.IN, Request("MESSAGE", CANARY), None))["word"] == "MESSAGE"


def test_connections_and_faults() -> None:
    assert shown(noting.unreached(Side.EXTERNAL, "192.0.2.7"))["route"] == "192.0.2.7:0"
    assert "route" not in shown(noting.unreached(Side.EXTERNAL, CANARY))
    assert shown(noting.connection(Side.EXTERNAL, Word.UP, None)) == {
        "wire": "sip",
        "side": "external",
        "way": "here",
        "word": "up",
    }
    assert shown(noting.fault(Side.INTERNAL))["word"] == "fault"
