"""Playbooks of the connecting side, and both sides talking to each other in memory."""

import pytest

from gateway.protocols.element import Element
from gateway.protocols.xmpp.dialback import DialbackSecret, Outcome
from gateway.protocols.xmpp.events import (
    Acknowledged,
    Authenticated,
    AuthenticationRefused,
    Counting,
    Failed,
    PeerClosed,
    StartTls,
    StreamTerms,
    Verify,
    VerifyAnswer,
)
from gateway.protocols.xmpp.initiating import InitiatingStream
from gateway.protocols.xmpp.receiving import ReceivingStream
from gateway.protocols.xmpp.stream import NotAuthenticated

from .hosts import (
    CORP,
    DIALBACK,
    ERRORS,
    NS,
    OURS,
    PARTNER,
    SASL,
    STRICT,
    THEIRS,
    TLS,
    TableHost,
    header,
    initiating,
    say,
    shuttle,
)

HEADER = (
    f"<?xml version='1.0'?><stream:stream {NS} from='corp.example' to='partner.example' version='1.0' xml:lang='en'>"
)
ANSWER = header(PARTNER, CORP, "id='r1' version='1.0'").decode()
OFFER = f"<stream:features><mechanisms {SASL}><mechanism>EXTERNAL</mechanism></mechanisms></stream:features>"
FEATURES = "<stream:features/>"
MESSAGE = "<message from='alice@corp.example/y' to='bob@partner.example'><body>hi</body></message>"
REPLY = "<message from='bob@partner.example' to='alice@corp.example'><body>ho</body></message>"
EITHER = StreamTerms(dialback=True)


def refused(stream: InitiatingStream, text: str) -> str:
    """Returns the reason with which the stream gives up on hearing this, its other events left out."""
    events, output = say(stream, text)
    assert output.endswith("</stream:stream>")
    (event,) = [event for event in events if isinstance(event, AuthenticationRefused)]
    return event.reason


def test_external_from_header_to_stanza() -> None:
    stream = initiating()
    assert stream.take_output().decode() == HEADER
    assert say(stream, ANSWER + OFFER) == ([], f"<auth {SASL} mechanism='EXTERNAL'>Y29ycC5leGFtcGxl</auth>")
    assert say(stream, f"<success {SASL}/>") == ([], HEADER)
    with pytest.raises(NotAuthenticated):
        stream.send(MESSAGE)
    assert say(stream, ANSWER + FEATURES) == ([Authenticated(CORP, PARTNER, "external")], "")
    stream.send(MESSAGE)
    stream.send(MESSAGE)
    assert stream.take_output().decode() == MESSAGE * 2
    assert not stream.expired(1e9)


def test_identity_may_be_left_to_the_header() -> None:
    stream = initiating()
    stream.send_identity = False
    assert say(stream, ANSWER + OFFER)[1].endswith("mechanism='EXTERNAL'>=</auth>")
    assert say(stream, f"<challenge {SASL}/>") == ([], f"<response {SASL}>=</response>")


@pytest.mark.parametrize("offer", [f"<starttls {TLS}><required/></starttls>", f"<starttls {TLS}/>", ""])
def test_tls_is_insisted_on_even_when_not_offered(offer: str) -> None:
    stream = initiating(secure=False)
    stream.take_output()
    assert say(stream, f"{ANSWER}<stream:features>{offer}</stream:features>") == ([], f"<starttls {TLS}/>")
    assert say(stream, f"<proceed {TLS}/>{FEATURES}{REPLY}") == ([StartTls()], "")
    assert say(stream, ANSWER + OFFER) == ([], "")
    assert stream.tls_established(frozenset({PARTNER})) == []
    assert stream.take_output().decode() == HEADER


def test_tls_refused_by_the_peer() -> None:
    stream = initiating(secure=False)
    say(stream, ANSWER + FEATURES)
    assert refused(stream, f"<failure {TLS}/></stream:stream>") == "the peer refused STARTTLS"


def test_certificate_must_prove_the_peer_unless_dialback_is_allowed() -> None:
    stream = initiating(secure=False)
    say(stream, ANSWER + FEATURES)
    say(stream, f"<proceed {TLS}/>")
    (event,) = stream.tls_established(frozenset({"other.example"}))
    assert isinstance(event, AuthenticationRefused)
    assert stream.take_output() == b""
    direct = initiating(proves="other.example")
    (event,) = direct.start()
    assert isinstance(event, AuthenticationRefused)
    assert direct.take_output() == b""
    assert direct.finished
    unproven = initiating(EITHER, proves="other.example")
    assert "<db:result from='corp.example' to='partner.example'>" in say(unproven, ANSWER + OFFER)[1]


def test_dialback_sends_the_key_of_this_stream() -> None:
    stream = initiating(DIALBACK)
    stream.take_output()
    key = OURS.key(PARTNER, CORP, "r1")
    assert say(stream, ANSWER + FEATURES) == (
        [],
        f"<db:result from='corp.example' to='partner.example'>{key}</db:result>",
    )
    for wrong in ("from='other.example' to='corp.example'", "from='partner.example' to='other.example'"):
        assert say(stream, f"<db:result {wrong} type='valid'/>") == ([], "")
    echoed = f"<db:result from='partner.example' to='corp.example' type='valid'>{key}</db:result>"
    assert say(stream, echoed) == ([Authenticated(CORP, PARTNER, "dialback")], "")
    assert say(stream, echoed) == ([], "")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("type='invalid'/>", "the peer refused dialback: invalid"),
        ("type='odd'/>", "the peer refused dialback: error"),
        (
            "type='error'><error type='cancel'><remote-server-not-found"
            " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></db:result>",
            "the peer refused dialback: remote-server-not-found",
        ),
    ],
)
def test_dialback_refused(answer: str, reason: str) -> None:
    stream = initiating(DIALBACK)
    say(stream, ANSWER + FEATURES)
    assert refused(stream, f"<db:result from='partner.example' to='corp.example' {answer}") == reason
    assert not stream.may_send(CORP, PARTNER)


def test_refused_external_falls_back_to_dialback_where_allowed() -> None:
    failure = f"<failure {SASL}><not-authorized/></failure>"
    stream = initiating(EITHER)
    say(stream, ANSWER + OFFER)
    assert "<db:result " in say(stream, failure)[1]
    stream = initiating()
    say(stream, ANSWER + OFFER)
    assert refused(stream, failure) == "the peer refused SASL EXTERNAL: not-authorized"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (ANSWER + FEATURES, "the peer does not offer SASL EXTERNAL, and dialback is not allowed"),
        (
            ANSWER.replace("version='1.0'>", ">"),
            "the peer speaks no version of streams that has features",
        ),
    ],
)
def test_nothing_left_to_try(text: str, reason: str) -> None:
    assert refused(initiating(), text) == reason


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        (header("other.example", CORP, "id='x' version='1.0'").decode(), "invalid-from"),
        (header(PARTNER, CORP, "version='1.0'").decode(), "bad-format"),
        (ANSWER.replace("xmlns='jabber:server'", "xmlns='jabber:client'"), "invalid-namespace"),
        ("<!DOCTYPE x>", "restricted-xml"),
        (ANSWER + f"<success {SASL}/>", "unsupported-stanza-type"),
        (ANSWER + f"<proceed {TLS}/>", "unsupported-stanza-type"),
        (ANSWER + REPLY, "not-authorized"),
    ],
)
def test_bad_answers(text: str, condition: str) -> None:
    stream = initiating()
    events, output = say(stream, text)
    (failed,) = events
    assert isinstance(failed, Failed)
    assert (failed.condition, failed.ours, stream.finished) == (condition, True, True)
    assert output.endswith(f"<{condition} {ERRORS}/>" + output.partition(f"<{condition} {ERRORS}/>")[2])
    assert output.endswith("</stream:error></stream:stream>")


def test_error_of_the_peer_is_reported() -> None:
    stream = initiating()
    sent = ANSWER + f"<stream:error><host-unknown {ERRORS}/></stream:error></stream:stream>"
    assert say(stream, sent)[0] == [Failed("host-unknown", "", ours=False)]
    assert stream.finished


def test_limits_of_the_peer_are_read() -> None:
    stream = initiating(DIALBACK)
    limits = (
        "<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>10000</max-bytes><idle-seconds>x</idle-seconds></limits>"
    )
    say(stream, f"{ANSWER}<stream:features>{limits}</stream:features>")
    assert (stream.peer_max_bytes, stream.peer_idle_seconds) == (10000, None)


def test_stanzas_come_back_only_with_bidi() -> None:
    offer = OFFER.replace("<mechanisms", "<bidi xmlns='urn:xmpp:features:bidi'/><mechanisms")
    stream = initiating()
    assert say(stream, ANSWER + offer)[1].split("<auth")[0].endswith("<bidi xmlns='urn:xmpp:bidi'/>")
    say(stream, f"<success {SASL}/>")
    say(stream, ANSWER + FEATURES)
    assert len(say(stream, REPLY)[0]) == 1
    (failed,), _ = say(stream, REPLY.replace("bob@partner", "eve@stranger"))
    assert isinstance(failed, Failed)
    assert failed.condition == "invalid-from"
    plain = initiating()
    say(plain, ANSWER + OFFER)
    say(plain, f"<success {SASL}/>")
    say(plain, ANSWER + FEATURES)
    (failed,), _ = say(plain, REPLY)
    assert isinstance(failed, Failed)


def test_verify_request_is_answered_on_our_own_stream() -> None:
    stream = initiating(DIALBACK)
    say(stream, ANSWER + FEATURES)
    key = OURS.key(PARTNER, CORP, "s7")
    request = f"<db:verify from='partner.example' to='corp.example' id='s7'>{key}</db:verify>"
    assert say(stream, request) == (
        [],
        "<db:verify from='corp.example' to='partner.example' id='s7' type='valid'/>",
    )


def test_verification_is_correlated_and_single_use() -> None:
    stream = initiating(DIALBACK, verify_only=True)
    stream.ask_verification("s1", "k1", 0.0)
    stream.take_output()
    assert say(stream, ANSWER + FEATURES)[1] == (
        "<db:verify from='corp.example' to='partner.example' id='s1'>k1</db:verify>"
    )
    assert stream.deadline == 31.0
    answer = "<db:verify from='partner.example' to='corp.example' id='s1' type='valid'/>"
    assert say(stream, answer.replace("s1", "s2")) == ([], "")
    assert say(stream, answer.replace("partner", "other")) == ([], "")
    assert say(stream, answer) == ([VerifyAnswer(CORP, PARTNER, "s1", Outcome.VALID)], "")
    assert say(stream, answer) == ([], "")
    assert not stream.may_send(CORP, PARTNER)
    stream.ask_verification("s3", "k3", 50.0)
    assert b"id='s3'>k3<" in stream.take_output()
    assert stream.deadline == 80.0


# both sides in memory


def their_receiving(terms: StreamTerms, *, secure: bool = True) -> ReceivingStream:
    """Returns the side of partner.example that corp.example has connected to."""
    return ReceivingStream(
        host=TableHost({PARTNER}, {CORP: terms}),
        secret=THEIRS,
        now=0.0,
        secure=secure,
        certificate=frozenset({CORP}) if secure else None,
    )


def test_external_both_roles_after_starttls() -> None:
    ours, theirs = initiating(secure=False), their_receiving(STRICT, secure=False)
    assert shuttle(ours, theirs) == ([StartTls()], [StartTls()])
    ours.tls_established(frozenset({PARTNER}))
    theirs.tls_established(frozenset({CORP}))
    assert shuttle(ours, theirs) == (
        [Authenticated(CORP, PARTNER, "external"), Counting()],
        [Authenticated(PARTNER, CORP, "external"), Counting()],
    )
    assert (ours.stream_id, len(ours.stream_id)) == (theirs.stream_id, 32)
    ours.send(MESSAGE)
    theirs.send(REPLY)
    (back,), (there,) = shuttle(ours, theirs)
    assert isinstance(back, Element)
    assert isinstance(there, Element)
    assert (back.get("from"), there.get("from")) == ("bob@partner.example", "alice@corp.example/y")
    ours.close()
    assert shuttle(ours, theirs) == ([Acknowledged(0), PeerClosed()], [Acknowledged(0), PeerClosed()])
    assert ours.finished
    assert theirs.finished


@pytest.mark.parametrize(
    ("secret", "outcome"), [(OURS, Outcome.VALID), (DialbackSecret(b"stolen: not really"), Outcome.INVALID)]
)
def test_dialback_triangle(secret: DialbackSecret, outcome: Outcome) -> None:
    """corp claims itself to partner; partner asks corp's own server over a second connection."""
    ours, theirs = initiating(DIALBACK), their_receiving(DIALBACK)
    ours.secret = secret
    events, (verify,) = shuttle(ours, theirs)
    assert events == []
    assert isinstance(verify, Verify)
    asking = InitiatingStream(
        host=theirs.host,
        secret=THEIRS,
        now=1.0,
        local=verify.local,
        remote=verify.remote,
        secure=True,
        certificate=frozenset({CORP}),
        verify_only=True,
    )
    asking.ask_verification(verify.stream_id, verify.key, 1.0)
    authoritative = ReceivingStream(host=ours.host, secret=OURS, now=1.0, secure=True, certificate=frozenset({PARTNER}))
    (answer,), others = shuttle(asking, authoritative)
    assert others == []
    assert answer == VerifyAnswer(PARTNER, CORP, theirs.stream_id, outcome)
    assert isinstance(answer, VerifyAnswer)
    told = theirs.verification_finished(answer.local, answer.remote, answer.outcome, answer.condition)
    heard, _ = shuttle(ours, theirs)
    if outcome is Outcome.VALID:
        assert told == [Authenticated(PARTNER, CORP, "dialback")]
        assert heard == [Authenticated(CORP, PARTNER, "dialback")]
        ours.send(MESSAGE)
        _, (message,) = shuttle(ours, theirs)
        assert isinstance(message, Element)
    else:
        assert [type(event) for event in told] == [AuthenticationRefused]
        assert [type(event) for event in heard] == [AuthenticationRefused, PeerClosed]
        assert ours.finished
        assert theirs.finished
