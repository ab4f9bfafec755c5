"""Models as hypothesis draws them: only what a stanza can say exactly."""

import hashlib

from hypothesis import strategies as st

from gateway.model.message import ChatState, Message, MessageKind
from gateway.model.presence import Activity, Field, Mood, Photo, Place, PostalAddress, Presence, PresenceDocument, Show
from gateway.protocols.vocabulary import GENERAL_ACTIVITIES, MOODS, PLACE_PARTS, SPECIFIC_ACTIVITIES
from tests.protocols.xmpp.stanzas.parsing import NOW

XML_TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cn", "Co"], exclude_characters=[chr(code) for code in range(32)])
    | st.sampled_from("\t\n\r"),
    min_size=1,
    max_size=40,
)
IDS = st.text(st.characters(codec="utf-8"), max_size=20).filter(str.isprintable)
LINES = XML_TEXT.map(lambda text: " ".join(text.split())).filter(bool)
LANGUAGES = st.sampled_from(["", "en", "de", "pt-BR", "zh-Hant-TW"])
TEXTS = st.lists(st.tuples(LANGUAGES, XML_TEXT), max_size=3, unique_by=lambda pair: pair[0]).map(tuple)
SECONDS = st.integers(0, int(NOW)).map(float)

MESSAGES = st.builds(
    Message,
    kind=st.sampled_from(MessageKind),
    id=IDS,
    bodies=TEXTS,
    subjects=TEXTS,
    thread=IDS,
    chat_state=st.none() | st.sampled_from(ChatState),
    receipt_wanted=st.booleans(),
    receipt_for=IDS,
    replaces=IDS,
    delayed_since=st.none() | SECONDS,
)

PHOTOS = (
    st.binary(max_size=60)
    .map(lambda tail: b"\x89PNG\r\n\x1a\n" + tail)
    .map(lambda content: Photo("image/png", content, hashlib.sha1(content).hexdigest()))
)


@st.composite
def presences(draw: st.DrawFn) -> Presence:
    """Draws an available presence of the fields that a presence stanza carries, photo apart."""
    fields: dict[Field, object] = {Field.AVAILABILITY: True}
    optional = {Field.SHOW: st.sampled_from(Show), Field.NOTE: TEXTS.filter(bool), Field.DISPLAY_NAME: LINES}
    for name, values in optional.items():
        if draw(st.booleans()):
            fields[name] = draw(values)
    if draw(st.booleans()):
        fields[Field.LAST_ACTIVE] = since = draw(SECONDS)
        fields[Field.IDLE] = since // 900 * 900
    return Presence(PresenceDocument(fields), draw(st.integers(-128, 127)))


_LISTS = st.lists(LINES, min_size=1, max_size=3, unique=True).map(tuple)
_POSTAL = st.builds(PostalAddress, *(st.just("") | LINES for _ in range(5))).filter(
    lambda postal: postal != PostalAddress()
)

CARD_VALUES = {
    Field.DISPLAY_NAME: LINES,
    Field.EMAIL: st.lists(st.emails(), min_size=1, max_size=3, unique=True).map(tuple),
    Field.TITLE: LINES,
    Field.COMPANY: LINES,
    Field.DEPARTMENT: LINES,
    Field.OFFICE: LINES,
    Field.PHONE_WORK: _LISTS,
    Field.PHONE_MOBILE: _LISTS,
    Field.PHONE_HOME: _LISTS,
    Field.PHONE_OTHER: _LISTS,
    Field.ADDRESS_WORK: _POSTAL,
    Field.ADDRESS_HOME: _POSTAL,
    Field.URL: st.just(("https://corp.example/alice",)),
    Field.TIME_ZONE: st.sampled_from(["+00:00", "+01:00", "-05:30"]),
    Field.PHOTO: PHOTOS,
}

EVENT_VALUES = {
    Field.ACTIVITY: st.builds(
        Activity,
        st.sampled_from(sorted(GENERAL_ACTIVITIES)),
        st.just("") | st.sampled_from(sorted(SPECIFIC_ACTIVITIES)),
        st.just("") | LINES,
    ),
    Field.MOOD: st.builds(Mood, st.sampled_from(sorted(MOODS)), st.just("") | LINES),
    Field.LOCATION: st.dictionaries(st.sampled_from(PLACE_PARTS), LINES, min_size=1).map(Place),
    Field.DISPLAY_NAME: LINES,
}


@st.composite
def cards(draw: st.DrawFn) -> PresenceDocument:
    """Draws a document of some fields that a card carries."""
    names = draw(st.sets(st.sampled_from(sorted(CARD_VALUES, key=lambda name: name.value))))
    return PresenceDocument({name: draw(CARD_VALUES[name]) for name in names})
