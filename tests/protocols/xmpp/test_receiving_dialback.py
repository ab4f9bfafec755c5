"""Playbooks of dialback on the receiving side: as receiving server and as authoritative server."""

import pytest

from gateway.protocols.xmpp.dialback import Outcome
from gateway.protocols.xmpp.events import Authenticated, AuthenticationRefused, StreamTerms, Verify

from .hosts import CORP, DIALBACK, NS, OURS, PARTNER, STRICT, header, receiving, say

OPENED = (
    f"<?xml version='1.0'?><stream:stream {NS} from='corp.example' to='partner.example' id='{{}}'"
    " version='1.0' xml:lang='en'>"
)
LIMITS = "<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>262144</max-bytes></limits>"
ERRORS_TOO = "<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>"
MESSAGE = "<message from='bob@partner.example/x' to='alice@corp.example'><body>hi</body></message>"


def test_dialback_pair_by_pair() -> None:
    stream = receiving(DIALBACK)
    assert say(stream, header()) == (
        [],
        OPENED.format("id1") + f"<stream:features>{ERRORS_TOO}{LIMITS}</stream:features>",
    )
    assert say(stream, "<db:result from='partner.example' to='corp.example'> k1\n</db:result>", 5.0) == (
        [Verify(CORP, PARTNER, "id1", "k1")],
        "",
    )
    assert stream.deadline == 35.0
    assert stream.verification_finished(CORP, PARTNER, Outcome.VALID) == [Authenticated(CORP, PARTNER, "dialback")]
    assert stream.take_output() == b"<db:result from='corp.example' to='partner.example' type='valid'/>"
    assert len(say(stream, MESSAGE)[0]) == 1
    second = "<db:result xmlns:db='jabber:server:dialback' from='Partner.example' to='Sub.corp.example'>k2</db:result>"
    assert say(stream, second)[0] == [Verify("sub.corp.example", PARTNER, "id1", "k2")]
    stream.verification_finished("sub.corp.example", PARTNER, Outcome.ERROR, "remote-server-timeout")
    assert stream.take_output().decode() == (
        "<db:result from='Sub.corp.example' to='Partner.example' type='error'><error type='wait'>"
        "<remote-server-timeout xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></db:result>"
    )
    assert len(say(stream, MESSAGE)[0]) == 1


def test_large_stanza_after_dialback() -> None:
    stream = receiving(DIALBACK)
    say(stream, header() + b"<db:result from='partner.example' to='corp.example'>k</db:result>")
    stream.verification_finished(CORP, PARTNER, Outcome.VALID)
    assert len(say(stream, MESSAGE.replace("hi", "<b/>" * 100 + "x" * 20_000))[0]) == 1


def test_invalid_key_closes_and_late_answers_are_dropped() -> None:
    stream = receiving(DIALBACK)
    say(stream, header() + b"<db:result from='partner.example' to='corp.example'>k</db:result>")
    assert stream.verification_finished(CORP, "other.example", Outcome.VALID) == []
    (refused,) = stream.verification_finished(CORP, PARTNER, Outcome.INVALID)
    assert isinstance(refused, AuthenticationRefused)
    assert stream.take_output() == (
        b"<db:result from='corp.example' to='partner.example' type='invalid'/></stream:stream>"
    )
    assert stream.verification_finished(CORP, PARTNER, Outcome.VALID) == []
    assert stream.pairs == {}


@pytest.mark.parametrize(
    ("terms", "secure", "sender", "recipient", "condition"),
    [
        (DIALBACK, True, PARTNER, "nowhere.example", "item-not-found"),
        (DIALBACK, True, "stranger.example", CORP, "policy-violation"),
        (STRICT, True, PARTNER, CORP, "not-authorized"),
        (DIALBACK, False, PARTNER, CORP, "policy-violation"),
    ],
)
@pytest.mark.parametrize("kind", ["result", "verify"])
def test_dialback_refusals(
    terms: StreamTerms, secure: bool, sender: str, recipient: str, condition: str, kind: str
) -> None:
    stream = receiving(terms, secure=secure)
    say(stream, header())
    events, output = say(stream, f"<db:{kind} from='{sender}' to='{recipient}' id='x'>k</db:{kind}>")
    assert output.startswith(f"<db:{kind} from='{recipient}' to='{sender}' ")
    assert "type='error'><error type=" in output
    assert f"<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>" in output
    assert not any(isinstance(event, Verify) for event in events)
    assert not stream.finished


def test_one_key_in_flight_per_pair_and_eight_per_stream() -> None:
    stream = receiving(DIALBACK)
    stream.host.served |= {f"d{n}.example" for n in range(9)}  # type: ignore[attr-defined]
    say(stream, header())
    request = "<db:result from='partner.example' to='{}'>k</db:result>"
    say(stream, request.format("d0.example"))
    assert "not-acceptable" in say(stream, request.format("d0.example"))[1]
    for n in range(1, 8):
        assert len(say(stream, request.format(f"d{n}.example"))[0]) == 1
    events, output = say(stream, request.format("d8.example"))
    assert (events, "resource-constraint" in output) == ([], True)


def test_unasked_answers_are_ignored() -> None:
    stream = receiving(DIALBACK)
    say(stream, header())
    for kind in ("result", "verify"):
        answer = f"<db:{kind} from='partner.example' to='corp.example' id='id1' type='valid'/>"
        assert say(stream, answer) == ([], "")
    assert stream.pairs == {}


def test_keys_are_verified_before_authentication() -> None:
    stream = receiving(DIALBACK)
    say(stream, header())
    key = OURS.key(PARTNER, CORP, "D60000229F")
    request = "<db:verify from='partner.example' to='corp.example' id='D60000229F'>{}</db:verify>"
    answer = "<db:verify from='corp.example' to='partner.example' id='D60000229F' type='{}'/>"
    assert say(stream, request.format(key)) == ([], answer.format("valid"))
    assert say(stream, request.format("x" + key[1:])) == ([], answer.format("invalid"))
    assert say(stream, request.format(key).replace("id='D6", "id='E6"))[1].endswith("type='invalid'/>")
    assert say(stream, request.format(key).replace(" id='D60000229F'", ""))[1].endswith("type='invalid'/>")
