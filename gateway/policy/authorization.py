"""The decision about one envelope: pure, total, and refusing by default."""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from attrs import evolve, frozen

from gateway.model.envelope import Answer, Bounce, Content, Envelope, Problem, Query, QueryKind, Side
from gateway.model.message import Message, MessageKind
from gateway.model.presence import Field, Presence, PresenceDocument
from gateway.model.subscription import Ask, State, Subscription
from gateway.policy.access_level import BLOCKED, AccessLevel, Assignment, MemberKind
from gateway.policy.partners import (
    CAPABILITY_MODALITIES,
    Lock,
    Modality,
    Partner,
    Start,
    Strangers,
    Verification,
)
from gateway.policy.published_info import PRESENCE_FIELDS, strip
from gateway.policy.settings import MODALITIES, Feature, Refusal, Subject
from gateway.policy.verdict import Decision, Permission, Reason, Verdict

# Looking a member up in its enum costs as much as a dictionary look-up: once is enough.
_CAPABILITIES: Final = Field.CAPABILITIES
_PRESENCE: Final = Modality.PRESENCE
_NOTHING: Final[Mapping[Field, Reason]] = MappingProxyType({})


@frozen
class Facts:
    """Is all that is known about one pair: an inside person and an outside contact."""

    partner: Partner | None
    level: AccessLevel
    assignment: Assignment | None
    """What gives the level; None when it is the default for a contact that nobody named."""
    subscription: State = State.NONE
    locks: tuple[Lock, ...] = ()
    bound: AccessLevel | None = None
    """What an administrator has locked as the most that the contact may see; None: no such lock."""
    refused: tuple[Refusal, ...] = ()
    """What settings keep from leaving."""
    barrier: Reason | None = None
    """Why nothing passes between the two, whatever it is: the domain's reason without a partner, else the person's."""
    walled: frozenset[Modality] = frozenset()
    """Kinds of traffic that a wall keeps from passing between the person's groups and the partner."""
    talking: frozenset[Side] = frozenset()
    """From which sides something was said in the conversation that goes on."""

    @property
    def modalities(self) -> frozenset[Modality]:
        """Gives the kinds of traffic that may pass: those of the contract, less those walled or switched off."""
        if self.partner is None:
            return frozenset()
        found = self.partner.modalities - self.walled if self.walled else self.partner.modalities
        return found.difference(self._off) if self.refused else found

    @property
    def _off(self) -> list[Modality]:
        return [MODALITIES[each.subject] for each in self.refused if isinstance(each.subject, Feature)]

    def refusal(self, about: Subject) -> Refusal | None:
        """Gives what keeps a field or feature from leaving, or None."""
        return next((each for each in self.refused if each.subject is about), None)

    def shut(self, modality: Modality) -> Reason:
        """Gives the reason for which a kind of traffic may not pass."""
        if modality in self.walled:
            return Reason.WALL
        return Reason.SWITCHED_OFF if modality in self._off else Reason.MODALITY

    @property
    def knows(self) -> bool:
        """Says whether the person has the contact on his list, has approved him, or has given him a level by name."""
        named = self.assignment is not None and self.assignment.member.kind is MemberKind.CONTACT
        state = self.subscription
        listed = state.person_watches or state.answer_waits or state.contact_watches
        return not self.blocked and (listed or named)

    @property
    def blocked(self) -> bool:
        """Says whether the contact's level is Blocked, by name or by default."""
        return self.level.name == BLOCKED

    @property
    def blocked_by_name(self) -> bool:
        """Says whether somebody decided that this contact is blocked."""
        return self.blocked and self.assignment is not None


def permission(facts: Facts) -> Permission:
    """Says which fields the contact may see: lock, then level, then ceiling; each can only take away.

    It is one and the same object for all whose facts differ only in what says nothing about fields.
    """
    return _permission(evolve(facts, assignment=None, subscription=State.NONE, talking=frozenset()))


@lru_cache(maxsize=1024)
def _permission(facts: Facts) -> Permission:
    withheld: dict[Field, Reason] = {}
    for name in Field:
        reason = _against(name, facts)
        if reason is not None:
            withheld[name] = reason
    able = frozenset(word for word, modality in CAPABILITY_MODALITIES.items() if modality in facts.modalities)
    return Permission(facts.level.name, frozenset(Field) - frozenset(withheld), withheld, able)


def _against(name: Field, facts: Facts) -> Reason | None:
    """Gives the first rule that stands against a field, or None."""
    if facts.partner is None:
        return facts.barrier or Reason.UNKNOWN_PARTNER
    if facts.barrier is not None:
        return facts.barrier
    if facts.blocked:
        return Reason.BLOCKED
    if any(lock.field is name and lock.binds(facts.partner) for lock in facts.locks):
        return Reason.LOCK
    if facts.bound is not None and name not in facts.bound.fields:
        return Reason.LOCK
    if facts.refusal(name) is not None:
        return Reason.SWITCHED_OFF
    if name not in facts.level.fields:
        return Reason.LEVEL
    return None if name in facts.partner.ceiling else Reason.CEILING


def authorize(envelope: Envelope, facts: Facts, permitted: Permission) -> Verdict:
    """Decides about one envelope; `permitted` is `permission(facts)`, kept by the caller while the facts stand."""
    if facts.partner is None:
        return _refuse(facts.barrier or Reason.UNKNOWN_PARTNER, facts, Problem.REMOTE_SERVER_NOT_FOUND)
    content = envelope.content
    reason = facts.barrier or (_unverified(envelope, facts) if envelope.side is Side.EXTERNAL else None)
    if reason is not None:
        verdict = _barred(envelope, facts, reason)
        if verdict is not None:
            return verdict
    if isinstance(content, Message):
        return _message(content, envelope.side, facts)
    if isinstance(content, Presence):
        return (
            _outward_presence(content, facts, permitted)
            if envelope.side is Side.INTERNAL
            else _inward_presence(content, facts)
        )
    if isinstance(content, Subscription):
        return _subscription(content, envelope.side, facts)
    if isinstance(content, Answer):
        return _answer(content, envelope.side, facts, permitted)
    if isinstance(content, Query):
        return _query(content, envelope.side, facts)
    if isinstance(content, Bounce):
        return _bounce(content, envelope.side, facts)
    return _refuse(Reason.POLICY_ERROR, facts, Problem.FEATURE_NOT_IMPLEMENTED)


def _unverified(envelope: Envelope, facts: Facts) -> Reason | None:
    """Refuses a sender whom nobody has verified, unless the person knows him or has written to him."""
    trust = facts.partner.verification if facts.partner else Verification.NEVER
    verified = trust is Verification.ALWAYS or (trust is Verification.MARKED and envelope.verified is True)
    answers = Side.INTERNAL in facts.talking
    return None if verified or facts.knows or answers else Reason.UNVERIFIED


def _barred(envelope: Envelope, facts: Facts, reason: Reason) -> Verdict | None:
    """Refuses what would begin or continue something; None for what ends it, and where nothing is shown anyway.

    To the outside a person behind a barrier looks like one who blocks.
    """
    content, inward = envelope.content, envelope.side is Side.EXTERNAL
    if isinstance(content, Message):
        if not inward:
            return _refuse(reason, facts, Problem.POLICY_VIOLATION)
        return _hushed(content, facts, reason)
    if isinstance(content, Subscription):
        if content.ask in (Ask.UNSUBSCRIBE, Ask.UNSUBSCRIBED) or (inward and facts.subscription.contact_watches):
            return None  # who is subscribed already gets the answer that he knows, and sees nobody
        silent = inward or content.ask is Ask.PROBE
        return _ignore(reason, facts) if silent else _refuse(reason, facts, Problem.POLICY_VIOLATION)
    if isinstance(content, Query):
        return _refuse(reason, facts, Problem.SERVICE_UNAVAILABLE if inward else Problem.POLICY_VIOLATION)
    return _ignore(reason, facts) if inward and isinstance(content, Presence) else None


def _hushed(message: Message, facts: Facts, reason: Reason) -> Verdict:
    """Refuses a contact's message as the server of somebody who is offline does (RFC 6121 section 8.5.2.2.1)."""
    silent = message.kind is MessageKind.HEADLINE or not message.has_text
    return _ignore(reason, facts) if silent else _refuse(reason, facts, Problem.SERVICE_UNAVAILABLE)


def _deliver(content: Content, facts: Facts) -> Verdict:
    return Verdict(Decision.DELIVER, Reason.ALLOWED, facts.level.name, content)


def _refuse(reason: Reason, facts: Facts, problem: Problem) -> Verdict:
    return Verdict(Decision.REFUSE, reason, facts.level.name, problem=problem)


def _ignore(reason: Reason, facts: Facts) -> Verdict:
    return Verdict(Decision.IGNORE, reason, facts.level.name)


def disclosure(document: PresenceDocument, permitted: Permission) -> tuple[PresenceDocument, Mapping[Field, Reason]]:
    """Gives what a contact sees of a document, and why the rest of it is withheld."""
    seen = strip(document, permitted.fields)
    if _CAPABILITIES in seen:
        seen = seen.with_fields({_CAPABILITIES: seen[_CAPABILITIES] & permitted.capabilities})
    if len(seen) == len(document):
        return seen, _NOTHING
    return seen, {name: permitted.withheld[name] for name in document if name in permitted.withheld}


def _outward_presence(presence: Presence, facts: Facts, permitted: Permission) -> Verdict:
    """A contact without the right to it sees what everybody sees of somebody who is not there."""
    if _PRESENCE not in facts.modalities:
        return _ignore(facts.shut(_PRESENCE), facts)
    decided, document = permitted.decided, presence.document
    if decided and decided[0][0] is document:
        return decided[0][1]
    verdict = _stripped(document, permitted)
    decided[:] = [(document, verdict)]
    return verdict


def _stripped(document: PresenceDocument, permitted: Permission) -> Verdict:
    seen, withheld = disclosure(document, permitted)
    if not seen.available:
        seen, withheld = (
            PresenceDocument(),
            {**withheld, **{name: permitted.withheld.get(Field.AVAILABILITY, Reason.NOT_PUBLISHED) for name in seen}},
        )
    return Verdict(Decision.DELIVER, Reason.ALLOWED, permitted.level, Presence(seen), None, seen.names, withheld)


def _inward_presence(presence: Presence, facts: Facts) -> Verdict:
    if Modality.PRESENCE not in facts.modalities:
        return _ignore(facts.shut(Modality.PRESENCE), facts)
    if not facts.subscription.person_watches:
        return _ignore(Reason.UNSOLICITED, facts)
    return _deliver(presence, facts)


def _message(message: Message, side: Side, facts: Facts) -> Verdict:
    if side is Side.EXTERNAL and facts.blocked:
        return _hushed(message, facts, Reason.BLOCKED)
    if side is Side.INTERNAL and facts.blocked_by_name:
        return _refuse(Reason.BLOCKED, facts, Problem.NOT_ACCEPTABLE)
    if message.kind is MessageKind.GROUPCHAT:
        return _refuse(Reason.MODALITY, facts, Problem.SERVICE_UNAVAILABLE)
    if not message.notice and not _may_speak(side, facts):
        if side is Side.INTERNAL:
            return _refuse(Reason.MAY_NOT_START, facts, Problem.POLICY_VIOLATION)
        return _hushed(message, facts, Reason.MAY_NOT_START)
    kept = _within(message, facts.modalities)
    if kept is None:
        shut = Modality.ENCRYPTED if Modality.IM in facts.modalities else Modality.IM
        problem = Problem.POLICY_VIOLATION if side is Side.INTERNAL else Problem.SERVICE_UNAVAILABLE
        return _refuse(facts.shut(shut), facts, problem)
    if not (kept.has_text or kept.chat_state or kept.receipt_for):
        return _ignore(Reason.EMPTY, facts)
    return _deliver(kept, facts)


def _may_speak(side: Side, facts: Facts) -> bool:
    """Says whether a side may start a conversation, or answers in one that the other side has started."""
    start = facts.partner.start if facts.partner else Start.BOTH
    if side is Side.INTERNAL:
        return start is not Start.THEIRS or Side.EXTERNAL in facts.talking
    return start is not Start.OURS or Side.INTERNAL in facts.talking


def _within(message: Message, modalities: frozenset[Modality]) -> Message | None:
    """Gives the message without what the partner's profile does not allow, itself when nothing is taken, or None."""
    if Modality.IM not in modalities:
        return None
    changes: dict[str, object] = {}
    if message.chat_state is not None and Modality.TYPING not in modalities:
        changes["chat_state"] = None
    if (message.receipt_wanted or message.receipt_for) and Modality.RECEIPTS not in modalities:
        changes.update(receipt_wanted=False, receipt_for="")
    if message.replaces and Modality.CORRECTIONS not in modalities:
        changes["replaces"] = ""
    if message.encrypted and Modality.ENCRYPTED not in modalities:
        return None
    return evolve(message, **changes) if changes else message  # type: ignore[arg-type]


def _subscription(request: Subscription, side: Side, facts: Facts) -> Verdict:
    if facts.partner is None or Modality.PRESENCE not in facts.modalities:
        reason, refuse = facts.shut(Modality.PRESENCE), side is Side.INTERNAL
        return _refuse(reason, facts, Problem.POLICY_VIOLATION) if refuse else _ignore(reason, facts)
    if side is Side.INTERNAL and request.ask is Ask.PROBE and facts.blocked_by_name:
        # A probe goes out when somebody comes online: to the blocked he looks offline.
        return _ignore(Reason.BLOCKED, facts)
    if side is Side.EXTERNAL and request.ask is Ask.SUBSCRIBE and not facts.subscription.contact_watches:
        if facts.blocked_by_name:
            return _ignore(Reason.BLOCKED, facts)
        known = facts.assignment is not None and facts.assignment.member.kind.value == "contact"
        if facts.partner.strangers is Strangers.REFUSE and not known and not facts.subscription.person_watches:
            return _ignore(Reason.STRANGER, facts)
    return _deliver(request, facts)


def _query(query: Query, side: Side, facts: Facts) -> Verdict:
    """A question from outside is never forwarded: the gateway answers it; one from inside may ask for a card."""
    if Modality.QUERIES not in facts.modalities:
        return _refuse(facts.shut(Modality.QUERIES), facts, Problem.SERVICE_UNAVAILABLE)
    if side is Side.INTERNAL and facts.blocked_by_name:
        # Clients ask by themselves while they are online.
        return _refuse(Reason.BLOCKED, facts, Problem.NOT_ACCEPTABLE)
    ours = facts.partner is not None and facts.partner.house
    if side is Side.EXTERNAL or ours or query.kind in (QueryKind.CARD, QueryKind.PICTURE):
        return _deliver(query, facts)
    return _refuse(Reason.MODALITY, facts, Problem.SERVICE_UNAVAILABLE)


def _bounce(bounce: Bounce, side: Side, facts: Facts) -> Verdict:
    """To the outside everybody answers alike, whoever he is and whatever his server said: there is one error only."""
    if side is Side.EXTERNAL:
        return _ignore(Reason.BLOCKED, facts) if facts.blocked_by_name else _deliver(bounce, facts)
    return _deliver(Bounce(bounce.of, bounce.id, Problem.SERVICE_UNAVAILABLE), facts)


def _answer(answer: Answer, side: Side, facts: Facts, permitted: Permission) -> Verdict:
    """Builds the answer to a contact's question from what he may see.

    Somebody who is not subscribed learns nothing of the present. A contact's answer about himself comes in whole: our
    levels say what leaves.
    """
    if Modality.QUERIES not in facts.modalities:
        reason = facts.shut(Modality.QUERIES)
        return Verdict(Decision.DELIVER, reason, facts.level.name, Answer(answer.query, None))
    if side is Side.EXTERNAL and not facts.blocked_by_name:
        return _deliver(answer, facts)
    document = answer.document
    if not isinstance(document, PresenceDocument):
        return Verdict(Decision.DELIVER, Reason.NOT_PUBLISHED, facts.level.name, Answer(answer.query, None))
    seen, withheld = disclosure(document, permitted)
    if not facts.subscription.contact_watches:
        withheld = {**withheld, **{name: Reason.NOT_SUBSCRIBED for name in seen if name in PRESENCE_FIELDS}}
        seen = strip(seen, permitted.fields - PRESENCE_FIELDS)
    return Verdict(
        Decision.DELIVER,
        Reason.ALLOWED,
        facts.level.name,
        Answer(answer.query, seen if len(seen) else None),
        sent=seen.names,
        withheld=withheld,
    )
