"""Playbooks of the receiving side: what comes in, what happens and what goes out, on consecutive lines."""

import base64

import pytest

from gateway.protocols.element import Element
from gateway.protocols.xmpp.acks import OFFER
from gateway.protocols.xmpp.dialback import Outcome
from gateway.protocols.xmpp.events import (
    Authenticated,
    AuthenticationRefused,
    Failed,
    PeerClosed,
    StartTls,
    StreamTerms,
    Verify,
)
from gateway.protocols.xmpp.receiving import ReceivingStream
from gateway.protocols.xmpp.stream import NotAuthenticated
from gateway.protocols.xmpp.stream_error import StreamError

from .hosts import CORP, ERRORS, NS, PARTNER, SASL, STRICT, TLS, header, receiving, say

OPENED = (
    f"<?xml version='1.0'?><stream:stream {NS} from='corp.example' to='partner.example' id='{{}}'"
    " version='1.0' xml:lang='en'>"
)
LIMITS = "<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>262144</max-bytes></limits>"
BIDI = "<bidi xmlns='urn:xmpp:features:bidi'/>"
ERRORS_TOO = "<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>"
EXTERNAL = f"<mechanisms {SASL}><mechanism>EXTERNAL</mechanism></mechanisms>"
AUTH = f"<auth {SASL} mechanism='EXTERNAL'>{{}}</auth>"
MESSAGE = "<message from='bob@partner.example/x' to='alice@corp.example'><body>hi</body></message>"
BOTH = StreamTerms(dialback=True)


def authenticated(terms: StreamTerms = STRICT) -> ReceivingStream:
    """Returns a stream on which partner.example has passed EXTERNAL."""
    stream = receiving(terms)
    say(stream, header())
    assert say(stream, AUTH.format("="))[0] == [Authenticated(CORP, PARTNER, "external")]
    say(stream, header())
    return stream


def error(condition: str, output: str) -> bool:
    """Says whether the output ends the stream with that error and nothing else."""
    return f"<stream:error><{condition} {ERRORS}/>" in output and output.endswith("</stream:error></stream:stream>")


def test_tls_is_required_before_anything_else() -> None:
    stream = receiving(secure=False)
    assert say(stream, header()) == (
        [],
        OPENED.format("id1") + f"<stream:features><starttls {TLS}><required/></starttls></stream:features>",
    )
    assert say(stream, f"<starttls {TLS}/>") == ([StartTls()], f"<proceed {TLS}/>")
    assert stream.tls_established(frozenset({PARTNER})) == []
    assert say(stream, header())[1].startswith(OPENED.format("id2"))


def test_bytes_pipelined_behind_starttls_are_dropped() -> None:
    stream = receiving(secure=False)
    say(stream, header())
    assert say(stream, f"<starttls {TLS}/>{MESSAGE}<db:result from='x'/>") == ([StartTls()], f"<proceed {TLS}/>")
    assert say(stream, header() + MESSAGE.encode()) == ([], "")
    stream.tls_established(frozenset({PARTNER}))
    events, output = say(stream, MESSAGE)
    assert [type(event) for event in events] == [Failed]
    assert error("invalid-namespace", output)


def test_claims_made_before_tls_are_forgotten() -> None:
    stream = receiving(StreamTerms(require_tls=False, dialback=True), secure=False)
    say(stream, header())
    (verify,), _ = say(stream, "<db:result from='partner.example' to='corp.example'>k</db:result>")
    assert isinstance(verify, Verify)
    assert say(stream, f"<starttls {TLS}/>")[0] == [StartTls()]
    stream.tls_established(None)
    assert stream.verification_finished(CORP, PARTNER, Outcome.VALID) == []
    assert stream.pairs == {}


def test_external_from_header_to_stanza() -> None:
    stream = receiving()
    assert stream.deadline == 10.0
    assert say(stream, header()) == (
        [],
        OPENED.format("id1") + f"<stream:features>{EXTERNAL}{BIDI}{LIMITS}</stream:features>",
    )
    assert say(stream, AUTH.format("=")) == ([Authenticated(CORP, PARTNER, "external")], f"<success {SASL}/>")
    assert say(stream, header()) == ([], OPENED.format("id2") + f"<stream:features>{OFFER}{LIMITS}</stream:features>")
    (message,), output = say(stream, MESSAGE)
    assert isinstance(message, Element)
    assert (message.name, output) == ("message", "")
    assert not stream.expired(1e9)


@pytest.mark.parametrize(
    ("identity", "answer"),
    [
        ("=", f"<success {SASL}/>"),
        ("", f"<success {SASL}/>"),
        (base64.b64encode(b"partner.example").decode(), f"<success {SASL}/>"),
        (base64.b64encode(b"PARTNER.example").decode(), f"<success {SASL}/>"),
        (base64.b64encode(b"other.example").decode(), f"<failure {SASL}><invalid-authzid/></failure>"),
        (base64.b64encode(b"bob@partner.example").decode(), f"<failure {SASL}><invalid-authzid/></failure>"),
        ("%%%", f"<failure {SASL}><incorrect-encoding/></failure>"),
        ("/w==", f"<failure {SASL}><incorrect-encoding/></failure>"),
    ],
)
def test_authorization_identity(identity: str, answer: str) -> None:
    stream = receiving()
    say(stream, header())
    assert say(stream, AUTH.format(identity))[1] == answer


def test_external_only_when_offered() -> None:
    stream = receiving(BOTH, proves="other.example")
    assert "EXTERNAL" not in say(stream, header())[1]
    assert say(stream, AUTH.format("=")) == ([], f"<failure {SASL}><invalid-mechanism/></failure>")
    stream = receiving(BOTH)
    assert "EXTERNAL" not in say(stream, header(sender=None))[1]
    stream = receiving(secure=False)
    say(stream, header())
    assert say(stream, AUTH.format("=")) == ([], f"<failure {SASL}><encryption-required/></failure>")
    stream = receiving()
    say(stream, header())
    plain = f"<auth {SASL} mechanism='PLAIN'>AGEAYg==</auth>"
    assert say(stream, plain) == ([], f"<failure {SASL}><invalid-mechanism/></failure>")


def test_third_failure_ends_the_stream() -> None:
    stream = receiving()
    say(stream, header())
    for _ in range(2):
        say(stream, AUTH.format("%"))
    events, output = say(stream, AUTH.format("%"))
    assert [type(event) for event in events] == [AuthenticationRefused, Failed]
    assert error("policy-violation", output)


def test_unproven_certificate_without_dialback_is_refused() -> None:
    events, output = say(receiving(proves="other.example"), header())
    assert isinstance(events[0], AuthenticationRefused)
    assert events[1:] == [Failed("not-authorized", "the certificate does not prove the domain", ours=True)]
    assert error("not-authorized", output)


@pytest.mark.parametrize(
    ("sent", "condition"),
    [
        (header(recipient="nowhere.example"), "host-unknown"),
        (header(recipient=None), "improper-addressing"),
        (header(recipient=""), "improper-addressing"),
        (header(sender="not a domain"), "invalid-from"),
        (header(sender="stranger.example"), "policy-violation"),
        (header(rest=""), "unsupported-version"),
        (header(rest="version='0.9'"), "unsupported-version"),
        (header(rest="version='x'"), "unsupported-version"),
        (header().replace(b"xmlns='jabber:server'", b"xmlns='jabber:client'"), "invalid-namespace"),
        (header().replace(b"etherx.jabber.org", b"other.example"), "invalid-namespace"),
        (header().replace(b"stream:stream", b"stream:flow"), "bad-format"),
        (b"<!DOCTYPE x>", "restricted-xml"),
        (header().decode().encode("utf-16"), "unsupported-encoding"),
        (b"\x16\x03\x01\x02", "not-well-formed"),
        (b"<" + b"x" * 10_000, "policy-violation"),
    ],
)
def test_bad_header_is_answered_with_ours_and_the_error(sent: bytes, condition: str) -> None:
    stream = receiving()
    events, output = say(stream, sent)
    assert output.startswith("<?xml version='1.0'?><stream:stream ")
    assert output.count("<stream:stream ") == 1
    assert error(condition, output)
    failed = events[-1]
    assert isinstance(failed, Failed)
    assert (failed.condition, failed.ours, stream.finished) == (condition, True, True)
    assert say(stream, header()) == ([], "")


def test_higher_version_and_prefix_free_header_are_accepted() -> None:
    assert "<mechanisms" in say(receiving(), header(rest="version='2.3'"))[1]
    prefix_free = (
        b"<stream xmlns='http://etherx.jabber.org/streams' from='partner.example' to='corp.example' version='1.0'>"
    )
    stream = receiving()
    assert "<mechanisms" in say(stream, prefix_free)[1]
    assert say(stream, AUTH.format("="))[0] == [Authenticated(CORP, PARTNER, "external")]
    say(stream, prefix_free)
    (message,), _ = say(stream, MESSAGE.replace("<message", "<message xmlns='jabber:server'"))
    assert isinstance(message, Element)


@pytest.mark.parametrize(
    ("stanza", "condition"),
    [
        ("<message from='bob@partner.example'/>", "improper-addressing"),
        ("<message to='alice@corp.example'/>", "improper-addressing"),
        ("<message from='' to='alice@corp.example'/>", "improper-addressing"),
        ("<message from='@partner.example' to='alice@corp.example'/>", "improper-addressing"),
        ("<message from='partner.example/' to='alice@corp.example'/>", "improper-addressing"),
        ("<message from='a@b@partner.example' to='alice@corp.example'/>", "improper-addressing"),
        ("<message from='a@ b' to='alice@corp.example'/>", "improper-addressing"),
        ("<message from='eve@stranger.example' to='alice@corp.example'/>", "invalid-from"),
        ("<message from='x@corp.example' to='alice@corp.example'/>", "invalid-from"),
        ("<message from='x@stranger.example/@partner.example' to='alice@corp.example'/>", "invalid-from"),
        ("<message from='bob@partner.example' to='a@sub.corp.example'/>", "invalid-from"),
        ("<message from='bob@partner.example' to='a@nowhere.example'/>", "host-unknown"),
        ("<message xmlns='jabber:client' from='bob@partner.example' to='a@corp.example'/>", "unsupported-stanza-type"),
        ("<note from='bob@partner.example' to='a@corp.example'/>", "unsupported-stanza-type"),
        ("<x xmlns='urn:x'/>", "unsupported-stanza-type"),
        ("<!-- x -->", "restricted-xml"),
        (f"<stream:stream {NS}>", "bad-format"),
    ],
)
def test_each_stanza_is_checked(stanza: str, condition: str) -> None:
    stream = authenticated()
    events, output = say(stream, MESSAGE + stanza + MESSAGE)
    assert [type(event) for event in events] == [Element, Failed]
    assert error(condition, output)
    assert stream.finished


def test_stanza_before_authentication_is_refused() -> None:
    stream = receiving()
    say(stream, header())
    events, output = say(stream, MESSAGE)
    assert error("not-authorized", output)
    assert [type(event) for event in events] == [Failed]


def test_domains_may_not_change_at_the_restart() -> None:
    for changed in (header(sender="other.example"), header(recipient="sub.corp.example")):
        stream = receiving()
        say(stream, header())
        say(stream, AUTH.format("="))
        assert error("invalid-from", say(stream, changed)[1])


def test_stanzas_pipelined_behind_auth_are_dropped() -> None:
    stream = receiving()
    say(stream, header())
    assert say(stream, AUTH.format("=") + MESSAGE)[0] == [Authenticated(CORP, PARTNER, "external")]


def test_larger_stanzas_after_authentication_only() -> None:
    large = MESSAGE.replace("hi", "x" * 10_000)
    assert error("policy-violation", say(receiving(), header() + large.encode())[1])
    assert len(say(authenticated(), large)[0]) == 1


def test_clean_close_by_the_peer() -> None:
    stream = authenticated()
    (message, closed), output = say(stream, MESSAGE + "</stream:stream>")
    assert isinstance(message, Element)
    assert (closed, output, stream.finished) == (PeerClosed(), "</stream:stream>", True)


def test_clean_close_by_us_still_delivers() -> None:
    stream = authenticated()
    stream.close()
    stream.close()
    assert (stream.take_output(), stream.finished) == (b"</stream:stream>", False)
    (message, closed), output = say(stream, MESSAGE + "</stream:stream>")
    assert isinstance(message, Element)
    assert (closed, output, stream.finished) == (PeerClosed(), "", True)


def test_close_with_an_error_and_error_from_the_peer() -> None:
    stream = authenticated()
    stream.close(StreamError("reset", "a < b"))
    assert stream.take_output().decode() == (
        f"<stream:error><reset {ERRORS}/><text {ERRORS} xml:lang='en'>a &lt; b</text></stream:error></stream:stream>"
    )
    assert say(stream, MESSAGE) == ([], "")
    stream = authenticated()
    sent = f"<stream:error><see-other-host {ERRORS}>other.example</see-other-host></stream:error></stream:stream>"
    assert say(stream, sent) == ([Failed("see-other-host", "other.example", ours=False)], "</stream:stream>")


def test_deadline_and_expiry() -> None:
    stream = receiving()
    assert (stream.expired(9.9), stream.expired(10.0)) == (False, True)
    assert not authenticated().expired(1e9)


def test_bidi_sends_the_inverse_pair_only() -> None:
    stream = receiving()
    say(stream, header())
    with pytest.raises(NotAuthenticated):
        stream.send(MESSAGE)
    assert say(stream, "<bidi xmlns='urn:xmpp:bidi'/>") == ([], "")
    say(stream, AUTH.format("="))
    say(stream, header())
    assert stream.may_send(CORP, PARTNER)
    assert not stream.may_send("sub.corp.example", PARTNER)
    stream.send("<message/>")
    assert stream.take_output() == b"<message/>"
    assert not authenticated().may_send(CORP, PARTNER)


def test_bidi_needs_terms() -> None:
    stream = receiving(StreamTerms(bidi=False))
    assert "bidi" not in say(stream, header())[1]
    say(stream, "<bidi xmlns='urn:xmpp:bidi'/>" + AUTH.format("="))
    assert not stream.may_send(CORP, PARTNER)


def test_policy_change_closes_what_is_no_longer_connected() -> None:
    stream = authenticated()
    stream.policy_changed()
    assert stream.take_output() == b""
    stream.host.partners.clear()  # type: ignore[attr-defined]
    stream.policy_changed()
    assert error("policy-violation", stream.take_output().decode())


def test_idle_stream_hibernates() -> None:
    stream = authenticated()
    say(stream, MESSAGE)
    assert stream.hibernate()
    assert say(stream, " ") == ([], "")
    assert len(say(stream, MESSAGE)[0]) == 1
    stream.send_whitespace()
    assert stream.take_output() == b" "
