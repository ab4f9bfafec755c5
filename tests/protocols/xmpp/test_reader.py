"""The XML reader: what it accepts, what it refuses, and that chunks do not matter."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lxml import etree  # type: ignore[import-untyped]

from gateway.protocols.element import Element
from gateway.protocols.xmpp.limits import AFTER_AUTHENTICATION, BEFORE_AUTHENTICATION, Limits
from gateway.protocols.xmpp.reader import Reader, StreamEnded, StreamOpened, XmlFault
from tests.cost import cpu_seconds

HEADER = (
    b"<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' from='partner.example'"
    b" to='corp.example' version='1.0' xml:lang='de'>"
)
MESSAGE = b"<message from='bob@partner.example/x' to='alice@corp.example'><body>a &amp; b</body></message>"


def read(sent: bytes, size: int = 0, limits: Limits = AFTER_AUTHENTICATION) -> tuple[list[object], str | None]:
    """Returns the events of these bytes in chunks of that size (0: one chunk), and the condition of the fault."""
    reader = Reader(limits)
    size = size or max(1, len(sent))
    events: list[object] = []
    for start in range(0, len(sent), size):
        try:
            events += reader.feed(sent[start : start + size])
        except XmlFault as fault:
            return events + fault.events, fault.condition
    return events, None


def in_stream(stanzas: bytes, size: int = 0, limits: Limits = AFTER_AUTHENTICATION) -> tuple[list[object], str | None]:
    events, condition = read(HEADER + stanzas, size, limits)
    assert isinstance(events[0], StreamOpened)
    return events[1:], condition


def test_header_is_reported_with_its_namespaces() -> None:
    (opened,), condition = read(b"<?xml version='1.0' encoding='UTF-8'?>\n" + HEADER)
    assert condition is None
    assert isinstance(opened, StreamOpened)
    assert (opened.ns, opened.name) == ("http://etherx.jabber.org/streams", "stream")
    assert opened.namespaces == {"": "jabber:server", "stream": "http://etherx.jabber.org/streams"}
    assert opened.attributes == {
        "from": "partner.example",
        "to": "corp.example",
        "version": "1.0",
        "xml:lang": "de",
    }


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7])
def test_stanzas_come_whole_in_any_chunks(size: int) -> None:
    sent = MESSAGE + b" \n <presence xml:lang='en' xmlns:y='urn:y' y:z='1'><y:x/></presence><iq/></stream:stream>"
    assert in_stream(sent, size) == (
        [
            Element(
                "jabber:server",
                "message",
                {"from": "bob@partner.example/x", "to": "alice@corp.example"},
                [Element("jabber:server", "body", {}, ["a & b"])],
            ),
            Element("jabber:server", "presence", {"xml:lang": "en", "{urn:y}z": "1"}, [Element("urn:y", "x")]),
            Element("jabber:server", "iq"),
            StreamEnded(),
        ],
        None,
    )


@pytest.mark.parametrize(
    ("sent", "condition"),
    [
        (b"<!DOCTYPE x [<!ENTITY a 'b'>]>", "restricted-xml"),
        (b" <!DOCTYPE x", "restricted-xml"),
        (b"<!-- x -->", "restricted-xml"),
        (b"<?pi x?>", "restricted-xml"),
        (b"<?xml version='1.0'?><?pi x?>", "restricted-xml"),
        (b"<?xml version='1.0'?><?xml version='1.0'?>", "restricted-xml"),
        (b"<?xml version='1.0' encoding='UTF-16'?>", "unsupported-encoding"),
        (b"<?xml version='1.0' encoding='ISO-8859-1'?>", "unsupported-encoding"),
        (b"<?xml vers?>", "not-well-formed"),
        (b"\xef\xbb\xbf" + HEADER, "unsupported-encoding"),
        (HEADER.decode().encode("utf-16"), "unsupported-encoding"),
        (HEADER.decode().encode("utf-16-le"), "unsupported-encoding"),
        (HEADER.decode().encode("utf-16-be"), "unsupported-encoding"),
        (HEADER.decode().encode("utf-32"), "unsupported-encoding"),
        (b"GET / HTTP/1.1\r\n", "not-well-formed"),
        (b"<stream:stream>", "bad-namespace-prefix"),
        (b"<a b='<'>", "not-well-formed"),
        (b"<a " + b"x" * 9000, "policy-violation"),
        (b"<a b='" + b">" * 9000, "policy-violation"),
        (b"<a b='" + b"x" * 3000 + b"'>", "policy-violation"),
        (b"<a" + b"".join(b" xmlns:a%d='x'" % n for n in range(33)) + b">", "policy-violation"),
        (b"<a" + b"".join(b" a%d='x'" % n for n in range(17)) + b">", "policy-violation"),
    ],
)
@pytest.mark.parametrize("size", [0, 1])
def test_bad_beginnings(sent: bytes, condition: str, size: int) -> None:
    assert read(sent, size, BEFORE_AUTHENTICATION) == ([], condition)


def test_document_type_is_refused_before_its_subset() -> None:
    with pytest.raises(XmlFault, match="restricted-xml"):
        Reader(BEFORE_AUTHENTICATION).feed(b"<!")


@pytest.mark.parametrize(
    ("sent", "condition"),
    [
        (b"<iq><!-- x --></iq>", "restricted-xml"),
        (b"<iq><!-- x -- y --></iq>", "restricted-xml"),
        (b"<!-- x -->", "restricted-xml"),
        (b"<iq><?pi x?></iq>", "restricted-xml"),
        (b"<?xml version='1.0'?>", "restricted-xml"),
        (b"<!DOCTYPE x []>", "restricted-xml"),
        (b"<iq>&lol;</iq>", "restricted-xml"),
        (b"<iq a='&lol;'/>", "restricted-xml"),
        (b"<x:iq/>", "bad-namespace-prefix"),
        (b"<iq x:a=''/>", "bad-namespace-prefix"),
        (b"text", "not-well-formed"),
        (b"<![CDATA[text]]>", "not-well-formed"),
        (b"<stream:stream/>", "bad-format"),
        (b"<iq><stream:stream/></iq>", "bad-format"),
        (b"<iq><s xmlns='http://etherx.jabber.org/streams'><stream/></s></iq>", "bad-format"),
        (b"<iq>\x00</iq>", "not-well-formed"),
        (b"<iq>\x0b</iq>", "not-well-formed"),
        (b"<iq>&#11;</iq>", "not-well-formed"),
        (b"<iq>&#xD800;</iq>", "not-well-formed"),
        (b"<iq>\xef\xbf\xbf</iq>", "not-well-formed"),
        (b"<iq>\xed\xa0\x80</iq>", "not-well-formed"),
        (b"<iq>\xff</iq>", "not-well-formed"),
        (b"<iq>\xc0\x80</iq>", "not-well-formed"),
        (b"<iq></message>", "not-well-formed"),
        (b"<iq a='1' a='2'/>", "not-well-formed"),
        (b"<iq a=1/>", "not-well-formed"),
        (b"<iq xmlns='a b'/>", "not-well-formed"),
        (b"<iq>]]></iq>", "not-well-formed"),
    ],
)
@pytest.mark.parametrize("size", [0, 1, 2, 5])
def test_bad_stanzas_lose_nothing_before_them(sent: bytes, condition: str, size: int) -> None:
    (before,), fault = in_stream(b"<presence/>" + sent, size)
    assert (before, fault) == (Element("jabber:server", "presence"), condition)


def test_fault_is_repeated_without_events() -> None:
    reader = Reader(AFTER_AUTHENTICATION)
    for expected in (2, 0):
        with pytest.raises(XmlFault, match="not-well-formed") as caught:
            reader.feed(HEADER + b"<iq/>&<")
        assert len(caught.value.events) == expected


def test_cdata_is_text_and_may_hold_anything() -> None:
    for size in (0, 1, 3):
        (iq,), condition = in_stream(b"<iq>a<![CDATA[<!-- <?x & ]] ]]>b</iq>", size)
        assert condition is None
        assert isinstance(iq, Element)
        assert iq.children == ["a<!-- <?x & ]] b"]


def test_nothing_is_read_behind_the_end() -> None:
    for size in (0, 1):
        assert in_stream(b"</stream:stream><!DOCTYPE x>junk", size) == ([StreamEnded()], None)


def test_whitespace_between_stanzas_is_free() -> None:
    reader = Reader(BEFORE_AUTHENTICATION)
    reader.feed(HEADER)
    for _ in range(30):
        assert reader.feed(b" " * 1000) == []
    assert reader.feed(b"<iq/>") == [Element("jabber:server", "iq")]


TIGHT = Limits(stanza_bytes=400, elements=5, depth=3, attributes=13, declarations=3, token_chars=50, name_chars=60)


@pytest.mark.parametrize(
    ("fits", "exceeds"),
    [
        (b"<iq>" + b"x" * 391 + b"</iq>", b"<iq>" + b"x" * 392 + b"</iq>"),
        (b"<iq>" + b"<a/>" * 4 + b"</iq>", b"<iq>" + b"<a/>" * 5 + b"</iq>"),
        (b"<iq><a><b/></a></iq>", b"<iq><a><b><c/></b></a></iq>"),
        (
            b"<iq" + b"".join(b" a%d=''" % n for n in range(13)) + b"/>",
            b"<iq" + b"".join(b" a%d=''" % n for n in range(14)) + b"/>",
        ),
        (b"<iq xmlns:a='a' xmlns:b='b' xmlns:c='c'/>", b"<iq xmlns:a='a' xmlns:b='b' xmlns:c='c'><d xmlns='d'/></iq>"),
        (b"<iq id='" + b"x" * 50 + b"'/>", b"<iq id='" + b"x" * 51 + b"'/>"),
        (b"<" + b"x" * 46 + b"/>", b"<" + b"x" * 47 + b"/>"),
        (b"<iq " + b"x" * 60 + b"=''/>", b"<iq " + b"x" * 61 + b"=''/>"),
    ],
)
@pytest.mark.parametrize("size", [0, 1, 100])
def test_limits_are_exact_in_any_chunks(fits: bytes, exceeds: bytes, size: int) -> None:
    events, condition = in_stream(fits + fits, size, TIGHT)
    assert (len(events), condition) == (2, None)
    events, condition = in_stream(fits + exceeds, size, TIGHT)
    assert (len(events), condition) == (1, "policy-violation")


@pytest.mark.parametrize("unfinished", [b"<iq>" + b"x" * 9000, b"<iq a='" + b">" * 9000, b"<iq>&" + b"x" * 9000])
@pytest.mark.parametrize("size", [0, 1, 1000])
def test_byte_limit_bites_before_the_end(unfinished: bytes, size: int) -> None:
    assert in_stream(unfinished, size, BEFORE_AUTHENTICATION)[1] == "policy-violation"


def test_limits_change_in_the_middle_of_a_stanza() -> None:
    reader = Reader(BEFORE_AUTHENTICATION)
    reader.feed(HEADER + b"<iq>" + b"<a/>" * 20)
    reader.set_limits(AFTER_AUTHENTICATION)
    (iq,) = reader.feed(b"<a/>" * 20 + b"x" * 10_000 + b"</iq>")
    assert isinstance(iq, Element)
    assert len(iq.children) == 41


@pytest.mark.parametrize("token", [b"<iq a='" + b">" * 60_000 + b"'/>", b"<iq>" + b"x" * 200_000 + b"</iq>"])
def test_cost_is_linear_in_tiny_chunks(token: bytes) -> None:
    assert cpu_seconds(lambda: in_stream(token, 1)) / len(token) < 30e-6
    events, condition = in_stream(token, 1)
    assert (len(events), condition) == (1, None)


def test_hibernation_frees_the_parser_between_stanzas_only() -> None:
    reader = Reader(AFTER_AUTHENTICATION)
    assert not reader.hibernate()
    reader.feed(HEADER + b"<iq")
    assert not reader.hibernate()
    reader.feed(b">")
    assert not reader.hibernate()
    reader.feed(b"</iq>\n")
    assert reader.hibernate()
    assert reader._parser is None
    assert len(reader.feed(MESSAGE)) == 1
    assert reader.hibernate()
    assert reader.feed(b"</stream:stream>") == [StreamEnded()]


@pytest.mark.parametrize("size", [0, 1])
def test_prefix_free_header_wakes_too(size: int) -> None:
    reader = Reader(AFTER_AUTHENTICATION)
    (opened,) = reader.feed(b"<stream xmlns='http://etherx.jabber.org/streams' xmlns:s='jabber:server'>")
    assert isinstance(opened, StreamOpened)
    assert reader.hibernate()
    assert reader.feed(b"<s:iq/>") == [Element("jabber:server", "iq")]
    assert reader.feed(b"</stream>") == [StreamEnded()]


def test_text_never_shows_in_a_repr() -> None:
    (message,), _ = in_stream(MESSAGE)
    assert "bob" not in repr(message)
    assert "a & b" not in repr(message)


PIECES = [
    *(bytes([c]) for c in b"<>/='\"&;!?[]- ax:\x00\xc3\xa9\r\n"),
    *(b"<iq", b"</iq>", b"/>", b"<iq>", b"<![CDATA[", b"]]>", b"<!--", b"-->", b"<?x", b"?>", b"&amp;", b"&#x41;"),
    *(
        b" a='",
        b" xmlns='u'",
        b" xmlns:x='y'",
        b"<x:y",
        b"<stream:stream>",
        b"</stream:stream>",
        b"<!DOCTYPE",
        b"\xed\xa0\x80",
    ),
]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join), st.integers(1, 9))
@example(b"<iq a='<!--'/>", 1)
@example(b"><<", 1)
@example(b">]]>", 1)
@example(b"<iq><![CDATA[<![CDATA[]]></iq>", 1)
def test_result_does_not_depend_on_chunks(stanzas: bytes, size: int) -> None:
    assert in_stream(stanzas) == in_stream(stanzas, size)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.one_of(st.binary(max_size=40), st.sampled_from([HEADER, MESSAGE, *PIECES])), max_size=12), st.booleans()
)
def test_nothing_but_a_fault_escapes(chunks: list[bytes], headed: bool) -> None:
    reader = Reader(BEFORE_AUTHENTICATION)
    if headed:
        reader.feed(HEADER)
    for chunk in chunks:
        try:
            reader.feed(chunk)
        except XmlFault as fault:
            assert fault.condition
        reader.hibernate()


def as_lxml_sees(node: etree._Element) -> Element:
    name = etree.QName(node)
    children: list[Element | str] = [node.text] if node.text else []
    for child in node:
        children.append(as_lxml_sees(child))
        if child.tail:
            children.append(child.tail)
    attributes = {
        str(k).replace("{http://www.w3.org/XML/1998/namespace}", "xml:"): str(v) for k, v in node.attrib.items()
    }
    return Element(name.namespace or "", name.localname, attributes, children)


NAMES = st.sampled_from(["a", "body", "x-y", "é", "iq"])
SPACES = st.sampled_from(["jabber:server", "urn:x", "", "jabber:client"])
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), max_size=8
)
ATTRIBUTES = st.dictionaries(st.sampled_from(["from", "to", "id", "odd", "xml:lang"]), TEXTS, max_size=3)


def written(name: str, ns: str, attributes: dict[str, str], content: list[str]) -> str:
    listed = "".join(f' {key}="{quote(value)}"' for key, value in attributes.items())
    return f'<{name} xmlns="{ns}"{listed}>{"".join(content)}</{name}>'


def documents(depth: int) -> st.SearchStrategy[str]:
    """Makes well-formed elements as text, written by other means than the gateway's writer."""
    content = TEXTS.map(quote) if depth == 0 else st.one_of(documents(depth - 1), TEXTS.map(quote))
    return st.builds(written, NAMES, SPACES, ATTRIBUTES, st.lists(content, max_size=3))


def quote(text: str) -> str:
    return "".join(c if c.isalnum() or c == " " else f"&#{ord(c)};" for c in text)


@settings(max_examples=100, deadline=None)
@given(documents(3), st.integers(1, 50))
def test_reads_what_lxml_reads(document: str, size: int) -> None:
    events, condition = in_stream(document.encode(), size)
    assert condition is None
    assert events == [as_lxml_sees(etree.fromstring(document.encode()))]


@pytest.mark.parametrize(
    "shape", ["<iq a='{}'/>", "<iq a='{}'><x/></iq>", "<iq><x a='{}'/></iq>", "<iq><x><y a='{}'/></x></iq>"]
)
@pytest.mark.parametrize("before", [0, 1, 1000])
@pytest.mark.parametrize("size", [0, 16384])
def test_an_attribute_that_is_too_long_is_found_among_many_stanzas_in_one_chunk(
    shape: str, before: int, size: int
) -> None:
    limits = AFTER_AUTHENTICATION
    fits, too_long = (shape.format("x" * (limits.token_chars + more)).encode() for more in (0, 1))
    events, condition = in_stream(MESSAGE * before + fits + MESSAGE, size)
    assert (len(events), condition) == (before + 2, None)
    events, condition = in_stream(MESSAGE * before + too_long + MESSAGE, size)
    assert (len(events), condition) == (before, "policy-violation")


def test_stanzas_in_a_long_chunk_are_not_looked_through_again(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[object] = []
    monkeypatch.setattr("gateway.protocols.xmpp.reader._tidy", lambda stanza, most: looked_at.append(stanza))
    assert len(in_stream(MESSAGE * 1000)[0]) == 1000
    assert looked_at == []
