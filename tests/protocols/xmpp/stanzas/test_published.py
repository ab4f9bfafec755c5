"""Personal eventing both ways."""

import base64
import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.presence import Activity, Field, Mood, Photo, Place, PresenceDocument
from gateway.protocols.xmpp.stanzas.messages import read_message
from gateway.protocols.xmpp.stanzas.published import NODE_OF, PublishedEvent, read_items, write_event
from tests.protocols.xmpp.stanzas.parsing import NOW, RECIPIENT, SENDER, parse
from tests.protocols.xmpp.stanzas.strategies import EVENT_VALUES, PHOTOS

START = "<message from='alice@corp.example/desk' to='bob@partner.example' type='headline'>"
SHA1 = "0123456789abcdef0123456789abcdef01234567"


def event(node: str, inside: str) -> PublishedEvent:
    text = (
        "<message type='headline'><event xmlns='http://jabber.org/protocol/pubsub#event'>"
        f"<items node='{node}'>{inside}</items></event></message>"
    )
    read = read_message(parse(text), NOW)
    assert isinstance(read, PublishedEvent)
    return read


def item(payload: str) -> str:
    return f"<item id='canary' publisher='canary'>{payload}</item>"


ACTIVITY = "http://jabber.org/protocol/activity"
MOOD = "http://jabber.org/protocol/mood"
PLACE = "http://jabber.org/protocol/geoloc"
NICK = "http://jabber.org/protocol/nick"

READ: list[tuple[str, str, Field, Any]] = [
    (ACTIVITY, "<working><coding/></working><text>x</text>", Field.ACTIVITY, Activity("working", "coding", "x")),
    (ACTIVITY, "<working><canary/></working>", Field.ACTIVITY, Activity("working")),
    (ACTIVITY, "<working><coding xmlns='canary'/></working>", Field.ACTIVITY, Activity("working")),
    (ACTIVITY, "<canary><coding/></canary>", Field.ACTIVITY, None),
    (ACTIVITY, "<text>canary</text>", Field.ACTIVITY, None),
    (ACTIVITY, "", Field.ACTIVITY, None),
    (MOOD, "<happy/><text>y</text>", Field.MOOD, Mood("happy", "y")),
    (MOOD, "<canary/><happy/>", Field.MOOD, Mood("happy")),
    (MOOD, "<canary/>", Field.MOOD, None),
    (PLACE, "<room>2.1</room><building>B</building>", Field.LOCATION, Place({"building": "B", "room": "2.1"})),
    (PLACE, "<lat>1</lat><lon>2</lon><alt>3</alt><uri>geo:1,2</uri><accuracy>4</accuracy>", Field.LOCATION, None),
    (PLACE, "<lat>1</lat><locality>Oslo</locality><speed>9</speed>", Field.LOCATION, Place({"locality": "Oslo"})),
]


@pytest.mark.parametrize(("node", "inside", "name", "value"), READ)
def test_what_an_item_says(node: str, inside: str, name: Field, value: Any) -> None:
    root = {ACTIVITY: "activity", MOOD: "mood", PLACE: "geoloc"}[node]
    assert event(node, item(f"<{root} xmlns='{node}'>{inside}</{root}>")).fields == {name: value}


@pytest.mark.parametrize("inside", ["<retract id='x'/>", item(""), item("<canary xmlns='canary'/>")])
def test_what_is_retracted_has_no_value(inside: str) -> None:
    assert event(MOOD, inside).fields == {Field.MOOD: None}


@pytest.mark.parametrize("kind", ["purge", "delete"])
def test_a_node_that_goes_takes_its_field_along(kind: str) -> None:
    text = f"<message><event xmlns='http://jabber.org/protocol/pubsub#event'><{kind} node='{MOOD}'/></event></message>"
    assert read_message(parse(text), NOW) == PublishedEvent({Field.MOOD: None})


@pytest.mark.parametrize("node", ["", "canary", "storage:bookmarks", "http://jabber.org/protocol/tune"])
def test_other_nodes_say_nothing(node: str) -> None:
    assert event(node, item("<canary xmlns='canary'/>")) == PublishedEvent()


def test_the_last_item_counts() -> None:
    items = item(f"<nick xmlns='{NICK}'>old</nick>") + item(f"<nick xmlns='{NICK}'>new</nick>")
    assert event(NICK, items).fields == {Field.DISPLAY_NAME: "new"}


METADATA = "urn:xmpp:avatar:metadata"


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        (f"<info id='{SHA1}' bytes='100' type='image/png' url='canary'/>", PublishedEvent({}, SHA1)),
        (f"<info id='{SHA1}' bytes='70000' type='image/png'/>", PublishedEvent({Field.PHOTO: None})),
        (f"<info id='{SHA1}' bytes='100' type='image/svg+xml'/>", PublishedEvent({Field.PHOTO: None})),
        ("<info id='canary' bytes='100' type='image/png'/>", PublishedEvent({Field.PHOTO: None})),
        (f"<info id='{SHA1.upper()}' bytes='65536' type='image/png'/>", PublishedEvent({}, SHA1)),
        (f"<info id='{SHA1}' bytes='65537' type='image/png'/>", PublishedEvent({Field.PHOTO: None})),
        (f"<info id='{SHA1}' bytes='00000100' type='image/png'/>", PublishedEvent({}, SHA1)),
        (f"<info id='{SHA1}' bytes='000000100' type='image/png'/>", PublishedEvent({Field.PHOTO: None})),
        (f"<info id='{SHA1}' bytes='' type='image/png'/>", PublishedEvent({Field.PHOTO: None})),
        (f"<info id='{SHA1}' type='image/png'/>", PublishedEvent({Field.PHOTO: None})),
        (f"<info id='{SHA1}0' bytes='100' type='image/png'/>", PublishedEvent({Field.PHOTO: None})),
        (f"<info id='{SHA1[:-1]}X' bytes='100' type='image/png'/>", PublishedEvent({Field.PHOTO: None})),
        (f"<info id='{SHA1[:-1]}' bytes='100' type='image/png'/>", PublishedEvent({Field.PHOTO: None})),
        ("", PublishedEvent({Field.PHOTO: None})),
    ],
)
def test_a_picture_is_told_by_its_hash(inside: str, expected: PublishedEvent) -> None:
    assert event(METADATA, item(f"<metadata xmlns='{METADATA}'>{inside}</metadata>")) == expected


def test_a_picture_itself_is_read_and_its_hash_is_not_asked_for() -> None:
    content = b"\x89PNG\r\n\x1a\n"
    node, octets = "urn:xmpp:avatar:data", base64.b64encode(content).decode()
    photo = Photo("image/png", content, hashlib.sha1(content).hexdigest())
    assert event(node, item(f"<data xmlns='{node}'>{octets}</data>")) == PublishedEvent({Field.PHOTO: photo})
    for wrong in (f"<data xmlns='canary'>{octets}</data>", f"<canary xmlns='{node}'>{octets}</canary>"):
        assert event(node, item(wrong)) == PublishedEvent({Field.PHOTO: None})
    assert event(node, item(f"<data xmlns='{node}'>canary!</data>")) == PublishedEvent({Field.PHOTO: None})


@pytest.mark.parametrize(
    ("node", "inside", "fields"),
    [
        (ACTIVITY, "<canary xmlns='{}'><working/></canary>", {Field.ACTIVITY}),
        (ACTIVITY, "<activity xmlns='canary'><working xmlns='{}'/></activity>", {Field.ACTIVITY}),
        (MOOD, "<canary xmlns='{}'><happy/></canary>", {Field.MOOD}),
        (PLACE, "<canary xmlns='{}'><room>1</room></canary>", {Field.LOCATION}),
        (NICK, "<canary xmlns='{}'>name</canary>", {Field.DISPLAY_NAME}),
        (METADATA, "<canary xmlns='{}'/>", {Field.PHOTO}),
    ],
)
def test_another_payload_withdraws(node: str, inside: str, fields: set[Field]) -> None:
    assert event(node, item(inside.format(node))).fields == dict.fromkeys(fields)


def test_a_card_of_another_kind_withdraws_what_a_card_says() -> None:
    node = "urn:xmpp:vcard4"
    for wrong in ("<vcard xmlns='canary'><title><text>Boss</text></title></vcard>", f"<canary xmlns='{node}'/>"):
        fields = event(node, item(wrong)).fields
        assert fields[Field.TITLE] is None and set(fields.values()) == {None}


PUBSUB = "http://jabber.org/protocol/pubsub"


def test_the_items_of_a_result_are_read_like_those_of_an_event() -> None:
    """XEP-0060 section 6.5; their namespace is that of the answer."""
    text = f"<items xmlns='{PUBSUB}' node='{MOOD}'><item><mood xmlns='{MOOD}'><happy/></mood></item></items>"
    assert read_items(parse(text)) == PublishedEvent({Field.MOOD: Mood("happy")})
    for other in (text.replace("node='", "node='canary"), text.replace(f" node='{MOOD}'", "")):
        assert read_items(parse(other)) == PublishedEvent()


@pytest.mark.parametrize(
    "inside", ["", "<item xmlns='canary'><mood/></item>", "<canary/>", "<retract xmlns='canary'/>"]
)
def test_what_is_neither_item_nor_retraction_says_nothing(inside: str) -> None:
    assert event(MOOD, inside) == PublishedEvent()


def test_a_retraction_after_an_item_and_before_it() -> None:
    happy = item(f"<mood xmlns='{MOOD}'><happy/></mood>")
    assert event(MOOD, f"{happy}<retract id='x'/>").fields == {Field.MOOD: None}
    assert event(MOOD, f"<retract id='x'/>{happy}").fields == {Field.MOOD: Mood("happy")}


def test_a_value_stays_out_of_what_an_event_says_of_itself() -> None:
    assert "secret" not in repr(PublishedEvent({Field.DISPLAY_NAME: "secret"}))


def test_no_activity_writes_no_payload() -> None:
    text = write_event(Field.ACTIVITY, PresenceDocument({}), SENDER, RECIPIENT)
    assert f"<item id='current'><activity xmlns='{ACTIVITY}'/></item>" in text


def test_a_new_card_replaces_the_old_one() -> None:
    card = "<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'><title><text>Boss</text></title></vcard>"
    fields = event("urn:xmpp:vcard4", item(card)).fields
    assert fields[Field.TITLE] == "Boss"
    assert fields[Field.EMAIL] is None
    assert Field.PHOTO not in fields and Field.DISPLAY_NAME not in fields


@given(st.data())
def test_what_is_written_is_read(drawn: st.DataObject) -> None:
    name = drawn.draw(st.sampled_from(sorted(EVENT_VALUES, key=lambda one: one.value)))
    value = drawn.draw(EVENT_VALUES[name])
    text = write_event(name, PresenceDocument({name: value}), SENDER, RECIPIENT)
    assert read_message(parse(text), NOW) == PublishedEvent({name: value})


@pytest.mark.parametrize("name", NODE_OF)
def test_what_is_missing_is_withdrawn(name: Field) -> None:
    text = write_event(name, PresenceDocument({Field.TITLE: "canary"}), SENDER, RECIPIENT)
    assert read_message(parse(text), NOW) == PublishedEvent({name: None})
    assert "canary" not in text


@given(PHOTOS)
def test_a_picture_is_announced(photo: Photo) -> None:
    text = write_event(Field.PHOTO, PresenceDocument({Field.PHOTO: photo}), SENDER, RECIPIENT)
    assert read_message(parse(text), NOW) == PublishedEvent({}, photo.sha1)


def test_exact_bytes() -> None:
    text = write_event(Field.MOOD, PresenceDocument({Field.MOOD: Mood("happy", "<3")}), SENDER, RECIPIENT)
    assert text == (
        f"{START}<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='{MOOD}'><item id='current'>"
        f"<mood xmlns='{MOOD}'><happy/><text>&lt;3</text></mood></item></items></event></message>"
    )


def test_words_from_elsewhere_become_undefined() -> None:
    document = PresenceDocument({Field.MOOD: Mood("<canary/>"), Field.ACTIVITY: Activity("<canary/>", "canary", "t")})
    assert f"<mood xmlns='{MOOD}'><undefined/></mood>" in write_event(Field.MOOD, document, SENDER, RECIPIENT)
    expected = f"<activity xmlns='{ACTIVITY}'><undefined/><text>t</text></activity>"
    assert expected in write_event(Field.ACTIVITY, document, SENDER, RECIPIENT)


def test_places_from_elsewhere_lose_their_coordinates() -> None:
    document = PresenceDocument({Field.LOCATION: Place({"lat": "1", "uri": "geo:1,2", "room": "2"})})
    assert f"<geoloc xmlns='{PLACE}'><room>2</room></geoloc>" in write_event(
        Field.LOCATION, document, SENDER, RECIPIENT
    )
