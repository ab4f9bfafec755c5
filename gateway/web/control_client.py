"""The other end of the control socket, for programs without a reactor."""

import json
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from gateway.errors import CommandError, NotRunning
from gateway.web.control import ANSWER_SECONDS

LONGEST_ANSWER = 64 * 1024 * 1024
"""Bytes of an answer that are read."""


def ask(
    path: Path,
    words: tuple[str, ...],
    arguments: Mapping[str, Any],
    seconds: float = ANSWER_SECONDS + 5,
    follow: Callable[[Any], None] | None = None,
) -> object:
    """Asks the daemon for a command and waits for the answer; raises NotRunning, or CommandError with its refusal.

    With `follow` an answer may come in parts, which it is called with as they come, however long that takes.
    """
    request = json.dumps({"command": list(words), "arguments": dict(arguments)}).encode("utf-8") + b"\n"
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(seconds)
        _connect(connection, path)
        # It may have refused before it read everything: its answer says why.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request)
        if follow is not None:
            connection.settimeout(None)
            return _result(_follow(connection, follow))
        return _result(_read_answer(connection, path))


def _connect(connection: socket.socket, path: Path) -> None:
    try:
        connection.connect(str(path))
    except PermissionError:
        raise NotRunning(f"{path} may not be opened by this user; run this as the gateway's user or as root") from None
    except OSError:
        raise NotRunning(
            f"no gateway answers on {path}; start one with: gateway run --config F, "
            "or name the socket of a running one with --socket"
        ) from None


def _read_answer(connection: socket.socket, path: Path) -> bytes:
    pieces, size = [], 0
    try:
        while piece := connection.recv(65536):
            pieces.append(piece)
            size += len(piece)
            if size > LONGEST_ANSWER:
                raise CommandError("the answer is too long")
    except TimeoutError:
        raise NotRunning(f"the gateway on {path} does not answer in time") from None
    except ConnectionResetError:
        pass
    return b"".join(pieces)


def _follow(connection: socket.socket, follow: Callable[[Any], None]) -> bytes:
    """Gives the last line of an answer; hands on the parts that stand before it."""
    with connection.makefile("rb") as lines:
        while line := lines.readline(LONGEST_ANSWER):
            if not line.startswith(b'{"part": '):
                return line
            follow(json.loads(line)["part"])
    return b""


def _result(answer: bytes) -> object:
    try:
        document = json.loads(answer)
    except ValueError:
        raise NotRunning("the gateway ended before it answered") from None
    if not isinstance(document, dict) or document.get("ok") is not True:
        raise CommandError(str(document.get("error", "refused")) if isinstance(document, dict) else "refused")
    return document.get("result")
