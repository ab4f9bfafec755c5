"""The tap that keeps conversations: collects them, and brings them to the mailbox when they are over."""

from collections.abc import Callable
from functools import partial
from typing import Any

from gateway.interfaces import HistoryShown, HistoryWaiting, Surroundings
from gateway.model.envelope import Envelope
from gateway.policy.verdict import Verdict
from gateway.records.conversations import Conversations
from gateway.store.history import HistoryStore
from plugins.taps.history.carrying import Carrier, in_thread
from plugins.taps.history.collecting import Collector


class History:
    """Keeps what is said where `attach` says so; the message goes on whatever happens here."""

    required = False

    def __init__(self, surroundings: Surroundings) -> None:
        terms, reactor = surroundings.config.history, surroundings.reactor
        self._keeps: Callable[[Envelope], bool] = lambda envelope: False
        self._metrics = surroundings.metrics
        self._store = HistoryStore(surroundings.config.state / "history.db", reactor)
        self._carrier = Carrier(self._store, terms, surroundings.metrics, surroundings.now, partial(in_thread, reactor))
        tracker = Conversations(idle_seconds=terms.idle_minutes * 60.0)
        self._collector = Collector(
            self._store, tracker, surroundings.now, self._carrier.put, lambda: self._metrics.history("dropped").inc()
        )
        for kept in sorted(self._store.all(), key=lambda each: each.last):
            (self._collector.resume if kept.ended is None else self._carrier.put)(kept)

    def attach(self, keeps: Callable[[Envelope], bool]) -> None:
        """Says where it is asked whether what passes between two is kept."""
        self._keeps = keeps

    def record(self, received: Envelope, verdict: Verdict) -> None:
        """Takes one decision."""
        self._collector.take(received, verdict, lambda: self._keeps(received))

    def tick(self) -> None:
        """Ends what is over and brings it away; once a second."""
        self._collector.tick()
        self._carrier.tick()

    def check(self) -> str | None:
        """Says why nothing can be kept, or None."""
        return self._store.check()

    def shown(self, person: str = "") -> HistoryShown:
        """Says what goes on and what waits, of one person or of all."""
        waiting = [
            HistoryWaiting(each.kept.person, each.kept.started, each.kept.tries, each.problem, each.due)
            for each in self._carrier.of(person)
        ]
        return HistoryShown(len(self._collector), tuple(waiting))

    def retry(self, person: str = "") -> int:
        """Tries at once what waits, of one person or of all; gives how many conversations that are."""
        return self._carrier.retry(person)

    def records(self, address: str) -> list[dict[str, Any]]:
        """Gives the conversations of a person or a contact that are not in a mailbox; texts are not among them."""
        return [
            {"person": each.person, "contact": each.contact, "started": each.started, "last": each.last}
            for each in self._store.all()
            if address in (each.person, each.contact)
        ]

    async def erase(self, address: str) -> int:
        """Forgets them."""
        names = [each.name for each in self._store.all() if address in (each.person, each.contact)]
        self._collector.forget(names)
        self._carrier.forget(names)
        await self._store.remove(names)
        return len(names)

    async def close(self) -> None:
        """Lets everything go: what goes on and what waits is on disk."""
        self._carrier.closed = True
        await self._store.close()


def build(surroundings: Surroundings) -> History:
    """Makes the tap."""
    return History(surroundings)
