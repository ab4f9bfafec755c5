"""Histories of a gateway, told twice: as they were, and with everything changed that one contact may not see.

A history is a list of events; a `Run` plays it. The second run has a `Random` of its own, by which it changes hidden
values, leaves out events that concern others, and puts in hidden ones. Before an event that may show the contact more,
what is hidden is put back as it was in the first run, while it is hidden still.
"""

from random import Random
from typing import Any

from attrs import define, evolve, field, frozen

from gateway.books.publications import LEG
from gateway.model.address import Address
from gateway.model.envelope import Bounce, Envelope, Problem, Query, QueryKind, Side
from gateway.model.message import ChatState, Message
from gateway.model.presence import Field, FreeBusy, Presence, PresenceDocument, Show, Slot
from gateway.model.publication import Origin
from gateway.model.subscription import Ask, Subscription
from gateway.policy.access_level import STANDARD, Assignment, Member
from gateway.policy.partners import Lock, Partners
from gateway.policy.published_info import PRESENCE_FIELDS
from gateway.policy.settings import Feature, Rule
from gateway.protocols.xmpp.stanzas.queries import question_of
from tests.policy.samples import value_of
from tests.properties.world import CONTACTS, PARTNERS, PEOPLE, VIA, World
from tests.protocols.sip.talk import request

Event = tuple[Any, ...]
SOURCES = {LEG: Origin.LEG, "directory": Origin.ADMINISTRATOR, "calendar": Origin.CALENDAR, "own": Origin.PERSON}
FIELDS = tuple(Field)
IN_CARD = tuple(name for name in Field if name not in PRESENCE_FIELDS and name is not Field.DISPLAY_NAME)
"""Fields of the card; DISPLAY_NAME is told by events, and must not change when somebody has the card fetched."""
BY_EVENTS = (
    *(name for name in Field if name in PRESENCE_FIELDS and name is not Field.AVAILABILITY),
    Field.DISPLAY_NAME,
)
"""Always in the same order, so that a seed draws the same history in every process."""
RESOURCES = ("desk-7f3a", "phone-99")
KINDS = tuple(kind for kind in QueryKind if kind not in (QueryKind.OTHER, QueryKind.FORM))
WIDENS = frozenset({"level", "unlock", "lock", "ceiling", "setting", "own", "grant"})
"""Events after which a contact may see more than before."""
TEXTS = Message(id="m1", bodies=(("", "hello"),))


def value(name: Field, number: int) -> Any:
    """Gives one of several values of a field."""
    plain: dict[Field, Any] = {
        Field.SHOW: tuple(Show)[number % len(Show)],
        Field.IDLE: 1_499_999_400.0 + 900 * number,
        Field.LAST_ACTIVE: 1.4999e9 + number,
        Field.FREE_BUSY: FreeBusy(1_500_000_300 + 300 * number, (Slot.FREE, Slot.BUSY)),
        Field.TIME_ZONE: f"+0{number}:00",
    }
    return plain.get(name) or value_of(name, f"v{number}")


def history(random: Random, watcher: Address, length: int) -> list[Event]:
    """Draws a history, most of which concerns one contact."""
    return [drawn(random, watcher if random.random() < 0.6 else random.choice(CONTACTS)) for _ in range(length)]


def drawn(random: Random, contact: Address) -> Event:
    """Draws one event that concerns a contact, or all."""
    person = random.choice(PEOPLE)
    kind = random.choices(tuple(_WEIGHTS), tuple(_WEIGHTS.values()))[0]
    pick: dict[str, Any] = {
        "presence": lambda: (person, contact, random.choice(RESOURCES), _some(random, BY_EVENTS), random.randrange(3)),
        "gone": lambda: (person, contact, random.choice((*RESOURCES, ""))),
        "publish": lambda: (person, *_publication(random)),
        "level": lambda: (person, contact, random.choice(tuple(STANDARD))),
        "grant": lambda: (person, contact, random.choice(tuple(STANDARD)), random.choice((20.0, 200.0))),
        "lock": lambda: (random.choice(FIELDS), random.choice(("", contact.domain))),
        "unlock": lambda: (),
        "ceiling": lambda: (contact.domain, random.sample(FIELDS, random.randrange(len(FIELDS)))),
        "setting": lambda: (
            random.choice((*BY_EVENTS, *Feature)),
            random.random() < 0.5,
            random.choice(("", contact.domain)),
            random.random() < 0.3,
        ),
        "own": lambda: (person, random.choice((*BY_EVENTS, *Feature)), random.random() < 0.5),
        "ask": lambda: (person, contact, random.choice(tuple(Ask))),
        "answer": lambda: (person, contact, random.choice(tuple(Ask))),
        "query": lambda: (person, contact, random.choice(KINDS)),
        "inquire": lambda: (person, contact),
        "message": lambda: (person, contact, random.random() < 0.5),
        "write": lambda: (person, contact, random.random() < 0.7),
        "bounce": lambda: (person, contact, random.choice(tuple(Problem))),
        "down": lambda: (contact,),
        "up": lambda: (contact,),
        "broken": lambda: (contact,),
        "wait": lambda: (random.choice((0.5, 2.0, 5.0, 30.0, 61.0, 301.0)),),
        "disk": lambda: (),
    }
    return (kind, *pick[kind]())


_WEIGHTS = {
    **dict.fromkeys(("presence", "publish"), 20),
    **dict.fromkeys(("level", "ask"), 6),
    **dict.fromkeys(("gone", "query"), 4),
    **dict.fromkeys(("answer", "message", "write", "up"), 3),
    **dict.fromkeys(("grant", "lock", "unlock", "ceiling", "setting", "own", "down"), 2),
    **dict.fromkeys(("inquire", "bounce", "broken"), 1),
    "wait": 14,
    "disk": 8,
}
"""How often each kind of event is drawn."""


def _publication(random: Random) -> tuple[str, Field, int | None]:
    source = random.choice(tuple(SOURCES))
    name = random.choice(BY_EVENTS if source == LEG else (*BY_EVENTS, *IN_CARD))
    return source, name, random.choice((None, 0, 1, 2))


def _some(random: Random, names: tuple[Field, ...]) -> frozenset[Field]:
    return frozenset(random.sample(names, random.randrange(len(names))))


def concerned(event: Event) -> Address | None:
    """Gives the contact without whom an event would not be; None when it may concern all."""
    found = [one for one in event[1:] if one in CONTACTS]
    return found[0] if found else None


@frozen
class Story:
    """Is a history, and who must not notice what it hides."""

    seed: int
    watcher: Address
    ledger: bool
    events: tuple[Event, ...] = field(repr=False)

    @classmethod
    def of(cls, seed: int, length: int = 25) -> "Story":
        """Draws the story of a seed."""
        random = Random(seed)
        watcher, ledger = random.choice(CONTACTS), random.random() < 0.5
        return cls(seed, watcher, ledger, tuple(history(random, watcher, length)))

    def told(self, changed: bool) -> list[tuple[float, str]]:
        """Plays it, as it was or changed; gives what the watcher's domain was told, and when."""
        run = Run(World(self.ledger), self.watcher, Random(self.seed + 1) if changed else None)
        run.begin()
        for event in self.events:
            run.play(event)
        run.play(("wait", 6.0))
        return [(one.at, one.text) for one in run.world.heard.said.get(self.watcher.domain, ())]

    @property
    def differs(self) -> bool:
        """Says whether the watcher's domain can tell the two runs apart."""
        return self.told(False) != self.told(True)


@define
class Run:
    """Plays events in a world; `secret` draws what is different in it, None nothing."""

    world: World
    watcher: Address
    secret: Random | None
    said: dict[tuple[Address, str], dict[Field, Any]] = field(factory=dict)
    """What each source says of a person, in the first run."""
    shown: dict[tuple[Address, str], Presence] = field(factory=dict)
    """What the inside server tells the watcher of each resource, in the first run."""
    cards: dict[Address, dict[Field, Any]] = field(factory=dict)
    locks: list[Lock] = field(factory=list)
    dialogs: int = 0
    strayed: bool = False
    """True while something hidden differs from the first run."""

    def begin(self) -> None:
        """Lets everybody know each other, and everybody be there."""
        for person in PEOPLE:
            self.cards[person] = {name: value(name, 0) for name in IN_CARD}
            self.world.inside.cards[person] = PresenceDocument(self.cards[person])
            self.said[(person, LEG)] = dict(self.cards[person])
            for contact in CONTACTS:
                self.world.befriend(person, contact)
                if VIA[contact] == "sip":
                    self._ask(person, contact, Ask.SUBSCRIBE)
                self._presence(person, contact, RESOURCES[0], frozenset({Field.SHOW, Field.NOTE}), 0)
        self.world.settle()

    def play(self, event: Event) -> None:
        """Plays one event, hidden changes before and in it."""
        if self.secret is not None:
            if event[0] in WIDENS or (event[0] == "wait" and self._ends_soon(event[1])):
                self._as_it_was()
            else:
                for _ in range(self.secret.choice((0, 0, 1, 3))):
                    self._hidden(self.secret)
            if concerned(event) not in (None, self.watcher) and self.secret.random() < 0.5 and event[0] != "ceiling":
                return
        self._do(event)

    def _do(self, event: Event) -> None:
        watched = self._watched()
        getattr(self, f"_{event[0]}")(*event[1:])
        self.world.turn()
        for person in watched - self._watched():  # the house forgets what it was told for him
            for resource in RESOURCES:
                self.shown.pop((person, resource), None)

    def _watched(self) -> set[Address]:
        of = self.world.pairs.of
        return {person for person in PEOPLE if of(person, self.watcher).facts.subscription.contact_watches}

    # -- what is hidden ----------------------------------------------------------------------------------------------

    def _hidden(self, secret: Random) -> None:
        """Does something that the watcher must not notice."""
        person, kind = secret.choice(PEOPLE), secret.randrange(5)
        unseen = [name for name in FIELDS if name not in self.world.visible(person, self.watcher)]
        if kind == 0 or not unseen:
            other = secret.choice([one for one in CONTACTS if one != self.watcher])
            event = drawn(secret, other)
            while concerned(event) is None:
                event = drawn(secret, other)
            self._do(event)
        elif kind == 1:
            self._shown_otherwise(person, secret, unseen)
        elif kind == 2:
            card = {**self.cards[person], **self._others(secret, IN_CARD, unseen)}
            self.world.inside.cards[person] = PresenceDocument(card)
            self.strayed = True
        elif kind == 3:
            other = secret.choice([one for one in CONTACTS if one != self.watcher])
            self.world.change_rules(locks=(*self.world.pairs.rules.locks, Lock(secret.choice(FIELDS), other.domain)))
        else:
            source, origin = secret.choice(tuple(SOURCES.items()))
            changes = self._others(secret, BY_EVENTS if source == LEG else FIELDS[1:], unseen)
            if source == LEG:
                self.world.house.published(person, changes)
            else:
                self.world.house.presence.say(person, source, origin, changes)
            self.strayed = True
        self.world.turn()

    def _others(self, secret: Random, among: tuple[Field, ...], unseen: list[Field]) -> dict[Field, Any]:
        names = [name for name in among if name in unseen and name is not Field.AVAILABILITY]
        some = secret.sample(names, secret.randint(0, len(names)))
        return {name: None if secret.random() < 0.3 else value(name, secret.randrange(3, 6)) for name in some}

    def _shown_otherwise(self, person: Address, secret: Random, unseen: list[Field]) -> None:
        """Lets the inside server tell the watcher something else of one that is there; of any, if he sees nobody."""
        pair = self.world.pairs.of(person, self.watcher)
        if not pair.facts.subscription.contact_watches:
            return
        resource = secret.choice(RESOURCES)
        true = self.shown.get((person, resource))
        if Field.AVAILABILITY in unseen:
            document = {Field.AVAILABILITY: True, **self._others(secret, BY_EVENTS, unseen)}
            there = secret.random() < 0.5
            self._show(person, resource, Presence(_document(document) if there else PresenceDocument()))
        elif true is not None:
            self._show(person, resource, self._veiled(true, secret, unseen))
        self.strayed = True

    def _veiled(self, presence: Presence, secret: Random, unseen: list[Field]) -> Presence:
        kept = {name: presence.document[name] for name in presence.document if name not in unseen}
        changed = {**kept, **self._others(secret, BY_EVENTS, unseen), Field.AVAILABILITY: True}
        return evolve(presence, document=_document(changed))

    def _as_it_was(self) -> None:
        """Puts all that is hidden back to what it is in the first run."""
        if not self.strayed:
            return
        self.strayed = False
        for person in PEOPLE:
            self.world.inside.cards[person] = PresenceDocument(self.cards[person])
            for source, origin in SOURCES.items():
                said = self.said.get((person, source), {})
                self.world.house.presence.say(person, source, origin, said, whole=True)
            pair = self.world.pairs.of(person, self.watcher)
            for resource in RESOURCES:
                true = self.shown.get((person, resource))
                if pair.endpoints.get(resource) != true:
                    self._show(person, resource, true or Presence(PresenceDocument()))
        self.world.turn()

    def _ends_soon(self, seconds: float) -> bool:
        end = self.world.clock.seconds() + seconds
        return any(self.world.pairs.of(person, self.watcher).valid_until <= end for person in PEOPLE)

    # -- events ------------------------------------------------------------------------------------------------------

    def _say(self, sender: Address, recipient: Address, content: Any, side: Side) -> None:
        self.world.house.receive(Envelope(sender, recipient, content, side))

    def _show(self, person: Address, resource: str, presence: Presence) -> None:
        self._say(person.at(resource) if resource else person, self.watcher, presence, Side.INTERNAL)

    def _presence(self, person: Address, contact: Address, resource: str, names: frozenset[Field], number: int) -> None:
        presence = Presence(_document({Field.AVAILABILITY: True, **{name: value(name, number) for name in names}}))
        if contact != self.watcher:
            self._say(person.at(resource), contact, presence, Side.INTERNAL)
            return
        self.shown[(person, resource)] = presence
        if self.secret is not None:
            unseen = [name for name in FIELDS if name not in self.world.visible(person, contact)]
            presence = self._veiled(presence, self.secret, unseen)
            self.strayed = True
        self._show(person, resource, presence)

    def _gone(self, person: Address, contact: Address, resource: str) -> None:
        if contact == self.watcher:
            for known in [resource] if resource else list(RESOURCES):
                self.shown.pop((person, known), None)
        sender = person.at(resource) if resource else person
        self._say(sender, contact, Presence(PresenceDocument()), Side.INTERNAL)

    def _publish(self, person: Address, source: str, name: Field, number: int | None) -> None:
        given = None if number is None else value(name, number)
        said = self.said.setdefault((person, source), {})
        said.pop(name, None)
        if given is not None:
            said[name] = given
        if self.secret is not None and name not in self.world.visible(person, self.watcher):
            given = self.secret.choice((given, None, value(name, 4)))
            self.strayed = True
        if source == LEG:
            self.world.house.published(person, {name: given})
        else:
            self.world.house.presence.say(person, source, SOURCES[source], {name: given})

    def _level(self, person: Address, contact: Address, level: str, until: float | None = None) -> None:
        self.world.assignments.set(Assignment(str(person), Member.parse(str(contact)), level, until=until))
        self.world.house.facts_changed(self.world.pairs.of_person(person))

    def _grant(self, person: Address, contact: Address, level: str, seconds: float) -> None:
        self._level(person, contact, level, self.world.clock.seconds() + seconds)

    def _lock(self, name: Field, partner: str) -> None:
        self.locks.append(Lock(name, partner))
        self.world.change_rules(locks=(*self.world.pairs.rules.locks, self.locks[-1]))

    def _unlock(self) -> None:
        kept = tuple(one for one in self.world.pairs.rules.locks if one not in self.locks)
        self.locks.clear()
        self.world.change_rules(locks=kept)

    def _ceiling(self, domain: str, names: list[Field]) -> None:
        known = self.world.pairs.rules.partners.by_name
        own = {**known, domain: evolve(known[domain], ceiling=frozenset(names))}
        self.world.change_rules(partners=Partners(own[one.name] for one in PARTNERS))

    def _setting(self, about: Any, on: bool, partner: str, locked: bool) -> None:
        rules = [one for one in self.world.pairs.rules.settings if (one.subject, one.partner) != (about, partner)]
        self.world.change_rules(settings=(*rules, Rule(about, on, partner, locked=locked)))

    def _own(self, person: Address, about: Any, on: bool) -> None:
        self.world.own.setdefault(person, {})[about] = on
        self.world.house.facts_changed(self.world.pairs.of_person(person))

    def _ask(self, person: Address, contact: Address, ask: Ask) -> None:
        if VIA[contact] == "xmpp":
            self._say(contact, person, Subscription(ask, "s"), Side.EXTERNAL)
        elif ask in (Ask.SUBSCRIBE, Ask.PROBE):
            expires = "0" if ask is Ask.PROBE else "3600"
            self._send("SUBSCRIBE", person, contact, b"", Event="presence", Expires=expires)

    def _send(self, method: str, person: Address, contact: Address, body: bytes, **fields: str) -> None:
        self.dialogs += 1
        given = {"Call_ID": f"{contact}-{person}-{self.dialogs if contact != self.watcher else self._own_number()}"}
        to, sender = f"sip:{person}", f"<sip:{contact}>;tag={given['Call_ID']}"
        via = f"SIP/2.0/TLS sip.{contact.domain}:5061;branch=z9hG4bK{given['Call_ID']}"
        place = f"<sip:sip.{contact.domain}:5061;transport=tls>"
        made = request(method, to, body, **given, Via=via, From=sender, To=f"<{to}>", Contact=place, **fields)
        self.world.sip.hear(contact.domain, made)

    numbers: int = 0

    def _own_number(self) -> int:
        self.numbers += 1
        return self.numbers

    def _answer(self, person: Address, contact: Address, ask: Ask) -> None:
        self._say(person.at(RESOURCES[0]), contact, Subscription(ask, "s"), Side.INTERNAL)

    def _query(self, person: Address, contact: Address, kind: QueryKind) -> None:
        if VIA[contact] == "xmpp":
            query = Query(kind, "q", question_of(kind))
            for asked in (person, self.world.pairs.of(person, contact).alias):
                self._say(contact.at("x"), asked, query, Side.EXTERNAL)

    def _inquire(self, person: Address, contact: Address) -> None:
        self._say(person.at(RESOURCES[0]), contact, Query(QueryKind.CARD, "c1"), Side.INTERNAL)

    def _message(self, person: Address, contact: Address, typing: bool) -> None:
        if VIA[contact] == "xmpp":
            said = Message(id="t1", chat_state=ChatState.COMPOSING) if typing else TEXTS
            self._say(contact.at("x"), person, said, Side.EXTERNAL)
        else:
            self._send("MESSAGE", person, contact, b"hello", Content_Type="text/plain")

    def _write(self, person: Address, contact: Address, text: bool) -> None:
        said = TEXTS if text else Message(id="t2", chat_state=ChatState.COMPOSING)
        self._say(person.at(RESOURCES[0]), contact, said, Side.INTERNAL)

    def _bounce(self, person: Address, contact: Address, problem: Problem) -> None:
        self._say(person.at(RESOURCES[0]), contact.at("x"), Bounce("message", "m1", problem), Side.INTERNAL)

    def _down(self, contact: Address) -> None:
        if (box := self.world.xmpp.boxes.get(contact.domain)) is not None:
            box.closed()

    def _up(self, contact: Address) -> None:
        if (box := self.world.xmpp.boxes.get(contact.domain)) is not None and not box.is_open:
            box.opened(self.world.xmpp.transmit)

    def _broken(self, contact: Address) -> None:
        self._down(contact)
        self._up(contact)
        self.world.house.link_restored("corp.example", contact.domain)

    def _wait(self, seconds: float) -> None:
        self.world.wait(seconds)

    def _disk(self) -> None:
        self.world.settle()


def _document(values: dict[Field, Any]) -> PresenceDocument:
    return PresenceDocument({name: given for name, given in values.items() if given is not None})
