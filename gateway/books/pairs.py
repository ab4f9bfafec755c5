"""What the house knows of each pair: an inside person and an outside contact."""

import hmac
from base64 import b32encode
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from typing import Protocol

from attrs import define, evolve, field

from gateway.model.address import Address
from gateway.model.envelope import Side
from gateway.model.presence import OFFLINE, Field, Presence, PresenceDocument
from gateway.model.subscription import State
from gateway.policy.access_level import AccessLevel, Assignment, Member, MemberKind, Network, resolve
from gateway.policy.authorization import Facts, permission
from gateway.policy.partners import Lock, Partner, Partners
from gateway.policy.settings import OwnSettings, Rule, refused
from gateway.policy.verdict import Permission, Reason
from gateway.policy.walls import EVERYBODY, Groups, Right, Wall, barrier, walled

NEVER = float("inf")
CONVERSATION_SECONDS = 3600.0
"""Silence after which a conversation is over: who may not start one must wait for the other side again."""
FULL_SECONDS = 10.0
"""How long a full book waits before it looks for idle pairs again: that takes a walk through all of it."""


class Assignments(Protocol):
    """Is where the assignments of people are kept."""

    def about(self, owner: str, contact: Address) -> Iterable[Assignment]:
        """Gives the assignments of one person, or of everybody for an empty owner, that may concern a contact."""


class Subscriptions(Protocol):
    """Is where subscriptions are kept."""

    def state(self, person: Address, contact: Address) -> State:
        """Gives the state between two bare addresses."""


@define(eq=False)
class Pair:
    """Is one inside person and one outside contact, both bare, and what passes between them now."""

    person: Address
    contact: Address
    token: str
    """The person's resource as this partner sees it: opaque, the same for all contacts of one partner."""
    facts: Facts
    permission: Permission
    valid_until: float = NEVER
    """Posix seconds at which an assignment ends and the facts must be looked up again."""
    endpoint: Address | None = None
    """The full address from which the person last wrote to the contact; answers go there."""
    endpoints: dict[str, Presence] = field(factory=dict)
    """What the inside server last sent to this contact, by the person's resource."""
    last: PresenceDocument | None = None
    """What the contact was last told; None when that is not known."""
    unsure: bool = False
    """True after a restart, until the contact has been told the present: he may believe what no longer holds."""
    doubted: bool = False
    """True while it is kept on disk that the contact may believe more than he may see."""
    waiting: bool = False
    """True while there is something to tell that waits for a link."""
    held: frozenset[Field] | None = None
    """The fields of what a required tap has taken but not kept for good yet; it goes to the contact when it has."""
    held_again: bool = False
    """True when that is to be told although the contact may have been told it already."""
    snubbed: bool = False
    """True when the contact has asked for a subscription while he was blocked: he believes that his request waits."""
    asked_at: float | None = None
    """Posix seconds at which the contact asked to see the person; None when that was before the start."""
    verified: bool | None = None
    """What his server said about him then: that it has verified him, that it has not, or nothing (None)."""
    revoking_since: float | None = None
    """When a narrowing was decided that the contact has not been told yet."""
    spoke_at: float = 0.0
    """Posix seconds at which something was last said in the conversation of the two."""
    heard: set[str] = field(factory=set)
    """The contact's resources that the person believes to be available."""
    alias: Address = field(init=False)
    """The person's address as the contact sees it."""

    def __attrs_post_init__(self) -> None:
        self.alias = self.person.at(self.token)

    @property
    def idle(self) -> bool:
        """Says whether forgetting the pair would lose nothing that cannot be looked up again."""
        told = self.last in (None, OFFLINE) and not (self.unsure or self.waiting or self.revoking_since)
        told = told and self.held is None
        return told and not self.endpoints and not self.heard


@define
class Rules:
    """Is the policy in force, as the configuration gives it."""

    partners: Partners
    levels: dict[str, AccessLevel]
    default_level: str
    locks: tuple[Lock, ...]
    assignments: tuple[Assignment, ...]
    domains: frozenset[str]
    """The organisation's own address domains."""
    right: Right = EVERYBODY
    walls: tuple[Wall, ...] = ()
    groups: Callable[[str], Groups] = lambda person: frozenset()
    """Gives the names of the groups that one of our people, by bare address, is in; None: not known yet."""
    settings: tuple[Rule, ...] = ()
    own_settings: Callable[[str], OwnSettings] = lambda person: {}
    """Gives what a person, by bare address, has switched on or off."""
    apart: frozenset[str] = frozenset()
    """Bare addresses of ours that are no people: rules about people do not concern them."""


class PairBook:
    """Finds the pair of two addresses, and keeps its facts until something changes them."""

    def __init__(
        self,
        rules: Rules,
        assignments: Assignments,
        subscriptions: Subscriptions,
        secret: bytes,
        now: Callable[[], float],
        most: int = 200_000,
    ) -> None:
        self.rules = rules
        self.epoch = 1
        self._assignments = assignments
        self._subscriptions = subscriptions
        self._secret = secret
        self.now = now
        self._most = most
        self._next_end = NEVER
        self._lapsed: list[Pair] = []
        """Pairs that were looked at after an assignment had ended and before `ended` was asked."""
        self._full_at = -NEVER
        self.on_meeting: Callable[[Address], object] = lambda person: None
        """Is told, by bare address, of each of our people of whom a pair is kept."""
        self.on_parting: Callable[[str], object] = lambda person: None
        """Is told, by bare address, of each of whom none is kept any more."""
        self._pairs: dict[tuple[str, str], Pair] = {}
        self._of_person: dict[str, dict[str, Pair]] = {}

    def __iter__(self) -> Iterator[Pair]:
        return iter(list(self._pairs.values()))

    def __len__(self) -> int:
        return len(self._pairs)

    def of(self, person: Address, contact: Address) -> Pair:
        """Gives the pair of two addresses, full or bare, with facts that hold now."""
        key = (person.bare, contact.bare)
        pair = self._pairs.get(key)
        if pair is None:
            return self._made(*key)
        if pair.valid_until <= self.now():
            self.refresh(pair)
            self._lapsed.append(pair)
        if pair.facts.talking:
            self._end_of_conversation(pair, self.now())
        return pair

    def of_person(self, person: str) -> list[Pair]:
        """Gives every known pair of one bare address."""
        return list(self._of_person.get(person, {}).values())

    def refresh(self, pair: Pair) -> None:
        """Looks the facts of a pair up again."""
        facts, pair.valid_until = self._facts(pair.person, pair.contact)
        pair.facts = evolve(facts, talking=pair.facts.talking)
        pair.permission = permission(pair.facts)
        self._next_end = min(self._next_end, pair.valid_until)

    def spoken(self, pair: Pair, side: Side) -> None:
        """Takes note that a side has said something: the other one may answer while the conversation lasts."""
        now = self.now()
        self._end_of_conversation(pair, now)
        pair.spoke_at = now
        if side not in pair.facts.talking:
            pair.facts = evolve(pair.facts, talking=pair.facts.talking | {side})

    def _end_of_conversation(self, pair: Pair, now: float) -> None:
        if pair.facts.talking and now - pair.spoke_at > CONVERSATION_SECONDS:
            pair.facts = evolve(pair.facts, talking=frozenset())

    def ended(self) -> list[Pair]:
        """Gives the pairs for which an assignment has just ended, their facts looked up again."""
        now = self.now()
        if now < self._next_end:
            return []
        found = [pair for pair in self if pair.valid_until <= now]
        for pair in found:
            self.refresh(pair)
        found += self._lapsed
        self._lapsed = []
        self._next_end = min((pair.valid_until for pair in self), default=NEVER)
        return found

    def take(self, rules: Rules) -> None:
        """Puts new rules in force for every pair."""
        self.rules = rules
        self.epoch += 1
        for pair in self:
            partner, fields = pair.facts.partner, pair.permission.fields
            self.refresh(pair)
            if pair.permission.fields != fields or pair.facts.partner != partner:
                pair.waiting = False  # what waits may be gone with its queue, or must go before others now

    def facts_under(self, rules: Rules, person: Address, contact: Address) -> Facts:
        """Gives the facts of two bare addresses as they would be under other rules."""
        return self._facts(person, contact, rules)[0]

    def level_without(self, pair: Pair) -> AccessLevel:
        """Gives the level that would count without what the person has said about this contact by name."""
        named = Member(MemberKind.CONTACT, pair.contact)
        entries = [
            entry
            for entry in self._entries(pair.person, pair.contact, self.rules)
            if not (entry.owner == pair.person and entry.member == named)
        ]
        partner = pair.facts.partner
        network = partner.network if partner else Network.FEDERATION
        rules = self.rules
        return resolve(entries, pair.contact, network, rules.levels, rules.default_level, self.now()).level

    def _entries(self, person: Address, contact: Address, rules: Rules) -> list[Assignment]:
        given = self._assignments
        entries = [*given.about(person, contact), *given.about("", contact), *rules.assignments]
        return [entry for entry in entries if entry.owner in ("", person, person.domain)]

    def _made(self, person: Address, contact: Address) -> Pair:
        facts, until = self._facts(person, contact)
        partner = facts.partner.name if facts.partner else ""
        pair = Pair(person, contact, self._token(person, partner), facts, permission(facts), until)
        if facts.partner is not None and (self._room() or facts.subscription is not State.NONE):
            self._pairs[(person, contact)] = pair
            self._of_person.setdefault(person, {})[contact] = pair
            self._next_end = min(self._next_end, until)
            self.on_meeting(person)
        return pair

    def _room(self) -> bool:
        """Says whether one pair more may be kept; looks for idle ones to forget at most once in a while."""
        if len(self._pairs) >= self._most and self.now() - self._full_at >= FULL_SECONDS:
            self._full_at = self.now()
            self._forget_idle()
        return len(self._pairs) < self._most

    def _forget_idle(self) -> None:
        for pair in self:
            if pair.idle:
                del self._pairs[(pair.person, pair.contact)]
                known = self._of_person[pair.person]
                del known[pair.contact]
                if not known:
                    del self._of_person[pair.person]
                    self.on_parting(pair.person)

    def _facts(self, person: Address, contact: Address, rules: Rules | None = None) -> tuple[Facts, float]:
        rules, now = rules or self.rules, self.now()
        partner: Partner | None = rules.partners.of(contact.domain)
        mine = self._entries(person, contact, rules)
        network = partner.network if partner else Network.FEDERATION
        found = resolve(mine, contact, network, rules.levels, rules.default_level, now)
        state = self._subscriptions.state(person, contact)
        ends = [entry.until for entry in mine if entry.until is not None and entry.until > now]
        groups = rules.groups(person)
        facts = Facts(
            partner,
            found.level,
            found.assignment,
            state,
            rules.locks,
            bound=found.bound,
            refused=refused(rules.settings, rules.own_settings(person), groups, partner, person) if partner else (),
            barrier=_barrier(rules, person, contact.domain, groups, partner),
            walled=walled(rules.walls, person, groups, partner) if partner else frozenset(),
        )
        return facts, min(ends, default=NEVER)

    def _token(self, person: Address, partner: str) -> str:
        digest = hmac.new(self._secret, f"{person}\0{partner}".encode(), sha256).digest()
        return b32encode(digest[:10]).decode("ascii").lower()


def _barrier(rules: Rules, person: str, domain: str, groups: Groups, partner: Partner | None) -> Reason | None:
    if partner is None:
        return rules.partners.against(domain)
    return None if person in rules.apart else barrier(person, groups, rules.right, partner)
