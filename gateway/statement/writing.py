"""The statement as a document: blocks, and the blocks as Markdown, HTML or plain text."""

from collections.abc import Iterable, Mapping
from enum import Enum
from html import escape

from attrs import frozen

from gateway.statement.paragraph import Paragraph
from gateway.statement.revisions import Revision
from gateway.statement.wording import TEXTS, Wording, day


class Kind(Enum):
    """Names the kinds of blocks."""

    TITLE = "title"
    HEADING = "heading"
    TEXT = "text"
    LABELLED = "labelled"
    ITEM = "item"


class Form(Enum):
    """Names the forms in which a document can be had."""

    MARKDOWN = "markdown"
    HTML = "html"
    TEXT = "text"


@frozen
class Block:
    """Is one part of a document; `label` stands before the text of a labelled one."""

    kind: Kind
    text: str
    label: str = ""


def statement(
    revision: Revision, paragraphs: Iterable[Paragraph], wording: Wording, domains: Iterable[str], person: str
) -> list[Block]:
    """Gives the whole statement, for everybody ('') or for one person."""
    head = wording.page("person", person=person) if person else wording.page("everybody")
    blocks = [
        Block(Kind.TITLE, wording.page("title")),
        Block(Kind.TEXT, wording.page("intro", domains=", ".join(domains))),
        Block(Kind.TEXT, f"{head} {_made(revision, wording)}"),
        Block(Kind.TEXT, wording.page("security")),
    ]
    for paragraph in paragraphs:
        blocks += _of_feature(paragraph, wording)
    return blocks


def changes(
    revision: Revision,
    since: int,
    before: Mapping[str, Paragraph],
    after: Mapping[str, Paragraph],
    wording: Wording,
) -> list[Block]:
    """Gives what differs from an earlier revision, as it concerns everybody or one person."""
    blocks = [Block(Kind.TITLE, wording.page("changes", since=since)), Block(Kind.TEXT, _made(revision, wording))]
    names = [name for name in {**after, **before} if before.get(name) != after.get(name)]
    for name in names:
        old, new = before.get(name), after.get(name)
        known = new or old
        assert known is not None
        if name not in wording.table:
            continue
        blocks.append(Block(Kind.HEADING, wording.title(known)))
        if new is None:
            blocks.append(Block(Kind.TEXT, wording.page("removed")))
        elif old is None:
            blocks += [Block(Kind.TEXT, wording.page("added")), *_of_feature(new, wording)[1:]]
        else:
            blocks += _differences(old, new, wording)
    return blocks if names else [*blocks, Block(Kind.TEXT, wording.page("unchanged", since=since))]


def _differences(old: Paragraph, new: Paragraph, wording: Wording) -> list[Block]:
    pairs = [
        (wording.state(old), wording.state(new)),
        *((_said(old, wording, n), _said(new, wording, n)) for n in TEXTS),
    ]
    pairs += [("; ".join(wording.levels(old)), "; ".join(wording.levels(new)))]
    return [
        Block(Kind.TEXT, wording.page(name, text=text))
        for before, after in pairs
        if before != after
        for name, text in (("before", before), ("now", after))
    ]


def _said(paragraph: Paragraph, wording: Wording, name: str) -> str:
    try:
        return wording.text(paragraph, name)
    except KeyError:  # an older revision lacks a number that the sentence names today
        return "-"


def _of_feature(paragraph: Paragraph, wording: Wording) -> list[Block]:
    blocks = [Block(Kind.HEADING, wording.title(paragraph)), Block(Kind.TEXT, wording.state(paragraph))]
    for name in TEXTS:
        blocks.append(Block(Kind.LABELLED, wording.text(paragraph, name), wording.label(name)))
        if name == "what":
            blocks += [Block(Kind.ITEM, line) for line in wording.levels(paragraph)]
    return blocks


def _made(revision: Revision, wording: Wording) -> str:
    return wording.page("made", revision=revision.number, made=day(revision.made))


def document(blocks: Iterable[Block], form: Form, language: str) -> str:
    """Writes blocks in one of the forms."""
    if form is Form.HTML:
        return _html(list(blocks), language)
    write = _markdown if form is Form.MARKDOWN else _text
    return "\n".join(write(block) for block in blocks).strip() + "\n"


_SPECIAL = frozenset("\\`*_{}[]<>#|~")


def _quoted(text: str) -> str:
    return "".join(f"\\{letter}" if letter in _SPECIAL else letter for letter in text)


def _markdown(block: Block) -> str:
    text = _quoted(block.text)
    match block.kind:
        case Kind.TITLE:
            return f"# {text}\n"
        case Kind.HEADING:
            return f"## {text}\n"
        case Kind.ITEM:
            return f"* {text}"
        case Kind.LABELLED:
            return f"\n**{_quoted(block.label)}:** {text}\n"
    return f"{text}\n"


def _text(block: Block) -> str:
    match block.kind:
        case Kind.TITLE:
            return f"{block.text}\n{'=' * len(block.text)}\n"
        case Kind.HEADING:
            return f"\n{block.text}\n{'-' * len(block.text)}"
        case Kind.ITEM:
            return f"  - {block.text}"
        case Kind.LABELLED:
            return f"{block.label}: {block.text}"
    return block.text


def _html(blocks: list[Block], language: str) -> str:
    lines, listing = [], False
    for block in blocks:
        if listing and block.kind is not Kind.ITEM:
            lines.append("</ul>")
            listing = False
        if block.kind is Kind.ITEM and not listing:
            lines.append("<ul>")
            listing = True
        lines.append(_tagged(block))
    lines += ["</ul>"] if listing else []
    title = escape(next((block.text for block in blocks if block.kind is Kind.TITLE), ""))
    head = (
        f'<!doctype html>\n<html lang="{escape(language)}">\n<head><meta charset="utf-8"><title>{title}</title></head>'
    )
    return "\n".join([f"{head}\n<body>", *lines, "</body>\n</html>"]) + "\n"


def _tagged(block: Block) -> str:
    text = escape(block.text)
    match block.kind:
        case Kind.TITLE:
            return f"<h1>{text}</h1>"
        case Kind.HEADING:
            return f"<h2>{text}</h2>"
        case Kind.ITEM:
            return f"<li>{text}</li>"
        case Kind.LABELLED:
            return f"<p><strong>{escape(block.label)}:</strong> {text}</p>"
    return f"<p>{text}</p>"
