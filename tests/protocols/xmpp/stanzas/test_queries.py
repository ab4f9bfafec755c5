"""Questions and answers: what is asked, what is answered, and that every refusal is the same."""

import base64
import hashlib
from typing import Any

import pytest

from gateway.model.envelope import Bounce, Problem, Query, QueryKind
from gateway.model.presence import Activity, Field, Mood, Photo, Place, PresenceDocument
from gateway.protocols.xmpp.stanzas.answers import write_answer, write_domain_answer, write_empty_result
from gateway.protocols.xmpp.stanzas.caps import (
    CAPS_FOR_CONTACTS,
    DISCO_FOR_CONTACTS,
    Disco,
    Identity,
    caps_of,
    read_disco,
    ver,
)
from gateway.protocols.xmpp.stanzas.errors import Malformed
from gateway.protocols.xmpp.stanzas.queries import Result, read_query, write_query
from tests.protocols.xmpp.stanzas.parsing import NOW, RECIPIENT, SENDER, parse

PNG = b"\x89PNG\r\n\x1a\n rest"
SHA1 = "81fdc29e2f7d0a3d12ec0a4ac0a2b6d63bc2a6e2"
INFO = "http://jabber.org/protocol/disco#info"


def items(node: str, inside: str = "") -> str:
    return f"<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='{node}'>{inside}</items></pubsub>"


PAYLOADS = {
    "vcard-temp": ("<vCard xmlns='vcard-temp'/>", QueryKind.CARD),
    "vcard4": ("<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'/>", QueryKind.CARD),
    "vcard4 node": (items("urn:xmpp:vcard4"), QueryKind.CARD),
    "last": ("<query xmlns='jabber:iq:last'/>", QueryKind.LAST_ACTIVITY),
    "time": ("<time xmlns='urn:xmpp:time'/>", QueryKind.TIME),
    "info": (f"<query xmlns='{INFO}'/>", QueryKind.CAPABILITIES),
    "picture": (items("urn:xmpp:avatar:data"), QueryKind.PICTURE),
    "metadata": (items("urn:xmpp:avatar:metadata"), QueryKind.PICTURE),
    "mood": (items("http://jabber.org/protocol/mood"), QueryKind.MOOD),
    "activity": (items("http://jabber.org/protocol/activity"), QueryKind.ACTIVITY),
    "place": (items("http://jabber.org/protocol/geoloc"), QueryKind.LOCATION),
    "nick": (items("http://jabber.org/protocol/nick"), QueryKind.NAME),
    "ping": ("<ping xmlns='urn:xmpp:ping'/>", QueryKind.PING),
    "items": ("<query xmlns='http://jabber.org/protocol/disco#items'/>", QueryKind.OTHER),
    "version": ("<query xmlns='jabber:iq:version'/>", QueryKind.OTHER),
    "roster": ("<query xmlns='jabber:iq:roster'/>", QueryKind.OTHER),
    "bookmarks": (items("storage:bookmarks"), QueryKind.OTHER),
    "pubsub": ("<pubsub xmlns='http://jabber.org/protocol/pubsub'/>", QueryKind.OTHER),
    "unknown": ("<canary xmlns='canary'>canary</canary>", QueryKind.OTHER),
}
UNANSWERABLE = ("ping", "items", "version", "roster", "bookmarks", "pubsub", "unknown")
FULL = PresenceDocument(
    {
        Field.AVAILABILITY: True,
        Field.LAST_ACTIVE: NOW - 60,
        Field.DEVICE: "phone",
        Field.CAPABILITIES: frozenset({"receipts", "canary"}),
        Field.DISPLAY_NAME: "Alice",
        Field.ACTIVITY: Activity("working"),
        Field.MOOD: Mood("happy"),
        Field.LOCATION: Place({"room": "2"}),
        Field.TIME_ZONE: "+01:00",
        Field.PHOTO: Photo("image/png", PNG, SHA1),
    }
)


def ask(payload: str, kind: str = "get") -> Query:
    query = read_query(parse(f"<iq type='{kind}' id='q'>{payload}</iq>"), NOW)
    assert isinstance(query, Query)
    return query


def answer(payload: str, document: PresenceDocument | None, sender: str = SENDER, **more: Any) -> str:
    return write_answer(ask(payload), document, sender, RECIPIENT, NOW, **more)


REFUSAL = (
    "<iq type='error' id='q' from='alice@corp.example/desk' to='bob@partner.example'><error type='cancel'>"
    "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
)


@pytest.mark.parametrize(("payload", "kind"), PAYLOADS.values(), ids=PAYLOADS)
def test_what_is_asked(payload: str, kind: QueryKind) -> None:
    assert ask(payload).kind is kind
    assert ask(payload, "set").kind is QueryKind.OTHER


@pytest.mark.parametrize(
    ("payload", "document"),
    [
        *((payload, None) for payload, _ in PAYLOADS.values()),
        *((payload, PresenceDocument()) for payload, _ in PAYLOADS.values()),
        *((payload, PresenceDocument({Field.AVAILABILITY: True})) for payload, _ in PAYLOADS.values()),
        *((PAYLOADS[name][0], FULL) for name in UNANSWERABLE),
        (items("urn:xmpp:avatar:data", "<item id='another'/>"), FULL),
    ],
)
def test_every_refusal_is_the_same_bytes(payload: str, document: PresenceDocument | None) -> None:
    assert answer(payload, document) == REFUSAL


@pytest.mark.parametrize("payload", [payload for payload, _ in PAYLOADS.values()])
def test_a_set_is_refused_with_the_same_bytes(payload: str) -> None:
    assert write_answer(ask(payload, "set"), FULL, SENDER, RECIPIENT, NOW) == REFUSAL


PNG64 = base64.b64encode(PNG).decode()
DISCO = f"<query xmlns='{INFO}'>{{}}<feature var='{INFO}'/>{{}}</query>"
CLIENT_FEATURES = "<feature var='http://jabber.org/protocol/caps'/><feature var='urn:xmpp:receipts'/>"


def listed(node: str, item_id: str, payload: str) -> str:
    return items(node, f"<item id='{item_id}'>{payload}</item>")


ANSWERS = [
    ("last", "<query xmlns='jabber:iq:last' seconds='60'/>"),
    ("time", "<time xmlns='urn:xmpp:time'><tzo>+01:00</tzo><utc>2027-01-15T08:00:00Z</utc></time>"),
    (
        "info",
        DISCO.format(
            "<identity category='client' type='phone'/>",
            "<feature var='http://jabber.org/protocol/caps'/><feature var='urn:xmpp:receipts'/>",
        ),
    ),
    (
        "picture",
        listed("urn:xmpp:avatar:data", SHA1, f"<data xmlns='urn:xmpp:avatar:data'>{PNG64}</data>"),
    ),
    (
        "metadata",
        listed(
            "urn:xmpp:avatar:metadata",
            SHA1,
            "<metadata xmlns='urn:xmpp:avatar:metadata'>"
            f"<info bytes='{len(PNG)}' id='{SHA1}' type='image/png'/></metadata>",
        ),
    ),
    (
        "mood",
        listed(
            "http://jabber.org/protocol/mood",
            "current",
            "<mood xmlns='http://jabber.org/protocol/mood'><happy/></mood>",
        ),
    ),
    (
        "nick",
        listed(
            "http://jabber.org/protocol/nick", "current", "<nick xmlns='http://jabber.org/protocol/nick'>Alice</nick>"
        ),
    ),
]


@pytest.mark.parametrize(("name", "payload"), ANSWERS, ids=[name for name, _ in ANSWERS])
def test_exact_answers(name: str, payload: str) -> None:
    start = "<iq type='result' id='q' from='alice@corp.example/desk' to='bob@partner.example'>"
    assert answer(PAYLOADS[name][0], FULL) == f"{start}{payload}</iq>"


ROUND = {
    "vcard-temp": (Field.DISPLAY_NAME, Field.PHOTO, Field.TIME_ZONE),
    "vcard4": (Field.DISPLAY_NAME, Field.PHOTO, Field.TIME_ZONE),
    "vcard4 node": (Field.DISPLAY_NAME, Field.PHOTO, Field.TIME_ZONE),
    "last": (Field.LAST_ACTIVE,),
    "time": (Field.TIME_ZONE,),
    "picture": (Field.PHOTO,),
    "mood": (Field.MOOD,),
    "activity": (Field.ACTIVITY,),
    "place": (Field.LOCATION,),
    "nick": (Field.DISPLAY_NAME,),
}


@pytest.mark.parametrize(("name", "fields"), ROUND.items())
def test_an_answer_is_read_as_the_fields_it_was_made_from(name: str, fields: tuple[Field, ...]) -> None:
    document = FULL.with_fields({Field.PHOTO: Photo("image/png", PNG, hashlib.sha1(PNG).hexdigest())})
    result = read_query(parse(answer(PAYLOADS[name][0], document)), NOW)
    assert result == Result("q", PAYLOADS[name][1], {one: document[one] for one in fields})


def test_capabilities_come_back_as_words_of_the_closed_list() -> None:
    result = read_query(parse(answer(PAYLOADS["info"][0], FULL)), NOW)
    expected = {Field.CAPABILITIES: frozenset({"receipts"}), Field.DEVICE: "phone"}
    assert isinstance(result, Result) and (result.kind, result.fields) == (QueryKind.CAPABILITIES, expected)
    assert result.disco is not None and ver(result.disco) == caps_of(frozenset({"receipts"}), "phone").ver


def test_a_bare_address_is_a_registered_account_and_no_more() -> None:
    text = answer(PAYLOADS["info"][0], FULL, sender="alice@corp.example")
    assert DISCO.format("<identity category='account' type='registered'/>", "") in text


def test_contacts_with_our_own_capabilities() -> None:
    payload = f"<query xmlns='{INFO}' node='{CAPS_FOR_CONTACTS.node}#{CAPS_FOR_CONTACTS.ver}'/>"
    shown = parse(answer(payload, FULL, disco=DISCO_FOR_CONTACTS)).child("query", INFO)
    assert shown is not None and ver(read_disco(shown)) == CAPS_FOR_CONTACTS.ver
    assert shown.attributes["node"].endswith(CAPS_FOR_CONTACTS.ver)
    assert answer(payload, PresenceDocument(), disco=DISCO_FOR_CONTACTS) == REFUSAL
    assert answer(payload, None, disco=DISCO_FOR_CONTACTS) == REFUSAL


HOUSE = Disco((Identity("gateway", "sip"), Identity("server", "im")), (INFO, "urn:xmpp:ping"))


def domain(payload: str, kind: str = "get") -> str:
    return write_domain_answer(ask(payload, kind), HOUSE, ("a.corp.example",), "corp.example", RECIPIENT)


def test_the_domain_speaks_for_itself() -> None:
    start = "<iq type='result' id='q' from='corp.example' to='bob@partner.example'"
    found = f"<identity category='gateway' type='sip'/><identity category='server' type='im'/><feature var='{INFO}'/>"
    assert (
        domain(PAYLOADS["info"][0])
        == f"{start}><query xmlns='{INFO}'>{found}<feature var='urn:xmpp:ping'/></query></iq>"
    )
    assert domain(PAYLOADS["ping"][0]) == f"{start}/>"
    shown = "<query xmlns='http://jabber.org/protocol/disco#items'><item jid='a.corp.example'/></query>"
    assert domain(PAYLOADS["items"][0]) == f"{start}>{shown}</iq>"


@pytest.mark.parametrize("name", sorted(set(PAYLOADS) - {"info", "ping", "items"}))
def test_the_domain_refuses_the_rest(name: str) -> None:
    assert domain(PAYLOADS[name][0]) == REFUSAL.replace(SENDER, "corp.example")


def test_the_domain_refuses_sets_and_unknown_nodes() -> None:
    refusal = REFUSAL.replace(SENDER, "corp.example")
    assert domain(PAYLOADS["ping"][0], "set") == refusal
    assert domain(f"<query xmlns='{INFO}' node='canary'/>") == refusal


def test_an_empty_result() -> None:
    text = write_empty_result(ask(PAYLOADS["ping"][0]), SENDER, RECIPIENT)
    assert read_query(parse(text), NOW) == Result("q", QueryKind.OTHER)


@pytest.mark.parametrize(
    "text",
    [
        "<iq id='q'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<iq type='strange' id='q'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<iq type='get' id='q'/>",
        "<iq type='get' id='q'><ping xmlns='urn:xmpp:ping'/><ping xmlns='urn:xmpp:ping'/></iq>",
    ],
)
def test_malformed_questions(text: str) -> None:
    assert read_query(parse(text), NOW) == Malformed("query", "q")


def test_a_question_without_an_id_is_malformed() -> None:
    assert read_query(parse("<iq type='get'><ping xmlns='urn:xmpp:ping'/></iq>"), NOW) == Malformed("query", "")


def test_an_error_is_a_bounce() -> None:
    assert read_query(parse(REFUSAL), NOW) == Bounce("query", "q", Problem.SERVICE_UNAVAILABLE)


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        ("<query xmlns='jabber:iq:last' seconds='-1'>canary</query>", QueryKind.LAST_ACTIVITY),
        ("<query xmlns='jabber:iq:last' seconds='99999999999'/>", QueryKind.LAST_ACTIVITY),
        ("<query xmlns='jabber:iq:last'/>", QueryKind.LAST_ACTIVITY),
        ("<time xmlns='urn:xmpp:time'><tzo>canary</tzo></time>", QueryKind.TIME),
        ("<query xmlns='jabber:iq:version'><name>canary</name><os>canary</os></query>", QueryKind.OTHER),
        ("<canary xmlns='canary'/>", QueryKind.OTHER),
    ],
)
def test_answers_that_say_nothing(payload: str, kind: QueryKind) -> None:
    assert read_query(parse(f"<iq type='result' id='r'>{payload}</iq>"), NOW) == Result("r", kind)


@pytest.mark.parametrize("kind", [kind for kind in QueryKind if kind not in (QueryKind.OTHER, QueryKind.FORM)])
def test_what_we_ask_is_a_question_of_that_kind(kind: QueryKind) -> None:
    query = read_query(parse(write_query(kind, "q", SENDER, RECIPIENT)), NOW)
    assert query == Query(kind, "q")


def test_we_ask_for_one_picture() -> None:
    text = write_query(QueryKind.PICTURE, "q", SENDER, RECIPIENT, item=SHA1)
    assert items("urn:xmpp:avatar:data", f"<item id='{SHA1}'/>") in text
