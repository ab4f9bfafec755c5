"""A process with the history tap over a state folder that kills itself at a step.

Words: step, folder, port, authority, user, password.

Without a conversation in the folder two people have one first. With the step "none" it ends when nothing waits.
"""

import imaplib
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import LoopingCall

from gateway.config.recording import HistoryTerms
from gateway.config.values import Endpoint, Secret, Trust
from gateway.metrics import Metrics
from gateway.model.address import Address
from gateway.model.envelope import Envelope, Side
from gateway.model.message import Message
from gateway.policy.verdict import Decision, Reason, Verdict
from gateway.store.history import HistoryStore
from plugins.taps.history import carrying, mailbox
from plugins.taps.history.carrying import Carrier
from plugins.taps.history.tap import build

STEPS = ("said", "ended", "noted", "selected", "half", "appended", "answered", "removed")
TEXT = "said before the crash"
HALF = 300
"""Bytes of a message that are sent before the process dies in the middle of it; commands are shorter."""


def die(*_: object) -> None:
    """Ends as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def before(owner: Any, name: str) -> None:
    """Dies instead of doing something."""
    setattr(owner, name, die)


def after(owner: Any, name: str) -> None:
    """Dies once something is done; of what is written, once it is on the disk."""
    really: Callable[..., Any] = getattr(owner, name)

    def done(*arguments: Any) -> Any:
        found = really(*arguments)
        if hasattr(found, "addCallback"):
            return found.addCallback(die)
        return die()

    setattr(owner, name, done)


def half(server: Any, text: Any) -> None:
    """Sends a part of what is long, and dies."""
    server.sock.sendall(bytes(text)[:HALF] if len(text) > HALF else text)
    if len(text) > HALF:
        time.sleep(0.2)  # so that the server has read it
        die()


def arm(step: str) -> None:
    """Makes the process die at a step."""
    told: dict[str, Callable[[], None]] = {
        "said": lambda: after(HistoryStore, "say"),
        "ended": lambda: after(HistoryStore, "end"),
        "noted": lambda: before(Carrier, "_try"),
        "selected": lambda: after(mailbox, "_open_folder"),
        "half": lambda: setattr(imaplib.IMAP4, "send", half),
        "appended": lambda: after(mailbox, "_add"),
        "answered": lambda: before(Carrier, "_tried"),
        "removed": lambda: after(HistoryStore, "remove"),
        "none": lambda: None,
    }
    told[step]()


def main(step: str, folder: Path, port: int, ca: Path, user: str, password: str) -> None:
    """Lets alice say something, lets time pass, and brings the conversation to her mailbox."""
    carrying.SETTLE_SECONDS = 0.5  # type: ignore[misc] # a Dovecot beside us shows at once what it has
    arm(step)
    late = [0.0]
    terms = HistoryTerms(
        server=Endpoint("localhost", port),
        ca=Trust(system=False, file=ca),
        secret=Secret(password),
        idle_minutes=1,
        retry_seconds=0.2,
        retry_max_seconds=0.5,
    )
    config = SimpleNamespace(history=terms, state=folder)
    around: Any = SimpleNamespace(config=config, reactor=reactor, metrics=Metrics(), now=lambda: time.time() + late[0])
    new = not (folder / "history.db").exists()
    tap = build(around)
    tap.attach(lambda envelope: True)
    alice, bob = Address.parse(user), Address.parse("bob@partner.example")
    if new:
        said = Message(id="m1", bodies=(("", TEXT),))
        tap.record(Envelope(alice, bob, said, Side.INTERNAL), Verdict(Decision.DELIVER, Reason.ALLOWED, "", said))
    late[0] = 120.0

    def tick() -> None:
        tap.tick()
        if step == "none" and not tap.shown().open and not tap.shown().waiting:
            reactor.stop()  # type: ignore[attr-defined]

    def fail(failure: Any) -> None:
        failure.printTraceback()
        os._exit(1)

    LoopingCall(tick).start(0.1, now=False).addErrback(fail)
    reactor.run()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]), sys.argv[5], sys.argv[6])
