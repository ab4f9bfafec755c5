"""Stream management in both roles: who counts from where, what is acknowledged, and when (XEP-0198)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocols.element import Element
from gateway.protocols.xmpp.acks import ENABLE, ENABLED, OFFER, REQUEST, AckFault, Heard, Said
from gateway.protocols.xmpp.events import AckAsked, Acknowledged, Authenticated, Counting, Failed, PeerClosed
from gateway.protocols.xmpp.initiating import InitiatingStream
from gateway.protocols.xmpp.receiving import ReceivingStream

from .hosts import CORP, PARTNER, SASL, STRICT, header, initiating, receiving, say

SM = "xmlns='urn:xmpp:sm:3'"
AUTH = f"<auth {SASL} mechanism='EXTERNAL'>=</auth>"
MECHANISMS = f"<stream:features><mechanisms {SASL}><mechanism>EXTERNAL</mechanism></mechanisms></stream:features>"
MESSAGE = "<message from='bob@partner.example' to='alice@corp.example'><body>hi</body></message>"
OURS = "<message from='alice@corp.example' to='bob@partner.example'><body>hi</body></message>"


def accepted() -> ReceivingStream:
    """Gives a stream on which the partner has proven itself."""
    stream = receiving(STRICT)
    say(stream, header())
    say(stream, AUTH)
    assert OFFER in say(stream, header())[1]
    return stream


def opened(features: str) -> tuple[InitiatingStream, str]:
    """Gives a stream of ours that is proven, whose peer then offered `features`, and what we say to that."""
    stream = initiating(STRICT)
    stream.take_output()
    say(stream, header(PARTNER, CORP, "id='r1' version='1.0'"))
    say(stream, MECHANISMS)
    say(stream, f"<success {SASL}/>")
    say(stream, header(PARTNER, CORP, "id='r2' version='1.0'"))
    events, said = say(stream, f"<stream:features>{features}</stream:features>")
    assert events == [Authenticated(CORP, PARTNER, "external")]
    return stream, said


def test_it_is_offered_only_to_who_has_proven_himself() -> None:
    stream = receiving(STRICT)
    assert OFFER not in say(stream, header())[1]
    assert f"<failed {SM}>" in say(stream, ENABLE)[1]
    assert stream.heard is None


def test_a_peer_that_enables_it_is_counted_from_there_on_and_told_when_it_asks() -> None:
    stream = accepted()
    events, said = say(stream, MESSAGE + ENABLE + MESSAGE + REQUEST)
    assert said == ENABLED
    assert [type(event) for event in events] == [Element, Counting, Element, AckAsked]
    assert stream.heard is not None and stream.heard.count == 0  # the owner counts


def test_it_is_enabled_once() -> None:
    stream = accepted()
    say(stream, ENABLE)
    assert "unexpected-request" in say(stream, ENABLE)[1]


def test_we_enable_it_where_it_is_offered_and_count_from_the_request_on() -> None:
    stream, said = opened(OFFER)
    assert said == ENABLE and stream.said is not None and not stream.said.agreed
    stream.send(OURS)
    stream.send(OURS * 2, 2)
    assert say(stream, ENABLED) == ([Counting()], OURS * 3)
    assert stream.said.agreed and stream.said.count == 3
    assert say(stream, f"<a {SM} h='2'/>") == ([Acknowledged(2)], "")
    assert say(stream, f"<a {SM} h='3'/>") == ([Acknowledged(3)], "")


def test_where_it_is_not_offered_or_refused_nothing_is_counted() -> None:
    stream, said = opened("")
    assert said == "" and stream.said is None
    stream, _ = opened(OFFER)
    assert say(stream, f"<failed {SM}/>") == ([], "")
    assert stream.said is None


@pytest.mark.parametrize("answer", ["h='2'", "h='-1'", "h='x'", "", "h='99999999999'", "h='4294967295'"])
def test_a_peer_that_acknowledges_what_it_was_not_sent_is_cut(answer: str) -> None:
    stream, _ = opened(OFFER)
    say(stream, ENABLED)
    stream.send(OURS)
    stream.take_output()
    events, _ = say(stream, f"<a {SM} {answer}/>")
    assert events == [Failed("undefined-condition", "handled count too high", ours=True)]


@pytest.mark.parametrize("word", ["<r {}/>", "<a {} h='0'/>", "<enabled {}/>", "<resume {} h='0' previd='x'/>"])
def test_what_nobody_agreed_to_ends_the_stream(word: str) -> None:
    stream = accepted()
    (event,) = say(stream, word.format(SM))[0]
    assert isinstance(event, Failed) and event.condition == "unsupported-stanza-type"


def test_the_last_word_of_a_stream_says_what_is_safe() -> None:
    stream = accepted()
    say(stream, ENABLE)
    assert stream.heard is not None
    stream.heard.took()
    stream.heard.took()
    number = stream.heard.hold()
    events, said = say(stream, "</stream:stream>")
    assert (events, said) == ([PeerClosed()], "") and not stream.finished, "its owner waits until all is safe"
    stream.heard.let_go(number)
    stream.close()
    assert stream.take_output().decode() == f"<a {SM} h='2'/></stream:stream>"
    assert stream.finished


def test_a_stream_that_is_closed_from_our_side_says_at_once_what_is_safe() -> None:
    stream = accepted()
    say(stream, ENABLE)
    assert stream.heard is not None
    stream.heard.took()
    stream.heard.took()
    stream.heard.hold()
    stream.close()
    assert stream.take_output().decode() == f"<a {SM} h='1'/></stream:stream>"


def test_an_answer_waits_for_everything_before_the_request_and_for_nothing_behind_it() -> None:
    heard = Heard()
    heard.took()
    first = heard.hold()
    heard.took()
    assert heard.asked() == ""
    heard.took()
    second = heard.hold()
    assert heard.held == 2
    heard.let_go(first)
    assert heard.answer() == f"<a {SM} h='2'/>" and heard.answer() == ""
    heard.let_go(second)
    assert heard.safe == 3 and heard.last_word() == f"<a {SM} h='3'/>"


def test_counts_wrap_at_two_to_the_power_of_32() -> None:
    said = Said(agreed=True, count=2**32 + 5, acked=2**32 - 2)
    assert said.acknowledged(Element("a", "urn:xmpp:sm:3", {"h": "3"})) == 2**32 + 3
    with pytest.raises(AckFault):
        said.acknowledged(Element("a", "urn:xmpp:sm:3", {"h": "2"}))


@given(st.lists(st.tuples(st.sampled_from("thgar"), st.integers(0, 9)), max_size=60))
def test_never_is_more_acknowledged_than_is_safe(steps: list[tuple[str, int]]) -> None:
    heard, held, told = Heard(), [], 0
    for step, place in steps:
        if step == "t":
            heard.took()
        elif step == "h":
            heard.took()
            held.append(heard.hold())
        elif step == "g" and held:
            heard.let_go(held.pop(place % len(held)))
        said = heard.asked() if step == "r" else heard.answer()
        assert heard.safe == min(held, default=heard.count + 1) - 1
        if said:
            assert (number := int(said.split("'")[3])) == heard.safe >= told
            told = number
