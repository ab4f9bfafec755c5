"""Tells contacts that what is said is kept, before the first message that is: once, until that changes."""

import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from attrs import define, field

from gateway.books.pairs import Pair
from gateway.log import Log
from gateway.metrics import Metrics
from gateway.model.envelope import Bounce, Envelope, Side
from gateway.model.message import Message
from gateway.policy.access_level import MemberKind
from gateway.policy.authorization import Facts
from gateway.policy.notices import NOTHING, Kept, due, words
from gateway.policy.partners import Partner
from gateway.policy.verdict import Decision, Verdict

log = Log("notices")

MOST_SENT = 10_000
"""Notices of which it is remembered that an error about them concerns nobody else."""


class Told(Protocol):
    """Is where it is kept what contacts were told (`gateway.store.notices.NoticeStore`)."""

    def told(self, person: str, contact: str) -> Kept:
        """Gives what a contact knows to be kept."""

    def tell(self, person: str, contact: str, kept: Kept, now: float) -> Awaitable[None]:
        """Notes that a contact knows what is kept now."""


@define(eq=False)
class Notices:
    """Looks at each message that passes; `send` carries a notice out, under the policy and before the taps.

    Without `anybody` a stranger is told at once, whatever that reveals.
    """

    store: Told
    kept: Callable[[Pair], Kept]
    """Gives how what is said between two is kept."""
    texts: Callable[[Partner], Mapping[str, str]]
    """Gives the administrator's text for a partner by language; empty: ours."""
    send: Callable[[Envelope, Pair], Verdict]
    metrics: Metrics
    now: Callable[[], float]
    anybody: Callable[[Pair], Kept] | None = None
    """Gives how what a contact says to somebody of whom nothing is known would be kept: that reveals nobody."""
    _sent: "OrderedDict[str, tuple[str, str]]" = field(init=False, factory=OrderedDict)

    def before(self, envelope: Envelope, pair: Pair, message: Message) -> bool:
        """Tells the contact first, if he has to be told; False when that is impossible, so that nothing passes."""
        partner = pair.facts.partner
        if partner is None or partner.house or message.notice or not message.has_text:
            return True
        kept, told = self.kept(pair), self.store.told(pair.person, pair.contact)
        if not due(kept, told):
            if kept != told:
                self._tell(pair, kept)
            return True
        outward = envelope.side is Side.INTERNAL
        if not outward and self._would_reveal(pair, kept):
            return True
        notice = Message(
            message.kind,
            f"notice-{secrets.token_hex(8)}",
            words(kept, pair.person.domain, self.texts(partner)),
            thread=message.thread,
            notice=True,
        )
        told_to = envelope.recipient if outward else envelope.sender
        self._tell(pair, kept)
        self._remember(notice.id, pair)
        if self.send(Envelope(pair.person, told_to, notice, Side.INTERNAL), pair).decision is not Decision.DELIVER:
            self._untold(notice.id, pair)
            return False
        self.metrics.notices(partner.name, "sent").inc()
        return True

    def _would_reveal(self, pair: Pair, kept: Kept) -> bool:
        """Says whether a notice would tell a stranger that somebody exists, or is treated unlike others.

        He is told before the first word of the person, who thereby shows that she exists.
        """
        return self.anybody is not None and kept != self.anybody(pair) and not acquainted(pair.facts)

    def failed(self, envelope: Envelope, pair: Pair) -> bool:
        """Takes a notice that did not arrive: he is told again. False when the envelope is no notice of ours."""
        content = envelope.content
        if isinstance(content, Message) and content.notice and envelope.side is Side.INTERNAL:
            return self._untold(content.id, pair)
        if isinstance(content, Bounce) and content.of == "message" and envelope.side is Side.EXTERNAL:
            return self._sent.get(content.id) == (pair.person, pair.contact) and self._untold(content.id, pair)
        return False

    def _untold(self, number: str, pair: Pair) -> bool:
        self._sent.pop(number, None)
        if self.store.told(pair.person, pair.contact) and pair.facts.partner is not None:
            self.metrics.notices(pair.facts.partner.name, "failed").inc()
        self._tell(pair, NOTHING)
        return True

    def _tell(self, pair: Pair, kept: Kept) -> None:
        writing: Any = self.store.tell(pair.person, pair.contact, kept, self.now())
        if hasattr(writing, "addErrback"):
            writing.addErrback(lambda failure: log.failure("what a contact was told is not on disk", failure))

    def _remember(self, number: str, pair: Pair) -> None:
        self._sent[number] = (pair.person, pair.contact)
        if len(self._sent) > MOST_SENT:
            self._sent.popitem(last=False)


def acquainted(facts: Facts) -> bool:
    """Says whether a contact knows of the person: by a subscription of either, or a level that bears his name."""
    named = facts.assignment is not None and facts.assignment.member.kind is MemberKind.CONTACT
    return named or facts.subscription.contact_watches or facts.subscription.person_watches
