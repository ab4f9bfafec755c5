"""A finished conversation as one message of a mailbox (RFC 5322): plain text and hypertext, escaped, named for good."""

import html
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email.headerregistry import Address as MailAddress
from email.message import EmailMessage
from email.policy import SMTP
from hashlib import sha256
from typing import Final
from urllib.parse import quote

import idna
from attrs import field, frozen

from gateway.model.address import Address
from gateway.model.envelope import Side

_ATOM: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}")
_UNSEEN: Final = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]|[\ud800-\udfff]")
_INDENT: Final = "    "


@frozen
class Line:
    """Is one thing that was said; times are posix seconds."""

    at: float
    side: Side
    text: str = field(repr=False)
    corrected: float | None = None
    """When it was corrected last: the text is the last one."""
    failed: bool = False
    """Whether it did not reach the other one."""
    encrypted: bool = False
    notice: bool = False
    """Whether a gateway has said it, that the conversation is being kept."""


@frozen
class Transcript:
    """Is a conversation that is over; `key` is a name that no other has."""

    key: str
    person: Address
    contact: Address
    begun_by: Side
    started: float
    ended: float
    lines: tuple[Line, ...]
    thread: str = field(default="", repr=False)

    def speaker(self, side: Side) -> Address:
        """Gives who speaks from a side."""
        return self.person if side is Side.INTERNAL else self.contact


def message_id(transcript: Transcript) -> str:
    """Gives the Message-ID of a conversation: always the same for the same one."""
    return f"<{sha256(transcript.key.encode()).hexdigest()[:40]}@{_host(transcript.person.domain)}>"


def thread_id(transcript: Transcript) -> str:
    """Gives the name under which mail programs put the conversations of two people in one thread together."""
    named = "\0".join((transcript.person, transcript.contact, transcript.thread))
    return f"<{sha256(named.encode('utf-8', 'replace')).hexdigest()[:40]}.thread@{_host(transcript.person.domain)}>"


def write_conversation(transcript: Transcript) -> bytes:
    """Gives the message, with lines that end in CR LF, in ASCII (RFC 5322, RFC 2045).

    Date is when it began; From is who began it, To the other.
    """
    letter = EmailMessage(SMTP)
    other = Side.EXTERNAL if transcript.begun_by is Side.INTERNAL else Side.INTERNAL
    letter["Date"] = datetime.fromtimestamp(int(transcript.started), UTC)
    letter["From"] = _mailbox(transcript.speaker(transcript.begun_by))
    letter["To"] = _mailbox(transcript.speaker(other))
    letter["Subject"] = f"Conversation with {_plain(transcript.contact)}"
    letter["Message-ID"] = message_id(transcript)
    letter["References"] = thread_id(transcript)
    letter.set_content("\n".join(_text_lines(transcript)) + "\n", charset="utf-8", cte="quoted-printable")
    letter.add_alternative(_hypertext(transcript), subtype="html", charset="utf-8", cte="quoted-printable")
    return letter.as_bytes()


def _mailbox(address: Address) -> MailAddress:
    """Gives an address as mail writes it; what mail has no letters for is written with % and shown beside it."""
    local = address.local or "-"
    if _ATOM.fullmatch(local) and ".." not in local and not local.startswith(".") and not local.endswith("."):
        return MailAddress(username=local, domain=_host(address.domain))
    return MailAddress(_plain(address), quote(local, safe="")[:200].replace("..", "%2E%2E"), _host(address.domain))


def _host(domain: str) -> str:
    try:
        return idna.encode(domain).decode("ascii") if not domain.isascii() else domain
    except idna.IDNAError:
        return "invalid.invalid"


def _head(transcript: Transcript) -> tuple[str, str]:
    begun, ended = (datetime.fromtimestamp(moment, UTC) for moment in (transcript.started, transcript.ended))
    minutes = round((transcript.ended - transcript.started) / 60)
    lasted = "1 minute" if minutes == 1 else f"{minutes} minutes"
    return (
        f"Conversation with {_plain(transcript.contact)}",
        f"{begun:%Y-%m-%d %H:%M} to {ended:%Y-%m-%d %H:%M} UTC ({lasted})",
    )


def _text_lines(transcript: Transcript) -> Iterable[str]:
    """Gives the lines; what follows in a text is indented, so that nobody can write a line of somebody else."""
    yield from (*_head(transcript), "")
    for line in transcript.lines:
        first, *rest = _broken(_said(line))
        marks = _marks(line)
        yield f"[{_clock(line.at)}] {_plain(transcript.speaker(line.side))}{marks}: {first}"
        yield from (_INDENT + each for each in rest)


def _hypertext(transcript: Transcript) -> str:
    title, span = (html.escape(part) for part in _head(transcript))
    rows = [
        f"<tr><td>{_clock(line.at)}</td><td>{html.escape(_plain(transcript.speaker(line.side)) + _marks(line))}</td>"
        f"<td>{'<br>'.join(html.escape(each) for each in _broken(_said(line)))}</td></tr>"
        for line in transcript.lines
    ]
    return "\n".join(
        (
            f'<!DOCTYPE html>\n<html><head><meta charset="utf-8"><title>{title}</title></head><body>',
            f"<h1>{title}</h1>\n<p>{span}</p>\n<table>",
            *rows,
            "</table></body></html>\n",
        )
    )


def _said(line: Line) -> str:
    return "(an encrypted message)" if line.encrypted and not line.text else line.text


def _marks(line: Line) -> str:
    marks = [f"corrected {_clock(line.corrected)}"] if line.corrected is not None else []
    marks += ["not delivered"] if line.failed else []
    marks += ["notice"] if line.notice else []
    return f" ({', '.join(marks)})" if marks else ""


def _clock(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%H:%M:%S}"


def _broken(text: str) -> list[str]:
    """Gives the lines of a text, whatever ends them, without what cannot be seen."""
    return [_UNSEEN.sub("\ufffd", line) for line in text.splitlines()] or [""]


def _plain(text: str) -> str:
    """Gives a text that stays on one line."""
    return " ".join(_broken(text))
