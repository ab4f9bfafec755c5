"""Playbooks of the component's side of XEP-0114."""

import hashlib

import pytest

from gateway.protocols.element import Element
from gateway.protocols.xmpp.component import ComponentStream
from gateway.protocols.xmpp.events import Authenticated, AuthenticationRefused, Failed, PeerClosed
from gateway.protocols.xmpp.stream import NotAuthenticated

from .hosts import ERRORS, say

OPENED = "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'"
ANSWER = f"<?xml version='1.0'?>{OPENED} from='partner.example' id='3BF96D32'>"
MESSAGE = "<message from='alice@corp.example/y' to='bob@partner.example'><body>hi</body></message>"


def component() -> ComponentStream:
    return ComponentStream(domain="partner.example", secret="opensesame", now=0.0)


def ready() -> ComponentStream:
    stream = component()
    say(stream, ANSWER)
    assert say(stream, "<handshake/>") == ([Authenticated("partner.example", "partner.example", "handshake")], "")
    return stream


def test_handshake() -> None:
    stream = component()
    assert stream.take_output().decode() == f"<?xml version='1.0'?>{OPENED} to='partner.example'>"
    digest = hashlib.sha1(b"3BF96D32opensesame").hexdigest()
    assert say(stream, ANSWER) == ([], f"<handshake>{digest}</handshake>")
    with pytest.raises(NotAuthenticated):
        stream.send(MESSAGE)
    say(stream, "<handshake/>")
    assert stream.may_send("partner.example", "corp.example")
    assert not stream.may_send("other.example", "corp.example")
    stream.send(MESSAGE)
    assert stream.take_output().decode() == MESSAGE
    assert not stream.expired(1e9)


def test_wrong_secret_is_reported() -> None:
    stream = component()
    say(stream, ANSWER)
    sent = f"<stream:error><not-authorized {ERRORS}/></stream:error></stream:stream>"
    assert say(stream, sent)[0] == [
        AuthenticationRefused("partner.example", "partner.example", "not-authorized"),
        Failed("not-authorized", "", ours=False),
    ]


def test_stanzas_for_this_component_come_in() -> None:
    stream = ready()
    (first, second), output = say(stream, MESSAGE + MESSAGE)
    assert isinstance(first, Element)
    assert first == second
    assert (first.ns, output) == ("jabber:component:accept", "")
    assert say(stream, "</stream:stream>") == ([PeerClosed()], "</stream:stream>")


@pytest.mark.parametrize(
    ("stanza", "condition"),
    [
        ("<message from='alice@corp.example'/>", "improper-addressing"),
        ("<message to='bob@partner.example'/>", "improper-addressing"),
        ("<message from='alice@corp.example' to='bob@other.example'/>", "host-unknown"),
        (MESSAGE.replace("<message", "<message xmlns='jabber:client'"), "unsupported-stanza-type"),
        ("<handshake/>", "unsupported-stanza-type"),
        ("<!-- x -->", "restricted-xml"),
    ],
)
def test_refused_after_the_handshake(stanza: str, condition: str) -> None:
    events, output = say(ready(), stanza)
    assert isinstance(events[0], Failed)
    assert f"<stream:error><{condition} {ERRORS}/>" in output


@pytest.mark.parametrize(
    ("sent", "condition"),
    [
        (ANSWER + MESSAGE, "not-authorized"),
        (ANSWER.replace("component:accept", "server"), "invalid-namespace"),
        (ANSWER.replace(" id='3BF96D32'", "") + "<handshake/>", "unsupported-stanza-type"),
    ],
)
def test_refused_before_the_handshake(sent: str, condition: str) -> None:
    events, _ = say(component(), sent)
    assert isinstance(events[0], Failed)
    assert events[0].condition == condition
