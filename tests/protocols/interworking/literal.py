"""Reads the worked examples of RFC 7572 and RFC 8048, and says where ours differs from them."""

import re
from collections.abc import Callable
from pathlib import Path

from gateway.protocols.element import Element
from gateway.protocols.sip.message import Request, Response
from gateway.protocols.sip.writer import serialise
from gateway.protocols.xml_document import read_document
from tests.protocols.sip.talk import counting
from tests.protocols.xmpp.stanzas.parsing import parse

FOLDER = Path(__file__).parent / "examples"

Differences = dict[str, tuple[str | None, str | None]]
"""What the RFC has and what we have, by header or by attribute and element; the first line is ``, no body."""


def examples(file: str) -> dict[int, str]:
    """Gives the examples of a file by their number, to the letter; behind a head alone stands the empty line."""
    parts = re.split(r"^=== (\d+)\n", (FOLDER / file).read_text("utf-8"), flags=re.MULTILINE)[1:]
    texts = [text.strip("\n") + "\n\n" * text.endswith("Content-Length: 0\n") for text in parts[1::2]]
    return dict(zip(map(int, parts[::2]), texts, strict=True))


def sendable(text: str, *changes: tuple[str, str]) -> str:
    """Gives a SIP example as it can be sent: what is wrong in it put right, Content-Length as its body is long."""
    for wrong, right in changes:
        assert text.count(wrong) == 1, wrong
        text = text.replace(wrong, right)
    head, _, body = text.partition("\n\n")
    length = len(body.replace("\n", "\r\n").encode())
    return re.sub(r"Content-Length: \d+", f"Content-Length: {length}", head) + f"\n\n{body}"


def length_said(text: str) -> tuple[int, int]:
    """Gives Content-Length of an example, and how many bytes its body has with the line ends of SIP."""
    found = re.search(r"^Content-Length: (\d+)$", text, re.MULTILINE)
    assert found
    return int(found[1]), len(text.partition("\n\n")[2].replace("\n", "\r\n").encode())


def tokens(*first: str) -> Callable[[], str]:
    """Makes these tokens, and then t1, t2 and so on."""
    given, rest = iter(first), counting()
    return lambda: next(given, "") or rest()


def differences(sent: Request | Response, text: str) -> Differences:
    """Compares what goes to the wire with a SIP example, header by header and without the body."""
    return _compared(_heads(text), _heads(serialise(sent).decode().replace("\r\n", "\n")))


def stanza_differences(written: str, text: str) -> Differences:
    """Compares a stanza with an example: attributes and texts, blanks around texts left out."""
    return _compared(_leaves(parse(text), ""), _leaves(parse(written), ""))


def leaves(body: bytes) -> dict[str, str]:
    """Gives the texts and attributes of an XML document by their paths."""
    return _leaves(read_document(body), "")


def _compared(rfc: dict[str, str], ours: dict[str, str]) -> Differences:
    names = [*rfc, *(name for name in ours if name not in rfc)]
    return {name: (rfc.get(name), ours.get(name)) for name in names if rfc.get(name) != ours.get(name)}


def _heads(text: str) -> dict[str, str]:
    first, *lines = text.partition("\n\n")[0].split("\n")
    found = {"": first}
    for line in lines:
        name, _, value = line.partition(": ")
        assert name not in found, name
        found[name] = value
    return found


def _leaves(element: Element, path: str) -> dict[str, str]:
    here = f"{path}/{element.name}"
    found = {f"{here}@{name}": value for name, value in element.attributes.items()}
    if text := element.text.strip():
        found[here] = text
    for child in element.elements():
        found |= _leaves(child, here)
    return found or {here: ""}
