"""One record of the archive, and the walk along its chain: what stands in the open, what is sealed, what is hashed."""

from collections.abc import Mapping
from enum import Enum
from hashlib import sha256
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

from attrs import define, field

from gateway.errors import LedgerError
from gateway.model.chain import Verified, Walk, canonical
from gateway.model.message import Message
from gateway.model.presence import Texts
from gateway.model.sealed import sealed

FORM = "gateway-archive-1"
"""Stands in the first line of an export."""
_BODY = f"{FORM} body\n"


class RecordKind(Enum):
    """Says what a record is about."""

    CONVERSATION = "conversation"
    """A conversation has begun; it names the two, the records that follow name the conversation."""
    MESSAGE = "message"
    END = "end"
    """A conversation is over."""
    SIGN_IN = "sign-in"
    SIGN_OUT = "sign-out"
    START = "start"
    """The gateway began to record, or took another configuration into use."""
    ACCESS = "access"
    """Somebody read the archive."""
    HOLD = "hold"
    RELEASE = "release"
    ERASE = "erase"
    """Earlier records were emptied of persons and texts."""
    PRUNE = "prune"
    """Emptied records at the beginning were removed."""
    ROTATE = "rotate"
    """Texts were sealed again with the newest key."""

    __hash__ = object.__hash__


@sealed
class Record:
    """Is one record before it is chained."""

    at: float
    """Posix seconds."""
    kind: RecordKind
    facts: Mapping[str, Any] = field(factory=dict)
    """Words of closed sets, names of configuration, and numbers; they stand in the open."""
    about: str = ""
    """The person inside, bare address, or ''."""
    to: str = ""
    """The contact outside, bare address, or ''."""
    conversation: int | None = None
    body: Message | None = field(default=None, repr=False)
    """What was said: it is sealed, and only a salted digest of it stands in the open."""

    def entry(self, seq: int, seal: str, body: str) -> dict[str, Any]:
        """Gives what is hashed: all but persons and text, for whom seal and digest stand."""
        made = {"seq": seq, "at": round(self.at * 1000), "kind": self.kind.value, "seal": seal, **self.facts}
        if self.conversation is not None:
            made["conversation"] = self.conversation
        if body:
            made["body"] = body
        return made


def body_text(message: Message, salt: str) -> str:
    """Gives what was said, with what belongs to it and a salt, as canonical JSON; what is empty is left out.

    Made of pieces: of most messages there are but four, and a writer for anything takes several times as long.
    """
    pieces = []
    if message.bodies:
        pieces.append(f'"bodies":{_texts(message.bodies)}')
    if message.delayed_since:
        pieces.append(f'"delayed_since":{canonical(message.delayed_since)}')
    if message.encrypted:
        pieces.append(f'"encrypted":{canonical([(each.scheme, each.form) for each in message.encrypted])}')
    if message.id:
        pieces.append(f'"id":{quoted(message.id)}')
    pieces.append(f'"kind":"{message.kind.value}"')
    if message.notice:
        pieces.append('"notice":true')
    if message.replaces:
        pieces.append(f'"replaces":{quoted(message.replaces)}')
    pieces.append(f'"salt":"{salt}"')
    if message.subjects:
        pieces.append(f'"subjects":{_texts(message.subjects)}')
    if message.thread:
        pieces.append(f'"thread":{quoted(message.thread)}')
    return f"{{{','.join(pieces)}}}"


def _texts(texts: Texts) -> str:
    return f"[{','.join([f'[{quoted(language)},{quoted(words)}]' for language, words in texts])}]"


def message_entry(seq: int, at: int, conversation: int, direction: str, body: str) -> str:
    """Gives the canonical form of what is hashed of a message that has passed, which is what most records are."""
    digest = f'"body":"{body}",' if body else ""
    return (
        f'{{"at":{at},{digest}"conversation":{conversation},"direction":"{direction}",'
        f'"kind":"message","outcome":"sent","seal":"","seq":{seq}}}'
    )


def body_digest(text: str) -> str:
    """Commits to a body in canonical JSON, which bears its own salt; in hexadecimal."""
    return sha256(f"{_BODY}{text}".encode("ascii")).hexdigest()


@define(eq=False)
class RecordWalk(Walk):
    """Goes along the lines of an archive; `text` is the opened body of a line, `sealed` says that one is closed."""

    name: str = "archive"
    form: str = FORM
    closed: int = field(init=False, default=0)
    """Bodies that could not be compared, for want of the key."""

    def _persons(self, number: int, entry: Mapping[str, Any], line: Mapping[str, Any]) -> None:
        super()._persons(number, entry, line)
        expected = entry.get("body")
        text = line.get("text")
        if text is not None:
            if expected is None or body_digest(text) != expected:
                raise LedgerError(f"record {number} does not say what was recorded: its digest does not fit")
        elif expected is not None and line.get("sealed"):
            self.closed += 1
        elif expected is not None:
            self._erased += not entry["seal"]
            self._unexplained.add(number)


def verify_records(lines: Any, anchors: Any = ()) -> tuple[Verified, int]:
    """Walks along all lines; raises LedgerError where the chain is broken. Gives also how many bodies were closed."""
    walk = RecordWalk(anchors)
    for line in lines:
        walk.take(line)
    return walk.finish(), walk.closed
