"""The control socket: one JSON line asks for a command, one JSON line answers; our own user and root may ask.

An answer may come in parts (`gateway.web.stream`): each is a line {"part": ...} before the last one.
"""

import json
import os
import socket
import stat
import struct
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, TimeoutError, ensureDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IListeningPort
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

from gateway.errors import CommandError, GatewayError
from gateway.log import Log
from gateway.web.stream import Stream

LONGEST_LINE = 8 * 1024 * 1024
"""Bytes of a request: a file can be an argument."""
ASK_SECONDS = 10.0
"""How long a client may take to send its request."""
ANSWER_SECONDS = 60.0
"""How long a command may take."""
LEAVE_SECONDS = 5.0
"""How long a client may take to hang up after its answer."""
MOST_CLIENTS = 32
MOST_OTHERS = 8
"""Clients beside our own user and root: they cannot keep these out."""
_log = Log("control")

Execute = Callable[[tuple[str, ...], Mapping[str, Any], int], Awaitable[object]]
"""Carries out a command by its words and arguments, for a user of this machine by number; raises GatewayError."""


@define(eq=False)
class ControlSocket:
    """Listens on a UNIX socket; who it is that calls is what the kernel says of him."""

    path: Path
    execute: Execute = field(repr=False)
    admits: Callable[[int | None], bool] = lambda uid: False
    """Says which users may ask beside our own and root; what each may ask is for `execute` to say."""
    shared: bool = False
    """Whether others can reach it at all."""
    _port: IListeningPort | None = field(default=None, init=False)

    def listen(self, reactor: Any) -> None:
        """Begins to listen; raises CommandError when another gateway answers there or the place is not safe."""
        _secure_folder(self.path.parent)
        _clear(self.path)
        # The mode must be right from the first moment, before anybody can connect.
        before = os.umask(0o177)
        try:
            self._port = reactor.listenUNIX(str(self.path), _Clients(self.execute, self.admits, reactor), mode=0o600)
            self.share(self.shared)
        except CannotListenError as problem:
            raise CommandError(f"cannot listen on {self.path}: {problem.socketError}") from None
        finally:
            os.umask(before)

    def share(self, shared: bool) -> None:
        """Lets other users reach the socket, or no more."""
        self.shared = shared
        if self._port is not None:
            self.path.chmod(0o666 if shared else 0o600)

    async def close(self) -> None:
        """Stops listening and removes the socket."""
        if self._port is not None:
            stopped = self._port.stopListening()
            self._port = None
            if isinstance(stopped, Deferred):
                await stopped


def _secure_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except OSError as problem:
        raise CommandError(f"cannot use the folder {folder} of the control socket: {problem.strerror}") from None
    if found.st_uid not in (os.geteuid(), 0):
        raise CommandError(f"the folder {folder} of the control socket belongs to somebody else")
    if found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX:
        raise CommandError(f"others can write to the folder of the control socket; run: chmod 700 {folder}")


def _clear(path: Path) -> None:
    """Removes a socket that a dead gateway left behind."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise CommandError(f"{path} is in the way of the control socket and is not a socket")
    if _answers(path):
        raise CommandError(f"another gateway is running: it answers on {path}")
    try:
        path.unlink()
    except OSError as problem:
        raise CommandError(f"cannot remove the old control socket {path}: {problem.strerror}") from None


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True
    return True


class _Clients(Factory[Protocol]):
    noisy = False

    def __init__(self, execute: Execute, admits: Callable[[int | None], bool], reactor: Any) -> None:
        self.execute = execute
        self.admits = admits
        self.reactor = reactor
        self.open = {True: 0, False: 0}
        """Connections of our own user and root, and of others."""

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        return _Client(self)

    def room(self, own: bool) -> bool:
        """Says whether one more of these is served."""
        return self.open[own] <= (MOST_CLIENTS if own else MOST_OTHERS)


class _Client(Protocol):
    """Takes one request and gives one answer."""

    def __init__(self, clients: _Clients) -> None:
        self._clients = clients
        self._received = b""
        self._timer: Any = None
        self._uid = -1
        self._own = False
        self._busy = self._gone = self._full = False
        self._stream: Stream | None = None

    def connectionMade(self) -> None:
        uid = _peer_uid(self.transport)
        self._uid = -1 if uid is None else uid
        self._own = uid in (os.geteuid(), 0)
        self._clients.open[self._own] += 1
        if not self._clients.room(self._own):
            self._busy = True
            transport: Any = self.transport
            transport.abortConnection()
        elif not self._own and not self._clients.admits(uid):
            _log.warn("stranger refused", uid=-1 if uid is None else uid)
            self._refuse("only the gateway's own user and root may use this socket")
        else:
            self._timer = self._clients.reactor.callLater(ASK_SECONDS, self._refuse, "no request came in time")

    def dataReceived(self, received: bytes) -> None:
        if self._busy:
            return
        self._received += received
        line, newline, _ = self._received.partition(b"\n")
        if len(line) > LONGEST_LINE:
            self._refuse(f"a request has at most {LONGEST_LINE} bytes")
        elif newline:
            self._take(line)

    def connectionLost(self, reason: Failure | None = None) -> None:
        self._clients.open[self._own] -= 1
        self._gone = True
        self._stop_timer()
        if self._stream is not None:
            self._stream.gone()

    def _take(self, line: bytes) -> None:
        self._busy = True
        self._stop_timer()
        self._received = b""
        try:
            words, arguments = parse_request(line)
        except CommandError as problem:
            self._refuse(str(problem))
            return
        running = ensureDeferred(_run(self._clients.execute, words, arguments, self._uid))
        running.addTimeout(ANSWER_SECONDS, self._clients.reactor)
        running.addCallbacks(self._answer, self._failed)

    def pauseProducing(self) -> None:
        """Takes note that the client does not keep up."""
        self._full = True

    def resumeProducing(self) -> None:
        """Takes note that the client has caught up."""
        self._full = False

    def stopProducing(self) -> None:
        """The connection is lost, which is told elsewhere."""

    def _follow(self, stream: Stream) -> None:
        """Gives the client the parts of an answer as they come."""
        self._stream = stream
        if self._gone:
            stream.attach(lambda part: False, lambda result: None)
            stream.gone()
            return
        transport: Any = self.transport
        transport.registerProducer(self, True)
        stream.attach(self._part, self._finished)

    def _part(self, part: object) -> bool:
        if self._full or self._gone:
            return False
        transport: Any = self.transport
        transport.write(json.dumps({"part": part}, ensure_ascii=True).encode("ascii") + b"\n")
        return True

    def _finished(self, result: object) -> None:
        transport: Any = self.transport
        transport.unregisterProducer()
        self._answer(result)

    def _answer(self, result: object) -> None:
        if isinstance(result, Stream):
            self._follow(result)
            return
        try:
            line = json.dumps({"ok": True, "result": result}, ensure_ascii=True)
        except (TypeError, ValueError):
            _log.failure("answer is no json")
            self._refuse("the command's answer cannot be sent; the log says why")
            return
        self._end(line)

    def _failed(self, failure: Failure) -> None:
        if isinstance(failure.value, GatewayError):
            self._refuse(str(failure.value))
        elif isinstance(failure.value, TimeoutError):
            self._refuse(f"the command took longer than {ANSWER_SECONDS:.0f} seconds")
        else:
            _log.failure("command failed", failure)
            self._refuse("the command failed for a reason that the gateway did not expect; its log says where")

    def _refuse(self, text: str) -> None:
        self._busy = True
        self._stop_timer()
        self._end(json.dumps({"ok": False, "error": text}, ensure_ascii=True))

    def _end(self, line: str) -> None:
        if self._gone:
            return
        transport: Any = self.transport
        transport.write(line.encode("ascii") + b"\n")
        # A close with unread input resets the connection, and takes the answer with it.
        transport.loseWriteConnection()
        self._timer = self._clients.reactor.callLater(LEAVE_SECONDS, transport.abortConnection)

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()


async def _run(execute: Execute, words: tuple[str, ...], arguments: Mapping[str, Any], uid: int) -> object:
    return await execute(words, arguments, uid)


def _peer_uid(transport: Any) -> int | None:
    try:
        raw = transport.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    except (AttributeError, OSError):
        return None
    return int(struct.unpack("3i", raw)[1])


def parse_request(line: bytes) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Reads `{"command": [words], "arguments": {name: value}}`; raises CommandError."""
    try:
        request = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        raise CommandError("a request is one line of JSON") from None
    if not isinstance(request, dict) or not set(request) <= {"command", "arguments"}:
        raise CommandError('a request is {"command": [...], "arguments": {...}}')
    words, arguments = request.get("command"), request.get("arguments", {})
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        raise CommandError("command must be a list of words")
    if not isinstance(arguments, dict):
        raise CommandError("arguments must be an object")
    return tuple(words), arguments
