"""Messages that are on their way from or to somebody: shown, written out, and ended where they only wait."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import define
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

from gateway.errors import StoreError
from gateway.log import Log
from gateway.model.envelope import Envelope, Problem, Ticket
from gateway.model.message import Message
from gateway.queues.spool import Spool
from gateway.queues.spool_books import settled
from gateway.store.ledger import sweep
from gateway.store.spool import Row, entries
from gateway.store.spooled import unpack

log = Log("spool")


@define(eq=False)
class Spooled:
    """Is what the spool keeps of people.

    What a person wrote is ended without a word. What was written to him goes back to its sender as undeliverable:
    that sender has been told that it was taken. What a link has just been handed cannot be called back.
    """

    spool: Spool
    path: Path
    undeliverable: Callable[[Envelope, Problem], None]
    threads: Any

    async def records(self, address: str) -> list[dict[str, Any]]:
        """Gives all that waits from or to somebody, the oldest first."""
        return [_shown(envelope) for _, envelope in await self._naming(address)]

    async def erase(self, address: str) -> tuple[int, str]:
        """Ends what waits from or to somebody; gives how many, and in words why others stay."""
        found = await self._naming(address)
        ended, known = 0, None
        for row, envelope in found:
            promise = self.spool.take_up(row)
            if promise is None:
                continue
            ended, known = ended + 1, promise
            if isinstance(envelope.content, Message) and envelope.recipient.bare == address:
                self.undeliverable(envelope, Problem.SERVICE_UNAVAILABLE)
            else:
                assert envelope.ticket is not None  # it comes from the spool
                self.spool.done(envelope.ticket)
        if known is not None:
            if not await settled(known):
                raise StoreError("the spool cannot be written: what was ended may come again after a start")
            await self._elsewhere(lambda: sweep(self.path))
        left = len(found) - ended
        return ended, f"{left} just handed to a link: ask again" if left else ""

    def _naming(self, address: str) -> "Deferred[list[tuple[Row, Envelope]]]":
        quoted = json.dumps(address, ensure_ascii=False)[1:-1]

        def read() -> list[tuple[Row, Envelope]]:
            found = []
            for row in entries(self.path):
                if quoted not in row[5]:
                    continue
                try:
                    envelope = unpack(row[5], Ticket(row[0], row[3]))
                except StoreError as problem:
                    log.warn("an entry of the spool cannot be read", detail=problem)
                    continue
                if address in (envelope.sender.bare, envelope.recipient.bare):
                    found.append((row, envelope))
            return found

        return self._elsewhere(read)

    def _elsewhere(self, call: Callable[[], Any]) -> "Deferred[Any]":
        return deferToThreadPool(self.threads, self.threads.getThreadPool(), call)


def _shown(envelope: Envelope) -> dict[str, Any]:
    content, ticket = envelope.content, envelope.ticket
    return {
        "from": str(envelope.sender.bare),
        "to": str(envelope.recipient.bare),
        "since": ticket.since if ticket is not None else 0.0,
        "bodies": content.bodies if isinstance(content, Message) else (),
        "subjects": content.subjects if isinstance(content, Message) else (),
        "kind": "message" if isinstance(content, Message) else "error",
    }
