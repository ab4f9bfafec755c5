"""Texts in several languages: repeated elements that differ in xml:lang (RFC 6120 section 8.1.5)."""

from typing import Final

from gateway.model.presence import Texts
from gateway.protocols.element import Element
from gateway.protocols.ids import clean_language
from gateway.protocols.xml_text import escape_text

MAX_TEXTS: Final = 16
"""Languages of one text that are taken."""
MAX_LINE: Final = 1024
"""Characters of a name, a mood's text or a line of a card that are taken."""


def text_of(element: Element) -> str:
    """Gives the character data directly inside an element; quick when there is one piece of it."""
    children = element.children
    if len(children) == 1:
        only = children[0]
        return only if only.__class__ is str else ""
    return element.text


def with_text(texts: Texts, element: Element, inherited: str) -> Texts:
    """Adds an element's text; the first of each language counts, the empty one never (RFC 6121 section 5.2.3)."""
    text = text_of(element)
    own = element.attributes.get("xml:lang")
    language = inherited if own is None else clean_language(own)
    if not texts:
        return ((language, text),) if text else ()
    if not text or len(texts) >= MAX_TEXTS or any(known == language for known, _ in texts):
        return texts
    return (*texts, (language, text))


def write_texts(name: str, texts: Texts) -> str:
    """Writes one element per language."""
    out = ""
    for language, text in texts:
        start = f"<{name} xml:lang='{language}'>" if clean_language(language) else f"<{name}>"
        out += f"{start}{escape_text(text, replace_illegal=True)}</{name}>"
    return out


def line(element: Element | None) -> str:
    """Gives an element's text as one trimmed, bounded line, or '' when there is no element."""
    return " ".join(element.text.split())[:MAX_LINE].rstrip() if element is not None else ""


def tag(name: str, text: str, ns: str = "") -> str:
    """Writes an element that holds only text, in a namespace of its own when one is given."""
    start = f"{name} xmlns='{ns}'" if ns else name
    return f"<{start}>{escape_text(text, replace_illegal=True)}</{name}>" if text else f"<{start}/>"
