"""A SIP user of the lab: a scripted user agent in a process of its own, moved by the test."""

import json
import subprocess
import sys
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import define

from ..dns import View
from ..process import LabError
from .answering import SDP
from .documents import COMPOSING, KEYBOARD, PIDF, composing, keyboard, pidf
from .record import Record
from .wire import Headers, SipMessage

if TYPE_CHECKING:
    from ..lab import Lab

_ROOT = Path(__file__).parents[3]
_PATIENCE = 5.0


class Ua(Record):
    """Sends what the test says, answers by itself or as told, and keeps every message of both directions, in order.

    Every method that asks something gives the final response, whatever it is, and raises AssertionError without one.
    """

    def __init__(
        self, aor: str, address: str, port: int, registrar: str, transport: str, argv: list[str], errors: Path
    ):
        super().__init__(aor)
        self.address, self.port, self.transport, self.registrar = address, port, transport, registrar
        self._errors = errors
        self._answers: dict[int, dict[str, Any]] = {}
        self._numbers = 0
        self._writing = threading.Lock()
        with errors.open("wb") as stream:
            self._popen = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stream, start_new_session=True
            )
        self._reader = threading.Thread(target=self._read, name=f"lab {aor}", daemon=True)
        self._reader.start()

    @property
    def domain(self) -> str:
        """The domain of its address of record."""
        return self.aor.partition("@")[2]

    # registration and presence

    def register(self, expires: int = 600, *, keep: bool = False) -> SipMessage:
        """Register its address (RFC 3261 10), 0 seconds to end it; `keep`: again at half time."""
        got = self._ask("REGISTER", f"sip:{self.domain}", [("Expires", str(expires))], to=self.aor)
        self._repeat("register", expires, "REGISTER", f"sip:{self.domain}", expires, keep=keep, to=self.aor)
        return got

    def publish(
        self, document: str | None = None, expires: int = 600, *, keep: bool = False, **told: str
    ) -> SipMessage:
        """Publish a document (RFC 3903), one made by `pidf` of `told` unless given; `keep`: again at half time."""
        body = pidf(self.aor, **told) if document is None else document
        order: dict[str, Any] = {"to": self.aor, "publication": "presence"}
        headers = [("Event", "presence"), ("Expires", str(expires))]
        got = self._ask("PUBLISH", self.aor, headers, PIDF, body, **order)
        self._repeat("publish", expires, "PUBLISH", self.aor, expires, keep=keep, event="presence", **order)
        return got

    def unpublish(self) -> SipMessage:
        """Take the published document away."""
        self._order(do="drop", name="publish")
        headers = [("Event", "presence"), ("Expires", "0")]
        return self._ask("PUBLISH", self.aor, headers, to=self.aor, publication="presence")

    def subscribe(
        self,
        target: str,
        expires: int = 600,
        *,
        event: str = "presence",
        accept: str = PIDF,
        headers: Headers = (),
        content_type: str = "",
        body: str = "",
        keep: bool = False,
    ) -> "Subscription":
        """Watch `target` (RFC 6665), 0 seconds to fetch once; `keep`: refreshed at half time."""
        more = [("Event", event), ("Expires", str(expires)), ("Accept", accept), *headers]
        dialog, got = self._open("SUBSCRIBE", target, more, content_type, body)
        if got.status < 300:
            more[1] = ("Expires", got["expires"] or str(expires))
            if keep:
                every = int(more[1][1]) / 2
                self._order(do="keep", name=dialog, every=every, **_order("SUBSCRIBE", "", more, dialog=dialog))
        return Subscription(self, target, dialog, got, event, accept)

    # messages and sessions

    def message(
        self, target: str, text: str | bytes, content_type: str = "text/plain", headers: Headers = ()
    ) -> SipMessage:
        """Send one message outside of any session (RFC 3428)."""
        return self._ask("MESSAGE", target, headers, content_type, text)

    def typing(self, target: str, *, active: bool = True) -> SipMessage:
        """Send a typing notice outside of any session (RFC 3994)."""
        return self.message(target, composing(active=active), COMPOSING)

    def invite_session(self, target: str, headers: Headers = (), sdp: bytes = SDP) -> "Session":
        """Open a session of instant messages as Communicator does: MESSAGE inside the dialog of an INVITE."""
        dialog, got = self._open("INVITE", target, headers, "application/sdp", sdp)
        return Session(self, target, dialog, got)

    def session(self, invite: SipMessage) -> "Session":
        """The session that an accepted INVITE opened."""
        return Session(self, invite.sender, invite.call_id, invite)

    def request(
        self, method: str, target: str, headers: Headers = (), content_type: str = "", body: str | bytes = b""
    ) -> SipMessage:
        """Send any request outside of a dialog."""
        return self._ask(method, target, headers, content_type, body)

    def raw(self, message: bytes) -> None:
        """Send these bytes to the registrar as they stand."""
        self._order(do="raw", body=_packed(message))

    # how it answers

    def answer(
        self,
        method: str,
        status: int,
        reason: str = "Because",
        headers: Headers = (),
        body: bytes = b"",
        *,
        content_type: str = "",
        times: int | None = None,
        delay: float = 0.0,
    ) -> None:
        """Answer `method` (with `content_type`) so from now on, or `times` times; status 0 is silence, `delay` in s."""
        rule = {"method": method, "type": content_type, "times": times, "delay": delay}
        self._order(do="answer", status=status, reason=reason, headers=list(headers), body=_packed(body), **rule)

    def document(self, body: str, content_type: str = PIDF) -> None:
        """What its NOTIFY carries when it accepts a SUBSCRIBE itself."""
        self._order(do="document", type=content_type, body=_packed(body))

    def notify(self, subscribed: SipMessage, body: str, state: str = "active;expires=3600") -> SipMessage:
        """Send another NOTIFY to who sent this SUBSCRIBE."""
        headers = [("Event", subscribed["event"]), ("Subscription-State", state)]
        return self._ask("NOTIFY", "", headers, PIDF if body else "", body, dialog=subscribed.call_id)

    # the process

    @property
    def pid(self) -> int:
        """The id of its process."""
        return self._popen.pid

    def kill(self) -> None:
        """End it at once, without a word to its registrar."""
        if self._popen.poll() is None:
            self._popen.kill()
        self._popen.wait()
        self._reader.join(2.0)
        if self._popen.stdin:
            with suppress(BrokenPipeError):
                self._popen.stdin.close()

    # how

    def _ask(
        self, method: str, uri: str, headers: Headers = (), kind: str = "", body: str | bytes = b"", **more: Any
    ) -> SipMessage:
        return self._exchange(method, uri, headers, kind, body, **more)[1]

    def _open(self, method: str, uri: str, headers: Headers, kind: str, body: str | bytes) -> tuple[str, SipMessage]:
        return self._exchange(method, uri, headers, kind, body)

    def _exchange(
        self, method: str, uri: str, headers: Headers, kind: str, body: str | bytes, **more: Any
    ) -> tuple[str, SipMessage]:
        said = self._order(do="request", **_order(method, uri, headers, kind, body, **more))
        if "failed" in said:
            raise AssertionError(f"{self.aor}: {method} {uri} had no answer: {said['reason']}")
        return said["dialog"], SipMessage(b64decode(said["wire"]))

    def _repeat(
        self, name: str, expires: int, method: str, uri: str, seconds: int, *, keep: bool, event: str = "", **more: Any
    ) -> None:
        if not (keep and expires):
            self._order(do="drop", name=name)
            return
        headers = [("Expires", str(seconds)), *([("Event", event)] if event else [])]
        self._order(do="keep", name=name, every=seconds / 2, **_order(method, uri, headers, **more))

    def _order(self, **order: Any) -> dict[str, Any]:
        """Tell the process and wait for its word."""
        with self._writing:
            self._numbers += 1
            number = self._numbers
            if self._popen.stdin is None or self._popen.poll() is not None:
                raise LabError(f"{self.aor} ended: {self._errors.read_text(errors='replace')[-2000:]}")
            self._popen.stdin.write(json.dumps({**order, "id": number}).encode() + b"\n")
            self._popen.stdin.flush()
        with self.changed:
            self.changed.wait_for(lambda: number in self._answers or self._popen.poll() is not None, _PATIENCE + 2.0)
            if number not in self._answers:
                raise LabError(f"{self.aor} is silent: {self._errors.read_text(errors='replace')[-2000:]}")
            return self._answers.pop(number)

    def _read(self) -> None:
        for line in self._popen.stdout or ():
            said = json.loads(line)
            with self.changed:
                if "at" in said:
                    wire, rest = b64decode(said.pop("wire")), said
                    self.add(SipMessage(wire, **rest))
                else:
                    self._answers[said.get("done", said.get("failed"))] = said
                self.changed.notify_all()


@define
class InDialog:
    """What was opened with `opened`, its final response (or the INVITE that was accepted)."""

    ua: Ua
    target: str
    dialog: str
    opened: SipMessage

    def request(
        self, method: str, headers: Headers = (), content_type: str = "", body: str | bytes = b""
    ) -> SipMessage:
        """Send a request inside the dialog; its final response."""
        return self.ua._exchange(method, "", headers, content_type, body, dialog=self.dialog)[1]

    def received(self, method: str) -> list[SipMessage]:
        """The requests of one method that came inside the dialog."""
        return self.ua.requests(method, lambda got: got.call_id == self.dialog)

    def wait_for(
        self, method: str, that: Callable[[SipMessage], bool] = bool, timeout: float = _PATIENCE, *, after: int = 0
    ) -> SipMessage:
        """The first request inside the dialog of which `that` holds; raises AssertionError."""
        return self.ua.wait_for(method, lambda got: got.call_id == self.dialog and that(got), timeout, after=after)


@define
class Session(InDialog):
    """A session of instant messages."""

    def message(self, text: str | bytes, content_type: str = "text/plain", headers: Headers = ()) -> SipMessage:
        """Send one message."""
        return self.request("MESSAGE", headers, content_type, text)

    def typing(self, *, active: bool = True) -> SipMessage:
        """Send a typing notice (RFC 3994)."""
        return self.message(composing(active=active), COMPOSING)

    def keyboard(self, *, active: bool = True) -> SipMessage:
        """Send a typing notice as Communicator does: KeyboardActivity in INFO."""
        return self.request("INFO", (), KEYBOARD, keyboard(active=active))

    def bye(self) -> SipMessage:
        """End the session."""
        return self.request("BYE")


@define
class Subscription(InDialog):
    """A subscription of its own."""

    event: str
    accept: str

    def refresh(self, expires: int = 600) -> SipMessage:
        """Ask for more time."""
        headers = [("Event", self.event), ("Expires", str(expires)), ("Accept", self.accept)]
        return self.request("SUBSCRIBE", headers)

    def end(self) -> SipMessage:
        """Stop watching."""
        self.ua._order(do="drop", name=self.dialog)
        return self.refresh(0)

    def notifications(self) -> list[SipMessage]:
        """Every NOTIFY so far."""
        return self.received("NOTIFY")


def _packed(body: str | bytes) -> str:
    return b64encode(body.encode() if isinstance(body, str) else body).decode()


def _order(
    method: str, uri: str, headers: Headers, kind: str = "", body: str | bytes = b"", **more: Any
) -> dict[str, Any]:
    asked = {
        "method": method,
        "uri": uri,
        "headers": list(headers),
        "type": kind if body else "",
        "body": _packed(body),
    }
    return {"dialog": "", "timeout": _PATIENCE, **asked, **more}


def user_agent(
    lab: "Lab",
    aor: str,
    *,
    transport: str = "udp",
    registrar: str = "",
    address: str = "",
    port: int = 5060,
    password: str = "",
) -> Ua:
    """A scripted user agent of "sip:alice@corp.example" that talks to its domain's server, not registered yet."""
    aor = aor if aor.startswith("sip:") else f"sip:{aor}"
    address = address or lab.free_address()
    if not registrar:
        server = lab.servers[aor.partition("@")[2]]
        server.await_ready()
        registrar = f"{server.address}:5060"
    program = [
        sys.executable,
        "-m",
        "tests.interop.sip.ua_program",
        aor,
        address,
        str(port),
        registrar,
        transport,
        password,
    ]
    argv = lab.namespace.command(lab.dns.resolv_conf(View.DIRECT), "env", f"PYTHONPATH={_ROOT}", *program)
    errors = lab.folder / f"ua-{address}-{aor.partition(':')[2]}.log"
    return lab.join(Ua(aor, address, port, registrar, transport, argv, errors))
