"""Presence documents as hypothesis draws them, and one in which every value is a canary."""

import hashlib

from hypothesis import strategies as st

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
from gateway.protocols.vocabulary import DEVICES, GENERAL_ACTIVITIES, MOODS, PLACE_PARTS, SPECIFIC_ACTIVITIES

NOW = 1_780_000_000.0
LINES = (
    st.text(st.characters(exclude_categories=["Cs", "Cn", "Co", "Cc"]), min_size=1, max_size=20)
    .map(lambda text: " ".join(text.split()))
    .filter(bool)
)
TEXTS = st.lists(
    st.tuples(st.sampled_from(["", "en", "de", "pt-BR"]), LINES), min_size=1, max_size=3, unique_by=lambda pair: pair[0]
).map(tuple)
SECONDS = st.integers(0, int(NOW)).map(float) | st.integers(int(NOW) - 4000, int(NOW)).map(float)
NUMBERS = st.from_regex(r"\+[1-9][0-9]{3,10}( ext [0-9]{1,4})?", fullmatch=True)


def lists(values: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(values, min_size=1, max_size=3, unique=True).map(tuple)


ADDRESSES = st.builds(PostalAddress, *[LINES] * 5)
VALUES = {
    Field.AVAILABILITY: st.just(True),
    Field.SHOW: st.sampled_from(Show),
    Field.ACTIVITY: st.builds(
        Activity,
        st.sampled_from(sorted(GENERAL_ACTIVITIES - {"undefined"})),
        st.just("") | st.sampled_from(sorted(SPECIFIC_ACTIVITIES)),
        st.just("") | LINES,
    )
    | st.builds(Activity, st.just("undefined"), st.just(""), LINES),
    Field.NOTE: TEXTS,
    Field.IDLE: SECONDS.map(lambda since: since // 900 * 900),
    Field.LAST_ACTIVE: SECONDS,
    Field.DEVICE: st.sampled_from(sorted(DEVICES)),
    Field.CAPABILITIES: st.just(frozenset({"receipts"})),
    Field.DISPLAY_NAME: LINES,
    Field.EMAIL: lists(st.emails()),
    Field.TITLE: LINES,
    Field.COMPANY: LINES,
    Field.DEPARTMENT: LINES,
    Field.OFFICE: LINES,
    Field.PHONE_WORK: lists(NUMBERS),
    Field.PHONE_MOBILE: lists(NUMBERS),
    Field.PHONE_HOME: lists(NUMBERS),
    Field.PHONE_OTHER: lists(NUMBERS),
    Field.ADDRESS_WORK: ADDRESSES,
    Field.ADDRESS_HOME: ADDRESSES,
    Field.URL: lists(st.sampled_from(["https://corp.example/a", "http://corp.example/b?c=d&e='f'"])),
    Field.PHOTO: st.binary(max_size=8).map(lambda octets: Photo("image/png", octets, hashlib.sha1(octets).hexdigest())),
    Field.LOCATION: st.dictionaries(st.sampled_from(PLACE_PARTS), LINES, min_size=1).map(Place),
    Field.TIME_ZONE: st.sampled_from(["+00:00", "+01:00", "-05:30", "+14:00"]),
    Field.MOOD: st.builds(Mood, st.sampled_from(sorted(MOODS)), st.just("") | LINES),
    Field.FREE_BUSY: st.builds(
        FreeBusy,
        st.integers(0, 3_000_000).map(lambda quarters: quarters * 900),
        st.lists(st.sampled_from(Slot), min_size=1, max_size=12).map(tuple),
    ),
    Field.MEETING_SUBJECT: LINES,
    Field.MEETING_LOCATION: LINES,
    Field.OUT_OF_OFFICE: TEXTS,
    Field.WORKING_HOURS: st.builds(
        WorkingHours,
        st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))),
        st.integers(0, 700),
        st.integers(701, 1439),
        st.sampled_from(["", "+00:00", "+01:00", "-05:30"]),
    ),
}


@st.composite
def documents(draw: st.DrawFn, names: frozenset[Field] = frozenset(Field)) -> PresenceDocument:
    """Draws an available document of some of these fields."""
    chosen = draw(st.sets(st.sampled_from(sorted(names, key=lambda name: name.value))))
    return PresenceDocument({name: draw(VALUES[name]) for name in {*chosen, Field.AVAILABILITY}})


CANARIES = {
    Field.AVAILABILITY: (True, "open"),
    Field.SHOW: (Show.XA, "jabber:client"),
    Field.ACTIVITY: (Activity("exercising", "cycling", "canary-activity"), "cycling"),
    Field.NOTE: ((("", "canary-note"),), "canary-note"),
    Field.IDLE: (NOW // 900 * 900 - 9000, "idle"),
    Field.LAST_ACTIVE: (1_000_000_000.0, "2001-09-09"),
    Field.DEVICE: ("tablet", "tablet"),
    Field.CAPABILITIES: (frozenset({"corrections"}), "corrections"),
    Field.DISPLAY_NAME: ("canary-name", "canary-name"),
    Field.EMAIL: (("canary-mail@corp.example",), "canary-mail"),
    Field.TITLE: ("canary-title", "canary-title"),
    Field.COMPANY: ("canary-company", "canary-company"),
    Field.DEPARTMENT: ("canary-department", "canary-department"),
    Field.OFFICE: ("canary-office", "canary-office"),
    Field.PHONE_WORK: (("+15550101",), "5550101"),
    Field.PHONE_MOBILE: (("+15550102",), "5550102"),
    Field.PHONE_HOME: (("+15550103",), "5550103"),
    Field.PHONE_OTHER: (("+15550104",), "5550104"),
    Field.ADDRESS_WORK: (PostalAddress("canary-street"), "canary-street"),
    Field.ADDRESS_HOME: (PostalAddress("canary-home"), "canary-home"),
    Field.URL: (("https://corp.example/canary-url",), "canary-url"),
    Field.PHOTO: (Photo("image/png", b"canary", "c" * 40), "Y2FuYXJ5"),
    Field.LOCATION: (Place({"room": "canary-room"}), "canary-room"),
    Field.TIME_ZONE: ("+05:45", "345"),
    Field.MOOD: (Mood("grumpy", "canary-mood"), "grumpy"),
    Field.FREE_BUSY: (FreeBusy(int(NOW) // 900 * 900 + 90_000, (Slot.OUT_OF_OFFICE, Slot.BUSY) * 8), "u7u7uw"),
    Field.MEETING_SUBJECT: ("canary-subject", "canary-subject"),
    Field.MEETING_LOCATION: ("canary-meeting-room", "canary-meeting-room"),
    Field.OUT_OF_OFFICE: ((("", "canary-reply"),), "canary-reply"),
    Field.WORKING_HOURS: (WorkingHours((5, 6), 423, 1234, "+05:00"), "1234"),
}
"""Field to a value, and what of it would be seen in a written form."""


def canary_document(names: set[Field]) -> PresenceDocument:
    """Gives a document of these fields, each with its canary."""
    return PresenceDocument({name: CANARIES[name][0] for name in names})
