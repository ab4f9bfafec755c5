"""Documents of strangers: what is read, what is refused, and that it costs no more than it must."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.protocols.element import Element
from gateway.protocols.xml_document import DocumentError, DocumentLimits, read_document
from tests.cost import cpu_seconds


def test_names_attributes_and_text_are_kept_and_comments_are_not() -> None:
    root = read_document(
        b"<?xml version='1.0'?><a xmlns='urn:a' x='1' xml:lang='en' xmlns:b='urn:b' b:y='2'>"
        b"one<!-- two --><b:c/>thr<![CDATA[<>]]>ee</a>"
    )
    assert root.attributes == {"x": "1", "xml:lang": "en", "{urn:b}y": "2"}
    assert (root.ns, root.name, root.children) == ("urn:a", "a", ["one", Element("urn:b", "c"), "thr<>ee"])


def test_a_byte_order_mark_and_another_declared_encoding_do_no_harm() -> None:
    assert read_document("\ufeff<?xml version='1.0' encoding='utf-16'?><a>ü</a>".encode()).text == "ü"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"text",
        b"<a>",
        b"<a></a><b/>",
        b"<a>&unknown;</a>",
        b"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
        b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>",
        b"<?xml-stylesheet href='x'?><a/>",
        b"<a><?php x?></a>",
        b"<a>\xff</a>",
        "<a>ü</a>".encode("latin-1"),
        b"<p:a/>",
        b"<a x='1' x='2'/>",
        b"<a>\x00</a>",
    ],
)
def test_what_is_no_plain_document_is_refused(body: bytes) -> None:
    with pytest.raises(DocumentError):
        read_document(body)


@pytest.mark.parametrize(
    ("body", "limits"),
    [
        (b"<a>" + b"x" * 100 + b"</a>", DocumentLimits(octets=50)),
        (b"<a>" + b"<b/>" * 5 + b"</a>", DocumentLimits(elements=5)),
        (b"<a><b><c/></b></a>", DocumentLimits(depth=2)),
        (b"<a b='' c=''/>", DocumentLimits(attributes=1)),
        (b"<a xmlns='urn:a' xmlns:b='urn:b'/>", DocumentLimits(declarations=1)),
        (b"<aaaaaaaaaaaa/>", DocumentLimits(name_chars=5)),
        (b"<a bbbbbbbbbbb=''/>", DocumentLimits(name_chars=5)),
    ],
)
def test_each_limit_holds_and_its_edge_passes(body: bytes, limits: DocumentLimits) -> None:
    with pytest.raises(DocumentError):
        read_document(body, limits)
    assert read_document(body)


@settings(deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_nothing_else_escapes(body: bytes) -> None:
    try:
        read_document(body)
        read_document(b"<a>" + body + b"</a>")
    except DocumentError as error:
        assert error.reason


def test_text_in_many_pieces_costs_linear_time() -> None:
    def seconds(pieces: int) -> float:
        body = b"<a>" + b"x&amp;" * pieces + b"</a>"
        return cpu_seconds(lambda: read_document(body))

    seconds(1000)
    assert seconds(40_000) < 20 * max(seconds(4_000), 0.001)
