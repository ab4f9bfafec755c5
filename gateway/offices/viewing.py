"""What one contact sees of one person, beside what the person publishes, and why he does not see the rest."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gateway.books.pairs import Pair
from gateway.commands.operations import Explained, FieldSeen, Viewed
from gateway.commands.values import in_words
from gateway.errors import AddressError, CommandError
from gateway.house import House
from gateway.interfaces import Leg
from gateway.model.address import Address
from gateway.model.envelope import Answer, Envelope, Query, QueryKind, Side
from gateway.model.presence import OFFLINE, Field, Presence, PresenceDocument
from gateway.policy.access_level import Origin
from gateway.policy.explanation import Outcome, explain
from gateway.policy.partners import Partner

OF_THE_HOUSE = frozenset({"echo", "discovery", "bot"})
"""Legs that speak no protocol of their own."""
CLIENT = "client"
"""The origin of what the person's client says with his presence."""


class Viewing:
    """Answers `view` and `explain`; both ask the policy as the data path does."""

    def __init__(self, house: House, legs: Mapping[str, Leg]) -> None:
        self._house = house
        self._legs = legs
        self.policy_names: Callable[[], tuple[str, str]] = lambda: ("", "")
        """Gives the SHA-256 of the configuration in force, and the name that the ledger has for the policy."""

    def view(
        self, owner: str, contact: str, protocol: str | None = None, origin: Origin = Origin.ADMINISTRATOR
    ) -> Viewed:
        """Shows what a contact sees now: the bytes of each protocol, and each field beside what is published.

        With `protocol` also what he would see over that one. What is withheld is shown to the person himself only.
        """
        pair = self._pair(owner, contact)
        document = self._house.presence.everything_of(pair)
        via = self._partner(pair).via
        names = dict.fromkeys((via, self._carrier(protocol) if protocol else via))
        return {
            "owner": str(pair.person),
            "contact": str(pair.contact),
            "level": pair.facts.level.name,
            "observed": self._house.relay.observes(pair.facts),
            "presence": {name: self._preview(pair, self._legs[name], name != via) for name in names},
            "card": {name: self._preview_card(pair, self._legs[name]) for name in names},
            "fields": [self._field(pair, document, name, origin) for name in Field],
        }

    def explain(self, owner: str, contact: str, field: str | None = None) -> Explained:
        """Says for each field, or for one, what becomes of it and which rules were looked at."""
        pair = self._pair(owner, contact)
        document = self._house.presence.everything_of(pair)
        configuration, version = self.policy_names()
        return {
            "owner": str(pair.person),
            "contact": str(pair.contact),
            "level": pair.facts.level.name,
            "level_source": source_of(pair),
            "policy": self._house.pairs.epoch,
            "configuration": configuration,
            "version": version,
            "observed": self._house.relay.observes(pair.facts),
            "fields": [
                {
                    "field": name.value,
                    "outcome": found.outcome.value,
                    "reason": found.reason.value,
                    "steps": [{"step": step.name, "finding": step.finding} for step in found.steps],
                    "would_allow": found.would_allow,
                    "smallest": found.smallest,
                }
                for name in _fields(field)
                for found in (explain(pair.facts, document, name, self._levels, str(pair.contact)),)
            ],
        }

    @property
    def _levels(self) -> Mapping[str, Any]:
        return self._house.pairs.rules.levels

    def _field(self, pair: Pair, document: PresenceDocument, name: Field, asker: Origin) -> FieldSeen:
        found = explain(pair.facts, document, name, self._levels, str(pair.contact))
        known = self._house.presence.publications.of(pair.person).get(name)
        counts = known is not None and name in document and document[name] == known.value
        leaves = found.outcome in (Outcome.SENT, Outcome.COARSENED)
        seen = name in document and (leaves or asker is not Origin.ADMINISTRATOR)
        return {
            "field": name.value,
            "mark": found.outcome.value,
            "reason": found.reason.value,
            "origin": known.origin.value if known and counts else CLIENT if name in document else "",
            "since": known.since if known and counts else None,
            "value": in_words(name, document[name]) if seen else None,
        }

    def _carrier(self, protocol: str) -> str:
        spoken = sorted(name for name in self._legs if name not in OF_THE_HOUSE)
        if protocol not in spoken:
            raise CommandError(f"{protocol!r} is not spoken with partners here; spoken: {', '.join(spoken)}")
        return protocol

    def _pair(self, owner: str, contact: str) -> Pair:
        try:
            person, other = Address.parse(owner).bare, Address.parse(contact).bare
        except AddressError as problem:
            raise CommandError(str(problem)) from None
        if person.domain not in self._house.pairs.rules.domains or not person.local:
            ours = ", ".join(sorted(self._house.pairs.rules.domains))
            raise CommandError(f"{owner} is none of our people; ours are at {ours}")
        if not other.local:
            raise CommandError(f"{contact} is no person: give name@domain")
        return self._house.pairs.of(person, other)

    def _partner(self, pair: Pair) -> Partner:
        if pair.facts.partner is None:
            raise CommandError(f"{pair.contact.domain} is no partner: {pair.contact} sees nothing")
        return pair.facts.partner

    def _preview(self, pair: Pair, leg: Leg, otherwise: bool) -> str:
        """Gives what a contact who has been told nothing yet would be told now; `otherwise` over another leg."""
        carried = leg.carries if otherwise else None
        now = Presence(self._house.presence.presence_of(pair, carried))
        envelope = Envelope(pair.alias, pair.contact, now, Side.INTERNAL)
        verdict = self._house.relay.judge(envelope, pair)
        if not isinstance(verdict.content, Presence):
            return ""
        document = verdict.content.document
        shown = Presence(document, changed=OFFLINE.differing(document) | {Field.AVAILABILITY})
        return leg.preview(Envelope(pair.alias, pair.contact, shown, Side.INTERNAL))

    def _preview_card(self, pair: Pair, leg: Leg) -> str:
        query = Query(QueryKind.CARD, "view", leg.question(QueryKind.CARD))
        answer = Answer(query, self._house.presence.everything_of(pair))
        envelope = Envelope(pair.person, pair.contact, answer, Side.INTERNAL)
        content = self._house.relay.judge(envelope, pair).content
        return leg.preview(Envelope(pair.person, pair.contact, content or Answer(query, None), Side.INTERNAL))


def source_of(pair: Pair) -> str:
    """Says what gives a contact his level."""
    entry = pair.facts.assignment
    if entry is None:
        return "default"
    given = f"{entry.origin.value}, for {entry.member}"
    return given if entry.owner else f"{given}, in the eyes of everybody"


def _fields(field: str | None) -> Sequence[Field]:
    if field is None:
        return tuple(Field)
    try:
        return (Field(field),)
    except ValueError:
        raise CommandError(f"{field!r} is no field; the fields are {', '.join(name.value for name in Field)}") from None
