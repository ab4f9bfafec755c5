"""Presence stanzas both ways."""

from typing import Any

import pytest
from hypothesis import given

from gateway.model.envelope import Bounce, Problem
from gateway.model.presence import OFFLINE, Activity, Field, Photo, Presence, PresenceDocument, Show
from gateway.model.subscription import Ask, Subscription
from gateway.protocols.xmpp.stanzas.caps import Caps
from gateway.protocols.xmpp.stanzas.errors import Malformed
from gateway.protocols.xmpp.stanzas.presences import ReadPresence, read_presence, write_presence, write_subscription
from tests.protocols.xmpp.stanzas.parsing import NOW, RECIPIENT, SENDER, parse
from tests.protocols.xmpp.stanzas.strategies import presences

START = "<presence from='alice@corp.example/desk' to='bob@partner.example'"
SHA1 = "0123456789abcdef0123456789abcdef01234567"
CAPS = Caps("https://client.example", "QgayPKawpkPSDYmwT/WM94uAlu0=")


def document(**fields: Any) -> PresenceDocument:
    return PresenceDocument(
        {Field.AVAILABILITY: True, **{Field[name.upper()]: value for name, value in fields.items()}}
    )


EXACT = [
    (f"{START}/>", document()),
    (f"{START}><show>dnd</show></presence>", document(show=Show.DND)),
    (
        f"{START}><status>in</status><status xml:lang='de'>da</status></presence>",
        document(note=(("", "in"), ("de", "da"))),
    ),
    (
        f"{START}><idle xmlns='urn:xmpp:idle:1' since='2026-01-31T12:07:01Z'/></presence>",
        document(idle=1769860800.0, last_active=1769861221.0),
    ),
    (
        f"{START}><nick xmlns='http://jabber.org/protocol/nick'>A &amp; B</nick></presence>",
        document(display_name="A & B"),
    ),
]


@pytest.mark.parametrize(("text", "written"), EXACT)
def test_both_ways(text: str, written: PresenceDocument) -> None:
    assert read_presence(parse(text), NOW) == ReadPresence(Presence(written))
    assert write_presence(written, SENDER, RECIPIENT) == text


@given(presences())
def test_what_is_written_is_read(presence: Presence) -> None:
    text = write_presence(presence.document, SENDER, RECIPIENT, priority=presence.priority)
    assert read_presence(parse(text), NOW) == ReadPresence(presence)


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("<show>strange</show>", document()),
        ("<show> away </show><show>dnd</show>", document(show=Show.AWAY)),
        ("<priority>-129</priority>", document()),
        ("<priority>many</priority>", document()),
        ("<idle xmlns='urn:xmpp:idle:1' since='2999-01-01T00:00:00Z'/>", document()),
        ("<idle xmlns='urn:xmpp:idle:1'/>", document()),
        ("<nick xmlns='http://jabber.org/protocol/nick'> \n </nick>", document()),
        ("<status/>", document()),
        ("<delay xmlns='urn:xmpp:delay' stamp='2026-01-31T12:00:00Z'/>", document()),
    ],
)
def test_what_is_read_leniently(inside: str, expected: PresenceDocument) -> None:
    assert read_presence(parse(f"<presence>{inside}</presence>"), NOW) == ReadPresence(Presence(expected))


@pytest.mark.parametrize(("text", "priority"), [("5", 5), ("-128", -128), (" +127 ", 127), ("128", 0), ("١", 0)])
def test_priority(text: str, priority: int) -> None:
    read = read_presence(parse(f"<presence><priority>{text}</priority></presence>"), NOW)
    assert isinstance(read, ReadPresence) and read.presence.priority == priority


@pytest.mark.parametrize(
    ("inside", "photo_hash"),
    [
        ("", None),
        ("<x xmlns='vcard-temp:x:update'/>", None),
        ("<x xmlns='vcard-temp:x:update'><photo/></x>", ""),
        (f"<x xmlns='vcard-temp:x:update'><photo>{SHA1.upper()}</photo></x>", SHA1),
        ("<x xmlns='vcard-temp:x:update'><photo>canary</photo></x>", None),
    ],
)
def test_the_hash_of_the_photo_is_for_the_leg(inside: str, photo_hash: str | None) -> None:
    read = read_presence(parse(f"<presence>{inside}</presence>"), NOW)
    assert read == ReadPresence(Presence(document()), photo_hash)


def test_capabilities_are_for_the_leg_and_written_when_given() -> None:
    text = write_presence(document(), SENDER, RECIPIENT, caps=CAPS)
    announced = "hash='sha-1' node='https://client.example' ver='QgayPKawpkPSDYmwT/WM94uAlu0='"
    caps = f"<c xmlns='http://jabber.org/protocol/caps' {announced}/>"
    assert text == f"{START}>{caps}</presence>"
    assert read_presence(parse(text), NOW) == ReadPresence(Presence(document()), caps=CAPS)


def test_idle_alone_is_written_as_it_is_known() -> None:
    text = write_presence(document(idle=1769860800.0), SENDER, RECIPIENT)
    assert text == f"{START}><idle xmlns='urn:xmpp:idle:1' since='2026-01-31T12:00:00Z'/></presence>"


def test_a_photo_is_told_by_its_hash_and_its_end_on_request() -> None:
    photo = Photo("image/png", b"", SHA1)
    hashed = f"{START}><x xmlns='vcard-temp:x:update'><photo>{SHA1}</photo></x></presence>"
    assert write_presence(document(photo=photo), SENDER, RECIPIENT, photo_gone=True) == hashed
    gone = f"{START}><x xmlns='vcard-temp:x:update'><photo/></x></presence>"
    assert write_presence(document(), SENDER, RECIPIENT, photo_gone=True) == gone


@pytest.mark.parametrize(
    "hidden",
    [
        OFFLINE,
        PresenceDocument(),
        PresenceDocument({Field.NOTE: (("", "canary"),), Field.SHOW: Show.DND, Field.LAST_ACTIVE: 1.0}),
        PresenceDocument({Field.DISPLAY_NAME: "canary", Field.PHOTO: Photo("image/png", b"", SHA1)}),
    ],
)
def test_unavailable_says_nothing_else(hidden: PresenceDocument) -> None:
    text = write_presence(hidden, SENDER, RECIPIENT, caps=CAPS, priority=5, photo_gone=True)
    assert text == f"{START} type='unavailable'/>"


def test_fields_without_a_place_in_presence_are_not_written() -> None:
    rich = document(
        activity=Activity("working", text="canary"), email=("canary@corp.example",), device="canary", title="canary"
    )
    assert write_presence(rich, SENDER, RECIPIENT) == f"{START}/>"


def test_an_unavailable_presence_keeps_only_a_note() -> None:
    text = "<presence type='unavailable'><show>dnd</show><status>bye</status><priority>3</priority></presence>"
    assert read_presence(parse(text), NOW) == ReadPresence(Presence(PresenceDocument({Field.NOTE: (("", "bye"),)})))
    assert read_presence(parse("<presence type='unavailable'/>"), NOW) == ReadPresence(Presence(OFFLINE))


@pytest.mark.parametrize("ask", Ask)
def test_subscriptions_both_ways_between_bare_addresses(ask: Ask) -> None:
    text = write_subscription(Subscription(ask, "s1"), "alice@corp.example/desk", "bob@partner.example/x")
    start = "<presence from='alice@corp.example' to='bob@partner.example' id='s1'"
    assert text == f"{start} type='{ask.value}'/>"
    assert read_presence(parse(text), NOW) == Subscription(ask, "s1")


def test_a_subscription_loses_everything_else() -> None:
    text = "<presence type='subscribe' id='s'><status>canary</status><nick xmlns='x'>canary</nick></presence>"
    assert read_presence(parse(text), NOW) == Subscription(Ask.SUBSCRIBE, "s")


def test_an_error_is_a_bounce_and_an_unknown_type_is_malformed() -> None:
    error = "<error><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>canary</gone></error>"
    bounce = read_presence(parse(f"<presence type='error' id='p'>{error}</presence>"), NOW)
    assert bounce == Bounce("presence", "p", Problem.GONE)
    assert read_presence(parse("<presence type='strange' id='p'/>"), NOW) == Malformed("presence", "p")


@pytest.mark.parametrize(("id", "shown"), [("p1", " id='p1'"), ("", ""), ("a\nb", "")])
def test_the_id_stands_in_both_forms(id: str, shown: str) -> None:
    assert write_presence(document(), SENDER, RECIPIENT, id=id) == f"{START}{shown}/>"
    assert write_presence(OFFLINE, SENDER, RECIPIENT, id=id) == f"{START}{shown} type='unavailable'/>"
