"""The writer: everything it writes reads back the same, and it never writes what XML cannot carry."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree  # type: ignore[import-untyped]

from gateway.protocols.element import Element
from gateway.protocols.xml_text import UnwritableXml, escape_attribute, escape_text
from gateway.protocols.xmpp.limits import AFTER_AUTHENTICATION
from gateway.protocols.xmpp.reader import Reader
from gateway.protocols.xmpp.writer import serialise

HEADER = b"<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams'>"
ILLEGAL = ["\x00", "\x0b", "\x1f", "\ud800", "\udfff", "\ufffe", "\uffff"]
ORDINARY = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
LEGAL = st.one_of(st.sampled_from("\t\n\r"), ORDINARY)
TEXTS = st.text(LEGAL, min_size=1, max_size=10)
NAMES = st.sampled_from(["a", "message", "body", "x-y", "é", "xmlns"])
SPACES = st.sampled_from(["jabber:server", "jabber:client", "urn:x'&", "", "http://www.w3.org/XML/1998/namespace"])
KEYS = st.sampled_from(["from", "id", "{urn:x}id", "{urn:y}id", "xml:lang", "xml:space"])


def separate(children: list[Element | str]) -> list[Element | str]:
    """Drops a string behind a string: the reader joins them."""
    return [
        c for i, c in enumerate(children) if isinstance(c, Element) or not i or isinstance(children[i - 1], Element)
    ]


TREES = st.recursive(
    st.builds(Element, SPACES, NAMES, st.dictionaries(KEYS, TEXTS, max_size=4), st.lists(TEXTS, max_size=1)),
    lambda inner: st.builds(
        Element,
        SPACES,
        NAMES,
        st.dictionaries(KEYS, TEXTS, max_size=4),
        st.lists(st.one_of(inner, TEXTS), max_size=4).map(separate),
    ),
    max_leaves=8,
)


def reread(text: str) -> Element:
    reader = Reader(AFTER_AUTHENTICATION)
    _, element = reader.feed(HEADER + text.encode())
    assert isinstance(element, Element)
    return element


@settings(max_examples=150, deadline=None)
@given(TREES)
def test_reads_back_the_same(tree: Element) -> None:
    assert reread(serialise(tree, "jabber:server")) == tree


@settings(max_examples=50, deadline=None)
@given(TREES)
def test_is_well_formed_to_another_parser(tree: Element) -> None:
    etree.fromstring(serialise(tree).encode())


def test_plain_stanza_to_the_byte() -> None:
    body = Element("jabber:server", "body", {}, ["it's <b> & ]]>"])
    active = Element("http://jabber.org/protocol/chatstates", "active")
    message = Element("jabber:server", "message", {"to": "o'hara@corp.example", "xml:lang": "en"}, [body, active])
    assert serialise(message, "jabber:server") == (
        "<message to='o&apos;hara@corp.example' xml:lang='en'><body>it's &lt;b&gt; &amp; ]]&gt;</body>"
        "<active xmlns='http://jabber.org/protocol/chatstates'/></message>"
    )


def test_stanza_moves_to_another_content_namespace_and_payloads_do_not() -> None:
    forwarded = Element("urn:xmpp:forward:0", "forwarded", {}, [Element("jabber:client", "message")])
    message = Element("jabber:client", "message", {}, [Element("jabber:client", "body", {}, ["x"]), forwarded])
    assert serialise(message, "jabber:server", stanza_ns="jabber:server") == (
        "<message><body>x</body>"
        "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'/></forwarded></message>"
    )
    foreign = Element("urn:x", "message", {}, [Element("jabber:client", "body")])
    assert serialise(foreign, "urn:x", stanza_ns="jabber:server") == "<message><body xmlns='jabber:client'/></message>"


@pytest.mark.parametrize("character", ILLEGAL)
def test_illegal_characters_are_refused_or_replaced(character: str) -> None:
    tree = Element("", "a", {"b": character}, ["x" + character])
    with pytest.raises(UnwritableXml):
        serialise(tree)
    with pytest.raises(UnwritableXml):
        escape_text(character)
    assert serialise(tree, replace_illegal=True) == "<a b='\ufffd'>x\ufffd</a>"


def test_white_space_survives() -> None:
    assert escape_attribute("\t\n\r") == "&#9;&#10;&#13;"
    assert escape_text("\t\n\r") == "\t\n&#13;"


@pytest.mark.parametrize(
    "tree",
    [
        Element("", "a b"),
        Element("", ""),
        Element("", "a:b"),
        Element("", "a><b"),
        Element("", "a", {"xmlns": "x"}),
        Element("", "a", {"b='' c": "x"}),
        Element("", "a", {"{}b": "x"}),
        Element("", "a", {"xml:a b": "x"}),
    ],
)
def test_impossible_names_are_refused(tree: Element) -> None:
    with pytest.raises(UnwritableXml):
        serialise(tree)
