"""What people decide about themselves: what they publish, what they hide, and what a level would mean."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from attrs import evolve

from gateway.books.pairs import Pair
from gateway.commands.operations import ContactListed, Effect, PublicationListed, Published
from gateway.errors import CommandError
from gateway.house import House
from gateway.model.address import Address
from gateway.model.presence import Field, PresenceDocument
from gateway.model.publication import Origin, Publications
from gateway.policy.access_level import BLOCKED
from gateway.policy.authorization import Facts, disclosure, permission
from gateway.policy.precedence import Effective, Layer
from gateway.policy.settings import KEEPING, Feature, OwnSettings, Refusal, Subject, keeps, refused, subject

DEFAULT = "default"
OWN = "own"
"""The source of what a person publishes by command."""
PHONES = frozenset({Field.PHONE_WORK, Field.PHONE_MOBILE, Field.PHONE_HOME, Field.PHONE_OTHER})
PUBLISHABLE = PHONES | {Field.NOTE}
"""Fields that a person publishes by command; the others come from his client, his card, the directory."""
LONGEST_NOTE = 500
MOST_PHONES = 5
_PHONE = re.compile(r"\+?[0-9][0-9 ().\-/]{2,30}")

REFUSERS: Mapping[Layer, str] = {
    Layer.ADMINISTRATOR: "your administrator, for everybody",
    Layer.PARTNER: "your administrator, for a partner",
    Layer.GROUP: "your administrator, for a group that you are in",
    Layer.NAMED: "your administrator, for you",
    Layer.PERSON: "you",
}


class Words(Protocol):
    """Is where the word of each person is kept (`gateway.store.publications.OwnWords`)."""

    def published(self, person: str) -> Publications:
        """Gives what a person publishes himself."""

    def settings(self, person: str) -> OwnSettings:
        """Gives what a person has switched on or off."""

    def publish(self, person: str, name: Field, value: Any, now: float) -> Awaitable[None]:
        """Keeps a value, or with None withdraws it."""

    def switch(self, person: str, about: Subject, on: bool | None, now: float) -> Awaitable[None]:
        """Switches a field or feature; None leaves it to the others again."""


class Choices:
    """Answers the commands with which people decide about themselves."""

    def __init__(self, house: House, words: Words, now: Callable[[], float]) -> None:
        self._of = house
        self._words = words
        self._time = now
        self.offered = KEEPING
        """What of KEEPING the gateway can do at all."""

    def contacts_list(self, owner: str) -> list[ContactListed]:
        """Lists everybody outside who sees, asks, writes to, or was given a level by a person."""
        pairs = sorted(self._of.pairs.of_person(owner), key=lambda pair: pair.contact)
        return [_listed(pair) for pair in pairs if _matters(pair)]

    def levels_preview(self, owner: str, contact: str, level: str) -> Effect:
        """Says what a contact would see at a level of what is published now, and what he would see no longer.

        The level `default` is the one that he has when nobody has said anything about him by name.
        """
        rules = self._of.pairs.rules
        if level != DEFAULT and level not in rules.levels:
            raise CommandError(f"{level!r} is no level; the levels are {', '.join(sorted(rules.levels))}")
        pair = self._of.pairs.of(Address.parse(owner), Address.parse(contact))
        # Not what he may be told now: to whom nothing is shown yet, a level may show all of it.
        present, published = self._of.presence.presence_of(pair), self._of.presence.published(pair.person)
        document = present.with_fields({name: published[name] for name in published if name not in present})
        now = _seen(document, pair.facts)
        meant = self._of.pairs.level_without(pair) if level == DEFAULT else rules.levels[level]
        then = _seen(document, evolve(pair.facts, level=meant))
        partner = pair.facts.partner
        over = meant.fields - partner.ceiling if partner and meant.name != BLOCKED else frozenset()
        return {
            "owner": owner,
            "contact": contact,
            "level": meant.name,
            "before": pair.facts.level.name,
            "sees": _names(then),
            "gains": _names(then - now),
            "loses": _names(now - then),
            "ceiling": partner.ceiling_name if partner and over else "",
        }

    def publish_list(self, owner: str) -> list[PublicationListed]:
        """Lists what is published about a person: from whom, since when, and who keeps it back."""
        refusals = self._refusals(owner)
        known = self._of.presence.publications.of(owner)
        own = self._words.settings(owner)
        return [
            {
                "field": name.value,
                "origin": known[name].origin.value if name in known else "",
                "since": known[name].since if name in known else None,
                "switched": _switched(own.get(name)),
                "withheld_by": REFUSERS[refusals[name].layer] if name in refusals else "",
            }
            for name in Field
            if name in known or name in own or name in refusals
        ]

    async def publish_set(self, owner: str, field: str, value: str) -> Published:
        """Publishes a field; several phone numbers stand behind each other with commas. Contacts learn it at once."""
        name = _publishable(field)
        return await self._publish(owner, name, _value(name, value))

    async def publish_unset(self, owner: str, field: str) -> Published:
        """Publishes a field no more."""
        return await self._publish(owner, _publishable(field), None)

    async def publish_switch(self, owner: str, subject: str, state: str) -> Published:
        """Keeps a field or feature back (off), lets it leave (on), or leaves it to the administrator (default)."""
        about = _subject(subject)
        on = {"on": True, "off": False, "default": None}[state]
        if isinstance(about, Feature) and about in KEEPING:
            self._may_keep(owner, about, on)
        elif on:
            against = self._refusals(owner, {**self._words.settings(owner), about: True}).get(about)
            if against is not None:
                raise CommandError(
                    f"{about.value} is switched off by {REFUSERS[against.layer]}; you cannot change that"
                )
        kept = self._words.switch(owner, about, on, self._time())
        self._of.facts_changed(self._of.pairs.of_person(owner))
        await kept
        return self._published(owner, about)

    def _may_keep(self, owner: str, about: Feature, on: bool | None) -> None:
        """Refuses what has no effect: what the gateway does not offer, and what an administrator has locked."""
        if on and about not in self.offered:
            raise CommandError(f"{about.value} is not offered here")
        found = self._keeps(owner, about)
        if on is not None and found.locked and found.value is not on:
            state = "on" if found.value else "off"
            raise CommandError(f"{about.value} is switched {state} by {REFUSERS[found.layer]}; you cannot change that")

    def _keeps(self, owner: str, about: Feature) -> Effective:
        """Says whether something is kept of a person towards all partners for whom nothing else is said."""
        rules = self._of.pairs.rules
        return keeps(about, rules.settings, self._words.settings(owner), rules.groups(owner), None, owner)

    async def _publish(self, owner: str, name: Field, value: Any) -> Published:
        kept = self._words.publish(owner, name, value, self._time())
        self._of.presence.say(owner, OWN, Origin.PERSON, {name: value})
        await kept
        return self._published(owner, name)

    def _published(self, owner: str, about: Subject) -> Published:
        seeing = [
            str(pair.contact)
            for pair in self._of.pairs.of_person(owner)
            if isinstance(about, Field) and about in pair.permission.fields and pair.facts.subscription.contact_watches
        ]
        return {
            "owner": owner,
            "subject": about.value,
            "seen_by": sorted(seeing),
            "withheld_by": self._withheld_by(owner, about),
        }

    def _withheld_by(self, owner: str, about: Subject) -> str:
        if isinstance(about, Feature) and about in KEEPING:
            kept = self._keeps(owner, about)
            return "" if kept.value else REFUSERS.get(kept.layer, "nobody: it is off unless somebody switches it on")
        found = self._refusals(owner).get(about)
        return REFUSERS[found.layer] if found else ""

    def _refusals(self, owner: str, own: OwnSettings | None = None) -> Mapping[Subject, Refusal]:
        """Gives what is kept back from every partner."""
        rules = self._of.pairs.rules
        mine = self._words.settings(owner) if own is None else own
        everywhere = [rule for rule in rules.settings if not rule.partner]
        return {each.subject: each for each in refused(everywhere, mine, rules.groups(owner), None, owner)}


def recall(presence: Any, people: Sequence[tuple[str, Publications]]) -> None:
    """Publishes after a start what people have published before."""
    for person, said in people:
        presence.say(person, OWN, Origin.PERSON, {name: each.value for name, each in said.items()})


def _seen(document: PresenceDocument, facts: Facts) -> frozenset[Field]:
    return disclosure(document, permission(facts))[0].names


def _names(fields: frozenset[Field]) -> list[str]:
    return [name.value for name in Field if name in fields]


def _matters(pair: Pair) -> bool:
    if pair.facts.partner is None or pair.facts.partner.house:
        return False
    state, given = pair.facts.subscription, pair.facts.assignment
    named = given is not None and given.owner != "" and given.member.value == pair.contact
    return named or state.contact_watches or state.person_watches or state.request_waits


def _listed(pair: Pair) -> ContactListed:
    facts = pair.facts
    partner = facts.partner
    held = bool(partner and not facts.blocked and facts.level.fields - partner.ceiling)
    return {
        "contact": str(pair.contact),
        "level": facts.level.name,
        "since": facts.assignment.since if facts.assignment else None,
        "until": facts.assignment.until if facts.assignment else None,
        "given_by": facts.assignment.origin.value if facts.assignment else "default",
        "ceiling": partner.ceiling_name if partner and held else "",
        "waits": facts.subscription.request_waits,
        "watches": facts.subscription.contact_watches,
    }


def _switched(on: bool | None) -> str:
    return "default" if on is None else "on" if on else "off"


def _subject(text: str) -> Subject:
    try:
        return subject(text)
    except ValueError:
        names = ", ".join(each.value for each in Feature)
        raise CommandError(f"{text!r} is neither a field nor one of {names}") from None


def _publishable(text: str) -> Field:
    names = ", ".join(sorted(name.value for name in PUBLISHABLE))
    found = next((name for name in PUBLISHABLE if name.value == text), None)
    if found is None:
        raise CommandError(f"{text!r} cannot be published by command; {names} can")
    return found


def _value(name: Field, text: str) -> Any:
    cleaned = " ".join(text.split())
    if name is Field.NOTE:
        if not 0 < len(cleaned) <= LONGEST_NOTE:
            raise CommandError(f"a note has 1 to {LONGEST_NOTE} characters")
        return (("", cleaned),)
    numbers = tuple(number.strip() for number in cleaned.split(",") if number.strip())
    if not numbers or len(numbers) > MOST_PHONES:
        raise CommandError(f"give one to {MOST_PHONES} phone numbers, with commas between them")
    for number in numbers:
        if not _PHONE.fullmatch(number):
            raise CommandError(f"{number!r} is no phone number: +1 202 555 0143")
    return numbers
