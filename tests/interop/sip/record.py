"""The messages that a SIP client of the lab sent and received, and how a test asks about them."""

import threading
import time
from collections.abc import Callable

from .wire import SipMessage

That = Callable[[SipMessage], bool]


class Record:
    """Every message in order; retransmissions are kept, but only `messages` shows them."""

    def __init__(self, aor: str) -> None:
        self.aor = aor
        self.changed = threading.Condition()
        self._messages: list[SipMessage] = []

    def add(self, message: SipMessage) -> None:
        """Take one more; the caller holds `changed`."""
        self._messages.append(message)

    def mark(self) -> int:
        """A place in the record: now."""
        with self.changed:
            return len(self._messages)

    def messages(self, that: That = bool, *, after: int = 0) -> list[SipMessage]:
        """Everything of both directions from mark `after` on of which `that` holds."""
        with self.changed:
            return [message for message in self._messages[after:] if that(message)]

    def requests(self, method: str = "", that: That = bool, *, after: int = 0) -> list[SipMessage]:
        """The requests that came, of one method or of all."""
        return self.messages(_came(method, False, that), after=after)

    def responses(self, method: str = "", that: That = bool, *, after: int = 0) -> list[SipMessage]:
        """The responses that came, to one method or to all."""
        return self.messages(_came(method, True, that), after=after)

    def wait_for(self, method: str, that: That = bool, timeout: float = 5.0, *, after: int = 0) -> SipMessage:
        """The first request that came, from mark `after` on, of which `that` holds; raises AssertionError."""
        wanted, deadline = _came(method, False, that), time.monotonic() + timeout
        place = after
        with self.changed:
            while True:
                for message in self._messages[place:]:
                    if wanted(message):
                        return message
                place = max(place, len(self._messages))
                left = deadline - time.monotonic()
                if left <= 0 or not self.changed.wait(left):
                    break
        raise AssertionError(f"{self.aor} did not receive such a {method} within {timeout} s:\n{self.story(after)}")

    def never(self, method: str, that: That = bool, within: float = 1.0, *, after: int = 0) -> None:
        """Wait `within` seconds; raises AssertionError when such a request has come, before or meanwhile."""
        time.sleep(within)
        for message in self.requests(method, that, after=after):
            raise AssertionError(f"{self.aor} received\n{message}")

    def story(self, after: int = 0) -> str:
        """What was sent and received, to be read."""
        told = (f"{'>>>' if got.sent else '<<<'} {got.peer}\n{got}" for got in self.messages(after=after))
        return "\n".join(told) or "nothing"


def _came(method: str, response: bool, that: That) -> That:
    def wanted(message: SipMessage) -> bool:
        if message.sent or message.again or bool(message.status) is not response:
            return False
        return method in ("", message.method) and that(message)

    return wanted
