"""The stanzas of the benchmark: the same bytes for every system, with the time of sending in what must arrive."""

import re
from collections.abc import Mapping

from attrs import field, frozen

STAMP = b"@STAMP@"
STAMPED = re.compile(rb"t(\d{18,20})t")
"""Finds the send stamp (time.monotonic_ns) in a received stanza."""


@frozen
class Cell:
    """One row of the result: a kind of stanza and the characters of its body or status."""

    name: str
    kind: str
    characters: int
    fan: int = 1
    """Contacts who are told the same of one person, one right after the other."""

    @property
    def end_tag(self) -> bytes:
        """Return the bytes that every arrived stanza of this kind ends with."""
        return f"</{self.kind}>".encode()


CELLS: Mapping[str, Cell] = {
    cell.name: cell
    for cell in (
        Cell("message-200", "message", 200),
        Cell("message-1000", "message", 1000),
        Cell("presence", "presence", 40),
        Cell("presence-fan", "presence", 40, 20),
    )
}


def filler(characters: int) -> str:
    """Return words of exactly that many characters that need no XML escape, with room for the stamp in front."""
    words = "Quick brown fox and lazy dog said 'see you at 10' "
    return (words * (characters // len(words) + 1))[: max(0, characters - 20)]


def sender_of(pair: int, domain: str, fan: int = 1) -> str:
    """Return the bare address of the sending user of a pair, whom so many receivers share."""
    return f"u{pair}@{domain}" if fan == 1 else f"w{pair // fan}@{domain}"


def receiver_of(pair: int, domain: str) -> str:
    """Return the bare address of the receiving user of a pair."""
    return f"v{pair}@{domain}"


def template(cell: Cell, pair: int, sender_domain: str, receiver_domain: str) -> bytes:
    """Return the stanza of one pair.

    The stamp stands in the body or status, so that no two presences are equal; that of a presence names the sender as
    well, so that no two people ever say the same.
    """
    sender, receiver = sender_of(pair, sender_domain, cell.fan) + "/r", receiver_of(pair, receiver_domain)
    text = "t@STAMP@t" + filler(cell.characters)
    if cell.kind == "message":
        return (
            f"<message from='{sender}' to='{receiver}/r' type='chat' id='m@STAMP@-{pair}'><body>{text}</body>"
            "<active xmlns='http://jabber.org/protocol/chatstates'/></message>"
        ).encode()
    text = f"t@STAMP@t{pair // cell.fan:05d}{filler(cell.characters)[5:]}"
    return (
        f"<presence from='{sender}' to='{receiver}' id='p@STAMP@-{pair}'><show>away</show><status>{text}</status>"
        "<priority>5</priority><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' "
        "node='http://client.example/' ver='q07IKJEyjvHSyhy//CH0CxmKi8w='/>"
        "<x xmlns='vcard-temp:x:update'><photo>d8b1a0a3d29ab15e4c3e2ab1ea0a3b3a6d1f3c11</photo></x></presence>"
    ).encode()


@frozen
class Supply:
    """Renders stanzas for the pairs in turn, so that a pair meets its next stanza as late as possible."""

    templates: list[bytes] = field(repr=False)

    @classmethod
    def of(cls, cell: Cell, pairs: int, sender_domain: str, receiver_domain: str) -> "Supply":
        """Prepare the templates of all pairs."""
        return cls([template(cell, pair, sender_domain, receiver_domain) for pair in range(pairs)])

    def render(self, first: int, count: int, stamp: int) -> bytes:
        """Return `count` stanzas beginning with number `first`, all stamped with `stamp` nanoseconds."""
        start = first % len(self.templates)
        chosen = self.templates[start : start + count]
        while len(chosen) < count:
            chosen += self.templates[: count - len(chosen)]
        return b"".join(chosen).replace(STAMP, b"%018d" % stamp)
