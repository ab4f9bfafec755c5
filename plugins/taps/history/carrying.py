"""Brings conversations that are over to the mailboxes: again and again until they are there, or too old."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from threading import Thread
from typing import Any, Final

from attrs import define, evolve, field
from twisted.internet.defer import Deferred

from gateway.config.recording import HistoryTerms, MailLogin, MailTls
from gateway.log import Log
from gateway.metrics import Metrics
from gateway.model.address import Address
from gateway.protocols.mail import message_id, write_conversation
from gateway.store.history import HistoryStore, Kept
from plugins.taps.history.mailbox import Carried, Letter, Login, carry

log = Log("history")

AT_ONCE: Final = 4
"""Mailboxes to which something is brought at the same time."""
MOST_LETTERS: Final = 20
"""Conversations that one attempt brings to one mailbox."""
SETTLE_SECONDS: Final = 5.0
"""After a crash: so long the mailbox may take to show what the last attempt has added."""
_DAY: Final = 86_400.0

InThread = Callable[[Callable[[], Carried]], "Deferred[Carried]"]


@define
class _Waiting:
    kept: Kept
    due: float
    problem: str = ""


@define(eq=False)
class Carrier:
    """Is the queue; it is on disk, and what it holds in memory says where."""

    store: HistoryStore
    terms: HistoryTerms
    metrics: Metrics
    now: Callable[[], float]
    in_thread: InThread
    _waiting: dict[str, _Waiting] = field(init=False, factory=dict)
    _busy: set[str] = field(init=False, factory=set)
    """People whose mailbox is being written to."""
    closed: bool = False

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, kept: Kept) -> None:
        """Takes a conversation that is over."""
        if len(self._waiting) >= self.terms.most:
            self._drop([kept.name], "dropped")
            return
        settles = SETTLE_SECONDS if kept.tries else 0.0
        self._waiting[kept.name] = _Waiting(kept, self.now() + settles)

    def tick(self) -> None:
        """Starts what is due, gives up what is too old, and says how it stands."""
        now = self.now()
        self._give_up(now - self.terms.keep_days * _DAY)
        for person, entries in self._due(now).items():
            if len(self._busy) < AT_ONCE:
                self._begin(person, entries[:MOST_LETTERS])
        self.metrics.history_waiting().set(len(self._waiting))
        self.metrics.history_oldest().set(max((now - _ended(each) for each in self._waiting.values()), default=0.0))

    def retry(self, person: str = "") -> int:
        """Makes what waits, of one person or all, due at once; gives how many that are."""
        found = self.of(person)
        for each in found:
            each.due = self.now()
        return len(found)

    def of(self, person: str = "") -> list[_Waiting]:
        """Gives what waits, of one person or all."""
        return [each for each in self._waiting.values() if person in ("", each.kept.person)]

    def forget(self, names: list[str]) -> None:
        """Forgets conversations that wait; what is being brought to a mailbox now may arrive there."""
        for name in names:
            self._waiting.pop(name, None)

    def _due(self, now: float) -> dict[str, list[_Waiting]]:
        found: dict[str, list[_Waiting]] = {}
        for each in self._waiting.values():
            if each.due <= now and each.kept.person not in self._busy:
                found.setdefault(each.kept.person, []).append(each)
        return found

    def _begin(self, person: str, entries: list[_Waiting]) -> None:
        """Notes on disk that it is tried, then tries: after a crash it is known that the mailbox must be looked at."""
        letters = [letter for letter in map(self._written, entries) if letter is not None]
        entries = [each for each in entries if any(letter.name == each.kept.name for letter in letters)]
        names = [each.kept.name for each in entries]
        if not entries:
            return
        self._busy.add(person)
        for each in entries:
            each.kept = evolve(each.kept, tries=each.kept.tries + 1)
        noted = self.store.attempt(names)
        noted.addCallback(lambda _: self._try(entries[0].kept.person, letters))
        noted.addCallbacks(self._tried, self._stuck, callbackArgs=(person, names), errbackArgs=(person, names))
        noted.addErrback(lambda failure: log.failure("what became of a conversation is not known", failure))

    def _written(self, waiting: _Waiting) -> Letter | None:
        """Gives the letter of a conversation; None when it cannot be written, which keeps none of the others here."""
        try:
            return self._letter(waiting.kept)
        except Exception:  # noqa: BLE001 whatever is in it, the queue must go on
            log.failure("a conversation could not be written as mail")
            waiting.kept = evolve(waiting.kept, tries=waiting.kept.tries + 1)
            waiting.problem, waiting.due = "unexpected", self.now() + self._pause(waiting.kept.tries)
            return None

    def _letter(self, kept: Kept) -> Letter:
        said = self.store.transcript(kept)
        return Letter(kept.name, message_id(said), write_conversation(said), kept.started, kept.tries > 0)

    def _try(self, person: Address, letters: list[Letter]) -> "Deferred[Carried] | Carried":
        login = login_of(self.terms, person)
        if isinstance(login, str):
            return Carried([], login)
        return self.in_thread(lambda: carry(login, letters))

    def _tried(self, outcome: Carried, person: str, names: Iterable[str]) -> None:
        self._busy.discard(person)
        if self.closed:
            return
        if outcome.done:
            self._drop(outcome.done, "kept")
        for each in filter(None, map(self._waiting.get, names)):
            self.metrics.history("failed").inc()
            if not each.problem:
                log.warn("conversation not brought to the mailbox", reason=outcome.problem)
            each.problem = outcome.problem
            each.due = self.now() + self._pause(each.kept.tries)

    def _stuck(self, failure: Any, person: str, names: Iterable[str]) -> None:
        log.failure("bringing a conversation to the mailbox failed", failure)
        self._tried(Carried([], "unexpected"), person, names)

    def _pause(self, tries: int) -> float:
        return min(self.terms.retry_seconds * 2.0 ** min(tries - 1, 30), self.terms.retry_max_seconds)

    def _give_up(self, before: float) -> None:
        old = [
            name for name, each in self._waiting.items() if _ended(each) < before and each.kept.person not in self._busy
        ]
        if old:
            log.error("conversations given up", count=len(old))
            self._drop(old, "expired")

    def _drop(self, names: list[str], outcome: str) -> None:
        for name in names:
            self._waiting.pop(name, None)
        self.metrics.history(outcome).inc(len(names))
        self.store.remove(names).addErrback(lambda failure: log.failure("a conversation stays on disk", failure))


def _ended(waiting: _Waiting) -> float:
    return waiting.kept.ended or waiting.kept.last


def login_of(terms: HistoryTerms, person: Address) -> Login | str:
    """Gives how the gateway comes to a person's mailbox, or why it cannot.

    An address with a star in it could name a master user of its own choice.
    """
    if terms.server is None or "*" in person:
        return "address"
    secret = terms.secret.text if terms.secret is not None else ""
    if terms.secret_file:
        try:
            secret = Path(filled(terms.secret_file, person)).read_text("utf-8").strip()
        except (OSError, ValueError):
            return "secret"
    return Login(
        terms.server.host,
        terms.server.port,
        terms.tls is MailTls.STARTTLS,
        terms.ca.file,
        filled(terms.login, person),
        secret,
        terms.method is MailLogin.XOAUTH2,
        terms.folder,
    )


def filled(pattern: str, person: Address) -> str:
    """Puts a person's names into a pattern."""
    parts: Mapping[str, str] = {"{address}": person.bare, "{local}": person.local, "{domain}": person.domain}
    for name, value in parts.items():
        pattern = pattern.replace(name, value)
    return pattern


def in_thread(reactor: Any, call: Callable[[], Carried]) -> "Deferred[Carried]":
    """Carries something out in a thread that does not keep the process from ending."""
    done: Deferred[Carried] = Deferred()

    def run() -> None:
        try:
            outcome = call()
        except Exception:  # noqa: BLE001 whatever it is, the queue must go on
            reactor.callFromThread(done.callback, Carried([], "unexpected"))
            raise
        reactor.callFromThread(done.callback, outcome)

    Thread(target=run, name="mailbox", daemon=True).start()
    return done
