"""What a plugin implements, and what the house offers it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from attrs import define, field, frozen

from gateway.guarding import Entitled
from gateway.log import Log
from gateway.model.address import Address
from gateway.model.envelope import Envelope, Problem, QueryKind
from gateway.model.presence import Field, PresenceDocument
from gateway.model.publication import Origin
from gateway.policy.access_level import Member
from gateway.policy.verdict import Verdict
from gateway.records.signalling import Signal

log = Log("promise")


@frozen
class LegReport:
    """Is how a leg is doing."""

    problem: str = ""
    """Why the inside cannot be reached, or ''."""
    links: tuple[dict[str, Any], ...] = ()
    """One row per pair of domains towards partners: partner, local, remote, state, queue, tls, problem, ..."""
    certificate_ends: Mapping[str, float] = field(factory=dict)
    """Posix time at which the certificate of each of our domains ends."""


class Leg(Protocol):
    """Speaks one protocol with the partners outside, with the organisation's own server inside, or with both."""

    name: str

    @property
    def confirms(self) -> bool:
        """Says whether it tells of each envelope with a ticket that it is delivered, undeliverable or postponed."""

    @property
    def carries(self) -> frozenset[Field]:
        """Gives the fields that its presence carries; the others it can only give to who asks, if at all."""

    def start(self) -> Awaitable[None]:
        """Opens what the configuration names; raises GatewayError when that is impossible."""

    def deliver(self, envelope: Envelope) -> bool:
        """Takes an envelope for the other side of where it came from: sends it (True), or keeps it until a link is up.

        What cannot be delivered comes back through `House.undeliverable`.
        """

    def ask(self, person: Address, contact: Address, kind: QueryKind) -> Awaitable[PresenceDocument | None]:
        """Asks the inside server what a person publishes, in the name of a contact; None when it does not say."""

    def preview(self, envelope: Envelope) -> str:
        """Gives the bytes, as text, that `deliver` would put on the wire for an envelope."""

    def question(self, kind: QueryKind) -> object:
        """Gives the form in which a partner's client asks a question of this kind."""

    def prepare(self, config: Any) -> Callable[[], None]:
        """Reads all that a new configuration names, or raises GatewayError; calling what it gives takes it into use.

        Nothing has changed before that call, which cannot fail; links that the change does not touch stay up.
        """

    def report(self) -> LegReport:
        """Says how the links are."""

    def offers(self, domain: str) -> Awaitable[bool]:
        """Says whether a domain names servers for this protocol in DNS."""

    def test(self, remote: str) -> Awaitable[list[Any]]:
        """Tries to reach a domain step by step: rows of name, outcome (ok, warn, fail), text, and what to paste."""

    def stop(self) -> Awaitable[None]:
        """Closes every link cleanly, in bounded time."""


@define(eq=False)
class Promise:
    """Is a tap's word that it will say whether what it took lasts; one may stand for many envelopes."""

    kept: bool | None = None
    """None while that is open."""
    alone: bool = False
    """Whether it holds the one envelope for which it was given, from whichever side; else all that leaves after it."""
    _waiting: list[Callable[[bool], None]] = field(init=False, factory=list)

    def then(self, call: Callable[[bool], None]) -> None:
        """Calls, in the order of asking, as soon as it is known."""
        if self.kept is None:
            self._waiting.append(call)
        else:
            call(self.kept)

    def settle(self, kept: bool) -> None:
        """Makes it known; only the first word counts."""
        if self.kept is None:
            self.kept = kept
            waiting, self._waiting = self._waiting, []
            for call in waiting:
                try:
                    call(kept)
                except Exception:  # noqa: BLE001 many wait for one commit, and none of them for the others
                    log.failure("what waited for the disk could not be handed on")


class Tap(Protocol):
    """Sees every envelope and its verdict; can change neither."""

    required: bool
    """When true, an envelope that cannot be recorded is not delivered."""

    def record(self, received: Envelope, verdict: Verdict) -> Promise | None:
        """Records one decision; an exception from a required tap refuses the envelope.

        A required tap that must wait for a disk gives a Promise: nothing that discloses leaves before it is kept, or,
        when it is one that stands `alone`, this envelope goes nowhere before.
        """


@frozen
class Entry:
    """Is what a directory says about one person."""

    values: Mapping[Field, Any] = field(repr=False)
    groups: frozenset[str] = frozenset()
    ends: float | None = None
    """Posix seconds at which it has to be asked again at the latest; None: when the directory says that it changed."""


@frozen
class HistoryWaiting:
    """Is one conversation that is not in its mailbox yet; times are posix seconds."""

    person: str
    started: float
    tries: int
    problem: str
    """Why the last attempt failed, in a closed word, or ''."""
    due: float


@frozen
class HistoryShown:
    """Says how the history stands: conversations that go on, and those that wait."""

    open: int
    waiting: tuple[HistoryWaiting, ...]


class HistoryTap(Tap, Protocol):
    """Keeps conversations in the mailboxes of our people."""

    def attach(self, keeps: Callable[[Envelope], bool]) -> None:
        """Says where it is asked whether what passes between two is kept."""

    def tick(self) -> None:
        """Does what time brings; once a second."""

    def check(self) -> str | None:
        """Says why nothing can be kept, or None."""

    def shown(self, person: str = "") -> HistoryShown:
        """Says what goes on and what waits, of one person or of all."""

    def retry(self, person: str = "") -> int:
        """Tries at once what waits, of one person or of all; gives how many conversations that are."""

    def records(self, address: str) -> list[dict[str, Any]]:
        """Gives what is kept here of a person or a contact, as plain values; texts are not among them."""

    def erase(self, address: str) -> Awaitable[int]:
        """Forgets all conversations of a person or a contact that are not in a mailbox; gives how many."""

    def close(self) -> Awaitable[None]:
        """Lets everything go, in bounded time."""


class Directory(Protocol):
    """Knows published information about our people: what the administrator keeps of them, or their calendars."""

    name: str
    origin: Origin

    def start(self) -> Awaitable[None]:
        """Gets ready to be asked; raises GatewayError when the configuration makes that impossible."""

    def look_up(self, person: Address) -> Awaitable[Entry | None]:
        """Gives what is known about a person, or None when he is not; raises GatewayError when it cannot be asked."""

    def stop(self) -> Awaitable[None]:
        """Lets go of everything, in bounded time."""


@frozen
class Meeting:
    """Is a connection on which a partner and we have proven who we are."""

    leg: str
    local: str
    remote: str
    method: str
    """How the partner has proven itself: `external`, `dialback`, `mutual TLS`."""
    key: str = ""
    """SHA-256 of the public key in its certificate, hexadecimal; '' when it has shown none."""
    issuer: str = ""
    """Who has issued that certificate (RFC 4514)."""
    tls: str = ""
    """`TLSv1.2` or `TLSv1.3`."""
    direction: str = "in"
    """`in` when the partner has called, else `out`."""


class House(Protocol):
    """Is what a leg may ask of the house."""

    def receive(self, envelope: Envelope) -> Promise | None:
        """Takes what came from a peer that proved the sender's domain: looks up, authorizes, records, delivers.

        Gives a promise when it is not in safe hands yet: a leg whose protocol can acknowledge does so once it is kept.
        """

    def reconsider(self, envelope: Envelope) -> Envelope | None:
        """Decides once more about an envelope that waited in a queue; None when nothing of it may leave now."""

    def delivered(self, envelope: Envelope) -> Promise | None:
        """Takes note that the other side has confirmed an envelope that bears a ticket.

        The promise is kept once the disk knows that: until then a crash would have it sent once more.
        """

    def postponed(self, envelope: Envelope) -> None:
        """Takes back an envelope that bears a ticket and cannot be delivered now; it is handed out again later."""

    def undeliverable(self, envelope: Envelope, problem: Problem) -> None:
        """Tells the sender of an envelope, if he waits for an answer, that it cannot be delivered."""

    def published(self, person: Address, values: Mapping[Field, Any]) -> None:
        """Takes published information of one of our people that his server announces; None withdraws a field."""

    def picture_changed(self, person: Address, sha1: str) -> None:
        """Takes note of the picture that one of our people has now ('' for none)."""

    def directory_changed(self, person: Address | None) -> None:
        """Says that what a directory would answer about a person, or about anybody, has changed."""

    def levels_given(self, person: Address, levels: Mapping[Member, str]) -> None:
        """Takes all the levels that one of our people has given at his server, by name of the level.

        They are his own word: each counts where an administrator has decided nothing for the same member.
        """

    def knows(self, one: Address, other: Address) -> bool:
        """Says whether two addresses, in any order, are one of our people and a contact of a partner."""

    def watches(self, watcher: Address, presentity: Address) -> bool:
        """Says whether one of the two, of whom either is one of our people, is subscribed to the other."""

    def asks(self, watcher: Address, presentity: Address) -> bool:
        """Says whether he is subscribed, or has asked and waits."""

    def entitled(self, person: Address, contact: Address, answers: bool) -> Entitled:
        """Says what may be sent to a contact about one of our people; `answers` when the contact has asked."""

    def met(self, meeting: Meeting) -> None:
        """Says that a partner is connected, and how: its contract is looked at."""

    def link_restored(self, local: str, remote: str, complete: bool = False, *, ask: bool = True) -> None:
        """Says that stanzas to a partner's domain can leave again after a link had broken.

        `complete`: the other side has confirmed all that was said before, and that is not long ago. Without `ask` its
        answers cannot come yet: it is to be asked later.
        """

    def link_lost(self, local: str, remote: str) -> None:
        """Says that the presence last heard from `remote` can no longer be trusted."""


class Trace(Protocol):
    """Takes note of signalling for the protocol log, while somebody wants to know."""

    @property
    def on(self) -> bool:
        """Says whether anything is written down; when not, a leg need not note anything."""

    def note(self, make: Callable[..., Signal], *parts: Any) -> None:
        """Has a signal made of these parts and takes it; the type leaves no place for content. Never fails."""


@frozen
class Untraced:
    """Is the trace of nothing."""

    on: bool = False

    def note(self, make: Callable[..., Signal], *parts: Any) -> None:
        """Takes nothing."""


UNTRACED: Trace = Untraced()


@frozen
class Surroundings:
    """Is what every plugin is built with."""

    house: House
    config: Any
    """The whole `gateway.config.Config`."""
    reactor: Any
    now: Callable[[], float]
    """Posix seconds."""
    metrics: Any
    """The `gateway.metrics.Metrics` in force."""
    secret: Callable[[str], bytes]
    """Gives a named secret that is made once and kept."""
    trace: Trace = UNTRACED
    """Where a leg notes what passes."""


Build = Callable[[Surroundings], Leg]
"""What a leg's entry point names."""
