"""A SIP user agent that obeys JSON lines on stdin and tells every message on stdout, one JSON object a line.

Runs as a program of its own, inside the namespace:
python -m tests.interop.sip.ua_program AOR ADDRESS PORT REGISTRAR udp|tcp [PASSWORD]
In:  {"do": "request" | "answer" | "document" | "keep" | "drop" | "raw", "id": number, …}: see the methods of Agent
Out: {"wire": message, "sent": bool, "at": seconds, "peer": text, "again": bool}
     {"done": id, "wire": final response, "dialog": id} | {"failed": id, "reason": text}; messages in base64
"""

import asyncio
import json
import sys
from base64 import b64decode
from collections.abc import Callable, Coroutine
from typing import Any

from attrs import define, field

from .answering import Answer, Answers
from .dialog import Dialog, Links, tell
from .password import answer as proof
from .wire import Headers, SipMessage, fresh, written

_T1 = 0.5  # RFC 3261 17.1.1.1, seconds
_ALLOWED = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, MESSAGE, NOTIFY, SUBSCRIBE"
_Order = dict[str, Any]


@define
class Agent:
    """One address of record with its dialogs, publications and answers."""

    aor: str
    links: Links
    answers: Answers = field(factory=Answers)
    dialogs: dict[str, Dialog] = field(factory=dict)
    etags: dict[str, str] = field(factory=dict)
    waiting: "dict[tuple[str, str], asyncio.Future[SipMessage]]" = field(factory=dict)
    answered: dict[tuple[str, str], bytes] = field(factory=dict)
    kept: "dict[str, asyncio.Task[None]]" = field(factory=dict)
    document: tuple[str, bytes] | None = None
    cancelled: set[str] = field(factory=set)
    password: str = ""

    # what arrives

    def receive(self, raw: bytes, peer: str, reply: Callable[[bytes], None]) -> None:
        """Take one message that came from `peer`; `reply` sends an answer the way it came."""
        got = SipMessage(raw)
        key = (got.branch, got.method)
        again = not got.status and key in self.answered
        tell(raw, sent=False, peer=peer, again=again)
        if got.status:
            self._response(got)
        elif again:
            self._send(self.answered[key], peer, reply)
        elif got.method != "ACK":
            asyncio.get_running_loop().create_task(self._answer(got, peer, reply))

    def _response(self, got: SipMessage) -> None:
        waits = self.waiting.get((got.branch, got.method))
        if waits is not None and got.status >= 200 and not waits.done():
            waits.set_result(got)

    async def _answer(self, got: SipMessage, peer: str, reply: Callable[[bytes], None]) -> None:
        self.answered[(got.branch, got.method)] = b""
        answer = self.answers.choose(got, known=self._alive(got.call_id))
        tag = fresh()
        if answer.delay and got.method == "INVITE":
            self._send(got.response(180, "Ringing", tag), peer, reply)
        await asyncio.sleep(answer.delay)
        if got.method == "CANCEL":
            self.cancelled.add(got.branch)
        if got.method == "INVITE" and got.branch in self.cancelled:
            answer = Answer(487, "Request Terminated")
        if not answer.status:
            return
        # RFC 3428 7 wants no Contact in an answer to MESSAGE
        own = [] if got.method == "MESSAGE" else [("Contact", f"<{self.links.contact}>")]
        more = [*own, ("Allow", _ALLOWED), *answer.headers]
        raw = got.response(answer.status, answer.reason, tag, more, answer.body)
        self.answered[(got.branch, got.method)] = raw
        self._send(raw, peer, reply)
        if answer.status < 300:
            self._accepted(got, tag)

    def _send(self, raw: bytes, peer: str, reply: Callable[[bytes], None]) -> None:
        if raw:
            tell(raw, sent=True, peer=peer)
            reply(raw)

    def _alive(self, dialog: str) -> bool:
        return dialog in self.dialogs and self.dialogs[dialog].alive

    def _end(self, dialog: str) -> None:
        if dialog in self.dialogs:
            self.dialogs[dialog].alive = False

    def _accepted(self, got: SipMessage, tag: str) -> None:
        if got.method in ("INVITE", "SUBSCRIBE") and got.call_id not in self.dialogs:
            self.dialogs[got.call_id] = Dialog.taken(got, tag)
        if got.method == "BYE" or got["subscription-state"].startswith("terminated"):
            self._end(got.call_id)
        if got.method == "SUBSCRIBE":
            asyncio.get_running_loop().create_task(self._notify(got.call_id, got["event"], got["expires"] or "3600"))

    async def _notify(self, dialog: str, event: str, expires: str) -> None:
        """What every accepted SUBSCRIBE is followed by (RFC 6665 4.2.1.2)."""
        state = "terminated;reason=timeout" if expires == "0" else f"active;expires={expires}"
        kind, body = self.document or ("", b"")
        headers = [("Event", event), ("Subscription-State", state)]
        await self.request("NOTIFY", "", headers, kind, body, self.dialogs[dialog])

    # what it asks

    async def request(
        self, method: str, uri: str, headers: Headers, kind: str, body: bytes, dialog: Dialog, timeout: float = 5.0
    ) -> SipMessage:
        """Send a request and wait for its final response; raises TimeoutError."""
        branch = f"z9hG4bK{fresh()}"
        dialog.cseq += 1
        more = [*headers, *([("Content-Type", kind)] if kind else [])]
        raw = self._request(method, uri or dialog.target, branch, dialog, more, body)
        waits: asyncio.Future[SipMessage] = asyncio.get_running_loop().create_future()
        self.waiting[(branch, method)] = waits
        resending = asyncio.get_running_loop().create_task(self._resend(raw, waits))
        try:
            got = await asyncio.wait_for(waits, timeout)
        finally:
            resending.cancel()
            del self.waiting[(branch, method)]
        if method == "INVITE":
            await self._acknowledge(got, uri, branch, dialog)
        if got.status in (401, 407) and self.password and not any("uthorization" in name for name, _ in headers):
            user = self.aor.partition(":")[2].partition("@")[0]
            proven = [*headers, proof(got, method, uri or dialog.target, user, self.password)]
            return await self.request(method, uri, proven, kind, body, dialog, timeout)
        return got

    def _request(
        self, method: str, uri: str, branch: str, dialog: Dialog, more: Headers, body: bytes = b"", cseq: int = 0
    ) -> bytes:
        via = f"SIP/2.0/{self.links.transport.upper()} {self.links.address}:{self.links.port};rport;branch={branch}"
        headers = [
            ("Via", via),
            ("Max-Forwards", "70"),
            *(("Route", route) for route in dialog.routes),
            ("From", dialog.local),
            ("To", dialog.remote),
            ("Call-ID", dialog.call_id),
            ("CSeq", f"{cseq or dialog.cseq} {method}"),
        ]
        # RFC 3428 4 forbids Contact in MESSAGE
        own = [] if method == "MESSAGE" else [("Contact", f"<{self.links.contact}>")]
        return written(f"{method} {uri} SIP/2.0", [*headers, *own, *more], body)

    async def _resend(self, raw: bytes, waits: "asyncio.Future[SipMessage]") -> None:
        pause = _T1
        while True:
            await self.links.send(raw)
            if self.links.transport == "tcp" or waits.done():
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, 4.0)

    async def _acknowledge(self, got: SipMessage, uri: str, branch: str, dialog: Dialog) -> None:
        """Send the ACK: of the dialog for a 2xx, of the transaction otherwise (RFC 3261 17.1.1.3)."""
        number = int(got["cseq"].split(" ")[0])
        if got.status < 300:
            answered = dialog.opened(got)
            await self.links.send(self._request("ACK", answered.target, f"z9hG4bK{fresh()}", answered, [], cseq=number))
        else:
            refused = Dialog(dialog.call_id, dialog.local, got["to"], dialog.cseq, uri, dialog.routes)
            await self.links.send(self._request("ACK", uri or dialog.target, branch, refused, [], cseq=number))

    # what it is told

    def obey(self, order: _Order) -> None:
        """Do what one line says."""
        known: dict[str, Callable[[_Order], Coroutine[Any, Any, _Order]]] = {
            "request": self._ordered_request,
            "keep": self._ordered_keep,
            "drop": self._ordered_drop,
            "answer": self._ordered_answer,
            "document": self._ordered_document,
            "raw": self._ordered_raw,
        }
        asyncio.get_running_loop().create_task(self._obey(order, known[order["do"]]))

    async def _obey(self, order: _Order, does: Callable[[_Order], Coroutine[Any, Any, _Order]]) -> None:
        try:
            said = {"done": order["id"], **await does(order)}
        except Exception as problem:  # noqa: BLE001 - the test must hear of it, whatever it is
            said = {"failed": order["id"], "reason": repr(problem)}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()

    async def _ordered_request(self, order: _Order) -> _Order:
        """Ask {method, uri, headers, type, body, dialog, timeout}; publication: the event whose ETag is sent along."""
        uri, method = order["uri"], order["method"]
        dialog = self.dialogs.get(order["dialog"]) or Dialog.new(order.get("from") or self.aor, order.get("to") or uri)
        headers = [(name, value) for name, value in order["headers"]]
        event = order.get("publication", "")
        if self.etags.get(event):
            headers.append(("SIP-If-Match", self.etags[event]))
        opens = method in ("INVITE", "SUBSCRIBE") and dialog.call_id not in self.dialogs
        if opens:
            # a NOTIFY may come before the answer (RFC 6665 4.1.2.4)
            self.dialogs[dialog.call_id] = dialog
        got = await self.request(
            method, uri, headers, order["type"], b64decode(order["body"]), dialog, order["timeout"]
        )
        if event:
            gone = got.status >= 300 or ("Expires", "0") in headers
            self.etags[event] = "" if gone else got["sip-etag"]
        if method in ("INVITE", "SUBSCRIBE") and got.status < 300:
            self.dialogs[dialog.call_id] = dialog.opened(got)
        if method == "BYE" or got.status == 481 or (opens and got.status >= 300):
            self._end(dialog.call_id)
        return {"wire": tell.written(got.raw), "dialog": dialog.call_id}

    async def _ordered_keep(self, order: _Order) -> _Order:
        """Ask the same again every {every} seconds, under a name, until dropped."""
        await self._ordered_drop(order)
        self.kept[order["name"]] = asyncio.get_running_loop().create_task(self._repeat(order))
        return {}

    async def _repeat(self, order: _Order) -> None:
        while True:
            await asyncio.sleep(order["every"])
            await self._ordered_request(order)

    async def _ordered_drop(self, order: _Order) -> _Order:
        """Stop what `keep` began."""
        if order["name"] in self.kept:
            self.kept.pop(order["name"]).cancel()
        return {}

    async def _ordered_answer(self, order: _Order) -> _Order:
        """Answer {method, type} from now on with {status, reason, headers, body, delay}, {times} times."""
        headers = tuple((name, value) for name, value in order["headers"])
        answer = Answer(order["status"], order["reason"], headers, b64decode(order["body"]), order["delay"])
        self.answers.teach(order["method"], order["type"], answer, order["times"])
        return {}

    async def _ordered_document(self, order: _Order) -> _Order:
        """What a NOTIFY of its own carries."""
        self.document = (order["type"], b64decode(order["body"]))
        return {}

    async def _ordered_raw(self, order: _Order) -> _Order:
        """Send these bytes to the registrar as they stand."""
        await self.links.send(b64decode(order["body"]))
        return {}


async def _run(aor: str, address: str, port: str, registrar: str, transport: str, password: str = "") -> None:
    links = Links(aor, address, int(port), registrar, transport)
    agent = Agent(aor, links, password=password)
    await links.open(agent.receive)
    lines = asyncio.StreamReader(limit=1 << 22)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        agent.obey(json.loads(line))


if __name__ == "__main__":
    asyncio.run(_run(*sys.argv[1:]))
