"""The messages of one side: what goes out, what comes in, how it is answered, and who is told of a failure."""

from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final

from attrs import define, evolve, field

from gateway.errors import AddressError
from gateway.interfaces import Promise
from gateway.log import Log
from gateway.model.envelope import Bounce, Envelope, Problem, Side
from gateway.model.message import ChatState, Hop, Message, MessageKind
from gateway.protocols.sip.addressing import Untranslatable, uri_text
from gateway.protocols.sip.faults import SipSyntaxError
from gateway.protocols.sip.pager import Delivered, Refused, Undelivered
from gateway.protocols.sip.problems import problem_of, status_of
from gateway.protocols.sip.session import InfoReceived, Letter
from gateway.protocols.sip.station import HOP, HOPS
from gateway.protocols.sip.user_agent import MessageReceived, UserAgent
from plugins.legs.sip import letters
from plugins.legs.sip.conversations import Conversations
from plugins.legs.sip.guarded import SipGuard
from plugins.legs.sip.letters import Written
from plugins.legs.sip.lines import Lines
from plugins.legs.sip.marks import verified
from plugins.legs.sip.naming import person
from plugins.legs.sip.terms import Terms

log = Log("sip")

MOST: Final = 10_000
"""Messages, and peers, of which something is remembered."""
RETRY_AFTER: Final = 30
"""Seconds after which a sender may try again to whom we had no room."""
DUPLICATE_SECONDS: Final = 60.0
"""How long the same message under another branch counts as the one before (protocols.md L-04)."""

_Remembered = OrderedDict[Any, Any]


@define(eq=False)
class Post:
    """Carries the messages of one side."""

    side: Side
    house: Any
    agent: UserAgent
    clock: Callable[[], float]
    """Monotonic seconds."""
    now: Callable[[], float]
    """Posix seconds."""
    in_sessions: Callable[[str], bool]
    """Says whether messages to people of a domain go in sessions."""
    terms: Callable[[str], Terms]
    conversations: Conversations
    guard: SipGuard | None = None
    """Reads again what goes to partners; None on the inside."""
    _waiting_for: str | None = None
    """The id of the message that is being decided about."""
    _refusal: Problem | None = None
    _owed: _Remembered = field(factory=OrderedDict)
    """Messages that were taken, and whose senders want to hear of a failure."""
    _answered: _Remembered = field(factory=OrderedDict)
    """With what status a message was answered, and when."""
    spoken: Callable[[], None] = lambda: None
    """Is told when something is said that no read has brought about."""
    _unanswered: dict[tuple[str, str, str], "_Unanswered"] = field(init=False, factory=dict)
    """Messages that were taken and are not safe yet: by recipient, sender and id."""
    _undecided: dict[object, "_Unanswered"] = field(init=False, factory=dict)
    """The same, by what is the same when one comes once more."""
    _lines: Lines = field(init=False)
    _languages: _Remembered = field(factory=OrderedDict)
    """What peers read, as far as they say so."""

    def __attrs_post_init__(self) -> None:
        self._lines = Lines(self.house, self._send_now)

    @property
    def _mark(self) -> str:
        """Gives the mark of this side: what bears it has come from here, and goes nowhere over the same side."""
        return self.agent.station.mark and self.agent.station.mark + self.side.value[:1]

    # -- to this side ----------------------------------------------------------------------------------------------

    def send(self, envelope: Envelope, message: Message) -> None:
        """Sends a message in a session when there is one or the peer wants one, else alone (RFC 3428)."""
        if envelope.ticket is not None:
            self._lines.put(envelope)
            return
        try:
            problem = self._send_now(envelope)
        except OverflowError:
            problem = Problem.RESOURCE_CONSTRAINT
        if problem is not None:
            self.house.undeliverable(envelope, problem)

    def _send_now(self, envelope: Envelope) -> Problem | None:
        """Gives why a message can never be sent; raises OverflowError when it cannot just now."""
        message = envelope.content
        assert isinstance(message, Message)
        local, remote = uri_text(envelope.sender.bare), uri_text(envelope.recipient.bare)
        if any(hop.left <= 0 or hop.mark == self._mark for hop in message.hops):
            log.warn("circle", side=self.side.value)
            return Problem.NOT_ACCEPTABLE
        if message.chat_state is ChatState.GONE and not message.has_text:
            for event in self.agent.sessions.end(local, remote, self.clock()):
                self.happened(event)
            return None
        order = self._languages.get(remote) or self.terms(envelope.recipient.domain).languages
        bodies = letters.write(message, envelope.sender, envelope.recipient, self.now(), order)
        if message.has_text and not bodies:
            return Problem.NOT_ACCEPTABLE
        for place, written in enumerate(bodies):
            if self.guard is not None and not self.guard.passes_letter(envelope, written):
                return Problem.POLICY_VIOLATION
            try:
                self._send(local, remote, envelope, message, written, envelope if place == 0 else None)
            except Refused as refused:
                if "large" in str(refused):
                    return Problem.POLICY_VIOLATION
                raise OverflowError(str(refused)) from None
        return None

    def _send(
        self, local: str, remote: str, envelope: Envelope, message: Message, written: Written, handle: Envelope | None
    ) -> None:
        now, is_open = self.clock(), self.agent.sessions.is_open(local, remote)
        fields = written.fields + tuple((HOP, f"{hop.mark};hops={hop.left - 1}") for hop in message.hops)
        hops = min([HOPS, *(hop.left - 1 for hop in message.hops)])
        if is_open or (message.has_text and self.in_sessions(envelope.recipient.domain)):
            if message.has_text:
                self.conversations.speak(local, remote, message.thread)
            self.agent.sessions.send(
                local,
                remote,
                Letter(written.document, handle, fields=fields, hops=hops, forwards=message.forwards),
                now,
            )
        elif message.has_text or message.receipt_for:
            call = self.conversations.call(local, remote, message.thread)
            self.agent.pager.send(
                local,
                remote,
                written.document,
                handle,
                now,
                fields=fields,
                call=call,
                hops=hops,
                forwards=message.forwards,
            )

    def bounced(self, envelope: Envelope, bounce: Bounce) -> None:
        """Takes an error about a message of this side: it is the answer, or else it comes after that."""
        if bounce.of != "message":
            return
        if bounce.id == self._waiting_for:
            self._refusal = bounce.problem
            return
        local, remote = uri_text(envelope.sender.bare), uri_text(envelope.recipient.bare)
        unanswered = self._unanswered.get((local, remote, bounce.id))
        if unanswered is not None:
            unanswered.refusal = bounce.problem
        elif self._owed.pop((local, remote, bounce.id), False):
            self._tell_failure(local, remote, bounce.id)

    def _tell_failure(self, local: str, remote: str, message_id: str) -> None:
        """Tells a sender who asked for it that a message could not be delivered, and never why (RFC 5438 section 7.2).

        Who is blocked is told what is told of somebody who is not there. Nobody hears what becomes of this.
        """
        document = letters.write_failure(message_id, local, remote, self.agent.station.token(), self.now())
        try:
            if self.agent.sessions.is_open(local, remote):
                self.agent.sessions.send(local, remote, Letter(document, None), self.clock())
            else:
                self.agent.pager.send(local, remote, document, None, self.clock())
        except Refused:
            log.warn("notification of a failure not sent")

    # -- from this side --------------------------------------------------------------------------------------------

    def happened(self, event: object) -> None:
        """Takes what has become of a message or a session."""
        if isinstance(event, MessageReceived):
            self._received(event)
        elif isinstance(event, Delivered | Undelivered):
            envelope = event.handle
            if not isinstance(envelope, Envelope):
                return
            if envelope.ticket is not None:
                self._lines.ended(event, envelope)
            elif isinstance(event, Undelivered) and isinstance(envelope.content, Message) and envelope.content.has_text:
                self.house.undeliverable(envelope, problem_of(event.status))
        elif isinstance(event, InfoReceived):
            typing = letters.read_typing(event.content_type, event.body, self.now())
            if typing is not None:
                self._receive(event.remote, event.local, typing)
        elif getattr(event, "reason", "") == "bye":
            self._receive(event.remote, event.local, Message(MessageKind.CHAT, chat_state=ChatState.GONE))  # type: ignore[attr-defined]

    def _received(self, event: MessageReceived) -> None:
        """Answers when the house has decided and what it took is safe: 200 in a session, 202 alone, or a refusal."""
        now = self.clock()
        same = (*_identity(event), event.in_session)
        known = self._answered.get(same)
        if known is not None and now - known[1] < DUPLICATE_SECONDS:
            self._answer([event.transaction], known[0])
            return
        if same in self._undecided:
            self._undecided[same].transactions.append(event.transaction)
            return
        if said := event.request.headers.all("Accept-Language"):
            _remember(self._languages, event.sender, letters.languages_of(said))
        status = self._taken(event, same)
        if status is not None:
            _remember(self._answered, same, (status, now))
            self._answer([event.transaction], status)

    def _answer(self, transactions: list[int], status: int) -> None:
        again = RETRY_AFTER if status == 503 else None
        for transaction in transactions:
            self.agent.answer(transaction, status, self.clock(), retry_after=again)

    def _taken(self, event: MessageReceived, same: object) -> int | None:
        """Gives the house a message, and gives the status for its sender; None when he is to be answered later.

        To the outside a refusal for which nobody may know the reason looks like any message to somebody who is away
        or does not exist: of those we hear after our answer only (RFC 5025 polite-block).
        """
        number = f"s{self.agent.station.token()}"
        thread = self.conversations.thread(event.recipient, event.sender, event.request.call_id, event.in_session)
        beside = letters.Beside.of(event.request, thread)
        read = letters.read(event.content_type, event.body, number, event.in_session, self.now(), beside)
        if isinstance(read, int):
            return read
        accepted, message = 200 if event.in_session else 202, read.message
        owed = (event.recipient, event.sender, message.id) if read.tell_failure else None
        if message.expires_at is not None and message.expires_at < self.now():
            return self._failed(owed, accepted)  # RFC 3428 section 7 leaves it to us: nobody wants it any more
        if self._mark:
            left = min([HOPS, *(hop.left - 1 for hop in message.hops)])
            message = evolve(message, hops=(*message.hops, Hop(self._mark, left)))
        if owed is not None:
            _remember(self._owed, owed, True)
        key = (event.recipient, event.sender, message.id)
        refusal = self._asked(event, message)
        if isinstance(refusal, Promise):
            waits = _Unanswered([event.transaction], event, same, key, owed, accepted)
            self._unanswered[key] = self._undecided[same] = waits
            refusal.then(lambda kept: self._safe(waits))
            return None
        return refusal if isinstance(refusal, int) else self._status(event, refusal, owed, accepted)

    def _safe(self, waits: "_Unanswered") -> None:
        """Answers a message of which it has become known whether it is on the disk."""
        self._unanswered.pop(waits.key, None)
        self._undecided.pop(waits.same, None)
        status = self._status(waits.event, waits.refusal, waits.owed, waits.accepted)
        _remember(self._answered, waits.same, (status, self.clock()))
        self._answer(waits.transactions, status)
        self.spoken()

    def _status(
        self, event: MessageReceived, refusal: Problem | None, owed: tuple[str, str, str] | None, accepted: int
    ) -> int:
        if refusal is None:
            return accepted
        if self.side is Side.EXTERNAL and refusal is Problem.SERVICE_UNAVAILABLE:
            return self._failed(owed, accepted)
        self._owed.pop(owed, None)
        literal = self.terms(person(event.sender).domain).literal_errors
        return 503 if refusal is Problem.RESOURCE_CONSTRAINT and not literal else status_of(refusal, literal=literal)

    def _asked(self, event: MessageReceived, message: Message) -> Problem | Promise | int | None:
        """Gives what the house says to a message; a status when somebody in it has no address."""
        self._waiting_for, self._refusal = message.id, None
        try:
            terms = self.terms(person(event.sender).domain)
            mark = verified(event.request, terms.through_edge)
            promise = self._receive(event.sender, event.recipient, message, mark)
            return promise if promise is not None and promise.kept is None else self._refusal
        except Untranslatable as problem:
            return problem.status
        except (AddressError, SipSyntaxError):
            return 404
        finally:
            self._waiting_for = self._refusal = None

    def _failed(self, owed: tuple[str, str, str] | None, accepted: int) -> int:
        if owed is not None:
            self._owed.pop(owed, None)
            self._tell_failure(*owed)
        return accepted

    def _receive(self, remote: str, local: str, message: Message, mark: bool | None = None) -> Promise | None:
        promise: Promise | None = self.house.receive(Envelope(person(remote), person(local), message, self.side, mark))
        return promise


@define(eq=False)
class _Unanswered:
    """Is a message that was taken and is not on the disk yet."""

    transactions: list[int]
    """Those on which it came: more than one when it came by another way as well."""
    event: MessageReceived
    same: object
    key: tuple[str, str, str]
    owed: tuple[str, str, str] | None
    accepted: int
    refusal: Problem | None = None


def _identity(event: MessageReceived) -> tuple[object, ...]:
    """Gives what is the same when a message comes once more by another way (RFC 3261 section 8.2.2.2)."""
    request = event.request
    return (
        event.sender,
        event.recipient,
        request.call_id,
        request.from_.tag,
        request.cseq.number,
        sha256(event.body).digest(),
    )


def _remember(known: _Remembered, key: object, value: object) -> None:
    known[key] = value
    known.move_to_end(key)
    if len(known) > MOST:
        known.popitem(last=False)
