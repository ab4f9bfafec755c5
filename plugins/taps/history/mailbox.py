"""A mailbox over IMAP (RFC 3501): logs in, finds or makes the folder, adds messages, none of them twice.

All of it blocks, and is called in a thread of its own. The library is Python's own imaplib: Twisted's client breaks
long tokens of XOAUTH2 into lines, and leaves a command waiting for ever when the connection is lost.
"""

import imaplib
import re
import ssl
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from attrs import define, field, frozen

SECONDS: Final = 30.0
"""Within which the server must answer each command."""
_OURS: Final = re.compile(r"[^\x20-\x7e]+|&")
"""What modified UTF-7 does not leave as it is (RFC 3501 section 5.1.3)."""


class Unavailable(Exception):
    """Says in a closed word why messages could not be added: nothing that a server writes is shown to anybody."""


@frozen
class Login:
    """Is how the gateway comes to one mailbox."""

    host: str
    port: int
    starttls: bool
    authorities: Path | None
    """A PEM file of those believed for the server; None: the system's. It is always verified."""
    user: str
    secret: str = field(repr=False)
    """A password, or a token."""
    xoauth2: bool = False
    folder: str = "Conversation History"


@frozen
class Letter:
    """Is one message to be added; `uncertain` when an earlier attempt may have succeeded."""

    name: str
    message_id: str
    text: bytes = field(repr=False)
    at: float
    """Posix seconds: the date under which the mailbox shows it."""
    uncertain: bool = False


@define
class Carried:
    """Is what became of an attempt: the names of what is in the mailbox now, and why not all is, or ''."""

    done: list[str] = field(factory=list)
    problem: str = ""


def carry(login: Login, letters: Sequence[Letter]) -> Carried:
    """Adds messages to a mailbox; nothing is raised."""
    outcome = Carried()
    try:
        with _connected(login) as server:
            _open_folder(server, login.folder)
            for letter in letters:
                if not (letter.uncertain and _is_there(server, letter.message_id)):
                    _add(server, login.folder, letter)
                outcome.done.append(letter.name)
    except Unavailable as problem:
        outcome.problem = str(problem)
    except ssl.SSLCertVerificationError:
        outcome.problem = "certificate"
    except (OSError, EOFError, imaplib.IMAP4.error):
        outcome.problem = "connection"
    return outcome


@contextmanager
def _connected(login: Login) -> Iterator[imaplib.IMAP4]:
    context = ssl.create_default_context(cafile=str(login.authorities) if login.authorities else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    server: imaplib.IMAP4
    if login.starttls:
        server = imaplib.IMAP4(login.host, login.port, SECONDS)
    else:
        server = imaplib.IMAP4_SSL(login.host, login.port, ssl_context=context, timeout=SECONDS)
    try:
        if login.starttls:
            if "STARTTLS" not in server.capabilities:
                raise Unavailable("starttls")
            server.starttls(context)
        _log_in(server, login)
        yield server
    finally:
        with suppress(OSError, EOFError, imaplib.IMAP4.error):
            server.logout()
        with suppress(OSError):
            server.shutdown()


def _log_in(server: imaplib.IMAP4, login: Login) -> None:
    plain = f"\0{login.user}\0{login.secret}".encode()
    if login.xoauth2:
        answers = iter([f"user={login.user}\x01auth=Bearer {login.secret}\x01\x01".encode()])
        # An error comes as another challenge, to which nothing is answered.
        _must("login", lambda: server.authenticate("XOAUTH2", lambda challenge: next(answers, b"")))
    elif "AUTH=PLAIN" in server.capabilities:
        _must("login", lambda: server.authenticate("PLAIN", lambda challenge: plain))
    else:
        _must("login", lambda: server.login(_quoted(login.user), login.secret))


def _open_folder(server: imaplib.IMAP4, folder: str) -> None:
    """Opens the folder, and makes it when it is missing."""
    name = _quoted(encoded(folder))
    if server.select(name)[0] != "OK":
        server.create(name)
        server.subscribe(name)
        _must("folder", lambda: server.select(name))


def _is_there(server: imaplib.IMAP4, message_id: str) -> bool:
    found = _must("search", lambda: server.search(None, "HEADER", "Message-ID", _quoted(message_id)))
    return any(each.split() for each in found if isinstance(each, bytes))


def _add(server: imaplib.IMAP4, folder: str, letter: Letter) -> None:
    at = imaplib.Time2Internaldate(letter.at)
    _must("append", lambda: server.append(_quoted(encoded(folder)), r"(\Seen)", at, letter.text))


def _must(step: str, call: Callable[[], tuple[str, Any]]) -> Any:
    """Gives what the server answers; raises Unavailable when it refuses."""
    try:
        status, found = call()
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error:
        raise Unavailable(step) from None
    if status != "OK":
        full = any(isinstance(each, bytes) and b"OVERQUOTA" in each.upper() for each in found)
        raise Unavailable("quota" if full else step)
    return found


def encoded(folder: str) -> str:
    """Gives the name of a folder as IMAP writes it (RFC 3501 section 5.1.3)."""
    return _OURS.sub(_shifted, folder)


def _shifted(found: re.Match[str]) -> str:
    if found[0] == "&":
        return "&-"
    return "&" + b64encode(found[0].encode("utf-16-be")).rstrip(b"=").replace(b"/", b",").decode("ascii") + "-"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
