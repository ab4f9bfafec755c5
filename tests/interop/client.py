"""A user of the lab: a slixmpp client in a process of its own, moved by the test."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from .process import LabError
from .stanza import Stanza, Wanted, child, markup

_PROGRAM = Path(__file__).with_name("slix_client.py")


class Client:
    """Sends what the test says and keeps every stanza it receives, in order."""

    def __init__(
        self, jid: str, argv: list[str], errors: Path, before_connect: Callable[[], None] = lambda: None
    ) -> None:
        self.jid = jid
        self.bare = jid.split("/")[0]
        self._before_connect = before_connect
        self._received: list[Stanza] = []
        self._events: list[str] = []
        self._changed = threading.Condition()
        self._errors = errors
        with errors.open("wb") as stream:
            self._popen = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stream, start_new_session=True
            )
        self._reader = threading.Thread(target=self._read, name=f"lab client {jid}", daemon=True)
        self._reader.start()

    @staticmethod
    def argv(jid: str, password: str, address: str, plugins: tuple[str, ...]) -> list[str]:
        """The command line of a client."""
        return [sys.executable, str(_PROGRAM), jid, password, address, *plugins]

    # what it is told to do

    def connect(self, *, presence: bool = True, timeout: float = 10.0) -> None:
        """Log in, ask for the roster and (unless told not to) become available; raises LabError."""
        self._before_connect()
        seen = len(self._events)
        self._order(do="connect")
        self.wait_for_event("session_start", timeout, after=seen)
        self.iq("", "<query xmlns='jabber:iq:roster'/>", timeout=timeout)
        if presence:
            self.presence()

    def disconnect(self, timeout: float = 5.0) -> None:
        """Log out and wait until the stream is closed; connect() may follow."""
        seen = len(self._events)
        self._order(do="disconnect")
        self.wait_for_event("disconnected", timeout, after=seen)

    def presence(
        self,
        show: str = "",
        status: str = "",
        priority: int | None = None,
        extra: str = "",
        *,
        to: str = "",
        type: str = "",
    ) -> None:
        """Publish presence, or send it to one address; `extra` is markup inside it."""
        urgency = "" if priority is None else str(priority)
        body = child("show", show) + child("status", status) + child("priority", urgency) + extra
        self.raw(markup("presence", body, to=to, type=type))

    def subscribe(self, to: str, extra: str = "") -> None:
        """Ask to see the presence of `to` (RFC 6121 3.1)."""
        self.presence(extra=extra, to=to, type="subscribe")

    def approve(self, to: str) -> None:
        """Let `to` see the own presence (RFC 6121 3.1.4)."""
        self.presence(to=to, type="subscribed")

    def unsubscribe(self, to: str) -> None:
        """Stop seeing the presence of `to` (RFC 6121 3.3)."""
        self.presence(to=to, type="unsubscribe")

    def revoke(self, to: str) -> None:
        """Let `to` no longer see the own presence, or refuse his request (RFC 6121 3.2)."""
        self.presence(to=to, type="unsubscribed")

    def message(self, to: str, body: str = "", extra: str = "", *, type: str = "chat") -> str:
        """Send a message, `extra` is markup inside it; its id."""
        name = uuid4().hex[:12]
        self.raw(markup("message", child("body", body) + extra, to=to, type=type, id=name))
        return name

    def iq(self, to: str, payload: str, *, type: str = "get", timeout: float = 5.0) -> Stanza:
        """Send a request and return the answer, result or error; raises AssertionError without one."""
        name = uuid4().hex[:12]
        mark = self.mark()
        self.raw(markup("iq", payload, to=to, type=type, id=name))
        return self.wait_for(lambda got: got.name == "iq" and got["id"] == name, timeout, after=mark)

    def raw(self, xml: str) -> None:
        """Send this text as it stands."""
        self._order(do="send", xml=xml)

    # what it saw

    def stanzas(self, wanted: Wanted | None = None, *, after: int = 0) -> list[Stanza]:
        """What it received from mark `after` on, all or only what matches."""
        with self._changed:
            received = self._received[after:]
        return received if wanted is None else [stanza for stanza in received if stanza.matches(wanted)]

    def mark(self) -> int:
        """A place in the list of received stanzas: now."""
        with self._changed:
            return len(self._received)

    def events(self) -> list[str]:
        """What happened to its stream: session_start, disconnected, failed_all_auth, stream_error, …"""
        with self._changed:
            return list(self._events)

    def wait_for(self, wanted: Wanted, timeout: float = 5.0, *, after: int = 0) -> Stanza:
        """The first received stanza that matches, from mark `after` on; raises AssertionError after `timeout` s."""
        deadline = time.monotonic() + timeout
        place = after
        with self._changed:
            while True:
                for stanza in self._received[place:]:
                    if stanza.matches(wanted):
                        return stanza
                place = max(place, len(self._received))
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    break
        seen = "\n  ".join(stanza.xml for stanza in self.stanzas(after=after)) or "nothing"
        raise AssertionError(f"{self.jid} did not receive {wanted!r} within {timeout} s; received:\n  {seen}")

    def never(self, wanted: Wanted, within: float = 1.0, *, after: int = 0) -> None:
        """Wait `within` seconds; raises AssertionError when something that matches has come, before or meanwhile."""
        time.sleep(within)
        for stanza in self.stanzas(wanted, after=after):
            raise AssertionError(f"{self.jid} received {stanza.xml}")

    def wait_for_event(self, event: str, timeout: float = 5.0, *, after: int = 0) -> None:
        """Wait until this happened to its stream, from place `after` of events() on; raises LabError."""
        with self._changed:
            ended = {event, "failed_all_auth"}
            self._changed.wait_for(lambda: ended.intersection(self._events[after:]), timeout)
            events = self._events[after:]
        if event in events:
            return
        told = self._errors.read_text(errors="replace")[-2000:]
        raise LabError(f"{self.jid}: {event} did not come (at most {timeout} s), only {events}\n{told}")

    # the process

    @property
    def pid(self) -> int:
        """The id of its process."""
        return self._popen.pid

    def kill(self) -> None:
        """End it at once, without leaving the stream in order."""
        if self._popen.poll() is None:
            self._popen.kill()
        self._popen.wait()
        self._reader.join(2.0)
        if self._popen.stdin:
            with suppress(BrokenPipeError):
                self._popen.stdin.close()

    def _order(self, **order: Any) -> None:
        if self._popen.stdin is None or self._popen.poll() is not None:
            raise LabError(f"{self.jid} ended: {self._errors.read_text(errors='replace')[-2000:]}")
        self._popen.stdin.write(json.dumps(order).encode() + b"\n")
        self._popen.stdin.flush()

    def _read(self) -> None:
        for line in self._popen.stdout or ():
            said = json.loads(line)
            with self._changed:
                if "stanza" in said:
                    self._received.append(Stanza(said["stanza"], said["at"]))
                else:
                    self._events.append(said["event"] if "reason" not in said else f"refused {said['reason']}")
                self._changed.notify_all()
