"""Documents, facts and strategies that the tests of model and policy share."""

from hashlib import sha1
from typing import Any

from attrs import evolve
from hypothesis import strategies as st

from gateway.model.address import Address
from gateway.model.envelope import Content, Envelope, Side
from gateway.model.presence import (
    Activity,
    Field,
    FreeBusy,
    Mood,
    Photo,
    Place,
    PostalAddress,
    PresenceDocument,
    Show,
    Slot,
    WorkingHours,
)
from gateway.model.subscription import State
from gateway.policy.access_level import STANDARD, AccessLevel, Assignment, Member
from gateway.policy.authorization import Facts, authorize, permission
from gateway.policy.partners import Lock, Modality, Partner
from gateway.policy.verdict import Verdict

CANARY = "canary-7f3a"
ALICE = Address.parse("alice@corp.example")
BOB = Address.parse("bob@partner.example")
PARTNER = Partner("partner.example", frozenset({"partner.example", "partner.test"}))
PLAIN = {
    Field.AVAILABILITY: True,
    Field.SHOW: Show.DND,
    Field.IDLE: 1_499_999_400.0,
    Field.LAST_ACTIVE: 1.5e9 + 77,
    Field.FREE_BUSY: FreeBusy(1_500_000_300, (Slot.FREE, Slot.BUSY, Slot.OUT_OF_OFFICE)),
}
"""Fields whose type has no room for a canary."""


def value_of(name: Field, canary: str = CANARY) -> Any:
    """Gives a value of the right type that holds the canary and the field's own name wherever it can."""
    mark = f"{canary}:{name.value};"
    shaped: dict[Field, Any] = {
        Field.ACTIVITY: Activity(mark, mark, mark),
        Field.NOTE: (("en", mark),),
        Field.OUT_OF_OFFICE: (("en", mark),),
        Field.WORKING_HOURS: WorkingHours((0, 4), 480, 1020, mark),
        Field.CAPABILITIES: frozenset({mark}),
        Field.PHOTO: Photo("image/png", mark.encode(), sha1(mark.encode()).hexdigest()),
        Field.LOCATION: Place({"room": mark}),
        Field.MOOD: Mood(mark, mark),
        Field.ADDRESS_WORK: PostalAddress(mark, mark, mark, mark, mark),
        Field.ADDRESS_HOME: PostalAddress(mark, mark, mark, mark, mark),
        **dict.fromkeys(
            (Field.EMAIL, Field.URL, Field.PHONE_WORK, Field.PHONE_MOBILE, Field.PHONE_HOME, Field.PHONE_OTHER), (mark,)
        ),
        **PLAIN,
    }
    return shaped.get(name, mark)


def document_of(*names: Field) -> PresenceDocument:
    """Gives a document that publishes these fields."""
    return PresenceDocument({name: value_of(name) for name in names})


def full_document() -> PresenceDocument:
    """Gives a document that publishes everything."""
    return document_of(*Field)


def spelled_out(document: PresenceDocument) -> str:
    """Gives every value of a document as text, past every repr=False."""
    return " ".join(_text(document[name]) for name in document)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode()
    if hasattr(type(value), "__attrs_attrs__"):
        return " ".join(_text(getattr(value, part.name)) for part in type(value).__attrs_attrs__)
    return repr(value)


def facts_of(level: str = "public", **changes: Any) -> Facts:
    """Gives facts in which bob has a standard level by name and is subscribed."""
    given = Assignment(str(ALICE), Member.parse(str(BOB)), level)
    return evolve(Facts(PARTNER, STANDARD[level], given, State.BOTH), **changes)


def sent(content: Content, facts: Facts, side: Side = Side.INTERNAL) -> Verdict:
    """Gives the verdict on a content between alice and bob, from the side it comes from."""
    sender, recipient = (ALICE, BOB) if side is Side.INTERNAL else (BOB, ALICE)
    return authorize(Envelope(sender, recipient, content, side), facts, permission(facts))


field_sets = st.frozensets(st.sampled_from(list(Field)))


@st.composite
def documents(draw: st.DrawFn) -> PresenceDocument:
    """Draws documents with a canary in every value; most of them are available."""
    names = draw(st.lists(st.sampled_from(list(Field)), unique=True))
    if draw(st.integers(0, 3)) and Field.AVAILABILITY not in names:
        names.append(Field.AVAILABILITY)
    return document_of(*names)


levels = st.one_of(
    st.sampled_from(list(STANDARD.values())),
    st.builds(AccessLevel, st.just("auditors"), field_sets, st.just(50)),
)
locks = st.builds(
    Lock, st.sampled_from(list(Field)), st.sampled_from(["", "partner.example", "partner.test", "other.example"])
)
partners = st.builds(
    lambda ceiling, modalities: evolve(PARTNER, ceiling=ceiling, modalities=modalities),
    st.one_of(st.just(frozenset(Field)), field_sets),
    st.one_of(st.just(PARTNER.modalities), st.frozensets(st.sampled_from(list(Modality)))),
)


@st.composite
def any_facts(draw: st.DrawFn) -> Facts:
    """Draws facts of every kind: no partner, any level, ceiling, modalities, locks, subscription."""
    level = draw(levels)
    named = draw(st.booleans())
    return Facts(
        draw(st.one_of(partners, partners, partners, st.none())),
        level,
        Assignment(str(ALICE), Member.parse(str(BOB)), level.name) if named else None,
        draw(st.sampled_from(list(State))),
        tuple(draw(st.lists(locks, max_size=4))),
    )
