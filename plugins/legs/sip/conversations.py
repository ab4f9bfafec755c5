"""Threads and Call-IDs: which messages belong together, in the words of either protocol (RFC 7572 tables 1 and 2)."""

import hmac
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from attrs import define, field

from gateway.protocols.ids import clean_id

MOST: Final = 20_000
"""Conversations that are remembered; of more the oldest are forgotten and go on under a new name."""
_EPOCH: Final = 1_700_000_000
"""Numbers of a conversation begin at the seconds since then: whatever was forgotten, they rise (RFC 3261 8.1.1.5)."""

Call = tuple[str, int]
"""A Call-ID, and the number of the next request in it."""


@define
class Conversations:
    """Knows the conversations of one side; `shows` says whether a Call-ID heard there may be seen on the other side.

    That of our own server may not: it can bear the name of a host. Its thread is made of it and of a secret.
    """

    secret: bytes = field(repr=False)
    shows: bool
    now: Callable[[], float]
    _calls: OrderedDict[tuple[str, str, str], Call] = field(init=False, factory=OrderedDict)
    """By who writes here, to whom, and the thread."""
    _threads: OrderedDict[tuple[str, str, str], str] = field(init=False, factory=OrderedDict)
    """By who writes here, to whom, and the Call-ID."""

    _spoken: OrderedDict[tuple[str, str], str] = field(init=False, factory=OrderedDict)
    """The thread in which each has written in a session last: its Call-ID is not ours to choose."""

    def speak(self, local: str, remote: str, thread: str) -> None:
        """Takes note that `local` writes in a thread in a session: what is answered there is in that thread."""
        self._spoken[(local, remote)] = thread
        self._spoken.move_to_end((local, remote))
        if len(self._spoken) > MOST:
            self._spoken.popitem(last=False)

    def thread(self, local: str, remote: str, call_id: str, in_session: bool = False) -> str:
        """Gives the thread of a message that `remote` has sent in a call, which is a session or none."""
        known = self._threads.get((local, remote, call_id))
        if in_session and self._spoken.get((local, remote)):
            return self._spoken[(local, remote)]
        if known is not None:
            return known
        thread = clean_id(call_id) if self.shows else ""
        thread = thread or self._made(local, remote, call_id)
        self.bind(local, remote, thread, call_id)
        return thread

    def call(self, local: str, remote: str, thread: str) -> Call | None:
        """Gives Call-ID and number for a message that `local` writes in a thread; None when it belongs to none.

        The same thread of two others has another Call-ID: who can see one cannot join the other.
        """
        if not thread:
            return None
        key = (local, remote, thread)
        call_id, number = self._calls.get(key) or (self._made(local, remote, thread), 1)
        number = max(number, int(self.now()) - _EPOCH)
        self.bind(local, remote, thread, call_id)
        self._calls[key] = (call_id, number + 1)
        return call_id, number

    def bind(self, local: str, remote: str, thread: str, call_id: str) -> None:
        """Remembers that a thread and a call are one conversation."""
        if not (thread and call_id):
            return
        self._threads[(local, remote, call_id)] = thread
        self._threads.move_to_end((local, remote, call_id))
        self._calls.setdefault((local, remote, thread), (call_id, 1))
        self._calls.move_to_end((local, remote, thread))
        if len(self._threads) > MOST:
            self._threads.popitem(last=False)
        if len(self._calls) > MOST:
            self._calls.popitem(last=False)

    def _made(self, local: str, remote: str, name: str) -> str:
        digest = hmac.new(self.secret, f"{local}\0{remote}\0{name}".encode("utf-8", "replace"), sha256)
        return digest.hexdigest()[:32]
