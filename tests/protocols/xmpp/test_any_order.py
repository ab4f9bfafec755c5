"""Whatever a peer says in whatever order, a stream raises nothing, ends for good and lets no stranger in."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.protocols.element import Element
from gateway.protocols.xmpp.dialback import Outcome
from gateway.protocols.xmpp.events import StartTls, StreamTerms, Verify

from .hosts import CORP, OURS, PARTNER, SASL, STRICT, TLS, header, initiating, receiving

SAID = [
    header(),
    header(sender=None),
    header(PARTNER, CORP, "id='x' version='1.0'"),
    b"</stream:stream>",
    b" ",
    f"<starttls {TLS}/>".encode(),
    f"<proceed {TLS}/>".encode(),
    f"<auth {SASL} mechanism='EXTERNAL'>=</auth>".encode(),
    f"<auth {SASL} mechanism='EXTERNAL'>\u00e9<x/></auth>".encode(),
    f"<success {SASL}/>".encode(),
    f"<failure {SASL}><aborted/></failure>".encode(),
    f"<stream:features><mechanisms {SASL}><mechanism>EXTERNAL</mechanism></mechanisms></stream:features>".encode(),
    b"<bidi xmlns='urn:xmpp:bidi'/>",
    b"<db:result from='partner.example' to='corp.example'>k</db:result>",
    b"<db:result from='partner.example' to='corp.example' type='valid'/>",
    b"<db:result from='&#x10FFFF;' to='&apos;&lt;'>k</db:result>",
    b"<db:verify/>",
    f"<db:verify from='partner.example' to='corp.example' id='i'>{OURS.key(PARTNER, CORP, 'i')}</db:verify>".encode(),
    b"<message from='bob@partner.example' to='alice@corp.example'/>",
    b"<message from='eve@stranger.example' to='alice@corp.example'/>",
    b"<iq/>",
    b"<stream:error/>",
    b"<x",
    b"\xff",
]
EITHER = StreamTerms(require_tls=False, dialback=True)


@settings(max_examples=300, deadline=None)
@given(  # the role is drawn too: pytest-twisted breaks hypothesis under parametrize
    st.sampled_from(["receiving", "initiating"]),
    st.lists(st.sampled_from(SAID), max_size=12),
    st.sampled_from([STRICT, EITHER]),
    st.booleans(),
    st.booleans(),
    st.sampled_from(Outcome),
)
def test_any_order(
    role: str, said: list[bytes], terms: StreamTerms, secure: bool, headed: bool, outcome: Outcome
) -> None:
    make = receiving if role == "receiving" else initiating
    stream = make(terms, secure=secure)
    if headed:
        said = [header(PARTNER, CORP, "id='x' version='1.0'"), *said]
    for chunk in said:
        over = stream.finished
        events = stream.receive(chunk, 1.0)
        written = stream.take_output()
        assert not over or (events, written) == ([], b"")
        for event in events:
            if isinstance(event, Element):
                assert (PARTNER, CORP) in stream.pairs
                assert event.get("from") == "bob@partner.example"
            elif isinstance(event, StartTls):
                stream.tls_established(frozenset({PARTNER}))
            elif isinstance(event, Verify):
                stream.verification_finished(event.local, event.remote, outcome)  # type: ignore[union-attr]
        stream.hibernate()
