"""A house whose partners' text is written by the real XMPP writer, and histories that hypothesis drives it through."""

import os
from typing import Any

from attrs import define, evolve, field, frozen
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from gateway.books.presence_book import IN_PRESENCE
from gateway.model.address import Address
from gateway.model.envelope import Bounce, Envelope, Problem, Query, QueryKind, Side
from gateway.model.message import Message
from gateway.model.presence import Field, Presence, PresenceDocument
from gateway.model.subscription import Ask, Subscription
from gateway.policy.authorization import permission
from gateway.policy.partners import Lock, Partners
from gateway.policy.published_info import PRESENCE_FIELDS
from gateway.protocols.xmpp.stanzas.queries import question_of
from gateway.queues.outbox import Outbox, OutboxLimits
from plugins.legs.xmpp.dialect import OutsideDialect
from tests.policy.samples import value_of
from tests.stage import ALICE, BOB, CAROL, DESK, PARTNER, PHONE, Stage

EXAMPLES = int(os.environ.get("GATEWAY_EXAMPLES", "120"))
"""Histories of one property; GATEWAY_EXAMPLES=2000 is the long run."""
profile = settings(
    max_examples=EXAMPLES,
    stateful_step_count=30,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TABLE: dict[Field, Any] = {name: value_of(name) for name in Field}


@frozen
class Said:
    """Is text that was written to a contact, when, and what he was permitted to see at that moment."""

    to: Address
    at: float
    text: str
    permitted: frozenset[Field]


@define
class Wire:
    """Stands where the outside leg stands: an outbox, a link that goes up and down, the real writer."""

    stage: Stage = field(init=False)
    said: list[Said] = field(factory=list)
    box: Outbox = field(init=False)
    name: str = "xmpp"
    carries: frozenset[Field] = IN_PRESENCE

    def play(self, stage: Stage) -> None:
        """Takes the place of the outside leg of a house."""
        self.stage = stage
        seconds = stage.clock.seconds
        self.box = Outbox(OutboxLimits(), stage.house.reconsider, stage.house.undeliverable, seconds)
        self.writer = OutsideDialect(stage.house, seconds, lambda *_: None, stage.metrics)
        self.box.opened(self.transmit)

    writer: OutsideDialect = field(init=False)

    def transmit(self, envelope: Envelope) -> None:
        """Writes what an envelope says, as it would leave."""
        text = self.writer.write(envelope, envelope.sender, envelope.recipient)
        if text:
            pair = self.stage.pairs.of(envelope.sender, envelope.recipient)
            facts, _ = self.stage.pairs._facts(pair.person, pair.contact)
            self.said.append(Said(pair.contact, self.stage.clock.seconds(), text, permission(facts).fields))

    def deliver(self, envelope: Envelope) -> bool:
        """Takes an envelope as a leg does."""
        self.box.put(envelope)
        return self.box.is_open

    def to(self, contact: Address) -> list[tuple[float, str]]:
        """Gives what was said to one contact, and when."""
        return [(one.at, one.text) for one in self.said if one.to == contact]


def staged(level: str = "public", **changes: Any) -> tuple[Stage, Wire]:
    """Gives a house whose outside is a wire."""
    stage, wire = Stage(level=level), Wire()
    stage.pairs.rules = evolve(stage.pairs.rules, **changes)
    stage.house.relay._legs["xmpp"] = wire  # type: ignore[index]
    wire.play(stage)
    return stage, wire


Event = tuple[Any, ...]
contacts = st.sampled_from([BOB, CAROL])
levels = st.sampled_from(["blocked", "public", "company", "team", "personal"])
events = st.one_of(
    st.tuples(
        st.just("presence"),
        contacts,
        st.sampled_from([DESK, PHONE]),
        st.frozensets(st.sampled_from(list(PRESENCE_FIELDS))),
    ),
    st.tuples(st.just("gone"), contacts, st.sampled_from([DESK, PHONE])),
    st.tuples(
        st.just("event"),
        st.sampled_from([Field.MOOD, Field.ACTIVITY, Field.LOCATION, Field.DISPLAY_NAME]),
        st.booleans(),
    ),
    st.tuples(st.just("card"), st.frozensets(st.sampled_from([name for name in Field if name not in PRESENCE_FIELDS]))),
    st.tuples(st.just("level"), contacts, levels),
    st.tuples(st.just("lock"), st.sampled_from(list(Field))),
    st.tuples(st.just("unlock")),
    st.tuples(st.just("ceiling"), st.frozensets(st.sampled_from(list(Field)))),
    st.tuples(st.just("in"), contacts, st.sampled_from(list(Ask))),
    st.tuples(st.just("out"), contacts, st.sampled_from(list(Ask))),
    st.tuples(
        st.just("query"),
        contacts,
        st.sampled_from([kind for kind in QueryKind if kind not in (QueryKind.OTHER, QueryKind.FORM)]),
    ),
    st.tuples(st.just("message"), contacts),
    st.tuples(st.just("bounce"), contacts, st.sampled_from(list(Problem))),
    st.tuples(st.just("down")),
    st.tuples(st.just("up")),
    st.tuples(st.just("wait"), st.sampled_from([1.0, 61.0, 700.0])),
    st.tuples(st.just("broken")),
)
histories = st.lists(events, min_size=3, max_size=30)


def document(names: frozenset[Field], values: dict[Field, Any]) -> PresenceDocument:
    """Gives a document of these fields, present or not."""
    return PresenceDocument({Field.AVAILABILITY: True, **{name: values[name] for name in names}})


@define
class Player:
    """Plays events on a house; `values` is what the fields hold."""

    stage: Stage
    wire: Wire
    values: dict[Field, Any] = field(factory=lambda: dict(TABLE))

    def play(self, event: Event) -> None:
        """Does what one event says."""
        getattr(self, f"_{event[0]}")(*event[1:])
        self.stage.inside.taken()

    def _say(self, sender: Address, recipient: Address, content: Any, side: Side) -> None:
        self.stage.house.receive(Envelope(sender, recipient, content, side))

    def _presence(self, contact: Address, who: Address, names: frozenset[Field]) -> None:
        self._say(who, contact, Presence(document(names, self.values)), Side.INTERNAL)

    def _gone(self, contact: Address, who: Address) -> None:
        self._say(who, contact, Presence(PresenceDocument()), Side.INTERNAL)

    def _event(self, name: Field, there: bool) -> None:
        self.stage.house.published(ALICE, {name: self.values[name] if there else None})

    def _card(self, names: frozenset[Field]) -> None:
        self.stage.inside.cards[ALICE] = PresenceDocument({name: self.values[name] for name in names})

    def _level(self, contact: Address, level: str) -> None:
        self.stage.level(level, contact)

    def _rules(self, **changes: Any) -> None:
        self.stage.pairs.take(evolve(self.stage.pairs.rules, **changes))
        self.stage.house.reveal_again(list(self.stage.pairs))

    def _lock(self, name: Field) -> None:
        self._rules(locks=(*self.stage.pairs.rules.locks, Lock(name)))

    def _unlock(self) -> None:
        self._rules(locks=())

    def _ceiling(self, names: frozenset[Field]) -> None:
        others = [one for one in self.stage.pairs.rules.partners.by_name.values() if one.name != PARTNER.name]
        self._rules(partners=Partners([evolve(PARTNER, ceiling=names | {Field.AVAILABILITY}), *others]))

    def _in(self, contact: Address, ask: Ask) -> None:
        self._say(contact, ALICE, Subscription(ask, "s"), Side.EXTERNAL)

    def _out(self, contact: Address, ask: Ask) -> None:
        self._say(DESK, contact, Subscription(ask, "s"), Side.INTERNAL)

    def _query(self, contact: Address, kind: QueryKind) -> None:
        query = Query(kind, "q", question_of(kind))
        for asked in (ALICE, self.stage.pairs.of(ALICE, contact).alias):
            self._say(contact.at("x"), asked, query, Side.EXTERNAL)

    def _message(self, contact: Address) -> None:
        self._say(contact.at("x"), ALICE, Message(id="m", bodies=(("", "hello"),)), Side.EXTERNAL)

    def _bounce(self, contact: Address, problem: Problem) -> None:
        self._say(DESK, contact.at("x"), Bounce("message", "m", problem), Side.INTERNAL)

    def _down(self) -> None:
        self.wire.box.closed()

    def _up(self) -> None:
        self.wire.box.opened(self.wire.transmit)

    def _broken(self) -> None:
        self.wire.box.closed()
        self.wire.box.opened(self.wire.transmit)
        for contact in (BOB, CAROL):
            self.stage.house.link_restored("corp.example", contact.domain)

    def _wait(self, seconds: float) -> None:
        self.stage.clock.advance(seconds)
        self.stage.house.tick()
        self.wire.box.expire()
