"""Presence that repeats the one before: found only where it is one, and read exactly as expat reads it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.protocols.element import Element
from gateway.protocols.xmpp.limits import AFTER_AUTHENTICATION
from gateway.protocols.xmpp.reader import Reader, XmlFault
from gateway.protocols.xmpp.repeats import repeats

HEADER = (
    b"<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams'"
    b" xmlns:p='jabber:server' version='1.0'>"
)
BODY = b"<show>away</show><status xml:lang='de'>a &amp; b</status><x xmlns='urn:x'><y/></x>"


def presence(recipient: str, body: bytes = BODY, sender: str = "alice@corp.example/desk") -> bytes:
    return f"<presence from='{sender}' to='{recipient}' id='1'>".encode() + body + b"</presence>"


def events(sent: bytes, size: int) -> tuple[list[object], str | None]:
    """Gives the events of bytes in chunks of that size, and the condition of the fault."""
    reader, found = Reader(AFTER_AUTHENTICATION), []
    reader.feed(HEADER)
    try:
        for start in range(0, len(sent), size):
            found += reader.feed(sent[start : start + size])
    except XmlFault as fault:
        return found + fault.events, fault.condition
    return found, None


def both(sent: bytes) -> tuple[list[object], str | None]:
    """Gives the events of bytes in one chunk, which byte after byte (where nothing is seen to repeat) are the same."""
    whole = events(sent, len(sent))
    assert whole == events(sent, 1)
    return whole


def test_the_same_to_three_contacts_is_parsed_once() -> None:
    found, condition = both(b"".join(presence(f"{name}@partner.example") for name in ("bob", "carol", "dan")))
    assert condition is None
    assert [one.get("to") for one in found] == ["bob@partner.example", "carol@partner.example", "dan@partner.example"]
    assert [one.get("from") for one in found] == ["alice@corp.example/desk"] * 3
    whole, _ = events(b"".join(presence(name) for name in "abc"), 10_000)
    assert whole[0].children is whole[1].children is whole[2].children
    assert whole[0].attributes is not whole[1].attributes


def test_where_each_begins_and_ends_and_what_its_attributes_are() -> None:
    one, two = presence("a@b.example"), presence("c@d.example")
    assert repeats(one + two + one + b"<presence fr") == [
        (0, len(one), len(one + two), ["alice@corp.example/desk", "c@d.example", "1"]),
        (len(one), len(one + two), len(one + two + one), ["alice@corp.example/desk", "a@b.example", "1"]),
    ]
    assert repeats(one + b" " + two) == repeats(one + presence("c@d.example", b"<show>xa</show>")) == []


@pytest.mark.parametrize(
    "sent",
    [
        # the first is two stanzas that look like one: its end tag is written with a blank
        presence("a", b"<show>xa</show></presence ><presence to='e'>")
        + presence("b", b"<show>xa</show></presence ><presence to='e'>"),
        # the model begins inside of another stanza, or the repetition does
        b"<message><x>" + presence("a") + presence("b") + b"</x></message>",
        b"<message>" + presence("a") + b"</message>" + presence("b"),
        presence("a") + b"<message>" + presence("b") + presence("c") + b"</message>",
        # a declaration that the second has not, or that means something else there
        b"<presence to='a' xmlns:q='urn:a'><q:x/></presence><presence to='b' xmlns:q='urn:b'><q:x/></presence>",
        b"<presence to='a' xmlns:q='urn:a'><q:x/></presence><presence to='b' xmlns:r='urn:b'><q:x/></presence>",
        b"<presence to='a' xmlns='urn:a'><x/></presence><presence to='b' xmlns='urn:b'><x/></presence>",
        # quotes in quotes, entities, white space and other letters in values
        b"<presence to=\"a'b'c\"><x/></presence><presence to=\"a'd'c\"><x/></presence>",
        b"<presence to='a' id=\"b\"><x/></presence><presence to='c' id=\"d\"><x/></presence>",
        presence("a") + presence("&lt;b&gt;") + presence("&b;"),
        presence("a") + presence("b\tc\n") + presence("b\x00"),
        presence("a") + presence("b<") + presence("c"),
        presence("a") + presence("gr\u00fc\u00df") + presence("b"),
        presence("a") + presence("b").replace(b"gr", b"\xff"),
        presence("a") + presence("b").replace(b"to=", b"from="),
        presence("a") + presence("b").replace(b" id='1'", b" id='1' id='1'"),
        presence("a") + presence("b").replace(b" id='1'", b" id='1'/"),
        b"<presence to='a'/><presence to='a'><x/></presence><presence to='b'><x/></presence>",
        b"<presence to='a'/><presence to='a'><x/></presence><presence to='b'/><presence to='b'><x/></presence>",
        b"<p:presence to='a'><x/></p:presence>" + presence("a") + b"<p:presence to='b'><x/></p:presence>",
        # ends of the stream, and faults, right behind a repetition
        presence("a") + presence("b") + b"</stream:stream>" + presence("c") + presence("d"),
        b"</stream:stream>" + presence("c") + presence("d"),
        presence("a") + presence("b") + b"</x>" + presence("c") + presence("d"),
        presence("a") + presence("b") + b"text" + presence("c"),
        presence("a", b"<x>") + presence("b", b"<x>"),
        presence("a", b"</x>") + presence("b", b"</x>"),
        presence("a", b"&u;") + presence("b", b"&u;"),
        presence("a", b"x]]>") + presence("b", b"x]]>"),
    ],
)
def test_what_only_looks_like_a_repetition_is_parsed(sent: bytes) -> None:
    both(sent)


_PIECES = st.sampled_from(
    [
        b"<presence to='a'>", b"<presence to='b'>", b'<presence to="c">', b"<presence to='d' from='e'>", b"<presence >",
        b"<presence to='a'/>", b"<presence to='a' xmlns:q='urn:q'>", b"</presence>", b"</presence >", b"<x>", b"</x>",
        b"<x/>", b"<q:x/>", b"text", b" ", b"&amp;", b"<message>", b"</message>", b"<![CDATA[<x>]]>", b"'", b'"',
    ]
)  # fmt: skip


@given(
    st.lists(
        st.one_of(st.just([b"<presence to='a'>", b"<x/>", b"</presence>"]), st.lists(_PIECES, max_size=6)), max_size=6
    )
)
@example([[b"<presence to='a'>", b"</presence >", b"<presence to='b'>", b"</presence>"]] * 3)
def test_chunks_make_no_difference_however_odd_the_bytes(parts: list[list[bytes]]) -> None:
    both(b"".join(b"".join(part) for part in parts) or b" ")


def test_a_long_stanza_is_refused_though_it_repeats() -> None:
    body = b"<x/>" * (AFTER_AUTHENTICATION.elements + 1)
    assert both(presence("a") + presence("b") + presence("a", body) + presence("b", body))[1] == "policy-violation"


def test_an_attribute_that_is_too_long_is_refused_though_the_rest_repeats() -> None:
    long = "x" * (AFTER_AUTHENTICATION.token_chars + 1)
    found, condition = events(presence("a") + presence("b") + presence(long), 10**6)
    assert condition == "policy-violation" and len(found) == 2 and isinstance(found[1], Element)
